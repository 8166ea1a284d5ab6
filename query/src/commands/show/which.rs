//! Which run a word means.

use spanfile_query::{Engine, QueryError, Result};

use super::super::cells::texts;
use super::super::drawing::{cut, printable};

/// How many runs are named where the begin of an id is that of several.
const CANDIDATES: usize = 5;

/// The id of the run that a word names: the begin of its id, `last`, `slowest` or `dearest`.
pub(crate) async fn resolve(engine: &Engine, word: &str) -> Result<String> {
    let (from, order, none) = match word {
        "last" => ("runs", "start_time", "there are no runs"),
        "slowest" => ("runs WHERE duration_ns IS NOT NULL", "duration_ns", "no run has a known duration"),
        "dearest" => ("cost_per_run WHERE cost_usd IS NOT NULL", "cost_usd", "no run has a known cost"),
        _ => return resolve_id(engine, word).await,
    };
    let sql = format!("SELECT trace_id FROM {from} ORDER BY {order} DESC NULLS LAST, trace_id LIMIT 1");
    let found = ids(engine, &sql).await?.pop();
    found.map(|(id, _)| id).ok_or_else(|| no_such_run(none.to_owned()))
}

async fn resolve_id(engine: &Engine, prefix: &str) -> Result<String> {
    let unknown = || {
        let prefix = printable(prefix);
        no_such_run(format!("no run has an id that begins with {prefix}; last, slowest and dearest name one too"))
    };
    if prefix.is_empty() || !prefix.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(unknown());
    }
    let sql = format!(
        "SELECT DISTINCT trace_id, coalesce(root_name, '') AS name FROM runs WHERE trace_id LIKE '{}%' \
         ORDER BY trace_id LIMIT {}",
        prefix.to_lowercase(),
        CANDIDATES + 1
    );
    let mut found = ids(engine, &sql).await?;
    found.dedup_by(|a, b| a.0 == b.0);
    if found.len() > 1 {
        // As much of each as tells it from the others.
        let shared = found.windows(2).map(|w| w[0].0.bytes().zip(w[1].0.bytes()).take_while(|(a, b)| a == b).count());
        let told = shared.max().unwrap_or(0).max(7) + 1;
        let named = found.iter().take(CANDIDATES).map(|(id, name)| {
            let id: String = id.chars().take(told).collect();
            format!("{id} {}", cut(&printable(name), 30)).trim().to_owned()
        });
        let more = if found.len() > CANDIDATES { ", and more" } else { "" };
        let named = named.collect::<Vec<_>>().join(", ");
        return Err(no_such_run(format!("several runs have ids that begin with {prefix}: {named}{more}")));
    }
    found.pop().map(|(id, _)| id).ok_or_else(unknown)
}

/// Ids of runs, with names where the statement has them.
async fn ids(engine: &Engine, sql: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for b in engine.sql(sql).await?.collect().await? {
        let ids = texts(&b, "trace_id")?.into_iter().flatten();
        match b.num_columns() {
            1 => found.extend(ids.map(|id| (id, String::new()))),
            _ => found.extend(ids.zip(texts(&b, "name")?.into_iter().map(Option::unwrap_or_default))),
        }
    }
    Ok(found)
}

fn no_such_run(message: String) -> QueryError {
    QueryError::Sql { message, position: None, suggestions: Vec::new() }
}
