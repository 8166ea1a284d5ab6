//! The line editor: keys, history, hints, colours, completion; and what is typed, run line by line.

use std::borrow::Cow;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::history::{FileHistory, SearchDirection};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{ColorMode, CompletionType, Config, Context, Editor, Helper};
use spanfile_query::{QueryError, Result, TokenKind, lex, split};

use super::complete::{self, KEYWORDS};
use super::dot;
use super::names::{Freshness, SharedNames};
use super::session::{Next, Session};
use crate::commands::{cut, exit, grouped, ints, output_error};

/// Statements that are kept.
const HISTORY: usize = 10_000;
const PROMPT: &str = "spanfile> ";
const STYLED_PROMPT: &str = "\u{1b}[1;36mspanfile>\u{1b}[0m ";
/// Typed as words, these are commands.
const WORDS: [&str; 4] = ["exit", "quit", "help", "\\q"];

/// Reads what is typed and runs it, until the user leaves.
pub(super) fn run(session: &mut Session) -> Result<()> {
    let failed = |e: ReadlineError| QueryError::Io { path: "terminal".into(), source: std::io::Error::other(e) };
    let colour = session.look().colour;
    let config = Config::builder()
        .max_history_size(HISTORY)
        .and_then(|b| b.history_ignore_dups(true))
        .map_err(failed)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .color_mode(if colour { ColorMode::Enabled } else { ColorMode::Disabled })
        .build();
    let mut editor: Editor<Assistant, FileHistory> = Editor::with_config(config).map_err(failed)?;
    let names = SharedNames::default();
    editor.set_helper(Some(Assistant { names: names.clone(), files: FilenameCompleter::new() }));
    let history = history_path();
    if let Some(path) = &history {
        // A first session has none yet.
        let _ = editor.load_history(path);
        session.history = editor.history().iter().cloned().collect();
    }
    let mut history = Keeper { path: history };
    greet(session)?;
    let mut loaded: Option<(Arc<spanfile_query::Engine>, Freshness)> = None;
    let mut interrupts = 0;
    loop {
        if loaded.as_ref().is_none_or(|(engine, read)| !Arc::ptr_eq(engine, &session.engine) || read.is_over()) {
            names.load(&session.engine, session.runtime.handle());
            loaded = Some((Arc::clone(&session.engine), Freshness::now()));
        }
        match editor.readline(&(PROMPT, if colour { STYLED_PROMPT } else { PROMPT })) {
            Ok(line) => {
                interrupts = 0;
                if line.trim().is_empty() {
                    continue;
                }
                history.keep(&mut editor, session, &line);
                session.code = exit::FINE;
                if entered(session, &line)? == Next::Leave {
                    return Ok(());
                }
                // What a statement did wrong is no concern of who started the shell.
                session.code = exit::FINE;
            }
            Err(ReadlineError::Interrupted) => {
                interrupts += 1;
                if interrupts > 1 {
                    say!(".quit or Ctrl-D leaves.");
                }
            }
            // Where the terminal cannot be edited on, the signal comes to the read.
            Err(ReadlineError::Io(e)) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(ReadlineError::Eof) => return Ok(()),
            Err(ReadlineError::Signal(_)) => {}
            Err(e) => return Err(failed(e)),
        }
    }
}

/// Runs what was typed. Blank space before a command does not make it SQL.
fn entered(session: &mut Session, line: &str) -> Result<Next> {
    let trimmed = line.trim();
    if WORDS.contains(&trimmed.trim_end_matches(';')) && !trimmed.starts_with('\\') {
        return session.text(&format!(".{}", trimmed.trim_end_matches(';')));
    }
    // What is pasted may have commands between statements, as scripts have.
    session.lines(trimmed.as_bytes(), None)
}

/// Says what is open.
fn greet(session: &mut Session) -> Result<()> {
    let engine = Arc::clone(&session.engine);
    let sql = "SELECT (SELECT count(*) FROM spans) AS spans, (SELECT count(*) FROM runs) AS runs";
    // A file that cannot be counted says why when it is asked for something.
    let counts = session.runtime.block_on(async {
        let rows = engine.sql(sql).await?.collect().await?;
        let Some(b) = rows.iter().find(|b| b.num_rows() > 0) else { return Ok((None, None)) };
        Ok::<_, QueryError>((ints(b, "spans")?[0], ints(b, "runs")?[0]))
    });
    let mut text = format!("spanfile {}, {}", env!("CARGO_PKG_VERSION"), session.opened.main);
    if let Ok((Some(spans), Some(runs))) = counts {
        let count = |n: i64, one: &str| format!("{} {one}{}", grouped(n.unsigned_abs()), if n == 1 { "" } else { "s" });
        text += &format!(": {} in {}", count(spans, "span"), count(runs, "run"));
    }
    writeln!(session.out, "{text}\n.help lists commands; SQL ends with a semicolon.").map_err(output_error)?;
    session.flush()
}

/// Where the history is: `SPANFILE_HISTORY`, or a file in the state directory; empty keeps none.
fn history_path() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("SPANFILE_HISTORY") {
        return (!path.is_empty()).then(|| path.into());
    }
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    // Relative paths are to be ignored, says the specification of these folders.
    let state = set("XDG_STATE_HOME").filter(|p| p.is_absolute());
    let state = state.or_else(|| set("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("spanfile").join("history"))
}

/// Keeps what was typed, at once: a session may be killed.
struct Keeper {
    path: Option<PathBuf>,
}

impl Keeper {
    fn keep(&mut self, editor: &mut Editor<Assistant, FileHistory>, session: &mut Session, line: &str) {
        let new = editor.add_history_entry(line).unwrap_or(false);
        if !new {
            return;
        }
        session.history.push(line.to_owned());
        let Some(path) = &self.path else { return };
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let kept = folder
            .map_or(Ok(()), std::fs::create_dir_all)
            .map_err(ReadlineError::from)
            .and_then(|()| editor.append_history(path));
        if let Err(e) = kept {
            say!("spanfile: {}: the history is not kept: {e}", path.display());
            self.path = None;
        }
    }
}

/// What helps while typing.
struct Assistant {
    names: SharedNames,
    files: FilenameCompleter,
}

impl Helper for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(self.names.with(|names| complete::complete(line, pos, names, &self.files)))
    }
}

/// Text after the cursor that is not there yet.
struct Suggested {
    text: String,
    /// Whether the right arrow takes it.
    completes: bool,
}

impl Hint for Suggested {
    fn display(&self) -> &str {
        &self.text
    }

    fn completion(&self) -> Option<&str> {
        self.completes.then_some(self.text.as_str())
    }
}

impl Hinter for Assistant {
    type Hint = Suggested;

    fn hint(&self, line: &str, pos: usize, context: &Context<'_>) -> Option<Suggested> {
        if pos < line.len() || line.trim().is_empty() {
            return None;
        }
        let told = |text: String| Some(Suggested { text, completes: false });
        if dot::is_command(line) {
            let (name, rest) = dot::parts(line);
            let command = dot::find(name).filter(|c| !c.arguments.is_empty());
            if let Some(command) = command.filter(|_| rest.is_empty()) {
                let space = if line.ends_with(' ') { "" } else { " " };
                return told(format!("{space}{}", command.arguments));
            }
            return None;
        }
        if line.ends_with('\n') {
            return told(unfinished(line).to_owned());
        }
        if line.trim().len() >= 3
            && let Ok(Some(found)) =
                context.history().starts_with(line, context.history_index().saturating_sub(1), SearchDirection::Reverse)
            && let Some(rest) = found.entry.get(line.len()..).filter(|rest| !rest.is_empty() && !rest.contains('\n'))
        {
            return Some(Suggested { text: rest.to_owned(), completes: true });
        }
        let syntax = self.names.with(|names| complete::call_at(line, names).map(str::to_owned))?;
        told(format!("   {}", cut(&syntax, 100)))
    }
}

/// What a statement lacks.
fn unfinished(text: &str) -> &'static str {
    let mut open = 0;
    for t in lex(text) {
        match (t.kind, &text[t.place]) {
            (TokenKind::Open, rest) if rest.starts_with("/*") => return "a comment is open",
            (TokenKind::Open, _) => return "a quote is open",
            (_, "(" | "[" | "{") => open += 1,
            (_, ")" | "]" | "}") => open -= 1,
            (_, ";") => open = 0,
            _ => {}
        }
    }
    match open {
        ..=0 => "; ends the statement",
        1 => "a bracket is open",
        2.. => "brackets are open",
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if dot::is_command(line) {
            let end = line.find(char::is_whitespace).unwrap_or(line.len());
            let known = dot::find(dot::parts(line).0).is_some();
            let code = if known { "1;36" } else { "31" };
            return Cow::Owned(format!("\u{1b}[{code}m{}\u{1b}[0m{}", &line[..end], &line[end..]));
        }
        let mut out = String::with_capacity(line.len() * 2);
        let mut from = 0;
        for t in lex(line) {
            let text = &line[t.place.clone()];
            let code = match t.kind {
                TokenKind::Word if KEYWORDS.iter().any(|k| k.eq_ignore_ascii_case(text)) => "1;34",
                // A name before a bracket is called.
                TokenKind::Word if line[t.place.end..].starts_with('(') => "33",
                TokenKind::Text => "32",
                TokenKind::Number => "36",
                TokenKind::Comment => "2",
                TokenKind::Open => "31",
                _ => "",
            };
            out += &line[from..t.place.start];
            match code {
                "" => out += text,
                code => out += &format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            }
            from = t.place.end;
        }
        out += &line[from..];
        Cow::Owned(out)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\u{1b}[2m{hint}\u{1b}[0m"))
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_whole(context.input()) { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

/// Whether what was typed can run: a command, or statements that all end with a semicolon.
fn is_whole(text: &str) -> bool {
    let trimmed = text.trim();
    if trimmed.is_empty() || dot::is_command(trimmed) || WORDS.contains(&trimmed) {
        return true;
    }
    split(text).last().is_none_or(|piece| piece.complete || dot::is_command(piece.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_where_the_lexer_says() {
        for whole in [
            "",
            "  ",
            ".tables",
            "\\d spans",
            "select 1;",
            "select 1; select ';';",
            "quit",
            "select 1; -- done",
            "select 1;\n.tables",
        ] {
            assert!(is_whole(whole), "{whole}");
        }
        for open in ["select 1", "select ';", "select 1; select 2", "select \"a;", "select 1 /* ;", "select (1;'"] {
            assert!(!is_whole(open), "{open}");
        }
    }

    #[test]
    fn hints_say_what_is_missing() {
        assert_eq!(unfinished("select (1\n"), "a bracket is open");
        assert_eq!(unfinished("select ((1\n"), "brackets are open");
        assert_eq!(unfinished("select 'a\n"), "a quote is open");
        assert_eq!(unfinished("select 1 /* \n"), "a comment is open");
        assert_eq!(unfinished("select (1)\n"), "; ends the statement");
    }
}
