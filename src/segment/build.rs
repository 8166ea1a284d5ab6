//! Settled rows as the parts of a segment.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::errors::ParquetError;

use super::arrivals::{Arrivals, Settled};
use super::derived::{Derived, beside};
use super::directory::{self, TraceEntry};
use super::encode::PartWriter;
use super::explode::{Events, Links};
use super::{RowRange, Table};
use crate::limits::GATHER_ROWS;
use crate::schema::{self, SOURCE_COLUMNS};

/// What a part of a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PartKind {
    Directory,
    Rows(Table),
}

impl PartKind {
    /// Number in keys and log entries.
    pub(crate) fn code(self) -> u32 {
        match self {
            PartKind::Directory => 0,
            PartKind::Rows(table) => table.index() as u32 + 1,
        }
    }

    pub(crate) fn from_code(code: u32) -> Option<Self> {
        [PartKind::Directory].into_iter().chain(Table::ALL.map(PartKind::Rows)).find(|k| k.code() == code)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            PartKind::Directory => "directory",
            PartKind::Rows(t) => t.name(),
        }
    }
}

/// A segment as bytes, with what its description says of it.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) parts: Vec<(PartKind, Vec<u8>)>,
    /// Rows per table.
    pub(crate) rows: [u64; Table::COUNT],
    pub(crate) traces: u64,
    /// First start, last start and last end of spans; `None` without spans.
    pub(crate) times: Option<(i64, i64, i64)>,
}

/// Builds segments from whole traces that come in canonical order, in one piece or in several.
pub(crate) struct SegmentBuilder {
    writers: [PartWriter; Table::COUNT],
    entries: Vec<TraceEntry>,
    times: Option<(i64, i64, i64)>,
    at: [u32; Table::COUNT],
}

impl SegmentBuilder {
    /// A builder whose spans part has, of the columns that arrive, those for which `used` says yes.
    pub(crate) fn new(used: impl Fn(usize) -> bool, level: i32) -> Result<Self, ParquetError> {
        let writers = Table::ALL.map(|table| {
            PartWriter::new(table, |column| table != Table::Spans || column >= SOURCE_COLUMNS || used(column), level)
        });
        let writers: Vec<PartWriter> = writers.into_iter().collect::<Result<_, _>>()?;
        let writers = writers.try_into().map_err(|_| ParquetError::General("one writer per table".to_string()))?;
        Ok(SegmentBuilder { writers, entries: Vec::new(), times: None, at: [0; Table::COUNT] })
    }

    /// Span rows so far.
    pub(crate) fn spans(&self) -> u64 {
        self.writers[Table::Spans.index()].rows()
    }

    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn write(&mut self, table: Table, rows: &RecordBatch) -> Result<(), ParquetError> {
        self.writers[table.index()].write(rows)
    }

    /// Adds some of the settled traces, which must follow those added before in canonical order.
    pub(crate) fn push(
        &mut self,
        arrivals: &Arrivals,
        settled: &Settled,
        traces: Range<usize>,
    ) -> Result<(), ParquetError> {
        let traces = &settled.traces[traces];
        let (Some(first), Some(last)) = (traces.first(), traces.last()) else { return Ok(()) };
        let mut events = Events::new(arrivals.batches());
        let mut links = Links::new(arrivals.batches());
        let mut derived = Derived::new(arrivals.batches());
        for t in traces {
            let places = &settled.spans[t.spans.clone()];
            let logs = &settled.logs[t.logs.clone()];
            let derived_rows = derived.push_trace(t.id, places, logs);
            let mut counts = [0; Table::COUNT];
            counts[Table::Spans.index()] = places.len();
            counts[Table::Events.index()] = events.push_trace(places, logs)?;
            counts[Table::Links.index()] = links.push_trace(places)?;
            for (table, rows) in Derived::TABLES.into_iter().zip(derived_rows) {
                counts[table.index()] = rows;
            }
            let mut rows = [RowRange::default(); Table::COUNT];
            for ((range, at), rows) in rows.iter_mut().zip(&mut self.at).zip(counts) {
                let rows = u32::try_from(rows).map_err(|_| too_many())?;
                *range = RowRange { first: *at, rows };
                *at = at.checked_add(rows).ok_or_else(too_many)?;
            }
            self.entries.push(TraceEntry { trace: t.id, rows, start: t.start, end: t.end });
            if !t.spans.is_empty() {
                let last_start = settled_last_start(arrivals, settled, t.spans.end)?;
                let (a, b, c) = self.times.unwrap_or((t.start, last_start, t.end));
                self.times = Some((a.min(t.start), b.max(last_start), c.max(t.end)));
            }
            if events.rows() >= GATHER_ROWS {
                self.write(Table::Events, &events.finish()?)?;
            }
            if links.rows() >= GATHER_ROWS {
                self.write(Table::Links, &links.finish()?)?;
            }
        }
        self.write(Table::Events, &events.finish()?)?;
        self.write(Table::Links, &links.finish()?)?;
        for table in Derived::TABLES {
            self.write(table, &derived.finish(table))?;
        }
        let columns = derived.finish_spans();
        let arriving = arriving_part(self.writers[Table::Spans.index()].schema());
        let mut at = 0;
        for chunk in arrivals.chunks(&settled.spans[first.spans.start..last.spans.end], |b| &b.spans) {
            let rows = arrivals.gather_spans(chunk, &arriving)?;
            self.write(Table::Spans, &beside(&rows, &columns.slice(at, chunk.len()))?)?;
            at += chunk.len();
        }
        Ok(())
    }

    /// The finished segment; parts without rows are left out.
    pub(crate) fn finish(self) -> Result<Built, ParquetError> {
        let rows = self.writers.each_ref().map(PartWriter::rows);
        let traces = self.entries.len() as u64;
        let mut parts = vec![(PartKind::Directory, directory::encode(self.entries)?)];
        for (table, writer) in Table::ALL.into_iter().zip(self.writers) {
            if writer.rows() > 0 {
                parts.push((PartKind::Rows(table), writer.finish()?));
            }
        }
        Ok(Built { parts, rows, traces, times: self.times })
    }
}

/// The columns that arrive, of those that are written.
fn arriving_part(written: &SchemaRef) -> SchemaRef {
    let arrives = |f: &&FieldRef| schema::find(schema::SPANS, f.name()).is_some_and(|(i, _)| i < SOURCE_COLUMNS);
    Arc::new(Schema::new(written.fields().iter().filter(arrives).cloned().collect::<Vec<_>>()))
}

fn settled_last_start(arrivals: &Arrivals, settled: &Settled, end: usize) -> Result<i64, ArrowError> {
    arrivals.start_of(settled.spans[end - 1])
}

fn too_many() -> ParquetError {
    ParquetError::General("a segment holds more than 4,294,967,295 rows".to_string())
}
