//! Options of `spanfile prices`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::OutputArgs;

/// Prices.
#[derive(Debug, Args)]
pub(crate) struct PricesArgs {
    #[command(subcommand)]
    pub(crate) verb: PricesVerb,
}

/// What to do with prices. Without a file it is the price book that came with the program.
#[derive(Debug, Subcommand)]
pub(crate) enum PricesVerb {
    /// Show all prices, in dollars per million tokens.
    #[command(after_help = "Example:\n  spanfile prices list runs.spans --user")]
    List {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Only rows that you gave.
        #[arg(long)]
        user: bool,
        #[command(flatten)]
        format: OutputArgs,
    },
    /// Show which prices a model has, and how its name leads to them.
    #[command(after_help = "Example:\n  spanfile prices find gpt-5 runs.spans --at 2026-01-01")]
    Find {
        /// The model, as spans name it.
        #[arg(value_name = "MODEL")]
        model: String,
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// The provider, as spans name it.
        #[arg(long)]
        provider: Option<String>,
        /// The service tier, as spans name it.
        #[arg(long)]
        tier: Option<String>,
        /// At this date or time in place of now.
        #[arg(long, value_name = "DATE")]
        at: Option<String>,
        #[command(flatten)]
        format: OutputArgs,
    },
    /// Add your prices or aliases to a file: CSV with a header, or JSON. They come before the bundled ones.
    #[command(after_help = "Example:\n  spanfile prices import runs.spans mine.csv")]
    Import {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// File of prices or aliases, or - for stdin.
        #[arg(value_name = "PRICES")]
        input: String,
    },
    /// Say which model of the price book another name means: a deployment, a profile, a model behind a gateway.
    #[command(after_help = "Example:\n  spanfile prices alias runs.spans my-deployment openai/gpt-5")]
    Alias {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The name in spans.
        #[arg(value_name = "ALIAS")]
        alias: String,
        /// The model in the price book, as in openai/gpt-5.
        #[arg(value_name = "PROVIDER/MODEL")]
        model: String,
        /// Only for calls to this provider.
        #[arg(long)]
        provider: Option<String>,
    },
    /// Write prices as CSV that import reads.
    #[command(after_help = "Example:\n  spanfile prices export runs.spans --user > mine.csv")]
    Export {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Only rows that you gave.
        #[arg(long)]
        user: bool,
        /// Aliases in place of prices.
        #[arg(long)]
        aliases: bool,
        /// JSON lines in place of CSV.
        #[arg(long)]
        jsonl: bool,
    },
    /// Replace a file's bundled prices by those of this program; yours stay.
    #[command(after_help = "Example:\n  spanfile prices update runs.spans")]
    Update {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Show what an update would change.
    #[command(after_help = "Example:\n  spanfile prices diff runs.spans")]
    Diff {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        format: OutputArgs,
    },
}
