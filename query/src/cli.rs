//! The command line: every option in one place.

mod budget;
mod cost;
mod demo;
mod drift;
mod export;
mod ingest;
mod lists;
mod loops;
mod manual;
mod parse;
mod prices;
mod scores;
mod show;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};

pub(crate) use budget::{BudgetArgs, BudgetKeyArgs, BudgetVerb};
pub(crate) use cost::{CostArgs, CostBy, FailOver};
pub(crate) use demo::DemoArgs;
pub(crate) use drift::{DriftArgs, FailOn};
pub(crate) use export::{ExportArgs, ExportFormat};
pub(crate) use ingest::IngestArgs;
pub(crate) use lists::{ListArgs, RunsArgs, RunsBy};
pub(crate) use loops::LoopsArgs;
pub(crate) use manual::{CompletionsArgs, ManArgs};
pub(crate) use parse::{option_names, option_values, options_of, parse, parse_verb, verbs};
pub(crate) use prices::{PricesArgs, PricesVerb};
pub(crate) use scores::{ScoresArgs, ScoresVerb};
pub(crate) use show::{DiffArgs, IoShown, ShowArgs};

/// A single-file trace store for AI agents, and SQL over it.
#[derive(Debug, Parser)]
#[command(
    name = "spanfile",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Options may be written with one dash or two. Exit codes: 0 fine, 1 SQL or I/O error, 2 usage, \
                  3 finished with rejected input, 4 a gate failed.\n\n\
                  Example:\n  spanfile runs.spans \"SELECT name, duration_ns FROM spans ORDER BY duration_ns DESC LIMIT 5\""
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
    #[command(flatten)]
    pub(crate) query: QueryArgs,
}

/// Verbs that are not SQL.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run SQL over a file; the same as naming the file alone.
    #[command(
        after_help = "Example:\n  spanfile query runs.spans -csv \"SELECT kind, count(*) FROM spans GROUP BY kind\""
    )]
    Query(QueryArgs),
    /// Read OTLP traces, or session files of Claude Code, into a file, creating it when it is not there.
    #[command(after_help = "Example:\n  spanfile ingest runs.spans captures/*.jsonl --rejects rejected.jsonl")]
    Ingest(IngestArgs),
    /// Say what a file holds.
    #[command(after_help = "Example:\n  spanfile info runs.spans")]
    Info(FileArgs),
    /// Check every byte and the whole log of a file.
    #[command(after_help = "Example:\n  spanfile verify runs.spans")]
    Verify(FileArgs),
    /// Merge segments and give back unused space.
    #[command(after_help = "Example:\n  spanfile compact runs.spans")]
    Compact(FileArgs),
    /// Scores that evaluators or people gave to runs.
    #[command(after_help = "Example:\n  spanfile scores import runs.spans ragas.csv")]
    Scores(ScoresArgs),
    /// Runs, the newest first.
    #[command(after_help = "Example:\n  spanfile runs runs.spans --agent planner --by slowest")]
    Runs(RunsArgs),
    /// Agents: what they did and cost, the dearest first.
    #[command(after_help = "Example:\n  spanfile agents runs.spans --top 5")]
    Agents(ListArgs),
    /// Tools: how often they were called and failed, those that fail most first.
    #[command(after_help = "Example:\n  spanfile tools runs.spans -csv")]
    Tools(ListArgs),
    /// What runs cost, by run, agent, model, day and more, and whether budgets hold.
    #[command(after_help = "Example:\n  spanfile cost runs.spans --by agent --top 5")]
    Cost(CostArgs),
    /// What runs did again and again, and what it wasted.
    #[command(after_help = "Example:\n  spanfile loops runs.spans --min-repeats 4")]
    Loops(LoopsArgs),
    /// What changed between two sets of runs, whether it is real, and since when.
    #[command(after_help = "Example:\n  spanfile drift runs.spans --baseline 'version v1' --current 'version v2'")]
    Drift(DriftArgs),
    /// A run as a tree with a waterfall: what it did, and where time, tokens and money went.
    #[command(
        after_help = "Example:\n  spanfile show runs.spans last\n  spanfile show runs.spans 27c5 --html run.html"
    )]
    Show(ShowArgs),
    /// Two runs step by step: what is the same, what changed, and what that cost.
    #[command(after_help = "Example:\n  spanfile diff runs.spans 27c5 da3e")]
    Diff(DiffArgs),
    /// Budgets that a file keeps.
    #[command(after_help = "Example:\n  spanfile budget set runs.spans --per run --soft 0.50 --hard 2")]
    Budget(BudgetArgs),
    /// Prices of models: what is known, and what you pay.
    #[command(after_help = "Example:\n  spanfile prices find gpt-5")]
    Prices(PricesArgs),
    /// Write tables as Parquet, CSV or JSON lines, for other programs.
    #[command(after_help = "Example:\n  spanfile export runs.spans out --table spans --table runs")]
    Export(ExportArgs),
    /// Ingest the bundled captures into a file and show what is in it.
    #[command(after_help = "Example:\n  spanfile demo")]
    Demo(DemoArgs),
    /// Write what a shell needs to complete this command's options and verbs.
    #[command(
        after_help = "Example:\n  spanfile completions bash > ~/.local/share/bash-completion/completions/spanfile"
    )]
    Completions(CompletionsArgs),
    /// Write the manual page.
    #[command(after_help = "Example:\n  spanfile man --dir ~/.local/share/man/man1")]
    Man(ManArgs),
}

/// SQL over a file.
#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The .spans file; a quoted pattern opens several as one.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<String>,
    /// Statements to run.
    #[arg(value_name = "SQL")]
    pub(crate) sql: Vec<String>,
    /// Run a statement; may be repeated.
    #[arg(short = 'c', long = "command", value_name = "SQL")]
    pub(crate) commands: Vec<String>,
    /// Run the statements of a file, after those of -c and of arguments; - is stdin.
    #[arg(short = 'f', long = "file", value_name = "PATH")]
    pub(crate) script: Option<PathBuf>,
    /// Attach another file: FILE=NAME, or FILE AS NAME.
    #[arg(long, value_name = "FILE=NAME")]
    pub(crate) attach: Vec<String>,
    /// Read statements from stdin, also from a terminal, without prompts.
    #[arg(long)]
    pub(crate) batch: bool,
    /// Stop at the first error.
    #[arg(long)]
    pub(crate) bail: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Refuse .import in the shell; queries never write.
    #[arg(long)]
    pub(crate) readonly: bool,
    /// Print each statement before it runs.
    #[arg(long)]
    pub(crate) echo: bool,
    /// Run the commands of a file first; the shell runs ~/.spanfilerc unless this names another.
    #[arg(long, value_name = "PATH", conflicts_with = "no_init")]
    pub(crate) init: Option<PathBuf>,
    /// Do not run ~/.spanfilerc.
    #[arg(long = "no-init")]
    pub(crate) no_init: bool,
}

/// How results look.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// A table in ASCII (the default).
    #[arg(long, group = "format")]
    pub(crate) table: bool,
    /// A table with box characters.
    #[arg(long = "box", group = "format")]
    pub(crate) boxed: bool,
    /// A Markdown table.
    #[arg(long, group = "format")]
    pub(crate) markdown: bool,
    /// Comma-separated values.
    #[arg(long, group = "format")]
    pub(crate) csv: bool,
    /// Tab-separated values.
    #[arg(long, group = "format")]
    pub(crate) tabs: bool,
    /// One JSON array.
    #[arg(long, group = "format")]
    pub(crate) json: bool,
    /// One JSON object per line.
    #[arg(long, group = "format")]
    pub(crate) jsonl: bool,
    /// One value per line.
    #[arg(long, group = "format")]
    pub(crate) line: bool,
    /// Write the result to a Parquet file.
    #[arg(long, group = "format", value_name = "OUT")]
    pub(crate) parquet: Option<PathBuf>,
    /// Write column names (the default).
    #[arg(long, overrides_with = "noheader")]
    pub(crate) header: bool,
    /// Leave column names out.
    #[arg(long, overrides_with = "header")]
    pub(crate) noheader: bool,
    /// Text for NULL.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) nullvalue: Option<String>,
}

/// What a query may use.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// TOML file with what loops(...) begins with; `spanfile loops` uses it too.
    #[arg(long = "loop-settings", value_name = "TOML")]
    pub(crate) loop_settings: Option<PathBuf>,
    /// Memory for sorts, aggregates and joins before they spill, in MiB.
    #[arg(long = "memory-limit", value_name = "MIB", default_value_t = 2048)]
    pub(crate) memory_limit_mib: usize,
    /// Folder for spilled data; the system's temporary folder by default.
    #[arg(long = "spill-dir", value_name = "DIR")]
    pub(crate) spill_dir: Option<PathBuf>,
    /// How much may be spilled, in MiB; 0 forbids it.
    #[arg(long = "spill-limit", value_name = "MIB", default_value_t = 65536)]
    pub(crate) spill_limit_mib: u64,
    /// How many cores to use.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

/// A file, and nothing more.
#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// The .spans file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// How what a verb draws looks, and what its queries may use.
#[derive(Debug, Args)]
pub(crate) struct ShownArgs {
    /// Draw for this many columns of characters; the terminal's width, or 100 without one.
    #[arg(long, value_name = "COLUMNS")]
    pub(crate) width: Option<usize>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

#[cfg(test)]
mod tests;
