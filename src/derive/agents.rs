//! Which agent acted in each span.
//!
//! As a rule the nearest agent span around it, or itself. The exceptions are what frameworks do otherwise:
//!
//! * a span that names its agent itself (pydantic-ai, Traceloop) is right about it;
//! * the outermost AGENT of the OpenAI Agents instrumentation is the workflow;
//! * LangGraph nodes called `agent` are steps of the graph they are in: the graph is the agent;
//! * Traceloop records a LangGraph agent as a childless span beside the task that does its work;
//! * CrewAI gives a coworker no span: what happens inside the delegating tool call is the coworker's doing.

use std::borrow::Cow;

use super::calls::{Calls, is_tool, same_name};
use super::canonical::Canonicaliser;
use super::handoffs;
use super::structure::{NONE, Tree};
use super::view::SpanRow;
use crate::normalise::Kind;

const OPENAI_AGENTS_SCOPE: &str = "openinference.instrumentation.openai_agents";
const LANGCHAIN_SCOPE: &str = "openinference.instrumentation.langchain";
const TRACELOOP_SCOPES: &str = "opentelemetry.instrumentation.";
/// Node that a prebuilt LangGraph agent asks its model in.
const AGENT_NODE: &str = "agent";
/// Name of a graph that was given none.
const NAMELESS_GRAPH: &str = "LangGraph";

/// Who acts: a row, and which of its texts is the agent's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    Nobody,
    /// The row's own `agent_name`.
    Named(u32),
    /// A graph, whose name is the span's.
    Graph(u32),
    /// Whom the row delegates to.
    Coworker(u32),
}

impl Actor {
    /// The agent's name, as given.
    pub(super) fn name<'a>(self, rows: &[SpanRow<'a>], canonical: &mut Canonicaliser) -> Option<Cow<'a, str>> {
        match self {
            Actor::Nobody => None,
            Actor::Named(i) => rows[i as usize].agent_name.map(Cow::Borrowed),
            Actor::Graph(i) => Some(Cow::Borrowed(rows[i as usize].name)),
            Actor::Coworker(i) => handoffs::told_target(&rows[i as usize], canonical),
        }
    }

    /// The agent's version.
    pub(super) fn version<'a>(self, rows: &[SpanRow<'a>]) -> Option<&'a str> {
        match self {
            Actor::Nobody | Actor::Coworker(_) => None,
            Actor::Named(i) | Actor::Graph(i) => rows[i as usize].agent_version,
        }
    }

    /// The name where it can be had without looking into arguments.
    fn plain_name<'a>(self, rows: &[SpanRow<'a>]) -> Option<&'a str> {
        match self {
            Actor::Named(i) => rows[i as usize].agent_name,
            Actor::Graph(i) => Some(rows[i as usize].name),
            Actor::Nobody => None,
            Actor::Coworker(i) => rows[i as usize].handoff_to,
        }
    }
}

/// Who acted where, by position of the rows; reused from trace to trace.
#[derive(Debug, Default)]
pub(super) struct Agents {
    /// Who acted in each span.
    pub(super) actor: Vec<Actor>,
    /// Whether the span is a run of its actor.
    pub(super) is_run: Vec<bool>,
    /// Who acts in the children of each span.
    below: Vec<Actor>,
    graph: Vec<bool>,
    beside: Vec<u32>,
    seen: Vec<u32>,
}

/// A LangGraph node that bears the name of every prebuilt agent's model step.
fn is_agent_node(row: &SpanRow<'_>) -> bool {
    row.kind == Kind::Agent && row.scope_name == Some(LANGCHAIN_SCOPE) && row.name == AGENT_NODE
}

/// A delegation whose work is done inside the span.
fn delegates(row: &SpanRow<'_>) -> bool {
    is_tool(row.kind)
        && row.tool_name.is_some_and(|tool| handoffs::DELEGATIONS.iter().any(|known| same_name(tool, known)))
}

impl Agents {
    /// Decides for every span.
    pub(super) fn decide(&mut self, rows: &[SpanRow<'_>], tree: &Tree, calls: &Calls) {
        self.actor.clear();
        self.actor.resize(rows.len(), Actor::Nobody);
        self.below.clear();
        self.below.resize(rows.len(), Actor::Nobody);
        self.is_run.clear();
        self.is_run.resize(rows.len(), false);
        self.find_graphs(rows, tree);
        self.find_childless(rows, tree);
        for &i in &tree.preorder {
            let (at, row) = (i as usize, &rows[i as usize]);
            let inherited = match (self.beside[at], tree.parent[at]) {
                (NONE, NONE) => Actor::Nobody,
                (NONE, parent) => self.below[parent as usize],
                (agent, _) => self.actor[agent as usize],
            };
            let own = match row.kind {
                Kind::AgentCreate => Actor::Nobody,
                Kind::Agent if is_workflow_root(rows, tree, i) => Actor::Nobody,
                Kind::Agent if is_agent_node(row) && inherited != Actor::Nobody => Actor::Nobody,
                _ if self.graph[at] => Actor::Graph(i),
                _ if row.agent_name.is_some() => Actor::Named(i),
                _ => Actor::Nobody,
            };
            // A second span around or inside a run has the same name; a tool call between makes it another run.
            let again = match (own.plain_name(rows), inherited.plain_name(rows)) {
                (Some(a), Some(b)) => same_name(a, b) && !calls.is_inside_tool(rows, i),
                _ => false,
            };
            let may_run = row.kind == Kind::Agent || self.graph[at];
            self.is_run[at] = may_run && own != Actor::Nobody && !again;
            let actor = match own {
                Actor::Nobody => inherited,
                _ if again && (own.version(rows).is_none() || own.version(rows) == inherited.version(rows)) => {
                    inherited
                }
                own => own,
            };
            self.actor[at] = actor;
            self.below[at] = if delegates(row) { Actor::Coworker(i) } else { actor };
        }
    }

    /// The graphs that nodes called `agent` are in.
    fn find_graphs(&mut self, rows: &[SpanRow<'_>], tree: &Tree) {
        self.graph.clear();
        self.graph.resize(rows.len(), false);
        for (row, &parent) in rows.iter().zip(&tree.parent) {
            if parent != NONE && is_agent_node(row) {
                let graph = &rows[parent as usize];
                self.graph[parent as usize] |= graph.kind != Kind::Agent && graph.name != NAMELESS_GRAPH;
            }
        }
    }

    /// Childless agent spans, and the siblings that do their work within their time.
    fn find_childless(&mut self, rows: &[SpanRow<'_>], tree: &Tree) {
        self.beside.clear();
        self.beside.resize(rows.len(), NONE);
        let is_childless = |i: usize| {
            let row = &rows[i];
            row.kind == Kind::Agent
                && tree.is_leaf(i as u32)
                && tree.parent[i] != NONE
                && row.scope_name.is_some_and(|s| s.starts_with(TRACELOOP_SCOPES))
        };
        if !(0..rows.len()).any(is_childless) {
            return;
        }
        // The last childless agent seen under each parent.
        self.seen.clear();
        self.seen.resize(rows.len(), NONE);
        for (i, row) in rows.iter().enumerate() {
            let parent = tree.parent[i];
            if parent == NONE {
                continue;
            }
            let seen = &mut self.seen[parent as usize];
            if is_childless(i) {
                *seen = i as u32;
            } else if *seen != NONE && row.end_or_start() <= rows[*seen as usize].end_or_start() {
                // An agent span comes before its work in preorder too, since it starts first.
                self.beside[i] = *seen;
            }
        }
    }
}

/// The AGENT that the OpenAI Agents instrumentation puts around a whole workflow.
fn is_workflow_root(rows: &[SpanRow<'_>], tree: &Tree, i: u32) -> bool {
    let row = &rows[i as usize];
    if row.scope_name != Some(OPENAI_AGENTS_SCOPE) {
        return false;
    }
    // A root that was lost or put under another span shows in the CHAIN of its name.
    let mut same = tree.children(i).filter(|&c| rows[c as usize].kind == Kind::Workflow);
    row.parent.is_none() || same.any(|c| rows[c as usize].name == row.name)
}
