//! Google's agent kit: OpenTelemetry's keys, and content under keys of its own.
//!
//! Its spans are of the dialect `otel gen_ai`; the file stands apart because its keys are asked after those of every
//! other dialect, which may sit on the same spans.

use crate::normalise::col::*;
use crate::normalise::kind::Kind;
use crate::normalise::rule::{Dialect, Take, When, rule, rule_when};

const TOOLS: When = When::Kinds(&[Kind::Tool, Kind::Handoff]);
const LLM: When = When::Kinds(&[Kind::Llm]);

/// What is written in the place of content that is not captured.
const CONTENT: Take = Take::TextBut(&["{}"]);

pub(crate) static DIALECT: Dialect = Dialect {
    name: "otel gen_ai",
    rank: 70,
    scopes: &["gcp.vertex.agent"],
    fallbacks: &[
        rule_when("gcp.vertex.agent.tool_call_args", TOOL_ARGS, CONTENT, TOOLS),
        rule_when("gcp.vertex.agent.tool_response", TOOL_RESULT, CONTENT, TOOLS),
        rule_when("gcp.vertex.agent.llm_request", INPUT, CONTENT, LLM),
        rule_when("gcp.vertex.agent.llm_response", OUTPUT, CONTENT, LLM),
        rule("gcp.vertex.agent.session_id", SESSION_ID, Take::Text),
    ],
    ..Dialect::BLANK
};
