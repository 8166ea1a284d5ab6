//! Vercel's AI SDK, versions up to 5. Later ones write OpenTelemetry's keys.

use crate::normalise::col::*;
use crate::normalise::kind::{Kind, KindKey};
use crate::normalise::rule::{Dialect, Rule, Take, When, rule, rule_when};

const MODEL_CALLS: When = When::Kinds(&[Kind::Llm, Kind::Embedding]);

/// A call of the SDK is a workflow around the calls of the model. What it reports as usage is that of its last step,
/// so it is right for that span's columns and wrong as a total.
pub(crate) static DIALECT: Dialect = Dialect {
    name: "vercel",
    rank: 60,
    marks: &["ai.operationId"],
    kinds: &[KindKey {
        key: "ai.operationId",
        rank: 50,
        words: &[
            ("ai.generateText", Kind::Workflow),
            ("ai.streamText", Kind::Workflow),
            ("ai.generateObject", Kind::Workflow),
            ("ai.streamObject", Kind::Workflow),
            ("ai.embed", Kind::Workflow),
            ("ai.embedMany", Kind::Workflow),
            ("ai.generateText.doGenerate", Kind::Llm),
            ("ai.streamText.doStream", Kind::Llm),
            ("ai.generateObject.doGenerate", Kind::Llm),
            ("ai.streamObject.doStream", Kind::Llm),
            ("ai.embed.doEmbed", Kind::Embedding),
            ("ai.embedMany.doEmbed", Kind::Embedding),
            ("ai.toolCall", Kind::Tool),
            ("ai.rerank", Kind::Reranker),
        ],
    }],
    // The SDK's provider names go on with the API that it calls: `openai.chat`.
    overrides: &[rule_when(
        "gen_ai.system",
        PROVIDER,
        Take::ProviderBeforeDot,
        When::OwnKinds(&[Kind::Llm, Kind::Embedding]),
    )],
    rules: RULES,
    ..Dialect::BLANK
};

static RULES: &[Rule] = &[
    rule("ai.telemetry.functionId", WORKFLOW_NAME, Take::Text),
    // An attribute of the span, in spite of its name.
    rule_when("resource.name", WORKFLOW_NAME, Take::Text, When::Own),
    rule("ai.telemetry.metadata.sessionId", SESSION_ID, Take::Text),
    rule("ai.telemetry.metadata.userId", USER_ID, Take::Text),
    rule_when("ai.model.provider", PROVIDER, Take::ProviderBeforeDot, MODEL_CALLS),
    rule("ai.model.id", REQUEST_MODEL, Take::Text),
    rule("ai.response.model", RESPONSE_MODEL, Take::Text),
    rule("ai.response.id", RESPONSE_ID, Take::Text),
    rule("ai.response.finishReason", FINISH_REASONS, Take::FinishReasons),
    rule("ai.settings.temperature", TEMPERATURE, Take::Double),
    rule("ai.settings.maxOutputTokens", MAX_TOKENS, Take::Int),
    rule("ai.settings.maxTokens", MAX_TOKENS, Take::Int),
    rule("ai.response.msToFirstChunk", TTFT_NS, Take::MsToNs),
    rule("ai.usage.inputTokens", INPUT_TOKENS, Take::Int),
    rule("ai.usage.promptTokens", INPUT_TOKENS, Take::Int),
    // Embeddings have input only.
    rule("ai.usage.tokens", INPUT_TOKENS, Take::Int),
    rule("ai.usage.outputTokens", OUTPUT_TOKENS, Take::Int),
    rule("ai.usage.completionTokens", OUTPUT_TOKENS, Take::Int),
    rule("ai.usage.cachedInputTokens", CACHE_READ_TOKENS, Take::Int),
    rule("ai.usage.inputTokenDetails.cacheReadTokens", CACHE_READ_TOKENS, Take::Int),
    rule("ai.usage.inputTokenDetails.cacheWriteTokens", CACHE_WRITE_TOKENS, Take::Int),
    rule("ai.usage.reasoningTokens", REASONING_TOKENS, Take::Int),
    rule("ai.usage.outputTokenDetails.reasoningTokens", REASONING_TOKENS, Take::Int),
    rule("ai.usage.totalTokens", TOTAL_TOKENS, Take::Int),
    rule("ai.usage.tokens", TOTAL_TOKENS, Take::Int),
    rule("ai.toolCall.name", TOOL_NAME, Take::Text),
    rule("ai.toolCall.id", TOOL_CALL_ID, Take::Text),
    rule("ai.toolCall.args", TOOL_ARGS, Take::Text),
    rule("ai.toolCall.result", TOOL_RESULT, Take::Text),
    rule("ai.prompt.messages", INPUT, Take::Text),
    rule("ai.prompt", INPUT, Take::Text),
    rule("ai.value", INPUT, Take::Text),
    rule("ai.values", INPUT, Take::Text),
    rule("ai.response.text", OUTPUT, Take::Text),
    rule("ai.response.toolCalls", OUTPUT, Take::Text),
    rule("ai.response.object", OUTPUT, Take::Text),
];
