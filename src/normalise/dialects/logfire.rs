//! Pydantic Logfire's integration of the OpenAI Agents SDK: OpenTelemetry's keys on model calls, and keys without a
//! prefix elsewhere.
//!
//! Span names are templates (`Function: {name}`); the same templates say the kind. The attribute `usage` is left
//! alone on purpose: it stands on three levels, each the sum of the one below.

use crate::normalise::col::*;
use crate::normalise::kind::{Kind, KindKey, Name, NamedKind};
use crate::normalise::rule::{Dialect, Rule, Take, VERDICTS, When, rule, rule_when};

const TOOLS: When = When::OwnKinds(&[Kind::Tool, Kind::Handoff]);
const AGENTS: When = When::OwnKinds(&[Kind::Agent]);
const GUARDRAILS: When = When::OwnKinds(&[Kind::Guardrail]);
const WORKFLOWS: When = When::OwnKinds(&[Kind::Workflow]);
const HANDOFFS: When = When::OwnKinds(&[Kind::Handoff]);
const MODEL_CALLS: When = When::OwnKinds(&[Kind::Llm, Kind::Embedding]);

pub(crate) static DIALECT: Dialect = Dialect {
    name: "logfire",
    rank: 66,
    marks: &["logfire.span_type", "logfire.msg_template"],
    scopes: &["logfire"],
    kinds: &[
        KindKey {
            key: "logfire.span_type",
            rank: 0,
            words: &[("pending_span", Kind::Pending), ("log", Kind::Pending)],
        },
        KindKey {
            key: "logfire.msg_template",
            rank: 80,
            words: &[
                ("OpenAI Agents trace: {name}", Kind::Workflow),
                ("Agent run: {name!r}", Kind::Agent),
                ("Function: {name}", Kind::Tool),
                ("Guardrail {name!r} {triggered=}", Kind::Guardrail),
            ],
        },
        KindKey { key: "sdk_span_type", rank: 81, words: &[("task", Kind::Workflow), ("turn", Kind::Workflow)] },
    ],
    names: &[NamedKind { name: Name::StartsWith("Handoff: "), needs: "to_agent", rank: 200, kind: Kind::Handoff }],
    rules: RULES,
    ..Dialect::BLANK
};

/// What the provider said about usage, on model calls only.
const RAW_USAGE: &str = "gen_ai.usage.raw";

static RULES: &[Rule] = &[
    rule_when("name", TOOL_NAME, Take::Text, TOOLS),
    rule_when("name", AGENT_NAME, Take::Text, AGENTS),
    rule_when("name", POLICY_NAME, Take::Text, GUARDRAILS),
    rule_when("triggered", POLICY_VERDICT, VERDICTS, GUARDRAILS),
    rule_when("agent_name", AGENT_NAME, Take::Text, When::Own),
    rule_when("from_agent", HANDOFF_FROM, Take::Text, HANDOFFS),
    rule_when("to_agent", HANDOFF_TO, Take::Text, HANDOFFS),
    // The span's readable name; `name` says on turns only that they are one.
    rule_when("logfire.msg", WORKFLOW_NAME, Take::After("OpenAI Agents trace: "), WORKFLOWS),
    rule_when("logfire.msg", WORKFLOW_NAME, Take::After("Task: "), WORKFLOWS),
    rule_when("group_id", SESSION_ID, Take::Text, WORKFLOWS),
    rule_when("response_id", RESPONSE_ID, Take::Text, MODEL_CALLS),
    rule_when("model_settings", TEMPERATURE, Take::FieldDouble(&["temperature"]), MODEL_CALLS),
    rule_when("model_settings", MAX_TOKENS, Take::FieldInt(&["max_tokens"]), MODEL_CALLS),
    rule(
        RAW_USAGE,
        CACHE_READ_TOKENS,
        Take::FieldInt(&["input_tokens_details.cached_tokens", "prompt_tokens_details.cached_tokens"]),
    ),
    rule(RAW_USAGE, CACHE_WRITE_TOKENS, Take::FieldInt(&["input_tokens_details.cache_write_tokens"])),
    rule(
        RAW_USAGE,
        REASONING_TOKENS,
        Take::FieldInt(&["output_tokens_details.reasoning_tokens", "completion_tokens_details.reasoning_tokens"]),
    ),
    rule(
        RAW_USAGE,
        INPUT_AUDIO_TOKENS,
        Take::FieldInt(&["input_tokens_details.audio_tokens", "prompt_tokens_details.audio_tokens"]),
    ),
    rule(
        RAW_USAGE,
        OUTPUT_AUDIO_TOKENS,
        Take::FieldInt(&["output_tokens_details.audio_tokens", "completion_tokens_details.audio_tokens"]),
    ),
    rule(RAW_USAGE, TOTAL_TOKENS, Take::FieldInt(&["total_tokens"])),
    rule_when("input", TOOL_ARGS, Take::Text, TOOLS),
    rule_when("output", TOOL_RESULT, Take::Text, TOOLS),
    rule_when("response", SYSTEM_PROMPT, Take::FieldText(&["instructions"]), MODEL_CALLS),
    rule_when("raw_input", INPUT, Take::Text, MODEL_CALLS),
    rule_when("request_data", INPUT, Take::FieldJson(&["messages", "input"]), MODEL_CALLS),
    rule_when("events", INPUT, Take::Text, MODEL_CALLS),
    rule_when("response", OUTPUT, Take::FieldJson(&["output"]), MODEL_CALLS),
    rule_when("response_data", OUTPUT, Take::FieldJson(&["message"]), MODEL_CALLS),
];
