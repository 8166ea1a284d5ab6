//! The command lines of `spanfile show` and `spanfile diff`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::ShownArgs;

/// Show.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The .spans file; a quoted pattern opens several as one.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: String,
    /// The run: the begin of its id; or last, slowest, dearest.
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// All spans; else what repeats, long lists and deep levels are folded, and counted, once a run is long.
    #[arg(long)]
    pub(crate) expand: bool,
    /// This many levels below the roots.
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<usize>,
    /// Inputs and outputs below each span; with --io=full all of them, else the begin of each.
    #[arg(
        long,
        value_name = "HOW",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "begin"
    )]
    pub(crate) io: Option<IoShown>,
    /// The waterfall alone, in order of start.
    #[arg(long, conflicts_with = "depth")]
    pub(crate) waterfall: bool,
    /// Write one page for a browser in place of drawing: the graph of agents and tools, the waterfall, and every step to
    /// walk through.
    #[arg(long, value_name = "PAGE", conflicts_with_all = ["expand", "depth", "io", "waterfall", "format"])]
    pub(crate) html: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
}

/// Diff.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The .spans file; a quoted pattern opens several as one.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: String,
    /// The first run: the begin of its id; or last, slowest, dearest.
    #[arg(value_name = "RUN")]
    pub(crate) a: String,
    /// The run to compare it with, named alike.
    #[arg(value_name = "RUN")]
    pub(crate) b: String,
    /// Read the second run from this file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) against: Option<String>,
    /// All steps; else long stretches of those that are the same are folded, and counted.
    #[arg(long)]
    pub(crate) expand: bool,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
}

/// How much of inputs and outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IoShown {
    /// The begin of each.
    Begin,
    /// All.
    Full,
}
