//! Names for completion: read once in the background when the shell opens, and again when files change.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use spanfile_query::{Engine, FunctionInfo, FunctionKind, Result};
use tokio::runtime::Handle;

use crate::commands::{printable, texts};

/// How many values of a column are kept.
const VALUES: usize = 2_000;
/// Longer values are not completed.
const VALUE_BYTES: usize = 200;
/// How many runs are kept, the newest.
const RUNS: usize = 20_000;

/// Names that SQL and commands may use.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// `main` and what is attached.
    pub(super) databases: Vec<String>,
    pub(super) tables: Vec<String>,
    /// Columns of tables, in order.
    pub(super) columns: HashMap<String, Vec<String>>,
    pub(super) functions: Vec<FunctionInfo>,
    /// Values of columns that name agents, tools, models and the like.
    pub(super) values: HashMap<&'static str, Vec<String>>,
    /// Ids, the newest first.
    pub(super) runs: Vec<String>,
}

/// Names that are read in the background.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedNames(Arc<RwLock<Names>>);

/// Columns whose values are completed, and those of `usage` and `runs` that have them.
const VALUED: [(&str, &str); 12] = [
    ("agent_name", "SELECT DISTINCT agent_name FROM usage"),
    ("agent_version", "SELECT DISTINCT agent_version FROM usage"),
    ("tool_name", "SELECT DISTINCT tool_name FROM usage"),
    ("kind", "SELECT DISTINCT kind FROM usage"),
    ("provider", "SELECT DISTINCT provider FROM usage"),
    ("request_model", "SELECT DISTINCT request_model FROM usage"),
    ("response_model", "SELECT DISTINCT response_model FROM usage"),
    ("workflow_name", "SELECT DISTINCT workflow_name FROM runs"),
    ("service_name", "SELECT DISTINCT service_name FROM runs"),
    ("environment", "SELECT DISTINCT environment FROM runs"),
    ("outcome", "SELECT DISTINCT outcome FROM runs"),
    ("user_id", "SELECT DISTINCT user_id FROM runs"),
];

/// Other columns with the values of one of these.
const LIKE: [(&str, &str); 6] = [
    ("run_agent", "agent_name"),
    ("parent_agent", "agent_name"),
    ("model", "response_model"),
    ("handoff_from", "agent_name"),
    ("handoff_to", "agent_name"),
    ("handoff_target", "agent_name"),
];

impl SharedNames {
    /// Reads what the catalog knows at once, and the rest in a thread of its own.
    pub(super) fn load(&self, engine: &Arc<Engine>, runtime: &Handle) {
        let fresh = Names {
            databases: engine.database_names(),
            tables: Engine::table_names().iter().map(|t| (*t).to_owned()).collect(),
            functions: engine.functions(),
            ..Names::default()
        };
        if let Ok(mut names) = self.0.write() {
            let columns = std::mem::take(&mut names.columns);
            *names = Names { columns, ..fresh };
        }
        let (shared, engine, runtime) = (self.clone(), Arc::clone(engine), runtime.clone());
        // Without it nothing but completion is missing.
        let _ = std::thread::Builder::new().name("names".into()).stack_size(crate::STACK_BYTES).spawn(move || {
            // Errors are those of a damaged file; statements will tell them.
            let _ = runtime.block_on(shared.read_all(&engine));
        });
    }

    async fn read_all(&self, engine: &Engine) -> Result<()> {
        let columns = two(engine, "SELECT table_name, column_name FROM columns ORDER BY table_name, position").await?;
        if let Ok(mut names) = self.0.write() {
            names.columns.clear();
            for (table, column) in columns {
                names.columns.entry(table).or_default().push(column);
            }
        }
        for (column, sql) in VALUED {
            let values = one(engine, &format!("{sql} ORDER BY 1 LIMIT {VALUES}")).await?;
            if let Ok(mut names) = self.0.write() {
                names.values.insert(column, values);
            }
        }
        let sql = format!("SELECT trace_id FROM runs ORDER BY start_time DESC NULLS LAST LIMIT {RUNS}");
        let runs = one(engine, &sql).await?;
        if let Ok(mut names) = self.0.write() {
            names.runs = runs;
        }
        Ok(())
    }

    /// Looks at the names.
    pub(super) fn with<T: Default>(&self, look: impl FnOnce(&Names) -> T) -> T {
        self.0.read().map(|names| look(&names)).unwrap_or_default()
    }
}

impl Names {
    /// Values of a column.
    pub(super) fn values_of(&self, column: &str) -> &[String] {
        let column = column.to_lowercase();
        if matches!(column.as_str(), "trace_id" | "run_id") {
            return &self.runs;
        }
        let column = LIKE.iter().find(|(name, _)| *name == column).map_or(column.as_str(), |(_, as_in)| as_in);
        self.values.get(column).map_or(&[], Vec::as_slice)
    }

    /// A function of a name.
    pub(super) fn function(&self, name: &str) -> Option<&FunctionInfo> {
        let name = name.to_lowercase();
        let mut found = self.functions.iter().filter(|f| f.name == name);
        let first = found.next()?;
        // Of the same name, the one that stands in expressions is meant more often.
        Some(found.find(|f| f.kind == FunctionKind::Scalar).unwrap_or(first))
    }
}

async fn one(engine: &Engine, sql: &str) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for b in engine.sql(sql).await?.collect().await? {
        let name = b.schema().field(0).name().clone();
        // A terminal shows them, and a line holds them.
        let fits = |v: &String| v.len() <= VALUE_BYTES && *v == printable(v);
        all.extend(texts(&b, &name)?.into_iter().flatten().filter(fits));
    }
    Ok(all)
}

async fn two(engine: &Engine, sql: &str) -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for b in engine.sql(sql).await?.collect().await? {
        let [first, second] = [0, 1].map(|i| texts(&b, b.schema().field(i).name()));
        all.extend(first?.into_iter().flatten().zip(second?.into_iter().flatten()));
    }
    Ok(all)
}

/// When names were read, so that a file that others write to is read again now and then.
#[derive(Debug)]
pub(super) struct Freshness(Instant);

impl Freshness {
    pub(super) fn now() -> Self {
        Freshness(Instant::now())
    }

    /// Whether it is time to read again.
    pub(super) fn is_over(&self) -> bool {
        self.0.elapsed().as_secs() >= 60
    }
}
