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
//! | `basis` | what each span contributes to the cost of its run |
//! | `agents` | which agent acted |
//! | `handoffs` | who handed over to whom |
//! | `requested` | tool calls that are known only because an LLM asked for them |
//! | `canonical` | one text for equal arguments, whatever framework recorded them |
//! | `looping` | what the run did again and again |
//! | `rollup` | one row per run, one row per use of a model or tool |

mod agents;
mod basis;
mod calls;
mod canonical;
mod counted;
mod handoffs;
mod looping;
mod requested;
mod rollup;
mod structure;
mod view;

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::{FixedState, RandomState};

use crate::loops::{Settings, volatile};
use crate::model::SpanId;
pub use crate::normalise::Kind;
use agents::Agents;
use basis::Bases;
pub use basis::CostBasis;
pub(crate) use basis::{is_of_a_call, puts_out_tokens};
use calls::{Calls, is_tool};
pub use canonical::{Canonicaliser, hash};
pub(crate) use counted::COUNTED_ELSEWHERE;
use counted::Counted;
use handoffs::Ends;
use looping::Known;
pub use looping::{Member, RunLoop};
pub(crate) use rollup::is_use;
use rollup::{Errors, UsageIndex};
pub use rollup::{FirstError, Outcome, RunRow, UsageRow};
use structure::{NONE, Tree};
pub(crate) use view::SPAN_COLUMNS;
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
    /// What it contributes to the cost of the run; `None` when it has neither tokens nor cost that count.
    pub cost_basis: Option<CostBasis>,
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
    /// The span that shows the same call and tells more about it. The span's own id when that one is in another trace,
    /// as of a session that was resumed into another file.
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
    /// What the run did again and again, by first step.
    pub loops: Vec<RunLoop>,
}

/// Derives traces one after the other, reusing its memory.
#[derive(Debug, Default)]
pub struct Deriver {
    tree: Tree,
    calls: Calls,
    counted: Counted,
    bases: Bases,
    agents: Agents,
    usage: UsageIndex,
    canonical: Canonicaliser,
    args: Vec<Option<u64>>,
    failed_below: Vec<bool>,
    last_failed: HashMap<u64, bool, RandomState>,
    loops: looping::Wanted,
}

impl Deriver {
    /// A deriver that looks for loops with other settings than the defaults.
    pub fn with_loop_settings(mut loop_settings: Settings) -> Self {
        let mut canonical = Canonicaliser::default();
        for (tool, text) in &loop_settings.acknowledgement_texts {
            if let Some(result) = canonical.result(text) {
                loop_settings.acknowledgements.insert((tool.clone(), hash(&volatile::text(result))));
            }
        }
        Deriver { loops: looping::Wanted::new(loop_settings), ..Deriver::default() }
    }

    /// Derives one trace from all of its span rows, in canonical order (start time, then span id), and its log records,
    /// those of each span in order of time.
    pub fn derive<'a>(&mut self, rows: &[SpanRow<'a>], logs: &[LogRow<'_>]) -> TraceDerived<'a> {
        self.tree.build(rows);
        self.args.clear();
        for row in rows {
            let args = row.tool_args.filter(|_| is_tool(row.kind));
            self.args.push(args.and_then(|a| self.canonical.arguments_hash(a)));
        }
        self.calls.decide(rows, &self.tree, &self.args);
        self.counted.decide(rows, &self.tree, &self.calls.echo);
        self.counted.take_out(logs, &self.tree);
        self.bases.decide(rows, &self.tree, &self.counted.usage, &self.counted.cost);
        self.agents.decide(rows, &self.tree, &self.calls);
        let ends = handoffs::decide(rows, &self.agents, &self.calls.duplicate_of, &mut self.canonical);
        let mut calls = requested::find(rows, logs, &self.tree, &self.calls, &mut self.canonical);
        let mut spans: Vec<SpanDerived<'a>> = (0..rows.len()).map(|i| self.span(rows, i, &ends)).collect();
        let steps = number_steps(rows, &mut spans, &mut calls);
        let retries = self.retries(rows, &spans);
        self.find_failed_below(&spans);
        let errors = Errors::count(&spans, &self.failed_below);
        let run = rollup::run(rows, &spans, &calls, &errors, steps, retries);
        let workflow_name = run.as_ref().and_then(|r| r.workflow_name);
        let usage = self.usage.rows(rows, &spans, &calls, &self.calls.duplicate_of, &self.bases.known, workflow_name);
        let duplicate_of = &self.calls.duplicate_of;
        let known = Known { rows, spans: &spans, calls: &calls, tree: &self.tree, duplicate_of };
        let loops = looping::search(&known, &self.loops, &mut self.canonical);
        TraceDerived { spans, run, usage, calls, loops }
    }

    fn span<'a>(&mut self, rows: &[SpanRow<'a>], i: usize, ends: &[Ends<'a>]) -> SpanDerived<'a> {
        let (row, tree) = (&rows[i], &self.tree);
        let actor = self.agents.actor[i];
        let kept = match self.calls.duplicate_of[i] {
            NONE => None,
            kept => Some(kept),
        };
        // A duplicate of a handoff hands over as the kept span does.
        let shown = kept.unwrap_or(i as u32);
        let ends = ends.binary_search_by_key(&shown, |e| e.row).ok().map(|at| &ends[at]);
        let told = match self.calls.error_from[i] {
            NONE => None,
            from => Some(&rows[from as usize]),
        };
        let result = row.tool_result.filter(|_| is_tool(row.kind));
        SpanDerived {
            root_span_id: rows[tree.root[i] as usize].span_id,
            depth: tree.depth[i],
            seq: i as u32,
            tree_left: tree.left[i],
            tree_right: tree.right[i],
            is_orphan: tree.orphan[i],
            is_cycle: tree.cut[i],
            child_time_ns: tree.child_time(rows, i as u32),
            usage_counted: self.counted.usage[i],
            reported_cost_counted: self.counted.cost[i],
            cost_basis: self.bases.of[i],
            run_agent: actor.name(rows, &mut self.canonical),
            run_agent_version: row.agent_version.or_else(|| actor.version(rows)),
            is_agent_run: self.agents.is_run[i],
            handoff_from: ends.and_then(|e| e.from.clone()),
            handoff_to: ends.and_then(|e| e.to.clone()),
            duplicate_of: if self.counted.elsewhere[i] {
                Some(row.span_id)
            } else {
                kept.map(|k| rows[k as usize].span_id)
            },
            failed: self.calls.failed[i],
            error_type: row.error_type.or_else(|| told?.error_type),
            error_message: row.status_message.or_else(|| told?.status_message),
            step: None,
            args_hash: self.args[i],
            result_hash: result.and_then(|r| self.canonical.result_hash(r)),
        }
    }

    /// Counts LLM and tool steps whose previous step of the same agent with the same model or tool failed.
    fn retries(&mut self, rows: &[SpanRow<'_>], spans: &[SpanDerived<'_>]) -> u64 {
        if !spans.iter().any(|s| s.failed) {
            return 0;
        }
        self.last_failed.clear();
        let mut retries = 0;
        for (row, span) in rows.iter().zip(spans) {
            let what = match row.kind {
                Kind::Llm => row.request_model.or(row.response_model),
                Kind::Tool => row.tool_name,
                _ => continue,
            };
            if span.step.is_none() {
                continue;
            }
            let key = FixedState::default().hash_one((&span.run_agent, row.kind, what));
            retries += u64::from(self.last_failed.insert(key, span.failed) == Some(true));
        }
        retries
    }

    fn find_failed_below(&mut self, spans: &[SpanDerived<'_>]) {
        self.failed_below.clear();
        self.failed_below.resize(spans.len(), false);
        for &i in self.tree.preorder.iter().rev() {
            let parent = self.tree.parent[i as usize];
            let own = &spans[i as usize];
            // What a duplicate saw of a failure, the kept span stands for.
            if parent != NONE && (own.failed && own.duplicate_of.is_none() || self.failed_below[i as usize]) {
                self.failed_below[parent as usize] = true;
            }
        }
    }
}

/// Numbers the steps of a run from 1, and fills what calls without a span take from their LLM span.
fn number_steps<'a>(rows: &[SpanRow<'a>], spans: &mut [SpanDerived<'a>], calls: &mut [SyntheticCall<'a>]) -> u32 {
    let mut steps = 0;
    let mut calls = calls.iter_mut().peekable();
    for (i, (row, span)) in rows.iter().zip(spans).enumerate() {
        let is_step = matches!(row.kind, Kind::Llm | Kind::Tool | Kind::Retrieval | Kind::Handoff);
        if is_step && span.duplicate_of.is_none() {
            steps += 1;
            span.step = Some(steps);
        }
        while let Some(call) = calls.next_if(|call| call.llm == i) {
            steps += 1;
            call.step = steps;
            call.run_agent.clone_from(&span.run_agent);
        }
    }
    steps
}
