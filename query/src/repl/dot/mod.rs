//! Dot-commands: what the shell does that is not SQL.
//!
//! | module | commands about |
//! |---|---|
//! | `catalog` | tables, views, columns, functions |
//! | `files` | what is open, where results go, scripts |
//! | `setting` | how results look |
//! | `verbs` | runs, costs, loops, drift: what the verbs of the command line show |
//! | `words` | arguments |

mod catalog;
mod files;
mod setting;
mod verbs;
mod words;

use std::io::Write;

use spanfile_query::{QueryError, Result, alike};

use super::session::{Next, Session};
use super::settings::MODES;
use crate::commands::{exit, output_error};

pub(super) use files::script;

/// A command of the shell.
pub(super) struct Command {
    /// Its name, and others for it; without the dot, but those of psql have their backslash.
    pub(super) names: &'static [&'static str],
    pub(super) arguments: &'static str,
    pub(super) meaning: &'static str,
    pub(super) example: &'static str,
    /// What may be completed after it.
    pub(super) takes: Takes,
    run: fn(&mut Session, &str) -> Result<Next>,
}

/// What the first argument of a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Path,
    Table,
    Run,
    Database,
    Command,
    Function,
    Sql,
    Words(&'static [&'static str]),
    Mode,
    /// Options of a verb of the command line.
    Verb(&'static str),
}

const ON_OFF: Takes = Takes::Words(&["on", "off"]);

macro_rules! command {
    ($($name:literal)+, $arguments:literal, $takes:expr, $meaning:literal, $example:literal, $run:expr) => {
        Command {
            names: &[$($name),+],
            arguments: $arguments,
            meaning: $meaning,
            example: $example,
            takes: $takes,
            run: $run,
        }
    };
}

/// All commands, as `.help` lists them.
pub(super) const COMMANDS: &[Command] = &[
    command!("help" "\\?" "h", "?PATTERN?", Takes::Command, "this list, or what is like PATTERN with examples", ".help width", help),
    command!("tables" "\\dt" "table", "?PATTERN?", Takes::Table, "names of tables and views", ".tables cost%", catalog::tables),
    command!("views" "\\dv", "?PATTERN?", Takes::Table, "views, with what a row of each is", ".views loop", catalog::views),
    command!("describe" "\\d" "desc", "NAME", Takes::Table, "columns of a table or view: type, unit, meaning", ".describe spans", catalog::describe),
    command!(
        "schema",
        "?NAME?",
        Takes::Table,
        "tables and views as CREATE statements",
        ".schema runs",
        catalog::schema
    ),
    command!("functions" "\\df", "?PATTERN?", Takes::Function, "functions and how they are called", ".functions json", catalog::functions),
    command!(
        "runs",
        "?OPTIONS?",
        Takes::Verb("runs"),
        "runs, the newest first",
        ".runs --agent planner --top 5",
        verbs::runs
    ),
    command!(
        "run",
        "?RUN? ?OPTIONS?",
        Takes::Run,
        "a run as a tree with a waterfall; RUN is the begin of an id, last, slowest or dearest",
        ".run slowest --io",
        verbs::run
    ),
    command!(
        "waterfall",
        "?RUN? ?OPTIONS?",
        Takes::Run,
        "a run as a waterfall, by start",
        ".waterfall last",
        verbs::waterfall
    ),
    command!(
        "diff",
        "RUN RUN ?OPTIONS?",
        Takes::Run,
        "two runs step by step: the same, changed, only in one",
        ".diff last slowest",
        verbs::diff
    ),
    command!(
        "agents",
        "?OPTIONS?",
        Takes::Verb("agents"),
        "agents: calls, tokens, cost, failures, the dearest first",
        ".agents",
        verbs::agents
    ),
    command!(
        "tools",
        "?OPTIONS?",
        Takes::Verb("tools"),
        "tools: calls, failures, durations, those that fail most first",
        ".tools --top 10",
        verbs::tools
    ),
    command!("cost" "costs", "?BY? ?OPTIONS?", Takes::Verb("cost"), "what was spent: by model, run, agent, day and more", ".cost agent --top 5", verbs::cost),
    command!(
        "loops",
        "?OPTIONS?",
        Takes::Verb("loops"),
        "what runs did again and again, the worst first",
        ".loops --kind retry_storm",
        verbs::loops
    ),
    command!(
        "drift",
        "?OPTIONS?",
        Takes::Verb("drift"),
        "what changed between two sets of runs",
        ".drift --baseline \"version 1.0\" --current \"version 1.1\"",
        verbs::drift
    ),
    command!(
        "prices",
        "?MODEL?",
        Takes::Nothing,
        "prices of the models that runs used, or of those like MODEL",
        ".prices sonnet",
        verbs::prices
    ),
    command!(
        "mode",
        "?FORMAT?",
        Takes::Mode,
        "how results are written: table, box, markdown, line, csv, tabs, json or jsonl",
        ".mode csv",
        setting::mode
    ),
    command!("headers" "header", "on|off", ON_OFF, "whether names of columns are written", ".headers off", setting::headers),
    command!("nullvalue", "TEXT", Takes::Nothing, "what is written for NULL", ".nullvalue -", setting::nullvalue),
    command!(
        "maxrows",
        "N",
        Takes::Nothing,
        "rows of a table on the terminal; 0 for all",
        ".maxrows 1000",
        setting::maxrows
    ),
    command!(
        "maxwidth",
        "N",
        Takes::Nothing,
        "columns of characters to draw for; 0 for the terminal's",
        ".maxwidth 120",
        setting::maxwidth
    ),
    command!(
        "width",
        "N ...",
        Takes::Nothing,
        "widths of the first columns of tables; 0 for as wide as their values",
        ".width 12 0 40",
        setting::width
    ),
    command!("timer" "\\timing", "on|off", ON_OFF, "print what each statement took: real, user and system time", ".timer on", setting::timer),
    command!("echo", "on|off", ON_OFF, "print each statement before it runs", ".echo on", setting::echo),
    command!("bail", "on|off", ON_OFF, "leave a script at the first error", ".bail on", setting::bail),
    command!("progress", "on|off", ON_OFF, "a bar while a statement takes long", ".progress off", setting::progress),
    command!(
        "pager",
        "on|off|COMMAND",
        Takes::Words(&["on", "off", "less"]),
        "show what is longer than the screen in a pager",
        ".pager less -S",
        setting::pager
    ),
    command!("show", "", Takes::Nothing, "what is set", ".show", setting::show),
    command!(
        "explain",
        "?SQL?",
        Takes::Sql,
        "how a statement would run; the last one without SQL",
        ".explain SELECT count(*) FROM runs",
        catalog::explain
    ),
    command!(
        "once",
        "FILE",
        Takes::Path,
        "write the next result to FILE, to Parquet where it ends in .parquet, or to a command: |COMMAND",
        ".once runs.parquet",
        files::once
    ),
    command!("output" "\\o", "?FILE?", Takes::Path, "write results to FILE from now on; to the terminal without one", ".output results.txt", files::output),
    command!("read" "\\i", "FILE", Takes::Path, "run the statements and commands of a file", ".read report.sql", files::read),
    command!("open" "\\c", "FILE ?AS NAME?", Takes::Path, "open another file in the place of this one, or beside it as NAME", ".open old.spans AS old", files::open),
    command!(
        "close",
        "NAME",
        Takes::Database,
        "close a file that was opened beside the first",
        ".close old",
        files::close
    ),
    command!("databases" "\\l", "", Takes::Nothing, "open files", ".databases", files::databases),
    command!(
        "import",
        "INPUT ...",
        Takes::Path,
        "ingest traces into the open file",
        ".import traces/*.json",
        files::import
    ),
    command!(
        "history",
        "?N|TEXT?",
        Takes::Nothing,
        "the last statements, or those that hold TEXT",
        ".history 20",
        files::history
    ),
    command!("print", "TEXT", Takes::Nothing, "write TEXT", ".print done", files::print),
    command!("shell" "\\!" "system", "COMMAND", Takes::Path, "run a command of the system", ".shell ls", files::shell),
    command!("cd" "\\cd", "DIR", Takes::Path, "change the folder that paths are relative to", ".cd traces", files::cd),
    command!("version", "", Takes::Nothing, "version of the program and of the open files", ".version", files::version),
    command!("quit" "\\q" "q", "", Takes::Nothing, "leave", ".quit", quit),
    command!("exit", "?CODE?", Takes::Nothing, "leave with an exit code", ".exit 1", leave),
];

/// Whether a line is a command and no SQL.
pub(super) fn is_command(line: &str) -> bool {
    let mut chars = line.chars();
    match (chars.next(), chars.next()) {
        (Some('.'), Some(c)) => c.is_ascii_alphabetic(),
        (Some('\\'), Some(c)) => c.is_ascii_alphabetic() || matches!(c, '?' | '!'),
        _ => false,
    }
}

/// A command line in its name, as [`Command::names`] has it, and the rest.
pub(super) fn parts(line: &str) -> (&str, &str) {
    let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    // `\!ls`, as psql takes it.
    let (verb, rest) = match verb.strip_prefix("\\!") {
        Some(glued) if !glued.is_empty() => line.split_at(2),
        _ => (verb, rest),
    };
    (verb.strip_prefix('.').unwrap_or(verb), rest.trim())
}

/// The command of a name; the begin of a name is enough where it is that of one command only, as in sqlite.
pub(super) fn find(name: &str) -> Option<&'static Command> {
    if let Some(exact) = COMMANDS.iter().find(|c| c.names.contains(&name)) {
        return Some(exact);
    }
    let mut begun = COMMANDS.iter().filter(|c| c.names[0].starts_with(name));
    match (begun.next(), begun.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

/// Runs a command line.
pub(super) fn run(session: &mut Session, line: &str) -> Result<Next> {
    let (name, rest) = parts(line);
    // `\x` and `\d` without a name are not what the same command is with one.
    match (name, rest) {
        ("\\d", "") => return catalog::tables(session, rest),
        ("\\x", _) => return setting::expanded(session, rest),
        _ => {}
    }
    match find(name) {
        Some(command) => (command.run)(session, rest).map_err(|e| named(command, e)),
        None => {
            let written = if name.starts_with('\\') { name.to_owned() } else { format!(".{name}") };
            let names = COMMANDS.iter().flat_map(|c| c.names).filter(|n| !n.starts_with('\\') && n.len() > 1);
            let meant = alike(name, names.map(|n| (*n).to_owned()));
            let meant = match meant.first() {
                Some(first) => format!("did you mean .{first}?"),
                None => "see .help".to_owned(),
            };
            Err(wrong(format!("unknown command {written}; {meant}")))
        }
    }
}

/// An error about what was typed.
fn wrong(message: impl Into<String>) -> QueryError {
    QueryError::Sql { message: message.into(), position: None, suggestions: Vec::new() }
}

/// What a command expects, where its arguments make no sense.
fn expected() -> QueryError {
    wrong("")
}

/// Puts the command's usage in the place of an empty message.
fn named(command: &Command, e: QueryError) -> QueryError {
    match e {
        QueryError::Sql { message, position: None, suggestions } if message.is_empty() && suggestions.is_empty() => {
            wrong(format!("expected .{} {}, as in: {}", command.names[0], command.arguments, command.example))
        }
        e => e,
    }
}

fn write(session: &mut Session, text: &str) -> Result<Next> {
    let text = text.to_owned();
    session.show(false, None, move |mut out| async move { out.write_all(text.as_bytes()).map_err(output_error) })?;
    Ok(Next::Go)
}

fn help(session: &mut Session, pattern: &str) -> Result<Next> {
    let wanted = pattern.trim_start_matches('.').to_lowercase();
    let usage = |c: &Command| format!(".{} {}", c.names[0], c.arguments).trim_end().to_owned();
    let width = COMMANDS.iter().map(|c| usage(c).len()).max().unwrap_or(0);
    let look = session.look();
    let mut text = String::new();
    if wanted.is_empty() {
        for c in COMMANDS {
            let line = format!("{:<width$}  {}", usage(c), c.meaning);
            text += &crate::commands::folded(&line, look.width.max(60), width + 2);
        }
        text += "\nSQL ends with a semicolon. Ctrl-C stops what runs, Tab completes, Ctrl-R searches the history.\n\
                 Begin with: .tables, .runs, .run last, .cost, .loops; .help COMMAND has examples.\n";
        return write(session, &text);
    }
    // A command that is named is meant; else all that speak of it.
    let exact = find(&wanted).filter(|c| c.names.contains(&&*wanted));
    let like = |c: &&Command| {
        exact.map_or_else(
            || {
                c.names.iter().any(|n| n.contains(&wanted))
                    || c.meaning.to_lowercase().contains(&wanted)
                    || c.example.to_lowercase().contains(&wanted)
            },
            |exact| std::ptr::eq(*c, exact),
        )
    };
    for c in COMMANDS.iter().filter(like) {
        let also: Vec<String> =
            c.names[1..].iter().map(|n| if n.starts_with('\\') { (*n).into() } else { format!(".{n}") }).collect();
        let also = if also.is_empty() { String::new() } else { format!("; also {}", also.join(", ")) };
        text += &crate::commands::folded(&format!("{}: {}{also}", usage(c), c.meaning), look.width.max(60), 4);
        text += &format!("    example: {}\n", c.example);
        if c.takes == Takes::Mode {
            text += &format!("    formats: {}\n", MODES.map(|(name, _)| name).join(", "));
        }
        if let (Takes::Verb(verb), true) = (c.takes, exact.is_some()) {
            text += &verbs::options(verb);
        }
    }
    if text.is_empty() {
        return Err(wrong(format!("no command is about {pattern}; .help lists all")));
    }
    write(session, &text)
}

fn quit(_: &mut Session, _: &str) -> Result<Next> {
    Ok(Next::Leave)
}

fn leave(session: &mut Session, code: &str) -> Result<Next> {
    match (code, code.parse()) {
        ("", _) => {}
        (_, Ok(code)) => session.code = code,
        (_, Err(_)) => {
            say!("spanfile: .exit {code}: expected a number from 0 to 255");
            session.code = exit::USAGE;
        }
    }
    Ok(Next::Leave)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_there_once_and_examples_are_of_their_command() {
        let mut names: Vec<&str> = COMMANDS.iter().flat_map(|c| c.names).copied().collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        for c in COMMANDS {
            assert!(is_command(c.example), "{}", c.example);
            let (name, rest) = parts(c.example);
            assert_eq!(name, c.names[0]);
            assert!(!rest.is_empty() || c.arguments.is_empty() || c.arguments.starts_with('?'), "{}", c.example);
        }
    }

    #[test]
    fn commands_are_told_from_sql() {
        for line in [".tables", "\\d", "\\?", "\\!ls", ".q"] {
            assert!(is_command(line), "{line}");
        }
        for line in ["select 1", ".5", ". tables", "\\", "-- .tables", ""] {
            assert!(!is_command(line), "{line}");
        }
        assert_eq!(parts("\\!ls -l"), ("\\!", "ls -l"));
        assert_eq!(parts(".mode  csv "), ("mode", "csv"));
    }

    #[test]
    fn the_begin_of_a_name_is_enough_where_it_is_of_one() {
        assert_eq!(find("dat").map(|c| c.names[0]), Some("databases"));
        assert_eq!(find("q").map(|c| c.names[0]), Some("quit"));
        assert_eq!(find("run").map(|c| c.names[0]), Some("run"));
        assert!(find("p").is_none() && find("nonsense").is_none());
    }
}
