//! What is derived from the spans of one trace: rules on rows made for them, the captures, and properties of
//! arbitrary forests.

mod basis;
mod canonical;
mod captures;
mod looping;
mod properties;
mod rules;

use spanfile::derive::{SpanRow, Tokens};
use spanfile::model::SpanId;

pub(crate) fn id(n: u64) -> SpanId {
    SpanId(n.to_be_bytes())
}

/// A row with ids and times; everything else NULL.
pub(crate) fn row<'a>(n: u64, parent: u64, start: i64, end: i64) -> SpanRow<'a> {
    SpanRow {
        span_id: id(n),
        parent: (parent != 0).then(|| id(parent)),
        start_time: start,
        end_time: Some(end),
        ..SpanRow::default()
    }
}

pub(crate) fn tokens(input: i64, output: i64) -> Tokens {
    Tokens { input: Some(input), output: Some(output), total: input.checked_add(output), ..Tokens::default() }
}

/// Rows as callers pass them.
pub(crate) fn canonical_order(mut rows: Vec<SpanRow<'_>>) -> Vec<SpanRow<'_>> {
    rows.sort_by_key(|r| (r.start_time, r.span_id));
    rows
}
