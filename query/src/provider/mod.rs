//! Tables of `.spans` files as DataFusion scans them.
//!
//! A scan has up to two legs. Sealed segments are read by DataFusion's own Parquet source, which prunes by
//! segment, row group and page; where rows are superseded it gets a row selection. The tail is in memory. A
//! query that names traces takes another way: the trace directories say which rows they are, and these are
//! read directly (`lookup`).

mod computed;
mod filters;
mod ids;
mod lookup;
mod parts;
mod reader;
mod rows;
mod statistics;

use std::borrow::Cow;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetRowSelection;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableType};
use datafusion::parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use spanfile::model::TraceId;
use spanfile::{Part, Segment, Snapshot, Table};

use self::ids::IdAdapterFactory;
use self::lookup::{PartRows, RowsSource, tail_rows_of, to_usize};
pub(crate) use self::parts::PartReadings;
use self::reader::PartReaderFactory;
use self::rows::sql_schema;
pub(crate) use self::rows::{sql_schema_of, to_sql};
use crate::costs::CostCache;

/// Lookups of more rows than this go through the Parquet source, which reads with all cores.
const DIRECT_LOOKUP_MAX_ROWS: u64 = 64 * 1024;

/// With at most this many columns, a query may be one for extremes that Parquet metadata answers.
const EXTREMES_MAX_COLUMNS: usize = 8;

/// The one place that scans may name as their source.
pub(crate) static STORE_URL: LazyLock<ObjectStoreUrl> = LazyLock::new(|| {
    // Valid as it stands; were it not, the scans would say so when they look for the store.
    ObjectStoreUrl::parse("spanfile://segments").unwrap_or_else(|_| ObjectStoreUrl::local_filesystem())
});

pub(crate) fn store_error(e: spanfile::Error) -> DataFusionError {
    DataFusionError::External(Box::new(e))
}

/// One attached file as one query sees it.
#[derive(Debug, Clone)]
pub(crate) struct FileView {
    pub(crate) path: PathBuf,
    pub(crate) snapshot: Snapshot,
    pub(crate) readings: Arc<PartReadings>,
    pub(crate) costs: Arc<CostCache>,
}

/// A stored table of one or several files.
#[derive(Debug)]
pub(crate) struct StoredTable {
    table: Table,
    schema: SchemaRef,
    files: Vec<FileView>,
}

/// A sealed part that a scan may read.
struct Sealed {
    file: usize,
    segment: Segment,
    part: Part,
}

impl StoredTable {
    pub(crate) fn new(table: Table, files: Vec<FileView>) -> Self {
        StoredTable { table, schema: sql_schema(table), files }
    }

    /// Whether a column holds ids, which SQL shows as hex text.
    pub(crate) fn is_id(&self, column: &str) -> bool {
        self.table.columns().iter().any(|c| c.name == column && c.class.is_id())
    }

    fn sealed(&self) -> Result<Vec<Sealed>> {
        let mut out = Vec::new();
        for (i, f) in self.files.iter().enumerate() {
            for segment in f.snapshot.segments().map_err(store_error)? {
                if segment.live_rows(self.table) == 0 {
                    continue;
                }
                if let Some(part) = segment.part(self.table) {
                    out.push(Sealed { file: i, segment, part });
                }
            }
        }
        Ok(out)
    }

    fn projected(&self, projection: Option<&Vec<usize>>) -> Result<SchemaRef> {
        Ok(match projection {
            Some(p) => Arc::new(self.schema.project(p)?),
            None => Arc::clone(&self.schema),
        })
    }

    /// Rows of the named traces, in one partition; `None` when they are too many for that.
    fn lookup(
        &self,
        traces: &[TraceId],
        sealed: &[Sealed],
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let schema = self.projected(projection)?;
        let mut parts = Vec::new();
        let mut rows = 0;
        for s in sealed {
            let ranges = s.part.locate(traces).map_err(store_error)?;
            if !ranges.is_empty() {
                rows += ranges.iter().map(|r| r.end - r.start).sum::<u64>();
                parts.push(PartRows { part: s.part.clone(), ranges });
            }
            if rows > DIRECT_LOOKUP_MAX_ROWS {
                return Ok(None);
            }
        }
        let mut tail = Vec::new();
        for f in &self.files {
            for b in f.snapshot.tail().map_err(store_error)?.batches(self.table) {
                tail.extend(tail_rows_of(b, traces)?);
            }
        }
        if parts.is_empty() && tail.is_empty() {
            return Ok(Some(Arc::new(EmptyExec::new(schema))));
        }
        let mut source = RowsSource::new(self.table, schema, parts, tail).with_limit(limit);
        if traces.len() == 1 && self.table == Table::Spans {
            source = source.with_one_trace();
        }
        Ok(Some(source.into_exec()))
    }

    /// Sealed rows through the Parquet source.
    fn parquet(
        &self,
        sealed: Vec<Sealed>,
        traces: Option<&[TraceId]>,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
        partitions: usize,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let extremes: &[usize] = match projection {
            Some(p) if filters.is_empty() && p.len() <= EXTREMES_MAX_COLUMNS => p,
            _ => &[],
        };
        // Bounds of a segment's times help when a query looks at times; else the number of rows is all there
        // is to say, and sixty columns of nothing per segment are not worth their memory.
        let timed = |i: usize| matches!(self.schema.field(i).name().as_str(), "start_time" | "end_time" | "time");
        let bounded = !extremes.is_empty() || projection.is_none_or(|p| p.iter().copied().any(timed));
        let mut total = statistics::none(&self.schema);
        let mut files = Vec::with_capacity(sealed.len());
        for s in &sealed {
            let rows = s.segment.rows(self.table);
            let mut live = s.segment.live_rows(self.table);
            let selection = match traces {
                Some(t) => {
                    let ranges = s.part.locate(t).map_err(store_error)?;
                    let n = ranges.iter().map(|r| r.end - r.start).sum::<u64>();
                    if n == 0 {
                        continue;
                    }
                    live = n;
                    Some(keep(&ranges, rows)?)
                }
                None if !s.part.dead_rows().is_empty() => Some(leave_out(s.part.dead_rows(), rows)?),
                None => None,
            };
            let name = format!("{}/{}/{}", s.file, s.segment.id(), self.table.name());
            let mut file = PartitionedFile::new(name, s.part.len()).with_extension(s.part.clone());
            if bounded && traces.is_none() {
                let reading = self.files[s.file].readings.of(s.segment.id(), self.table);
                let known = statistics::of_segment(&s.segment, self.table, &self.schema, extremes, &s.part, &reading)?;
                statistics::add(&mut total, &known, files.is_empty());
                file = file.with_statistics(Arc::new(known));
            } else {
                total.num_rows = total.num_rows.add(&Precision::Exact(to_usize(live)?));
            }
            if let Some(s) = selection {
                file = file.with_extension(ParquetRowSelection::new(s));
            }
            files.push(file);
        }
        if files.is_empty() {
            return Ok(None);
        }
        let groups = FileGroup::new(files).split_files(partitions.max(1));
        let source = ParquetSource::new(TableSchema::from(Arc::clone(&self.schema)))
            .with_parquet_file_reader_factory(Arc::new(PartReaderFactory))
            .with_pushdown_filters(self.filter_while_reading(projection, filters))
            // Segments have page statistics and directories; they carry no bloom filters.
            .with_bloom_filter_on_read(false);
        let config = FileScanConfigBuilder::new(STORE_URL.clone(), Arc::new(source))
            .with_projection_indices(projection.cloned())?
            .with_file_groups(groups)
            .with_statistics(total)
            .with_limit(limit)
            .with_expr_adapter(Some(Arc::new(IdAdapterFactory)))
            .build();
        Ok(Some(DataSourceExec::from_data_source(config)))
    }

    /// Whether rows are filtered between decoding the filter's columns and the others. That pays where few
    /// rows stay (ids), and where wide columns are decoded or searched: each condition then sees only what the
    /// one before left. Over narrow columns alone it costs more than it saves.
    fn filter_while_reading(&self, projection: Option<&Vec<usize>>, filters: &[Expr]) -> bool {
        if filters.is_empty() {
            return false;
        }
        // Inexact filters are evaluated again above, so the projection has their columns too.
        let columns = self.table.columns();
        let wide = |i: usize| columns[i].class.is_wide();
        filters::selects_id(filters)
            || match projection {
                Some(p) => p.iter().copied().any(wide),
                None => (0..columns.len()).any(wide),
            }
    }

    /// Rows that are not sealed yet.
    fn tail(&self, projection: Option<&Vec<usize>>, limit: Option<usize>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let mut batches = Vec::new();
        for f in &self.files {
            let tail = f.snapshot.tail().map_err(store_error)?;
            batches.extend(tail.batches(self.table).iter().filter(|b| b.num_rows() > 0).cloned());
        }
        if batches.is_empty() {
            return Ok(None);
        }
        let schema = self.projected(projection)?;
        let bounds = statistics::of_batches(&batches, &schema);
        let source =
            RowsSource::new(self.table, schema, Vec::new(), batches).with_column_statistics(bounds).with_limit(limit);
        Ok(Some(source.into_exec()))
    }
}

/// A selection of these rows.
fn keep(ranges: &[Range<u64>], total: u64) -> Result<RowSelection> {
    let ranges = ranges.iter().map(|r| Ok(to_usize(r.start)?..to_usize(r.end)?)).collect::<Result<Vec<_>>>()?;
    Ok(RowSelection::from_consecutive_ranges(ranges.into_iter(), to_usize(total)?))
}

/// A selection of all other rows.
fn leave_out(dead: &[Range<u64>], total: u64) -> Result<RowSelection> {
    let mut out = Vec::new();
    let mut at = 0;
    for d in dead {
        out.push(RowSelector::select(to_usize(d.start - at)?));
        out.push(RowSelector::skip(to_usize(d.end - d.start)?));
        at = d.end;
    }
    out.push(RowSelector::select(to_usize(total - at)?));
    Ok(RowSelection::from(out))
}

#[async_trait]
impl TableProvider for StoredTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        None
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|f| filters::pushdown(f)).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let traces = filters::traces(filters);
        let sealed = self.sealed()?;
        if let Some(traces) = &traces
            && let Some(plan) = self.lookup(traces, &sealed, projection, limit)?
        {
            return Ok(plan);
        }
        let partitions = state.config().target_partitions();
        let sealed = self.parquet(sealed, traces.as_deref(), projection, filters, limit, partitions)?;
        let tail = match &traces {
            None => self.tail(projection, limit)?,
            Some(traces) => self.lookup(traces, &[], projection, limit)?,
        };
        match (sealed, tail) {
            (Some(s), Some(t)) => UnionExec::try_new(vec![s, t]),
            (Some(one), None) | (None, Some(one)) => Ok(one),
            (None, None) => Ok(Arc::new(EmptyExec::new(self.projected(projection)?))),
        }
    }
}
