//! Where results go: stdout, a file, a command, or a pager when they are longer than the screen.

use std::fs::File;
use std::io::{BufWriter, Result, Stdout, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Where `.output` and `.once` send results.
#[derive(Debug)]
pub(super) enum Target {
    Stdout(BufWriter<Stdout>),
    File { path: PathBuf, writer: BufWriter<File> },
    Command { text: String, child: Child, stdin: Option<BufWriter<ChildStdin>> },
}

impl Target {
    pub(super) fn stdout() -> Self {
        Target::Stdout(BufWriter::with_capacity(64 * 1024, std::io::stdout()))
    }

    /// A file, or a command after `|`.
    pub(super) fn open(to: &str) -> Result<Self> {
        if let Some(text) = to.strip_prefix('|') {
            let mut child = shell(text.trim()).stdin(Stdio::piped()).spawn()?;
            let stdin = child.stdin.take().map(BufWriter::new);
            return Ok(Target::Command { text: text.trim().to_owned(), child, stdin });
        }
        let path = PathBuf::from(to);
        let writer = BufWriter::new(File::create(&path)?);
        Ok(Target::File { path, writer })
    }

    pub(super) fn is_stdout(&self) -> bool {
        matches!(self, Target::Stdout(_))
    }

    pub(super) fn name(&self) -> String {
        match self {
            Target::Stdout(_) => "stdout".to_owned(),
            Target::File { path, .. } => path.display().to_string(),
            Target::Command { text, .. } => format!("|{text}"),
        }
    }

    /// Writes what is left, and waits for a command to end.
    pub(super) fn close(mut self) -> Result<()> {
        self.flush()?;
        if let Target::Command { child, stdin, .. } = &mut self {
            drop(stdin.take());
            child.wait()?;
        }
        Ok(())
    }
}

impl Write for Target {
    fn write(&mut self, text: &[u8]) -> Result<usize> {
        match self {
            Target::Stdout(out) => out.write(text),
            Target::File { writer, .. } => writer.write(text),
            Target::Command { stdin: Some(stdin), .. } => stdin.write(text),
            Target::Command { .. } => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Target::Stdout(out) => out.flush(),
            Target::File { writer, .. } => writer.flush(),
            Target::Command { stdin, .. } => stdin.as_mut().map_or(Ok(()), Write::flush),
        }
    }
}

/// A command line for the user's shell.
pub(super) fn shell(text: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(text);
    command
}

/// Shows text that fits on the screen as it is, and longer text in a pager.
pub(super) struct Paged<'a> {
    command: &'a str,
    /// Lines that fit.
    room: usize,
    lines: usize,
    held: Vec<u8>,
    pager: Option<(Child, ChildStdin)>,
}

impl<'a> Paged<'a> {
    pub(super) fn new(command: &'a str, room: usize) -> Self {
        Paged { command, room, lines: 0, held: Vec::new(), pager: None }
    }

    /// Ends the text, and waits until the pager is left.
    pub(super) fn close(mut self) -> Result<()> {
        match self.pager.take() {
            Some((mut child, stdin)) => {
                drop(stdin);
                child.wait().map(|_| ())
            }
            None => write_out(&self.held),
        }
    }
}

fn write_out(text: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text)?;
    out.flush()
}

impl Write for Paged<'_> {
    fn write(&mut self, text: &[u8]) -> Result<usize> {
        if let Some((_, stdin)) = &mut self.pager {
            return stdin.write(text);
        }
        self.held.extend_from_slice(text);
        self.lines += memchr::memchr_iter(b'\n', text).count();
        if self.lines > self.room {
            let mut child = shell(self.command).stdin(Stdio::piped()).spawn()?;
            let Some(mut stdin) = child.stdin.take() else { return Err(std::io::ErrorKind::BrokenPipe.into()) };
            let written = stdin.write_all(&self.held);
            self.held = Vec::new();
            self.pager = Some((child, stdin));
            written?;
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.pager.as_mut().map_or(Ok(()), |(_, stdin)| stdin.flush())
    }
}

/// The pager that the user wants: `SPANFILE_PAGER`, `PAGER`, or less where it is installed.
pub(super) fn usual_pager() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|text| !text.trim().is_empty());
    let wanted = set("SPANFILE_PAGER").or_else(|| set("PAGER")).unwrap_or_else(|| "less -RFX".to_owned());
    is_there(&wanted).then_some(wanted)
}

/// Whether the program of a command line is installed.
pub(super) fn is_there(command: &str) -> bool {
    let Some(program) = command.split_whitespace().next() else { return false };
    let path = std::env::var_os("PATH").unwrap_or_default();
    program.contains('/') && std::path::Path::new(program).is_file()
        || std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}
