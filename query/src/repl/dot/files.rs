//! What is open, where results go, and scripts: `.open`, `.output`, `.read` and the like.

use std::io::{BufReader, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use spanfile_query::render::Format;
use spanfile_query::{QueryError, Result, expand};

use super::words::{at_home, one, path, split};
use super::{expected, write, wrong};
use crate::commands::{output_error, parquet_path};
use crate::repl::session::{Next, Opened, Session, open as open_files};
use crate::repl::target::{self, Target};

/// Scripts may read scripts this deep.
const DEPTH: usize = 16;

fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> QueryError {
    let path = path.as_ref().to_owned();
    move |source| QueryError::Io { path, source }
}

pub(super) fn once(session: &mut Session, to: &str) -> Result<Next> {
    let to = target_of(to)?;
    if !to.starts_with('|') {
        session.refuse_to_write(Path::new(&to))?;
        session.once_format = format_of(Path::new(&to));
        if parquet_path_of(session).is_some() {
            return Ok(Next::Go);
        }
    }
    session.once = Some(Target::open(&to).map_err(io(&to))?);
    Ok(Next::Go)
}

/// The format that the end of a file's name asks for.
fn format_of(path: &Path) -> Option<Format> {
    let end = path.extension()?.to_str()?.to_lowercase();
    Some(match &*end {
        "parquet" => Format::Parquet(path.to_path_buf()),
        "csv" => Format::Csv,
        "tsv" => Format::Tabs,
        "json" => Format::Json,
        "jsonl" | "ndjson" => Format::Jsonl,
        "md" => Format::Markdown,
        _ => return None,
    })
}

fn parquet_path_of(session: &Session) -> Option<&std::path::PathBuf> {
    session.once_format.as_ref().and_then(parquet_path)
}

/// A path, or a command after `|` as it stands.
fn target_of(to: &str) -> Result<String> {
    if to.starts_with('|') { Ok(to.to_owned()) } else { path(to) }
}

pub(super) fn output(session: &mut Session, to: &str) -> Result<Next> {
    let new = match to {
        "" | "stdout" => Target::stdout(),
        _ => {
            let to = target_of(to)?;
            if !to.starts_with('|') {
                session.refuse_to_write(Path::new(&to))?;
                if matches!(format_of(Path::new(&to)), Some(Format::Parquet(_))) {
                    return Err(wrong("a Parquet file holds one result: .once writes it"));
                }
            }
            Target::open(&to).map_err(io(&to))?
        }
    };
    let old = std::mem::replace(&mut session.out, new);
    let name = old.name();
    old.close().map_err(io(name))?;
    Ok(Next::Go)
}

pub(super) fn read(session: &mut Session, file: &str) -> Result<Next> {
    let path = path(file)?;
    script(session, Path::new(&path))
}

/// Runs the statements and commands of a file.
pub(in crate::repl) fn script(session: &mut Session, path: &Path) -> Result<Next> {
    if session.depth >= DEPTH {
        return Err(wrong(format!("{}: scripts read each other more than {DEPTH} deep", path.display())));
    }
    let text = std::fs::read_to_string(path).map_err(io(path))?;
    session.depth += 1;
    let text = text.trim_start_matches('\u{feff}');
    let next = session.lines(BufReader::new(text.as_bytes()), Some(&path.display().to_string()));
    session.depth -= 1;
    next
}

pub(super) fn open(session: &mut Session, rest: &str) -> Result<Next> {
    let words = split(rest)?;
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [file] => {
            let opened = Opened { main: at_home(file), attached: session.opened.attached.clone() };
            // What is open stays open until the other one is.
            session.engine = Arc::new(open_files(&opened, &session.options)?);
            session.opened = opened;
        }
        [file, word, alias] if word.eq_ignore_ascii_case("as") => {
            let file = at_home(file);
            session.engine.attach(&expand(&file)?, alias)?;
            session.opened.attached.push((file, alias.to_owned()));
        }
        _ => return Err(expected()),
    }
    Ok(Next::Go)
}

pub(super) fn close(session: &mut Session, name: &str) -> Result<Next> {
    let name = one(name)?;
    if !session.engine.detach(&name) {
        let names: Vec<&str> = session.opened.attached.iter().map(|(_, alias)| alias.as_str()).collect();
        let names = if names.is_empty() { "no file was opened beside the first".to_owned() } else { names.join(", ") };
        return Err(wrong(format!("{name} cannot be closed; there is: {names}")));
    }
    session.opened.attached.retain(|(_, alias)| *alias != name);
    Ok(Next::Go)
}

pub(super) fn databases(session: &mut Session, _: &str) -> Result<Next> {
    let mut text = String::new();
    for (db, paths) in session.engine.attached() {
        for path in paths {
            text += &format!("{db}: {}\n", path.display());
        }
    }
    write(session, &text)
}

/// Ingests in a process of its own, which Ctrl-C stops as it does on the command line: what is in by then stays.
pub(super) fn import(session: &mut Session, inputs: &str) -> Result<Next> {
    let inputs = split(inputs)?;
    if inputs.is_empty() {
        return Err(expected());
    }
    let files = expand(&session.opened.main)?;
    let [file] = &files[..] else {
        return Err(wrong(format!("{} are several files; open the one to import into", session.opened.main)));
    };
    // A file that was removed would be made anew, and the session go on reading the old one.
    if !file.is_file() {
        return Err(wrong(format!("{} is not there any more", file.display())));
    }
    if session.readonly {
        return Err(wrong("the file was opened with -readonly"));
    }
    let program = std::env::current_exe().map_err(io("spanfile"))?;
    let mut command = Command::new(program);
    command.arg("ingest").arg(file).args(inputs.iter().map(|i| at_home(i)));
    if !session.interactive {
        command.arg("--quiet").stdin(std::process::Stdio::null());
    }
    wait(session, command, "ingest")
}

fn wait(session: &mut Session, mut command: Command, name: &str) -> Result<Next> {
    session.flush()?;
    let status = command.status().map_err(io(name))?;
    match status.code() {
        Some(0) => Ok(Next::Go),
        Some(code) => Err(wrong(format!("{name} ended with {code}"))),
        None => Err(wrong(format!("{name} was stopped"))),
    }
}

pub(super) fn history(session: &mut Session, which: &str) -> Result<Next> {
    const SHOWN: usize = 50;
    let (count, like) = match which.parse::<usize>() {
        Ok(n) => (n, String::new()),
        Err(_) if which.is_empty() => (SHOWN, String::new()),
        Err(_) => (usize::MAX, which.to_lowercase()),
    };
    let found: Vec<&String> = session.history.iter().filter(|h| h.to_lowercase().contains(&like)).collect();
    let text: String = found[found.len().saturating_sub(count)..].iter().map(|h| format!("{h}\n")).collect();
    write(session, &text)
}

pub(super) fn print(session: &mut Session, text: &str) -> Result<Next> {
    let inner = |q: char| text.strip_prefix(q).and_then(|t| t.strip_suffix(q));
    let text = inner('"').or_else(|| inner('\'')).unwrap_or(text);
    writeln!(session.out, "{text}").map_err(output_error)?;
    Ok(Next::Go)
}

pub(super) fn shell(session: &mut Session, command: &str) -> Result<Next> {
    if command.is_empty() {
        return Err(expected());
    }
    wait(session, target::shell(command), "the command")
}

pub(super) fn cd(session: &mut Session, dir: &str) -> Result<Next> {
    let dir = path(if dir.is_empty() { "~" } else { dir })?;
    // What is open stays what it is, wherever one goes.
    let attached = session.opened.attached.iter_mut().map(|(file, _)| file);
    for file in attached.chain([&mut session.opened.main]) {
        *file = std::path::absolute(&*file).map_err(io(&*file))?.display().to_string();
    }
    std::env::set_current_dir(&dir).map_err(io(&dir))?;
    Ok(Next::Go)
}

pub(super) fn version(session: &mut Session, _: &str) -> Result<Next> {
    let mut text = format!("spanfile {}\n", env!("CARGO_PKG_VERSION"));
    for (_, paths) in session.engine.attached() {
        for path in paths {
            let store = spanfile::Store::open_read_only(&path, spanfile::Options::default());
            let version = store.and_then(|s| s.snapshot()).map(|s| s.file_info().format_version);
            let version = version.map_err(|e| crate::commands::store_error(&path, e))?;
            text += &format!("{}: format {version}\n", path.display());
        }
    }
    write(session, &text)
}
