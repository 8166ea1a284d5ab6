//! The verbs, one file each.

mod budget;
mod cells;
mod compact;
pub(crate) mod cost;
mod demo;
mod demo_runs;
pub(crate) mod diff;
mod drawing;
pub(crate) mod drift;
mod export;
mod grid;
mod info;
mod ingest;
pub(crate) mod lists;
mod loop_blocks;
pub(crate) mod loops;
mod manual;
mod prices;
mod query;
mod rows;
mod run_loops;
mod scores;
pub(crate) mod show;
mod showing;
mod verify;

use std::path::Path;

use spanfile_query::QueryError;

pub(crate) use cells::{ints, texts};
pub(crate) use drawing::{Look, cut, folded, in_columns, printable, without_controls};
pub(crate) use query::{engine_options, output, parquet_path, runtime, terminal_width};
pub(crate) use showing::Showing;

use crate::cli::{Cli, Verb};

/// Exit codes.
pub(crate) mod exit {
    /// All went well.
    pub(crate) const FINE: u8 = 0;
    /// SQL or I/O failed.
    pub(crate) const FAILED: u8 = 1;
    /// The command line made no sense.
    pub(crate) const USAGE: u8 = 2;
    /// Done, but some input was rejected.
    pub(crate) const REJECTED: u8 = 3;
    /// A gate failed.
    pub(crate) const GATE: u8 = 4;
    /// Stopped by Ctrl-C, as shells expect it.
    pub(crate) const INTERRUPTED: u8 = 130;
}

/// Runs what the command line asks for and says how to exit.
pub(crate) fn run(cli: Cli) -> u8 {
    let done = match cli.verb {
        None => crate::repl::run(cli.query),
        Some(Verb::Query(args)) => crate::repl::run(args),
        Some(Verb::Ingest(args)) => ingest::run(&args),
        Some(Verb::Info(args)) => info::run(&args),
        Some(Verb::Verify(args)) => verify::run(&args),
        Some(Verb::Compact(args)) => compact::run(&args),
        Some(Verb::Scores(args)) => scores::run(&args),
        Some(Verb::Prices(args)) => prices::run(&args),
        Some(Verb::Cost(args)) => cost::run(&args),
        Some(Verb::Loops(args)) => loops::run(&args),
        Some(Verb::Drift(args)) => drift::run(&args),
        Some(Verb::Show(args)) => show::run(&args),
        Some(Verb::Runs(args)) => lists::run_runs(&args),
        Some(Verb::Agents(args)) => lists::run_agents(&args),
        Some(Verb::Tools(args)) => lists::run_tools(&args),
        Some(Verb::Diff(args)) => diff::run(&args),
        Some(Verb::Budget(args)) => budget::run(&args),
        Some(Verb::Export(args)) => export::run(&args),
        Some(Verb::Demo(args)) => demo::run(&args),
        Some(Verb::Completions(args)) => manual::completions(&args),
        Some(Verb::Man(args)) => manual::man(&args),
    };
    match done {
        Ok(code) => code,
        Err(e) if e.is_broken_pipe() => exit::FINE,
        Err(QueryError::Cancelled) => {
            say!("spanfile: interrupted");
            exit::INTERRUPTED
        }
        Err(e) => {
            say!("spanfile: {e}");
            exit::FAILED
        }
    }
}

/// An error of the store about a file.
pub(crate) fn store_error(path: &Path, source: spanfile::Error) -> QueryError {
    QueryError::Store { path: path.to_path_buf(), source: Box::new(source) }
}

/// An error of writing to stdout.
pub(crate) fn output_error(source: std::io::Error) -> QueryError {
    QueryError::Io { path: "output".into(), source }
}

/// A text as SQL writes it.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Bytes as people read them.
fn human_bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}
