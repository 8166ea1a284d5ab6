//! What follows from whole traces: columns beside their spans, and rows of further tables.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use memchr::memmem;

use super::Table;
use super::arrivals::Place;
use crate::batch::{Columns, PackedEvent, RowWriter, SpanBatch, unpack_events};
use crate::cells::Bytes;
use crate::derive::{
    BatchLogs, BatchRows, CostBasis, Deriver, Kind, RunLoop, RunRow, SpanDerived, SpanRow, Status, SyntheticCall,
    UsageRow,
};
use crate::model::{SpanId, TraceId};
use crate::schema::{Column, Origin, PACKED_EVENTS};
use crate::scores::{Evaluation, EventText, RESULT_EVENT, Target, evaluations};
use crate::typed_json::TypedJsonError;

/// Derives trace by trace, and gathers what comes out.
pub(crate) struct Derived<'a> {
    spans: Vec<BatchRows<'a>>,
    logs: Vec<BatchLogs<'a>>,
    events: Vec<Bytes<'a>>,
    deriver: Deriver,
    beside: Columns,
    runs: Columns,
    usage: Columns,
    calls: Columns,
    scores: Columns,
    loops: Columns,
}

impl<'a> Derived<'a> {
    /// The tables whose rows are derived.
    pub(crate) const TABLES: [Table; 5] =
        [Table::Runs, Table::Usage, Table::SyntheticCalls, Table::Scores, Table::Loops];

    /// Over rows that lie in these batches.
    pub(crate) fn new(batches: &'a [SpanBatch]) -> Self {
        let stored = |table: Table| Columns::new(&part_of(table, |c| c.origin != Origin::Computed));
        Derived {
            spans: batches.iter().map(|b| BatchRows::new(&b.spans)).collect(),
            logs: batches.iter().map(|b| BatchLogs::new(&b.logs)).collect(),
            events: batches.iter().map(|b| Bytes::of(&b.spans, PACKED_EVENTS)).collect(),
            deriver: Deriver::default(),
            beside: Columns::new(&part_of(Table::Spans, |c| c.origin == Origin::Derived)),
            runs: stored(Table::Runs),
            usage: stored(Table::Usage),
            calls: stored(Table::SyntheticCalls),
            scores: stored(Table::Scores),
            loops: stored(Table::Loops),
        }
    }

    /// Derives one trace from its rows, which come in canonical order. Says how many rows each of the derived tables
    /// has of it.
    pub(crate) fn push_trace(&mut self, trace: TraceId, spans: &[Place], logs: &[Place]) -> [usize; 5] {
        let rows: Vec<SpanRow<'a>> =
            spans.iter().map(|&(batch, row)| self.spans[batch as usize].row(row as usize)).collect();
        let logs: Vec<_> = logs.iter().map(|&(batch, row)| self.logs[batch as usize].row(row as usize)).collect();
        let derived = self.deriver.derive(&rows, &logs);
        for (row, d) in rows.iter().zip(&derived.spans) {
            push_span(&mut self.beside, row, d);
        }
        if let Some(run) = &derived.run {
            push_run(&mut self.runs, trace, run);
            for usage in &derived.usage {
                push_usage(&mut self.usage, trace, run, usage);
            }
        }
        for call in &derived.calls {
            let version = derived.spans.get(call.llm).and_then(|d| d.run_agent_version);
            push_call(&mut self.calls, trace, call, version);
        }
        let mut scores = 0;
        for (row, &(batch, at)) in rows.iter().zip(spans) {
            scores += self.push_scores(trace, row.span_id, row.attributes, self.own_events(batch, at).as_deref());
        }
        for log in logs.iter().filter(|l| l.name == Some(RESULT_EVENT)) {
            let event = EventText { name: RESULT_EVENT, time_unix_nano: log.time, attributes: log.attributes };
            scores += self.push_results(trace, log.span_id, evaluations(None, [event]));
        }
        for (found, number) in derived.loops.iter().zip(1..) {
            push_loop(&mut self.loops, trace, number, found);
        }
        [usize::from(derived.run.is_some()), derived.usage.len(), derived.calls.len(), scores, derived.loops.len()]
    }

    /// Events of a span, if any of them may be the result of an evaluation.
    fn own_events(&self, batch: u32, row: u32) -> Option<Vec<PackedEvent>> {
        let bytes = self.events[batch as usize].at(row as usize)?;
        memmem::find(bytes, RESULT_EVENT.as_bytes())?;
        unpack_events(bytes).ok()
    }

    /// The scores that a span brings; how many they are.
    fn push_scores(
        &mut self,
        trace: TraceId,
        span: SpanId,
        attributes: Option<&str>,
        events: Option<&[PackedEvent]>,
    ) -> usize {
        let events = events.unwrap_or_default().iter().map(|e| EventText {
            name: e.name.as_deref().unwrap_or_default(),
            time_unix_nano: e.time,
            attributes: e.attributes.as_deref(),
        });
        self.push_results(trace, span, evaluations(attributes, events))
    }

    /// Attributes that are no typed JSON, which only a caller of the store can bring in, hold no results.
    fn push_results(
        &mut self,
        trace: TraceId,
        span: SpanId,
        results: Result<Vec<Evaluation>, TypedJsonError>,
    ) -> usize {
        let results = results.unwrap_or_default();
        for e in &results {
            let target = if span.is_zero() { Target::Trace } else { e.target };
            let mut w = RowWriter::new(&mut self.scores);
            w.id(Some(&trace.0));
            w.id(Some(span.0.as_slice()).filter(|_| target == Target::Span));
            w.text(Some(target.as_str()));
            w.text(Some(&e.name));
            w.double(e.value);
            w.text(e.label.as_deref());
            w.text(e.explanation.as_deref());
            w.text(Some(&e.source));
            w.int(e.time_unix_nano);
            w.end();
        }
        results.len()
    }

    /// The columns beside the spans so far, in their order; starts anew.
    pub(crate) fn finish_spans(&mut self) -> RecordBatch {
        self.beside.finish()
    }

    /// The rows of a derived table so far; starts anew.
    pub(crate) fn finish(&mut self, table: Table) -> RecordBatch {
        match table {
            Table::Runs => self.runs.finish(),
            Table::Usage => self.usage.finish(),
            Table::SyntheticCalls => self.calls.finish(),
            Table::Scores => self.scores.finish(),
            Table::Loops => self.loops.finish(),
            Table::Spans | Table::Events | Table::Links => RecordBatch::new_empty(table.schema()),
        }
    }
}

/// Schema of a table's columns for which `wanted` says yes.
fn part_of(table: Table, wanted: impl Fn(&Column) -> bool) -> SchemaRef {
    let full = table.schema();
    let fields: Vec<FieldRef> =
        full.fields().iter().zip(table.columns()).filter(|(_, c)| wanted(c)).map(|(f, _)| f.clone()).collect();
    Arc::new(Schema::new(fields))
}

/// The columns of both, which have the same rows.
pub(crate) fn beside(left: &RecordBatch, right: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let fields: Vec<FieldRef> = left.schema_ref().fields().iter().chain(right.schema_ref().fields()).cloned().collect();
    let columns = left.columns().iter().chain(right.columns()).cloned().collect();
    let options = RecordBatchOptions::new().with_row_count(Some(left.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}

fn push_span(columns: &mut Columns, row: &SpanRow<'_>, d: &SpanDerived<'_>) {
    let mut w = RowWriter::new(columns);
    w.id(Some(&d.root_span_id.0));
    w.count(d.depth.into());
    w.count(d.seq.into());
    w.int(d.step.map(i64::from));
    w.count(d.tree_left.into());
    w.count(d.tree_right.into());
    w.text(d.run_agent.as_deref());
    w.text(d.run_agent_version);
    w.flag((row.kind == Kind::Agent).then_some(d.is_agent_run));
    w.flag(row.tokens.is_known().then_some(d.usage_counted));
    w.flag(row.reported_cost.map(|_| d.reported_cost_counted));
    w.text(d.cost_basis.map(CostBasis::name));
    w.hash(d.args_hash);
    w.hash(d.result_hash);
    w.int(d.child_time_ns);
    w.flag(Some(d.is_orphan));
    w.flag(Some(d.is_cycle));
    w.id(d.duplicate_of.as_ref().map(|id| id.0.as_slice()));
    w.flag(Some(d.failed));
    w.text(d.handoff_from.as_deref());
    w.text(d.handoff_to.as_deref());
    w.end();
}

fn push_run(columns: &mut Columns, trace: TraceId, run: &RunRow<'_>) {
    let mut w = RowWriter::new(columns);
    w.id(Some(&trace.0));
    w.id(run.root_span_id.as_ref().map(|id| id.0.as_slice()));
    for text in [run.root_name, run.workflow_name, run.session_id, run.user_id, run.service_name, run.environment] {
        w.text(text);
    }
    w.text(run.status.map(Status::name));
    w.text(Some(run.outcome.name()));
    let error = run.first_error.as_ref();
    w.id(error.map(|e| e.span_id.0.as_slice()));
    w.text(error.and_then(|e| e.error_type));
    w.text(error.and_then(|e| e.message));
    w.int(Some(run.start_time));
    w.int(run.end_time);
    w.count(run.spans);
    w.count(run.steps);
    w.count(run.llm_calls);
    w.count(run.embedding_calls);
    w.count(run.tool_calls);
    w.count(run.retrievals);
    w.count(run.handoffs);
    run.tokens.buckets().into_iter().for_each(|n| w.int(n));
    w.usd(run.reported_cost);
    w.list(&run.agents);
    w.list(&run.models);
    w.list(&run.tools);
    w.count(run.max_depth.into());
    w.count(run.errors);
    w.count(run.retries);
    w.count(run.orphans);
    w.count(run.cycles);
    w.flag(Some(run.overflowed));
    w.end();
}

fn push_usage(columns: &mut Columns, trace: TraceId, run: &RunRow<'_>, u: &UsageRow<'_>) {
    let mut w = RowWriter::new(columns);
    w.id(Some(&trace.0));
    w.text(u.agent.as_deref());
    w.text(u.agent_version);
    w.text(u.workflow_name);
    w.text(Some(u.kind.name()));
    for text in [u.provider, u.request_model, u.response_model, u.service_tier, u.tool_name.as_deref()] {
        w.text(text);
    }
    w.text(u.cost_basis.map(CostBasis::name));
    w.day(u.day);
    w.count(u.calls);
    w.count(u.errors);
    w.count(u.calls_without_usage);
    w.count(u.unaccounted_calls);
    // What other columns say already would only take space.
    let counted = (u.cost_basis.is_some() && u.counted_spans != u.calls).then_some(u.counted_spans);
    w.int(counted.and_then(|n| i64::try_from(n).ok()));
    w.int(u.duration_ns);
    u.tokens.buckets().into_iter().for_each(|n| w.int(n));
    w.int(u.max_input_tokens.filter(|_| u.counted_spans > 1));
    w.usd(u.reported_cost);
    w.int(Some(run.start_time));
    w.flag(Some(u.overflowed));
    w.end();
}

fn push_call(columns: &mut Columns, trace: TraceId, call: &SyntheticCall<'_>, version: Option<&str>) {
    let mut w = RowWriter::new(columns);
    w.id(Some(&trace.0));
    w.id(Some(&call.llm_span_id.0));
    w.count(call.position.into());
    w.count(call.step.into());
    w.int(Some(call.time));
    w.text(call.run_agent.as_deref());
    w.text(version);
    w.text(Some(&call.name));
    w.text(call.call_id.as_deref());
    w.text(call.args.as_deref());
    w.text(call.result.as_deref());
    w.hash(call.args_hash);
    w.hash(call.result_hash);
    w.end();
}

/// Writes a row of `loops`.
pub(crate) fn push_loop(columns: &mut Columns, trace: TraceId, number: u64, l: &RunLoop) {
    let found = &l.finding;
    let mut w = RowWriter::new(columns);
    w.id(Some(&trace.0));
    w.count(number);
    w.text(found.agent.as_deref().filter(|a| !a.is_empty()));
    w.text(Some(found.kind.as_str()));
    w.text(Some(found.severity.as_str()));
    w.flag(Some(found.confirmed));
    w.count(found.period as u64);
    w.double(Some(found.repeats));
    w.count(found.steps.len() as u64);
    w.int(l.first_step.map(i64::from));
    w.int(l.last_step.map(i64::from));
    w.id(Some(&found.first_span_id.0));
    w.id(Some(&found.last_span_id.0));
    w.int(Some(l.start_time));
    w.list(&found.names);
    w.hash(Some(found.signature));
    w.int(found.wasted_tokens.and_then(|n| i64::try_from(n).ok()));
    // No run is longer than its instants can say.
    w.int(Some(i64::try_from(found.wasted_ns).unwrap_or(i64::MAX)));
    w.text(Some(&found.evidence));
    w.text(Some(&l.periods_json()));
    w.text(l.wasted_spans_json().as_deref());
    w.end();
}
