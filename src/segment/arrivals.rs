//! Rows in the order they arrived, and how they settle: one row per span, traces whole, in canonical order.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, SchemaRef, TimestampNanosecondType};
use arrow::error::ArrowError;
use foldhash::fast::RandomState;

use crate::batch::SpanBatch;
use crate::limits::{GATHER_BYTES, GATHER_ROWS};
use crate::model::{SpanId, TraceId};
use crate::schema;

/// A set of traces. Ids come from outside, so the hash is seeded, as the standard library's is; this one is faster.
pub(crate) type TraceSet = HashSet<TraceId, RandomState>;

/// Where a row lies among the arrivals: batch, then row.
pub(crate) type Place = (u32, u32);

#[derive(Debug, Clone, Copy)]
struct SpanRef {
    trace: TraceId,
    span: SpanId,
    start: i64,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
struct LogRef {
    trace: TraceId,
    span: SpanId,
    time: i64,
    place: Place,
}

/// Rows in order of arrival. Rows that come from sealed segments are pushed first, with [`Arrivals::push_sealed`].
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    batches: Vec<SpanBatch>,
    sealed: u32,
    spans: Vec<SpanRef>,
    logs: Vec<LogRef>,
    bytes: usize,
}

/// A trace among settled rows.
#[derive(Debug, Clone)]
pub(crate) struct SettledTrace {
    pub(crate) id: TraceId,
    /// First start and last end of its spans; of its log records where it has no spans.
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) spans: Range<usize>,
    pub(crate) logs: Range<usize>,
}

/// One row per span and per distinct log record, grouped by trace in canonical order.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    pub(crate) traces: Vec<SettledTrace>,
    pub(crate) spans: Vec<Place>,
    pub(crate) logs: Vec<Place>,
    /// Rows dropped because an equal one was there.
    pub(crate) duplicates: u64,
    /// Rows that took the place of an unequal one with the same ids.
    pub(crate) replaced: u64,
    /// Traces that arrived again without anything new: their sealed rows stay where they are.
    pub(crate) unchanged: TraceSet,
}

impl Arrivals {
    /// Adds rows that arrived after all that is here.
    pub(crate) fn push(&mut self, batch: SpanBatch) -> Result<(), ArrowError> {
        let number = self.batches.len() as u32;
        self.index(number, &batch)?;
        self.bytes += batch.bytes();
        self.batches.push(batch);
        Ok(())
    }

    fn index(&mut self, number: u32, batch: &SpanBatch) -> Result<(), ArrowError> {
        let ids = ids_of(&batch.spans)?;
        let starts = batch.spans.column(column(schema::SPANS, "start_time")?).as_primitive::<TimestampNanosecondType>();
        self.spans.reserve(batch.spans.num_rows());
        for row in 0..batch.spans.num_rows() {
            let (trace, span) = ids(row);
            self.spans.push(SpanRef { trace, span, start: starts.value(row), place: (number, row as u32) });
        }
        let log_ids = ids_of(&batch.logs)?;
        let times = batch.logs.column(column(schema::EVENTS, "time")?).as_primitive::<TimestampNanosecondType>();
        for row in 0..batch.logs.num_rows() {
            let (trace, span) = log_ids(row);
            let time = if times.is_null(row) { i64::MIN } else { times.value(row) };
            self.logs.push(LogRef { trace, span, time, place: (number, row as u32) });
        }
        Ok(())
    }

    /// Adds rows that were sealed before; must come before any other rows.
    pub(crate) fn push_sealed(&mut self, batch: SpanBatch) -> Result<(), ArrowError> {
        debug_assert_eq!(self.sealed as usize, self.batches.len());
        self.push(batch)?;
        self.sealed = self.batches.len() as u32;
        Ok(())
    }

    pub(crate) fn batches(&self) -> &[SpanBatch] {
        &self.batches
    }

    pub(crate) fn spans(&self) -> usize {
        self.spans.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.logs.is_empty()
    }

    /// Memory held by the rows, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.spans.len() * size_of::<SpanRef>() + self.logs.len() * size_of::<LogRef>()
    }

    /// How many span rows each trace has here.
    pub(crate) fn spans_per_trace(&self) -> HashMap<TraceId, u64, RandomState> {
        let mut out = HashMap::default();
        self.spans.iter().for_each(|r| *out.entry(r.trace).or_default() += 1);
        self.logs.iter().for_each(|r| {
            out.entry(r.trace).or_default();
        });
        out
    }

    /// Ids of the traces that rows belong to, each once, sorted.
    pub(crate) fn traces(&self) -> Vec<TraceId> {
        let mut ids: Vec<TraceId> =
            self.spans.iter().map(|r| r.trace).chain(self.logs.iter().map(|r| r.trace)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Traces that look finished: a root is here, so is every parent, and none of the last eighth of the rows is theirs
    /// (a root that comes first looks finished too soon).
    pub(crate) fn complete_traces(&self) -> Result<TraceSet, ArrowError> {
        let known: HashSet<(TraceId, SpanId), RandomState> = self.spans.iter().map(|r| (r.trace, r.span)).collect();
        let mut rooted = TraceSet::default();
        let mut open = TraceSet::default();
        open.extend(self.spans[self.spans.len() - self.spans.len() / 8..].iter().map(|r| r.trace));
        let at = column(schema::SPANS, "parent_span_id")?;
        for r in &self.spans {
            let parents = self.batches[r.place.0 as usize].spans.column(at).as_fixed_size_binary();
            let row = r.place.1 as usize;
            if parents.is_null(row) {
                rooted.insert(r.trace);
            } else if !known.contains(&(r.trace, span_id(parents.value(row)))) {
                open.insert(r.trace);
            }
        }
        rooted.retain(|t| !open.contains(t));
        Ok(rooted)
    }

    /// The rows of some traces, in order of arrival, as batches of their own.
    pub(crate) fn select(&self, take: impl Fn(&TraceId) -> bool) -> Result<Arrivals, ArrowError> {
        let spans: Vec<Place> = self.spans.iter().filter(|r| take(&r.trace)).map(|r| r.place).collect();
        let logs: Vec<Place> = self.logs.iter().filter(|r| take(&r.trace)).map(|r| r.place).collect();
        let mut out = Arrivals::default();
        for chunk in self.chunks(&spans, |b| &b.spans) {
            out.push(SpanBatch::of_spans(self.gather_spans(chunk, &schema::pipeline())?))?;
        }
        for chunk in self.chunks(&logs, |b| &b.logs) {
            out.push(SpanBatch::of_logs(self.gather_logs(chunk)?))?;
        }
        Ok(out)
    }

    /// All rows sorted by trace, arrival order kept within a trace: a run for merging later.
    pub(crate) fn sorted_by_trace(&self) -> (Vec<Place>, Vec<Place>) {
        let mut spans: Vec<&SpanRef> = self.spans.iter().collect();
        spans.sort_unstable_by_key(|r| (r.trace, r.place));
        let mut logs: Vec<&LogRef> = self.logs.iter().collect();
        logs.sort_unstable_by_key(|r| (r.trace, r.place));
        (spans.into_iter().map(|r| r.place).collect(), logs.into_iter().map(|r| r.place).collect())
    }

    /// Cuts places into pieces whose rows can be gathered at once without an offset overflow or a large copy.
    pub(crate) fn chunks<'p>(
        &self,
        places: &'p [Place],
        rows: impl Fn(&SpanBatch) -> &RecordBatch,
    ) -> Vec<&'p [Place]> {
        let row_bytes = self.row_bytes(rows);
        let mut out = Vec::new();
        let mut rest = places;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(chunk_len(rest, &row_bytes, GATHER_ROWS, GATHER_BYTES));
            out.push(chunk);
            rest = after;
        }
        out
    }

    /// Bytes that a row of each batch takes on average.
    pub(crate) fn row_bytes(&self, rows: impl Fn(&SpanBatch) -> &RecordBatch) -> Vec<usize> {
        // Columns of a decoded batch share one buffer: what they hold themselves is what counts.
        let own = |c: &ArrayRef| c.to_data().get_slice_memory_size().unwrap_or_else(|_| c.get_array_memory_size());
        let bytes = |r: &RecordBatch| r.columns().iter().map(own).sum::<usize>() / r.num_rows().max(1);
        self.batches.iter().map(|b| bytes(rows(b))).collect()
    }

    /// The span rows at `places`, with the columns of `schema`.
    pub(crate) fn gather_spans(&self, places: &[Place], schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        gather(self.batches.iter().map(|b| &b.spans), places, schema)
    }

    /// The log rows at `places`.
    pub(crate) fn gather_logs(&self, places: &[Place]) -> Result<RecordBatch, ArrowError> {
        gather(self.batches.iter().map(|b| &b.logs), places, &schema::events())
    }

    /// Which columns of the span rows hold any value.
    pub(crate) fn used_columns(&self) -> Vec<bool> {
        let mut used = vec![false; schema::pipeline().fields().len()];
        for b in &self.batches {
            for (u, c) in used.iter_mut().zip(b.spans.columns()) {
                *u |= c.null_count() < c.len();
            }
        }
        used
    }

    /// Start of the span row at a place.
    pub(crate) fn start_of(&self, place: Place) -> Result<i64, ArrowError> {
        let at = column(schema::SPANS, "start_time")?;
        Ok(self.batches[place.0 as usize]
            .spans
            .column(at)
            .as_primitive::<TimestampNanosecondType>()
            .value(place.1 as usize))
    }

    /// Settles the rows: one per span (equal rows once, else the last to arrive), traces in order of first start
    /// and id, spans in order of start and id, equal log records once.
    /// Only traces for which `select` says yes take part.
    pub(crate) fn settle(&self, select: impl Fn(&TraceId) -> bool) -> Result<Settled, ArrowError> {
        let mut spans: Vec<SpanRef> = self.spans.iter().filter(|r| select(&r.trace)).copied().collect();
        spans.sort_unstable_by_key(|r| (r.trace, r.span, r.place));
        let mut logs: Vec<LogRef> = self.logs.iter().filter(|r| select(&r.trace)).copied().collect();
        logs.sort_unstable_by_key(|r| (r.trace, r.span, r.time, r.place));
        let mut out = Settled::default();
        self.drop_older_spans(&mut spans, &mut out);
        self.drop_equal_logs(&mut logs, &mut out);

        // Both are sorted by trace: walk them together.
        let (mut s, mut l) = (0, 0);
        let mut traces = Vec::new();
        while s < spans.len() || l < logs.len() {
            let id = match (spans.get(s), logs.get(l)) {
                (Some(a), Some(b)) => a.trace.min(b.trace),
                (Some(a), None) => a.trace,
                (None, Some(b)) => b.trace,
                (None, None) => break,
            };
            let (s0, l0) = (s, l);
            s += spans[s..].iter().take_while(|r| r.trace == id).count();
            l += logs[l..].iter().take_while(|r| r.trace == id).count();
            let sealed = |p: Place| p.0 < self.sealed;
            if self.sealed > 0
                && spans[s0..s].iter().all(|r| sealed(r.place))
                && logs[l0..l].iter().all(|r| sealed(r.place))
            {
                out.unchanged.insert(id);
                continue;
            }
            spans[s0..s].sort_unstable_by_key(|r| (r.start, r.span));
            traces.push((id, s0..s, l0..l));
        }
        let end_at = column(schema::SPANS, "end_time")?;
        let end_of = |r: &SpanRef| {
            let ends = self.batches[r.place.0 as usize].spans.column(end_at).as_primitive::<TimestampNanosecondType>();
            let row = r.place.1 as usize;
            if ends.is_null(row) { r.start } else { ends.value(row) }
        };
        let mut settled: Vec<SettledTrace> = traces
            .into_iter()
            .map(|(id, s, l)| {
                let own = &spans[s.clone()];
                let (start, end) = if own.is_empty() {
                    let times = logs[l.clone()].iter().map(|r| r.time).filter(|t| *t != i64::MIN);
                    (times.clone().min().unwrap_or(0), times.max().unwrap_or(0))
                } else {
                    (own[0].start, own.iter().map(end_of).max().unwrap_or(own[0].start))
                };
                SettledTrace { id, start, end, spans: s, logs: l }
            })
            .collect();
        settled.sort_unstable_by_key(|t| (t.start, t.id));
        for t in &mut settled {
            let (s0, l0) = (out.spans.len(), out.logs.len());
            out.spans.extend(spans[t.spans.clone()].iter().map(|r| r.place));
            out.logs.extend(logs[t.logs.clone()].iter().map(|r| r.place));
            (t.spans, t.logs) = (s0..out.spans.len(), l0..out.logs.len());
        }
        out.traces = settled;
        Ok(out)
    }

    fn drop_older_spans(&self, spans: &mut Vec<SpanRef>, out: &mut Settled) {
        let mut kept = 0;
        for i in 0..spans.len() {
            let r = spans[i];
            if kept > 0 && (spans[kept - 1].trace, spans[kept - 1].span) == (r.trace, r.span) {
                let older = spans[kept - 1];
                if rows_equal(
                    (&self.batches[older.place.0 as usize].spans, older.place.1 as usize),
                    (&self.batches[r.place.0 as usize].spans, r.place.1 as usize),
                ) {
                    out.duplicates += 1;
                } else {
                    out.replaced += 1;
                    spans[kept - 1] = r;
                }
            } else {
                spans[kept] = r;
                kept += 1;
            }
        }
        spans.truncate(kept);
    }

    fn drop_equal_logs(&self, logs: &mut Vec<LogRef>, out: &mut Settled) {
        let mut kept: Vec<LogRef> = Vec::with_capacity(logs.len());
        let mut group = 0;
        for r in logs.iter() {
            if kept.last().is_some_and(|k| (k.trace, k.span, k.time) != (r.trace, r.span, r.time)) {
                group = kept.len();
            }
            let row = (&self.batches[r.place.0 as usize].logs, r.place.1 as usize);
            let again = kept[group..]
                .iter()
                .any(|k| rows_equal((&self.batches[k.place.0 as usize].logs, k.place.1 as usize), row));
            if again {
                out.duplicates += 1;
            } else {
                kept.push(*r);
            }
        }
        *logs = kept;
    }
}

/// How many of the first places stay within both bounds; at least one.
pub(crate) fn chunk_len(places: &[Place], row_bytes: &[usize], max_rows: usize, max_bytes: usize) -> usize {
    let mut bytes = 0usize;
    let fits = |p: &&Place| {
        bytes = bytes.saturating_add(row_bytes[p.0 as usize]);
        bytes <= max_bytes
    };
    places.iter().take(max_rows).take_while(fits).count().max(places.len().min(1))
}

fn gather<'b>(
    batches: impl Iterator<Item = &'b RecordBatch>,
    places: &[Place],
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    // Only batches that are asked for take part; their columns are projected by name.
    let all: Vec<&RecordBatch> = batches.collect();
    let mut slot = vec![usize::MAX; all.len()];
    let mut used: Vec<RecordBatch> = Vec::new();
    let mut indices = Vec::with_capacity(places.len());
    for &(batch, row) in places {
        let b = batch as usize;
        if slot[b] == usize::MAX {
            slot[b] = used.len();
            used.push(project(all[b], schema)?);
        }
        indices.push((slot[b], row as usize));
    }
    if used.is_empty() {
        return Ok(RecordBatch::new_empty(schema.clone()));
    }
    interleave_record_batch(&used.iter().collect::<Vec<_>>(), &indices)
}

/// The columns of `schema`, by name; columns that the batch lacks are NULL.
pub(crate) fn project(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if Arc::ptr_eq(batch.schema_ref(), schema) {
        return Ok(batch.clone());
    }
    let columns: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .map(|f| match batch.column_by_name(f.name()) {
            Some(c) if c.data_type() == f.data_type() => Ok(c.clone()),
            Some(c) => {
                Err(ArrowError::SchemaError(format!("column {} is {}, not {}", f.name(), c.data_type(), f.data_type())))
            }
            None => Ok(new_null_array(f.data_type(), batch.num_rows())),
        })
        .collect::<Result<_, _>>()?;
    RecordBatch::try_new_with_options(
        schema.clone(),
        columns,
        &arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
    )
}

fn column(columns: &'static [schema::Column], name: &str) -> Result<usize, ArrowError> {
    schema::find(columns, name).map(|(i, _)| i).ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))
}

/// A view of the two id columns that every table starts with.
fn ids_of(batch: &RecordBatch) -> Result<impl Fn(usize) -> (TraceId, SpanId) + '_, ArrowError> {
    let traces = batch.column(0).as_fixed_size_binary();
    let spans = batch.column(1).as_fixed_size_binary();
    if traces.value_length() != schema::TRACE_ID_BYTES as i32 || spans.value_length() != schema::SPAN_ID_BYTES as i32 {
        return Err(ArrowError::SchemaError("the first two columns are not a trace id and a span id".into()));
    }
    Ok(move |row| (trace_id(traces.value(row)), span_id(spans.value(row))))
}

/// Trace id from a column value of the right width.
pub(crate) fn trace_id(bytes: &[u8]) -> TraceId {
    let mut id = [0; schema::TRACE_ID_BYTES];
    id.copy_from_slice(bytes);
    TraceId(id)
}

/// Span id from a column value of the right width.
pub(crate) fn span_id(bytes: &[u8]) -> SpanId {
    let mut id = [0; schema::SPAN_ID_BYTES];
    id.copy_from_slice(bytes);
    SpanId(id)
}

/// Whether two rows of the same schema hold the same values. Floats compare by their bits.
fn rows_equal((a, i): (&RecordBatch, usize), (b, j): (&RecordBatch, usize)) -> bool {
    a.columns().iter().zip(b.columns()).all(|(x, y)| {
        if x.is_null(i) || y.is_null(j) {
            return x.is_null(i) && y.is_null(j);
        }
        match x.data_type() {
            DataType::Utf8 => x.as_string::<i32>().value(i) == y.as_string::<i32>().value(j),
            DataType::Binary => x.as_binary::<i32>().value(i) == y.as_binary::<i32>().value(j),
            DataType::FixedSizeBinary(_) => x.as_fixed_size_binary().value(i) == y.as_fixed_size_binary().value(j),
            DataType::Int64 => x.as_primitive::<Int64Type>().value(i) == y.as_primitive::<Int64Type>().value(j),
            DataType::Timestamp(..) => {
                x.as_primitive::<TimestampNanosecondType>().value(i)
                    == y.as_primitive::<TimestampNanosecondType>().value(j)
            }
            DataType::Float64 => {
                x.as_primitive::<Float64Type>().value(i).to_bits() == y.as_primitive::<Float64Type>().value(j).to_bits()
            }
            DataType::Decimal128(..) => {
                x.as_primitive::<Decimal128Type>().value(i) == y.as_primitive::<Decimal128Type>().value(j)
            }
            _ => x.slice(i, 1) == y.slice(j, 1),
        }
    })
}
