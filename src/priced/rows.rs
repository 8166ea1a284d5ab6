//! Uses as `spans` hold them, one by one.

use std::collections::HashMap;

use arrow::array::RecordBatch;

use super::Portion;
use super::pricer::{Outcome, Pricer, Use, When};
use super::sums::Sums;
use crate::cells::{Flag, Id, Int, Text, Time, Trace, Usd};
use crate::cost::Usage;
use crate::derive::{CostBasis, is_of_a_call, is_use, puts_out_tokens};
use crate::error::Result;
use crate::model::{SpanId, TraceId};
use crate::normalise::Kind;
use crate::segment::Table;

/// Token columns, named alike in `usage` and `spans`.
pub(super) struct Tokens<'a> {
    input: Int<'a>,
    output: Int<'a>,
    cache_read: Int<'a>,
    cache_write: Int<'a>,
    cache_write_1h: Int<'a>,
    reasoning: Int<'a>,
    input_audio: Int<'a>,
    input_image: Int<'a>,
    output_audio: Int<'a>,
    pub(super) total: Int<'a>,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(b: &'a RecordBatch) -> Self {
        Tokens {
            input: Int::of(b, "input_tokens"),
            output: Int::of(b, "output_tokens"),
            cache_read: Int::of(b, "cache_read_tokens"),
            cache_write: Int::of(b, "cache_write_tokens"),
            cache_write_1h: Int::of(b, "cache_write_1h_tokens"),
            reasoning: Int::of(b, "reasoning_tokens"),
            input_audio: Int::of(b, "input_audio_tokens"),
            input_image: Int::of(b, "input_image_tokens"),
            output_audio: Int::of(b, "output_audio_tokens"),
            total: Int::of(b, "total_tokens"),
        }
    }

    pub(super) fn at(&self, row: usize) -> Usage {
        Usage {
            input: self.input.at(row),
            output: self.output.at(row),
            cache_read: self.cache_read.at(row),
            cache_write: self.cache_write.at(row),
            cache_write_1h: self.cache_write_1h.at(row),
            reasoning: self.reasoning.at(row),
            input_audio: self.input_audio.at(row),
            input_image: self.input_image.at(row),
            output_audio: self.output_audio.at(row),
            ..Usage::default()
        }
    }
}

/// What is priced: embeddings and searches put out no tokens, whether the source says so or not.
pub(super) fn of_kind(tokens: Usage, kind: Option<&str>) -> Usage {
    let silent = kind.is_some_and(|k| !puts_out_tokens(Kind::parse(k))) && tokens.input.is_some();
    Usage { output: tokens.output.or(silent.then_some(0)), ..tokens }
}

/// Columns of `spans` that matter here.
pub(super) const OF_SPANS: [&str; 34] = [
    "trace_id",
    "span_id",
    "run_agent",
    "run_agent_version",
    "workflow_name",
    "kind",
    "provider",
    "request_model",
    "response_model",
    "service_tier",
    "cost_basis",
    "start_time",
    "is_duplicate_of",
    "failed",
    "usage_counted",
    "cost_counted",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "input_image_tokens",
    "output_audio_tokens",
    "total_tokens",
    "reported_cost_usd",
    "tree_left",
    "tree_right",
    "tool_name",
    "step",
    "dialect",
    "usage_convention",
    "name",
];

/// One span, as far as its cost goes.
pub(super) struct SpanUse<'a> {
    pub(super) span: SpanId,
    pub(super) duplicate_of: Option<SpanId>,
    pub(super) failed: bool,
    pub(super) usage_counted: Option<bool>,
    pub(super) cost_counted: Option<bool>,
    pub(super) start_time: i64,
    pub(super) tree: (i64, i64),
    pub(super) tool_name: Option<&'a str>,
    pub(super) is_step: bool,
    pub(super) dialect: Option<&'a str>,
    pub(super) usage_convention: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    /// Its tokens and its reported cost, whether they count or not.
    pub(super) own: (Usage, Option<i64>, Option<i128>),
    /// Its use; calls of which nothing is known are not decided yet.
    pub(super) used: Use<'a>,
}

impl SpanUse<'_> {
    fn is_call(&self) -> bool {
        self.duplicate_of.is_none() && self.used.kind.is_some_and(|k| is_use(Kind::parse(k)))
    }
}

/// The spans of a batch, with their traces.
pub(super) fn spans_of(batch: &RecordBatch) -> impl Iterator<Item = (TraceId, SpanUse<'_>)> {
    let (trace, span, duplicate) =
        (Trace::of(batch, "trace_id"), Id::of(batch, "span_id"), Id::of(batch, "is_duplicate_of"));
    let tokens = Tokens::of(batch);
    let [agent, version, workflow, kind, provider, request, response, tier, basis, tool, dialect, convention, name] = [
        "run_agent",
        "run_agent_version",
        "workflow_name",
        "kind",
        "provider",
        "request_model",
        "response_model",
        "service_tier",
        "cost_basis",
        "tool_name",
        "dialect",
        "usage_convention",
        "name",
    ]
    .map(|name| Text::of(batch, name));
    let [failed, usage_counted, cost_counted] =
        ["failed", "usage_counted", "cost_counted"].map(|name| Flag::of(batch, name));
    let (start, reported) = (Time::of(batch, "start_time"), Usd::of(batch, "reported_cost_usd"));
    let [left, right, step] = ["tree_left", "tree_right", "step"].map(|name| Int::of(batch, name));
    (0..batch.num_rows()).filter_map(move |row| {
        let basis = basis.at(row).and_then(CostBasis::of_name);
        let (usage_counted, cost_counted) = (usage_counted.at(row), cost_counted.at(row));
        let counted = usage_counted == Some(true) || cost_counted == Some(true);
        let start_time = start.at(row)?;
        let own = (tokens.at(row), tokens.total.at(row), reported.at(row));
        let used = Use {
            agent: agent.at(row),
            agent_version: version.at(row),
            workflow: workflow.at(row),
            kind: kind.at(row),
            provider: provider.at(row),
            request_model: request.at(row),
            response_model: response.at(row),
            service_tier: tier.at(row),
            basis,
            when: When::At(start_time),
            calls: 0,
            counted: u64::from(counted),
            unaccounted: 0,
            // Tokens that do not count are not those of a use.
            tokens: if usage_counted == Some(true) { of_kind(own.0, kind.at(row)) } else { Usage::default() },
            total_tokens: own.1.filter(|_| usage_counted == Some(true)),
            max_input: None,
            reported: own.2.filter(|_| cost_counted == Some(true)),
            overflowed: false,
        };
        let mut span = SpanUse {
            span: span.at(row)?,
            duplicate_of: duplicate.at(row),
            failed: failed.at(row).unwrap_or(false),
            usage_counted,
            cost_counted,
            start_time,
            tree: (left.at(row)?, right.at(row)?),
            tool_name: tool.at(row),
            is_step: step.at(row).is_some(),
            dialect: dialect.at(row),
            usage_convention: convention.at(row),
            name: name.at(row),
            own,
            used,
        };
        span.used.calls = u64::from(span.is_call());
        Some((trace.at(row)?, span))
    })
}

/// Calls to a model of whose tokens and cost nothing is known, as [`crate::derive`] finds them: neither the span nor one
/// that records the same call, nor any above or below it, tells.
pub(super) fn unaccounted(spans: &mut [SpanUse<'_>]) {
    let tells = |s: &SpanUse<'_>| {
        s.usage_counted == Some(true)
            || s.cost_counted == Some(true) && s.used.kind.is_none_or(|k| is_of_a_call(Kind::parse(k)))
    };
    let told_by_another: HashMap<SpanId, ()> =
        spans.iter().filter(|s| s.usage_counted == Some(true)).filter_map(|s| Some((s.duplicate_of?, ()))).collect();
    // Ranges of the nested set: a span is told of when its range holds one that tells, or lies in one.
    let mut telling: Vec<(i64, i64)> = spans.iter().filter(|s| tells(s)).map(|s| s.tree).collect();
    telling.sort_unstable();
    let mut reach = Vec::with_capacity(telling.len());
    let mut furthest = i64::MIN;
    for (_, right) in &telling {
        furthest = furthest.max(*right);
        reach.push(furthest);
    }
    for s in spans {
        let is_model = matches!(s.used.kind, Some("llm" | "embedding"));
        if s.used.calls == 0 || !is_model || s.failed || told_by_another.contains_key(&s.span) {
            continue;
        }
        let (left, right) = s.tree;
        let from = telling.partition_point(|t| t.0 < left);
        let within = telling.get(from).is_some_and(|t| t.0 <= right);
        let around = from > 0 && reach[from - 1] >= left;
        s.used.unaccounted = u64::from(!within && !around);
    }
}

/// Prices traces span by span.
pub(super) fn price_spans(
    portion: &Portion,
    traces: &[TraceId],
    pricer: &mut Pricer<'_>,
    sums: &mut Sums,
) -> Result<()> {
    let workflows = workflows(portion, Some(traces))?;
    for_each_trace(portion, Some(traces), |trace, spans| {
        unaccounted(spans);
        for s in spans.iter() {
            if s.used.costs_nothing() {
                continue;
            }
            let of_run = workflows.get(&trace).map(String::as_str);
            let used = Use { workflow: s.used.workflow.or(of_run), ..s.used };
            let outcome = decided(pricer, &used);
            sums.add(trace, &used, &outcome, pricer);
        }
        sums.end_trace(true);
    })
}

/// The outcome of a single span, which is always decided.
pub(super) fn decided(pricer: &mut Pricer<'_>, used: &Use<'_>) -> Outcome {
    pricer.price(used).unwrap_or_else(|_| pricer.undecidable(used))
}

/// The workflows of runs: spans that name none belong to their run's.
fn workflows(portion: &Portion, traces: Option<&[TraceId]>) -> Result<HashMap<TraceId, String>> {
    let mut found = HashMap::new();
    for batch in portion.read(Table::Runs, &["trace_id", "workflow_name"], traces)? {
        let batch = batch?;
        let (trace, workflow) = (Trace::of(&batch, "trace_id"), Text::of(&batch, "workflow_name"));
        for row in 0..batch.num_rows() {
            if let (Some(trace), Some(workflow)) = (trace.at(row), workflow.at(row)) {
                found.insert(trace, workflow.to_owned());
            }
        }
    }
    Ok(found)
}

/// Calls `f` with all spans of each trace, in canonical order.
pub(super) fn for_each_trace(
    portion: &Portion,
    traces: Option<&[TraceId]>,
    mut f: impl FnMut(TraceId, &mut Vec<SpanUse<'_>>),
) -> Result<()> {
    for_each_batch(portion, &OF_SPANS, traces, |batch| {
        whole_traces(batch, &mut f);
        Ok(())
    })
}

/// Calls `f` with the named columns of spans, in batches of whole traces.
pub(super) fn for_each_batch(
    portion: &Portion,
    columns: &[&str],
    traces: Option<&[TraceId]>,
    mut f: impl FnMut(&RecordBatch) -> Result<()>,
) -> Result<()> {
    // Rows of a trace that the end of a batch cut off are read together with the next batch.
    let mut rest: Option<RecordBatch> = None;
    for batch in portion.read(Table::Spans, columns, traces)? {
        let mut batch = batch?;
        if let Some(rest) = rest.take() {
            let joined = arrow::compute::concat_batches(&batch.schema(), [&rest, &batch]);
            batch = joined.map_err(|e| crate::Error::Rows(e.to_string()))?;
        }
        let end = last_trace_starts(&batch);
        if end > 0 {
            f(&batch.slice(0, end))?;
        }
        rest = Some(batch.slice(end, batch.num_rows() - end));
    }
    rest.map_or(Ok(()), |rest| f(&rest))
}

/// The row at which the last trace of a batch begins.
fn last_trace_starts(batch: &RecordBatch) -> usize {
    let trace = Trace::of(batch, "trace_id");
    let last = batch.num_rows().checked_sub(1).and_then(|row| trace.at(row));
    (0..batch.num_rows()).rev().take_while(|&row| trace.at(row) == last).last().unwrap_or(0)
}

fn whole_traces(batch: &RecordBatch, f: &mut impl FnMut(TraceId, &mut Vec<SpanUse<'_>>)) {
    let mut spans = Vec::new();
    let mut open = None;
    for (trace, span) in spans_of(batch) {
        if let Some(before) = open.filter(|t| *t != trace) {
            f(before, &mut spans);
            spans.clear();
        }
        open = Some(trace);
        spans.push(span);
    }
    if let Some(trace) = open {
        f(trace, &mut spans);
    }
}
