//! One tool call: asked for in one record, answered in another.

use std::borrow::Cow;

use super::call::{is_text_only, plain_text};
use super::object::{self, Object};
use super::{PREFIX, attribute, ids};
use crate::ingest::Position;
use crate::model::{Attributes, LogRecord, Span, SpanId, SpanKind, StatusCode, TraceId, Value};

/// Longest message of a failed call; the whole of it is the result.
const MESSAGE_CHARS: usize = 300;

/// Tools that start a subagent.
const STARTERS: [&str; 2] = ["Task", "Agent"];

/// A call that waits for its answer.
pub(super) struct Tool {
    pub(super) id: String,
    pub(super) trace: TraceId,
    pub(super) parent: SpanId,
    pub(super) position: Position,
    pub(super) version: Option<String>,
    session: String,
    start: u64,
    name: String,
    /// JSON, as it came.
    args: String,
    said: Attributes<'static>,
}

/// What every span of a record has in common.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) trace: TraceId,
    pub(super) session: &'a str,
    pub(super) parent: SpanId,
    pub(super) time: u64,
    pub(super) version: Option<&'a str>,
    pub(super) position: Position,
}

impl Tool {
    /// Reads a block of an answer that asks for a call; `None` when it does not, or has no id.
    pub(super) fn asked(json: &str, message_id: &str, at: Context<'_>) -> Option<Tool> {
        let mut block = Object::read(json)?;
        if block.look("type").as_deref() != Some("tool_use") {
            return None;
        }
        block.known("type", "tool_use");
        let id = block.filled("id")?.into_owned();
        let name = block.filled("name").unwrap_or_default().into_owned();
        let args = block.json("input").unwrap_or_default().to_owned();
        let mut said = vec![attribute("claude_code.message_id", message_id)];
        block.rest("claude_code.tool_use.", &mut said);
        Some(Tool { name, args, said: object::owned(said), ..Tool::unknown(id, at) })
    }

    /// A call of which only the answer is known.
    pub(super) fn unknown(id: String, at: Context<'_>) -> Tool {
        Tool {
            id,
            trace: at.trace,
            parent: at.parent,
            position: at.position,
            version: at.version.map(str::to_owned),
            session: at.session.to_owned(),
            start: at.time,
            name: String::new(),
            args: String::new(),
            said: Vec::new(),
        }
    }

    /// Memory that it holds, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.args.len() + self.id.len() + self.name.len() + 512
    }

    /// Whether it is of a kind that starts a subagent.
    pub(super) fn is_starter(&self) -> bool {
        STARTERS.contains(&self.name.as_str())
    }

    /// Whether it started the subagent whose first prompt this is.
    pub(super) fn has_prompt(&self, prompt: &str) -> bool {
        self.is_starter() && Object::read(&self.args).and_then(|args| args.look("prompt")).is_some_and(|p| p == prompt)
    }

    /// The span of a call without an answer.
    pub(super) fn into_unanswered(self) -> Span<'static> {
        let mut span = self.into_span();
        span.attributes.push(("claude_code.unanswered".into(), true.into()));
        span
    }

    fn into_span(self) -> Span<'static> {
        let mut attributes =
            vec![attribute("gen_ai.operation.name", "execute_tool"), attribute("gen_ai.conversation.id", self.session)];
        let name = if self.name.is_empty() {
            attributes.push(("claude_code.request_missing".into(), true.into()));
            Cow::Borrowed("execute_tool")
        } else {
            Cow::Owned(format!("execute_tool {}", self.name))
        };
        let texts = [("name", self.name), ("call.id", self.id.clone()), ("call.arguments", self.args)];
        for (key, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            attributes.push(attribute(format!("gen_ai.tool.{key}"), text));
        }
        attributes.extend(self.said);
        Span {
            trace_id: self.trace,
            span_id: ids::tool(&self.id),
            parent_span_id: Some(self.parent),
            name,
            kind: SpanKind::Internal,
            start_unix_nano: self.start,
            attributes,
            ..Span::default()
        }
    }

    /// The span of an answered call, and of the subagent that it started.
    pub(super) fn into_answered(self, mut answer: Answer<'_>, time: u64) -> (Span<'static>, Option<Span<'static>>) {
        let Some(agent) = answer.agent.take().map(Cow::into_owned) else {
            return (self.into_finished(answer, time), None);
        };
        let args = Object::read(&self.args).unwrap_or_default();
        let subagent = Span {
            trace_id: self.trace,
            span_id: ids::subagent(&agent),
            parent_span_id: Some(ids::start_of(&agent)),
            start_unix_nano: self.start,
            // An agent in the background is still at work: only its own file knows how long.
            end_unix_nano: if answer.is_launch { 0 } else { time },
            ..super::agent_span(
                &self.session,
                args.look("subagent_type").as_deref().unwrap_or(super::SUBAGENT),
                Some(&agent),
                args.look("prompt").as_deref(),
                Some(answer.text.as_str()).filter(|_| !answer.is_launch),
            )
        };
        let mut span = self.into_finished(answer, time);
        span.span_id = ids::start_of(&agent);
        (span, Some(subagent))
    }

    fn into_finished(self, answer: Answer<'_>, time: u64) -> Span<'static> {
        // Clocks of records run back by milliseconds where several tools answer at once.
        let end = time.max(self.start);
        let mut span = self.into_span();
        span.end_unix_nano = end;
        if answer.is_error {
            span.status = StatusCode::Error;
            let line = answer.text.trim().lines().next().unwrap_or_default();
            span.status_message = Cow::Owned(line.chars().take(MESSAGE_CHARS).collect());
            let class = if answer.is_refusal { "user_rejected" } else { "tool_error" };
            span.attributes.push(attribute("error.type", class));
        }
        span.attributes.extend(object::owned(answer.said));
        span.attributes.push(attribute("gen_ai.tool.call.result", answer.result));
        span
    }
}

/// What a tool answered.
pub(super) struct Answer<'a> {
    /// In full: text, or JSON where it is more than text.
    result: String,
    /// In words.
    text: String,
    is_error: bool,
    is_refusal: bool,
    /// The subagent that worked.
    pub(super) agent: Option<Cow<'a, str>>,
    /// It only says that the agent began.
    is_launch: bool,
    said: Attributes<'a>,
}

impl<'a> Answer<'a> {
    /// Reads a block with an answer, and what its record says about it besides.
    pub(super) fn read(mut block: Object<'a>, details: Option<&'a str>, envelope: Object<'a>) -> Answer<'a> {
        block.known("type", "tool_result");
        let content = block.json("content").unwrap_or_default();
        let text = plain_text(content);
        let result = if is_text_only(content) { text.clone() } else { content.to_owned() };
        let is_error = block.flag("is_error");
        let mut answer =
            Answer { is_error, is_refusal: false, agent: None, is_launch: false, said: Vec::new(), result, text };
        if let Some(details) = details {
            answer.details(details);
        }
        block.rest("claude_code.tool_result.", &mut answer.said);
        envelope.rest(PREFIX, &mut answer.said);
        answer
    }

    /// The answer to a call whose span was given away already.
    pub(super) fn into_log(self, trace: TraceId, tool: SpanId, time: u64) -> LogRecord<'static> {
        LogRecord {
            trace_id: trace,
            span_id: tool,
            time_unix_nano: time,
            event_name: Cow::Borrowed("claude_code.tool_result"),
            body: Value::Str(Cow::Owned(self.result)),
            attributes: object::owned(self.said),
            ..LogRecord::default()
        }
    }

    /// What Claude Code itself knows of a result. What only repeats the result is left out.
    fn details(&mut self, json: &'a str) {
        let Some(mut fields) = Object::read(json) else {
            let told = object::text(json);
            self.is_refusal = told.as_deref() == Some("User rejected tool use");
            let told = told.as_deref().map(|t| t.strip_prefix("Error: ").unwrap_or(t));
            if told != Some(self.text.as_str()) {
                self.said.push(("claude_code.toolUseResult".into(), object::value(json)));
            }
            return;
        };
        self.agent = fields.look("agentId");
        self.is_launch = fields.look("status").is_some_and(|s| s == "async_launched");
        for key in ["stdout", "content"] {
            fields.known(key, &self.text);
        }
        fields.rest("claude_code.toolUseResult.", &mut self.said);
    }
}
