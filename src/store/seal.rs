//! Sealing: rows of whole traces become segments, in one transaction with the log entry that says so.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use redb::WriteTransaction;

use super::chunks;
use super::file::{File, redb_error};
use super::format::{self, Head, LogBody, LogEntry, SegmentDesc};
use super::part::Segment;
use super::snapshot::{Assembled, Snapshot, assemble};
use super::tables::{CHUNKS, LOG, META, TAIL, meta};
use super::tail;
use crate::batch::SpanBatch;
use crate::error::{Error, Result};
use crate::model::TraceId;
use crate::segment::arrivals::Arrivals;
use crate::segment::build::{Built, SegmentBuilder};
use crate::segment::encode::INGEST_LEVEL;

/// Changes to a file inside one write transaction; the head is written last.
pub(super) struct Change<'t> {
    pub(super) file: &'t File,
    pub(super) txn: &'t WriteTransaction,
    pub(super) head: Head,
}

impl<'t> Change<'t> {
    pub(super) fn new(file: &'t File, txn: &'t WriteTransaction, head: &Head) -> Self {
        Change { file, txn, head: head.clone() }
    }

    fn error(&self, place: &str, e: impl Into<redb::Error>) -> Error {
        redb_error(self.file.path(), place, e.into())
    }

    /// Appends to the log.
    pub(super) fn log(&mut self, body: LogBody) -> Result<()> {
        let entry = LogEntry { sequence: self.head.log_len, time_unix_nano: super::now_unix_nano(), body };
        let (bytes, hash) = format::encode_log(self.file.path(), &entry, &self.head.log_hash)?;
        let mut table = self.txn.open_table(LOG).map_err(|e| self.error("log", e))?;
        table.insert(entry.sequence, bytes.as_slice()).map_err(|e| self.error("log", e))?;
        self.head.log_len += 1;
        self.head.log_hash = hash;
        Ok(())
    }

    /// Adds a batch to the tail; returns the bytes that it takes there.
    pub(super) fn append_tail(&mut self, batch: &SpanBatch, traces: (TraceId, TraceId), sorted: bool) -> Result<usize> {
        let sequence = self.head.tail_next;
        let bytes = tail::encode(self.file.path(), sequence, batch, traces, sorted)?;
        let mut table = self.txn.open_table(TAIL).map_err(|e| self.error("tail", e))?;
        table.insert(sequence, bytes.as_slice()).map_err(|e| self.error("tail", e))?;
        self.head.tail_next += 1;
        Ok(bytes.len())
    }

    /// Adds rows to the tail as runs sorted by trace.
    pub(super) fn append_runs(&mut self, rows: &Arrivals) -> Result<()> {
        let path = self.file.path();
        let mut runs = tail::Runs::new(rows);
        while let Some((batch, traces)) = runs.next().map_err(|e| Error::engine(path, "sort rows", e))? {
            runs.took(batch.spans.num_rows(), self.append_tail(&batch, traces, true)?);
        }
        Ok(())
    }

    /// Drops all tail batches before `next`.
    pub(super) fn drop_tail(&mut self, next: u64) -> Result<()> {
        let mut table = self.txn.open_table(TAIL).map_err(|e| self.error("tail", e))?;
        for sequence in self.head.tail_first..next {
            table.remove(sequence).map_err(|e| self.error("tail", e))?;
        }
        self.head.tail_first = next;
        Ok(())
    }

    /// Stores a built segment; returns its description.
    pub(super) fn store(&mut self, built: Built, level: i32) -> Result<SegmentDesc> {
        let id = self.head.next_segment;
        self.head.next_segment =
            id.checked_add(1).ok_or_else(|| Error::engine(self.file.path(), "number a segment", "no numbers left"))?;
        let mut table = self.txn.open_table(CHUNKS).map_err(|e| self.error("chunks", e))?;
        let mut parts = Vec::with_capacity(built.parts.len());
        for (kind, bytes) in built.parts {
            parts.push(chunks::write(self.file, &mut table, id, kind, &bytes)?);
        }
        Ok(SegmentDesc { id, rows: built.rows, traces: built.traces, times: built.times, level, parts })
    }

    /// Deletes a segment's chunks; the log keeps its description.
    pub(super) fn drop_segment(&mut self, desc: &SegmentDesc) -> Result<()> {
        let mut table = self.txn.open_table(CHUNKS).map_err(|e| self.error("chunks", e))?;
        for part in &desc.parts {
            for chunk in 0..part.chunks {
                table.remove((desc.id, part.kind, chunk)).map_err(|e| self.error("chunks", e))?;
            }
        }
        Ok(())
    }

    /// Seals assembled rows as segments of about `segment_spans` each.
    pub(super) fn seal(&mut self, rows: &Assembled, segment_spans: u64) -> Result<()> {
        self.head.duplicates += rows.settled.duplicates;
        self.head.replaced += rows.settled.replaced;
        let failed = |e: parquet::errors::ParquetError| Error::engine(self.file.path(), "build a segment", e);
        let used = rows.arrivals.used_columns();
        let traces = &rows.settled.traces;
        let mut supersedes: Vec<_> = rows
            .supersedes
            .iter()
            .map(|(segment, rows)| format::Superseded { segment: *segment, rows: rows.clone() })
            .collect();
        let mut first = 0;
        while first < traces.len() {
            let mut last = first;
            let mut spans = 0;
            // Whole traces up to the size, and no small rest: half a segment more is better than a tiny one.
            while last < traces.len()
                && (spans < segment_spans
                    || rows.settled.spans.len() as u64 - traces[last].spans.start as u64 <= segment_spans / 2)
            {
                spans += traces[last].spans.len() as u64;
                last += 1;
            }
            let mut builder = SegmentBuilder::new(|c| used[c], INGEST_LEVEL).map_err(failed)?;
            builder.push(&rows.arrivals, &rows.settled, first..last).map_err(failed)?;
            let built = builder.finish().map_err(failed)?;
            let segment = self.store(built, INGEST_LEVEL)?;
            self.log(LogBody::Seal { segment, supersedes: std::mem::take(&mut supersedes) })?;
            first = last;
        }
        Ok(())
    }

    /// Writes the head; the transaction may be committed then.
    pub(super) fn finish(mut self) -> Result<Head> {
        self.head.commit += 1;
        let bytes = format::encode_checked(self.file.path(), &self.head, 2)?;
        let mut table = self.txn.open_table(META).map_err(|e| self.error("meta", e))?;
        table.insert(meta::HEAD, bytes.as_slice()).map_err(|e| self.error("meta", e))?;
        Ok(self.head.clone())
    }
}

/// How the tail is emptied.
pub(super) struct Drain<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// Rows that arrived after those of the tail and were never written.
    pub(super) held: &'a Arrivals,
    /// Spans per trace in the tail.
    pub(super) traces: &'a HashMap<TraceId, u64>,
    /// Spans per segment.
    pub(super) segment_spans: u64,
    /// Rows merged at once, in bytes of Arrow data.
    pub(super) memory_bytes: u64,
}

impl Drain<'_> {
    /// Seals the traces for which `select` says yes and writes the others back as new batches. A tail that is larger
    /// than memory is merged one range of trace ids after the other; its runs are sorted by trace, so that few of them
    /// reach into several ranges.
    pub(super) fn run(&self, change: &mut Change<'_>, select: impl Fn(&TraceId) -> bool) -> Result<()> {
        let path = change.file.path().to_path_buf();
        let segments: Vec<Segment> = self.snapshot.sealed();
        let headers = &self.snapshot.state().tail;
        let next = self.snapshot.state().head.tail_next;
        let mut open: BTreeMap<u64, SpanBatch> = BTreeMap::new();
        let mut keep = Arrivals::default();
        let engine = |e| Error::engine(&path, "merge the tail", e);
        for range in self.ranges() {
            let mut rows = Arrivals::default();
            for (&sequence, header) in headers {
                let (first, last) = (TraceId(header.traces.0), TraceId(header.traces.1));
                if first > *range.end() || last < *range.start() {
                    continue;
                }
                let batch = match open.remove(&sequence) {
                    Some(batch) => batch,
                    None => self.snapshot.tail_batch(sequence)?,
                };
                if last > *range.end() {
                    open.insert(sequence, batch.clone());
                }
                rows.push(batch).map_err(engine)?;
            }
            self.held.batches().iter().try_for_each(|b| rows.push(b.clone())).map_err(engine)?;
            // Batches are not cut where a range ends: what lies outside it is passed over here.
            let assembled = assemble(&segments, &rows, |t| range.contains(t) && select(t)).map_err(|e| e.at(&path))?;
            change.seal(&assembled, self.segment_spans)?;
            drop(assembled);
            let rest = rows.select(|t| range.contains(t) && !select(t)).map_err(engine)?;
            rest.batches().iter().try_for_each(|b| keep.push(b.clone())).map_err(engine)?;
        }
        change.drop_tail(next)?;
        change.append_runs(&keep)
    }

    /// Ranges of trace ids that together cover all, each small enough to be merged in memory.
    fn ranges(&self) -> Vec<RangeInclusive<TraceId>> {
        let (low, high) = (TraceId([0; 16]), TraceId([0xff; 16]));
        let headers = self.snapshot.state().tail.values();
        let (bytes, spans) = headers.fold((0u64, 0u64), |(b, s), h| {
            (b.saturating_add(h.raw_bytes[0]).saturating_add(h.raw_bytes[1]), s + h.spans)
        });
        if bytes <= self.memory_bytes || spans == 0 {
            return vec![low..=high];
        }
        let per_range = (spans as u128 * u128::from(self.memory_bytes) / u128::from(bytes)).max(1) as u64;
        let mut ids: Vec<(&TraceId, &u64)> = self.traces.iter().collect();
        ids.sort_unstable();
        let mut out = Vec::new();
        let (mut start, mut held) = (low, 0);
        for (id, spans) in ids {
            if held > 0 && held + spans > per_range {
                // The next range starts with this trace: this one ends just before it.
                let end = TraceId((u128::from_be_bytes(id.0) - 1).to_be_bytes());
                out.push(start..=end);
                (start, held) = (*id, 0);
            }
            held += spans;
        }
        out.push(start..=high);
        out
    }
}
