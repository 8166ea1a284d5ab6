//! The command line of `spanfile budget`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use spanfile::budget::Per;

use super::OutputArgs;

/// Budgets.
#[derive(Debug, Args)]
pub(crate) struct BudgetArgs {
    #[command(subcommand)]
    pub(crate) verb: BudgetVerb,
}

/// What to do with budgets.
#[derive(Debug, Subcommand)]
pub(crate) enum BudgetVerb {
    /// Set a budget, in the place of the one for the same.
    #[command(
        after_help = "Example:\n  spanfile budget set runs.spans --per agent --name support --every day --hard 20"
    )]
    Set {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        key: BudgetKeyArgs,
        /// USD above which there is a warning.
        #[arg(long, value_name = "USD", value_parser = spanfile::cost::parse_usd)]
        soft: Option<i128>,
        /// USD above which the budget is broken.
        #[arg(long, value_name = "USD", value_parser = spanfile::cost::parse_usd)]
        hard: Option<i128>,
    },
    /// Take a budget out.
    #[command(after_help = "Example:\n  spanfile budget remove runs.spans --per run")]
    Remove {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        key: BudgetKeyArgs,
    },
    /// Show the budgets.
    #[command(after_help = "Example:\n  spanfile budget list runs.spans")]
    List {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Put the budgets of a TOML file in the place of all that the file has.
    #[command(after_help = "Example:\n  spanfile budget import runs.spans budgets.toml")]
    Import {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Tables [[budget]] with per, name, every, soft and hard; - for stdin.
        #[arg(value_name = "TOML")]
        budgets: PathBuf,
    },
    /// Write the budgets as TOML to stdout.
    #[command(after_help = "Example:\n  spanfile budget export runs.spans > budgets.toml")]
    Export {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// What a budget is for.
#[derive(Debug, Args)]
pub(crate) struct BudgetKeyArgs {
    /// What has the budget: run, session, user, agent or day.
    #[arg(long, value_name = "WHAT", value_parser = per)]
    pub(crate) per: Per,
    /// Only this session, user or agent.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// For a user or an agent: for one day, and not for all that the file holds.
    #[arg(long, value_name = "day", value_parser = ["day"])]
    pub(crate) every: Option<String>,
}

fn per(name: &str) -> Result<Per, String> {
    Per::find(name).ok_or_else(|| format!("one of {}", Per::ALL.map(Per::name).join(", ")))
}
