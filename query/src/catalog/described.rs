//! What the tables and views mean: `tables` and `columns`.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::SchemaProvider;
use datafusion::common::{Result, internal_err};
use spanfile::Table;

use super::{Database, TABLES, about, prices};
use crate::costs::CostTable;
use crate::drift::DriftTable;
use crate::views::{self, View};

/// Columns of `tables`: name, unit and meaning.
const OF_TABLES: [(&str, &str, &str); 3] = [
    ("table_name", "", "Name."),
    ("table_type", "", "table, or view: computed from tables whenever it is read."),
    ("comment", "", "What a row is."),
];

/// Columns of `columns`: name, unit and meaning.
const OF_COLUMNS: [(&str, &str, &str); 8] = [
    ("table_name", "", "Table or view."),
    ("column_name", "", "Name of the column."),
    ("position", "", "Its position, from 1."),
    ("data_type", "", "Its type, as CAST takes it."),
    ("nullable", "", "Whether it may be NULL."),
    ("unit", "", "Unit of its values; NULL where they have none."),
    (
        "origin",
        "",
        "raw: as it arrived; normalised: from attributes; derived: from the whole trace; computed: when it is read; view.",
    ),
    ("comment", "", "What it means."),
];

/// What a row of a table that is no view is.
fn row_of(table: &str) -> &'static str {
    match table {
        "spans" => "Spans: one row per operation that instrumentation recorded.",
        "events" => "Events of spans, and log records that name a span.",
        "links" => "Links from spans to other spans.",
        "runs" => "Runs: one row per trace that has spans.",
        "usage" => {
            "What each run used: one row per trace, agent, workflow, kind, model, service tier, tool, cost basis and day."
        }
        "synthetic_calls" => "Tool calls that no span records, as the outputs of LLM calls tell of them.",
        "scores" => "Results of evaluations.",
        "prices" => "The price book that applies: one row per model, time, service tier and threshold.",
        "budgets" => "Budgets that the files keep, one row each.",
        "segments" => "Sealed segments of the files, one row each.",
        "meta" => "Facts about the files, one row each.",
        "tables" => "Tables and views, one row each.",
        "columns" => "Columns of tables and views, one row each.",
        _ => "",
    }
}

fn text<T: AsRef<str>>(values: impl IntoIterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

/// One row per table and view.
pub(super) fn tables() -> Result<RecordBatch> {
    let of = |name: &'static str| {
        let computed =
            || CostTable::find(name).map(CostTable::meaning).or(DriftTable::find(name).map(DriftTable::meaning));
        match views::find(name).map(View::meaning).or_else(|| computed().map(str::to_owned)) {
            Some(meaning) => (name, "view", meaning),
            None => (name, "table", row_of(name).to_owned()),
        }
    };
    let rows: Vec<_> = TABLES.iter().copied().map(of).collect();
    Ok(RecordBatch::try_from_iter_with_nullable([
        (OF_TABLES[0].0, text(rows.iter().map(|r| Some(r.0))), false),
        (OF_TABLES[1].0, text(rows.iter().map(|r| Some(r.1))), false),
        (OF_TABLES[2].0, text(rows.iter().map(|r| Some(&r.2))), false),
    ])?)
}

struct Row {
    table: &'static str,
    column: String,
    position: i64,
    data_type: String,
    nullable: bool,
    unit: &'static str,
    origin: &'static str,
    comment: &'static str,
}

/// Unit, origin and meaning of a table's columns, by name.
fn meanings(table: &str) -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
    let computed = CostTable::find(table).map(CostTable::columns).or(DriftTable::find(table).map(DriftTable::columns));
    if let Some(columns) = computed {
        return columns.iter().map(|c| (c.name, c.unit, c.origin.as_str(), c.meaning)).collect();
    }
    if let Some(stored) = Table::ALL.into_iter().find(|t| t.name() == table) {
        return stored.columns().iter().map(|c| (c.name, c.unit, c.origin.as_str(), c.meaning)).collect();
    }
    if let Some(view) = views::find(table) {
        return view.columns().into_iter().map(|c| (c.name, c.unit, "view", c.meaning)).collect();
    }
    if table == "prices" {
        return prices::columns().into_iter().map(|(name, unit, meaning)| (name, unit, "computed", meaning)).collect();
    }
    let columns: &[(&str, &str, &str)] = match table {
        "budgets" => &about::BUDGETS,
        "segments" => &about::SEGMENTS,
        "meta" => &about::META,
        "tables" => &OF_TABLES,
        "columns" => &OF_COLUMNS,
        _ => &[],
    };
    columns.iter().map(|(name, unit, meaning)| (*name, *unit, "computed", *meaning)).collect()
}

/// The type as SQL calls it.
fn sql_name(t: &DataType) -> String {
    match t {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Float64 => "double".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(..) => "timestamp".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        other => other.to_string(),
    }
}

/// One row per column of each table and view.
pub(super) async fn columns(database: &Database) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for table in TABLES.iter().copied() {
        let schema = match table {
            // Not asked of itself.
            "columns" => of_rows(&[])?.schema(),
            _ => match database.table(table).await? {
                Some(t) => t.schema(),
                None => return internal_err!("{table} is listed and not there"),
            },
        };
        let known = meanings(table);
        for (field, position) in schema.fields().iter().zip(1..) {
            let (unit, origin, comment) = known
                .iter()
                .find(|(name, ..)| name == field.name())
                .map_or(("", "", ""), |(_, unit, origin, meaning)| (unit, origin, meaning));
            rows.push(Row {
                table,
                column: field.name().clone(),
                position,
                data_type: sql_name(field.data_type()),
                nullable: field.is_nullable(),
                unit,
                origin,
                comment,
            });
        }
    }
    of_rows(&rows)
}

fn of_rows(rows: &[Row]) -> Result<RecordBatch> {
    let name = |i: usize| OF_COLUMNS[i].0;
    Ok(RecordBatch::try_from_iter_with_nullable([
        (name(0), text(rows.iter().map(|r| Some(r.table))), false),
        (name(1), text(rows.iter().map(|r| Some(&r.column))), false),
        (name(2), Arc::new(rows.iter().map(|r| r.position).collect::<Int64Array>()) as ArrayRef, false),
        (name(3), text(rows.iter().map(|r| Some(&r.data_type))), false),
        (name(4), Arc::new(BooleanArray::from_iter(rows.iter().map(|r| Some(r.nullable)))), false),
        (name(5), text(rows.iter().map(|r| Some(r.unit).filter(|u| !u.is_empty()))), true),
        (name(6), text(rows.iter().map(|r| Some(r.origin))), false),
        (name(7), text(rows.iter().map(|r| Some(r.comment))), false),
    ])?)
}
