//! What one reader sees: the file as of one commit, however much is written meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};

use super::chunks::ChunkTable;
use super::file::{File, guarded, redb_error};
use super::part::Segment;
use super::recent::RecentTraces;
use super::state::{SegmentState, State};
use super::tables::{CHUNKS, PRICES, TAIL};
use super::tail;
use crate::batch::SpanBatch;
use crate::error::{Error, Result};
use crate::limits::{FORMAT_VERSION, GATHER_ROWS};
use crate::model::TraceId;
use crate::schema;
use crate::segment::arrivals::{Arrivals, Settled};
use crate::segment::derived::{Derived, beside};
use crate::segment::directory::TraceEntry;
use crate::segment::explode::{Events, Links};
use crate::segment::read::complete;
use crate::segment::{RowRange, Table};

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Format version it was written in.
    pub format_version: u32,
    /// Random id, given when the file was created, in hex.
    pub file_id: String,
    /// Program that created it.
    pub creator: String,
    /// When it was created, nanoseconds since the epoch.
    pub created_at_unix_nano: i64,
}

/// What became of rows that came more than once, since the file was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Rows that were dropped because they were there already.
    pub duplicates: u64,
    /// Rows that took the place of others with the same ids.
    pub replaced: u64,
}

/// A consistent view of a file. Cheap to clone; holding one keeps the pages it sees from being reused.
#[derive(Clone)]
pub struct Snapshot(Arc<Inner>);

struct Inner {
    file: Arc<File>,
    state: Arc<State>,
    chunks: Arc<ChunkTable>,
    tail: ReadOnlyTable<u64, &'static [u8]>,
    prices: ReadOnlyTable<u64, &'static [u8]>,
    tail_memory_bytes: u64,
    recent: Arc<RecentTraces>,
    view: Mutex<Option<Arc<View>>>,
}

/// Segments with what the tail supersedes taken out, and the tail settled.
struct View {
    segments: Vec<Segment>,
    tail: Tail,
}

/// Rows that are not sealed yet, as one virtual segment.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    batches: [Vec<RecordBatch>; Table::COUNT],
    traces: u64,
    times: Option<(i64, i64, i64)>,
}

impl Tail {
    /// The rows of a table, in canonical order, with the table's stored schema.
    pub fn batches(&self, table: Table) -> &[RecordBatch] {
        &self.batches[table.index()]
    }

    fn push(&mut self, table: Table, rows: RecordBatch) {
        if rows.num_rows() > 0 {
            self.batches[table.index()].push(rows);
        }
    }

    /// How many rows a table has here.
    pub fn rows(&self, table: Table) -> u64 {
        self.batches(table).iter().map(|b| b.num_rows() as u64).sum()
    }

    /// How many traces lie here.
    pub fn traces(&self) -> u64 {
        self.traces
    }

    /// First start, last start and last end of spans, nanoseconds since the epoch; `None` without spans.
    pub fn time_range(&self) -> Option<(i64, i64, i64)> {
        self.times
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "commit {} of {}", self.version(), self.0.file.path().display())
    }
}

impl Snapshot {
    pub(super) fn new(
        file: Arc<File>,
        txn: &ReadTransaction,
        state: Arc<State>,
        tail_memory_bytes: u64,
        recent: Arc<RecentTraces>,
    ) -> Result<Self> {
        let path = file.path().to_path_buf();
        let chunks =
            guarded(&path, "chunks", || txn.open_table(CHUNKS).map_err(|e| redb_error(&path, "chunks", e.into())))?;
        let tail = guarded(&path, "tail", || txn.open_table(TAIL).map_err(|e| redb_error(&path, "tail", e.into())))?;
        let prices =
            guarded(&path, "prices", || txn.open_table(PRICES).map_err(|e| redb_error(&path, "prices", e.into())))?;
        Ok(Snapshot(Arc::new(Inner {
            file,
            state,
            chunks: Arc::new(chunks),
            tail,
            prices,
            tail_memory_bytes,
            recent,
            view: Mutex::default(),
        })))
    }

    /// What the file is.
    pub fn file_info(&self) -> FileInfo {
        let info = &self.0.state.info;
        FileInfo {
            format_version: FORMAT_VERSION,
            file_id: super::format::hex(&info.file_id),
            creator: info.creator.clone(),
            created_at_unix_nano: info.created_at_unix_nano,
        }
    }

    /// Number of the commit that this snapshot sees; grows with every commit.
    pub fn version(&self) -> u64 {
        self.0.state.head.commit
    }

    /// Rows that were dropped or replaced since the file was created.
    pub fn counters(&self) -> Counters {
        let head = &self.0.state.head;
        Counters { duplicates: head.duplicates, replaced: head.replaced }
    }

    /// The sealed segments, oldest first.
    pub fn segments(&self) -> Result<Vec<Segment>> {
        Ok(self.view()?.segments.clone())
    }

    /// The rows that are not sealed yet.
    pub fn tail(&self) -> Result<Tail> {
        Ok(self.view()?.tail.clone())
    }

    pub(super) fn state(&self) -> &Arc<State> {
        &self.0.state
    }

    pub(super) fn file(&self) -> &Arc<File> {
        &self.0.file
    }

    pub(super) fn chunks(&self) -> &Arc<ChunkTable> {
        &self.0.chunks
    }

    pub(super) fn prices_table(&self) -> &ReadOnlyTable<u64, &'static [u8]> {
        &self.0.prices
    }

    /// The segments as the log has them, the tail left out of account.
    pub(super) fn sealed(&self) -> Vec<Segment> {
        self.0.state.segments.values().map(|s| self.segment(s)).collect()
    }

    fn segment(&self, s: &SegmentState) -> Segment {
        Segment {
            file: self.0.file.clone(),
            chunks: self.0.chunks.clone(),
            recent: self.0.recent.clone(),
            state: s.clone(),
        }
    }

    fn view(&self) -> Result<Arc<View>> {
        // Building it twice would only waste work, so holding the lock meanwhile is right.
        let mut slot = self.0.view.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = &*slot {
            return Ok(view.clone());
        }
        let view = Arc::new(self.build_view()?);
        *slot = Some(view.clone());
        Ok(view)
    }

    fn build_view(&self) -> Result<View> {
        if self.0.state.tail.is_empty() {
            return Ok(View { segments: self.sealed(), tail: Tail::default() });
        }
        let path = self.0.file.path();
        let bytes: u64 = self.0.state.tail.values().map(|h| h.raw_bytes[0].saturating_add(h.raw_bytes[1])).sum();
        if bytes > self.0.tail_memory_bytes {
            return Err(Error::Limit {
                path: path.to_path_buf(),
                what: "size of the rows that are not sealed yet, in bytes",
                found: bytes,
                limit: self.0.tail_memory_bytes,
                hint: "; a bulk import was cut short: `spanfile compact` seals them",
            });
        }
        let mut arrivals = Arrivals::default();
        for &sequence in self.0.state.tail.keys() {
            arrivals.push(self.tail_batch(sequence)?).map_err(|e| Error::engine(path, "read the tail", e))?;
        }
        let assembled = assemble(&self.sealed(), &arrivals, |_| true).map_err(|e| e.at(path))?;
        let tail = assembled.as_tail().map_err(|e| Error::engine(path, "settle the tail", e))?;
        let segments =
            self.0.state.segments.values().map(|s| match assembled.supersedes.iter().find(|x| x.0 == s.desc.id) {
                Some((_, rows)) => self.segment(&s.with_dead(rows)),
                None => self.segment(s),
            });
        Ok(View { segments: segments.collect(), tail })
    }

    /// One committed batch of the tail.
    pub(super) fn tail_batch(&self, sequence: u64) -> Result<SpanBatch> {
        let path = self.0.file.path();
        let place = tail::place(sequence);
        guarded(path, &place, || {
            let value = self.0.tail.get(sequence).map_err(|e| redb_error(path, &place, e.into()))?;
            let value = value.ok_or_else(|| Error::corrupt(path, &place, "missing"))?;
            tail::decode(path, sequence, value.value())
        })
    }
}

/// Rows that arrived, settled together with the sealed rows of the same traces.
pub(super) struct Assembled {
    pub(super) arrivals: Arrivals,
    pub(super) settled: Settled,
    /// Per segment the rows that move here.
    pub(super) supersedes: Vec<(u32, [Vec<RowRange>; Table::COUNT])>,
}

/// An error without the file's name, or one with it.
pub(super) enum AssembleError {
    Store(Error),
    Rows(arrow::error::ArrowError),
}

impl AssembleError {
    pub(super) fn at(self, path: &std::path::Path) -> Error {
        match self {
            AssembleError::Store(e) => e,
            AssembleError::Rows(e) => Error::engine(path, "settle rows", e),
        }
    }
}

impl From<Error> for AssembleError {
    fn from(e: Error) -> Self {
        AssembleError::Store(e)
    }
}

impl From<arrow::error::ArrowError> for AssembleError {
    fn from(e: arrow::error::ArrowError) -> Self {
        AssembleError::Rows(e)
    }
}

/// Settles rows that arrived. Traces of which a segment holds spans are fetched whole, so that they stay in one
/// place; those that bring nothing new are left where they are.
/// Only traces for which `select` says yes take part.
pub(super) fn assemble(
    segments: &[Segment],
    rows: &Arrivals,
    select: impl Fn(&TraceId) -> bool,
) -> Result<Assembled, AssembleError> {
    let mut traces = rows.traces();
    traces.retain(&select);
    let mut arrivals = Arrivals::default();
    let mut found: Vec<(u32, Vec<TraceEntry>)> = Vec::new();
    for segment in segments {
        let entries = segment.live_entries(&traces)?;
        if !entries.is_empty() {
            arrivals.push_sealed(segment.read_traces(&entries)?)?;
            found.push((segment.id(), entries));
        }
    }
    rows.batches().iter().try_for_each(|b| arrivals.push(b.clone()))?;
    let settled = arrivals.settle(select)?;
    let supersedes = found
        .into_iter()
        .filter_map(|(id, entries)| {
            let mut rows: [Vec<RowRange>; Table::COUNT] = Default::default();
            for e in entries.iter().filter(|e| !settled.unchanged.contains(&e.trace)) {
                for (list, r) in rows.iter_mut().zip(e.rows) {
                    if r.rows > 0 {
                        list.push(r);
                    }
                }
            }
            rows.iter_mut().for_each(|list| list.sort_unstable_by_key(|r| r.first));
            rows.iter().any(|l| !l.is_empty()).then_some((id, rows))
        })
        .collect();
    Ok(Assembled { arrivals, settled, supersedes })
}

impl Assembled {
    fn as_tail(&self) -> Result<Tail, arrow::error::ArrowError> {
        let mut tail = Tail { traces: self.settled.traces.len() as u64, ..Tail::default() };
        let mut events = Events::new(self.arrivals.batches());
        let mut links = Links::new(self.arrivals.batches());
        let mut derived = Derived::new(self.arrivals.batches());
        for t in &self.settled.traces {
            let spans = &self.settled.spans[t.spans.clone()];
            let logs = &self.settled.logs[t.logs.clone()];
            derived.push_trace(t.id, spans, logs);
            events.push_trace(spans, logs)?;
            links.push_trace(spans)?;
            if events.rows() >= GATHER_ROWS {
                tail.push(Table::Events, events.finish()?);
            }
            if links.rows() >= GATHER_ROWS {
                tail.push(Table::Links, links.finish()?);
            }
            if let Some(last) = spans.last() {
                let last = self.arrivals.start_of(*last)?;
                let (a, b, c) = tail.times.unwrap_or((t.start, last, t.end));
                tail.times = Some((a.min(t.start), b.max(last), c.max(t.end)));
            }
        }
        tail.push(Table::Events, events.finish()?);
        tail.push(Table::Links, links.finish()?);
        for table in Derived::TABLES {
            tail.push(table, complete(table, &derived.finish(table), &table.schema())?);
        }
        let columns = derived.finish_spans();
        let mut at = 0;
        for chunk in self.arrivals.chunks(&self.settled.spans, |b| &b.spans) {
            let rows = self.arrivals.gather_spans(chunk, &schema::arriving())?;
            let rows = beside(&rows, &columns.slice(at, chunk.len()))?;
            tail.push(Table::Spans, complete(Table::Spans, &rows, &Table::Spans.schema())?);
            at += chunk.len();
        }
        Ok(tail)
    }
}
