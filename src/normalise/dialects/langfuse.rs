//! Langfuse's SDKs, with the usage objects of its integrations.

use crate::normalise::col::*;
use crate::normalise::kind::{Kind, KindKey};
use crate::normalise::rule::{Dialect, Rule, Take, When, rule, rule_when};

/// Tools have nothing but input and output, their name is the span's.
const TOOLS: When = When::Kinds(&[Kind::Tool, Kind::Handoff]);
const NOT_TOOLS: When = When::NotKinds(&[Kind::Tool, Kind::Handoff]);

/// No span says which provider answered, and neither does its name: the OpenAI integration serves others, too.
pub(crate) static DIALECT: Dialect = Dialect {
    name: "langfuse",
    rank: 20,
    marks: &["langfuse.observation.type"],
    scopes: &["langfuse-sdk"],
    kinds: &[KindKey {
        key: "langfuse.observation.type",
        rank: 20,
        words: &[
            ("agent", Kind::Agent),
            ("chain", Kind::Workflow),
            ("span", Kind::Workflow),
            ("generation", Kind::Llm),
            ("embedding", Kind::Embedding),
            ("tool", Kind::Tool),
            ("retriever", Kind::Retrieval),
            ("guardrail", Kind::Guardrail),
            ("evaluator", Kind::Evaluator),
            ("event", Kind::Other),
        ],
    }],
    rules: RULES,
    ..Dialect::BLANK
};

const USAGE: &str = "langfuse.observation.usage_details";
const COST: &str = "langfuse.observation.cost_details";
/// Settings of the call as JSON; a limit that was not given is the text `Infinity` there.
const PARAMETERS: &str = "langfuse.observation.model.parameters";

static RULES: &[Rule] = &[
    rule("langfuse.observation.status_message", ERROR_MESSAGE, Take::Text),
    rule("langfuse.version", AGENT_VERSION, Take::Text),
    rule("langfuse.trace.name", WORKFLOW_NAME, Take::Text),
    rule("langfuse.environment", ENVIRONMENT, Take::Text),
    rule("langfuse.release", SERVICE_VERSION, Take::Text),
    rule("langfuse.observation.model.name", REQUEST_MODEL, Take::Text),
    rule("langfuse.observation.model.name", RESPONSE_MODEL, Take::Text),
    rule(PARAMETERS, TEMPERATURE, Take::FieldDouble(&["temperature"])),
    rule(PARAMETERS, MAX_TOKENS, Take::FieldInt(&["max_tokens", "max_completion_tokens", "max_output_tokens"])),
    rule("langfuse.observation.completion_start_time", TTFT_NS, Take::TimeSinceStart),
    rule(USAGE, INPUT_TOKENS, Take::FieldInt(&["input", "prompt_tokens", "input_tokens"])),
    rule(USAGE, OUTPUT_TOKENS, Take::FieldInt(&["output", "completion_tokens", "output_tokens"])),
    rule(
        USAGE,
        CACHE_READ_TOKENS,
        Take::FieldInt(&[
            "input_cache_read",
            "input_cached_tokens",
            "prompt_tokens_details.cached_tokens",
            "input_tokens_details.cached_tokens",
            "cache_read_input_tokens",
        ]),
    ),
    rule(USAGE, CACHE_WRITE_TOKENS, Take::FieldInt(&["input_cache_creation", "cache_creation_input_tokens"])),
    rule(
        USAGE,
        REASONING_TOKENS,
        Take::FieldInt(&[
            "output_reasoning",
            "output_reasoning_tokens",
            "completion_tokens_details.reasoning_tokens",
            "output_tokens_details.reasoning_tokens",
        ]),
    ),
    rule(
        USAGE,
        INPUT_AUDIO_TOKENS,
        Take::FieldInt(&["input_audio", "input_audio_tokens", "prompt_tokens_details.audio_tokens"]),
    ),
    rule(
        USAGE,
        OUTPUT_AUDIO_TOKENS,
        Take::FieldInt(&["output_audio", "output_audio_tokens", "completion_tokens_details.audio_tokens"]),
    ),
    rule(USAGE, TOTAL_TOKENS, Take::FieldInt(&["total", "total_tokens"])),
    rule(COST, REPORTED_COST_USD, Take::FieldUsd(&["total"])),
    rule(COST, REPORTED_COST_USD, Take::SumUsd),
    rule("langfuse.observation.metadata.tool_call_id", TOOL_CALL_ID, Take::Unquoted),
    rule_when("langfuse.observation.input", TOOL_ARGS, Take::Text, TOOLS),
    rule_when("langfuse.observation.output", TOOL_RESULT, Take::Text, TOOLS),
    rule_when("langfuse.observation.input", INPUT, Take::Text, NOT_TOOLS),
    rule_when("langfuse.observation.output", OUTPUT, Take::Text, NOT_TOOLS),
    rule("langfuse.observation.prompt.name", PROMPT_NAME, Take::Text),
    rule("langfuse.observation.prompt.version", PROMPT_VERSION, Take::Text),
];
