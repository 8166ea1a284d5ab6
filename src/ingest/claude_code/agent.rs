//! An agent while its records come, and the turns of its conversation.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use super::call::Call;
use super::session::Key;
use super::{MAIN_AGENT, SUBAGENT, agent_span, attribute};
use crate::ingest::Position;
use crate::model::{Attributes, Span, SpanId, SpanKind};

/// One agent of a session.
pub(super) struct Agent {
    pub(super) session: String,
    /// Its id, if it has one, and the span above it; `None` is the main agent.
    pub(super) sub: Option<(Option<String>, SpanId)>,
    /// When its first record was written; 0 while no record has said a time.
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) version: Option<String>,
    /// Where its last record stands.
    pub(super) position: Position,
    pub(super) calls: VecDeque<Call>,
    pub(super) turn: Option<Turn>,
    /// When the user or a tool spoke last.
    pub(super) asked: u64,
    /// When the model did.
    pub(super) answered: u64,
    /// What the user said since the last call, as JSON.
    pub(super) input: String,
    pub(super) prompt: Option<String>,
    pub(super) answer: Option<String>,
    /// What its first prompt's record says besides.
    pub(super) said: Attributes<'static>,
    pub(super) not_kept: BTreeMap<String, u64>,
    /// Memory that was counted for it so far.
    pub(super) counted_bytes: usize,
}

impl Agent {
    pub(super) fn new(session: &str, sub: Option<(Option<String>, SpanId)>, position: Position) -> Self {
        Agent {
            session: session.to_owned(),
            sub,
            first: 0,
            last: 0,
            version: None,
            position,
            calls: VecDeque::new(),
            turn: None,
            asked: 0,
            answered: 0,
            input: String::new(),
            prompt: None,
            answer: None,
            said: Vec::new(),
            not_kept: BTreeMap::new(),
            counted_bytes: 0,
        }
    }

    /// Memory that it holds, its calls apart, roughly.
    pub(super) fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let turn = self.turn.as_ref().map_or(0, |turn| turn.prompt.len() + text(&turn.answer));
        self.input.len() + text(&self.prompt) + text(&self.answer) + turn
    }

    /// Makes it last until a record's time.
    pub(super) fn reach(&mut self, time: u64) {
        self.first = if self.first == 0 { time } else { self.first.min(time) };
        self.last = self.last.max(time);
        if let Some(turn) = &mut self.turn {
            turn.last = turn.last.max(time);
        }
    }

    /// When a call began whose first record was written at that time: when its input was complete.
    pub(super) fn next_start(&self, time: u64) -> u64 {
        match self.asked.max(self.answered) {
            0 => time,
            before => before.min(time),
        }
    }

    /// The span above calls and tools: the turn, else the agent itself.
    pub(super) fn parent_of_steps(&self, own: SpanId) -> SpanId {
        self.turn.as_ref().map_or(own, |turn| turn.span)
    }

    /// Its span; `None` when no record said a time.
    pub(super) fn into_span(self, key: Key) -> Option<Span<'static>> {
        if self.first == 0 {
            return None;
        }
        let (name, id, parent) = match &self.sub {
            None => (MAIN_AGENT, None, None),
            Some((id, parent)) => (kind_of(id.as_deref()), id.as_deref(), Some(*parent)),
        };
        let mut span = Span {
            trace_id: key.0,
            span_id: key.1,
            parent_span_id: parent,
            start_unix_nano: self.first,
            end_unix_nano: self.last,
            ..agent_span(&self.session, name, id, self.prompt.as_deref(), self.answer.as_deref())
        };
        span.attributes.extend(self.said);
        Some(span)
    }
}

/// What an agent that Claude Code starts for itself is for: `acompact-e1f845` is for `compact`. Of other agents only the
/// call that started them says it.
fn kind_of(id: Option<&str>) -> &str {
    let purpose = id.and_then(|id| id.strip_prefix('a')?.rsplit_once('-')).map(|(purpose, _)| purpose);
    purpose.filter(|purpose| !purpose.is_empty()).unwrap_or(SUBAGENT)
}

/// One prompt of the user and what came of it.
pub(super) struct Turn {
    pub(super) span: SpanId,
    pub(super) start: u64,
    pub(super) last: u64,
    pub(super) prompt: String,
    pub(super) answer: Option<String>,
    pub(super) said: Attributes<'static>,
}

impl Turn {
    /// Its span, below its agent.
    pub(super) fn into_span(self, agent: Key, session: &str) -> Span<'static> {
        let mut attributes = vec![
            attribute("gen_ai.operation.name", "invoke_workflow"),
            attribute("gen_ai.conversation.id", session.to_owned()),
            attribute("claude_code.prompt", self.prompt),
        ];
        attributes.extend(self.answer.map(|answer| attribute("claude_code.answer", answer)));
        attributes.extend(self.said);
        Span {
            trace_id: agent.0,
            span_id: self.span,
            parent_span_id: Some(agent.1),
            name: Cow::Borrowed("turn"),
            kind: SpanKind::Internal,
            start_unix_nano: self.start,
            end_unix_nano: self.last.max(self.start),
            attributes,
            ..Span::default()
        }
    }
}
