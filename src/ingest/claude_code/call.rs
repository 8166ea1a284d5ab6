//! One call of the API, put together from the records that it was written in.

use std::borrow::Cow;

use super::object::{self, Object};
use super::{PREFIX, attribute, ids};
use crate::ingest::Position;
use crate::model::{Attributes, Span, SpanId, SpanKind, StatusCode, TraceId, Value};

/// A call whose records are still coming.
pub(super) struct Call {
    pub(super) span: SpanId,
    pub(super) parent: SpanId,
    /// Where its last record stands.
    pub(super) position: Position,
    pub(super) last: u64,
    start: u64,
    model: Option<String>,
    /// What the last record says; it replaces what the ones before it said.
    said: Attributes<'static>,
    /// Its records' uuids, in order.
    records: Vec<Value<'static>>,
    /// Messages since the call before it, as JSON.
    input: String,
    /// Parts of the answer so far, as JSON.
    parts: String,
    blocks: Vec<blake3::Hash>,
}

impl Call {
    /// A call of which the first record is about to be taken.
    pub(super) fn new(span: SpanId, parent: SpanId, start: u64, input: String, position: Position) -> Self {
        Call {
            span,
            parent,
            position,
            last: start,
            start,
            model: None,
            said: Vec::new(),
            records: Vec::new(),
            input,
            parts: String::new(),
            blocks: Vec::new(),
        }
    }

    /// Takes what a record says of the call as a whole: the last record wins.
    pub(super) fn record(&mut self, record: Record<'_>, time: u64, position: Position) {
        let Record { envelope, mut message, message_id, request_id, uuid } = record;
        self.last = self.last.max(time);
        self.position = position;
        if let Some(uuid) = uuid {
            let uuid = Value::from(uuid.into_owned());
            if self.records.last() != Some(&uuid) {
                self.records.push(uuid);
            }
        }
        let mut said: Attributes<'_> = Vec::with_capacity(32);
        if let Some(model) = message.filled("model") {
            self.model = Some(model.clone().into_owned());
            said.push(attribute("gen_ai.response.model", model));
        }
        said.push(attribute("gen_ai.provider.name", provider(&message_id)));
        if let Some(reason) = message.filled("stop_reason") {
            said.push(("gen_ai.response.finish_reasons".into(), Value::Array(vec![Value::Str(reason)])));
        }
        said.push(attribute("gen_ai.response.id", message_id));
        if let Some(request_id) = request_id {
            said.push(attribute("claude_code.requestId", request_id));
        }
        if let Some(usage) = message.object("usage") {
            usage_of(usage, &mut said);
        }
        message.known("role", "assistant");
        message.known("type", "message");
        message.rest("claude_code.message.", &mut said);
        envelope.rest(PREFIX, &mut said);
        self.said = object::owned(said);
    }

    /// Takes one block of the answer; a block that another copy of its record brought already adds nothing.
    pub(super) fn block(&mut self, json: &str) {
        let hash = blake3::hash(json.as_bytes());
        if self.blocks.contains(&hash) {
            return;
        }
        self.blocks.push(hash);
        if !self.parts.is_empty() {
            self.parts.push(',');
        }
        answer_part(json, &mut self.parts);
    }

    /// Memory that it holds, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.input.len() + self.parts.len() + self.blocks.len() * 32
    }

    /// The span, as far as it is known now.
    pub(super) fn into_span(self, trace: TraceId, session: &str) -> Span<'static> {
        let mut attributes = vec![
            attribute("gen_ai.operation.name", "chat"),
            ("gen_ai.conversation.id".into(), Value::from(session.to_owned())),
        ];
        attributes.extend(self.said);
        if !self.input.is_empty() {
            attributes.push(attribute("gen_ai.input.messages", format!("[{}]", self.input)));
        }
        if !self.parts.is_empty() {
            let output = format!("[{{\"role\":\"assistant\",\"parts\":[{}]}}]", self.parts);
            attributes.push(attribute("gen_ai.output.messages", output));
        }
        attributes.push(("claude_code.records".into(), Value::Array(self.records)));
        Span {
            trace_id: trace,
            span_id: self.span,
            parent_span_id: Some(self.parent),
            name: self.model.map_or(Cow::Borrowed("chat"), |model| Cow::Owned(format!("chat {model}"))),
            kind: SpanKind::Client,
            start_unix_nano: self.start,
            end_unix_nano: self.last,
            attributes,
            ..Span::default()
        }
    }
}

/// An assistant record, its identifying members taken.
pub(super) struct Record<'a> {
    pub(super) envelope: Object<'a>,
    pub(super) message: Object<'a>,
    pub(super) message_id: Cow<'a, str>,
    pub(super) request_id: Option<Cow<'a, str>>,
    pub(super) uuid: Option<Cow<'a, str>>,
}

impl Record<'_> {
    /// The id of the call's span.
    pub(super) fn call_id(&self) -> SpanId {
        ids::call(&self.message_id, self.request_id.as_deref().unwrap_or_default())
    }
}

/// A call that failed: nothing came back, so there is neither model nor usage, only what Claude Code said instead.
pub(super) fn failed(
    record: Record<'_>,
    trace: TraceId,
    session: &str,
    parent: SpanId,
    times: (u64, u64),
) -> Span<'static> {
    let span_id = record.call_id();
    let Record { mut envelope, mut message, request_id, uuid, .. } = record;
    let text = message.json("content").map(plain_text).unwrap_or_default();
    let class = envelope.filled("error").unwrap_or(Cow::Borrowed("api_error"));
    let mut said: Attributes<'_> = vec![
        attribute("gen_ai.operation.name", "chat"),
        attribute("gen_ai.conversation.id", session),
        attribute("error.type", class),
        ("claude_code.isApiErrorMessage".into(), true.into()),
    ];
    for (key, id) in [("claude_code.requestId", request_id), ("claude_code.uuid", uuid)] {
        said.extend(id.map(|id| attribute(key, id)));
    }
    envelope.rest(PREFIX, &mut said);
    Span {
        trace_id: trace,
        span_id,
        parent_span_id: Some(parent),
        name: Cow::Borrowed("chat"),
        kind: SpanKind::Client,
        start_unix_nano: times.0,
        end_unix_nano: times.1,
        attributes: object::owned(said),
        status: StatusCode::Error,
        status_message: Cow::Owned(text),
        ..Span::default()
    }
}

/// Ids of messages tell who served them.
fn provider(message_id: &str) -> &'static str {
    if message_id.starts_with("msg_bdrk") {
        "aws.bedrock"
    } else if message_id.starts_with("msg_vrtx") {
        "gcp.vertex_ai"
    } else {
        "anthropic"
    }
}

/// Counts of usage and the keys that they have in OpenTelemetry.
const USAGE: [(&str, &str); 4] = [
    ("input_tokens", "gen_ai.usage.input_tokens"),
    ("output_tokens", "gen_ai.usage.output_tokens"),
    ("cache_read_input_tokens", "gen_ai.usage.cache_read.input_tokens"),
    ("cache_creation_input_tokens", "gen_ai.usage.cache_creation.input_tokens"),
];

/// Counts of cache writes by lifetime.
const LIFETIMES: [(&str, &str); 2] = [
    ("ephemeral_5m_input_tokens", "gen_ai.usage.cache_creation.ephemeral_5m_input_tokens"),
    ("ephemeral_1h_input_tokens", "gen_ai.usage.cache_creation.ephemeral_1h_input_tokens"),
];

fn usage_of<'a>(mut usage: Object<'a>, out: &mut Attributes<'a>) {
    for (key, name) in USAGE {
        out.extend(usage.value(key).map(|v| (Cow::Borrowed(name), v)));
    }
    if let Some(mut written) = usage.object("cache_creation") {
        let mut sum = Some(0i64);
        for (key, name) in LIFETIMES {
            let value = written.value(key);
            sum = match &value {
                Some(Value::Int(n @ 0..)) => sum.and_then(|s| s.checked_add(*n)),
                Some(_) => None,
                None => sum,
            };
            out.extend(value.map(|v| (Cow::Borrowed(name), v)));
        }
        // The parts say what the whole is, should it be missing.
        let whole = USAGE[3].1;
        if let Some(sum) = sum
            && !out.iter().any(|(key, _)| key == whole)
        {
            out.push((Cow::Borrowed(whole), Value::Int(sum)));
        }
        written.rest("claude_code.usage.cache_creation.", out);
    }
    usage.rest("claude_code.usage.", out);
}

/// One block of an answer as part of a message. What a tool was given is with the tool's own span; the signature of
/// a thought means nothing outside the API.
fn answer_part(json: &str, out: &mut String) {
    let Some(mut block) = Object::read(json) else {
        out.push_str(json);
        return;
    };
    match block.look("type").as_deref() {
        Some("thinking") => text_part("reasoning", block.json("thinking").unwrap_or("\"\""), out),
        Some("tool_use") => {
            out.push_str("{\"type\":\"tool_call\"");
            for key in ["id", "name"] {
                if let Some(value) = block.json(key) {
                    out.extend([",\"", key, "\":", value]);
                }
            }
            out.push('}');
        }
        Some("text") => text_part("text", block.json("text").unwrap_or("\"\""), out),
        _ => out.push_str(json),
    }
}

fn text_part(kind: &str, json: &str, out: &mut String) {
    out.extend(["{\"type\":\"", kind, "\",\"content\":", json, "}"]);
}

/// A user's message as JSON; empty when it is nothing but results of tools.
pub(super) fn user_message(content: &str) -> String {
    let mut parts = String::new();
    if content.starts_with('"') {
        text_part("text", content, &mut parts);
    }
    for json in object::elements(content) {
        let Some(mut block) = Object::read(json) else { continue };
        let kind = block.look("type");
        if kind.as_deref() == Some("tool_result") {
            continue;
        }
        if !parts.is_empty() {
            parts.push(',');
        }
        match block.json("text") {
            Some(text) if kind.as_deref() == Some("text") => text_part("text", text, &mut parts),
            _ => parts.push_str(json),
        }
    }
    if parts.is_empty() { parts } else { format!("{{\"role\":\"user\",\"parts\":[{parts}]}}") }
}

/// What a content says in words: itself, or its blocks of text. Anything else is named by its type.
pub(super) fn plain_text(content: &str) -> String {
    if let Some(text) = object::text(content) {
        return text.into_owned();
    }
    let mut out = String::new();
    for json in object::elements(content) {
        let Some(block) = Object::read(json) else { continue };
        let kind = block.look("type").unwrap_or_default();
        if !out.is_empty() {
            out.push('\n');
        }
        match block.look("text") {
            Some(text) if kind == "text" => out.push_str(&text),
            _ if kind == "text" => {}
            _ => out.extend(["[", &*kind, "]"]),
        }
    }
    out
}

/// Whether every block of a content is text, so that its words are all of it.
pub(super) fn is_text_only(content: &str) -> bool {
    let is_text = |json: &&str| Object::read(json).is_some_and(|b| b.look("type").as_deref() == Some("text"));
    content.starts_with('"') || object::elements(content).iter().all(is_text)
}
