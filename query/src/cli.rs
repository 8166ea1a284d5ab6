//! The command line: every option in one place.

mod drift;
mod prices;
mod show;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use spanfile::budget::Per;

pub(crate) use drift::{DriftArgs, FailOn};
pub(crate) use prices::{PricesArgs, PricesVerb};
pub(crate) use show::{DiffArgs, IoShown, ShowArgs};

/// A single-file trace store for AI agents, and SQL over it.
#[derive(Debug, Parser)]
#[command(
    name = "spanfile",
    version,
    about,
    args_conflicts_with_subcommands = true,
    after_help = "Options may be written with one dash or two. Exit codes: 0 fine, 1 SQL or I/O error, 2 usage, \
                  3 finished with rejected input, 4 a gate failed."
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
    Query(QueryArgs),
    /// Read OTLP traces, or session files of Claude Code, into a file, creating it when it is not there.
    Ingest(IngestArgs),
    /// Say what a file holds.
    Info(FileArgs),
    /// Check every byte and the whole log of a file.
    Verify(FileArgs),
    /// Merge segments and give back unused space.
    Compact(FileArgs),
    /// Scores that evaluators or people gave to runs.
    Scores(ScoresArgs),
    /// What runs cost, by run, agent, model, day and more, and whether budgets hold.
    Cost(CostArgs),
    /// What runs did again and again, and what it wasted.
    Loops(LoopsArgs),
    /// What changed between two sets of runs, whether it is real, and since when.
    Drift(DriftArgs),
    /// A run as a tree with a waterfall: what it did, and where time, tokens and money went.
    Show(ShowArgs),
    /// Two runs step by step: what is the same, what changed, and what that cost.
    Diff(DiffArgs),
    /// Budgets that a file keeps.
    Budget(BudgetArgs),
    /// Prices of models: what is known, and what you pay.
    Prices(PricesArgs),
    /// Ingest the bundled captures into a file and show what is in it.
    Demo(DemoArgs),
}

/// SQL over a file.
#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The .spans file; a quoted pattern opens several as one.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<String>,
    /// Statements to run.
    #[arg(value_name = "SQL")]
    pub(crate) sql: Vec<String>,
    /// Run a statement; may be repeated.
    #[arg(short = 'c', long = "command", value_name = "SQL")]
    pub(crate) commands: Vec<String>,
    /// Run the statements of a file; - is stdin.
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
    /// Open without writing; queries always do.
    #[arg(long)]
    pub(crate) readonly: bool,
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
    Import {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Files of scores, or - for stdin.
        #[arg(value_name = "SCORES", required = true)]
        inputs: Vec<String>,
    },
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

/// Costs.
#[derive(Debug, Args)]
pub(crate) struct CostArgs {
    /// The .spans file; a quoted pattern opens several as one.
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// What to sum by: model, or run with --as-of and --what-if, unless this says otherwise.
    #[arg(long, value_name = "WHAT")]
    pub(crate) by: Option<CostBy>,
    /// How many rows; 0 for all. 20 unless this says otherwise; all in CSV, JSON and the like.
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    /// Every call at the prices of this day or moment: 2025-05-01, or RFC 3339.
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<String>,
    /// Calls of one model at the prices of another.
    #[arg(long, value_name = "MODEL=MODEL", conflicts_with = "as_of")]
    pub(crate) what_if: Option<String>,
    /// Compare with the budgets of this TOML file, not with those that the .spans file keeps.
    #[arg(long, value_name = "TOML", conflicts_with_all = ["as_of", "what_if"])]
    pub(crate) budgets: Option<PathBuf>,
    /// Exit with 4 when a budget is over its limit, or may be because a cost is incomplete. The limit is the hard one;
    /// with soft, either.
    #[arg(
        long,
        value_name = "LIMIT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "hard",
        conflicts_with_all = ["as_of", "what_if"]
    )]
    pub(crate) fail_over: Option<FailOver>,
    /// With --fail-over: what is known decides, also where a cost is incomplete.
    #[arg(long, requires = "fail_over")]
    pub(crate) allow_incomplete: bool,
    #[command(flatten)]
    pub(crate) shown: ShownArgs,
}

/// What to sum costs by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CostBy {
    /// One row per run.
    Run,
    /// Per session.
    Session,
    /// Per end user.
    User,
    /// Per agent.
    Agent,
    /// Per agent and its version.
    Version,
    /// Per workflow.
    Workflow,
    /// Per provider and model.
    Model,
    /// Per tool whose results model calls read.
    Tool,
    /// Per day, UTC, oldest first.
    Day,
    /// Per workflow, with the cost of a success.
    Success,
    /// Per kind of tokens: input, cache reads, output and so on.
    Bucket,
    /// Per budget and what it is for.
    Budget,
}

/// Loops.
#[derive(Debug, Args)]
pub(crate) struct LoopsArgs {
    /// The .spans file; a quoted pattern opens several as one.
    #[arg(value_name = "FILE")]
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

/// Which limit a gate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOver {
    /// Soft limits and hard ones.
    Soft,
    /// Hard limits.
    Hard,
}

/// Budgets.
#[derive(Debug, Args)]
pub(crate) struct BudgetArgs {
    #[command(subcommand)]
    pub(crate) verb: BudgetVerb,
}

/// What to do with budgets.
#[derive(Debug, Subcommand)]
pub(crate) enum BudgetVerb {
    /// Set a budget, in the place of the one for the same.
    Set {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        key: BudgetKeyArgs,
        /// USD above which there is a warning.
        #[arg(long, value_name = "USD", value_parser = spanfile::cost::parse_usd)]
        soft: Option<i128>,
        /// USD above which the budget is broken.
        #[arg(long, value_name = "USD", value_parser = spanfile::cost::parse_usd)]
        hard: Option<i128>,
    },
    /// Take a budget out.
    Remove {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        key: BudgetKeyArgs,
    },
    /// Show the budgets.
    List {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Put the budgets of a TOML file in the place of all that the file has.
    Import {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Tables [[budget]] with per, name, every, soft and hard; - for stdin.
        #[arg(value_name = "TOML")]
        budgets: PathBuf,
    },
    /// Write the budgets as TOML to stdout.
    Export {
        /// The .spans file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// What a budget is for.
#[derive(Debug, Args)]
pub(crate) struct BudgetKeyArgs {
    /// What has the budget: run, session, user, agent or day.
    #[arg(long, value_name = "WHAT", value_parser = per)]
    pub(crate) per: Per,
    /// Only this session, user or agent.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// For a user or an agent: for one day, and not for all that the file holds.
    #[arg(long, value_name = "day", value_parser = ["day"])]
    pub(crate) every: Option<String>,
}

fn per(name: &str) -> Result<Per, String> {
    Per::find(name).ok_or_else(|| format!("one of {}", Per::ALL.map(Per::name).join(", ")))
}

/// Demo.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Show this file in place of the bundled captures.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Parses the command line. On a usage error, and for help, it prints and says with which code to exit.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, u8> {
    Cli::try_parse_from(double_dashes(args)).map_err(|e| match e.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Nothing is left to do when stdout is gone.
            let _ = e.print();
            0
        }
        ErrorKind::UnknownArgument => {
            say!("spanfile: {}", unknown(&e));
            2
        }
        _ => {
            let _ = e.print();
            2
        }
    })
}

/// `--attach FILE AS NAME` comes as four words and is one option with one value.
fn join_attachments(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::new();
    for arg in args {
        let n = out.len();
        let after_as = n >= 3
            && out[n - 1].eq_ignore_ascii_case("as")
            && matches!(out[n - 3].to_str(), Some("--attach" | "-attach"));
        if after_as {
            out.pop();
            if let Some(file) = out.last_mut() {
                file.push("=");
                file.push(arg);
            }
        } else {
            out.push(arg);
        }
    }
    out
}

/// `-json` is `--json`: sqlite's and DuckDB's shells write long options with one dash. Short options keep
/// theirs, and so do numbers and a lone dash.
fn double_dashes(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut rest_is_plain = false;
    join_attachments(args)
        .into_iter()
        .map(|arg| {
            let Some(text) = arg.to_str() else { return arg };
            rest_is_plain |= text == "--";
            let word = text.strip_prefix('-').unwrap_or("");
            let long = word.chars().count() > 1 && word.starts_with(|c: char| c.is_ascii_alphabetic());
            if text.starts_with("--") && text.contains(char::is_whitespace) && !text.contains('=') {
                // SQL that begins with a comment, not an option.
                return OsString::from(format!(" {text}"));
            }
            if long && !rest_is_plain { OsString::from(format!("-{text}")) } else { arg }
        })
        .collect()
}

fn unknown(e: &clap::Error) -> String {
    let text = |kind| match e.get(kind) {
        Some(ContextValue::String(s)) => Some(s.clone()),
        Some(ContextValue::Strings(v)) => v.first().cloned(),
        _ => None,
    };
    let given = text(ContextKind::InvalidArg).unwrap_or_default();
    let meant = text(ContextKind::SuggestedArg).or_else(|| closest(&given));
    match meant {
        Some(m) => format!("unknown option {given}; did you mean {m}?"),
        None => format!("unknown option {given}; see --help"),
    }
}

fn closest(given: &str) -> Option<String> {
    const LIKENESS: f64 = 0.7;
    let given = given.trim_start_matches('-');
    let command = Cli::command();
    let names = command.get_arguments().filter_map(|a| a.get_long());
    names
        .map(|n| (strsim::jaro_winkler(given, n), n))
        .filter(|(score, _)| *score >= LIKENESS)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, n)| format!("--{n}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn one_dash_or_two() {
        let words = |a: &[&str]| double_dashes(a.iter().map(OsString::from));
        assert_eq!(
            words(&["x", "-json", "--csv", "-c", "-", "-1.5", "--", "-json"]),
            ["x", "--json", "--csv", "-c", "-", "-1.5", "--", "-json"]
        );
        assert_eq!(
            words(&["a", "-attach", "b.spans", "AS", "b", "--attach", "c=d", "-- x\nselect 1"]),
            ["a", "--attach", "b.spans=b", "--attach", "c=d", " -- x\nselect 1"]
        );
    }
}
