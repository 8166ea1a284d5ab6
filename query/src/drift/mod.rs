//! Drift: what differs between two sets of runs, agent by agent. The tables `drift`, `drift_points` and `drift_detail`
//! compare the last 7 days with the 28 before; the functions of the same names take other sides.
//!
//! | module | does |
//! |---|---|
//! | `cohort` | which runs a side has |
//! | `gather` | rows of `agent_runs` as runs to compare |
//! | `function` | the table functions |
//!
//! What is compared, and how, is [`spanfile::drift`].

mod cohort;
mod function;
mod gather;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, collect, execute_stream};
use futures::{StreamExt, TryStreamExt, stream};
use spanfile::drift::{Agents, Runs, Settings, detail_rows, drift_rows, point_rows, worst_first};
use spanfile::schema::{Column, DRIFT, DRIFT_DETAIL, DRIFT_POINTS};

use crate::catalog::Database;
use crate::provider::{sql_schema_of, to_sql};
use cohort::{Cohort, stats_error};
pub(crate) use function::{NAMES as FUNCTIONS, register};

/// What is told of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DriftTable {
    Drift,
    Points,
    Detail,
}

impl DriftTable {
    pub(crate) const ALL: [DriftTable; 3] = [DriftTable::Drift, DriftTable::Points, DriftTable::Detail];

    pub(crate) fn name(self) -> &'static str {
        match self {
            DriftTable::Drift => "drift",
            DriftTable::Points => "drift_points",
            DriftTable::Detail => "drift_detail",
        }
    }

    pub(crate) fn find(name: &str) -> Option<DriftTable> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }

    pub(crate) fn columns(self) -> &'static [Column] {
        match self {
            DriftTable::Drift => DRIFT,
            DriftTable::Points => DRIFT_POINTS,
            DriftTable::Detail => DRIFT_DETAIL,
        }
    }

    /// What a row is.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            DriftTable::Drift => {
                "What differs between the last 7 days and the 28 before: one row per agent and metric, the worst first; drift(...) compares others."
            }
            DriftTable::Points => {
                "Where metrics of agents changed their level during the last 35 days: one row per change; drift_points(...) looks at others."
            }
            DriftTable::Detail => {
                "The distributions behind drift: one row per agent, metric and bin; drift_detail(...) compares others."
            }
        }
    }
}

/// What is compared, and how.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    base: Cohort,
    current: Cohort,
    /// Column or expression of `agent_runs` that runs are compared within.
    by: Option<String>,
    settings: Settings,
    /// Scores for which less is better.
    lower_is_better: Vec<String>,
}

impl Question {
    /// The last 7 days and the 28 before.
    pub(crate) fn usual() -> Result<Self> {
        let (base, current) = cohort::defaults(None, None)?;
        let settings = Settings::default();
        Ok(Question { base, current, by: None, settings, lower_is_better: Vec::new() })
    }
}

/// A comparison of runs of a database, computed when it is read.
#[derive(Debug)]
pub(crate) struct DriftProvider {
    table: DriftTable,
    schema: SchemaRef,
    question: Question,
    database: Arc<Database>,
}

impl DriftProvider {
    pub(crate) fn new(table: DriftTable, question: Question, database: Arc<Database>) -> Self {
        DriftProvider { table, schema: sql_schema_of(table.columns()), question, database }
    }

    async fn physical(&self, database: &Database, sql: &str, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = database.plan(sql).await?;
        session.create_physical_plan(&plan).await
    }

    /// Start of the newest run, where a side asks for it.
    async fn newest(&self, database: &Database, sides: [&Cohort; 2], session: &dyn Session) -> Result<i64> {
        if !sides.iter().any(|side| side.rule.asks_for_newest()) {
            return Ok(0);
        }
        let sql = "SELECT CAST(max(start_time) AS BIGINT) AS newest FROM runs";
        let plan = self.physical(database, sql, session).await?;
        let batches = collect(plan, session.task_ctx()).await?;
        let newest = batches.iter().find(|b| b.num_rows() > 0 && b.column(0).is_valid(0));
        Ok(newest.map_or(0, |b| b.column(0).as_primitive::<Int64Type>().value(0)))
    }

    /// How the runs of a database are read: which of the sides it has, given their conditions.
    async fn source(&self, database: &Database, sides: [Option<String>; 2], session: &dyn Session) -> Result<Source> {
        let [base, current] = sides.map(|s| s.unwrap_or_else(|| "false".to_owned()));
        let by = self.question.by.as_deref().unwrap_or("NULL");
        let runs = format!(
            "SELECT {columns}, base, current, stratum FROM (SELECT *, ({base}) AS base, ({current}) AS current, \
             CAST(({by}\n) AS VARCHAR) AS stratum FROM agent_runs) WHERE base OR current",
            columns = gather::COLUMNS
        );
        let scores =
            "SELECT trace_id, name, avg(value) AS value FROM scores WHERE value IS NOT NULL GROUP BY trace_id, name";
        Ok(Source {
            runs: self.physical(database, &runs, session).await?,
            scores: self.physical(database, scores, session).await?,
        })
    }

    async fn sources(&self, session: &dyn Session) -> Result<Vec<Source>> {
        let Question { base, current, .. } = &self.question;
        let of = |cohort: &Cohort| cohort.file.clone().unwrap_or_else(|| Arc::clone(&self.database));
        let (of_base, of_current) = (of(base), of(current));
        if Arc::ptr_eq(&of_base, &of_current) {
            let newest = self.newest(&of_base, [base, current], session).await?;
            let sides = [base.rule.condition(&current.rule, newest)?, current.rule.condition(&base.rule, newest)?];
            return Ok(vec![self.source(&of_base, sides.map(Some), session).await?]);
        }
        let newest_base = self.newest(&of_base, [base, base], session).await?;
        let newest_current = self.newest(&of_current, [current, current], session).await?;
        let base = base.rule.condition(&current.rule, newest_base)?;
        let current = current.rule.condition(&self.question.base.rule, newest_current)?;
        Ok(vec![
            self.source(&of_base, [Some(base), None], session).await?,
            self.source(&of_current, [None, Some(current)], session).await?,
        ])
    }
}

#[async_trait]
impl TableProvider for DriftProvider {
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
        let compared = Compared {
            table: self.table,
            schema: self.schema(),
            sources: self.sources(session).await?,
            question: self.question.clone(),
        };
        Ok(Arc::new(StreamingTableExec::try_new(
            self.schema(),
            vec![Arc::new(compared)],
            projection,
            None,
            false,
            limit,
        )?))
    }
}

/// Plans that read the runs of a database, and what was judged of them.
#[derive(Debug, Clone)]
struct Source {
    runs: Arc<dyn ExecutionPlan>,
    scores: Arc<dyn ExecutionPlan>,
}

#[derive(Debug, Clone)]
struct Compared {
    table: DriftTable,
    schema: SchemaRef,
    sources: Vec<Source>,
    question: Question,
}

impl PartitionStream for Compared {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let this = self.clone();
        let rows = stream::once(async move { this.rows(context).await });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}

impl Compared {
    async fn rows(self, context: Arc<TaskContext>) -> Result<RecordBatch> {
        let mut runs = Runs::new(self.question.lower_is_better.iter().cloned());
        let mut both = 0;
        for source in &self.sources {
            let (mut names, mut scores) = (HashMap::new(), gather::Scores::new());
            let mut read = execute_stream(Arc::clone(&source.scores), Arc::clone(&context))?;
            while let Some(batch) = read.try_next().await? {
                gather::add_scores(batch, &mut names, &mut scores)?;
            }
            let mut read = execute_stream(Arc::clone(&source.runs), Arc::clone(&context))?;
            while let Some(batch) = read.next().await {
                both += gather::add(batch?, &scores, self.question.settings.secondary, &mut runs)?;
            }
        }
        gather::check(both)?;
        let (table, settings) = (self.table, self.question.settings);
        let rows = match table {
            DriftTable::Drift => {
                let mut found = each_agent(runs, &settings, Agents::compare).await?;
                worst_first(&mut found, &settings);
                drift_rows(&found, &settings)
            }
            DriftTable::Points => point_rows(&each_agent(runs, &settings, Agents::points).await?),
            DriftTable::Detail => detail_rows(&each_agent(runs, &settings, Agents::detail).await?),
        };
        to_sql(&rows, &self.schema)
    }
}

/// Runs a computation for one agent after the other, each on a thread that may block: a query that is dropped ends with
/// the agent under way.
async fn each_agent<T: Send + 'static>(
    runs: Runs,
    settings: &Settings,
    compute: fn(&Agents, usize, &Settings) -> spanfile::stats::Result<Vec<T>>,
) -> Result<Vec<T>> {
    let agents = Arc::new(runs.by_agent());
    let mut found = Vec::new();
    for agent in 0..agents.len() {
        let (agents, settings) = (Arc::clone(&agents), settings.clone());
        let work = tokio::task::spawn_blocking(move || compute(&agents, agent, &settings));
        let part = work.await.map_err(|e| exec_datafusion_err!("comparing stopped: {e}"))?;
        found.append(&mut part.map_err(stats_error)?);
    }
    Ok(found)
}
