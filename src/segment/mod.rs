//! Segments: sealed batches of whole traces, as bytes.
//!
//! A segment is built from rows that arrived in any order: [`arrivals`] sorts and deduplicates them, [`explode`]
//! moves packed events and links into tables of their own, [`derived`] adds what follows from whole traces, [`encode`] writes each table as Parquet, and
//! [`directory`] says where each trace lies. Nothing here knows where the bytes are kept.

pub(crate) mod arrivals;
pub(crate) mod build;
pub(crate) mod derived;
pub(crate) mod directory;
pub(crate) mod encode;
pub(crate) mod explode;
pub(crate) mod read;

use std::ops::Range;

use arrow::datatypes::SchemaRef;

use crate::schema::{self, Column};

/// A table that a segment holds rows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// One row per span.
    Spans,
    /// Span events and correlated log records.
    Events,
    /// Links from spans to spans.
    Links,
    /// One row per trace: what the run was and what became of it.
    Runs,
    /// One row per trace, agent, model and tool: tokens, calls, times.
    Usage,
    /// Tool calls that only the outputs of LLM calls tell of.
    SyntheticCalls,
    /// Results of evaluations.
    Scores,
    /// What runs did again and again, at default settings.
    Loops,
}

impl Table {
    /// All tables.
    pub const ALL: [Table; Table::COUNT] = [
        Table::Spans,
        Table::Events,
        Table::Links,
        Table::Runs,
        Table::Usage,
        Table::SyntheticCalls,
        Table::Scores,
        Table::Loops,
    ];
    /// How many tables there are.
    pub const COUNT: usize = 8;
    /// The tables whose rows arrive; those of the others are derived from them.
    pub(crate) const ARRIVING: [Table; 3] = [Table::Spans, Table::Events, Table::Links];

    /// Name in SQL and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Table::Spans => "spans",
            Table::Events => "events",
            Table::Links => "links",
            Table::Runs => "runs",
            Table::Usage => "usage",
            Table::SyntheticCalls => "synthetic_calls",
            Table::Scores => "scores",
            Table::Loops => "loops",
        }
    }

    /// Arrow schema of the table as stored.
    pub fn schema(self) -> SchemaRef {
        match self {
            Table::Spans => schema::spans(),
            Table::Events => schema::events(),
            Table::Links => schema::links(),
            Table::Runs => schema::runs(),
            Table::Usage => schema::usage(),
            Table::SyntheticCalls => schema::synthetic_calls(),
            Table::Scores => schema::scores(),
            Table::Loops => schema::loops(),
        }
    }

    /// The table's columns with unit, origin and meaning.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Table::Spans => schema::SPANS,
            Table::Events => schema::EVENTS,
            Table::Links => schema::LINKS,
            Table::Runs => schema::RUNS,
            Table::Usage => schema::USAGE,
            Table::SyntheticCalls => schema::SYNTHETIC_CALLS,
            Table::Scores => schema::SCORES,
            Table::Loops => schema::LOOPS,
        }
    }

    /// Position in arrays that hold something per table.
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// A run of rows of one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, bincode::Encode, bincode::Decode)]
pub(crate) struct RowRange {
    pub(crate) first: u32,
    pub(crate) rows: u32,
}

impl RowRange {
    pub(crate) fn range(self) -> Range<u64> {
        u64::from(self.first)..u64::from(self.first) + u64::from(self.rows)
    }
}

/// Sorts ranges and joins those that touch.
pub(crate) fn join_ranges(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.retain(|r| r.start < r.end);
    ranges.sort_unstable_by_key(|r| r.start);
    let mut out: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for r in ranges {
        match out.last_mut() {
            Some(last) if r.start <= last.end => last.end = last.end.max(r.end),
            _ => out.push(r),
        }
    }
    out
}

/// What of `0..rows` lies outside of `dead`, which is sorted and disjoint.
pub(crate) fn live_ranges(rows: u64, dead: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut out = Vec::with_capacity(dead.len() + 1);
    let mut at = 0;
    for d in dead {
        if d.start > at {
            out.push(at..d.start.min(rows));
        }
        at = at.max(d.end);
    }
    if at < rows {
        out.push(at..rows);
    }
    out
}
