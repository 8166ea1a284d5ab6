//! What one reader sees: the file as of one commit, however much is written meanwhile.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::file::metadata::ParquetMetaData;
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};

use super::chunks::{ChunkTable, FilePart};
use super::file::{File, guarded, redb_error};
use super::format::SegmentDesc;
use super::state::{SegmentCache, SegmentState, State};
use super::tables::{CHUNKS, TAIL};
use super::tail;
use crate::batch::SpanBatch;
use crate::error::{Error, Result};
use crate::limits::{FORMAT_VERSION, GATHER_ROWS};
use crate::model::TraceId;
use crate::segment::arrivals::{Arrivals, Settled};
use crate::segment::build::PartKind;
use crate::segment::directory::{Directory, TraceEntry};
use crate::segment::explode::{Events, Links};
use crate::segment::read::{self, ReadAt};
use crate::segment::{RowRange, Table, live_ranges};

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

/// A consistent view of a file. Cheap to clone; holding one keeps the pages it sees from being reused.
#[derive(Clone)]
pub struct Snapshot(Arc<Inner>);

struct Inner {
    file: Arc<File>,
    state: Arc<State>,
    chunks: Arc<ChunkTable>,
    tail: ReadOnlyTable<u64, &'static [u8]>,
    tail_memory_bytes: u64,
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
    batches: [Vec<RecordBatch>; 3],
    traces: u64,
    times: Option<(i64, i64, i64)>,
}

impl Tail {
    /// The rows of a table, in canonical order, with the table's stored schema.
    pub fn batches(&self, table: Table) -> &[RecordBatch] {
        &self.batches[table.index()]
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
    ) -> Result<Self> {
        let path = file.path().to_path_buf();
        let chunks =
            guarded(&path, "chunks", || txn.open_table(CHUNKS).map_err(|e| redb_error(&path, "chunks", e.into())))?;
        let tail = guarded(&path, "tail", || txn.open_table(TAIL).map_err(|e| redb_error(&path, "tail", e.into())))?;
        Ok(Snapshot(Arc::new(Inner {
            file,
            state,
            chunks: Arc::new(chunks),
            tail,
            tail_memory_bytes,
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

    /// The segments as the log has them, the tail left out of account.
    pub(super) fn sealed(&self) -> Vec<Segment> {
        self.0.state.segments.values().map(|s| self.segment(s)).collect()
    }

    fn segment(&self, s: &SegmentState) -> Segment {
        Segment { file: self.0.file.clone(), chunks: self.0.chunks.clone(), state: s.clone() }
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
    pub(super) supersedes: Vec<(u32, [Vec<RowRange>; 3])>,
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
            let mut rows: [Vec<RowRange>; 3] = Default::default();
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
        for chunk in self.arrivals.chunks(&self.settled.spans, |b| &b.spans) {
            tail.batches[0].push(self.arrivals.gather_spans(chunk, &Table::Spans.schema())?);
        }
        let mut events = Events::new(self.arrivals.batches());
        let mut links = Links::new(self.arrivals.batches());
        for t in &self.settled.traces {
            let spans = &self.settled.spans[t.spans.clone()];
            events.push_trace(spans, &self.settled.logs[t.logs.clone()])?;
            links.push_trace(spans)?;
            if events.rows() >= GATHER_ROWS {
                tail.batches[1].push(events.finish()?);
            }
            if links.rows() >= GATHER_ROWS {
                tail.batches[2].push(links.finish()?);
            }
            if let Some(last) = spans.last() {
                let last = self.arrivals.start_of(*last)?;
                let (a, b, c) = tail.times.unwrap_or((t.start, last, t.end));
                tail.times = Some((a.min(t.start), b.max(last), c.max(t.end)));
            }
        }
        if events.rows() > 0 {
            tail.batches[1].push(events.finish()?);
        }
        if links.rows() > 0 {
            tail.batches[2].push(links.finish()?);
        }
        Ok(tail)
    }
}

/// A sealed segment, as one snapshot sees it.
#[derive(Clone)]
pub struct Segment {
    file: Arc<File>,
    chunks: Arc<ChunkTable>,
    state: SegmentState,
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment").field("id", &self.id()).field("rows", &self.state.desc.rows).finish_non_exhaustive()
    }
}

impl Segment {
    /// Number of the segment, unique in its file.
    pub fn id(&self) -> u32 {
        self.state.desc.id
    }

    pub(super) fn desc(&self) -> &SegmentDesc {
        &self.state.desc
    }

    /// Rows of a table that the segment stores, superseded ones included.
    pub fn rows(&self, table: Table) -> u64 {
        self.state.desc.rows[table.index()]
    }

    /// Rows of a table that are live.
    pub fn live_rows(&self, table: Table) -> u64 {
        self.state.live(table)
    }

    /// Traces that the segment stores, superseded ones included.
    pub fn traces(&self) -> u64 {
        self.state.desc.traces
    }

    /// Traces that are live.
    pub fn live_traces(&self) -> Result<u64> {
        if self.state.dead.iter().all(|d| d.is_empty()) {
            return Ok(self.traces());
        }
        Ok(self.all_live_entries()?.len() as u64)
    }

    /// Bytes of all its parts.
    pub fn bytes(&self) -> u64 {
        self.state.desc.parts.iter().map(|p| p.len).sum()
    }

    /// When it was sealed, nanoseconds since the epoch.
    pub fn sealed_at_unix_nano(&self) -> i64 {
        self.state.sealed_at_unix_nano
    }

    /// First start, last start and last end of its spans, nanoseconds since the epoch; `None` without spans.
    pub fn time_range(&self) -> Option<(i64, i64, i64)> {
        self.state.desc.times
    }

    /// The part that holds a table's rows; `None` when there are none.
    pub fn part(&self, table: Table) -> Option<Part> {
        let reader = self.reader(PartKind::Rows(table))?;
        Some(Part { table, reader, segment: self.clone() })
    }

    pub(super) fn reader(&self, kind: PartKind) -> Option<Arc<dyn ReadAt>> {
        let desc = self.state.desc.parts.iter().find(|p| p.kind == kind.code())?;
        Some(Arc::new(FilePart::new(self.file.clone(), self.chunks.clone(), self.id(), kind, desc.len)))
    }

    fn cache(&self) -> &SegmentCache {
        &self.state.cache
    }

    pub(super) fn directory(&self) -> Result<(Arc<Directory>, Arc<dyn ReadAt>)> {
        let reader = self.reader(PartKind::Directory);
        let reader = reader.ok_or_else(|| {
            Error::corrupt(self.file.path(), format!("segment {}", self.id()), "has no trace directory")
        })?;
        let slot = &self.cache().directory;
        if let Some(d) = slot.get() {
            return Ok((d.clone(), reader));
        }
        let open = Arc::new(Directory::open(reader.as_ref(), self.traces())?);
        Ok((slot.get_or_init(|| open).clone(), reader))
    }

    fn metadata(&self, table: Table, reader: &Arc<dyn ReadAt>) -> Result<Arc<ParquetMetaData>> {
        let slot = &self.cache().metadata[table.index()];
        if let Some(m) = slot.get() {
            return Ok(m.clone());
        }
        let parsed =
            guarded(self.file.path(), &format!("segment {}, {}", self.id(), table.name()), || read::metadata(reader))?;
        let rows = parsed.file_metadata().num_rows();
        if rows != self.rows(table) as i64 {
            return Err(reader.damaged(&format!("{rows} rows, {} expected", self.rows(table))));
        }
        Ok(slot.get_or_init(|| parsed).clone())
    }

    /// Entries of those traces whose rows are live here. `traces` is sorted.
    pub(super) fn live_entries(&self, traces: &[TraceId]) -> Result<Vec<TraceEntry>> {
        let (directory, reader) = self.directory()?;
        let mut entries = directory.find_all(reader.as_ref(), traces)?;
        entries.retain(|e| self.is_live(e));
        Ok(entries)
    }

    /// Entries of all traces whose rows are live here, sorted by trace id.
    pub(super) fn all_live_entries(&self) -> Result<Vec<TraceEntry>> {
        let (directory, reader) = self.directory()?;
        let mut entries = directory.all(reader.as_ref())?;
        entries.retain(|e| self.is_live(e));
        Ok(entries)
    }

    /// Whether a trace's rows here are live: a trace is superseded whole or not at all.
    fn is_live(&self, e: &TraceEntry) -> bool {
        e.rows.iter().zip(&self.state.dead).all(|(r, dead)| {
            let r = r.range();
            r.is_empty() || dead.get(dead.partition_point(|d| d.end <= r.start)).is_none_or(|d| d.start > r.start)
        })
    }

    /// The rows of some traces of this segment, as they were on their way in.
    pub(super) fn read_traces(&self, entries: &[TraceEntry]) -> Result<SpanBatch> {
        let mut tables: [Vec<RecordBatch>; 3] = Default::default();
        for table in Table::ALL {
            let ranges = entry_ranges(entries, table);
            if ranges.is_empty() {
                continue;
            }
            let part = self.part(table).ok_or_else(|| {
                let place = format!("segment {}, {}", self.id(), table.name());
                Error::corrupt(self.file.path(), place, "the trace directory names rows, but there are none")
            })?;
            tables[table.index()] = part.read_rows(&ranges)?;
        }
        let [spans, events, links] = &tables;
        read::repack(spans, events, links, |reason| {
            Error::corrupt(self.file.path(), format!("segment {}", self.id()), reason)
        })
    }
}

fn entry_ranges(entries: &[TraceEntry], table: Table) -> Vec<Range<u64>> {
    crate::segment::join_ranges(entries.iter().map(|e| e.rows[table.index()].range()).collect())
}

/// A table's rows in one segment: a Parquet file inside the file.
#[derive(Clone)]
pub struct Part {
    table: Table,
    reader: Arc<dyn ReadAt>,
    segment: Segment,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.reader)
    }
}

#[expect(clippy::len_without_is_empty, reason = "a part without rows does not exist")]
impl Part {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.reader.len()
    }

    /// Bytes of a range, checksums verified; without copying inside one chunk.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.reader.read_at(range)
    }

    /// The Parquet footer with its page index; parsed once per segment.
    pub fn metadata(&self) -> Result<Arc<ParquetMetaData>> {
        self.segment.metadata(self.table, &self.reader)
    }

    /// Rows that newer segments or the tail supersede, and that must not be returned: sorted and disjoint.
    pub fn dead_rows(&self) -> &[Range<u64>] {
        &self.segment.state.dead[self.table.index()]
    }

    /// Rows that are live: sorted and disjoint.
    pub fn live_rows(&self) -> Vec<Range<u64>> {
        live_ranges(self.segment.rows(self.table), self.dead_rows())
    }

    /// Live rows of those traces: sorted and disjoint.
    pub fn locate(&self, traces: &[TraceId]) -> Result<Vec<Range<u64>>> {
        let wanted: HashSet<TraceId> = traces.iter().copied().collect();
        let mut wanted: Vec<TraceId> = wanted.into_iter().collect();
        wanted.sort_unstable();
        Ok(entry_ranges(&self.segment.live_entries(&wanted)?, self.table))
    }

    /// Reads rows, all columns of the table's stored schema.
    pub(super) fn read_rows(&self, ranges: &[Range<u64>]) -> Result<Vec<RecordBatch>> {
        self.rows(self.table.schema(), ranges)?.collect()
    }

    /// Reads rows, the columns of `schema`.
    pub(crate) fn rows(&self, schema: arrow::datatypes::SchemaRef, ranges: &[Range<u64>]) -> Result<read::Rows> {
        let metadata = self.metadata()?;
        guarded(self.segment.file.path(), &format!("{:?}", self.reader), || {
            read::rows(&self.reader, &metadata, schema, Some(ranges), GATHER_ROWS)
        })
    }
}
