//! Sealed segments and their parts, as one snapshot sees them.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use parquet::file::metadata::ParquetMetaData;

use super::chunks::{ChunkTable, FilePart};
use super::file::{File, guarded};
use super::format::SegmentDesc;
use super::recent::RecentTraces;
use super::state::{SegmentCache, SegmentState};
use crate::batch::SpanBatch;
use crate::error::{Error, Result};
use crate::limits::GATHER_ROWS;
use crate::model::TraceId;
use crate::schema;
use crate::segment::arrivals::project;
use crate::segment::build::PartKind;
use crate::segment::directory::{Directory, TraceEntry};
use crate::segment::read::{self, ReadAt};
use crate::segment::{Table, live_ranges};

/// A sealed segment, as one snapshot sees it.
#[derive(Clone)]
pub struct Segment {
    pub(super) file: Arc<File>,
    pub(super) chunks: Arc<ChunkTable>,
    pub(super) recent: Arc<RecentTraces>,
    pub(super) state: SegmentState,
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
        for (table, rows) in Table::ARRIVING.into_iter().zip(&mut tables) {
            let ranges = entry_ranges(entries, table);
            if ranges.is_empty() {
                continue;
            }
            let part = self.part(table).ok_or_else(|| {
                let place = format!("segment {}, {}", self.id(), table.name());
                Error::corrupt(self.file.path(), place, "the trace directory names rows, but there are none")
            })?;
            let schema = if table == Table::Spans { schema::arriving() } else { table.schema() };
            *rows = part.rows(schema, &ranges)?.collect::<Result<_>>()?;
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
    /// The table whose rows it holds.
    pub fn table(&self) -> Table {
        self.table
    }

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

    /// Rows of single traces, whose ranges [`Part::locate`] named: the columns of `schema`, a selection of the table's
    /// schema. Recently read traces come from memory.
    ///
    /// # Errors
    /// What reading can bring; [`Error::Rows`] for a column that the table does not have.
    pub fn trace_rows(&self, ranges: &[Range<u64>], schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
        let full = self.table.schema();
        // Reading everything for the sake of the cache must not make a narrow query dear.
        let worth_keeping = schema.fields().len() * 2 > full.fields().len();
        let mut out = Vec::with_capacity(ranges.len());
        let own = |b: &RecordBatch| project(b, schema).map_err(|e| Error::Rows(e.to_string()));
        for range in ranges {
            let recent = &self.segment.recent;
            if let Some(batch) = recent.get(self.segment.id(), self.table, range) {
                out.push(own(&batch)?);
            } else if worth_keeping {
                let batches = self.read_rows(std::slice::from_ref(range))?;
                let batch = concat_batches(&full, &batches).map_err(|e| Error::Rows(e.to_string()))?;
                recent.put(self.segment.id(), self.table, range, &batch);
                out.push(own(&batch)?);
            } else {
                for batch in self.rows(schema.clone(), std::slice::from_ref(range))? {
                    out.push(batch?);
                }
            }
        }
        Ok(out)
    }

    /// Reads rows, all columns of the table's stored schema.
    pub(super) fn read_rows(&self, ranges: &[Range<u64>]) -> Result<Vec<RecordBatch>> {
        self.rows(self.table.schema(), ranges)?.collect()
    }

    /// Reads rows, the columns of `schema`.
    pub(crate) fn rows(&self, schema: SchemaRef, ranges: &[Range<u64>]) -> Result<read::Rows> {
        let metadata = self.metadata()?;
        guarded(self.segment.file.path(), &format!("{:?}", self.reader), || {
            read::rows(self.table, &self.reader, &metadata, schema, Some(ranges), GATHER_ROWS)
        })
    }
}
