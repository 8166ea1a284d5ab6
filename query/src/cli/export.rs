//! The command line of `spanfile export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::LimitArgs;

/// Export.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The .spans file; a quoted pattern opens several as one.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: String,
    /// The folder for the files, one per table; it is made where it is missing.
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
    /// Only this table or view; may be repeated.
    #[arg(long = "table", value_name = "NAME")]
    pub(crate) tables: Vec<String>,
    /// Format of the files.
    #[arg(long, value_name = "FORMAT", default_value = "parquet")]
    pub(crate) format: ExportFormat,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

/// Formats of exported tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Parquet, with all types.
    Parquet,
    /// Comma-separated values.
    Csv,
    /// One JSON object per line.
    Jsonl,
    /// Tab-separated values.
    Tabs,
}

impl ExportFormat {
    /// How the files' names end.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            ExportFormat::Parquet => "parquet",
            ExportFormat::Csv => "csv",
            ExportFormat::Jsonl => "jsonl",
            ExportFormat::Tabs => "tsv",
        }
    }
}
