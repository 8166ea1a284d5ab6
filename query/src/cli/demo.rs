//! The command line of `spanfile demo`.

use std::path::PathBuf;

use clap::Args;

/// Demo.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Show this file in place of the bundled captures.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
