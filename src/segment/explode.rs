//! Packed events and links, moved to tables of their own.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, FixedSizeBinaryBuilder, Int64Builder, RecordBatch, StringBuilder, TimestampNanosecondBuilder,
    new_null_array,
};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::Table;
use super::arrivals::Place;
use crate::batch::{PackedEvent, PackedLink, SpanBatch, unpack_events, unpack_links};
use crate::cells::Bytes;
use crate::schema;

/// Event rows of some traces: those of spans from the packed column, log records from their own rows.
pub(crate) struct Events<'a> {
    batches: &'a [SpanBatch],
    packed: Vec<Bytes<'a>>,
    own: EventBuilder,
    order: Vec<(usize, usize)>,
}

impl<'a> Events<'a> {
    pub(crate) fn new(batches: &'a [SpanBatch]) -> Self {
        let packed = batches.iter().map(|b| Bytes::of(&b.spans, schema::PACKED_EVENTS)).collect();
        Events { batches, packed, own: EventBuilder::default(), order: Vec::new() }
    }

    /// Adds the events of one trace; says how many there are.
    pub(crate) fn push_trace(&mut self, spans: &[Place], logs: &[Place]) -> Result<usize, ArrowError> {
        let before = self.order.len();
        for &(batch, row) in spans {
            let Some(bytes) = self.packed[batch as usize].at(row as usize) else { continue };
            let spans = &self.batches[batch as usize].spans;
            let (trace, span) = (spans.column(0).as_fixed_size_binary(), spans.column(1).as_fixed_size_binary());
            let events = unpack_events(bytes).map_err(|e| ArrowError::ParseError(e.to_string()))?;
            for (index, event) in events.iter().enumerate() {
                self.order.push((0, self.own.rows));
                self.own.push(trace.value(row as usize), span.value(row as usize), index, event)?;
            }
        }
        self.order.extend(logs.iter().map(|&(batch, row)| (batch as usize + 1, row as usize)));
        Ok(self.order.len() - before)
    }

    /// Rows waiting.
    pub(crate) fn rows(&self) -> usize {
        self.order.len()
    }

    /// The rows so far as a batch; starts anew.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let own = self.own.finish()?;
        let mut sources = vec![&own];
        sources.extend(self.batches.iter().map(|b| &b.logs));
        let order = std::mem::take(&mut self.order);
        if order.is_empty() {
            Ok(RecordBatch::new_empty(schema::events()))
        } else {
            interleave_record_batch(&sources, &order)
        }
    }
}

/// Link rows of some traces.
pub(crate) struct Links<'a> {
    batches: &'a [SpanBatch],
    packed: Vec<Bytes<'a>>,
    own: LinkBuilder,
}

impl<'a> Links<'a> {
    pub(crate) fn new(batches: &'a [SpanBatch]) -> Self {
        let packed = batches.iter().map(|b| Bytes::of(&b.spans, schema::PACKED_LINKS)).collect();
        Links { batches, packed, own: LinkBuilder::default() }
    }

    /// Adds the links of one trace; says how many there are.
    pub(crate) fn push_trace(&mut self, spans: &[Place]) -> Result<usize, ArrowError> {
        let before = self.own.rows;
        for &(batch, row) in spans {
            let Some(bytes) = self.packed[batch as usize].at(row as usize) else { continue };
            let spans = &self.batches[batch as usize].spans;
            let (trace, span) = (spans.column(0).as_fixed_size_binary(), spans.column(1).as_fixed_size_binary());
            let links = unpack_links(bytes).map_err(|e| ArrowError::ParseError(e.to_string()))?;
            for (index, link) in links.iter().enumerate() {
                self.own.push(trace.value(row as usize), span.value(row as usize), index, link)?;
            }
        }
        Ok(self.own.rows - before)
    }

    /// Rows waiting.
    pub(crate) fn rows(&self) -> usize {
        self.own.rows
    }

    /// The rows so far as a batch; starts anew.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.own.finish()
    }
}

struct EventBuilder {
    trace: FixedSizeBinaryBuilder,
    span: FixedSizeBinaryBuilder,
    index: Int64Builder,
    time: TimestampNanosecondBuilder,
    name: StringBuilder,
    source: StringBuilder,
    attributes: StringBuilder,
    rows: usize,
}

impl Default for EventBuilder {
    fn default() -> Self {
        EventBuilder {
            trace: FixedSizeBinaryBuilder::new(schema::TRACE_ID_BYTES as i32),
            span: FixedSizeBinaryBuilder::new(schema::SPAN_ID_BYTES as i32),
            index: Int64Builder::new(),
            time: TimestampNanosecondBuilder::new().with_timezone("UTC"),
            name: StringBuilder::new(),
            source: StringBuilder::new(),
            attributes: StringBuilder::new(),
            rows: 0,
        }
    }
}

impl EventBuilder {
    fn push(&mut self, trace: &[u8], span: &[u8], index: usize, e: &PackedEvent) -> Result<(), ArrowError> {
        self.trace.append_value(trace)?;
        self.span.append_value(span)?;
        self.index.append_value(index as i64);
        self.time.append_option(e.time);
        self.name.append_option(e.name.as_deref());
        self.source.append_value("span");
        self.attributes.append_option(e.attributes.as_deref());
        self.rows += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = std::mem::take(&mut self.rows);
        assemble(
            Table::Events.schema(),
            rows,
            vec![
                ("trace_id", Arc::new(self.trace.finish())),
                ("span_id", Arc::new(self.span.finish())),
                ("event_index", Arc::new(self.index.finish())),
                ("time", Arc::new(self.time.finish())),
                ("name", Arc::new(self.name.finish())),
                ("source", Arc::new(self.source.finish())),
                ("attributes", Arc::new(self.attributes.finish())),
            ],
        )
    }
}

struct LinkBuilder {
    trace: FixedSizeBinaryBuilder,
    span: FixedSizeBinaryBuilder,
    index: Int64Builder,
    linked_trace: FixedSizeBinaryBuilder,
    linked_span: FixedSizeBinaryBuilder,
    trace_state: StringBuilder,
    attributes: StringBuilder,
    rows: usize,
}

impl Default for LinkBuilder {
    fn default() -> Self {
        LinkBuilder {
            trace: FixedSizeBinaryBuilder::new(schema::TRACE_ID_BYTES as i32),
            span: FixedSizeBinaryBuilder::new(schema::SPAN_ID_BYTES as i32),
            index: Int64Builder::new(),
            linked_trace: FixedSizeBinaryBuilder::new(schema::TRACE_ID_BYTES as i32),
            linked_span: FixedSizeBinaryBuilder::new(schema::SPAN_ID_BYTES as i32),
            trace_state: StringBuilder::new(),
            attributes: StringBuilder::new(),
            rows: 0,
        }
    }
}

impl LinkBuilder {
    fn push(&mut self, trace: &[u8], span: &[u8], index: usize, l: &PackedLink) -> Result<(), ArrowError> {
        self.trace.append_value(trace)?;
        self.span.append_value(span)?;
        self.index.append_value(index as i64);
        self.linked_trace.append_value(l.linked_trace_id.0)?;
        self.linked_span.append_value(l.linked_span_id.0)?;
        self.trace_state.append_option(l.trace_state.as_deref());
        self.attributes.append_option(l.attributes.as_deref());
        self.rows += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = std::mem::take(&mut self.rows);
        assemble(
            Table::Links.schema(),
            rows,
            vec![
                ("trace_id", Arc::new(self.trace.finish())),
                ("span_id", Arc::new(self.span.finish())),
                ("link_index", Arc::new(self.index.finish())),
                ("linked_trace_id", Arc::new(self.linked_trace.finish())),
                ("linked_span_id", Arc::new(self.linked_span.finish())),
                ("trace_state", Arc::new(self.trace_state.finish())),
                ("attributes", Arc::new(self.attributes.finish())),
            ],
        )
    }
}

fn assemble(schema: SchemaRef, rows: usize, built: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, ArrowError> {
    let columns = schema
        .fields()
        .iter()
        .map(|f| match built.iter().find(|(name, _)| name == f.name()) {
            Some((_, c)) => c.clone(),
            None => new_null_array(f.data_type(), rows),
        })
        .collect();
    RecordBatch::try_new(schema, columns)
}
