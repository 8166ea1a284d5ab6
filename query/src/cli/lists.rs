//! Options of `runs`, `agents` and `tools`.

use clap::{Args, ValueEnum};

use super::ShownArgs;

/// Runs.
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// The .spans file; a quoted pattern opens several as one.
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// Which come first.
    #[arg(long, value_name = "ORDER", default_value = "newest")]
    pub(crate) by: RunsBy,
    /// Runs of this agent only.
    #[arg(long, value_name = "AGENT")]
    pub(crate) agent: Option<String>,
    /// Runs with this outcome only.
    #[arg(long, value_name = "OUTCOME")]
    pub(crate) outcome: Option<String>,
    /// How many rows; 0 for all. 20 unless this says otherwise; all in CSV, JSON and the like.
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
}

/// Which runs come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunsBy {
    /// Those that began last.
    Newest,
    /// Those that cost most.
    Dearest,
    /// Those that took longest.
    Slowest,
    /// Those with most errors.
    Failed,
}

/// Agents, or tools.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The .spans file; a quoted pattern opens several as one.
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// How many rows; 0 for all. 20 unless this says otherwise; all in CSV, JSON and the like.
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
}
