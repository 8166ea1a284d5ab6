//! Turns DataFusion's errors into ours: one sentence, the place in the text, and names that may have been meant.

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use crate::catalog::TABLES;
use crate::engine::Engine;
use crate::error::{Position, QueryError};
use crate::statement::lower_first;

/// How many names to suggest.
const SUGGESTIONS: usize = 3;
/// Names less alike than this are no suggestion.
const LIKENESS: f64 = 0.78;

/// An error from planning a statement.
pub(crate) fn planning(engine: &Engine, text: &str, e: DataFusionError) -> QueryError {
    let position = position(&e);
    let (message, suggestions) = match e.find_root() {
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => {
                let names = valid_fields.iter().map(|c| c.name.clone());
                (format!("there is no column {}", field.flat_name()), alike(&field.name, names))
            }
            other => (lower_first(&other.to_string()), Vec::new()),
        },
        DataFusionError::Plan(m) => plan_error(engine, m),
        DataFusionError::External(_) | DataFusionError::ResourcesExhausted(_) => {
            return QueryError::Execution(Box::new(e));
        }
        other => plan_error(engine, &other.strip_backtrace()),
    };
    let position = position.or_else(|| find(text, &message));
    QueryError::Sql { message, position, suggestions }
}

fn plan_error(engine: &Engine, message: &str) -> (String, Vec<String>) {
    let between = |a: &str, b: &str| {
        let from = message.find(a)? + a.len();
        let to = message[from..].find(b)? + from;
        Some(&message[from..to])
    };
    if let Some(name) = between("table function '", "' not found") {
        return (format!("there is no table function {name}"), alike(name, engine.function_names().into_iter()));
    }
    if let Some(name) = between("table '", "' not found") {
        let short = name.trim_start_matches("spanfile.").trim_start_matches("main.");
        let mut tables = Vec::new();
        for db in engine.database_names() {
            for t in TABLES.iter() {
                tables.push(if db == "main" { (*t).to_owned() } else { format!("{db}.{t}") });
            }
        }
        return (format!("there is no table {short}"), alike(short, tables.into_iter()));
    }
    if let Some(name) = between("Invalid function '", "'") {
        if engine.is_window_function(name) {
            return (format!("{name} is a window function and needs OVER (...)"), Vec::new());
        }
        return (format!("there is no function {name}"), alike(name, engine.function_names().into_iter()));
    }
    if let Some(call) = between("the given name and argument types '", "'") {
        // Our own functions say how they are called.
        let usage = between("expected ", ")").filter(|u| u.contains('(') && !u.contains(char::is_control));
        let usage = usage.map(|u| format!("; expected {u})")).unwrap_or_default();
        return (format!("no function takes these types: {call}{usage}"), Vec::new());
    }
    (lower_first(&strip(message)), Vec::new())
}

/// DataFusion begins its messages with where in DataFusion they come from, and ends some with advice to its
/// own developers.
fn strip(message: &str) -> String {
    let mut m = message;
    for advice in ["\nThis issue was likely caused by a bug", ".\nThis issue was likely"] {
        m = m.split(advice).next().unwrap_or(m);
    }
    for p in [
        "Error during planning: ",
        "Schema error: ",
        "Execution error: ",
        "SQL error: ",
        "External error: ",
        "Internal error: ",
    ] {
        m = m.trim_start_matches(p);
    }
    m.to_owned()
}

/// The place that DataFusion's diagnostic points at.
fn position(e: &DataFusionError) -> Option<Position> {
    let span = e.diagnostic()?.span?;
    Some(Position { line: span.start.line, column: span.start.column })
}

/// The place of the name that ends a "there is no ..." message, when it occurs once.
fn find(text: &str, message: &str) -> Option<Position> {
    let name = message.strip_prefix("there is no ")?.split_once(' ')?.1;
    let at = text.to_ascii_lowercase().find(&name.to_ascii_lowercase())?;
    let before = &text[..at];
    let line = before.matches('\n').count() as u64 + 1;
    let column = before.rsplit('\n').next().unwrap_or(before).chars().count() as u64 + 1;
    Some(Position { line, column })
}

/// The names most like the wanted one, best first: a few, or none where none is like it.
pub fn alike(wanted: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    let lower = wanted.to_lowercase();
    let mut scored: Vec<(f64, String)> = names
        .map(|n| (strsim::jaro_winkler(&lower, &n.to_lowercase()), n))
        .filter(|(score, _)| *score >= LIKENESS)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(SUGGESTIONS).map(|(_, n)| n).collect()
}

/// An error from running a query.
pub(crate) fn execution(e: DataFusionError) -> QueryError {
    QueryError::Execution(Box::new(e))
}
