//! What all verbs that query files begin with: threads, interrupts, limits, formats.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use spanfile::loops::Settings;
use spanfile_query::render::{Format, RenderOptions};
use spanfile_query::{EngineOptions, QueryError, Result};
use tokio::sync::Notify;

use super::exit;
use crate::cli::{LimitArgs, OutputArgs};

/// Expressions are evaluated as deep as they nest.
const WORKER_STACK_BYTES: usize = 64 << 20;

/// More would only cost memory.
const MAX_THREADS: usize = 512;

/// One thread is plenty for planning and small results; the others start when a query has work for them.
pub(crate) fn runtime(threads: Option<usize>) -> Result<tokio::runtime::Runtime> {
    if let Some(n) = threads.filter(|n| *n > MAX_THREADS) {
        let message = format!("--threads {n}: at most {MAX_THREADS}");
        return Err(QueryError::Sql { message, position: None, suggestions: Vec::new() });
    }
    let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.max(1))
        .thread_stack_size(WORKER_STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|source| QueryError::Io { path: "threads".into(), source })
}

/// The first Ctrl-C stops the running statement, a second one the process.
pub(crate) fn watch_interrupts(runtime: &tokio::runtime::Runtime) -> Arc<Notify> {
    let notify = Arc::new(Notify::new());
    let interrupt = Arc::clone(&notify);
    runtime.spawn(async move {
        let mut before = false;
        while tokio::signal::ctrl_c().await.is_ok() {
            if std::mem::replace(&mut before, true) {
                std::process::exit(i32::from(exit::INTERRUPTED));
            }
            interrupt.notify_one();
        }
    });
    notify
}

/// Runs a verb's work until it is done or the user stops it. Threads that still compute for a query that nobody waits for
/// do not hold up the exit.
pub(crate) fn until_interrupted<T>(
    runtime: tokio::runtime::Runtime,
    interrupt: &Notify,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let done = runtime.block_on(async {
        tokio::select! {
            biased;
            done = work => done,
            () = interrupt.notified() => Err(QueryError::Cancelled),
        }
    });
    runtime.shutdown_background();
    done
}

pub(crate) fn engine_options(limits: &LimitArgs) -> Result<EngineOptions> {
    const MIB: u64 = 1 << 20;
    Ok(EngineOptions {
        loop_settings: loop_settings(limits.loop_settings.as_deref())?,
        memory_limit_bytes: limits.memory_limit_mib.saturating_mul(1 << 20),
        spill_dir: limits.spill_dir.clone(),
        spill_limit_bytes: limits.spill_limit_mib.saturating_mul(MIB),
        threads: limits.threads,
    })
}

/// The settings of a TOML file, or the defaults.
fn loop_settings(path: Option<&Path>) -> Result<Settings> {
    let Some(path) = path else { return Ok(Settings::default()) };
    let text = std::fs::read_to_string(path).map_err(|e| QueryError::Io { path: path.to_owned(), source: e })?;
    let wrong = |e| QueryError::Io { path: path.to_owned(), source: std::io::Error::other(e) };
    Settings::parse(&text).map_err(wrong)
}

pub(crate) fn output(args: &OutputArgs) -> (Format, RenderOptions) {
    let format = match args {
        OutputArgs { parquet: Some(path), .. } => Format::Parquet(path.clone()),
        OutputArgs { boxed: true, .. } => Format::Box,
        OutputArgs { markdown: true, .. } => Format::Markdown,
        OutputArgs { csv: true, .. } => Format::Csv,
        OutputArgs { tabs: true, .. } => Format::Tabs,
        OutputArgs { json: true, .. } => Format::Json,
        OutputArgs { jsonl: true, .. } => Format::Jsonl,
        OutputArgs { line: true, .. } => Format::Line,
        _ => Format::Table,
    };
    let width = terminal_width();
    let options = RenderOptions {
        header: !args.noheader,
        null_text: args.nullvalue.clone(),
        width,
        terminal: width.is_some(),
        ..RenderOptions::default()
    };
    (format, options)
}

/// How wide the terminal on stdout is; `None` when there is none.
pub(crate) fn terminal_width() -> Option<usize> {
    let out = console::Term::stdout();
    out.is_term().then(|| usize::from(out.size().1))
}

/// Where a [`Format::Parquet`] result goes, for messages.
pub(crate) fn parquet_path(format: &Format) -> Option<&PathBuf> {
    match format {
        Format::Parquet(path) => Some(path),
        _ => None,
    }
}
