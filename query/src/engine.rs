//! A session over attached files: from SQL text to a stream of rows.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemoryCatalogProviderList};
use datafusion::datasource::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry, ObjectStoreUrl};
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::functions_aggregate::count::count_all;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::object_store::memory::InMemory;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SQLOptions, SessionConfig};
use datafusion::sql::parser::Statement as DfStatement;
use futures::TryStreamExt;
use spanfile::loops::Settings;

use crate::cancel::{self, YieldingJoins};
use crate::catalog::{Database, TABLES};
use crate::error::{QueryError, Result};
use crate::naming::{self, Name};
use crate::provider::STORE_URL;
use crate::{costs, diagnose, drift, functions, ids, statement, structure, views};

/// Name of the one catalog.
const CATALOG: &str = "spanfile";
/// Schema of the file that was opened.
const MAIN: &str = "main";
/// Names that mean something else in SQL.
const RESERVED: [&str; 3] = [CATALOG, MAIN, "information_schema"];

/// Bounds and places of a session.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Memory that operators which collect rows may use together; beyond it they spill to disk.
    pub memory_limit_bytes: usize,
    /// Where to spill; the system's temporary folder when `None`.
    pub spill_dir: Option<PathBuf>,
    /// How much may be spilled; 0 forbids it.
    pub spill_limit_bytes: u64,
    /// How many cores a query uses; all when `None`.
    pub threads: Option<usize>,
    /// What `loops(...)` begins with; the table `loops` is at the defaults.
    pub loop_settings: Settings,
}

impl Default for EngineOptions {
    fn default() -> Self {
        const GIB: u64 = 1 << 30;
        EngineOptions {
            memory_limit_bytes: 2 << 30,
            spill_dir: None,
            spill_limit_bytes: 64 * GIB,
            threads: None,
            loop_settings: Settings::default(),
        }
    }
}

/// A session: attached files, and SQL over them.
///
/// ```no_run
/// # async fn run() -> spanfile_query::Result<()> {
/// let engine = spanfile_query::Engine::open("runs.spans", Default::default())?;
/// let rows = engine.sql("SELECT kind, count(*) FROM spans GROUP BY kind").await?.collect().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Engine {
    state: SessionState,
    catalog: Arc<MemoryCatalogProvider>,
    databases: Mutex<Vec<(String, Arc<Database>)>>,
    loop_settings: Settings,
}

impl Engine {
    /// Opens one file, read-only.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: impl AsRef<Path>, options: EngineOptions) -> Result<Self> {
        Self::open_all(&[path.as_ref().to_path_buf()], options)
    }

    /// Opens several files as one: each table has the rows of all of them.
    ///
    /// # Errors
    /// When there are none, or one cannot be opened.
    pub fn open_all(paths: &[PathBuf], options: EngineOptions) -> Result<Self> {
        let engine = Self::new(options)?;
        engine.register(MAIN, paths)?;
        Ok(engine)
    }

    fn new(options: EngineOptions) -> Result<Self> {
        let engine_error = |e| QueryError::Execution(Box::new(e));
        // Nothing but segments can be scanned: the default registry's way to local files is taken out.
        let stores = DefaultObjectStoreRegistry::new();
        stores.deregister_store(ObjectStoreUrl::local_filesystem().as_ref()).map_err(engine_error)?;
        stores.register_store(STORE_URL.as_ref(), Arc::new(InMemory::new()));
        let spill = match (options.spill_limit_bytes, &options.spill_dir) {
            (0, _) => DiskManagerMode::Disabled,
            (_, Some(dir)) => DiskManagerMode::Directories(vec![dir.clone()]),
            (_, None) => DiskManagerMode::OsTmpDirectory,
        };
        let runtime = RuntimeEnvBuilder::new()
            .with_object_store_registry(Arc::new(stores))
            .with_memory_pool(Arc::new(FairSpillPool::new(options.memory_limit_bytes)))
            .with_disk_manager_builder(
                DiskManagerBuilder::default().with_mode(spill).with_max_temp_directory_size(options.spill_limit_bytes),
            )
            .build_arc()
            .map_err(engine_error)?;
        let catalog = Arc::new(MemoryCatalogProvider::new());
        let catalogs = MemoryCatalogProviderList::new();
        datafusion::catalog::CatalogProviderList::register_catalog(
            &catalogs,
            CATALOG.into(),
            Arc::clone(&catalog) as _,
        );
        let state = SessionStateBuilder::new()
            .with_config(session_config(&options))
            .with_runtime_env(runtime)
            .with_catalog_list(Arc::new(catalogs))
            .with_default_features()
            .with_physical_optimizer_rule(Arc::new(YieldingJoins))
            .build();
        let mut engine = Engine { state, catalog, databases: Mutex::default(), loop_settings: options.loop_settings };
        functions::register(&mut engine.state).map_err(engine_error)?;
        Ok(engine)
    }

    /// Attaches one or several files as a schema: `alias.spans`, `alias.events` and so on.
    ///
    /// # Errors
    /// When the alias is taken or no plain name, or a file cannot be opened.
    pub fn attach(&self, paths: &[PathBuf], alias: &str) -> Result<()> {
        let refuse = |reason| Err(QueryError::Alias { alias: alias.to_owned(), reason });
        let mut chars = alias.chars();
        let plain = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
            && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !plain {
            return refuse("a name is made of lower-case letters, digits and _");
        }
        if RESERVED.contains(&alias) || TABLES.contains(&alias) || self.database_names().iter().any(|n| n == alias) {
            return refuse("the name is taken");
        }
        self.register(alias, paths)
    }

    fn register(&self, name: &str, paths: &[PathBuf]) -> Result<()> {
        if paths.is_empty() {
            return Err(QueryError::NoFiles { pattern: String::new() });
        }
        let database = Arc::new(Database::open(paths, self.loop_settings.clone())?);
        database.prepare_views(&self.state).map_err(|e| QueryError::Execution(Box::new(e)))?;
        self.catalog
            .register_schema(name, Arc::clone(&database) as _)
            .map_err(|e| QueryError::Execution(Box::new(e)))?;
        self.databases.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), database));
        Ok(())
    }

    /// Names of the attached databases, `main` first.
    pub fn database_names(&self) -> Vec<String> {
        self.databases().into_iter().map(|(n, _)| n).collect()
    }

    /// Each attached database with its files.
    pub fn attached(&self) -> Vec<(String, Vec<PathBuf>)> {
        self.databases().into_iter().map(|(n, d)| (n, d.paths().map(Path::to_path_buf).collect())).collect()
    }

    /// What gives the loops that the session's settings ask for: the table `loops`, which is at the defaults, or the
    /// function.
    pub fn loops(&self) -> &'static str {
        if self.loop_settings == Settings::default() { "loops" } else { "loops()" }
    }

    /// Names of the tables and views of each database.
    pub fn table_names() -> &'static [&'static str] {
        &TABLES
    }

    /// The SQL of a view, described in its head; `None` for tables, and for views that are computed otherwise.
    pub fn view_definition(name: &str) -> Option<&'static str> {
        views::find(name).map(|v| v.text)
    }

    /// Takes an attached database out again; `main` stays. Says whether there was one.
    pub fn detach(&self, alias: &str) -> bool {
        let mut databases = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = databases.iter().position(|(name, _)| name == alias && name != MAIN) else { return false };
        databases.remove(at);
        // It is registered under each name in the list.
        let _ = self.catalog.deregister_schema(alias, true);
        true
    }

    /// Names of all functions that SQL may call.
    pub fn function_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.functions().into_iter().map(|f| f.name).collect();
        names.dedup();
        names
    }

    /// All functions that SQL may call, by name, with how they are called.
    pub fn functions(&self) -> Vec<FunctionInfo> {
        let s = &self.state;
        let info = |name: &str, kind, syntax: Option<&str>| {
            // Some signatures come with line ends, for documentation pages.
            let syntax = syntax.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
            let own = || structure::usage(name).unwrap_or_else(|| functions::usage(name));
            FunctionInfo { name: name.to_owned(), kind, syntax: syntax.unwrap_or_else(own) }
        };
        let mut all = Vec::new();
        for (name, f) in s.scalar_functions() {
            all.push(info(name, FunctionKind::Scalar, f.documentation().map(|d| d.syntax_example.as_str())));
        }
        for (name, f) in s.aggregate_functions() {
            all.push(info(name, FunctionKind::Aggregate, f.documentation().map(|d| d.syntax_example.as_str())));
        }
        for (name, f) in s.window_functions() {
            all.push(info(name, FunctionKind::Window, f.documentation().map(|d| d.syntax_example.as_str())));
        }
        let own = structure::names().chain(costs::FUNCTIONS).chain(drift::FUNCTIONS);
        all.extend(own.map(|name| info(name, FunctionKind::Table, None)));
        for name in s.table_functions().keys() {
            all.push(info(name, FunctionKind::Table, None));
        }
        all.extend(functions::PRICES.map(|name| info(name, FunctionKind::Scalar, None)));
        all.sort_by(|a, b| (&a.name, a.kind).cmp(&(&b.name, b.kind)));
        all.dedup_by(|a, b| (&a.name, a.kind) == (&b.name, b.kind));
        all
    }

    pub(crate) fn is_window_function(&self, name: &str) -> bool {
        self.state.window_functions().contains_key(&name.to_lowercase())
    }

    fn databases(&self) -> Vec<(String, Arc<Database>)> {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Plans one statement. It sees what is committed now, and nothing later.
    ///
    /// # Errors
    /// When the text is not one valid, reading statement.
    pub async fn sql(&self, text: &str) -> Result<Query> {
        let mut parsed = statement::parse(text)?;
        structure::name_functions(&mut parsed)?;
        functions::place_in(&mut parsed)?;
        let mut state = self.state.clone();
        let databases = self.databases();
        for (_, d) in &databases {
            d.refresh()?;
        }
        for (name, d) in &databases {
            structure::register(&mut state, name, d);
            costs::register(&mut state, name, d);
            drift::register(&mut state, name, d, &databases);
            if name == MAIN {
                functions::register_prices(&mut state, d).map_err(|e| diagnose::planning(self, text, e))?;
            }
        }
        state.mark_start_execution();
        let plan = plan(&state, parsed).await.map_err(|e| diagnose::planning(self, text, e))?;
        let plan = ids::lower_literals(text, plan).map_err(|e| diagnose::planning(self, text, e))?;
        // What the statement's kind did not give away, such as a write inside a WITH, the plan does.
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(&plan)
            .map_err(|e| diagnose::planning(self, text, e))?;
        let physical = state.create_physical_plan(&plan).await.map_err(|e| diagnose::planning(self, text, e))?;
        Ok(Query { state, logical: plan, physical })
    }
}

/// Plans a statement with its columns named after their text, or as it stands where that is refused.
async fn plan(state: &SessionState, parsed: DfStatement) -> std::result::Result<LogicalPlan, DataFusionError> {
    let mut planned = match naming::named(&parsed, Name::Expressions) {
        Some(named) => state.statement_to_plan(named).await,
        None => state.statement_to_plan(parsed.clone()).await,
    };
    if planned.as_ref().err().is_some_and(naming::is_clash)
        && let Some(named) = naming::named(&parsed, Name::All)
    {
        planned = state.statement_to_plan(named).await;
    }
    match planned {
        // The names may be what is wrong; if they are not, this says what is.
        Err(_) => state.statement_to_plan(parsed).await,
        plan => plan,
    }
}

fn session_config(options: &EngineOptions) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, MAIN)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true);
    if let Some(n) = options.threads {
        config = config.with_target_partitions(n.max(1));
    }
    let o = config.options_mut();
    // A join's dynamic filter would become a row filter of the scan; measured, that doubles a cost join.
    o.optimizer.enable_join_dynamic_filter_pushdown = false;
    // The store caches metadata; column statistics of sixty columns are not wanted at every plan.
    o.execution.collect_statistics = false;
    // Sorts set this much aside for merging what they spilled; the default would use up a small limit.
    o.execution.sort_spill_reservation_bytes = (options.memory_limit_bytes / 32).min(10 << 20);
    o.sql_parser.collect_spans = true;
    // NULL sorts last in either direction: "the slowest" are not the spans without a duration.
    o.sql_parser.default_null_ordering = "nulls_last".into();
    o.execution.time_zone = Some("UTC".into());
    config
}

/// Where a function may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FunctionKind {
    /// One value from the values of a row.
    Scalar,
    /// One value from many rows.
    Aggregate,
    /// A value for each row from those around it; needs `OVER`.
    Window,
    /// Rows; stands in `FROM`.
    Table,
}

/// A function that SQL may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionInfo {
    /// Its name.
    pub name: String,
    /// Where it may stand.
    pub kind: FunctionKind,
    /// How it is called, as in `round(numeric_expression, decimal_places)`.
    pub syntax: String,
}

/// A planned statement.
#[derive(Debug)]
pub struct Query {
    state: SessionState,
    logical: LogicalPlan,
    physical: Arc<dyn ExecutionPlan>,
}

impl Query {
    /// Names and types of the result's columns.
    pub fn schema(&self) -> SchemaRef {
        self.physical.schema()
    }

    /// The plan before DataFusion chose how to run it.
    pub fn logical_plan(&self) -> &LogicalPlan {
        &self.logical
    }

    /// The plan that runs; its metrics say what was read.
    pub fn physical_plan(&self) -> &Arc<dyn ExecutionPlan> {
        &self.physical
    }

    /// How many rows it gives. Counts anew, without what only rows need: cheaper than to read the rest of them.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn count(&self) -> Result<u64> {
        let counted = LogicalPlanBuilder::from(self.logical.clone())
            .aggregate(Vec::<Expr>::new(), vec![count_all()])
            .and_then(LogicalPlanBuilder::build)
            .map_err(diagnose::execution)?;
        let physical = self.state.create_physical_plan(&counted).await.map_err(diagnose::execution)?;
        let query = Query { state: self.state.clone(), logical: counted, physical };
        let rows = query.collect().await?;
        let count = rows.iter().find(|b| b.num_rows() > 0).map(|b| b.column(0).as_primitive::<Int64Type>().value(0));
        Ok(count.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }

    /// Starts the query. Dropping the stream stops it.
    ///
    /// # Errors
    /// When an operator cannot start.
    pub fn stream(&self) -> Result<SendableRecordBatchStream> {
        let context = match cancel::has_nested_loop_join(&self.physical) {
            true => without_spill(&self.state)?,
            false => self.state.task_ctx(),
        };
        execute_stream(Arc::clone(&self.physical), context).map_err(diagnose::execution)
    }

    /// Runs the query and gathers its rows; for results known to be small.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn collect(&self) -> Result<Vec<RecordBatch>> {
        self.stream()?.try_collect().await.map_err(diagnose::execution)
    }
}

/// The same context without temporary files. A nested-loop join that spills reads its left side a second time, which
/// another one below cannot give again: rows would be missing. Without spilling it says that memory is short.
fn without_spill(state: &SessionState) -> Result<Arc<TaskContext>> {
    let runtime = RuntimeEnvBuilder::from_runtime_env(state.runtime_env())
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()
        .map_err(|e| QueryError::Execution(Box::new(e)))?;
    Ok(Arc::new(TaskContext::from(state).with_runtime(runtime)))
}

/// Expands a path that may be a pattern. A path that names a file is taken as it is.
///
/// # Errors
/// When the pattern is malformed or matches nothing.
pub fn expand(pattern: &str) -> Result<Vec<PathBuf>> {
    if Path::new(pattern).exists() || !pattern.contains(['*', '?', '[']) {
        return Ok(vec![PathBuf::from(pattern)]);
    }
    let none = || QueryError::NoFiles { pattern: pattern.to_owned() };
    let paths: Vec<PathBuf> = glob::glob(pattern).map_err(|_| none())?.filter_map(std::result::Result::ok).collect();
    if paths.is_empty() { Err(none()) } else { Ok(paths) }
}
