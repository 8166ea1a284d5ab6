//! Content that a span carries in its events instead of its attributes.
//!
//! Only empty columns are filled, and the events stay as they are. Log records of a span are not at hand here.

use std::borrow::Cow;

use super::convert::{Taken, take};
use super::kind::Kind;
use super::rule::Take;
use super::{Cell, Row, col, present_text};
use crate::model::{Event, Span, Value};
use crate::typed_json::{write_string, write_value};

/// What a piece of content is to the span.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Input,
    Output,
    System,
}

/// Events with one text: event, the attribute that holds it, what it is.
const TEXTS: [(&str, &str, Role); 9] = [
    ("gen_ai.client.inference.operation.details", "gen_ai.input.messages", Role::Input),
    ("gen_ai.client.inference.operation.details", "gen_ai.output.messages", Role::Output),
    ("gen_ai.client.inference.operation.details", "gen_ai.system_instructions", Role::System),
    ("gen_ai.content.prompt", "content", Role::Input),
    ("gen_ai.content.prompt", "gen_ai.prompt", Role::Input),
    ("gen_ai.content.completion", "content", Role::Output),
    ("gen_ai.content.completion", "gen_ai.completion", Role::Output),
    ("guardrails.user_message", "content", Role::Input),
    ("guardrails.utterance.bot.started", "content", Role::Output),
];

/// Likewise on tool spans.
const TOOL_TEXTS: [(&str, &str, Role); 2] =
    [("gen_ai.tool.message", "content", Role::Input), ("gen_ai.choice", "message", Role::Output)];

/// Events that are one message each: event, the role of who speaks, what it is.
const MESSAGES: [(&str, &str, Role); 5] = [
    ("gen_ai.system.message", "system", Role::Input),
    ("gen_ai.user.message", "user", Role::Input),
    ("gen_ai.assistant.message", "assistant", Role::Input),
    ("gen_ai.tool.message", "tool", Role::Input),
    ("gen_ai.choice", "assistant", Role::Output),
];

/// Attributes of message events that are not part of the message.
const NOT_CONTENT: [&str; 3] = ["gen_ai.system", "gen_ai.provider.name", "event.name"];

/// Fills input and output, of tools arguments and result, from the span's events.
pub(crate) fn fill<'a>(span: &'a Span<'_>, kind: Kind, row: &mut Row<'a>) {
    if span.events.is_empty() {
        return;
    }
    let is_tool = matches!(kind, Kind::Tool | Kind::Handoff);
    let (input, output) = if is_tool { (col::TOOL_ARGS, col::TOOL_RESULT) } else { (col::INPUT, col::OUTPUT) };
    for (role, column) in [(Role::Input, input), (Role::Output, output), (Role::System, col::SYSTEM_PROMPT)] {
        if row.is_set(column) {
            continue;
        }
        let tool_texts: &[_] = if is_tool { &TOOL_TEXTS } else { &[] };
        let text = TEXTS
            .iter()
            .chain(tool_texts)
            .filter(|(.., r)| *r == role)
            .find_map(|(event, key, _)| text_of(span, event, key, role));
        if let Some(cell) = text {
            row.set(column, cell);
        } else if !is_tool && let Some(json) = messages(span, role) {
            row.set(column, Cell::Text(Cow::Owned(json)));
        }
    }
}

/// The text of the first such event, of outputs the last: what came out in the end.
fn text_of<'a>(span: &'a Span<'_>, event: &str, key: &str, role: Role) -> Option<Cell<'a>> {
    let mut texts = span
        .events
        .iter()
        .filter(|e| e.name == event)
        .filter_map(|e| e.attributes.iter().find(|(k, _)| k == key))
        .filter_map(|(_, value)| take(Take::Text, value, span.start_unix_nano));
    let found = if role == Role::Output { texts.next_back() } else { texts.next() };
    found.map(|Taken { cell, .. }| cell)
}

fn messages(span: &Span<'_>, role: Role) -> Option<String> {
    let mut out = String::new();
    for event in &span.events {
        if let Some((_, speaker, _)) = MESSAGES.iter().find(|(name, _, r)| *r == role && event.name == *name) {
            out.push(if out.is_empty() { '[' } else { ',' });
            write_message(&mut out, event, speaker);
        }
    }
    if out.is_empty() {
        return None;
    }
    out.push(']');
    Some(out)
}

fn write_message(out: &mut String, event: &Event<'_>, speaker: &str) {
    let given = event.attributes.iter().filter(|(k, _)| k == "role").find_map(|(_, v)| present_text(v));
    out.push_str("{\"role\":");
    write_string(out, given.unwrap_or(speaker));
    for (key, value) in &event.attributes {
        if key != "role" && *value != Value::Null && !NOT_CONTENT.contains(&key.as_ref()) {
            out.push(',');
            write_string(out, key);
            out.push(':');
            write_value(out, value);
        }
    }
    out.push('}');
}
