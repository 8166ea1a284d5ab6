//! Settled rows as the parts of a segment.

use std::ops::Range;

use arrow::error::ArrowError;
use parquet::errors::ParquetError;

use super::arrivals::{Arrivals, Settled};
use super::directory::{self, TraceEntry};
use super::encode::PartWriter;
use super::explode::{Events, Links};
use super::{RowRange, Table};
use crate::limits::GATHER_ROWS;

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
            PartKind::Rows(Table::Spans) => 1,
            PartKind::Rows(Table::Events) => 2,
            PartKind::Rows(Table::Links) => 3,
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
    pub(crate) rows: [u64; 3],
    pub(crate) traces: u64,
    /// First start, last start and last end of spans; `None` without spans.
    pub(crate) times: Option<(i64, i64, i64)>,
}

/// Builds segments from whole traces that come in canonical order, in one piece or in several.
pub(crate) struct SegmentBuilder {
    spans: PartWriter,
    events: PartWriter,
    links: PartWriter,
    entries: Vec<TraceEntry>,
    times: Option<(i64, i64, i64)>,
    at: [u32; 3],
}

impl SegmentBuilder {
    /// A builder whose spans part has the columns for which `used` says yes.
    pub(crate) fn new(used: impl Fn(usize) -> bool, level: i32) -> Result<Self, ParquetError> {
        Ok(SegmentBuilder {
            spans: PartWriter::new(Table::Spans, used, level)?,
            events: PartWriter::new(Table::Events, |_| true, level)?,
            links: PartWriter::new(Table::Links, |_| true, level)?,
            entries: Vec::new(),
            times: None,
            at: [0; 3],
        })
    }

    /// Span rows so far.
    pub(crate) fn spans(&self) -> u64 {
        self.spans.rows()
    }

    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
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
        for chunk in arrivals.chunks(&settled.spans[first.spans.start..last.spans.end], |b| &b.spans) {
            let rows = arrivals.gather_spans(chunk, self.spans.schema())?;
            self.spans.write(&rows)?;
        }
        let mut events = Events::new(arrivals.batches());
        let mut links = Links::new(arrivals.batches());
        for t in traces {
            let places = &settled.spans[t.spans.clone()];
            let counts = [
                count(places.len())?,
                count(events.push_trace(places, &settled.logs[t.logs.clone()])?)?,
                count(links.push_trace(places)?)?,
            ];
            let mut rows = [RowRange::default(); 3];
            for ((range, at), rows) in rows.iter_mut().zip(&mut self.at).zip(counts) {
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
                self.events.write(&events.finish()?)?;
            }
            if links.rows() >= GATHER_ROWS {
                self.links.write(&links.finish()?)?;
            }
        }
        self.events.write(&events.finish()?)?;
        self.links.write(&links.finish()?)
    }

    /// The finished segment; parts without rows are left out.
    pub(crate) fn finish(self) -> Result<Built, ParquetError> {
        let rows = [self.spans.rows(), self.events.rows(), self.links.rows()];
        let traces = self.entries.len() as u64;
        let mut parts = vec![(PartKind::Directory, directory::encode(self.entries))];
        for (table, writer) in Table::ALL.into_iter().zip([self.spans, self.events, self.links]) {
            if writer.rows() > 0 {
                parts.push((PartKind::Rows(table), writer.finish()?));
            }
        }
        Ok(Built { parts, rows, traces, times: self.times })
    }
}

fn settled_last_start(arrivals: &Arrivals, settled: &Settled, end: usize) -> Result<i64, ArrowError> {
    arrivals.start_of(settled.spans[end - 1])
}

fn count(rows: usize) -> Result<u32, ParquetError> {
    u32::try_from(rows).map_err(|_| too_many())
}

fn too_many() -> ParquetError {
    ParquetError::General("a segment holds more than 4,294,967,295 rows".to_string())
}
