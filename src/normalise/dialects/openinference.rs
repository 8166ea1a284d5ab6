//! OpenInference (Arize).

use crate::normalise::col::*;
use crate::normalise::kind::{Kind, KindKey};
use crate::normalise::rule::{Dialect, Group, Rule, Take, When, rule, rule_when};

const MODEL_CALLS: When = When::Kinds(&[Kind::Llm, Kind::Embedding]);
/// Tool spans write arguments and result as input and output.
const TOOLS: When = When::Kinds(&[Kind::Tool, Kind::Handoff]);
const NOT_TOOLS: When = When::NotKinds(&[Kind::Tool, Kind::Handoff]);

/// Scopes where `llm.model_name` is the model that answered; elsewhere it is the one that was asked for.
const ANSWERING_SCOPES: &[&str] = &[
    "openinference.instrumentation.openai",
    "openinference.instrumentation.openai_agents",
    "openinference.instrumentation.crewai",
    "openinference.instrumentation.autogen_agentchat",
    "openinference.instrumentation.langchain",
];

/// Scopes where `tool.parameters` are the arguments; elsewhere they are the tool's JSON schema.
const ARGUMENT_SCOPES: &[&str] = &["openinference.instrumentation.autogen_agentchat"];

pub(crate) static DIALECT: Dialect = Dialect {
    name: "openinference",
    rank: 10,
    marks: &["openinference.span.kind"],
    scopes: &["openinference.instrumentation."],
    kinds: &[KindKey {
        key: "openinference.span.kind",
        rank: 10,
        words: &[
            ("AGENT", Kind::Agent),
            ("CHAIN", Kind::Workflow),
            ("LLM", Kind::Llm),
            ("EMBEDDING", Kind::Embedding),
            ("TOOL", Kind::Tool),
            ("RETRIEVER", Kind::Retrieval),
            ("RERANKER", Kind::Reranker),
            ("GUARDRAIL", Kind::Guardrail),
            ("EVALUATOR", Kind::Evaluator),
            ("PROMPT", Kind::Other),
            ("DECISION", Kind::Other),
        ],
    }],
    rules: RULES,
    groups: &[
        Group { prefix: "llm.input_messages.", level: "message.", column: INPUT, when: NOT_TOOLS },
        Group { prefix: "llm.output_messages.", level: "message.", column: OUTPUT, when: NOT_TOOLS },
        Group { prefix: "retrieval.documents.", level: "document.", column: DOCUMENTS, when: When::Always },
        Group { prefix: "reranker.output_documents.", level: "document.", column: DOCUMENTS, when: When::Always },
    ],
    fallbacks: &[
        rule_when("input.value", INPUT, Take::Text, NOT_TOOLS),
        rule_when("input.value", TOOL_ARGS, Take::Text, TOOLS),
        rule_when("tool.parameters", TOOL_ARGS, Take::Text, When::Scopes(ARGUMENT_SCOPES)),
        rule_when("output.value", OUTPUT, Take::Text, NOT_TOOLS),
        rule_when("output.value", TOOL_RESULT, Take::Text, TOOLS),
        rule_when("output.value", TOOL_CALL_ID, Take::FieldText(TOOL_CALL_IDS), TOOLS),
        rule("metadata", SESSION_ID, Take::FieldText(&["session_id", "thread_id"])),
        rule("metadata", USER_ID, Take::FieldText(&["user_id"])),
    ],
    ..Dialect::BLANK
};

/// Where LangChain leaves the call's id in a tool's output.
const TOOL_CALL_IDS: &[&str] = &["tool_call_id", "data.tool_call_id", "output.kwargs.tool_call_id"];

static RULES: &[Rule] = &[
    rule("agent.name", AGENT_NAME, Take::Text),
    rule_when("graph.node.id", AGENT_NAME, Take::Text, When::Kinds(&[Kind::Agent])),
    rule("agent.id", AGENT_ID, Take::Text),
    rule("graph.node.parent_id", PARENT_AGENT, Take::TextBut(&["start"])),
    rule("session.id", SESSION_ID, Take::Text),
    rule("llm.user", USER_ID, Take::Text),
    rule_when("llm.provider", PROVIDER, Take::Provider, MODEL_CALLS),
    rule_when("llm.system", PROVIDER, Take::Provider, MODEL_CALLS),
    rule("llm.request.model_name", REQUEST_MODEL, Take::Text),
    rule("llm.invocation_parameters", REQUEST_MODEL, Take::FieldText(&["model"])),
    rule_when("llm.model_name", REQUEST_MODEL, Take::Text, When::NotScopes(ANSWERING_SCOPES)),
    rule("embedding.model_name", REQUEST_MODEL, Take::Text),
    rule("reranker.model_name", REQUEST_MODEL, Take::Text),
    rule("llm.response.model_name", RESPONSE_MODEL, Take::Text),
    rule_when("llm.model_name", RESPONSE_MODEL, Take::Text, When::Scopes(ANSWERING_SCOPES)),
    rule("llm.finish_reason", FINISH_REASONS, Take::FinishReasons),
    rule("llm.invocation_parameters", TEMPERATURE, Take::FieldDouble(&["temperature"])),
    rule(
        "llm.invocation_parameters",
        MAX_TOKENS,
        Take::FieldInt(&["max_tokens", "max_completion_tokens", "max_output_tokens"]),
    ),
    rule("llm.token_count.prompt", INPUT_TOKENS, Take::Int),
    rule("decision.token_count.input", INPUT_TOKENS, Take::Int),
    rule("llm.token_count.completion", OUTPUT_TOKENS, Take::Int),
    rule("llm.token_count.prompt_details.cache_read", CACHE_READ_TOKENS, Take::Int),
    rule("llm.token_count.prompt_details.cache_input", CACHE_READ_TOKENS, Take::Int),
    rule("llm.token_count.prompt_details.cache_write", CACHE_WRITE_TOKENS, Take::Int),
    rule("llm.token_count.completion_details.reasoning", REASONING_TOKENS, Take::Int),
    rule("llm.token_count.prompt_details.audio", INPUT_AUDIO_TOKENS, Take::Int),
    rule("llm.token_count.completion_details.audio", OUTPUT_AUDIO_TOKENS, Take::Int),
    rule("llm.token_count.total", TOTAL_TOKENS, Take::Int),
    rule("llm.cost.total", REPORTED_COST_USD, Take::Usd),
    rule("tool.name", TOOL_NAME, Take::Text),
    rule("tool_call.id", TOOL_CALL_ID, Take::Text),
    rule("tool.id", TOOL_CALL_ID, Take::Text),
    rule("prompt.id", PROMPT_NAME, Take::Text),
    rule("llm.prompt_template.version", PROMPT_VERSION, Take::Text),
];
