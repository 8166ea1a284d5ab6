//! Table functions over costs: at another date's prices, on another model, per success by any measure; loops at other
//! settings.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampNanosecondType};
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{JoinType, Result, ScalarValue, plan_err};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableType, col, ident};
use datafusion::physical_plan::ExecutionPlan;
use spanfile::loops::{SETTINGS, SettingValue};

use super::{CostProvider, CostTable, PricedAs};
use crate::catalog::Database;
use crate::functions::{Constants, USD, usage};
use crate::provider::FileView;
use crate::statement;

/// Names of the functions.
pub(crate) const NAMES: [&str; 5] = ["cost_as_of", "cost_what_if", "cost_per_success", "loops", "loop_spans"];

/// Makes the functions of a database known to the session that plans a statement.
pub(crate) fn register(session: &mut SessionState, schema: &str, database: &Arc<Database>) {
    let default = session.config_options().catalog.default_schema == schema;
    for name in NAMES {
        let function: Arc<dyn TableFunctionImpl> = Arc::new(Function { name, database: Arc::downgrade(database) });
        session.register_udtf(&format!("{schema}.{name}"), Arc::clone(&function));
        if default {
            session.register_udtf(name, function);
        }
    }
}

#[derive(Debug)]
struct Function {
    name: &'static str,
    database: Weak<Database>,
}

impl Function {
    fn constants<'e>(&self, args: &'e [&'e Expr]) -> Constants<'e, &'e Expr> {
        Constants { function: self.name, args }
    }

    /// Loops at other settings: those of the session, changed by the arguments.
    fn loops(&self, table: CostTable, args: &[&Expr], database: &Database) -> Result<Arc<dyn TableProvider>> {
        let mut settings = database.loop_settings();
        for (at, name) in SETTINGS.iter().enumerate().take(args.len()) {
            let Some(value) = self.constants(args).value(at)? else { continue };
            let value = match value {
                ScalarValue::Boolean(Some(flag)) => SettingValue::Flag(*flag),
                value => match value.try_as_str() {
                    Some(Some(list)) => SettingValue::Texts(list.split(',').map(|t| t.trim().to_owned()).collect()),
                    _ => SettingValue::Number(self.constants(args).number(at)?.unwrap_or(f64::NAN)),
                },
            };
            settings.set(name, &value).map_err(|e| DataFusionError::Plan(format!("{}: {e}", self.name)))?;
        }
        if args.len() > SETTINGS.len() {
            return plan_err!("{}: too many arguments; expected {}", self.name, usage(self.name));
        }
        Ok(Arc::new(CostProvider::new(table, PricedAs::default(), database.seen()).searched(settings)))
    }

    /// A date or time as nanoseconds since 1970, UTC.
    fn moment(&self, args: &[&Expr], at: usize) -> Result<i64> {
        let Some(value) = self.constants(args).value(at)? else { return plan_err!("expected {}", usage(self.name)) };
        let time = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let moment = value.to_array().and_then(|array| Ok(cast(&array, &time)?));
        match moment {
            Ok(array) if array.is_valid(0) => Ok(array.as_primitive::<TimestampNanosecondType>().value(0)),
            _ => plan_err!("{}: {value} is no date; write it as '2025-05-01'", self.name),
        }
    }
}

impl TableFunctionImpl for Function {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let Some(database) = self.database.upgrade() else { return plan_err!("{}: the file is closed", self.name) };
        let exprs: Vec<&Expr> = args.exprs().iter().collect();
        let given = self.constants(&exprs);
        let view = |plan| Ok(Arc::new(ViewTable::new(plan, None)) as Arc<dyn TableProvider>);
        match (self.name, exprs.len()) {
            ("cost_as_of", 1) => {
                let as_of_unix_nano = Some(self.moment(&exprs, 0)?);
                view(compared(PricedAs { as_of_unix_nano, instead: None }, database.seen())?)
            }
            ("cost_what_if", 2) => {
                let (Some(from), Some(to)) = (given.text(0)?.map(str::to_owned), given.text(1)?.map(str::to_owned))
                else {
                    return plan_err!("expected {}", usage(self.name));
                };
                view(compared(PricedAs { as_of_unix_nano: None, instead: Some((from, to)) }, database.seen())?)
            }
            ("cost_per_success", 1..=5) => {
                let success = Success {
                    condition: given.text(0)?.map(str::to_owned),
                    score: given.text(1)?.map(str::to_owned),
                    at_least: given.number(2)?,
                    at_most: given.number(3)?,
                    by: given.text(4)?.map(str::to_owned),
                };
                Ok(Arc::new(PerSuccess::new(&success, database)?))
            }
            ("loops", _) => self.loops(CostTable::Loops, &exprs, &database),
            ("loop_spans", _) => self.loops(CostTable::LoopSpans, &exprs, &database),
            _ => plan_err!("expected {}", usage(self.name)),
        }
    }
}

/// Costs of runs at other prices, beside what they cost.
fn compared(priced_as: PricedAs, files: Vec<FileView>) -> Result<LogicalPlan> {
    for file in &files {
        // A model without a price is said now.
        priced_as.of(file)?;
    }
    let actual = CostProvider::new(CostTable::Runs, PricedAs::default(), files.clone());
    let other = CostProvider::new(CostTable::Runs, priced_as, files);
    let columns = CostTable::Runs.columns().iter().map(|c| col(format!("other.{}", c.name)).alias(c.name));
    let added = [("cost_usd", "actual_cost_usd"), ("cost_complete", "actual_cost_complete")]
        .map(|(from, to)| col(format!("actual.{from}")).alias(to));
    let actual = LogicalPlanBuilder::scan("actual", provider_as_source(Arc::new(actual)), None)?.build()?;
    LogicalPlanBuilder::scan("other", provider_as_source(Arc::new(other)), None)?
        .join(actual, JoinType::Inner, (vec!["other.trace_id"], vec!["actual.trace_id"]), None)?
        .project(columns.chain(added))?
        .build()
}

/// What a success is.
struct Success {
    /// A condition on the columns of `cost_per_run`.
    condition: Option<String>,
    /// A score, and its bounds.
    score: Option<String>,
    at_least: Option<f64>,
    at_most: Option<f64>,
    /// A text column of `cost_per_run`.
    by: Option<String>,
}

/// Text columns of `cost_per_run` that runs may be grouped by.
const GROUPS: [&str; 9] = [
    "workflow",
    "workflow_name",
    "root_name",
    "agents",
    "session_id",
    "user_id",
    "service_name",
    "environment",
    "trace_id",
];

/// Cost per success; planned when it is read.
#[derive(Debug)]
struct PerSuccess {
    database: Arc<Database>,
    sql: String,
    schema: SchemaRef,
}

impl PerSuccess {
    fn new(success: &Success, database: Arc<Database>) -> Result<Self> {
        let by = success.by.as_deref().unwrap_or("workflow");
        if !GROUPS.contains(&by) {
            return plan_err!("cost_per_success: by is one of {}, not {by}", GROUPS.join(", "));
        }
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let mut conditions = Vec::new();
        if let Some(condition) = &success.condition {
            // It must be one expression of its own: nothing may end the parentheses around it.
            statement::check_expression(condition)
                .map_err(|e| DataFusionError::Plan(format!("cost_per_success: success is no condition: {e}")))?;
            conditions.push(format!("({condition}\n)"));
        }
        let mut join = String::new();
        match (&success.score, success.at_least, success.at_most) {
            (None, None, None) => {}
            (None, ..) => return plan_err!("cost_per_success: a bound needs the name of a score"),
            (Some(_), None, None) => return plan_err!("cost_per_success: a score needs at_least or at_most"),
            (Some(score), at_least, at_most) => {
                join = format!(
                    "LEFT JOIN (SELECT trace_id AS judged, avg(value) AS score FROM scores WHERE name = {} \
                     GROUP BY trace_id) AS s ON s.judged = r.trace_id",
                    quoted(score)
                );
                conditions.extend(at_least.map(|n| format!("score >= {n}")));
                conditions.extend(at_most.map(|n| format!("score <= {n}")));
            }
        }
        if conditions.is_empty() {
            conditions.push("outcome = 'completed'".to_owned());
        }
        let sql = format!(
            "SELECT {by}, runs, successful_runs, CAST(successful_runs AS DOUBLE) / runs AS success_rate, unknown_runs, \
             cost_usd, CASE WHEN cost_complete THEN usd_per(cost_usd, runs) END AS cost_per_run_usd, \
             CASE WHEN cost_complete THEN usd_per(cost_usd, successful_runs) END AS cost_per_success_usd, \
             failed_cost_usd, reported_cost_usd, cost_complete, unpriced_spans, unpriced_tokens FROM (\
             SELECT {by}, count(*) AS runs, count(*) FILTER (WHERE success) AS successful_runs, \
             count(*) FILTER (WHERE success IS NULL) AS unknown_runs, \
             CAST(sum(cost_usd) AS DECIMAL(38, 12)) AS cost_usd, \
             CAST(sum(cost_usd) FILTER (WHERE success IS NOT TRUE) AS DECIMAL(38, 12)) AS failed_cost_usd, \
             CAST(sum(reported_cost_usd) AS DECIMAL(38, 12)) AS reported_cost_usd, \
             bool_and(cost_complete) AS cost_complete, sum(unpriced_spans) AS unpriced_spans, \
             sum(unpriced_tokens) AS unpriced_tokens FROM (\
             SELECT *, CAST({} AS BOOLEAN) AS success FROM (SELECT *, coalesce(workflow_name, root_name) AS workflow \
             FROM cost_per_run) AS r {join}) GROUP BY {by})",
            conditions.join(" AND ")
        );
        let int = |name: &str| Field::new(name, DataType::Int64, true);
        let usd = |name: &str| Field::new(name, USD, true);
        let schema = Arc::new(Schema::new(vec![
            Field::new(by, DataType::Utf8View, true),
            int("runs"),
            int("successful_runs"),
            Field::new("success_rate", DataType::Float64, true),
            int("unknown_runs"),
            usd("cost_usd"),
            usd("cost_per_run_usd"),
            usd("cost_per_success_usd"),
            usd("failed_cost_usd"),
            usd("reported_cost_usd"),
            Field::new("cost_complete", DataType::Boolean, true),
            int("unpriced_spans"),
            int("unpriced_tokens"),
        ]));
        Ok(PerSuccess { database, sql, schema })
    }
}

#[async_trait]
impl TableProvider for PerSuccess {
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
        let plan = self.database.plan(&self.sql).await?;
        let casts = self
            .schema
            .fields()
            .iter()
            .map(|f| datafusion::logical_expr::cast(ident(f.name()), f.data_type().clone()).alias(f.name()));
        let mut plan = LogicalPlanBuilder::from(plan).project(casts)?;
        if let Some(columns) = projection {
            plan = plan.project(columns.iter().map(|i| ident(self.schema.field(*i).name())))?;
        }
        session.create_physical_plan(&plan.limit(0, limit)?.build()?).await
    }
}
