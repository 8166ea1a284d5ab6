//! Attached files as schemas with tables: `main` is the file that was opened, an alias each further one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, Weak};

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::catalog::{CatalogProvider, CatalogProviderList};
use datafusion::catalog::{MemoryCatalogProvider, MemoryCatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result as DfResult, internal_err};
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{LogicalPlan, TableType};
use spanfile::loops::Settings;
use spanfile::{Options, Store, Table};

use crate::costs::{CostCache, CostProvider, CostTable, PricedAs};
use crate::drift::{DriftProvider, DriftTable, Question};
use crate::error::{QueryError, Result};
use crate::provider::{FileView, PartReadings, StoredTable, store_error};
use crate::views::{self, View};
use crate::{functions, statement};

mod about;
mod described;
mod prices;

/// Names of all tables and views of a database: those that come from segments, views over them, and those about the
/// file and about the tables themselves.
pub(crate) static TABLES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    // What is priced goes by its name.
    let stored = Table::ALL.iter().map(|t| t.name()).filter(|t| CostTable::find(t).is_none());
    let views = views::VIEWS.iter().map(|v| v.name);
    let costs = CostTable::ALL.iter().map(|t| t.name());
    let drift = DriftTable::ALL.iter().map(|t| t.name());
    stored
        .chain(views)
        .chain(costs)
        .chain(drift)
        .chain(["prices", "budgets", "segments", "meta", "tables", "columns"])
        .collect()
});

#[derive(Debug)]
struct AttachedFile {
    path: PathBuf,
    store: Store,
    readings: Arc<PartReadings>,
    costs: Arc<CostCache>,
}

/// One or several files under one name.
#[derive(Debug)]
pub(crate) struct Database {
    files: Vec<AttachedFile>,
    /// What the statement that is being planned sees of the files.
    files_seen: Mutex<Vec<FileView>>,
    /// Plans the database's views.
    planner: OnceLock<SessionState>,
    /// What `loops(...)` begins with.
    loop_settings: Settings,
    /// Itself, for tables that plan queries when they are read.
    this: OnceLock<Weak<Database>>,
}

impl Database {
    pub(crate) fn open(paths: &[PathBuf], loop_settings: Settings) -> Result<Self> {
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            // Opening a pipe would wait for somebody to write to it.
            if std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
                let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a regular file");
                return Err(QueryError::io(path, source));
            }
            let store = Store::open_read_only(path, Options::default()).map_err(|e| QueryError::store(path, e))?;
            files.push(AttachedFile { path: path.clone(), store, readings: Arc::default(), costs: Arc::default() });
        }
        let db = Database {
            files,
            files_seen: Mutex::default(),
            planner: OnceLock::new(),
            loop_settings,
            this: OnceLock::new(),
        };
        db.refresh()?;
        Ok(db)
    }

    /// Takes new snapshots, so that the next statement sees what was committed since.
    pub(crate) fn refresh(&self) -> Result<()> {
        let mut views = Vec::with_capacity(self.files.len());
        for f in &self.files {
            let snapshot = f.store.snapshot().map_err(|e| QueryError::store(&f.path, e))?;
            views.push(FileView {
                path: f.path.clone(),
                snapshot,
                readings: Arc::clone(&f.readings),
                costs: Arc::clone(&f.costs),
            });
        }
        *self.files_seen.lock().unwrap_or_else(PoisonError::into_inner) = views;
        Ok(())
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|f| f.path.as_path())
    }

    pub(crate) fn loop_settings(&self) -> Settings {
        self.loop_settings.clone()
    }

    /// The files as the statement that is being planned sees them.
    pub(crate) fn seen(&self) -> Vec<FileView> {
        self.files_seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Prepares for planning views, with the functions and options of a session. In the views' SQL, tables are those
    /// of this database, whatever it is called.
    pub(crate) fn prepare_views(self: &Arc<Self>, session: &SessionState) -> DfResult<()> {
        let options = session.config_options();
        let (catalog, schema) = (&options.catalog.default_catalog, &options.catalog.default_schema);
        let mut config = session.config().clone();
        // Places in a view's text mean nothing to whoever wrote the statement.
        config.options_mut().sql_parser.collect_spans = false;
        let only = MemoryCatalogProvider::new();
        only.register_schema(schema, Arc::new(Tables(Arc::downgrade(self))))?;
        let list = MemoryCatalogProviderList::new();
        list.register_catalog(catalog.clone(), Arc::new(only));
        let mut state = SessionStateBuilder::new_from_existing(session.clone())
            .with_config(config)
            .with_catalog_list(Arc::new(list))
            .build();
        functions::register_prices(&mut state, self)?;
        // Set by the one call that registers the database.
        let _ = self.planner.set(state);
        let _ = self.this.set(Arc::downgrade(self));
        Ok(())
    }

    /// Plans a query of ours over this database.
    pub(crate) async fn plan(&self, sql: &str) -> DfResult<LogicalPlan> {
        let Some(planner) = self.planner.get() else {
            return internal_err!("a query was planned before its session was there");
        };
        let statement = statement::parse(sql).map_err(|e| DataFusionError::Plan(e.to_string()))?;
        planner.statement_to_plan(statement).await
    }

    /// What the files have budgets per, as in `agent day`.
    fn budgets_seen(&self) -> DfResult<Vec<String>> {
        let mut kinds = Vec::new();
        for file in self.seen() {
            for budget in file.snapshot.budgets().map_err(store_error)?.iter() {
                let every = if budget.key.every_day { " day" } else { "" };
                kinds.push(format!("{}{every}", budget.key.per.name()));
            }
        }
        Ok(kinds)
    }

    async fn view(&self, view: &'static View) -> DfResult<Arc<dyn TableProvider>> {
        let Some(planner) = self.planner.get() else {
            return internal_err!("the view {} was asked for before its session was there", view.name);
        };
        let statement = match view.name {
            // What no budget asks for would only cost planning.
            "budget_status" => {
                let budgets = self.budgets_seen()?;
                view.statement_where(|what| budgets.iter().any(|b| b == what))?
            }
            _ => view.statement()?,
        };
        let plan = planner.statement_to_plan(statement).await?;
        Ok(Arc::new(ViewTable::new(plan, Some(view.text.to_owned()))))
    }
}

#[async_trait]
impl SchemaProvider for Database {
    fn table_names(&self) -> Vec<String> {
        TABLES.iter().map(|t| (*t).to_owned()).collect()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>, DataFusionError> {
        if let Some(table) = CostTable::find(name) {
            return Ok(Some(Arc::new(CostProvider::new(table, PricedAs::default(), self.seen()))));
        }
        if let Some(table) = Table::ALL.into_iter().find(|t| t.name() == name) {
            return Ok(Some(Arc::new(StoredTable::new(table, self.seen()))));
        }
        if let Some(table) = DriftTable::find(name) {
            let Some(this) = self.this.get().and_then(Weak::upgrade) else {
                return internal_err!("{name} was asked for before its session was there");
            };
            return Ok(Some(Arc::new(DriftProvider::new(table, Question::usual()?, this))));
        }
        if let Some(view) = views::find(name) {
            return self.view(view).await.map(Some);
        }
        let rows = match name {
            "prices" => prices::prices(&self.seen())?,
            "budgets" => about::budgets(&self.seen())?,
            "segments" => about::segments(&self.seen())?,
            "meta" => about::meta(&self.seen())?,
            "tables" => described::tables()?,
            "columns" => described::columns(self).await?,
            _ => return Ok(None),
        };
        in_memory(rows).map(Some)
    }

    async fn table_type(&self, name: &str) -> DfResult<Option<TableType>> {
        Ok(match views::find(name) {
            Some(_) => Some(TableType::View),
            None if CostTable::find(name).is_some() || DriftTable::find(name).is_some() => Some(TableType::View),
            None => self.table_exist(name).then_some(TableType::Base),
        })
    }

    fn table_exist(&self, name: &str) -> bool {
        TABLES.contains(&name)
    }
}

/// The tables of a database for its own views. It does not keep the database alive, which keeps this.
#[derive(Debug)]
struct Tables(Weak<Database>);

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        self.0.upgrade().map(|d| d.table_names()).unwrap_or_default()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>, DataFusionError> {
        match self.0.upgrade() {
            Some(database) => database.table(name).await,
            None => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        TABLES.contains(&name)
    }
}

fn in_memory(rows: RecordBatch) -> DfResult<Arc<dyn TableProvider>> {
    Ok(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?))
}
