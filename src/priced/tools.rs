//! Which tools the cost of model calls is due to.
//!
//! A model call reads the results of the tool calls that its agent made since its model call before. Its cost is divided
//! evenly among those calls, to the last pico-dollar; a tool that was called twice has two shares. A model call that no
//! tool call came before belongs to no tool. What tools report as their own cost is theirs in any case. So the sum over
//! all tools, and none, is the sum over the runs.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use foldhash::fast::RandomState;

use super::Portion;
use super::pricer::{Outcome, Pricer};
use super::rows::SpanUse;
use super::sums::{Money, write_money};
use crate::batch::{Columns, RowWriter};
use crate::cells::{Id, Text, Trace};
use crate::error::Result;
use crate::model::{SpanId, TraceId};
use crate::schema;
use crate::segment::Table;

/// A tool call without a span: the LLM span that asks for it, and the tool.
pub(super) struct SyntheticCall {
    llm: SpanId,
    tool: String,
}

/// Tool calls without spans, by trace.
pub(super) struct SyntheticCalls(HashMap<TraceId, Vec<SyntheticCall>>);

impl SyntheticCalls {
    pub(super) fn of(portion: &Portion) -> Result<Self> {
        let mut calls: HashMap<TraceId, Vec<SyntheticCall>> = HashMap::new();
        for batch in portion.read(Table::SyntheticCalls, &["trace_id", "span_id", "tool_name"], None)? {
            let batch = batch?;
            let (trace, llm) = (Trace::of(&batch, "trace_id"), Id::of(&batch, "span_id"));
            let tool = Text::of(&batch, "tool_name");
            for row in 0..batch.num_rows() {
                if let (Some(trace), Some(llm), Some(tool)) = (trace.at(row), llm.at(row), tool.at(row)) {
                    calls.entry(trace).or_default().push(SyntheticCall { llm, tool: tool.to_owned() });
                }
            }
        }
        Ok(SyntheticCalls(calls))
    }

    pub(super) fn of_trace(&self, trace: TraceId) -> &[SyntheticCall] {
        self.0.get(&trace).map_or(&[], Vec::as_slice)
    }
}

#[derive(Debug, Default)]
struct Tool {
    runs: u64,
    /// The run that last counted.
    last_run: u64,
    calls: u64,
    shares: u64,
    of_model: i128,
    of_tool: i128,
    money: Money,
}

/// Sums by tool; `None` is no tool.
#[derive(Debug, Default)]
pub(super) struct Tools {
    by_name: HashMap<Option<String>, Tool, RandomState>,
    order: Vec<Option<String>>,
    run: u64,
}

impl Tools {
    fn tool(&mut self, name: Option<&str>) -> &mut Tool {
        let run = self.run;
        let name = name.map(str::to_owned);
        if !self.by_name.contains_key(&name) {
            self.order.push(name.clone());
        }
        let tool = self.by_name.entry(name).or_default();
        if tool.last_run != run {
            (tool.last_run, tool.runs) = (run, tool.runs + 1);
        }
        tool
    }

    pub(super) fn add_trace(
        &mut self,
        spans: &[SpanUse<'_>],
        outcomes: &[Option<Outcome>],
        synthetic: &[SyntheticCall],
        pricer: &Pricer<'_>,
    ) {
        self.run += 1;
        let mut asked: HashMap<SpanId, Vec<&str>> = HashMap::new();
        synthetic.iter().for_each(|c| asked.entry(c.llm).or_default().push(&c.tool));
        let mut waiting: HashMap<Option<&str>, Vec<Option<&str>>> = HashMap::new();
        for (s, outcome) in spans.iter().zip(outcomes) {
            let is_tool = s.used.kind == Some("tool");
            if is_tool && s.is_step {
                self.tool(s.tool_name).calls += 1;
                waiting.entry(s.used.agent).or_default().push(s.tool_name);
            }
            if let Some(outcome) = outcome {
                let reported = pricer.applied[outcome.applied as usize].source == Some("reported");
                if is_tool {
                    let tool = self.tool(s.tool_name);
                    tool.of_tool = tool.of_tool.saturating_add(outcome.cost.unwrap_or(0));
                    tool.money.add(outcome, reported);
                } else {
                    let is_turn = s.used.kind == Some("llm");
                    let read = if is_turn { waiting.remove(&s.used.agent) } else { None };
                    self.share(&read.unwrap_or_else(|| vec![None]), outcome, reported);
                }
            }
            for &tool in asked.get(&s.span).into_iter().flatten() {
                self.tool(Some(tool)).calls += 1;
                waiting.entry(s.used.agent).or_default().push(Some(tool));
            }
        }
    }

    /// Divides an outcome among the calls that it is due to.
    fn share(&mut self, calls: &[Option<&str>], outcome: &Outcome, reported: bool) {
        let n = calls.len() as i128;
        let cost = outcome.cost.unwrap_or(0);
        for (i, name) in (0i128..).zip(calls) {
            let part = cost.div_euclid(n) + i128::from(i < cost.rem_euclid(n));
            // What has no price is missing from each of them, and is counted in each once.
            let first = calls.iter().position(|other| other == name) == usize::try_from(i).ok();
            let (spans, tokens) = if first { (outcome.unpriced_spans, outcome.unpriced_tokens.into()) } else { (0, 0) };
            let tool = self.tool(*name);
            tool.shares += 1;
            tool.of_model = tool.of_model.saturating_add(part);
            tool.money.add_part(outcome.cost.map(|_| part), reported, spans, tokens);
        }
    }

    /// The rows of [`schema::TOOL_COSTS`].
    pub(super) fn finish(self) -> RecordBatch {
        let mut columns = Columns::new(&schema::tool_costs());
        for name in &self.order {
            let Some(tool) = self.by_name.get(name) else { continue };
            let mut w = RowWriter::new(&mut columns);
            w.text(name.as_deref());
            w.count(tool.runs);
            w.count(tool.calls);
            w.count(tool.shares);
            let known = tool.money.cost.is_some() || tool.money.is_complete();
            w.usd(known.then_some(tool.of_model));
            w.usd(known.then_some(tool.of_tool));
            write_money(&mut w, &tool.money);
            w.end();
        }
        columns.finish()
    }
}
