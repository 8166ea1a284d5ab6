//! What a span did.

use crate::model::Span;

/// Values of the `kind` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(missing_docs, reason = "the words are explained where the column is, in `schema`")]
pub enum Kind {
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
    Approval,
    AgentCreate,
    /// A record of a span that is still running, or a log entry in the shape of a span. Other spans tell what it
    /// counts, so the column says `other`.
    Pending,
    #[default]
    Other,
}

impl Kind {
    /// The kind that a word of the column stands for; any other word is [`Kind::Other`].
    pub fn parse(word: &str) -> Kind {
        match word {
            "agent" => Kind::Agent,
            "workflow" => Kind::Workflow,
            "llm" => Kind::Llm,
            "embedding" => Kind::Embedding,
            "tool" => Kind::Tool,
            "retrieval" => Kind::Retrieval,
            "reranker" => Kind::Reranker,
            "guardrail" => Kind::Guardrail,
            "evaluator" => Kind::Evaluator,
            "handoff" => Kind::Handoff,
            "approval" => Kind::Approval,
            "agent_create" => Kind::AgentCreate,
            _ => Kind::Other,
        }
    }

    /// The word in the column.
    pub fn name(self) -> &'static str {
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
            Kind::Approval => "approval",
            Kind::AgentCreate => "agent_create",
            Kind::Pending | Kind::Other => "other",
        }
    }
}

/// A key whose value says the kind.
pub(crate) struct KindKey {
    /// Attribute key.
    pub(crate) key: &'static str,
    /// Precedence over other dialects' keys; lower wins. See `dialects` for the order.
    pub(crate) rank: u8,
    /// Known words. Any other word says nothing: the next key is asked.
    pub(crate) words: &'static [(&'static str, Kind)],
}

impl KindKey {
    /// The kind that a word stands for, upper or lower case.
    pub(crate) fn of(&self, word: &str) -> Option<Kind> {
        self.words.iter().find(|(w, _)| w.eq_ignore_ascii_case(word)).map(|&(_, k)| k)
    }
}

/// Where the span of a whole run is also called an agent, but without an agent's name.
const RUNS_CALLED_AGENTS: &str = "openinference.instrumentation.openai_agents";

/// Whether a span that says it is an agent is the run as a whole, named after the workflow.
pub(crate) fn is_whole_run(span: &Span<'_>, scope: &str) -> bool {
    scope == RUNS_CALLED_AGENTS && !span.attributes.iter().any(|(key, _)| key == "agent.name" || key == "graph.node.id")
}

/// A span name that says the kind.
pub(crate) struct NamedKind {
    pub(crate) name: Name,
    /// Attribute that must be there too, or `""`.
    pub(crate) needs: &'static str,
    /// Precedence among the keys that say the kind; lower wins.
    pub(crate) rank: u8,
    pub(crate) kind: Kind,
}

/// Which names are meant.
pub(crate) enum Name {
    Any,
    Is(&'static str),
    StartsWith(&'static str),
}

impl NamedKind {
    /// Whether a span is meant.
    pub(crate) fn matches(&self, span: &Span<'_>) -> bool {
        let named = match self.name {
            Name::Any => true,
            Name::Is(name) => span.name == name,
            Name::StartsWith(beginning) => span.name.starts_with(beginning),
        };
        named && (self.needs.is_empty() || span.attributes.iter().any(|(key, _)| key == self.needs))
    }
}
