//! `spanfile FILE ...`: SQL over a file.

use std::io::{BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spanfile::loops::Settings;
use spanfile_query::render::{Format, RenderOptions};
use spanfile_query::{Engine, EngineOptions, QueryError, Result, expand};
use tokio::sync::Notify;

use super::script::Session;
use super::{exit, output_error};
use crate::cli::{LimitArgs, OutputArgs, QueryArgs};

/// Expressions are evaluated as deep as they nest.
const WORKER_STACK_BYTES: usize = 64 << 20;

/// Runs the statements that the arguments, a script or stdin give.
pub(crate) fn run(args: QueryArgs) -> Result<u8> {
    let Some(file) = &args.file else {
        say!("spanfile: no file; try: spanfile FILE \"SELECT count(*) FROM spans\", or --help");
        return Ok(exit::USAGE);
    };
    if let Some(other) = args.sql.iter().find(|s| Path::new(s).is_file()) {
        say!("spanfile: {other} is a file, not SQL; to open several files as one, quote the pattern: 'folder/*.spans'");
        return Ok(exit::USAGE);
    }
    let texts: Vec<&String> = args.sql.iter().chain(&args.commands).collect();
    let from_stdin = texts.is_empty() && args.script.is_none();
    if from_stdin && !args.batch && std::io::stdin().is_terminal() {
        say!(
            "spanfile: the interactive shell is not there yet; run SQL with: spanfile {file} \"SELECT ...\", \
             with -c or -f, or from stdin with -batch"
        );
        return Ok(exit::USAGE);
    }
    let attachments = match attachments(&args.attach) {
        Ok(a) => a,
        Err(message) => {
            say!("spanfile: {message}");
            return Ok(exit::USAGE);
        }
    };
    let runtime = runtime(args.limits.threads)?;
    let interrupt = watch_interrupts(&runtime);
    let engine = Engine::open_all(&expand(file)?, engine_options(&args.limits)?)?;
    for (path, alias) in &attachments {
        engine.attach(&expand(path)?, alias)?;
    }
    let (format, options) = output(&args.output);
    if let Some(path) = parquet_path(&format) {
        let same = |a: &Path| a.canonicalize().is_ok_and(|a| path.canonicalize().is_ok_and(|b| a == b));
        if engine.attached().iter().flat_map(|(_, files)| files).any(|f| same(f)) {
            say!("spanfile: -parquet {}: the file is being read", path.display());
            return Ok(exit::USAGE);
        }
    }
    let mut out = BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
    let mut session =
        Session { engine: &engine, runtime: &runtime, interrupt, format, options, bail: args.bail, out: &mut out };
    let mut code = exit::FINE;
    let mut done = false;
    for text in texts {
        if !done {
            done = session.text(text, &mut code)?;
        }
    }
    if let (Some(path), false) = (&args.script, done) {
        done = if path.as_os_str() == "-" {
            session.lines(std::io::stdin().lock(), "stdin", &mut code)?
        } else {
            let script = std::fs::File::open(path)
                .and_then(|mut f| {
                    let mut text = String::new();
                    f.read_to_string(&mut text).map(|_| text.trim_start_matches('\u{feff}').to_owned())
                })
                .map_err(|source| QueryError::Io { path: path.clone(), source })?;
            session.lines(script.as_bytes(), &path.display().to_string(), &mut code)?
        };
    }
    if from_stdin && !done {
        session.lines(std::io::stdin().lock(), "stdin", &mut code)?;
    }
    out.flush().map_err(output_error)?;
    drop(out);
    // Threads that still compute for a query that nobody waits for do not hold up the exit.
    runtime.shutdown_background();
    Ok(code)
}

/// One thread is plenty for planning and small results; the others start when a query has work for them.
pub(super) fn runtime(threads: Option<usize>) -> Result<tokio::runtime::Runtime> {
    let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.max(1))
        .thread_stack_size(WORKER_STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|source| QueryError::Io { path: "threads".into(), source })
}

/// The first Ctrl-C stops the running statement, a second one the process.
pub(super) fn watch_interrupts(runtime: &tokio::runtime::Runtime) -> Arc<Notify> {
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
pub(super) fn until_interrupted<T>(
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

pub(super) fn engine_options(limits: &LimitArgs) -> Result<EngineOptions> {
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

pub(super) fn output(args: &OutputArgs) -> (Format, RenderOptions) {
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
    let options =
        RenderOptions {
        header: !args.noheader,
        null_text: args.nullvalue.clone(),
        width,
        terminal: width.is_some(),
        ..RenderOptions::default()
    };
    (format, options)
}

/// How wide the terminal on stdout is; `None` when there is none.
pub(super) fn terminal_width() -> Option<usize> {
    let out = console::Term::stdout();
    out.is_term().then(|| usize::from(out.size().1))
}

/// Files to attach: `FILE=NAME`, or the three words `FILE AS NAME`.
fn attachments(words: &[String]) -> std::result::Result<Vec<(String, String)>, String> {
    let mut out = Vec::new();
    let mut rest = words;
    while let Some((first, after)) = rest.split_first() {
        if let [word, name, after @ ..] = after
            && word.eq_ignore_ascii_case("as")
        {
            out.push((first.clone(), name.clone()));
            rest = after;
        } else if let Some((path, name)) = first.rsplit_once('=') {
            out.push((path.to_owned(), name.to_owned()));
            rest = after;
        } else if let [path, word, name] = first.split_whitespace().collect::<Vec<_>>()[..]
            && word.eq_ignore_ascii_case("as")
        {
            out.push((path.to_owned(), name.to_owned()));
            rest = after;
        } else {
            return Err(format!("--attach {first}: expected FILE=NAME or FILE AS NAME"));
        }
    }
    Ok(out)
}

/// Where a [`Format::Parquet`] result goes, for messages.
pub(super) fn parquet_path(format: &Format) -> Option<&PathBuf> {
    match format {
        Format::Parquet(path) => Some(path),
        _ => None,
    }
}
