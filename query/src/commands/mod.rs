//! The verbs, one file each.

mod budget;
mod cells;
mod compact;
mod cost;
mod demo;
mod demo_runs;
mod diff;
mod drawing;
mod drift;
mod info;
mod ingest;
mod loop_blocks;
mod loops;
mod manual;
mod prices;
mod query;
mod rows;
mod run_loops;
mod scores;
mod script;
mod show;
mod verify;

use std::path::Path;

use spanfile_query::QueryError;

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
        None => query::run(cli.query),
        Some(Verb::Query(args)) => query::run(args),
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
        Some(Verb::Diff(args)) => diff::run(&args),
        Some(Verb::Budget(args)) => budget::run(&args),
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
fn store_error(path: &Path, source: spanfile::Error) -> QueryError {
    QueryError::Store { path: path.to_path_buf(), source: Box::new(source) }
}

/// An error of writing to stdout.
fn output_error(source: std::io::Error) -> QueryError {
    QueryError::Io { path: "output".into(), source }
}

/// A text as SQL writes it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `1234567` as `1,234,567`.
fn grouped(n: u64) -> String {
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
