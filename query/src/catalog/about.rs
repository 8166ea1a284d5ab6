//! What the files say about themselves: their segments, and facts that hold for a whole file.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
};
use datafusion::common::Result as DfResult;
use spanfile::budget::Budget;
use spanfile::schema::{USD_PRECISION, USD_SCALE};
use spanfile::{Snapshot, Table};

use crate::provider::{FileView, store_error};

/// Columns of `segments`: name, unit and meaning.
pub(super) const SEGMENTS: [(&str, &str, &str); 12] = [
    ("file", "", "File that holds the segment."),
    ("segment_id", "", "Id of the segment in its file."),
    ("sealed_at", "", "When it was sealed."),
    ("bytes", "bytes", "Its size."),
    ("traces", "traces", "Traces in it."),
    ("spans", "spans", "Spans in it."),
    ("live_spans", "spans", "Spans that no later segment supersedes."),
    ("events", "events", "Events in it."),
    ("links", "links", "Links in it."),
    ("min_start_time", "", "First start of a span."),
    ("max_start_time", "", "Last start of a span."),
    ("max_end_time", "", "Last end of a span."),
];

/// Columns of `budgets`: name, unit and meaning.
pub(super) const BUDGETS: [(&str, &str, &str); 5] = [
    ("scope", "", "What has the budget: run, session, user, agent or day."),
    ("name", "", "The one session, user or agent that has it; NULL for each."),
    ("every", "", "day when it is for one day; NULL when it is for all that the file holds."),
    ("soft_usd", "USD", "Above this there is a warning."),
    ("hard_usd", "USD", "Above this it is broken."),
];

/// Columns of `meta`: name, unit and meaning.
pub(super) const META: [(&str, &str, &str); 3] =
    [("file", "", "File."), ("key", "", "What is said."), ("value", "", "What it is.")];

fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn times(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<TimestampNanosecondArray>().with_timezone("UTC"))
}

/// One row per sealed segment.
pub(super) fn segments(files: &[FileView]) -> DfResult<RecordBatch> {
    let mut rows = Vec::new();
    for f in files {
        for s in f.snapshot.segments().map_err(store_error)? {
            rows.push((f.path.display().to_string(), s));
        }
    }
    let ints = |of: fn(&spanfile::Segment) -> u64| -> ArrayRef {
        Arc::new(rows.iter().map(|(_, s)| int(of(s))).collect::<Int64Array>())
    };
    let bound = |of: fn((i64, i64, i64)) -> i64| times(rows.iter().map(|(_, s)| s.time_range().map(of)));
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("file", Arc::new(rows.iter().map(|(p, _)| Some(p)).collect::<StringArray>()) as ArrayRef, false),
        ("segment_id", ints(|s| u64::from(s.id())), false),
        ("sealed_at", times(rows.iter().map(|(_, s)| Some(s.sealed_at_unix_nano()))), false),
        ("bytes", ints(|s| s.bytes()), false),
        ("traces", ints(|s| s.traces()), false),
        ("spans", ints(|s| s.rows(Table::Spans)), false),
        ("live_spans", ints(|s| s.live_rows(Table::Spans)), false),
        ("events", ints(|s| s.rows(Table::Events)), false),
        ("links", ints(|s| s.rows(Table::Links)), false),
        ("min_start_time", bound(|t| t.0), true),
        ("max_start_time", bound(|t| t.1), true),
        ("max_end_time", bound(|t| t.2), true),
    ])?)
}

/// One row per budget; files that keep the same budget give one row.
pub(super) fn budgets(files: &[FileView]) -> DfResult<RecordBatch> {
    let mut rows: Vec<Budget> = Vec::new();
    for f in files {
        for budget in f.snapshot.budgets().map_err(store_error)?.iter() {
            if !rows.contains(budget) {
                rows.push(budget.clone());
            }
        }
    }
    let text = |of: fn(&Budget) -> Option<&str>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<StringArray>()) };
    let usd = |of: fn(&Budget) -> Option<i128>| -> DfResult<ArrayRef> {
        let amounts = rows.iter().map(of).collect::<Decimal128Array>();
        Ok(Arc::new(amounts.with_precision_and_scale(USD_PRECISION, USD_SCALE)?))
    };
    let [scope, name, every, soft, hard] = BUDGETS.map(|(name, ..)| name);
    Ok(RecordBatch::try_from_iter_with_nullable([
        (scope, text(|b| Some(b.key.per.name())), false),
        (name, text(|b| b.key.name.as_deref()), true),
        (every, text(|b| b.key.every_day.then_some("day")), true),
        (soft, usd(|b| b.soft)?, true),
        (hard, usd(|b| b.hard)?, true),
    ])?)
}

/// What the files say about themselves, one row per fact.
pub(super) fn meta(files: &[FileView]) -> DfResult<RecordBatch> {
    let mut rows: Vec<(String, &str, String)> = Vec::new();
    for f in files {
        for (key, value) in facts(&f.snapshot)? {
            rows.push((f.path.display().to_string(), key, value));
        }
    }
    let text = |of: fn(&(String, &str, String)) -> String| -> ArrayRef {
        Arc::new(rows.iter().map(|r| Some(of(r))).collect::<StringArray>())
    };
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("file", text(|r| r.0.clone()), false),
        ("key", text(|r| r.1.to_owned()), false),
        ("value", text(|r| r.2.clone()), false),
    ])?)
}

fn facts(snapshot: &Snapshot) -> DfResult<Vec<(&'static str, String)>> {
    let info = snapshot.file_info();
    let tail = snapshot.tail().map_err(store_error)?;
    Ok(vec![
        ("format_version", info.format_version.to_string()),
        ("file_id", info.file_id.clone()),
        ("creator", info.creator.clone()),
        ("created_at_unix_nano", info.created_at_unix_nano.to_string()),
        ("snapshot", snapshot.version().to_string()),
        ("segments", snapshot.segments().map_err(store_error)?.len().to_string()),
        ("tail_spans", tail.rows(Table::Spans).to_string()),
    ])
}
