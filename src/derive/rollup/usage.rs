//! The rows of use: calls, tokens and time by agent, model and tool.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::{FixedState, RandomState};

use super::UsageRow;
use super::sums::{Sum, TokenSums};
use crate::derive::calls::is_tool;
use crate::derive::view::SpanRow;
use crate::derive::{CostBasis, SpanDerived, SyntheticCall};
use crate::normalise::Kind;

/// What the rows are grouped by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key<'a> {
    agent: Option<Cow<'a, str>>,
    agent_version: Option<&'a str>,
    workflow_name: Option<&'a str>,
    kind: Kind,
    provider: Option<&'a str>,
    request_model: Option<&'a str>,
    response_model: Option<&'a str>,
    service_tier: Option<&'a str>,
    tool_name: Option<Cow<'a, str>>,
    cost_basis: Option<CostBasis>,
    /// Days since 1970, UTC.
    day: i32,
}

struct Group<'a> {
    key: Key<'a>,
    calls: u64,
    errors: u64,
    duration: Sum<i64>,
    tokens: TokenSums,
    cost: Sum<i128>,
    first_start: i64,
    last_start: i64,
    min_input: Option<i64>,
    max_input: Option<i64>,
    calls_without_usage: u64,
    unaccounted_calls: u64,
    counted_spans: u64,
}

impl<'a> Group<'a> {
    fn new(key: Key<'a>, start: i64) -> Self {
        Group {
            key,
            calls: 0,
            errors: 0,
            duration: Sum::default(),
            tokens: TokenSums::default(),
            cost: Sum::default(),
            first_start: start,
            last_start: start,
            min_input: None,
            max_input: None,
            calls_without_usage: 0,
            unaccounted_calls: 0,
            counted_spans: 0,
        }
    }

    fn seen_at(&mut self, start: i64) {
        self.first_start = self.first_start.min(start);
        self.last_start = self.last_start.max(start);
    }

    fn finish(self) -> UsageRow<'a> {
        let key = self.key;
        UsageRow {
            agent: key.agent,
            agent_version: key.agent_version,
            workflow_name: key.workflow_name,
            kind: key.kind,
            provider: key.provider,
            request_model: key.request_model,
            response_model: key.response_model,
            service_tier: key.service_tier,
            tool_name: key.tool_name,
            cost_basis: key.cost_basis,
            day: key.day,
            calls: self.calls,
            errors: self.errors,
            duration_ns: self.duration.get(),
            tokens: self.tokens.get(),
            reported_cost: self.cost.get(),
            overflowed: self.tokens.overflowed() || self.cost.overflowed() || self.duration.overflowed(),
            first_start: self.first_start,
            last_start: self.last_start,
            min_input_tokens: self.min_input,
            max_input_tokens: self.max_input,
            calls_without_usage: self.calls_without_usage,
            unaccounted_calls: self.unaccounted_calls,
            counted_spans: self.counted_spans,
        }
    }
}

/// Groups by key, reusing the index from trace to trace. The index maps hashes of keys to groups; two keys with one
/// hash take the next free one.
#[derive(Debug, Default)]
pub(in crate::derive) struct UsageIndex {
    by_hash: HashMap<u64, u32, RandomState>,
    answered: Vec<bool>,
}

impl UsageIndex {
    fn group<'g, 'a>(&mut self, groups: &'g mut Vec<Group<'a>>, key: Key<'a>, start: i64) -> &'g mut Group<'a> {
        let mut hash = FixedState::default().hash_one(&key);
        let at = loop {
            match self.by_hash.get(&hash) {
                Some(&at) if groups[at as usize].key == key => break at as usize,
                Some(_) => hash = hash.wrapping_add(1),
                None => {
                    self.by_hash.insert(hash, groups.len() as u32);
                    groups.push(Group::new(key, start));
                    break groups.len() - 1;
                }
            }
        };
        let group = &mut groups[at];
        group.seen_at(start);
        group
    }

    /// Groups the spans of one trace.
    pub(in crate::derive) fn rows<'a>(
        &mut self,
        rows: &[SpanRow<'a>],
        spans: &[SpanDerived<'a>],
        calls: &[SyntheticCall<'a>],
        duplicate_of: &[u32],
        known: &[bool],
        workflow_name: Option<&'a str>,
    ) -> Vec<UsageRow<'a>> {
        self.by_hash.clear();
        // A call's usage may be counted on a duplicate of it, such as the wrapper of a streamed call.
        self.answered.clear();
        self.answered.extend(spans.iter().map(|s| s.usage_counted));
        for (i, span) in spans.iter().enumerate() {
            if span.usage_counted
                && let Some(answered) = self.answered.get_mut(duplicate_of[i] as usize)
            {
                *answered = true;
            }
        }
        let mut groups: Vec<Group<'a>> = Vec::new();
        let mut synthetic = calls.iter().peekable();
        for (i, (row, span)) in rows.iter().zip(spans).enumerate() {
            let is_call = span.duplicate_of.is_none() && is_use(row.kind);
            if is_call || span.usage_counted || span.reported_cost_counted {
                let key = key_of(row, span, workflow_name);
                let answered = self.answered[i];
                add(self.group(&mut groups, key, row.start_time), row, span, is_call, answered, known[i]);
            }
            while let Some(call) = synthetic.next_if(|call| call.llm == i) {
                let key = Key {
                    kind: Kind::Tool,
                    provider: None,
                    request_model: None,
                    response_model: None,
                    service_tier: None,
                    tool_name: Some(Cow::Owned(call.name.clone())),
                    cost_basis: None,
                    day: day_of(call.time),
                    ..key_of(row, span, workflow_name)
                };
                self.group(&mut groups, key, call.time).calls += 1;
            }
        }
        groups.into_iter().map(Group::finish).collect()
    }
}

/// Whether spans of that kind are calls that something is used by.
pub(crate) fn is_use(kind: Kind) -> bool {
    matches!(kind, Kind::Llm | Kind::Embedding | Kind::Tool | Kind::Retrieval | Kind::Reranker | Kind::Handoff)
}

/// The day of an instant, UTC.
fn day_of(unix_nano: i64) -> i32 {
    const DAY_NS: i64 = 86_400 * 1_000_000_000;
    // At most 106,752 days either way.
    unix_nano.div_euclid(DAY_NS) as i32
}

fn key_of<'a>(row: &SpanRow<'a>, span: &SpanDerived<'a>, workflow_name: Option<&'a str>) -> Key<'a> {
    Key {
        agent: span.run_agent.clone(),
        agent_version: span.run_agent_version,
        workflow_name: row.workflow_name.or(workflow_name),
        kind: row.kind,
        provider: row.provider,
        request_model: row.request_model,
        response_model: row.response_model,
        service_tier: row.service_tier,
        tool_name: row.tool_name.filter(|_| is_tool(row.kind)).map(Cow::Borrowed),
        cost_basis: span.cost_basis,
        day: day_of(row.start_time),
    }
}

fn add<'a>(
    group: &mut Group<'a>,
    row: &SpanRow<'a>,
    span: &SpanDerived<'a>,
    is_call: bool,
    answered: bool,
    known: bool,
) {
    if is_call {
        group.calls += 1;
        group.errors += u64::from(span.failed);
        group.duration.add(row.duration_ns());
        let expects = matches!(row.kind, Kind::Llm | Kind::Embedding);
        group.calls_without_usage += u64::from(expects && !answered);
        group.unaccounted_calls += u64::from(expects && !answered && !known && !span.failed);
    }
    group.counted_spans += u64::from(span.usage_counted || span.reported_cost_counted);
    if span.usage_counted {
        group.tokens.add(&row.tokens);
        if let Some(input) = row.tokens.input {
            group.min_input = Some(group.min_input.map_or(input, |min| min.min(input)));
            group.max_input = Some(group.max_input.map_or(input, |max| max.max(input)));
        }
    }
    if span.reported_cost_counted {
        group.cost.add(row.reported_cost);
    }
}
