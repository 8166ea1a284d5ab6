//! Statements and dot-commands, one after the other: from an argument, a file, a pipe or a prompt.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt};
use spanfile_query::render::{Format, holds_spans, render};
use spanfile_query::{Engine, EngineOptions, Piece, QueryError, Result, expand, split};
use tokio::runtime::Runtime;

use super::clock::Clock;
use super::dot;
use super::progress::{Progress, Running};
use super::settings::Settings;
use super::target::{Paged, Target};
use super::work::{self, Interrupts, JustWait, Pipe, Waiting};
use crate::commands::{Look, exit, grouped, output_error, parquet_path};

/// What goes on after a statement or command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The next one.
    Go,
    /// Nothing: the session is left.
    Leave,
}

/// Files that are open, so that they can be opened anew.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    /// The main file, or a pattern.
    pub(super) main: String,
    pub(super) attached: Vec<(String, String)>,
}

/// What runs statements one after the other.
pub(super) struct Session {
    pub(super) engine: Arc<Engine>,
    pub(super) options: EngineOptions,
    pub(super) opened: Opened,
    pub(super) runtime: Runtime,
    pub(super) interrupts: Arc<Interrupts>,
    pub(super) settings: Settings,
    /// Whether a person types at a terminal.
    pub(super) interactive: bool,
    pub(super) readonly: bool,
    pub(super) out: Target,
    /// Where the next result goes, when not to `out`.
    pub(super) once: Option<Target>,
    /// The format of the next result, where its file asks for one.
    pub(super) once_format: Option<Format>,
    /// A Parquet file holds one result.
    pub(super) parquet_written: bool,
    /// Whether what ran last wrote to stdout, and not to a file or command.
    pub(super) wrote_to_stdout: bool,
    pub(super) last_sql: Option<String>,
    /// What was typed, the oldest first.
    pub(super) history: Vec<String>,
    /// Set by an error, or by `.exit`.
    pub(super) code: u8,
    /// Scripts that read scripts.
    pub(super) depth: usize,
}

/// Opens a file or pattern, and attaches others.
pub(super) fn open(opened: &Opened, options: &EngineOptions) -> Result<Engine> {
    let engine = Engine::open_all(&expand(&opened.main)?, options.clone())?;
    for (path, alias) in &opened.attached {
        engine.attach(&expand(path)?, alias)?;
    }
    Ok(engine)
}

impl Session {
    /// Runs all statements of a text.
    pub(super) fn text(&mut self, text: &str) -> Result<Next> {
        if dot::is_command(text) {
            // One line is one command; more follow as in a script.
            return self.lines(text.as_bytes(), None);
        }
        for piece in split(text) {
            if self.piece(&piece, None, 0)? == Next::Leave {
                return Ok(Next::Leave);
            }
        }
        Ok(Next::Go)
    }

    /// Reads lines, running each statement as soon as its semicolon is there. A line that begins with a dot
    /// between statements is a command.
    pub(super) fn lines(&mut self, mut input: impl BufRead, name: Option<&str>) -> Result<Next> {
        let mut pending = String::new();
        // Lines before the first one of `pending`.
        let mut before = 0;
        let mut line = String::new();
        loop {
            line.clear();
            let source = || name.unwrap_or("input").into();
            let n = input.read_line(&mut line).map_err(|e| QueryError::Io { path: source(), source: e })?;
            let end = n == 0;
            if before == 0 && pending.is_empty() {
                // Some editors begin files with a mark that is no text.
                line = line.trim_start_matches('\u{feff}').to_owned();
            }
            if pending.trim().is_empty() && dot::is_command(line.trim_start()) {
                before += pending.matches('\n').count() as u64 + 1;
                pending.clear();
                if self.command(&line, name.map(|n| (n, before)))? == Next::Leave {
                    return Ok(Next::Leave);
                }
                continue;
            }
            pending.push_str(&line);
            // Only a semicolon or the end can complete a statement; the lexer is not asked for less.
            if end || line.contains(';') {
                let text = std::mem::take(&mut pending);
                let pieces = split(&text);
                let keep = pieces.last().filter(|p| !p.complete && !end);
                for piece in pieces.iter().filter(|p| p.complete || end) {
                    if self.piece(piece, name, before)? == Next::Leave {
                        return Ok(Next::Leave);
                    }
                }
                match keep {
                    Some(rest) => {
                        before += rest.line - 1;
                        pending.push_str(&text[text.len() - trailing(&text, rest)..]);
                    }
                    None => before += text.matches('\n').count() as u64,
                }
            }
            if end {
                return Ok(Next::Go);
            }
        }
    }

    /// Runs one statement and reports its error.
    fn piece(&mut self, piece: &Piece<'_>, name: Option<&str>, before: u64) -> Result<Next> {
        let clock = self.settings.timer.then(Clock::start);
        let done = self.statement(piece.text);
        if let Some(clock) = clock {
            self.flush()?;
            say!("{}", clock.text());
        }
        match done {
            Ok(()) => Ok(Next::Go),
            Err(e) => self.failed(e, |e| report(e, piece, name, before)),
        }
    }

    /// Runs one dot-command and reports its error.
    fn command(&mut self, line: &str, place: Option<(&str, u64)>) -> Result<Next> {
        if self.settings.echo {
            writeln!(self.out, "{}", line.trim_end()).map_err(output_error)?;
        }
        match dot::run(self, line.trim()) {
            Ok(next) => self.flush().map(|()| next),
            Err(e) => self.failed(e, |e| {
                let place = place.map(|(name, line)| format!("{name}:{line}: ")).unwrap_or_default();
                say!("spanfile: {place}{e}");
            }),
        }
    }

    /// Tells an error, unless it ends the session.
    fn failed(&mut self, e: QueryError, tell: impl FnOnce(&QueryError)) -> Result<Next> {
        match e {
            // Who left the pager, or a command that reads results, has seen enough.
            e if e.is_broken_pipe() && !self.interactive && self.wrote_to_stdout => Err(e),
            e if e.is_broken_pipe() => Ok(Next::Go),
            QueryError::Cancelled if !self.interactive => Err(QueryError::Cancelled),
            e => {
                self.flush()?;
                tell(&e);
                self.code = exit::FAILED;
                Ok(if self.settings.bail && !self.interactive { Next::Leave } else { Next::Go })
            }
        }
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(output_error)
    }

    /// Runs SQL and shows its rows.
    pub(super) fn statement(&mut self, text: &str) -> Result<()> {
        if self.settings.echo {
            writeln!(self.out, "{text};").map_err(output_error)?;
        }
        self.last_sql = Some(text.to_owned());
        let once = self.once_format.take();
        let of_session = once.is_none() && parquet_path(&self.settings.format).is_some();
        if of_session && self.parquet_written {
            let message = "a Parquet file holds one result, and it is written".to_owned();
            return Err(QueryError::Sql { message, position: None, suggestions: Vec::new() });
        }
        let format = once.unwrap_or_else(|| self.settings.format.clone());
        self.refuse_open_file(&format)?;
        let path = parquet_path(&format).cloned();
        let options = self.settings.render_options(self.shows_on_stdout());
        let is_table = matches!(format, Format::Table | Format::Box);
        let max_rows = if is_table && options.terminal { self.settings.max_rows } else { 0 };
        let (engine, text, running) = (Arc::clone(&self.engine), text.to_owned(), Running::default());
        let watched = running.clone();
        let work = async move |mut out: Pipe| {
            let query = engine.sql(&text).await?;
            watched.set(query.physical_plan());
            let more = Arc::new(AtomicBool::new(false));
            let rows = capped(query.stream()?, max_rows, Arc::clone(&more));
            let rows = render(rows, &format, &options, &mut out).await?;
            if more.load(Relaxed) {
                let all = query.count().await?;
                let left = grouped(all.saturating_sub(rows));
                writeln!(out, "{left} more rows; .maxrows 0 shows all").map_err(output_error)?;
            }
            Ok(rows)
        };
        let rows = self.show(path.is_some(), Some(running), work)?;
        self.parquet_written |= of_session;
        if let Some(path) = path {
            say!("{}: {} rows", path.display(), grouped(rows));
        }
        Ok(())
    }

    /// A file that is open is not written over.
    fn refuse_open_file(&self, format: &Format) -> Result<()> {
        match parquet_path(format) {
            Some(path) => self.refuse_to_write(path),
            None => Ok(()),
        }
    }

    pub(super) fn refuse_to_write(&self, path: &std::path::Path) -> Result<()> {
        let same = |a: &std::path::Path| a.canonicalize().is_ok_and(|a| path.canonicalize().is_ok_and(|b| a == b));
        let reason = if self.engine.attached().iter().flat_map(|(_, files)| files).any(|f| same(f)) {
            "the file is being read"
        } else if holds_spans(path) {
            "a file of spans is not written over"
        } else {
            return Ok(());
        };
        let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, reason);
        Err(QueryError::Io { path: path.to_owned(), source })
    }

    fn shows_on_stdout(&self) -> bool {
        self.once.is_none() && self.out.is_stdout()
    }

    /// How to draw what goes where results go now.
    pub(super) fn look(&self) -> Look {
        let mut look = Look::of(self.settings.width());
        look.colour &= self.shows_on_stdout();
        look
    }

    /// Runs work; what it writes goes where results go, through the pager where that is wanted.
    pub(super) fn show<T, F>(
        &mut self,
        writes_file: bool,
        running: Option<Running>,
        work: impl FnOnce(Pipe) -> F + Send + 'static,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
        T: Send + 'static,
    {
        self.wrote_to_stdout = self.shows_on_stdout();
        let mut progress = running.filter(|_| self.settings.progress && console::user_attended_stderr());
        let mut bar = progress.take().map(Progress::new);
        let waiting: &mut dyn Waiting = match &mut bar {
            Some(bar) => bar,
            None => &mut JustWait,
        };
        let pager = self.settings.pager.clone().filter(|_| self.interactive && self.shows_on_stdout());
        if let Some(command) = pager {
            self.out.flush().map_err(output_error)?;
            // The prompt takes a line, and so may what is said below the result.
            let room = usize::from(console::Term::stdout().size().0).saturating_sub(2);
            let mut paged = Paged::new(&command, room);
            let done = work::run(&self.runtime, &self.interrupts, work, writes_file, &mut paged, waiting);
            return paged.close().map_err(output_error).and(done);
        }
        let mut once = self.once.take();
        if once.is_some() {
            // What a command writes has no format; the next statement is not meant.
            self.once_format = None;
        }
        let out = once.as_mut().unwrap_or(&mut self.out);
        let done = work::run(&self.runtime, &self.interrupts, work, writes_file, out, waiting);
        let closed = once.map_or(Ok(()), Target::close).map_err(output_error);
        let done = done?;
        closed?;
        self.flush()?;
        Ok(done)
    }
}

/// At most so many rows of a stream; 0 for all. Notes whether there were more.
fn capped(rows: SendableRecordBatchStream, max: u64, more: Arc<AtomicBool>) -> SendableRecordBatchStream {
    if max == 0 {
        return rows;
    }
    let schema = rows.schema();
    let mut left = usize::try_from(max).unwrap_or(usize::MAX);
    let cut = rows
        .map_ok(move |batch| {
            let shown = batch.num_rows().min(left);
            left -= shown;
            (batch.slice(0, shown), batch.num_rows() > shown)
        })
        .scan(more, |more, batch| {
            // The batch in which the first row too many was found is the last one.
            let next = match (more.load(Relaxed), batch) {
                (true, _) => None,
                (false, Ok((batch, over))) => {
                    more.store(over, Relaxed);
                    Some(Ok(batch))
                }
                (false, Err(e)) => Some(Err(e)),
            };
            futures::future::ready(next)
        });
    Box::pin(RecordBatchStreamAdapter::new(schema, cut))
}

/// Bytes from the beginning of an unfinished statement to the end of the text, spaces at the end included.
fn trailing(text: &str, rest: &Piece<'_>) -> usize {
    let spaces = text.len() - text.trim_end().len();
    rest.text.len() + spaces
}

/// Prints an error, and the line it is about with a caret below the place.
fn report(e: &QueryError, piece: &Piece<'_>, name: Option<&str>, before: u64) {
    let QueryError::Sql { message: _, position: Some(at), .. } = e else {
        let place = name.map(|n| format!("{n}:{}: ", before + piece.line)).unwrap_or_default();
        say!("spanfile: {place}{e}");
        return;
    };
    let mut shown = e.to_string();
    // Positions count from the statement's first line; a reader counts from the script's.
    let line = before + piece.line + at.line - 1;
    let prefix = format!("{}:{}: ", at.line, at.column);
    if let Some(rest) = shown.strip_prefix(&prefix) {
        let name = name.map(|n| format!("{n}:")).unwrap_or_default();
        shown = format!("{name}{line}:{}: {rest}", at.column);
    }
    say!("spanfile: {shown}");
    let Some(text) = usize::try_from(at.line).ok().and_then(|l| piece.text.lines().nth(l.saturating_sub(1))) else {
        return;
    };
    let caret = usize::try_from(at.column).unwrap_or(1).saturating_sub(1);
    if text.chars().count() <= 200 {
        let before: String = text.chars().take(caret).collect();
        say!("  {text}\n  {}^", " ".repeat(unicode_width::UnicodeWidthStr::width(before.as_str())));
    }
}
