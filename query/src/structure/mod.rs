//! The tree of a run in SQL: table functions that go from a span to those around it.
//!
//! `ancestors`, `descendants`, `children`, `parent` and `path` take a span id, and the trace id that makes them fast;
//! `trace` takes a trace id. All give rows of `spans`. They belong to a database: `descendants('...')` is that of
//! `main`, `old.descendants('...')` that of the files attached as `old`.
//!
//! A span's place in the nested set (`tree_left`, `tree_right`) turns each of them into a range. Places are those of
//! one file, so where several files have the same trace, each gives the span's relatives in it.

mod calls;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, col, lit,
};
use datafusion::physical_plan::{ExecutionPlan, collect};
use spanfile::Table;
use spanfile::schema::{SPAN_ID_BYTES, TRACE_ID_BYTES};

use crate::catalog::Database;
use crate::provider::{FileView, StoredTable};

pub(crate) use calls::name_functions;

/// A span id that is in more traces than this says too little.
const MAX_TRACES: usize = 1000;

/// Where the spans are, seen from the one that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Ancestors,
    Children,
    Descendants,
    Parent,
    Path,
    Trace,
}

const RELATIONS: [(&str, Relation); 6] = [
    ("ancestors", Relation::Ancestors),
    ("children", Relation::Children),
    ("descendants", Relation::Descendants),
    ("parent", Relation::Parent),
    ("path", Relation::Path),
    ("trace", Relation::Trace),
];

/// Names of the functions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    RELATIONS.iter().map(|(name, _)| *name)
}

/// How one of the functions is called.
pub(crate) fn usage(function: &str) -> Option<String> {
    let (name, relation) = RELATIONS.iter().find(|(name, _)| *name == function)?;
    Some(match relation {
        Relation::Trace => format!("{name}(trace_id)"),
        _ => format!("{name}(span_id [, trace_id])"),
    })
}

/// Makes the functions of a database known to the session that plans a statement: `schema.function`, and `function` for
/// the schema that names without one mean.
pub(crate) fn register(session: &mut SessionState, schema: &str, database: &Arc<Database>) {
    let default = session.config_options().catalog.default_schema == schema;
    for (name, relation) in RELATIONS {
        let function: Arc<dyn TableFunctionImpl> =
            Arc::new(Function { name, relation, database: Arc::clone(database) });
        session.register_udtf(&format!("{schema}.{name}"), Arc::clone(&function));
        if default {
            session.register_udtf(name, function);
        }
    }
}

fn usage_of(function: &str) -> String {
    usage(function).unwrap_or_else(|| function.to_owned())
}

#[derive(Debug)]
struct Function {
    name: &'static str,
    relation: Relation,
    database: Arc<Database>,
}

impl Function {
    /// An argument as the id that SQL shows; `None` when it is NULL.
    fn id(&self, argument: &Expr, what: &str, bytes: usize) -> Result<Option<String>> {
        let Expr::Literal(value, _) = argument else {
            return plan_err!("{} takes ids as constants", self.name);
        };
        if value.is_null() {
            return Ok(None);
        }
        match value.try_as_str() {
            Some(Some(id)) if id.len() == 2 * bytes && id.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Ok(Some(id.to_ascii_lowercase()))
            }
            _ => plan_err!("{}: {value} is no {what} id, which has {} hex digits", self.name, 2 * bytes),
        }
    }
}

impl TableFunctionImpl for Function {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let files = self.database.seen();
        let view = |plan| Ok(Arc::new(ViewTable::new(plan, None)) as Arc<dyn TableProvider>);
        let nothing = || spans(Vec::new())?.filter(lit(false))?.build();
        if self.relation == Relation::Trace {
            let [trace] = args.exprs() else { return plan_err!("expected {}", usage_of(self.name)) };
            return match self.id(trace, "trace", TRACE_ID_BYTES)? {
                Some(id) => view(spans(files)?.filter(col("trace_id").eq(lit(id)))?.build()?),
                None => view(nothing()?),
            };
        }
        let (span, trace) = match args.exprs() {
            [span] => (span, None),
            [span, trace] => (span, Some(trace)),
            _ => return plan_err!("expected {}", usage_of(self.name)),
        };
        let span = self.id(span, "span", SPAN_ID_BYTES)?;
        let trace = trace.map(|t| self.id(t, "trace", TRACE_ID_BYTES)).transpose()?;
        match (span, trace) {
            (Some(span), None) => Ok(Arc::new(Relatives { relation: self.relation, span, trace: None, files })),
            (Some(span), Some(Some(id))) => {
                Ok(Arc::new(Relatives { relation: self.relation, span, trace: Some(id), files }))
            }
            (None, _) | (_, Some(None)) => view(nothing()?),
        }
    }
}

fn spans(files: Vec<FileView>) -> Result<LogicalPlanBuilder> {
    let table = Arc::new(StoredTable::new(Table::Spans, files));
    LogicalPlanBuilder::scan("spans", provider_as_source(table), None)
}

/// Where a span is in its trace.
struct Place {
    trace: String,
    depth: i64,
    left: i64,
    right: i64,
}

impl Place {
    /// Whether a span stands in a relation to this one.
    fn condition(&self, relation: Relation) -> Expr {
        let (left, right, depth) = (|| col("tree_left"), || col("tree_right"), || col("depth"));
        let above = || left().lt(lit(self.left)).and(right().gt_eq(lit(self.left)));
        let below = || left().gt(lit(self.left)).and(left().lt_eq(lit(self.right)));
        let place = match relation {
            Relation::Ancestors => above(),
            Relation::Parent => above().and(depth().eq(lit(self.depth.saturating_sub(1)))),
            Relation::Path => left().lt_eq(lit(self.left)).and(right().gt_eq(lit(self.left))),
            Relation::Descendants => below(),
            Relation::Children => below().and(depth().eq(lit(self.depth.saturating_add(1)))),
            Relation::Trace => lit(true),
        };
        col("trace_id").eq(lit(self.trace.as_str())).and(place)
    }
}

/// The spans around one.
#[derive(Debug)]
struct Relatives {
    relation: Relation,
    span: String,
    trace: Option<String>,
    files: Vec<FileView>,
}

impl Relatives {
    /// Where the span is in a file. With its trace known, that is one directory lookup; without, every span id of the
    /// file is compared, which reads that column only.
    async fn places(&self, session: &dyn Session, file: &FileView) -> Result<Vec<Place>> {
        let mut condition = col("span_id").eq(lit(self.span.as_str()));
        if let Some(trace) = &self.trace {
            condition = col("trace_id").eq(lit(trace.as_str())).and(condition);
        }
        let plan = spans(vec![file.clone()])?
            .filter(condition)?
            .project(["trace_id", "depth", "tree_left", "tree_right"].map(col))?
            .limit(0, Some(MAX_TRACES + 1))?
            .build()?;
        let found = collect(session.create_physical_plan(&plan).await?, session.task_ctx()).await?;
        let mut places = Vec::new();
        for batch in &found {
            places.extend(places_in(batch)?);
        }
        if places.len() > MAX_TRACES {
            return plan_err!("the span id {} is in more than {MAX_TRACES} traces; give the trace id too", self.span);
        }
        Ok(places)
    }

    async fn plan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<LogicalPlan> {
        let mut all: Option<LogicalPlanBuilder> = None;
        for file in &self.files {
            for place in self.places(session, file).await? {
                let mut leg = spans(vec![file.clone()])?.filter(place.condition(self.relation))?;
                for f in filters {
                    leg = leg.filter(f.clone())?;
                }
                all = Some(match all {
                    Some(before) => before.union(leg.build()?)?,
                    None => leg,
                });
            }
        }
        let mut plan = match all {
            Some(plan) => plan,
            None => spans(Vec::new())?.filter(lit(false))?,
        };
        if matches!(self.relation, Relation::Ancestors | Relation::Path) {
            // Roots first, as a path is read.
            plan = plan.sort([col("trace_id").sort(true, false), col("tree_left").sort(true, false)])?;
        }
        if let Some(columns) = projection {
            let names: Vec<Expr> = columns.iter().map(|i| col(plan.schema().field(*i).name())).collect();
            plan = plan.project(names)?;
        }
        plan.limit(0, limit)?.build()
    }
}

fn places_in(batch: &RecordBatch) -> Result<Vec<Place>> {
    let [trace, depth, left, right] = batch.columns() else {
        return internal_err!("a place has four columns, not {}", batch.num_columns());
    };
    let trace = cast(trace, &DataType::Utf8)?;
    let numbers = |c| Ok::<_, datafusion::error::DataFusionError>(cast(c, &DataType::Int64)?);
    let (depth, left, right) = (numbers(depth)?, numbers(left)?, numbers(right)?);
    let at = |c: &datafusion::arrow::array::ArrayRef, i| c.as_primitive::<Int64Type>().value(i);
    let place = |i| Place {
        trace: trace.as_string::<i32>().value(i).to_owned(),
        depth: at(&depth, i),
        left: at(&left, i),
        right: at(&right, i),
    };
    Ok((0..batch.num_rows()).map(place).collect())
}

#[async_trait]
impl TableProvider for Relatives {
    fn schema(&self) -> SchemaRef {
        StoredTable::new(Table::Spans, Vec::new()).schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // They become part of the plan below.
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = self.plan(session, projection, filters, limit).await?;
        session.create_physical_plan(&plan).await
    }
}
