//! The command line of `spanfile ingest`.

use std::path::PathBuf;

use clap::Args;

/// Ingest.
#[derive(Debug, Args)]
pub(crate) struct IngestArgs {
    /// The .spans file to write to.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Files, folders, patterns, or - for stdin: OTLP protobuf, JSON or JSON lines, or sessions of Claude Code;
    /// also gzip or zstd.
    #[arg(value_name = "INPUT", required = true)]
    pub(crate) inputs: Vec<String>,
    /// Keep rejected records in this file, as they came.
    #[arg(long, value_name = "PATH")]
    pub(crate) rejects: Option<PathBuf>,
    /// No progress and no summary.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
