//! Tables of costs: roll-ups of the files with prices applied when they are asked for, and kept for the next time.

mod cache;
mod functions;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt, stream};
use spanfile::Table;
use spanfile::loops::Settings;
use spanfile::priced::{Portion, Pricing};
use spanfile::schema::{
    AGENT_RUNS, BUCKET_COSTS, COST_AUDIT, Column, LOOP_COSTS, LOOP_SPANS, LOOPS, RUN_COSTS, TOOL_COSTS, USAGE_COSTS,
    find,
};

use crate::provider::{FileView, StoredTable, sql_schema_of, store_error, to_sql};
pub(crate) use cache::CostCache;
use cache::Key;
pub(crate) use functions::{NAMES as FUNCTIONS, register};

/// A table of costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CostTable {
    Runs,
    Uses,
    Buckets,
    Tools,
    Audit,
    Loops,
    LoopSpans,
    AgentRuns,
}

impl CostTable {
    pub(crate) const ALL: [CostTable; 8] = [
        CostTable::Runs,
        CostTable::Uses,
        CostTable::Buckets,
        CostTable::Tools,
        CostTable::Audit,
        CostTable::Loops,
        CostTable::LoopSpans,
        CostTable::AgentRuns,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            CostTable::Runs => "cost_per_run",
            CostTable::Uses => "usage_costs",
            CostTable::Buckets => "bucket_costs",
            CostTable::Tools => "tool_costs",
            CostTable::Audit => "cost_audit",
            CostTable::Loops => "loops",
            CostTable::LoopSpans => "loop_spans",
            CostTable::AgentRuns => "agent_runs",
        }
    }

    pub(crate) fn find(name: &str) -> Option<CostTable> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }

    pub(crate) fn columns(self) -> &'static [Column] {
        match self {
            CostTable::Runs => RUN_COSTS,
            CostTable::Uses => USAGE_COSTS,
            CostTable::Buckets => BUCKET_COSTS,
            CostTable::Tools => TOOL_COSTS,
            CostTable::Audit => COST_AUDIT,
            CostTable::Loops => LOOP_COSTS,
            CostTable::LoopSpans => LOOP_SPANS,
            CostTable::AgentRuns => AGENT_RUNS,
        }
    }

    /// What a row is.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            CostTable::Runs => "What each run cost: one row per run.",
            CostTable::Uses => {
                "What use cost: one row per segment, day, agent, workflow, kind, model, service tier and price."
            }
            CostTable::Buckets => {
                "What was paid for: one row per segment, model, service tier, price and bucket of tokens."
            }
            CostTable::Tools => {
                "Which tools model calls are due to: one row per segment and tool. The cost of a model call is divided evenly among the tool calls of its agent since its model call before."
            }
            CostTable::Loops => {
                "What runs did again and again, and what it wasted: one row per loop, found at default settings; loops(...) takes others."
            }
            CostTable::LoopSpans => "The spans of loops: one row per span or synthetic call.",
            CostTable::AgentRuns => "What each agent did in each run, and what that cost: one row per run and agent.",
            CostTable::Audit => "What was not counted, not priced or is in doubt: one row per span and reason.",
        }
    }

    fn compute(
        self,
        portion: &Portion,
        pricing: &Pricing,
        search: Option<&Settings>,
    ) -> spanfile::Result<Vec<(CostTable, RecordBatch)>> {
        Ok(match self {
            CostTable::Runs | CostTable::Uses | CostTable::Buckets => {
                let p = portion.priced_uses(pricing)?;
                vec![(CostTable::Runs, p.runs), (CostTable::Uses, p.uses), (CostTable::Buckets, p.buckets)]
            }
            CostTable::Tools | CostTable::Audit => {
                let p = portion.priced_steps(pricing)?;
                vec![(CostTable::Tools, p.tools), (CostTable::Audit, p.audit)]
            }
            CostTable::AgentRuns => vec![(CostTable::AgentRuns, portion.agent_runs(pricing)?)],
            CostTable::Loops | CostTable::LoopSpans => {
                let p = match search {
                    Some(settings) => portion.search_loops(settings, pricing)?,
                    None => portion.priced_loops(pricing)?,
                };
                vec![(CostTable::Loops, p.loops), (CostTable::LoopSpans, p.spans)]
            }
        })
    }
}

/// How to price, file by file: each has a price book of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PricedAs {
    /// At the prices of this moment.
    pub(crate) as_of_unix_nano: Option<i64>,
    /// Calls of one model at the prices of another.
    pub(crate) instead: Option<(String, String)>,
}

impl PricedAs {
    pub(crate) fn of(&self, file: &FileView) -> Result<Pricing> {
        let mut pricing = Pricing::new(file.snapshot.price_book().map_err(store_error)?);
        if let Some(t) = self.as_of_unix_nano {
            pricing = pricing.as_of(t);
        }
        if let Some((from, to)) = &self.instead {
            pricing = pricing
                .instead(from, to)
                .map_err(|e| datafusion::error::DataFusionError::Plan(format!("no price for the model {to}: {e}")))?;
        }
        Ok(pricing)
    }
}

/// A table of costs over one or several files.
#[derive(Debug)]
pub(crate) struct CostProvider {
    table: CostTable,
    schema: SchemaRef,
    priced_as: PricedAs,
    /// Loops that are looked for anew.
    search: Option<Arc<Settings>>,
    files: Vec<FileView>,
}

impl CostProvider {
    pub(crate) fn new(table: CostTable, priced_as: PricedAs, files: Vec<FileView>) -> Self {
        CostProvider { table, schema: sql_schema_of(table.columns()), priced_as, search: None, files }
    }

    /// Loops at these settings, which for the defaults are those that the files keep.
    pub(crate) fn searched(mut self, settings: Settings) -> Self {
        self.search = (settings != Settings::default()).then(|| Arc::new(settings));
        self
    }

    /// Where to find the columns of loops in the table as stored, when none of them is a cost.
    fn unpriced(&self, projection: Option<&Vec<usize>>) -> Option<Vec<usize>> {
        if self.table != CostTable::Loops || self.search.is_some() {
            return None;
        }
        let stored = |i: &usize| find(LOOPS, LOOP_COSTS.get(*i)?.name).map(|(at, _)| at);
        projection?.iter().map(stored).collect()
    }

    fn work(&self) -> Result<Vec<Work>> {
        let mut work = Vec::new();
        for file in &self.files {
            let pricing = Arc::new(self.priced_as.of(file)?);
            let identity = (pricing.identity(), self.search.as_ref().map(|s| s.identity()));
            for portion in file.snapshot.portions().map_err(store_error)? {
                let key = Key::of(&portion, file.snapshot.version(), self.table, identity);
                work.push(Work {
                    table: self.table,
                    key,
                    portion,
                    pricing: Arc::clone(&pricing),
                    search: self.search.clone(),
                    cache: Arc::clone(&file.costs),
                });
            }
        }
        Ok(work)
    }
}

#[async_trait]
impl TableProvider for CostProvider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(columns) = self.unpriced(projection) {
            return StoredTable::new(Table::Loops, self.files.clone()).scan(session, Some(&columns), &[], limit).await;
        }
        let work = self.work()?;
        if let Some(batches) = work.iter().map(|w| w.cache.get(&w.key)).collect::<Option<Vec<_>>>() {
            let plan = MemorySourceConfig::try_new_exec(&[batches], self.schema(), projection.cloned())?;
            return Ok(plan);
        }
        // One after the other in each partition: what does not fit into the cache is let go.
        let partitions = session.config().target_partitions().clamp(1, work.len());
        let mut streams: Vec<Vec<Work>> = (0..partitions).map(|_| Vec::new()).collect();
        for (i, w) in work.into_iter().enumerate() {
            streams[i % partitions].push(w);
        }
        let streams = streams
            .into_iter()
            .map(|work| Arc::new(Computed { schema: self.schema(), work }) as Arc<dyn PartitionStream>)
            .collect();
        Ok(Arc::new(StreamingTableExec::try_new(self.schema(), streams, projection, None, false, limit)?))
    }
}

/// A portion to be priced.
#[derive(Clone)]
struct Work {
    table: CostTable,
    key: Key,
    portion: Portion,
    pricing: Arc<Pricing>,
    search: Option<Arc<Settings>>,
    cache: Arc<CostCache>,
}

impl Work {
    fn run(&self) -> Result<RecordBatch> {
        if let Some(batch) = self.cache.get(&self.key) {
            return Ok(batch);
        }
        let mut own = None;
        let search = self.search.as_deref();
        let computed = self.table.compute(&self.portion, &self.pricing, search).map_err(store_error)?;
        for (table, rows) in computed {
            let batch = to_sql(&rows, &sql_schema_of(table.columns()))?;
            if table == self.table {
                own = Some(batch.clone());
            }
            self.cache.put(self.key.with_table(table), batch);
        }
        own.ok_or_else(|| exec_datafusion_err!("{} was not computed", self.table.name()))
    }
}

struct Computed {
    schema: SchemaRef,
    work: Vec<Work>,
}

impl std::fmt::Debug for Computed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "costs of {} portions", self.work.len())
    }
}

impl PartitionStream for Computed {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = context.session_config().batch_size();
        let batches = stream::iter(self.work.clone())
            .then(|work| async move {
                tokio::task::spawn_blocking(move || work.run())
                    .await
                    .unwrap_or_else(|e| Err(exec_datafusion_err!("pricing stopped: {e}")))
            })
            .map_ok(move |batch| {
                let starts = (0..batch.num_rows()).step_by(rows.max(1));
                let cut: Vec<_> =
                    starts.map(|at| Ok(batch.slice(at, rows.max(1).min(batch.num_rows() - at)))).collect();
                stream::iter(cut)
            })
            .try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}
