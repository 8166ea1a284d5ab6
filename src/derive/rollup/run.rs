//! The row of a run.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::Hash;

use foldhash::fast::RandomState;

use super::sums::{Sum, TokenSums};
use super::{FirstError, Outcome, RunRow};
use crate::derive::calls::is_tool;
use crate::derive::view::SpanRow;
use crate::derive::{SpanDerived, SyntheticCall};
use crate::normalise::Kind;

/// Below this a list is searched from its beginning; above, by hash.
const FEW: usize = 16;

/// Values in order of first use, each once.
struct Distinct<T> {
    list: Vec<T>,
    seen: HashSet<T, RandomState>,
}

impl<T: Clone + Eq + Hash> Distinct<T> {
    fn new() -> Self {
        Distinct { list: Vec::new(), seen: HashSet::default() }
    }

    fn add(&mut self, value: &T) {
        if self.list.len() < FEW {
            if !self.list.contains(value) {
                self.list.push(value.clone());
            }
            return;
        }
        if self.seen.is_empty() {
            self.seen.extend(self.list.iter().cloned());
        }
        if self.seen.insert(value.clone()) {
            self.list.push(value.clone());
        }
    }
}

/// Whether a root of that kind is a step itself, so that its name says nothing about a workflow.
fn is_step_root(kind: Kind) -> bool {
    !matches!(kind, Kind::Agent | Kind::Workflow | Kind::Other)
}

/// Sums up the spans of one trace; `None` when there are none.
pub(in crate::derive) fn run<'a>(
    rows: &[SpanRow<'a>],
    spans: &[SpanDerived<'a>],
    calls: &[SyntheticCall<'a>],
    errors: &Errors,
    steps: u32,
    retries: u64,
) -> Option<RunRow<'a>> {
    let first = rows.first()?;
    let root = rows.iter().position(|r| r.parent.is_none_or(|p| p.is_zero()));
    let root_row = root.map(|r| &rows[r]);
    let named = |column: fn(&SpanRow<'a>) -> Option<&'a str>| {
        root_row.and_then(column).or_else(|| rows.iter().find_map(column))
    };
    let outcome = match root {
        Some(r) if rows[r].end_time.is_some() && spans[r].failed => Outcome::Failed,
        Some(r) if rows[r].end_time.is_some() => Outcome::Completed,
        _ => Outcome::Incomplete,
    };
    let (mut tokens, mut cost) = (TokenSums::default(), Sum::<i128>::default());
    let mut counts = [0u64; 5];
    let (mut orphans, mut cycles, mut max_depth) = (0, 0, 0);
    let (mut agents, mut models, mut tools) = (Distinct::new(), Distinct::new(), Distinct::new());
    let mut synthetic = calls.iter().peekable();
    for (i, (row, span)) in rows.iter().zip(spans).enumerate() {
        orphans += u64::from(span.is_orphan);
        cycles += u64::from(span.is_cycle);
        max_depth = max_depth.max(span.depth);
        if span.usage_counted {
            tokens.add(&row.tokens);
        }
        if span.reported_cost_counted {
            cost.add(row.reported_cost);
        }
        if span.duplicate_of.is_none() {
            if let Some(kind) = [Kind::Llm, Kind::Embedding, Kind::Tool, Kind::Retrieval, Kind::Handoff]
                .iter()
                .position(|k| *k == row.kind)
            {
                counts[kind] += 1;
            }
            if let Some(model) = row.response_model.or(row.request_model)
                && matches!(row.kind, Kind::Llm | Kind::Embedding | Kind::Reranker)
            {
                models.add(&model);
            }
            if is_tool(row.kind)
                && let Some(tool) = row.tool_name
            {
                tools.add(&Cow::Borrowed(tool));
            }
            if span.is_agent_run || span.step.is_some() {
                span.run_agent.iter().for_each(|agent| agents.add(agent));
            }
        }
        while let Some(call) = synthetic.next_if(|call| call.llm == i) {
            counts[2] += 1;
            tools.add(&Cow::Owned(call.name.clone()));
        }
    }
    let [llm_calls, embedding_calls, tool_calls, retrievals, handoffs] = counts;
    Some(RunRow {
        root_span_id: root_row.map(|r| r.span_id),
        root_name: root_row.map(|r| r.name),
        workflow_name: named(|r| r.workflow_name)
            .or_else(|| root_row.filter(|r| !is_step_root(r.kind) && !r.name.is_empty()).map(|r| r.name)),
        session_id: named(|r| r.session_id),
        user_id: named(|r| r.user_id),
        service_name: named(|r| r.service_name),
        environment: named(|r| r.environment),
        status: root_row.map(|r| r.status),
        outcome,
        first_error: errors.first.map(|i| FirstError {
            span_id: rows[i].span_id,
            error_type: spans[i].error_type,
            message: spans[i].error_message,
        }),
        start_time: rows.iter().map(|r| r.start_time).min().unwrap_or(first.start_time),
        end_time: rows.iter().filter_map(|r| r.end_time).max(),
        spans: rows.len() as u64,
        steps: u64::from(steps),
        llm_calls,
        embedding_calls,
        tool_calls,
        retrievals,
        handoffs,
        tokens: tokens.get(),
        reported_cost: cost.get(),
        overflowed: tokens.overflowed() || cost.overflowed(),
        agents: agents.list,
        models: models.list,
        tools: tools.list,
        max_depth,
        errors: errors.count,
        retries,
        orphans,
        cycles,
    })
}

/// The failures of a run where they began.
#[derive(Debug, Default)]
pub(in crate::derive) struct Errors {
    count: u64,
    first: Option<usize>,
}

impl Errors {
    /// Counts the failed spans none of whose descendants failed; `failed_below` says whether any did.
    pub(in crate::derive) fn count(spans: &[SpanDerived<'_>], failed_below: &[bool]) -> Self {
        let mut errors = Errors::default();
        for (i, span) in spans.iter().enumerate() {
            if span.failed && span.duplicate_of.is_none() && !failed_below[i] {
                errors.count += 1;
                errors.first.get_or_insert(i);
            }
        }
        errors
    }
}
