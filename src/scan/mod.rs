//! Reading rows from a snapshot without SQL: projection, traces, and comparisons that skip what cannot match.

mod prune;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Datum, FixedSizeBinaryArray, RecordBatch, Scalar};
use arrow::array::{Float64Array, Int64Array, StringArray, TimestampNanosecondArray};
use arrow::compute::kernels::cmp;
use arrow::compute::{and, concat_batches, filter_record_batch, is_null, prep_null_mask_filter};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::error::{Error, Result};
use crate::model::{SpanId, TraceId};
use crate::schema::{self, Class};
use crate::segment::Table;
use crate::segment::arrivals::{project, trace_id};
use crate::store::{Part, Snapshot};

/// How a column compares with a value. Rows where the column is NULL never match, except for [`Compare::IsNull`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// Equal.
    Eq,
    /// Not equal.
    NotEq,
    /// Less than.
    Lt,
    /// Less than or equal.
    LtEq,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    GtEq,
    /// Is NULL; the value is not looked at.
    IsNull,
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub enum ScanValue {
    /// Integer, or nanoseconds since the epoch for a time column.
    Int(i64),
    /// Float.
    Double(f64),
    /// Text.
    Text(String),
    /// Span id.
    Span(SpanId),
    /// True or false.
    Flag(bool),
}

/// What to read. Rows must satisfy all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanRequest {
    /// The table.
    pub table: Table,
    /// Columns to return, in this order; all when `None`.
    pub columns: Option<Vec<String>>,
    /// Only rows of these traces.
    pub traces: Option<Vec<TraceId>>,
    /// Comparisons, all of which must hold: column, comparison, value.
    pub filters: Vec<(String, Compare, ScanValue)>,
}

impl ScanRequest {
    /// All rows and columns of a table.
    pub fn new(table: Table) -> Self {
        ScanRequest { table, columns: None, traces: None, filters: Vec::new() }
    }

    /// Returns only these columns.
    #[must_use]
    pub fn columns<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Returns only rows of these traces.
    #[must_use]
    pub fn traces(mut self, traces: impl IntoIterator<Item = TraceId>) -> Self {
        self.traces = Some(traces.into_iter().collect());
        self
    }

    /// Returns only rows for which the comparison holds.
    #[must_use]
    pub fn filter(mut self, column: impl Into<String>, compare: Compare, value: ScanValue) -> Self {
        self.filters.push((column.into(), compare, value));
        self
    }

    /// Returns only spans that start in this range, in nanoseconds since the epoch.
    #[must_use]
    pub fn starting_in(self, range: Range<i64>) -> Self {
        self.filter("start_time", Compare::GtEq, ScanValue::Int(range.start)).filter(
            "start_time",
            Compare::Lt,
            ScanValue::Int(range.end),
        )
    }
}

/// A comparison that is ready to run.
struct Filter {
    column: String,
    compare: Compare,
    value: Scalar<ArrayRef>,
}

impl Filter {
    fn new(table: Table, (name, compare, value): &(String, Compare, ScanValue)) -> Result<Self> {
        let (_, column) = find(table, name)?;
        let wrong = || Error::Rows(format!("column {name} of {} cannot be compared with {value:?}", table.name()));
        let array: ArrayRef = match (column.class, value) {
            (Class::Time, ScanValue::Int(v)) => Arc::new(TimestampNanosecondArray::from(vec![*v]).with_timezone("UTC")),
            (Class::Int | Class::Count, ScanValue::Int(v)) => Arc::new(Int64Array::from(vec![*v])),
            (Class::Double, ScanValue::Double(v)) => Arc::new(Float64Array::from(vec![*v])),
            (Class::Label | Class::Key | Class::Text | Class::Json, ScanValue::Text(v)) => {
                Arc::new(StringArray::from(vec![v.as_str()]))
            }
            (Class::Flag, ScanValue::Flag(v)) => Arc::new(BooleanArray::from(vec![*v])),
            (Class::SpanId, ScanValue::Span(v)) => {
                Arc::new(FixedSizeBinaryArray::try_from_iter([v.0].into_iter()).map_err(|_| wrong())?)
            }
            (_, _) if *compare == Compare::IsNull => arrow::array::new_null_array(&column.class.data_type(), 1),
            _ => return Err(wrong()),
        };
        Ok(Filter { column: name.clone(), compare: *compare, value: Scalar::new(array) })
    }

    fn matches(&self, batch: &RecordBatch) -> Result<BooleanArray, ArrowError> {
        let column = batch
            .column_by_name(&self.column)
            .ok_or_else(|| ArrowError::SchemaError(format!("no column {}", self.column)))?;
        let mask = match self.compare {
            Compare::Eq => cmp::eq(column, &self.value),
            Compare::NotEq => cmp::neq(column, &self.value),
            Compare::Lt => cmp::lt(column, &self.value),
            Compare::LtEq => cmp::lt_eq(column, &self.value),
            Compare::Gt => cmp::gt(column, &self.value),
            Compare::GtEq => cmp::gt_eq(column, &self.value),
            Compare::IsNull => is_null(column),
        }?;
        Ok(if mask.null_count() > 0 { prep_null_mask_filter(&mask) } else { mask })
    }
}

fn find(table: Table, name: &str) -> Result<(usize, &'static schema::Column)> {
    schema::find(table.columns(), name).ok_or_else(|| Error::Rows(format!("{} has no column {name}", table.name())))
}

/// Rows of a scan as record batches, in no particular order between segments.
pub struct Scan {
    sources: std::vec::IntoIter<Source>,
    open: Option<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>>,
    filters: Vec<Filter>,
    /// Columns that are read: those returned and those compared.
    read: SchemaRef,
    output: SchemaRef,
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").field("output", &self.output).finish_non_exhaustive()
    }
}

enum Source {
    Sealed(Part, Vec<Range<u64>>),
    Tail(Vec<RecordBatch>),
}

/// All rows of one trace, in canonical order.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Its spans, with the stored schema of `spans`.
    pub spans: RecordBatch,
    /// Its events.
    pub events: RecordBatch,
    /// Its links.
    pub links: RecordBatch,
}

impl Snapshot {
    /// Reads rows.
    ///
    /// # Errors
    /// [`Error::Rows`] for a column that does not exist or a value of the wrong type; what reading can bring.
    pub fn scan(&self, request: &ScanRequest) -> Result<Scan> {
        let table = request.table;
        let full = table.schema();
        let output = match &request.columns {
            None => full.clone(),
            Some(names) => {
                let fields = names.iter().map(|n| find(table, n).map(|(i, _)| full.fields()[i].clone()));
                Arc::new(Schema::new(fields.collect::<Result<Vec<_>>>()?))
            }
        };
        let filters = request.filters.iter().map(|f| Filter::new(table, f)).collect::<Result<Vec<_>>>()?;
        let needed: HashSet<&str> = output
            .fields()
            .iter()
            .map(|f| f.name().as_str())
            .chain(filters.iter().map(|f| f.column.as_str()))
            .collect();
        let mut read: Vec<_> = full.fields().iter().filter(|f| needed.contains(f.name().as_str())).cloned().collect();
        if read.is_empty() {
            // No column at all still has to count rows.
            read.push(full.fields()[0].clone());
        }
        let mut sources = Vec::new();
        for segment in self.segments()? {
            let Some(part) = segment.part(table) else { continue };
            let live = match &request.traces {
                Some(traces) => part.locate(traces)?,
                None => part.live_rows(),
            };
            let ranges = prune::prune(&part, live, &filters)?;
            if !ranges.is_empty() {
                sources.push(Source::Sealed(part, ranges));
            }
        }
        let tail = self.tail()?;
        let wanted: Option<HashSet<TraceId>> = request.traces.as_ref().map(|t| t.iter().copied().collect());
        let mut batches = Vec::new();
        for batch in tail.batches(table) {
            batches.push(match &wanted {
                None => batch.clone(),
                Some(wanted) => rows_of(batch, |t| wanted.contains(&t))?,
            });
        }
        batches.retain(|b| b.num_rows() > 0);
        if !batches.is_empty() {
            sources.push(Source::Tail(batches));
        }
        Ok(Scan { sources: sources.into_iter(), open: None, filters, read: Arc::new(Schema::new(read)), output })
    }

    /// All rows of one trace, or `None` when the file does not have it.
    ///
    /// # Errors
    /// What reading can bring.
    pub fn trace(&self, id: TraceId) -> Result<Option<Trace>> {
        let read = |table: Table| -> Result<RecordBatch> {
            let mut batches = Vec::new();
            for part in self.segments()?.iter().filter_map(|s| s.part(table)) {
                batches.extend(part.trace_rows(&part.locate(&[id])?, &table.schema())?);
            }
            for batch in self.tail()?.batches(table) {
                batches.push(rows_of(batch, |t| t == id)?);
            }
            concat_batches(&table.schema(), &batches).map_err(rows_error)
        };
        let trace = Trace { spans: read(Table::Spans)?, events: read(Table::Events)?, links: read(Table::Links)? };
        let empty = trace.spans.num_rows() + trace.events.num_rows() == 0;
        Ok((!empty).then_some(trace))
    }
}

/// Rows of those traces for which `wanted` says yes.
fn rows_of(batch: &RecordBatch, wanted: impl Fn(TraceId) -> bool) -> Result<RecordBatch> {
    let ids = batch.column(0).as_fixed_size_binary();
    let mask: BooleanArray = (0..ids.len()).map(|i| Some(wanted(trace_id(ids.value(i))))).collect();
    filter_record_batch(batch, &mask).map_err(rows_error)
}

fn rows_error(e: ArrowError) -> Error {
    Error::Rows(e.to_string())
}

impl Scan {
    /// Schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        self.output.clone()
    }

    fn next_raw(&mut self) -> Option<Result<RecordBatch>> {
        loop {
            if let Some(batch) = self.open.as_mut().and_then(Iterator::next) {
                return Some(batch);
            }
            self.open = Some(match self.sources.next()? {
                Source::Sealed(part, ranges) => match part.rows(self.read.clone(), &ranges) {
                    Ok(rows) => Box::new(rows),
                    Err(e) => return Some(Err(e)),
                },
                Source::Tail(batches) => {
                    let schema = self.read.clone();
                    Box::new(batches.into_iter().map(move |b| project(&b, &schema).map_err(rows_error)))
                }
            });
        }
    }

    fn finish(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut mask: Option<BooleanArray> = None;
        for f in &self.filters {
            let own = f.matches(batch)?;
            mask = Some(match mask {
                Some(m) => and(&m, &own)?,
                None => own,
            });
        }
        match mask {
            Some(mask) => project(&filter_record_batch(batch, &mask)?, &self.output),
            None => project(batch, &self.output),
        }
    }
}

impl Iterator for Scan {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let batch = match self.next_raw()? {
                Ok(batch) => batch,
                Err(e) => return Some(Err(e)),
            };
            match self.finish(&batch) {
                Ok(b) if b.num_rows() == 0 => {}
                other => return Some(other.map_err(rows_error)),
            }
        }
    }
}

/// A value as the comparison kernels want it.
fn datum(value: &Scalar<ArrayRef>) -> &dyn Datum {
    value
}
