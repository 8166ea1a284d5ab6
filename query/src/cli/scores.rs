//! The command line of `spanfile scores`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Scores.
#[derive(Debug, Args)]
pub(crate) struct ScoresArgs {
    #[command(subcommand)]
    pub(crate) verb: ScoresVerb,
}

/// What to do with scores.
#[derive(Debug, Subcommand)]
pub(crate) enum ScoresVerb {
    /// Add scores to a file: CSV with a header, or JSON lines, with trace_id, span_id, name, value, label,
    /// explanation, source, time (RFC 3339, or nanoseconds since 1970). The same score again changes nothing.
    #[command(after_help = "Example:\n  spanfile scores import runs.spans ragas.csv")]
    Import {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Files of scores, or - for stdin.
        #[arg(value_name = "SCORES", required = true)]
        inputs: Vec<String>,
    },
}
