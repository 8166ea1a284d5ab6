//! The command line of `spanfile loops`.

use clap::{Args, ValueHint};

use super::ShownArgs;

/// Loops.
#[derive(Debug, Args)]
pub(crate) struct LoopsArgs {
    /// The .spans file; a quoted pattern opens several as one.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: String,
    /// Draw the steps of this run with its loops as blocks; the begin of its id is enough.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["kind", "agent", "all", "top", "format"])]
    pub(crate) run: Option<String>,
    /// Loops of this kind only: exact_repeat, retry_storm, cycle, handoff_ping_pong, monologue, stagnation, scattered,
    /// near_repeat or polling.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Loops of this agent only.
    #[arg(long, value_name = "AGENT")]
    pub(crate) agent: Option<String>,
    /// Also what is for information only: polling, and agents that take turns but do something new each time.
    #[arg(long)]
    pub(crate) all: bool,
    /// From how many repeats on something is a loop; 3 unless this or --loop-settings says otherwise.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) min_repeats: Option<u32>,
    /// How many rows, the worst first; 0 for all. 20 unless this says otherwise; all in CSV, JSON and the like.
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
}
