//! The command line of `spanfile drift`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::ShownArgs;

/// Drift.
#[derive(Debug, Args)]
pub(crate) struct DriftArgs {
    /// The .spans file; a quoted pattern opens several as one.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: String,
    /// Runs to compare with: 'previous 28 days', 'before 2026-01-15', '2026-01-01..2026-01-15', 'version v1', 'model
    /// gpt-5', 'prompt 3', 'environment staging', or a condition on the columns of agent_runs. The 28 days before the
    /// current runs, or all other runs, unless this says otherwise.
    #[arg(long, value_name = "RUNS", conflicts_with = "against")]
    pub(crate) baseline: Option<String>,
    /// Runs to look at, written alike; 'last 7 days' unless this or --baseline says otherwise.
    #[arg(long, value_name = "RUNS")]
    pub(crate) current: Option<String>,
    /// Compare with all runs of another file, and look at all of this one unless --current says otherwise.
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// Compare within the values of this column of agent_runs, such as workflow_name: then a change of what was asked for
    /// is not taken for a change of how it was done.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) by: Option<String>,
    /// This agent only.
    #[arg(long, value_name = "AGENT")]
    pub(crate) agent: Option<String>,
    /// Also what explains a drift: models, versions, tokens per call, cache hits, time to the first token, which tool
    /// follows which, finish reasons. Reads the spans.
    #[arg(long)]
    pub(crate) secondary: bool,
    /// Scores for which less is better, with commas between them; for all others more is.
    #[arg(long, value_name = "SCORES")]
    pub(crate) lower_is_better: Option<String>,
    /// Highest adjusted p-value of a drift; 0.05 unless this says otherwise.
    #[arg(long, value_name = "P", value_parser = share)]
    pub(crate) alpha: Option<f64>,
    /// Fewest runs on each side for a verdict; 30 unless this says otherwise.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) min_runs: Option<u32>,
    /// Show all metrics, not only those that drifted.
    #[arg(long)]
    pub(crate) all: bool,
    /// Exit with 4 when a metric drifted; with worse, only when one did for the worse.
    #[arg(long, value_name = "WHAT")]
    pub(crate) fail_on: Option<FailOn>,
    /// With --fail-on: exit with 4 too when there are too few runs to say.
    #[arg(long, requires = "fail_on")]
    pub(crate) require_power: bool,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("a number between 0 and 1".to_owned()),
    }
}

/// What a gate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Any drift.
    Drift,
    /// A drift for the worse.
    Worse,
}
