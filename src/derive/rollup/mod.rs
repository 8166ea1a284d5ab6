//! One row per run and one row per kind of use: what dashboards ask for, summed once when the trace is sealed.

mod run;
mod sums;
mod usage;

pub(super) use run::{Errors, run};
pub(super) use usage::UsageIndex;
pub(crate) use usage::is_use;

use std::borrow::Cow;

use super::CostBasis;
use super::view::{Status, Tokens};
use crate::model::SpanId;
use crate::normalise::Kind;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The root ended and did not fail.
    Completed,
    /// The root ended and failed.
    Failed,
    /// The root is missing or has no end.
    Incomplete,
}

impl Outcome {
    /// The word in the column.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::Failed => "failed",
            Outcome::Incomplete => "incomplete",
        }
    }
}

/// The first failure of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstError<'a> {
    /// Span that failed.
    pub span_id: SpanId,
    /// Class of the error.
    pub error_type: Option<&'a str>,
    /// Status message.
    pub message: Option<&'a str>,
}

/// A run: everything that one trace's spans say together.
///
/// The root is the first span without a parent, in canonical order. What names the run (session, user, service and so
/// on) is the root's own value, else the first one found in canonical order.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow<'a> {
    /// The root; `None` when no span is without a parent.
    pub root_span_id: Option<SpanId>,
    /// Name of the root.
    pub root_name: Option<&'a str>,
    /// Workflow, crew or graph; the root's name where no span says it and the root is not itself a step.
    pub workflow_name: Option<&'a str>,
    /// Session of the run.
    pub session_id: Option<&'a str>,
    /// End user.
    pub user_id: Option<&'a str>,
    /// Service that ran it.
    pub service_name: Option<&'a str>,
    /// Deployment environment.
    pub environment: Option<&'a str>,
    /// Status of the root.
    pub status: Option<Status>,
    /// How it ended.
    pub outcome: Outcome,
    /// The first of the failures that `errors` counts.
    pub first_error: Option<FirstError<'a>>,
    /// First start, nanoseconds since the epoch.
    pub start_time: i64,
    /// Last end; `None` when no span has one.
    pub end_time: Option<i64>,
    /// Spans, duplicates included.
    pub spans: u64,
    /// LLM calls, tool calls, retrievals and handoffs, without duplicates.
    pub steps: u64,
    /// LLM calls, wrappers not counted.
    pub llm_calls: u64,
    /// Embedding calls, wrappers not counted.
    pub embedding_calls: u64,
    /// Tool calls without duplicates and without handoffs; calls known only from LLM output included.
    pub tool_calls: u64,
    /// Retrievals.
    pub retrievals: u64,
    /// Handoffs, without duplicates.
    pub handoffs: u64,
    /// Sums over spans whose usage counts; a bucket is `None` when none of them has it, or when the sum overflowed.
    pub tokens: Tokens,
    /// Sum of the costs that count, in pico-dollars; `None` when there are none, or when the sum overflowed.
    pub reported_cost: Option<i128>,
    /// Whether a sum overflowed and is `None` for that reason.
    pub overflowed: bool,
    /// Agents, in order of first use.
    pub agents: Vec<Cow<'a, str>>,
    /// Models that answered, else that were asked for, in order of first use.
    pub models: Vec<&'a str>,
    /// Tools, in order of first use.
    pub tools: Vec<Cow<'a, str>>,
    /// Depth of the deepest span; a root has depth 0.
    pub max_depth: u32,
    /// Failed spans none of whose descendants failed, duplicates not counted: a failure that travels up counts once.
    pub errors: u64,
    /// LLM and tool steps whose previous step of the same agent with the same model or tool failed.
    pub retries: u64,
    /// Spans whose parent is not among the spans.
    pub orphans: u64,
    /// Spans whose parent link was cut because it led back to them.
    pub cycles: u64,
}

/// What one agent used of one model or tool in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageRow<'a> {
    /// Agent that used it.
    pub agent: Option<Cow<'a, str>>,
    /// Version of the agent.
    pub agent_version: Option<&'a str>,
    /// Workflow that the spans name, else that of the run.
    pub workflow_name: Option<&'a str>,
    /// Kind of the spans.
    pub kind: Kind,
    /// Model provider.
    pub provider: Option<&'a str>,
    /// Model that was asked for.
    pub request_model: Option<&'a str>,
    /// Model that answered.
    pub response_model: Option<&'a str>,
    /// Provider's service tier.
    pub service_tier: Option<&'a str>,
    /// Tool.
    pub tool_name: Option<Cow<'a, str>>,
    /// What the spans contribute to the cost of the run; `None` when they have neither tokens nor cost that count.
    pub cost_basis: Option<CostBasis>,
    /// Day on which the spans started, in days since 1970, UTC.
    pub day: i32,
    /// Calls, without duplicates. Zero for spans that are no calls but carry usage.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Sum of the durations of the calls that have one; `None` when none has, or when the sum overflowed.
    pub duration_ns: Option<i64>,
    /// Sums over spans whose usage counts; as in [`RunRow::tokens`].
    pub tokens: Tokens,
    /// Sum of the costs that count, in pico-dollars.
    pub reported_cost: Option<i128>,
    /// Whether a sum overflowed and is `None` for that reason.
    pub overflowed: bool,
    /// First and last start of the spans.
    pub first_start: i64,
    /// See `first_start`.
    pub last_start: i64,
    /// Smallest input of one span whose usage counts.
    pub min_input_tokens: Option<i64>,
    /// Largest input of one span whose usage counts.
    pub max_input_tokens: Option<i64>,
    /// LLM and embedding calls for which no usage is counted.
    pub calls_without_usage: u64,
    /// Calls to a model of whose tokens and cost no span tells, failed ones left out.
    pub unaccounted_calls: u64,
    /// Spans whose tokens or reported cost count.
    pub counted_spans: u64,
}
