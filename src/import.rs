//! From decoded spans to the file: the bridge between `ingest` and the store's writer.

mod copies;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::batch::{BatchBuilder, RejectReason, SpanBatch};
use crate::error::{Error, Result};
use crate::ingest::{BoxError, Refusal, Reject, Sink, claude_code};
use crate::model::{LogRecord, Resource, Scope, Span};
use crate::store::Writer;
use copies::{Copies, Verdict};

/// Rows per batch that travels to the writer, and bytes after which a batch travels with fewer.
const BATCH_ROWS: usize = 4096;
const BATCH_BYTES: usize = 16 << 20;
/// Batches on their way. More would only hold memory: the slower side sets the pace.
const BATCHES_IN_FLIGHT: usize = 2;

/// What happens to parts of an input that were not taken.
pub trait Rejects {
    /// Takes note of one.
    ///
    /// # Errors
    /// An error ends the import.
    fn reject(&mut self, reject: &Reject<'_>) -> Result<(), BoxError>;

    /// More bytes of the last one.
    ///
    /// # Errors
    /// An error ends the import.
    fn more(&mut self, bytes: &[u8]) -> Result<(), BoxError>;
}

/// Imports what [`crate::ingest::ingest`] decodes: rows are gathered on the caller's thread and sealed on another.
///
/// Parts of the import become visible and durable as it goes on; all of it is with [`Importer::finish`].
pub struct Importer<R> {
    builder: BatchBuilder,
    batches: SyncSender<SpanBatch>,
    worker: JoinHandle<(Writer, Result<()>)>,
    rejects: R,
    copies: Copies,
    /// Whether the spans that come are of sessions of Claude Code.
    of_sessions: bool,
}

impl<R> std::fmt::Debug for Importer<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Importer")
    }
}

impl<R: Rejects> Importer<R> {
    /// An import through this writer.
    pub fn new(writer: Writer, rejects: R) -> Self {
        let (batches, arriving) = sync_channel(BATCHES_IN_FLIGHT);
        let copies = Copies::new(writer.snapshots());
        let worker = std::thread::spawn(move || work(writer, &arriving));
        Importer { builder: BatchBuilder::new(), batches, worker, rejects, copies, of_sessions: false }
    }

    fn send(&mut self) -> std::result::Result<(), Stopped> {
        // The other side hangs up only after an error, which `finish` then returns.
        self.batches.send(self.builder.finish()).map_err(|_| Stopped)
    }

    fn send_when_full(&mut self) -> Result<(), Refusal> {
        let full = self.builder.spans() >= BATCH_ROWS
            || self.builder.logs() >= BATCH_ROWS
            || self.builder.bytes() >= BATCH_BYTES;
        if full { self.send().map_err(|e| Refusal::Stop(Box::new(e))) } else { Ok(()) }
    }

    /// Adds a record; one that the batch has no room for goes into the next.
    fn push(&mut self, add: impl Fn(&mut BatchBuilder) -> Result<(), RejectReason>) -> Result<(), Refusal> {
        let mut added = add(&mut self.builder);
        if matches!(added, Err(RejectReason::BatchFull)) {
            self.send().map_err(|e| Refusal::Stop(Box::new(e)))?;
            added = add(&mut self.builder);
        }
        added.map_err(|reason| Refusal::Record(reason.to_string()))?;
        self.send_when_full()
    }

    /// Seals everything and returns the writer: when this returns without an error, all of it is durable.
    ///
    /// # Errors
    /// What went wrong in the writer, now or earlier.
    pub fn finish(mut self) -> Result<(Writer, R)> {
        let sent = if self.builder.spans() + self.builder.logs() > 0 { self.send() } else { Ok(()) };
        drop(self.batches);
        let Ok((mut writer, worked)) = self.worker.join() else {
            return Err(Error::Rows("the thread that writes panicked".to_string()));
        };
        worked?;
        sent.map_err(|e| Error::Rows(e.to_string()))?;
        writer.seal_all()?;
        Ok((writer, self.rejects))
    }
}

/// The writer's thread has ended; why is known when it is joined.
#[derive(Debug, thiserror::Error)]
#[error("writing failed")]
struct Stopped;

fn work(mut writer: Writer, arriving: &Receiver<SpanBatch>) -> (Writer, Result<()>) {
    let result = arriving.iter().try_for_each(|batch| writer.import(batch));
    (writer, result)
}

impl<R: Rejects> Sink for Importer<R> {
    fn begin_resource(&mut self, resource: &Resource<'_>) {
        self.builder.begin_resource(resource);
    }

    fn begin_scope(&mut self, scope: &Scope<'_>) {
        self.builder.begin_scope(scope);
        self.of_sessions = scope.name == claude_code::SCOPE;
    }

    fn span(&mut self, span: &Span<'_>) -> Result<(), Refusal> {
        if self.of_sessions {
            match self.copies.judge(span).map_err(|e| Refusal::Stop(Box::new(e)))? {
                Verdict::Older => return Ok(()),
                Verdict::Taken => {}
                Verdict::Marked(mark) => self.push(|b| b.push_own_log(&mark))?,
            }
        }
        self.push(|b| b.push_span(span))
    }

    fn log(&mut self, log: &LogRecord<'_>) -> Result<(), Refusal> {
        self.push(|b| b.push_log(log))
    }

    fn reject(&mut self, reject: &Reject<'_>) -> Result<(), BoxError> {
        self.rejects.reject(reject)
    }

    fn reject_more(&mut self, bytes: &[u8]) -> Result<(), BoxError> {
        self.rejects.more(bytes)
    }
}
