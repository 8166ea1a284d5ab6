//! What there is to ask: `.tables`, `.describe`, `.schema`, `.functions` and the like.

use std::io::Write;
use std::sync::Arc;

use spanfile_query::render::render;
use spanfile_query::{Engine, Result, alike};

use super::words::{like, one, split};
use super::{write, wrong};
use crate::commands::{folded, in_columns, output_error, quoted};
use crate::repl::session::{Next, Session};

/// Name of the database of the file that was opened.
const MAIN: &str = "main";

/// Databases, and tables as SQL writes them.
fn names(engine: &Engine) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for db in engine.database_names() {
        for table in Engine::table_names() {
            let name = if db == MAIN { (*table).to_owned() } else { format!("{db}.{table}") };
            all.push((db.clone(), name));
        }
    }
    all
}

/// A table, and the database that it is of.
fn find(engine: &Engine, name: &str) -> Result<(String, String)> {
    let name = name.trim_end_matches(';').to_lowercase();
    let short = name.strip_prefix("main.").unwrap_or(&name);
    let all = names(engine);
    match all.iter().find(|(_, known)| known == short) {
        Some((db, known)) => Ok((db.clone(), known.rsplit('.').next().unwrap_or(known).to_owned())),
        None => {
            let meant = alike(short, all.into_iter().map(|(_, known)| known));
            let meant = meant.first().map(|m| format!("; did you mean {m}?")).unwrap_or_default();
            Err(wrong(format!("there is no table {name}{meant}")))
        }
    }
}

pub(super) fn tables(session: &mut Session, pattern: &str) -> Result<Next> {
    let mut found: Vec<String> = names(&session.engine).into_iter().map(|(_, name)| name).collect();
    found.retain(|name| pattern.is_empty() || like(pattern, name));
    if found.is_empty() {
        return Err(wrong(format!("no table or view is like {pattern}")));
    }
    let text = match session.interactive {
        true => in_columns(&found, session.look().width),
        // One each, for programs.
        false => found.iter().map(|name| format!("{name}\n")).collect(),
    };
    write(session, &text)
}

pub(super) fn views(session: &mut Session, pattern: &str) -> Result<Next> {
    let sql = "SELECT table_name, comment FROM tables WHERE table_type = 'view' ORDER BY table_name".to_owned();
    let (engine, pattern, look) = (Arc::clone(&session.engine), pattern.to_owned(), session.look());
    session.show(false, None, move |mut out| async move {
        for b in engine.sql(&sql).await?.collect().await? {
            let (names, comments) = (texts(&b, 0)?, texts(&b, 1)?);
            let width = names.iter().map(String::len).max().unwrap_or(0);
            for (name, comment) in names.iter().zip(&comments) {
                if pattern.is_empty() || like(&pattern, name) {
                    let line = folded(&format!("{name:<width$}  {comment}"), look.width, width + 2);
                    out.write_all(line.as_bytes()).map_err(output_error)?;
                }
            }
        }
        Ok(())
    })?;
    Ok(Next::Go)
}

fn texts(b: &datafusion::arrow::array::RecordBatch, column: usize) -> Result<Vec<String>> {
    let name = b.schema().field(column).name().clone();
    Ok(crate::commands::texts(b, &name)?.into_iter().map(Option::unwrap_or_default).collect())
}

pub(super) fn describe(session: &mut Session, name: &str) -> Result<Next> {
    let (db, table) = find(&session.engine, &one(name)?)?;
    let sql = format!(
        "SELECT column_name, data_type, unit, comment FROM {db}.columns WHERE table_name = {} ORDER BY position",
        quoted(&table)
    );
    rows(session, sql)
}

/// Shows the rows of a statement of ours.
pub(super) fn rows(session: &mut Session, sql: String) -> Result<Next> {
    let (engine, format) = (Arc::clone(&session.engine), session.settings.format.clone());
    let mut options = session.settings.render_options(session.out.is_stdout() && session.once.is_none());
    options.null_text.get_or_insert_default();
    session.show(false, None, move |mut out| async move {
        render(engine.sql(&sql).await?.stream()?, &format, &options, &mut out).await
    })?;
    Ok(Next::Go)
}

pub(super) fn schema(session: &mut Session, name: &str) -> Result<Next> {
    let engine = Arc::clone(&session.engine);
    let wanted: Vec<(String, String)> = match name {
        "" => Engine::table_names().iter().map(|t| (MAIN.to_owned(), (*t).to_owned())).collect(),
        _ => split(name)?.iter().map(|n| find(&engine, n)).collect::<Result<_>>()?,
    };
    session.show(false, None, move |mut out| async move {
        for (db, table) in wanted {
            let text = create(&engine, &db, &table).await?;
            out.write_all(text.as_bytes()).map_err(output_error)?;
        }
        Ok(())
    })?;
    Ok(Next::Go)
}

/// A table or view as a statement that would create it. Nobody runs it: it tells what there is.
async fn create(engine: &Engine, db: &str, table: &str) -> Result<String> {
    let prefix = if db == MAIN { String::new() } else { format!("{db}.") };
    if let Some(definition) = Engine::view_definition(table) {
        // It says in its head what it is.
        return Ok(format!("CREATE VIEW {prefix}{table} AS\n{};\n\n", definition.trim_end()));
    }
    let about = format!("SELECT comment FROM {db}.tables WHERE table_name = {}", quoted(table));
    let mut text = String::new();
    for b in engine.sql(&about).await?.collect().await? {
        text.extend(texts(&b, 0)?.iter().map(|comment| format!("-- {comment}\n")));
    }
    let columns = format!(
        "SELECT column_name, data_type, CASE WHEN nullable THEN '' ELSE ' NOT NULL' END AS missing, \
         coalesce(' [' || unit || ']', '') AS unit, comment FROM {db}.columns WHERE table_name = {} ORDER BY position",
        quoted(table)
    );
    text += &format!("CREATE TABLE {prefix}{table} (\n");
    for b in engine.sql(&columns).await?.collect().await? {
        let [names, types, missing, units, comments] = [0, 1, 2, 3, 4].map(|i| texts(&b, i));
        let (names, types, missing, units, comments) = (names?, types?, missing?, units?, comments?);
        for i in 0..names.len() {
            let comma = if i + 1 == names.len() { "" } else { "," };
            text += &format!("  {} {}{}{comma} -- {}{}\n", names[i], types[i], missing[i], comments[i], units[i]);
        }
    }
    Ok(text + ");\n\n")
}

pub(super) fn functions(session: &mut Session, pattern: &str) -> Result<Next> {
    let pattern = pattern.trim_end_matches('(');
    let mut text = String::new();
    let width = session.look().width;
    for f in session.engine.functions() {
        if pattern.is_empty() || like(pattern, &f.name) {
            let kind = format!("{:?}", f.kind).to_lowercase();
            text += &folded(&format!("{kind:<9}  {}", f.syntax), width, 13);
        }
    }
    if text.is_empty() {
        return Err(wrong(format!("no function is like {pattern}")));
    }
    write(session, &text)
}

pub(super) fn explain(session: &mut Session, sql: &str) -> Result<Next> {
    let sql = match (sql, &session.last_sql) {
        ("", Some(last)) => last.clone(),
        ("", None) => return Err(wrong("there is no statement yet; .explain SQL explains one")),
        (sql, _) => sql.trim_end_matches(';').to_owned(),
    };
    rows(session, format!("EXPLAIN FORMAT TREE {sql}"))
}
