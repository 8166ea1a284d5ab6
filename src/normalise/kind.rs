//! What a span did.

use crate::model::{Span, Value};

/// Values of the `kind` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Agent,
    Workflow,
    Llm,
    Embedding,
    Tool,
    Retrieval,
    Reranker,
    Guardrail,
    Evaluator,
    Handoff,
    AgentCreate,
    Other,
}

impl Kind {
    /// The word in the column.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Agent => "agent",
            Kind::Workflow => "workflow",
            Kind::Llm => "llm",
            Kind::Embedding => "embedding",
            Kind::Tool => "tool",
            Kind::Retrieval => "retrieval",
            Kind::Reranker => "reranker",
            Kind::Guardrail => "guardrail",
            Kind::Evaluator => "evaluator",
            Kind::Handoff => "handoff",
            Kind::AgentCreate => "agent_create",
            Kind::Other => "other",
        }
    }
}

/// Stands for every word where the key's presence alone says the kind.
pub(crate) const PRESENT: &str = "*";

/// A key whose value says the kind.
pub(crate) struct KindKey {
    /// Attribute key.
    pub(crate) key: &'static str,
    /// Precedence over other dialects' keys; lower wins. See `dialects` for the order.
    pub(crate) rank: u8,
    /// Known words. Any other word says nothing: the next key is asked. [`PRESENT`] stands for every value.
    pub(crate) words: &'static [(&'static str, Kind)],
}

impl KindKey {
    /// The kind that a value stands for; words in upper or lower case.
    pub(crate) fn of(&self, value: &Value<'_>) -> Option<Kind> {
        let word = value.as_str().filter(|s| !s.is_empty())?;
        self.words.iter().find(|(w, _)| *w == PRESENT || w.eq_ignore_ascii_case(word)).map(|&(_, k)| k)
    }
}

/// Where the span of a whole run is also called an agent, but without an agent's name.
const RUNS_CALLED_AGENTS: &str = "openinference.instrumentation.openai_agents";

/// Whether a span that says it is an agent is the run as a whole, named after the workflow.
pub(crate) fn is_whole_run(span: &Span<'_>, scope: &str) -> bool {
    scope == RUNS_CALLED_AGENTS && !span.attributes.iter().any(|(key, _)| key == "agent.name" || key == "graph.node.id")
}
