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

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, SchemaError, exec_datafusion_err, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, collect, execute_stream};
use futures::{TryStreamExt, stream};
use spanfile::drift::{Agents, Runs, Settings, Side, worst_first};
use spanfile::drifted::{detail_rows, drift_rows, point_rows};
use spanfile::schema::{Column, DRIFT, DRIFT_DETAIL, DRIFT_POINTS};

use crate::catalog::Database;
use crate::provider::{sql_schema_of, to_sql};
use cohort::{Cohort, Rule, stats_error};
pub(crate) use function::{NAMES as FUNCTIONS, register};
use gather::{Other, Taken};

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

    /// How the runs of one side are read.
    async fn side(&self, side: Side, session: &dyn Session) -> Result<OneSide> {
        let Question { base, current, by, .. } = &self.question;
        let (cohort, other, parameter) = match side {
            Side::Base => (base, current, "baseline"),
            Side::Current => (current, base, "current"),
        };
        let of = |cohort: &Cohort| cohort.file.clone().unwrap_or_else(|| Arc::clone(&self.database));
        let (database, of_other) = (of(cohort), of(other));
        let same = Arc::ptr_eq(&database, &of_other);
        // In another file, the newest run is another.
        let newest = self.newest(&database, [cohort, if same { other } else { cohort }], session).await?;
        let by = by.as_deref().unwrap_or("NULL");
        let from = |stratum: &str, condition: &str| {
            format!(
                "SELECT {columns}, CAST(({stratum}\n) AS VARCHAR) AS stratum FROM agent_runs WHERE {condition}",
                columns = gather::COLUMNS
            )
        };
        let condition = cohort.rule.condition(&other.rule, newest)?;
        // What is wrong is said of the parameter that it stands in.
        if self.question.by.is_some() {
            let strata = self.physical(&database, &from(by, "true"), session).await;
            strata.map_err(|e| refused(self.table, "by", &e))?;
        }
        let runs = self.physical(&database, &from(by, &condition), session).await;
        let runs = runs.map_err(|e| refused(self.table, parameter, &e))?;
        let other = match (&cohort.rule, &other.rule) {
            _ if !same => Other::Ignored,
            (Rule::Others, _) => Other::LeftOut,
            (rule, other) if rule.excludes(other) => Other::Ignored,
            (_, Rule::Others) => Other::Remembered,
            _ if side == Side::Base => Other::Remembered,
            _ => Other::Counted,
        };
        let scores =
            "SELECT trace_id, name, avg(value) AS value FROM scores WHERE value IS NOT NULL GROUP BY trace_id, name";
        let steps = "SELECT trace_id, run_agent, tool_name, finish_reasons, ttft_ns FROM spans \
                     WHERE step IS NOT NULL AND kind IN ('llm', 'tool') ORDER BY trace_id, step";
        // What lies beside the runs is read once of one database.
        let beside = match side == Side::Base || !same {
            true => Some(BesidePlans {
                scores: self.physical(&database, scores, session).await?,
                steps: match self.question.settings.secondary {
                    true => Some(self.physical(&database, steps, session).await?),
                    false => None,
                },
            }),
            false => None,
        };
        Ok(OneSide { side, runs, beside, other })
    }
}

/// An error of a parameter's text, without places in SQL that nobody wrote.
fn refused(table: DriftTable, parameter: &str, e: &DataFusionError) -> DataFusionError {
    let why = match e.find_root() {
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, .. } => {
                format!("there is no column {} in agent_runs; expected {}", field.flat_name(), cohort::FORMS)
            }
            other => other.to_string(),
        },
        other => other.strip_backtrace(),
    };
    let why = why.trim_start_matches("Error during planning: ");
    DataFusionError::Plan(format!("{}: {parameter}: {}", table.name(), why.lines().next().unwrap_or(why)))
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
            sides: [self.side(Side::Base, session).await?, self.side(Side::Current, session).await?],
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

/// Plans that read the runs of a side, and what was judged of them.
#[derive(Debug, Clone)]
struct OneSide {
    side: Side,
    runs: Arc<dyn ExecutionPlan>,
    /// Of the current side `None` where the base's serves both.
    beside: Option<BesidePlans>,
    other: Other,
}

#[derive(Debug, Clone)]
struct BesidePlans {
    scores: Arc<dyn ExecutionPlan>,
    /// Calls in order, which only secondary metrics ask for.
    steps: Option<Arc<dyn ExecutionPlan>>,
}

#[derive(Debug, Clone)]
struct Compared {
    table: DriftTable,
    schema: SchemaRef,
    sides: [OneSide; 2],
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
        let mut lower: BTreeMap<String, bool> = BTreeMap::new();
        let (mut both, mut seen) = (0, gather::Seen::default());
        let [of_base, of_current] = [&self.sides[0], &self.sides[1]].map(|side| side.beside.as_ref());
        let beside_base = Beside::read(of_base, &context).await?;
        let beside_current = Beside::read(of_current, &context).await?;
        // What takes all others comes last.
        let mut sides: Vec<&OneSide> = self.sides.iter().collect();
        sides.sort_by_key(|side| matches!(side.other, Other::LeftOut | Other::Counted));
        for side in sides {
            let of_base = side.side == Side::Base || of_current.is_none();
            let beside = if of_base { &beside_base } else { &beside_current };
            let (scores, details) = (&beside.scores, beside.details.as_ref());
            let mut taken = Taken { side: side.side, scores, details, other: side.other, seen: &mut seen };
            let mut read = execute_stream(Arc::clone(&side.runs), Arc::clone(&context))?;
            while let Some(batch) = read.try_next().await? {
                both += gather::add(batch, &mut taken, &mut runs)?;
            }
            for name in &self.question.lower_is_better {
                lower.insert(name.clone(), beside.names.contains_key(name) || lower.get(name) == Some(&true));
            }
        }
        if let Some((name, _)) = lower.iter().find(|(_, known)| !**known) {
            return exec_err!("{}: lower_is_better: there is no score {name}", self.table.name());
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

/// What lies beside the runs of a database.
struct Beside {
    names: HashMap<String, Arc<str>>,
    scores: gather::Scores,
    details: Option<gather::Detailed>,
}

impl Beside {
    async fn read(plans: Option<&BesidePlans>, context: &Arc<TaskContext>) -> Result<Beside> {
        let mut beside = Beside { names: HashMap::new(), scores: gather::Scores::new(), details: None };
        let Some(plans) = plans else { return Ok(beside) };
        let mut read = execute_stream(Arc::clone(&plans.scores), Arc::clone(context))?;
        while let Some(batch) = read.try_next().await? {
            gather::add_scores(batch, &mut beside.names, &mut beside.scores)?;
        }
        if let Some(steps) = &plans.steps {
            let (mut tools, mut found) = (HashMap::new(), gather::Detailed::new());
            let mut read = execute_stream(Arc::clone(steps), Arc::clone(context))?;
            while let Some(batch) = read.try_next().await? {
                gather::add_steps(batch, &mut tools, &mut found)?;
            }
            beside.details = Some(found);
        }
        Ok(beside)
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
