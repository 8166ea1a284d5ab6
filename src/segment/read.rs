//! Reading rows back out of a segment's parts.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, RecordBatch, RecordBatchOptions};
use arrow::compute::kernels::arity::binary;
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimestampNanosecondType};
use arrow::error::ArrowError;
use bytes::{Buf, Bytes};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};

use super::Table;
use super::arrivals::{project, span_id, trace_id};
use crate::batch::{PackedEvent, PackedLink, SpanBatch, pack_events, pack_links};
use crate::caught::caught;
use crate::error::{Error, Result};
use crate::schema;

/// Bytes of one part, wherever they are kept.
pub(crate) trait ReadAt: std::fmt::Debug + Send + Sync {
    /// Length of the part.
    fn len(&self) -> u64;
    /// The bytes of a range, verified.
    fn read_at(&self, range: Range<u64>) -> Result<Bytes>;
    /// An error that says that this part is damaged.
    fn damaged(&self, reason: &str) -> Error;
}

/// A part as Parquet's reader wants to see it. Parquet and Arrow turn errors into text on their way up, so the one
/// that reading ended with is kept here.
#[derive(Clone)]
struct Source {
    part: Arc<dyn ReadAt>,
    failed: Arc<Mutex<Option<Error>>>,
}

impl Source {
    fn new(part: &Arc<dyn ReadAt>) -> Self {
        Source { part: part.clone(), failed: Arc::default() }
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes, ParquetError> {
        self.part.read_at(range).map_err(|e| {
            let said = ParquetError::General(e.to_string());
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
            said
        })
    }

    /// Runs a decoder over the part. Its error is ours where reading failed; anything else, a panic too, means that
    /// the part does not hold what it should.
    fn decode<T, E: std::fmt::Display>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<T> {
        let reason = match caught(f) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(e)) => e.to_string(),
            Err(said) => format!("does not decode: {said}"),
        };
        let own = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        Err(own.unwrap_or_else(|| self.part.damaged(&reason)))
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.part.len()
    }
}

impl ChunkReader for Source {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.read(start..self.part.len())?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.read(start..start.saturating_add(length as u64))
    }
}

/// Parses a part's Parquet footer with its page index.
pub(crate) fn metadata(part: &Arc<dyn ReadAt>) -> Result<Arc<ParquetMetaData>> {
    let source = Source::new(part);
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    source.decode(|| reader.parse_and_finish(&source)).map(Arc::new)
}

/// `schema` and what its computed columns are computed from.
fn with_operands(table: Table, schema: &SchemaRef) -> SchemaRef {
    let operands = |f: &Arc<Field>| schema::operands(table.columns(), f.name());
    let full = table.schema();
    if !schema.fields().iter().any(|f| operands(f).is_some()) {
        return schema.clone();
    }
    let mut fields: Vec<_> = schema.fields().iter().filter(|f| operands(f).is_none()).cloned().collect();
    for name in schema.fields().iter().filter_map(operands).flatten() {
        if let (false, Ok(f)) = (fields.iter().any(|f| f.name() == name), full.field_with_name(name)) {
            fields.push(Arc::new(f.clone()));
        }
    }
    Arc::new(Schema::new(fields))
}

/// The columns of `schema`; computed ones are computed where the batch lacks them.
pub(crate) fn complete(table: Table, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let mut computed = Vec::new();
    for (at, field) in schema.fields().iter().enumerate() {
        let names = schema::operands(table.columns(), field.name());
        let Some(names) = names.filter(|_| batch.column_by_name(field.name()).is_none()) else { continue };
        let numbers = names.iter().map(|n| batch.column_by_name(n).map(|c| cast(c, &DataType::Int64)).transpose());
        let numbers: Option<Vec<ArrayRef>> = numbers.collect::<Result<_, _>>()?;
        let Some((first, others)) = numbers.as_deref().and_then(<[_]>::split_first) else { continue };
        let mut left = first.as_primitive::<Int64Type>().clone();
        for other in others {
            left = binary(&left, other.as_primitive::<Int64Type>(), i64::wrapping_sub)?;
        }
        computed.push((at, left));
    }
    let batch = project(batch, schema)?;
    if computed.is_empty() {
        return Ok(batch);
    }
    let mut columns = batch.columns().to_vec();
    for (at, values) in computed {
        columns[at] = Arc::new(values);
    }
    RecordBatch::try_new(schema.clone(), columns)
}

/// Rows of a part as record batches with the table's full schema, or with some of its columns.
pub(crate) struct Rows {
    table: Table,
    source: Source,
    reader: parquet::arrow::arrow_reader::ParquetRecordBatchReader,
    schema: SchemaRef,
    failed: bool,
}

/// Reads `ranges` of a part (all rows when `None`), the columns of `schema`.
pub(crate) fn rows(
    table: Table,
    part: &Arc<dyn ReadAt>,
    meta: &Arc<ParquetMetaData>,
    schema: SchemaRef,
    ranges: Option<&[Range<u64>]>,
    batch_rows: usize,
) -> Result<Rows> {
    let source = Source::new(part);
    let arrow_meta = source.decode(|| ArrowReaderMetadata::try_new(meta.clone(), ArrowReaderOptions::new()))?;
    let needed = with_operands(table, &schema);
    let names = needed.fields().iter().map(|f| f.name().as_str());
    let mask = ProjectionMask::columns(meta.file_metadata().schema_descr(), names);
    let total = usize::try_from(meta.file_metadata().num_rows()).map_err(|_| part.damaged("negative row count"))?;
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(source.clone(), arrow_meta)
        .with_projection(mask)
        .with_batch_size(batch_rows);
    if let Some(ranges) = ranges {
        // Only the row groups that are asked for, or the reader plans over all of them.
        let (mut groups, mut selected, mut first) = (Vec::new(), Vec::new(), 0u64);
        let mut base = 0usize;
        for (i, g) in meta.row_groups().iter().enumerate() {
            let next = first + g.num_rows() as u64;
            let own: Vec<Range<usize>> = ranges
                .iter()
                .filter(|r| r.start < next && r.end > first)
                .map(|r| (r.start.max(first) - first) as usize + base..(r.end.min(next) - first) as usize + base)
                .collect();
            if !own.is_empty() {
                groups.push(i);
                selected.extend(own);
                base += g.num_rows() as usize;
            }
            first = next;
        }
        if ranges.last().is_some_and(|r| r.end > total as u64) {
            return Err(part.damaged(&format!("rows {:?} of {total}", ranges.last())));
        }
        builder = builder
            .with_row_groups(groups)
            .with_row_selection(RowSelection::from_consecutive_ranges(selected.into_iter(), base));
    }
    let reader = source.decode(|| builder.build())?;
    Ok(Rows { table, source, reader, schema, failed: false })
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let (table, reader, schema) = (self.table, &mut self.reader, &self.schema);
        let batch = self.source.decode(|| reader.next().map(|b| complete(table, &b?, schema)).transpose());
        // A reader that panicked is in no state to go on.
        self.failed = batch.is_err();
        batch.transpose()
    }
}

/// Sealed rows of whole traces turned back into rows on their way, events and links packed again.
/// `events` and `links` hold the rows of the same traces, in file order.
pub(crate) fn repack(
    spans: &[RecordBatch],
    events: &[RecordBatch],
    links: &[RecordBatch],
    damaged: impl Fn(&str) -> Error,
) -> Result<SpanBatch> {
    let broken = |e: ArrowError| damaged(&e.to_string());
    let spans = concat_batches(&schema::arriving(), spans).map_err(broken)?;
    let events = concat_batches(&schema::events(), events).map_err(broken)?;
    let links = concat_batches(&schema::links(), links).map_err(broken)?;
    let is_log: Vec<bool> = text_column(&events, "source").iter().map(|s| s == Some("log")).collect();
    let logs = filter_record_batch(&events, &is_log.iter().copied().map(Some).collect()).map_err(broken)?;
    let own = filter_record_batch(&events, &is_log.iter().map(|l| Some(!l)).collect()).map_err(broken)?;

    let mut packed_events = BinaryBuilder::new();
    let mut packed_links = BinaryBuilder::new();
    let (mut e, mut l) = (0, 0);
    for row in 0..spans.num_rows() {
        let id = row_id(&spans, row);
        let first = e;
        while e < own.num_rows() && row_id(&own, e) == id {
            e += 1;
        }
        append(&mut packed_events, (first..e).map(|i| event_at(&own, i)).collect::<Vec<_>>(), pack_events);
        let first = l;
        while l < links.num_rows() && row_id(&links, l) == id {
            l += 1;
        }
        append(&mut packed_links, (first..l).map(|i| link_at(&links, i)).collect::<Vec<_>>(), pack_links);
    }
    if e != own.num_rows() || l != links.num_rows() {
        return Err(damaged(&format!(
            "events or links without their span: {} of {} events and {} of {} links are in order",
            e,
            own.num_rows(),
            l,
            links.num_rows()
        )));
    }
    let mut columns = spans.columns().to_vec();
    columns.push(Arc::new(packed_events.finish()));
    columns.push(Arc::new(packed_links.finish()));
    let options = RecordBatchOptions::new().with_row_count(Some(spans.num_rows()));
    let spans = RecordBatch::try_new_with_options(schema::pipeline(), columns, &options).map_err(broken)?;
    Ok(SpanBatch { spans, logs })
}

fn append<T>(out: &mut BinaryBuilder, items: Vec<T>, pack: impl Fn(&[T]) -> Vec<u8>) {
    if items.is_empty() { out.append_null() } else { out.append_value(pack(&items)) }
}

type RowId<'a> = (&'a [u8], &'a [u8]);

fn row_id(batch: &RecordBatch, row: usize) -> RowId<'_> {
    (batch.column(0).as_fixed_size_binary().value(row), batch.column(1).as_fixed_size_binary().value(row))
}

fn text_column<'b>(batch: &'b RecordBatch, name: &str) -> TextColumn<'b> {
    TextColumn(batch.column_by_name(name).map(|c| c.as_string::<i32>()))
}

struct TextColumn<'b>(Option<&'b arrow::array::StringArray>);

impl<'b> TextColumn<'b> {
    fn get(&self, row: usize) -> Option<&'b str> {
        self.0.filter(|c| !c.is_null(row)).map(|c| c.value(row))
    }

    fn iter(&self) -> impl Iterator<Item = Option<&'b str>> {
        (0..self.0.map_or(0, Array::len)).map(|i| self.get(i))
    }
}

fn event_at(batch: &RecordBatch, row: usize) -> PackedEvent {
    let time = batch.column_by_name("time").map(|c| c.as_primitive::<TimestampNanosecondType>());
    PackedEvent {
        time: time.filter(|t| !t.is_null(row)).map(|t| t.value(row)),
        name: text_column(batch, "name").get(row).map(str::to_owned),
        attributes: text_column(batch, "attributes").get(row).map(str::to_owned),
    }
}

fn link_at(batch: &RecordBatch, row: usize) -> PackedLink {
    PackedLink {
        linked_trace_id: trace_id(batch.column(3).as_fixed_size_binary().value(row)),
        linked_span_id: span_id(batch.column(4).as_fixed_size_binary().value(row)),
        trace_state: text_column(batch, "trace_state").get(row).map(str::to_owned),
        attributes: text_column(batch, "attributes").get(row).map(str::to_owned),
    }
}
