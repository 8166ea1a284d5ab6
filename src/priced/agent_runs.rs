//! Runs, agent by agent: what each agent did in each run, and what that cost. [`drift`](crate::drift) compares these.

use std::collections::HashMap;
use std::ops::Range;

use arrow::array::RecordBatch;
use foldhash::fast::RandomState;

use super::pricer::{Outcome, Pricer, Use};
use super::rows::{decided, for_each_trace, unaccounted};
use super::sums::{Money, write_money};
use super::usage::{OF_USAGE, uses_of};
use super::{Portion, Pricing};
use crate::batch::{Columns, RowWriter};
use crate::cells::{Int, Text, Time, Trace};
use crate::error::{Error, Result};
use crate::loops::Severity;
use crate::model::TraceId;
use crate::schema;
use crate::segment::Table;
use crate::typed_json::write_string;

/// What an agent did in a run. Texts are numbers of the pricer's.
#[derive(Debug, Default)]
struct AgentRun {
    agent: u32,
    version: One,
    workflow: One,
    llm_calls: u64,
    tool_calls: u64,
    retrievals: u64,
    handoffs: u64,
    errors: u64,
    duration_ns: Option<i128>,
    input: Option<i128>,
    output: Option<i128>,
    cache_read: Option<i128>,
    total: Option<i128>,
    money: Money,
    models: Counts,
    tools: Counts,
}

/// Few texts, with how often each occurs, in order of first use.
type Counts = Vec<(u32, u64)>;

/// A text that is the same throughout, or not.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum One {
    #[default]
    None,
    Text(u32),
    Several,
}

impl One {
    fn see(&mut self, text: u32) {
        *self = match *self {
            One::None if text > 0 => One::Text(text),
            One::Text(one) if text > 0 && one != text => One::Several,
            other => other,
        };
    }

    fn text(self) -> u32 {
        if let One::Text(text) = self { text } else { 0 }
    }
}

fn add(sum: &mut Option<i128>, value: Option<i64>) {
    if let Some(value) = value {
        *sum = Some(sum.unwrap_or(0) + i128::from(value));
    }
}

fn count(counts: &mut Counts, text: u32, calls: u64) {
    match counts.iter_mut().find(|(t, _)| *t == text) {
        Some((_, sum)) => *sum += calls,
        None => counts.push((text, calls)),
    }
}

/// The rows of a portion, those of a run together.
#[derive(Default)]
struct Found {
    rows: Vec<AgentRun>,
    of_run: HashMap<TraceId, Range<usize>, RandomState>,
}

impl Found {
    /// The agent in the run, whose rows are the last ones or were there before.
    fn agent(&mut self, trace: TraceId, agent: u32) -> &mut AgentRun {
        let next = self.rows.len();
        let range = self.of_run.entry(trace).or_insert(next..next);
        let at = match self.rows[range.clone()].iter().position(|r| r.agent == agent) {
            Some(at) => range.start + at,
            None => {
                self.rows.push(AgentRun { agent, ..AgentRun::default() });
                range.end = next + 1;
                next
            }
        };
        &mut self.rows[at]
    }
}

impl AgentRun {
    fn pay(&mut self, outcome: &Outcome, pricer: &Pricer<'_>) {
        let reported = pricer.applied[outcome.applied as usize].source == Some("reported");
        self.money.add(outcome, reported);
    }
}

/// The rows of [`AGENT_RUNS`](schema::AGENT_RUNS).
pub(super) fn price(portion: &Portion, pricing: &Pricing) -> Result<RecordBatch> {
    let mut pricer = Pricer::new(pricing);
    let mut found = Found::default();
    let undecided = read_usage(portion, &mut pricer, &mut found)?;
    if !undecided.is_empty() {
        price_spans(portion, &undecided, &mut pricer, &mut found)?;
    }
    let loops = count_loops(portion, &mut pricer)?;
    write(portion, &pricer, &found, &loops)
}

/// Gathers the rows; returns the traces, sorted, whose sums do not decide what they cost.
fn read_usage(portion: &Portion, pricer: &mut Pricer<'_>, found: &mut Found) -> Result<Vec<TraceId>> {
    let mut undecided: Vec<TraceId> = Vec::new();
    let columns: Vec<&str> = OF_USAGE.into_iter().chain(["tool_name", "errors", "duration_ns"]).collect();
    for batch in portion.read(Table::Usage, &columns, None)? {
        let batch = batch?;
        let tool = Text::of(&batch, "tool_name");
        let [errors, duration] = ["errors", "duration_ns"].map(|name| Int::of(&batch, name));
        for (row, trace, used) in uses_of(&batch) {
            let agent = pricer.texts.number(used.agent);
            let [version, workflow] = [used.agent_version, used.workflow].map(|t| pricer.texts.number(t));
            let of_agent = found.agent(trace, agent);
            of_agent.version.see(version);
            of_agent.workflow.see(workflow);
            of_agent.errors += errors.at(row).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
            match used.kind {
                Some("llm") => {
                    of_agent.llm_calls += used.calls;
                    let model = pricer.texts.number(used.response_model.or(used.request_model));
                    count(&mut of_agent.models, model, used.calls);
                }
                Some("tool") => {
                    of_agent.tool_calls += used.calls;
                    count(&mut of_agent.tools, pricer.texts.number(tool.at(row)), used.calls);
                }
                Some("retrieval") => of_agent.retrievals += used.calls,
                Some("handoff") => of_agent.handoffs += used.calls,
                _ => {}
            }
            add(&mut of_agent.duration_ns, duration.at(row));
            add(&mut of_agent.input, used.tokens.input);
            add(&mut of_agent.output, used.tokens.output);
            add(&mut of_agent.cache_read, used.tokens.cache_read);
            add(&mut of_agent.total, used.total_tokens);
            if used.costs_nothing() || undecided.last() == Some(&trace) {
                continue;
            }
            match pricer.price(&used) {
                Ok(outcome) => of_agent.pay(&outcome, pricer),
                Err(_) => undecided.push(trace),
            }
        }
    }
    undecided.sort_unstable();
    Ok(undecided)
}

/// Prices traces span by span, in place of what their sums gave.
fn price_spans(portion: &Portion, traces: &[TraceId], pricer: &mut Pricer<'_>, found: &mut Found) -> Result<()> {
    for trace in traces {
        let range = found.of_run.get(trace).cloned().unwrap_or_default();
        found.rows[range].iter_mut().for_each(|row| row.money = Money::default());
    }
    for_each_trace(portion, Some(traces), |trace, spans| {
        unaccounted(spans);
        for used in spans.iter().map(|s| &s.used).filter(|u| !u.costs_nothing()) {
            let outcome = decided(pricer, &Use { ..*used });
            let agent = pricer.texts.number(used.agent);
            let range = found.of_run.get(&trace).cloned().unwrap_or_default();
            if let Some(row) = found.rows[range].iter_mut().find(|r| r.agent == agent) {
                row.pay(&outcome, pricer);
            }
        }
    })
}

/// Loops above severity info, by run and agent; those of several agents count for each of them.
type Loops = HashMap<(TraceId, u32), u64, RandomState>;

fn count_loops(portion: &Portion, pricer: &mut Pricer<'_>) -> Result<Loops> {
    let mut loops = Loops::default();
    for batch in portion.read(Table::Loops, &["trace_id", "agent_name", "severity", "repeated"], None)? {
        let batch = batch?;
        let trace = Trace::of(&batch, "trace_id");
        let [agent, severity, repeated] = ["agent_name", "severity", "repeated"].map(|name| Text::of(&batch, name));
        for row in (0..batch.num_rows()).filter(|&row| severity.at(row) != Some(Severity::Info.as_str())) {
            let Some(trace) = trace.at(row) else { continue };
            let agents: Vec<String> = match (agent.at(row), repeated.at(row)) {
                (Some(agent), _) => vec![agent.to_owned()],
                (None, Some(list)) => serde_json::from_str(list).map_err(|e| {
                    Error::Rows(format!("the column repeated of loops is not the JSON that it should be: {e}"))
                })?,
                (None, None) => Vec::new(),
            };
            for agent in agents {
                // Steps without an agent stand under an empty name.
                let agent = pricer.texts.number(Some(agent.as_str()).filter(|a| !a.is_empty()));
                *loops.entry((trace, agent)).or_default() += 1;
            }
        }
    }
    Ok(loops)
}

fn write(portion: &Portion, pricer: &Pricer<'_>, found: &Found, loops: &Loops) -> Result<RecordBatch> {
    const TEXTS: [&str; 6] = ["root_name", "session_id", "user_id", "service_name", "environment", "outcome"];
    let mut columns = Columns::new(&schema::agent_runs());
    let names: Vec<&str> = ["trace_id", "start_time", "workflow_name", "retries"].into_iter().chain(TEXTS).collect();
    for batch in portion.read(Table::Runs, &names, None)? {
        let batch = batch?;
        let (trace, start) = (Trace::of(&batch, "trace_id"), Time::of(&batch, "start_time"));
        let (workflow, retries) = (Text::of(&batch, "workflow_name"), Int::of(&batch, "retries"));
        let texts = TEXTS.map(|name| Text::of(&batch, name));
        for row in 0..batch.num_rows() {
            let Some(id) = trace.at(row) else { continue };
            let Some(range) = found.of_run.get(&id) else { continue };
            let rows = &found.rows[range.clone()];
            for of_agent in rows {
                let mut w = RowWriter::new(&mut columns);
                w.id(Some(&id.0));
                w.text(pricer.texts.text(of_agent.agent));
                w.text(pricer.texts.text(of_agent.version.text()));
                let of_run = || if of_agent.workflow == One::None { workflow.at(row) } else { None };
                w.text(pricer.texts.text(of_agent.workflow.text()).or_else(of_run));
                texts.iter().for_each(|t| w.text(t.at(row)));
                w.int(start.at(row));
                w.count(rows.len() as u64);
                w.count(of_agent.llm_calls + of_agent.tool_calls + of_agent.retrievals + of_agent.handoffs);
                w.count(of_agent.llm_calls);
                w.count(of_agent.tool_calls);
                for sum in [of_agent.input, of_agent.output, of_agent.cache_read, of_agent.total, of_agent.duration_ns]
                {
                    w.int(sum.and_then(|n| i64::try_from(n).ok()));
                }
                w.count(of_agent.errors);
                w.int(retries.at(row).filter(|_| rows.len() == 1));
                w.count(loops.get(&(id, of_agent.agent)).copied().unwrap_or(0));
                w.text(counts_json(pricer, &of_agent.models).as_deref());
                w.text(counts_json(pricer, &of_agent.tools).as_deref());
                write_money(&mut w, &of_agent.money);
                w.end();
            }
        }
    }
    Ok(columns.finish())
}

/// `{"name":times}`; what has no name is left out, and `None` is left where nothing has.
fn counts_json(pricer: &Pricer<'_>, counts: &Counts) -> Option<String> {
    let mut out = String::new();
    for (text, times) in counts {
        let Some(name) = pricer.texts.text(*text) else { continue };
        out.push(if out.is_empty() { '{' } else { ',' });
        write_string(&mut out, name);
        out.push(':');
        out.push_str(&times.to_string());
    }
    (!out.is_empty()).then(|| out + "}")
}
