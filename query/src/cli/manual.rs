//! Options of `spanfile man` and `spanfile completions`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Completions.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell.
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// Manual pages.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write spanfile.1, and a page for each verb, into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
