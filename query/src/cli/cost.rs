//! The command line of `spanfile cost`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::ShownArgs;

/// Costs.
#[derive(Debug, Args)]
pub(crate) struct CostArgs {
    /// The .spans file; a quoted pattern opens several as one.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: String,
    /// What to sum by: model, or run with --as-of and --what-if, unless this says otherwise.
    #[arg(long, value_name = "WHAT")]
    pub(crate) by: Option<CostBy>,
    /// How many rows; 0 for all. 20 unless this says otherwise; all in CSV, JSON and the like.
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    /// Every call at the prices of this day or moment: 2025-05-01, or RFC 3339.
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<String>,
    /// Calls of one model at the prices of another.
    #[arg(long, value_name = "MODEL=MODEL", conflicts_with = "as_of")]
    pub(crate) what_if: Option<String>,
    /// Compare with the budgets of this TOML file, not with those that the .spans file keeps.
    #[arg(long, value_name = "TOML", conflicts_with_all = ["as_of", "what_if"])]
    pub(crate) budgets: Option<PathBuf>,
    /// Exit with 4 when a budget is over its limit, or may be because a cost is incomplete. The limit is the hard one;
    /// with soft, either.
    #[arg(
        long,
        value_name = "LIMIT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "hard",
        conflicts_with_all = ["as_of", "what_if"]
    )]
    pub(crate) fail_over: Option<FailOver>,
    /// With --fail-over: what is known decides, also where a cost is incomplete.
    #[arg(long, requires = "fail_over")]
    pub(crate) allow_incomplete: bool,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
}

/// What to sum costs by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CostBy {
    /// One row per run.
    Run,
    /// Per session.
    Session,
    /// Per end user.
    User,
    /// Per agent.
    Agent,
    /// Per agent and its version.
    Version,
    /// Per workflow.
    Workflow,
    /// Per provider and model.
    Model,
    /// Per tool whose results model calls read.
    Tool,
    /// Per day, UTC, oldest first.
    Day,
    /// Per workflow, with the cost of a success.
    Success,
    /// Per kind of tokens: input, cache reads, output and so on.
    Bucket,
    /// Per budget and what it is for.
    Budget,
}

/// Which limit a gate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOver {
    /// Soft limits and hard ones.
    Soft,
    /// Hard limits.
    Hard,
}
