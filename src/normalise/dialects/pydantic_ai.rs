//! Pydantic AI: OpenTelemetry's keys, and some without a prefix that only mean something in its own scope.
//!
//! Two of its keys are left alone on purpose. `gen_ai.aggregated_usage.*` on agents is the sum of their model calls,
//! which the calls report themselves. `gen_ai.agent.call.id` is the id of one run, not of the agent.

use crate::normalise::col::*;
use crate::normalise::kind::Kind;
use crate::normalise::rule::{Dialect, Rule, Take, When, rule, rule_when};

const TOOLS: When = When::OwnKinds(&[Kind::Tool, Kind::Handoff]);

pub(crate) static DIALECT: Dialect =
    Dialect { name: "pydantic-ai", rank: 65, scopes: &["pydantic-ai"], rules: RULES, ..Dialect::BLANK };

static RULES: &[Rule] = &[
    rule_when("agent_name", AGENT_NAME, Take::Text, When::Own),
    rule_when("model_name", REQUEST_MODEL, Take::Text, When::Own),
    rule("gen_ai.client.operation.time_to_first_chunk", TTFT_NS, Take::SecondsToNs),
    rule("operation.cost", REPORTED_COST_USD, Take::Usd),
    rule_when("tool_arguments", TOOL_ARGS, Take::Text, TOOLS),
    rule_when("tool_response", TOOL_RESULT, Take::Text, TOOLS),
    rule("pydantic_ai.all_messages", INPUT, Take::Text),
    rule_when("all_messages_events", INPUT, Take::Text, When::Own),
    rule_when("final_result", OUTPUT, Take::Text, When::Own),
];
