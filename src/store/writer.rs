//! The writer: appends spans, commits them durably, seals traces that have gone quiet.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arrow::compute::concat_batches;

use super::seal::{Change, Drain};
use super::snapshot::assemble;
use super::tail;
use super::{Shared, Snapshots};
use crate::batch::SpanBatch;
use crate::error::{Error, Result};
use crate::model::TraceId;
use crate::schema;
use crate::segment::arrivals::{Arrivals, TraceSet};

/// What a commit made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// Number of the commit; a snapshot with this version or a later one sees its rows.
    pub version: u64,
    /// Span rows in it, before duplicates are dropped.
    pub spans: u64,
    /// Log records in it.
    pub logs: u64,
}

/// What the tail holds of a trace.
#[derive(Debug, Clone, Copy)]
struct TailTrace {
    spans: u64,
    last: Instant,
}

/// The one writer of a file. Dropping it loses what was not committed, and nothing else.
pub struct Writer {
    shared: Arc<Shared>,
    pending: Vec<SpanBatch>,
    import: Arrivals,
    tail: HashMap<TraceId, TailTrace>,
    poisoned: Option<String>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "writer of {}", self.shared.file.path().display())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.writer_open.store(false, Ordering::Release);
    }
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Result<Self> {
        let mut writer =
            Writer { shared, pending: Vec::new(), import: Arrivals::default(), tail: HashMap::new(), poisoned: None };
        writer.index_tail()?;
        Ok(writer)
    }

    /// Which traces the tail holds: the ids have to be read, once per writer.
    fn index_tail(&mut self) -> Result<()> {
        let snapshot = self.shared.snapshot()?;
        for &sequence in snapshot.state().tail.keys() {
            let batch = snapshot.tail_batch(sequence)?;
            self.note_tail(&batch)?;
        }
        Ok(())
    }

    fn note_tail(&mut self, batch: &SpanBatch) -> Result<()> {
        let mut rows = Arrivals::default();
        rows.push(batch.clone()).map_err(|e| self.engine(e))?;
        self.note_tail_rows(&rows);
        Ok(())
    }

    fn note_tail_rows(&mut self, rows: &Arrivals) {
        let last = Instant::now();
        for (trace, spans) in rows.spans_per_trace() {
            let t = self.tail.entry(trace).or_insert(TailTrace { spans: 0, last });
            t.spans += spans;
            t.last = last;
        }
    }

    /// Snapshots of what has been committed, for whoever hands over rows.
    pub(crate) fn snapshots(&self) -> Snapshots {
        Snapshots(self.shared.clone())
    }

    fn engine(&self, e: impl ToString) -> Error {
        Error::engine(self.shared.file.path(), "take rows", e)
    }

    pub(super) fn path(&self) -> &std::path::Path {
        self.shared.file.path()
    }

    /// One transaction of its own; after an error the writer refuses to go on.
    pub(super) fn transaction(&mut self, f: impl FnOnce(&mut Change<'_>) -> Result<()>) -> Result<()> {
        self.check()?;
        let result = self.change(f);
        self.poisoning(result)
    }

    fn check(&self) -> Result<()> {
        match &self.poisoned {
            Some(reason) => {
                Err(Error::Poisoned { path: self.shared.file.path().to_path_buf(), reason: reason.clone() })
            }
            None => Ok(()),
        }
    }

    /// Takes rows that the next [`Writer::commit`] makes durable, all of them or none.
    pub fn append(&mut self, batch: SpanBatch) -> Result<()> {
        self.check()?;
        batch.check().map_err(|e| self.engine(e))?;
        self.pending.push(batch);
        Ok(())
    }

    /// Makes everything that was appended or imported durable: when this returns, it survives kill -9 and power loss.
    /// After an error nothing of it counts as written, and the writer refuses to go on.
    pub fn commit(&mut self) -> Result<Commit> {
        self.check()?;
        let result = self.commit_rows();
        self.poisoning(result)
    }

    fn commit_rows(&mut self) -> Result<Commit> {
        let batches = std::mem::take(&mut self.pending);
        let spans = batches.iter().map(|b| b.spans.num_rows() as u64).sum::<u64>() + self.import.spans() as u64;
        let logs = batches.iter().map(|b| b.logs.num_rows() as u64).sum::<u64>();
        if spans + logs == 0 && self.import.is_empty() {
            return Ok(Commit { version: self.shared.state().head.commit, spans, logs });
        }
        let import = std::mem::take(&mut self.import);
        let joined = (!batches.is_empty()).then(|| join(&batches)).transpose().map_err(|e| self.engine(e))?;
        self.change(|change| {
            if !import.is_empty() {
                change.append_runs(&import)?;
            }
            match &joined {
                Some(batch) => change.append_tail(batch, tail::trace_range(batch), false).map(drop),
                None => Ok(()),
            }
        })?;
        self.note_tail_rows(&import);
        if let Some(batch) = &joined {
            self.note_tail(batch)?;
        }
        self.seal_quiet()?;
        Ok(Commit { version: self.shared.state().head.commit, spans, logs })
    }

    /// Takes rows of a bulk import. Finished traces are sealed as memory fills up, without a detour over the tail, so
    /// parts of an import may be visible before [`Writer::commit`] or [`Writer::seal_all`] makes all of it durable.
    pub fn import(&mut self, batch: SpanBatch) -> Result<()> {
        self.check()?;
        batch.check().map_err(|e| self.engine(e))?;
        self.import.push(batch).map_err(|e| self.engine(e))?;
        if self.import.bytes() < self.shared.options.import_buffer_bytes {
            return Ok(());
        }
        let result = self.checkpoint();
        self.poisoning(result)
    }

    /// Makes room: seals the traces that look finished, or writes everything to the tail as a sorted run when input
    /// comes in such an order that few traces finish.
    fn checkpoint(&mut self) -> Result<()> {
        let mut done = self.import.complete_traces().map_err(|e| self.engine(e))?;
        done.retain(|t| !self.tail.contains_key(t));
        let counts = self.import.spans_per_trace();
        let finished: u64 = counts.iter().filter(|(t, _)| done.contains(*t)).map(|(_, n)| n).sum();
        if finished * 2 < self.import.spans() as u64 {
            let rows = std::mem::take(&mut self.import);
            self.change(|change| change.append_runs(&rows))?;
            self.note_tail_rows(&rows);
            return Ok(());
        }
        self.seal_import(&done)?;
        self.import = self.import.select(|t| !done.contains(t)).map_err(|e| self.engine(e))?;
        Ok(())
    }

    fn seal_import(&mut self, traces: &TraceSet) -> Result<()> {
        let snapshot = self.shared.snapshot()?;
        let rows = assemble(&snapshot.sealed(), &self.import, |t| traces.contains(t));
        let rows = rows.map_err(|e| e.at(self.shared.file.path()))?;
        let segment_spans = self.shared.options.segment_spans;
        self.change(|change| change.seal(&rows, segment_spans))
    }

    /// Commits, and seals every trace whether it is quiet or not.
    pub fn seal_all(&mut self) -> Result<()> {
        self.check()?;
        let result = self.seal_everything();
        self.poisoning(result)
    }

    fn seal_everything(&mut self) -> Result<()> {
        // Nothing of it has to be written to the tail first: one transaction seals it all.
        let mut held = std::mem::take(&mut self.import);
        let batches = std::mem::take(&mut self.pending);
        if !batches.is_empty() {
            let joined = join(&batches).map_err(|e| self.engine(e))?;
            held.push(joined).map_err(|e| self.engine(e))?;
        }
        self.drain(&held, |_| true)
    }

    /// Seals quiet traces once the tail has grown over its bound, and all of it when hardly any are quiet.
    fn seal_quiet(&mut self) -> Result<()> {
        let (spans, bytes) = self.tail_size();
        let o = &self.shared.options;
        if spans < o.tail_seal_spans && bytes < o.tail_seal_bytes {
            return Ok(());
        }
        let quiet = Duration::from_millis(o.quiet_ms);
        let now = Instant::now();
        let chosen: HashSet<TraceId> =
            self.tail.iter().filter(|(_, t)| now.duration_since(t.last) >= quiet).map(|(id, _)| *id).collect();
        let held: u64 = chosen.iter().filter_map(|id| self.tail.get(id)).map(|t| t.spans).sum();
        let crowded = spans >= o.tail_seal_spans.saturating_mul(4) || bytes >= o.tail_seal_bytes.saturating_mul(4);
        if held * 2 >= spans {
            self.drain(&Arrivals::default(), |t| chosen.contains(t))
        } else if crowded {
            self.drain(&Arrivals::default(), |_| true)
        } else {
            Ok(())
        }
    }

    fn tail_size(&self) -> (u64, u64) {
        let state = self.shared.state();
        state.tail.values().fold((0, 0), |(s, b), h| (s + h.spans, b + h.raw_bytes[0] + h.raw_bytes[1]))
    }

    /// Seals the traces of the tail and of `held` for which `select` says yes.
    fn drain(&mut self, held: &Arrivals, select: impl Fn(&TraceId) -> bool) -> Result<()> {
        let snapshot = self.shared.snapshot()?;
        if snapshot.state().tail.is_empty() && held.is_empty() {
            return Ok(());
        }
        let counts: HashMap<TraceId, u64> = self.tail.iter().map(|(id, t)| (*id, t.spans)).collect();
        let drain = Drain {
            snapshot: &snapshot,
            held,
            traces: &counts,
            segment_spans: self.shared.options.segment_spans,
            memory_bytes: self.shared.options.import_buffer_bytes as u64,
        };
        self.change(|change| drain.run(change, &select))?;
        self.tail.retain(|t, _| !select(t));
        Ok(())
    }

    /// One transaction.
    fn change(&mut self, f: impl FnOnce(&mut Change<'_>) -> Result<()>) -> Result<()> {
        self.shared.change(f)
    }

    /// After an error nobody knows how far we came, neither in the file nor with the rows that were handed over: only
    /// opening the file again tells.
    fn poisoning<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(e) = &result {
            self.poisoned = Some(e.to_string());
        }
        result
    }
}

fn join(batches: &[SpanBatch]) -> Result<SpanBatch, arrow::error::ArrowError> {
    if let [one] = batches {
        return Ok(one.clone());
    }
    Ok(SpanBatch {
        spans: concat_batches(&schema::pipeline(), batches.iter().map(|b| &b.spans))?,
        logs: concat_batches(&schema::events(), batches.iter().map(|b| &b.logs))?,
    })
}
