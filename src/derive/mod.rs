//! What the spans of one trace say together: the tree, who acted, what counts, which spans show the same call twice.
//!
//! Everything here is a pure function of the set of rows of one trace. Rows come in canonical order (start time, then
//! span id), so the result does not depend on the order of arrival; when late spans arrive, the whole trace is derived
//! anew. Nothing here reads or writes storage.
//!
//! | module | answers |
//! |---|---|
//! | `structure` | where in the tree a span is: root, depth, nested-set range, orphans, cycles, time spent in children |
//! | `calls` | which spans show the same call as another span |
//! | `counted` | whose usage and cost count, so that sums over spans are right |
//! | `agents` | which agent acted |
//! | `handoffs` | who handed over to whom |
//! | `requested` | tool calls that are known only because an LLM asked for them |
//! | `canonical` | one text for equal arguments, whatever framework recorded them |
//! | `rollup` | one row per run, one row per use of a model or tool |

mod rollup;
mod view;

use std::borrow::Cow;

use crate::model::SpanId;
pub use crate::normalise::Kind;
pub use rollup::{FirstError, Outcome, RunRow, UsageRow};
pub use view::{BatchLogs, BatchRows, LogRow, SpanRow, Status, Tokens};

/// What derivation says about one span.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanDerived<'a> {
    /// The span at the top of its tree: itself for roots, orphans and where a cycle was cut.
    pub root_span_id: SpanId,
    /// Ancestors that are here; 0 at the top.
    pub depth: u32,
    /// Position in canonical order, from 0.
    pub seq: u32,
    /// Position in preorder, from 0: trees one after the other, children in canonical order.
    pub tree_left: u32,
    /// `tree_left` plus the number of descendants. A span `d` is a descendant of `a` if and only if
    /// `d.tree_left > a.tree_left AND d.tree_left <= a.tree_right`.
    pub tree_right: u32,
    /// It names a parent that is not among the spans.
    pub is_orphan: bool,
    /// Its link to its parent was cut because following parents came back to it. Of each cycle it is the first span in
    /// canonical order whose link is cut.
    pub is_cycle: bool,
    /// The part of its own time that its children cover, overlaps counted once. `None` when the end is missing or
    /// before the start.
    pub child_time_ns: Option<i64>,
    /// Whether its tokens count in sums.
    pub usage_counted: bool,
    /// Whether its reported cost counts in sums.
    pub reported_cost_counted: bool,
    /// The agent that acted.
    pub run_agent: Option<Cow<'a, str>>,
    /// Version of the agent that acted.
    pub run_agent_version: Option<&'a str>,
    /// Whether the span is one run of an agent: not a step of it, not a second span around the same run.
    pub is_agent_run: bool,
    /// Of handoffs: who handed over.
    pub handoff_from: Option<Cow<'a, str>>,
    /// Of handoffs: who took over.
    pub handoff_to: Option<Cow<'a, str>>,
    /// The span that shows the same call and tells more about it.
    pub duplicate_of: Option<SpanId>,
    /// Whether the span failed: by its own status, or by that of a duplicate of it.
    pub failed: bool,
    /// Class of the failure, a duplicate's where the span has none.
    pub error_type: Option<&'a str>,
    /// Message of the failure, a duplicate's where the span has none.
    pub error_message: Option<&'a str>,
    /// Number among the steps of the run, from 1: LLM calls, tool calls, retrievals and handoffs that are no
    /// duplicates. Calls known only from LLM output have numbers too, so there may be gaps.
    pub step: Option<u32>,
    /// Hash of the canonical arguments of tool calls and handoffs; `None` when none were recorded.
    pub args_hash: Option<u64>,
    /// Hash of the normalised result; `None` when none was recorded.
    pub result_hash: Option<u64>,
}

/// A tool call that no span shows: an LLM's output asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticCall<'a> {
    /// Position of the LLM span among the rows.
    pub llm: usize,
    /// The LLM span.
    pub llm_span_id: SpanId,
    /// Position among the calls that the span asks for, from 0.
    pub position: u32,
    /// Number among the steps of the run.
    pub step: u32,
    /// Agent that acted.
    pub run_agent: Option<Cow<'a, str>>,
    /// Tool.
    pub name: String,
    /// Id of the call.
    pub call_id: Option<String>,
    /// Arguments, as the LLM wrote them or as JSON.
    pub args: Option<String>,
    /// What a later message of the same trace says the tool answered.
    pub result: Option<String>,
    /// As [`SpanDerived::args_hash`].
    pub args_hash: Option<u64>,
    /// As [`SpanDerived::result_hash`].
    pub result_hash: Option<u64>,
    /// End of the LLM span, or its start when it has no end.
    pub time: i64,
}

/// All that is derived from one trace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TraceDerived<'a> {
    /// One per row, in their order.
    pub spans: Vec<SpanDerived<'a>>,
    /// The run; `None` when there are no spans.
    pub run: Option<RunRow<'a>>,
    /// One row per agent and use, in order of first use.
    pub usage: Vec<UsageRow<'a>>,
    /// Tool calls that no span shows, in order of the run.
    pub calls: Vec<SyntheticCall<'a>>,
}

/// Derives traces one after the other, reusing its memory.
#[derive(Debug, Default)]
pub struct Deriver {}

impl Deriver {
    /// Derives one trace from all of its span rows, in canonical order (start time, then span id), and its log records,
    /// in order of time.
    pub fn derive<'a>(&mut self, spans: &[SpanRow<'a>], logs: &[LogRow<'a>]) -> TraceDerived<'a> {
        let _ = (spans, logs);
        TraceDerived::default()
    }
}
