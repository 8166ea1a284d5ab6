//! The rows of a few traces, and the rows of the tail: read directly.
//!
//! A general Parquet scan spends more on opening a file of sixty columns than on decoding one trace's rows.
//! Here the row ranges are known from the trace directories before the query runs, so what is left is to
//! decode these rows and to convert them.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::memory::DataSourceExec;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, DataFusionError, Result, Statistics};
use datafusion::datasource::source::DataSource;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::DisplayFormatType;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use spanfile::model::TraceId;
use spanfile::{Part, Table};

use super::rows::to_sql;
use super::store_error;

/// Rows of one sealed part.
#[derive(Debug, Clone)]
pub(crate) struct PartRows {
    pub(crate) part: Part,
    /// Sorted and disjoint.
    pub(crate) ranges: Vec<Range<u64>>,
}

/// Reads row ranges of parts, then batches of the tail, in one partition.
#[derive(Debug, Clone)]
pub(crate) struct RowsSource {
    table: Table,
    schema: SchemaRef,
    parts: Vec<PartRows>,
    tail: Vec<RecordBatch>,
    rows: u64,
    column_statistics: Vec<ColumnStatistics>,
    /// Whether the rows come by (`start_time`, `span_id`).
    ordered: bool,
    fetch: Option<usize>,
    metrics: ExecutionPlanMetricsSet,
}

impl RowsSource {
    pub(crate) fn new(table: Table, schema: SchemaRef, parts: Vec<PartRows>, tail: Vec<RecordBatch>) -> Self {
        let sealed: u64 = parts.iter().flat_map(|p| &p.ranges).map(|r| r.end - r.start).sum();
        let rows = sealed + tail.iter().map(|b| b.num_rows() as u64).sum::<u64>();
        let column_statistics = vec![ColumnStatistics::new_unknown(); schema.fields().len()];
        RowsSource {
            table,
            schema,
            parts,
            tail,
            rows,
            column_statistics,
            ordered: false,
            fetch: None,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// Says that the rows are those of one trace, which the store keeps together and in order.
    pub(crate) fn with_one_trace(mut self) -> Self {
        let runs = self.parts.iter().map(|p| p.ranges.len()).sum::<usize>() + self.tail.len();
        self.ordered = runs <= 1;
        self
    }

    pub(crate) fn with_column_statistics(mut self, statistics: Vec<ColumnStatistics>) -> Self {
        self.column_statistics = statistics;
        self
    }

    pub(crate) fn with_limit(mut self, limit: Option<usize>) -> Self {
        self.fetch = limit;
        self
    }

    pub(crate) fn into_exec(self) -> Arc<DataSourceExec> {
        Arc::new(DataSourceExec::new(Arc::new(self)))
    }
}

impl DataSource for RowsSource {
    fn open(&self, partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = Rows {
            table: self.table,
            schema: Arc::clone(&self.schema),
            parts: self.parts.iter().cloned().collect(),
            tail: self.tail.iter().cloned().collect(),
            open: VecDeque::new(),
            left: self.fetch.unwrap_or(usize::MAX),
            output_rows: MetricBuilder::new(&self.metrics).output_rows(partition),
        };
        let schema = Arc::clone(&self.schema);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(rows))))
    }

    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match t {
            DisplayFormatType::TreeRender => {
                writeln!(f, "format=rows")?;
                writeln!(f, "rows={}", self.rows)
            }
            _ => {
                let tail: usize = self.tail.iter().map(RecordBatch::num_rows).sum();
                write!(f, "rows={}, segments={}, tail_rows={tail}", self.rows, self.parts.len())?;
                match self.fetch {
                    Some(n) => write!(f, ", limit={n}"),
                    None => Ok(()),
                }
            }
        }
    }

    fn output_partitioning(&self) -> Partitioning {
        Partitioning::UnknownPartitioning(1)
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        let column = |name: &str| {
            let i = self.schema.index_of(name).ok()?;
            let options = SortOptions { descending: false, nulls_first: false };
            Some(PhysicalSortExpr::new(Arc::new(Column::new(name, i)), options))
        };
        match (self.ordered, column("start_time"), column("span_id")) {
            (true, Some(time), Some(id)) => {
                EquivalenceProperties::new_with_orderings(Arc::clone(&self.schema), [vec![time, id]])
            }
            _ => EquivalenceProperties::new(Arc::clone(&self.schema)),
        }
    }

    fn partition_statistics(&self, _partition: Option<usize>) -> Result<Arc<Statistics>> {
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        let all = Statistics {
            num_rows: Precision::Exact(rows),
            total_byte_size: Precision::Absent,
            column_statistics: self.column_statistics.clone(),
        };
        Ok(Arc::new(match self.fetch {
            Some(n) if n < rows => Statistics { num_rows: Precision::Exact(n), ..all.to_inexact() },
            _ => all,
        }))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn DataSource>> {
        Some(Arc::new(self.clone().with_limit(limit)))
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn metrics(&self) -> ExecutionPlanMetricsSet {
        self.metrics.clone()
    }

    fn try_swapping_with_projection(&self, _projection: &ProjectionExprs) -> Result<Option<Arc<dyn DataSource>>> {
        Ok(None)
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
}

/// The iterator behind [`RowsSource`].
struct Rows {
    table: Table,
    schema: SchemaRef,
    parts: VecDeque<PartRows>,
    tail: VecDeque<RecordBatch>,
    open: VecDeque<RecordBatch>,
    left: usize,
    output_rows: Count,
}

impl Rows {
    fn next_stored(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.open.pop_front() {
                return Ok(Some(batch));
            }
            match self.parts.pop_front() {
                Some(p) => {
                    let mut schema = self.stored_schema()?;
                    if holds_most(&p.part, &schema)? {
                        schema = self.table.schema();
                    }
                    let rows = p.part.trace_rows(&p.ranges, &schema).map_err(store_error)?;
                    self.open.extend(rows);
                }
                None => return Ok(self.tail.pop_front()),
            }
        }
    }

    /// The stored columns that the SQL columns are made of.
    fn stored_schema(&self) -> Result<SchemaRef> {
        let full = self.table.schema();
        let fields = self.schema.fields().iter().map(|f| full.field_with_name(f.name()).cloned());
        Ok(Arc::new(Schema::new(fields.collect::<std::result::Result<Vec<_>, _>>()?)))
    }
}

/// Whether these columns hold most of the part's bytes. Then all columns cost little more, and the store keeps whole
/// rows of traces for the next query, whatever columns that one names.
fn holds_most(part: &Part, columns: &Schema) -> Result<bool> {
    let metadata = part.metadata().map_err(store_error)?;
    // Row groups of a part are alike.
    let Some(group) = metadata.row_groups().first() else { return Ok(false) };
    let (mut named, mut all) = (0, 0);
    for c in group.columns() {
        let top = c.column_path().parts().first();
        all += c.compressed_size();
        if top.is_some_and(|name| columns.column_with_name(name).is_some()) {
            named += c.compressed_size();
        }
    }
    Ok(named > all / 2)
}

pub(crate) fn to_usize(n: u64) -> Result<usize> {
    usize::try_from(n).map_err(|e| DataFusionError::External(Box::new(e)))
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let batch = match self.next_stored().and_then(|b| b.map(|b| to_sql(&b, &self.schema)).transpose()) {
            Ok(Some(b)) if b.num_rows() > self.left => b.slice(0, self.left),
            Ok(Some(b)) => b,
            Ok(None) => return None,
            Err(e) => {
                self.left = 0;
                return Some(Err(e));
            }
        };
        self.left -= batch.num_rows();
        self.output_rows.add(batch.num_rows());
        Some(Ok(batch))
    }
}

/// Rows of the tail that belong to the given traces: the tail keeps a trace together.
pub(crate) fn tail_rows_of(batch: &RecordBatch, traces: &[TraceId]) -> Result<Vec<RecordBatch>> {
    let Some(ids) = batch.column_by_name("trace_id").and_then(|c| c.as_fixed_size_binary_opt()) else {
        return Ok(Vec::new());
    };
    let wanted = |i: usize| traces.binary_search_by(|t| t.0.as_slice().cmp(ids.value(i))).is_ok();
    let mut out = Vec::new();
    let mut begin = None;
    for i in 0..=ids.len() {
        match (begin, i < ids.len() && wanted(i)) {
            (None, true) => begin = Some(i),
            (Some(from), false) => {
                out.push(batch.slice(from, i - from));
                begin = None;
            }
            _ => {}
        }
    }
    Ok(out)
}
