//! AgentOps.
//!
//! Its attributes `trace.id`, `span.id` and `parent.id` are ids of the framework that it watches, not of spans.

use crate::normalise::col::*;
use crate::normalise::kind::{Kind, KindKey, Name, NamedKind};
use crate::normalise::rule::{Dialect, Rule, Take, When, rule, rule_when};

const TOOLS: When = When::OwnKinds(&[Kind::Tool, Kind::Handoff]);
const HANDOFFS: When = When::OwnKinds(&[Kind::Handoff]);

/// Wrapped calls of a provider have no kind, only a name and a model.
const fn provider_call(name: &'static str, kind: Kind) -> NamedKind {
    NamedKind { name: Name::Is(name), needs: "gen_ai.request.model", rank: 200, kind }
}

pub(crate) static DIALECT: Dialect = Dialect {
    name: "agentops",
    rank: 30,
    marks: &["agentops.span.kind"],
    valued_marks: &[("instrumentation.name", "agentops")],
    scopes: &["agentops"],
    kinds: &[
        KindKey {
            key: "agentops.span.kind",
            rank: 30,
            words: &[
                ("agent", Kind::Agent),
                ("session", Kind::Workflow),
                ("workflow", Kind::Workflow),
                ("task", Kind::Workflow),
                ("operation", Kind::Workflow),
                ("chain", Kind::Workflow),
                ("llm", Kind::Llm),
                ("tool", Kind::Tool),
                ("guardrail", Kind::Guardrail),
            ],
        },
        KindKey { key: "workflow.step.type", rank: 190, words: &[("trace", Kind::Workflow)] },
    ],
    names: &[
        // What a model asked for, below the model's span. The call itself has a span of its own, `X.tool`; counting
        // both would make two calls of one.
        NamedKind { name: Name::StartsWith("tool_call."), needs: "", rank: 0, kind: Kind::Other },
        NamedKind { name: Name::Is("handoff"), needs: "to_agent", rank: 200, kind: Kind::Handoff },
        NamedKind { name: Name::Is("turn"), needs: "instrumentation.name", rank: 200, kind: Kind::Workflow },
        provider_call("openai.chat.completion", Kind::Llm),
        provider_call("openai.completion", Kind::Llm),
        provider_call("openai.responses", Kind::Llm),
        provider_call("openai.embeddings", Kind::Embedding),
    ],
    rules: RULES,
    ..Dialect::BLANK
};

static RULES: &[Rule] = &[
    rule_when("workflow.name", WORKFLOW_NAME, Take::Text, When::Own),
    rule("agentops.environment", ENVIRONMENT, Take::Text),
    rule_when("from_agent", HANDOFF_FROM, Take::Text, HANDOFFS),
    rule_when("to_agent", HANDOFF_TO, Take::Text, HANDOFFS),
    rule_when("operation.name", TOOL_NAME, Take::Text, TOOLS),
    rule_when("tool.call.id", TOOL_CALL_ID, Take::Text, When::Own),
    rule_when("tool.call.type", TOOL_TYPE, Take::Text, When::Own),
    rule("agentops.tool.input", TOOL_ARGS, Take::Text),
    // Arguments here; in other dialects the tool's JSON schema.
    rule_when("tool.parameters", TOOL_ARGS, Take::Text, When::Own),
    rule("agentops.tool.output", TOOL_RESULT, Take::Text),
    rule_when("tool.result", TOOL_RESULT, Take::Text, TOOLS),
    rule("agentops.session.input", INPUT, Take::Text),
    rule("agentops.agent.input", INPUT, Take::Text),
    rule("agentops.workflow.input", INPUT, Take::Text),
    rule("agentops.task.input", INPUT, Take::Text),
    rule("agentops.operation.input", INPUT, Take::Text),
    rule("agentops.chain.input", INPUT, Take::Text),
    rule("agentops.guardrail.input", INPUT, Take::Text),
    rule_when("workflow.input", INPUT, Take::Text, When::Own),
    rule("agentops.session.output", OUTPUT, Take::Text),
    rule("agentops.agent.output", OUTPUT, Take::Text),
    rule("agentops.workflow.output", OUTPUT, Take::Text),
    rule("agentops.task.output", OUTPUT, Take::Text),
    rule("agentops.operation.output", OUTPUT, Take::Text),
    rule("agentops.chain.output", OUTPUT, Take::Text),
    rule("agentops.guardrail.output", OUTPUT, Take::Text),
    rule_when("workflow.final_output", OUTPUT, Take::Text, When::Own),
];
