//! Traceloop (OpenLLMetry): `traceloop.*` beside OpenTelemetry's keys.

use crate::normalise::col::*;
use crate::normalise::kind::{Kind, KindKey};
use crate::normalise::rule::{Dialect, Rule, Take, When, rule, rule_when};

const TOOLS: When = When::Kinds(&[Kind::Tool, Kind::Handoff]);
const NOT_TOOLS: When = When::NotKinds(&[Kind::Tool, Kind::Handoff]);
const AGENTS: When = When::Kinds(&[Kind::Agent]);

const REQUEST_TYPES: &[(&str, Kind)] =
    &[("chat", Kind::Llm), ("completion", Kind::Llm), ("embedding", Kind::Embedding), ("rerank", Kind::Reranker)];

pub(crate) static DIALECT: Dialect = Dialect {
    name: "traceloop",
    rank: 50,
    marks: &["traceloop.span.kind", "traceloop.entity.name", "traceloop.workflow.name"],
    scopes: &[
        "traceloop.tracer",
        "opentelemetry.instrumentation.langchain",
        "opentelemetry.instrumentation.crewai",
        "opentelemetry.instrumentation.openai.v",
        "opentelemetry.instrumentation.openai_agents",
    ],
    kinds: &[
        // A graph's run is also called `invoke_agent`, inside the span of the agent itself.
        KindKey { key: "traceloop.span.kind", rank: 35, words: &[("workflow", Kind::Workflow)] },
        KindKey {
            key: "traceloop.span.kind",
            rank: 60,
            words: &[
                ("task", Kind::Workflow),
                ("agent", Kind::Agent),
                ("tool", Kind::Tool),
                ("handoff", Kind::Handoff),
                ("embedding", Kind::Embedding),
                ("rerank", Kind::Reranker),
            ],
        },
        KindKey { key: "llm.request.type", rank: 80, words: REQUEST_TYPES },
        KindKey { key: "gen_ai.request.type", rank: 81, words: REQUEST_TYPES },
    ],
    rules: RULES,
    fallbacks: &[
        rule_when("traceloop.entity.input", TOOL_ARGS, Take::Text, TOOLS),
        rule_when("gen_ai.task.input", TOOL_ARGS, Take::Text, TOOLS),
        rule_when("traceloop.entity.output", TOOL_RESULT, Take::Text, TOOLS),
        rule_when("gen_ai.task.output", TOOL_RESULT, Take::Text, TOOLS),
        rule_when("gen_ai.tool.call.result", TOOL_CALL_ID, Take::FieldText(TOOL_CALL_IDS), TOOLS),
        rule_when("traceloop.entity.output", TOOL_CALL_ID, Take::FieldText(TOOL_CALL_IDS), TOOLS),
        rule_when("gen_ai.task.input", INPUT, Take::Text, NOT_TOOLS),
        rule_when("traceloop.entity.input", INPUT, Take::Text, NOT_TOOLS),
        rule_when("gen_ai.task.output", OUTPUT, Take::Text, NOT_TOOLS),
        rule_when("traceloop.entity.output", OUTPUT, Take::Text, NOT_TOOLS),
        rule_when("crewai.crew.result", OUTPUT, Take::Text, NOT_TOOLS),
        rule_when("traceloop.entity.output", DOCUMENTS, Take::FieldArray("documents"), When::Kinds(&[Kind::Retrieval])),
        rule("traceloop.association.properties.thread_id", SESSION_ID, Take::Text),
        rule("gen_ai.task.status", ERROR_TYPE, Take::Words(&[("failure", "failure")])),
    ],
    ..Dialect::BLANK
};

/// Where LangChain leaves the call's id in a tool's result.
const TOOL_CALL_IDS: &[&str] = &["output.kwargs.tool_call_id", "tool_call_id"];

static RULES: &[Rule] = &[
    rule("crewai.agent.role", AGENT_NAME, Take::Text),
    rule_when("traceloop.entity.name", AGENT_NAME, Take::Text, AGENTS),
    rule("crewai.agent.id", AGENT_ID, Take::Text),
    rule_when("traceloop.entity.version", AGENT_VERSION, Take::Text, AGENTS),
    rule("traceloop.workflow.name", WORKFLOW_NAME, Take::Text),
    rule("crewai.crew.name", WORKFLOW_NAME, Take::Text),
    rule("traceloop.association.properties.session_id", SESSION_ID, Take::Text),
    rule("traceloop.association.properties.user_id", USER_ID, Take::Text),
    rule_when("traceloop.entity.name", TOOL_NAME, Take::Text, TOOLS),
    rule("traceloop.prompt.key", PROMPT_NAME, Take::Text),
    rule("traceloop.prompt.version", PROMPT_VERSION, Take::Text),
];
