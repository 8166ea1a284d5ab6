//! SQL and dot-commands over a file: at a prompt, from arguments, scripts or a pipe.
//!
//! | module | does |
//! |---|---|
//! | `session` | statements and commands, one after the other |
//! | `dot` | the dot-commands |
//! | `work` | runs a statement in a thread of its own, which Ctrl-C leaves |
//! | `target` | where results go: stdout, files, commands, the pager |
//! | `settings`, `clock`, `progress` | how results look, what took how long, how far it is |
//! | `prompt` | the line editor: keys, history, hints, colours |
//! | `complete` | what may stand where the cursor is |
//! | `names` | names for completion, read in the background |

mod clock;
mod complete;
mod dot;
mod names;
mod progress;
mod prompt;
mod session;
mod settings;
mod target;
mod work;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spanfile_query::render::Format;
use spanfile_query::{Result, alike};

use crate::cli::{self, QueryArgs};
use crate::commands::{engine_options, exit, output, output_error, parquet_path, runtime};
use session::{Next, Opened, Session};
use settings::Settings;
use target::Target;
use work::Interrupts;

/// Runs the statements that the arguments, a script or stdin give; at a terminal without any, opens the shell.
pub(crate) fn run(args: QueryArgs) -> Result<u8> {
    let Some(file) = &args.file else {
        say!("spanfile: no file; try: spanfile FILE \"SELECT count(*) FROM spans\", or --help");
        return Ok(exit::USAGE);
    };
    let verbs = cli::verbs();
    if let (false, true, [meant, ..]) =
        (Path::new(file).exists(), !file.contains(['.', '/', '*']), &alike(file, verbs.into_iter())[..])
    {
        say!("spanfile: {file} is no file; did you mean the verb {meant}?");
        return Ok(exit::USAGE);
    }
    if let Some(other) = args.sql.iter().find(|s| Path::new(s).is_file()) {
        say!("spanfile: {other} is a file, not SQL; to open several files as one, quote the pattern: 'folder/*.spans'");
        return Ok(exit::USAGE);
    }
    let attached = match attachments(&args.attach) {
        Ok(a) => a,
        Err(message) => {
            say!("spanfile: {message}");
            return Ok(exit::USAGE);
        }
    };
    let texts: Vec<&String> = args.sql.iter().chain(&args.commands).collect();
    let from_stdin = texts.is_empty() && args.script.is_none();
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let interactive = from_stdin && terminal && !args.batch;
    let runtime = runtime(args.limits.threads)?;
    let interrupts = Interrupts::watch(&runtime, interactive);
    let options = engine_options(&args.limits)?;
    let opened = Opened { main: file.clone(), attached };
    let engine = Arc::new(session::open(&opened, &options)?);
    let (mut format, shown) = output(&args.output);
    if interactive && format == Format::Table && !args.output.table {
        format = Format::Box;
    }
    let writes_file = parquet_path(&format).is_some();
    let mut settings = Settings::new(format, &shown, args.bail, interactive);
    settings.echo = args.echo;
    let mut session = Session {
        engine,
        options,
        opened,
        runtime,
        interrupts,
        settings,
        interactive,
        readonly: args.readonly,
        out: Target::stdout(),
        once: None,
        once_format: None,
        parquet_written: false,
        wrote_to_stdout: true,
        last_sql: None,
        history: Vec::new(),
        code: exit::FINE,
        depth: 0,
    };
    if let (true, Some(path)) = (writes_file, &args.output.parquet)
        && session.refuse_to_write(path).is_err()
    {
        say!("spanfile: -parquet {}: the file is being read", path.display());
        return Ok(exit::USAGE);
    }
    let done = all(&mut session, &args, &texts, from_stdin);
    let code = session.code;
    let closed = std::mem::replace(&mut session.out, Target::stdout()).close().map_err(output_error);
    // Threads that still compute for a query that nobody waits for do not hold up the exit.
    session.runtime.shutdown_background();
    done?;
    closed.map(|()| code)
}

fn all(session: &mut Session, args: &QueryArgs, texts: &[&String], from_stdin: bool) -> Result<()> {
    if initialised(session, args)? == Next::Leave {
        return Ok(());
    }
    for text in texts {
        if session.text(text)? == Next::Leave {
            return Ok(());
        }
    }
    if let Some(path) = &args.script {
        let next = match path.as_os_str() == "-" {
            true => session.lines(std::io::stdin().lock(), Some("stdin"))?,
            false => dot::script(session, path)?,
        };
        if next == Next::Leave {
            return Ok(());
        }
    }
    match from_stdin {
        true if session.interactive => prompt::run(session),
        true => session.lines(std::io::stdin().lock(), Some("stdin")).map(drop),
        false => Ok(()),
    }
}

/// Runs the commands that a session begins with.
fn initialised(session: &mut Session, args: &QueryArgs) -> Result<Next> {
    if let Some(path) = &args.init {
        return dot::script(session, path);
    }
    // A script gives the same anywhere; only a person at a prompt has habits.
    let own = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".spanfilerc"));
    match own.filter(|path| session.interactive && !args.no_init && path.is_file()) {
        // An error in it is told, and does not keep anyone from the prompt.
        Some(path) => match dot::script(session, &path) {
            Ok(next) => Ok(next),
            Err(e) => {
                say!("spanfile: {e}");
                Ok(Next::Go)
            }
        },
        None => Ok(Next::Go),
    }
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
