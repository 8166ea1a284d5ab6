//! Statements and dot-commands from an argument, a file or a pipe.

use std::io::{BufRead, Write};
use std::sync::Arc;

use spanfile_query::render::{Format, RenderOptions, render};
use spanfile_query::{Engine, Piece, QueryError, Result, split};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use super::{exit, output_error};

const HELP: &str = "\
.exit ?CODE?     leave, with an exit code
.help            this list
.print TEXT      write TEXT
.quit            leave
.tables          list databases and tables
Statements end with a semicolon.
";

/// What runs statements one after the other.
pub(super) struct Session<'a> {
    pub(super) engine: &'a Engine,
    pub(super) runtime: &'a Runtime,
    pub(super) interrupt: Arc<Notify>,
    pub(super) format: Format,
    pub(super) options: RenderOptions,
    pub(super) bail: bool,
    pub(super) out: &'a mut dyn Write,
}

impl Session<'_> {
    /// Runs all statements of a text. Says whether to stop, and sets the exit code on errors.
    pub(super) fn text(&mut self, text: &str, code: &mut u8) -> Result<bool> {
        if let Some(command) = text.trim_start().strip_prefix('.') {
            return self.command(command, code);
        }
        for piece in split(text) {
            if self.piece(&piece, None, 0, code)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads lines, running each statement as soon as its semicolon is there. A line that begins with a dot
    /// between statements is a command.
    pub(super) fn lines(&mut self, mut input: impl BufRead, name: &str, code: &mut u8) -> Result<bool> {
        let mut pending = String::new();
        // Lines before the first one of `pending`.
        let mut before = 0;
        let mut line = String::new();
        loop {
            line.clear();
            let n = input.read_line(&mut line).map_err(|source| QueryError::Io { path: name.into(), source })?;
            let end = n == 0;
            if pending.trim().is_empty()
                && let Some(command) = line.strip_prefix('.')
            {
                before += pending.matches('\n').count() as u64 + 1;
                pending.clear();
                if self.command(command, code)? {
                    return Ok(true);
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
                    if self.piece(piece, Some(name), before, code)? {
                        return Ok(true);
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
                return Ok(false);
            }
        }
    }

    /// Runs one statement and reports its error. Says whether to stop.
    fn piece(&mut self, piece: &Piece<'_>, name: Option<&str>, before: u64, code: &mut u8) -> Result<bool> {
        match self.statement(piece.text) {
            Ok(()) => Ok(false),
            Err(e) if e.is_broken_pipe() => Err(e),
            Err(QueryError::Cancelled) => Err(QueryError::Cancelled),
            Err(e) => {
                self.out.flush().map_err(output_error)?;
                report(&e, piece, name, before);
                *code = exit::FAILED;
                Ok(self.bail)
            }
        }
    }

    fn statement(&mut self, text: &str) -> Result<()> {
        let (engine, interrupt) = (self.engine, Arc::clone(&self.interrupt));
        let (format, options, out) = (&self.format, &self.options, &mut *self.out);
        let work = async {
            let query = engine.sql(text).await?;
            let rows = render(query.stream()?, format, options, out).await?;
            Ok(rows)
        };
        let rows = self.runtime.block_on(async {
            tokio::select! {
                // A result that is ready wins over a Ctrl-C that came with it.
                biased;
                rows = work => rows,
                () = interrupt.notified() => Err(QueryError::Cancelled),
            }
        })?;
        if let Some(path) = super::query::parquet_path(&self.format) {
            say!("{}: {} rows", path.display(), super::grouped(rows));
        }
        self.out.flush().map_err(output_error)
    }

    /// Runs a dot-command, given without its dot. Says whether to stop.
    fn command(&mut self, command: &str, code: &mut u8) -> Result<bool> {
        let command = command.trim_end_matches(['\n', '\r']);
        let (verb, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let rest = rest.trim();
        match verb {
            "print" => writeln!(self.out, "{}", unquoted(rest)).map_err(output_error)?,
            "help" => self.out.write_all(HELP.as_bytes()).map_err(output_error)?,
            "tables" => {
                for (db, paths) in self.engine.attached() {
                    for path in paths {
                        writeln!(self.out, "{db}: {}", path.display()).map_err(output_error)?;
                    }
                    let prefix = if db == "main" { String::new() } else { format!("{db}.") };
                    for table in Engine::table_names() {
                        writeln!(self.out, "  {prefix}{table}").map_err(output_error)?;
                    }
                }
            }
            "quit" | "q" => return self.out.flush().map_err(output_error).map(|()| true),
            "exit" => {
                match rest {
                    "" => {}
                    n => match n.parse() {
                        Ok(n) => *code = n,
                        Err(_) => {
                            say!("spanfile: .exit {n}: expected a number from 0 to 255");
                            *code = exit::USAGE;
                        }
                    },
                }
                return self.out.flush().map_err(output_error).map(|()| true);
            }
            _ => {
                self.out.flush().map_err(output_error)?;
                say!("spanfile: unknown command .{verb}; see .help");
                *code = exit::FAILED;
                return Ok(self.bail);
            }
        }
        self.out.flush().map_err(output_error).map(|()| false)
    }
}

/// Bytes from the beginning of an unfinished statement to the end of the text, spaces at the end included.
fn trailing(text: &str, rest: &Piece<'_>) -> usize {
    let spaces = text.len() - text.trim_end().len();
    rest.text.len() + spaces
}

fn unquoted(text: &str) -> &str {
    let inner = |q: char| text.strip_prefix(q).and_then(|t| t.strip_suffix(q));
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
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
        say!("  {text}\n  {}^", " ".repeat(caret));
    }
}
