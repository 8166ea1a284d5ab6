//! LangSmith's OpenTelemetry export: content as one JSON text each, and `langsmith.*`.

use crate::normalise::col::*;
use crate::normalise::kind::{Kind, KindKey};
use crate::normalise::rule::{Dialect, Rule, Take, When, rule, rule_when};

const TOOLS: When = When::Kinds(&[Kind::Tool, Kind::Handoff]);
const MODEL_CALLS: When = When::Kinds(&[Kind::Llm, Kind::Embedding]);
const LLM: When = When::Kinds(&[Kind::Llm]);
const RETRIEVALS: When = When::Kinds(&[Kind::Retrieval]);

pub(crate) static DIALECT: Dialect = Dialect {
    name: "langsmith",
    rank: 40,
    marks: &["langsmith.span.kind"],
    scopes: &["langsmith"],
    kinds: &[
        // Their operation names are the nearest that the convention has: prompts `chat`, retrievers `embeddings`.
        KindKey {
            key: "langsmith.span.kind",
            rank: 35,
            words: &[("prompt", Kind::Other), ("parser", Kind::Other), ("retriever", Kind::Retrieval)],
        },
        KindKey {
            key: "langsmith.span.kind",
            rank: 70,
            words: &[
                ("llm", Kind::Llm),
                ("chain", Kind::Workflow),
                ("tool", Kind::Tool),
                ("embedding", Kind::Embedding),
            ],
        },
    ],
    rules: RULES,
    fallbacks: &[
        rule_when("gen_ai.prompt", TOOL_ARGS, Take::Text, TOOLS),
        rule_when("gen_ai.completion", TOOL_RESULT, Take::Text, TOOLS),
        rule_when("gen_ai.completion", DOCUMENTS, Take::FieldArray("documents"), RETRIEVALS),
        rule_when("gen_ai.completion", FINISH_REASONS, Take::FieldFinishReason(FINISH_REASON), LLM),
        rule_when("gen_ai.completion", RESPONSE_MODEL, Take::FieldText(ANSWERING_MODEL), LLM),
        rule_when("gen_ai.completion", RESPONSE_ID, Take::FieldText(ANSWER_ID), LLM),
        rule("langsmith.metadata.thread_id", SESSION_ID, Take::Text),
    ],
    ..Dialect::BLANK
};

/// Where LangChain leaves what the provider said beside the message.
const FINISH_REASON: &[&str] = &[
    "generations.0.0.generation_info.finish_reason",
    "generations.0.0.message.kwargs.response_metadata.finish_reason",
];
const ANSWERING_MODEL: &[&str] = &["generations.0.0.message.kwargs.response_metadata.model_name"];
const ANSWER_ID: &[&str] = &["generations.0.0.message.kwargs.response_metadata.id"];

static RULES: &[Rule] = &[
    rule("langsmith.metadata.session_id", SESSION_ID, Take::Text),
    rule("langsmith.metadata.user_id", USER_ID, Take::Text),
    rule_when("langsmith.metadata.ls_provider", PROVIDER, Take::Provider, MODEL_CALLS),
    rule_when("langsmith.metadata.ls_model_name", REQUEST_MODEL, Take::Text, MODEL_CALLS),
    rule_when("langsmith.metadata.ls_temperature", TEMPERATURE, Take::Double, LLM),
    rule_when("langsmith.metadata.ls_max_tokens", MAX_TOKENS, Take::Int, LLM),
    rule_when(
        "langsmith.metadata.usage_metadata",
        CACHE_READ_TOKENS,
        Take::FieldInt(&["input_token_details.cache_read"]),
        LLM,
    ),
    rule_when(
        "langsmith.metadata.usage_metadata",
        CACHE_WRITE_TOKENS,
        Take::FieldInt(&["input_token_details.cache_creation"]),
        LLM,
    ),
    rule_when(
        "langsmith.metadata.usage_metadata",
        REASONING_TOKENS,
        Take::FieldInt(&["output_token_details.reasoning"]),
        LLM,
    ),
    rule_when(
        "langsmith.metadata.usage_metadata",
        INPUT_AUDIO_TOKENS,
        Take::FieldInt(&["input_token_details.audio"]),
        LLM,
    ),
    rule_when(
        "langsmith.metadata.usage_metadata",
        OUTPUT_AUDIO_TOKENS,
        Take::FieldInt(&["output_token_details.audio"]),
        LLM,
    ),
];
