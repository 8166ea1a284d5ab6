//! Work in a thread of its own, so that whoever waits for it can stop waiting at once.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use datafusion::error::DataFusionError;
use spanfile_query::{QueryError, Result};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use crate::STACK_BYTES;
use crate::commands::{exit, output_error};

/// Text that waits to be written, in pieces.
const PIECE_BYTES: usize = 32 << 10;
const PIECES: usize = 8;
/// How soon a Ctrl-C is seen.
const TICK: Duration = Duration::from_millis(40);

/// What Ctrl-C does: it stops the work under way. Without a person at a prompt, a second one that finds the first
/// unanswered ends the process, and so does one while nothing is under way.
#[derive(Debug)]
pub(super) struct Interrupts {
    interactive: bool,
    working: AtomicBool,
    pressed: AtomicBool,
}

impl Interrupts {
    pub(super) fn watch(runtime: &Runtime, interactive: bool) -> Arc<Self> {
        let interrupts =
            Arc::new(Interrupts { interactive, working: AtomicBool::new(false), pressed: AtomicBool::new(false) });
        let watched = Arc::clone(&interrupts);
        runtime.spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                let again = watched.pressed.swap(true, SeqCst);
                if !watched.interactive && (again || !watched.working.load(SeqCst)) {
                    say!("spanfile: interrupted");
                    std::process::exit(i32::from(exit::INTERRUPTED));
                }
            }
        });
        interrupts
    }

    fn begin(&self) {
        self.pressed.store(false, SeqCst);
        self.working.store(true, SeqCst);
    }

    fn end(&self) {
        self.working.store(false, SeqCst);
    }

    fn pressed(&self) -> bool {
        self.pressed.load(SeqCst)
    }
}

/// What the work writes, on its way to the thread that waits.
#[derive(Debug)]
pub(super) struct Pipe {
    buffer: Vec<u8>,
    to: SyncSender<Vec<u8>>,
}

impl Write for Pipe {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.buffer.extend_from_slice(text);
        if self.buffer.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4));
        self.to.send(piece).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // Where nobody listens any more, nobody is to be told.
        let _ = self.flush();
    }
}

/// What happens while work is under way.
pub(super) trait Waiting {
    /// Some time has passed.
    fn tick(&mut self) {}
    /// The first text comes, or the work ends.
    fn over(&mut self) {}
}

/// Nothing happens.
pub(super) struct JustWait;

impl Waiting for JustWait {}

/// Runs work and writes what it writes to `out`, until it is done, fails, or Ctrl-C is pressed. Then its future is
/// dropped where it next yields, and the caller goes on without it; where it writes a file, it is waited for.
pub(super) fn run<T, F>(
    runtime: &Runtime,
    interrupts: &Interrupts,
    work: impl FnOnce(Pipe) -> F + Send + 'static,
    writes_file: bool,
    out: &mut dyn Write,
    waiting: &mut dyn Waiting,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
    T: Send + 'static,
{
    let (to, pieces) = sync_channel(PIECES);
    let stop = Arc::new(Notify::new());
    let (handle, stopped) = (runtime.handle().clone(), Arc::clone(&stop));
    let body = move || {
        let pipe = Pipe { buffer: Vec::new(), to };
        handle.block_on(async {
            tokio::select! {
                // A result that is ready wins over a Ctrl-C that came with it.
                biased;
                done = work(pipe) => done,
                () = stopped.notified() => Err(QueryError::Cancelled),
            }
        })
    };
    interrupts.begin();
    let thread = std::thread::Builder::new().name("statement".into()).stack_size(STACK_BYTES).spawn(body);
    let thread = thread.map_err(|source| QueryError::Io { path: "threads".into(), source });
    let done = thread.and_then(|thread| {
        let written = pump(&pieces, interrupts, out, waiting);
        if written.is_err() {
            stop.notify_one();
            // The work may be waiting for its text to be taken.
            drop(pieces);
            if !writes_file {
                return written.and(Err(QueryError::Cancelled));
            }
        }
        let done = thread.join().unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        written.and(done)
    });
    interrupts.end();
    done
}

/// Writes what comes until no more can come. An error is that of the output, or that Ctrl-C was pressed.
fn pump(
    pieces: &Receiver<Vec<u8>>,
    interrupts: &Interrupts,
    out: &mut dyn Write,
    waiting: &mut dyn Waiting,
) -> Result<()> {
    let mut first = true;
    let done = loop {
        let piece = pieces.recv_timeout(TICK);
        if interrupts.pressed() {
            break Err(QueryError::Cancelled);
        }
        match piece {
            Ok(text) => {
                if std::mem::replace(&mut first, false) {
                    waiting.over();
                }
                if let Err(e) = out.write_all(&text).and_then(|()| out.flush()) {
                    break Err(output_error(e));
                }
            }
            Err(RecvTimeoutError::Timeout) if first => waiting.tick(),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break Ok(()),
        }
    };
    if first {
        waiting.over();
    }
    done
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> QueryError {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    let message = format!("internal error: {}", text.unwrap_or("a thread panicked"));
    QueryError::Execution(Box::new(DataFusionError::Execution(message)))
}
