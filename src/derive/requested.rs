//! Tool calls that no span shows: SDK-level instrumentation records the LLM calls only, and what was called stands in
//! their output. Looked for only in traces without any tool span, else every call would be there twice.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use memchr::memmem;
use serde_json::{Map, Value};

use super::SyntheticCall;
use super::calls::{Calls, is_tool};
use super::canonical::Canonicaliser;
use super::structure::{NONE, Tree};
use super::view::{LogRow, SpanRow};
use crate::model;
use crate::normalise::Kind;
use crate::typed_json::read_attributes;

/// What an output holds that asks for tool calls, in one dialect or another.
const REQUESTS: [&str; 4] = ["tool_call", "function_call", "tool_use", "toolName"];
/// Log record with an LLM's answer as its body.
const CHOICE_EVENT: &str = "gen_ai.choice";
/// Log record with a tool's answer as its body.
const TOOL_EVENT: &str = "gen_ai.tool.message";
/// Log record with all messages of a call as attributes.
const DETAILS_EVENT: &str = "gen_ai.client.inference.operation.details";
/// Dotted keys that hold calls when nothing assembled them, and what follows the index.
const COMPLETIONS: &str = "gen_ai.completion.";

/// Calls that wait for an answer, by call id, the oldest first.
type Waiting = HashMap<String, Vec<usize>, RandomState>;

/// A call as the output states it.
#[derive(Debug, PartialEq)]
struct Request {
    name: String,
    id: Option<String>,
    args: Option<String>,
}

/// Finds the calls, in order of their LLM spans. Steps, agents and hashes are filled by the caller.
pub(super) fn find<'a>(
    rows: &[SpanRow<'a>],
    logs: &[LogRow<'_>],
    tree: &Tree,
    calls: &Calls,
    canonical: &mut Canonicaliser,
) -> Vec<SyntheticCall<'a>> {
    let mut found: Vec<SyntheticCall<'a>> = Vec::new();
    if rows.iter().any(|r| is_tool(r.kind)) || !rows.iter().any(|r| r.kind == Kind::Llm) {
        return found;
    }
    // Logs come sorted by span, then time, or by time alone: only the order within a span matters.
    let mut by_span: Vec<(u32, usize)> =
        logs.iter().enumerate().filter_map(|(l, log)| Some((span_of(log, tree)?, l))).collect();
    by_span.sort_unstable();
    let logs_of = |i: u32| {
        let from = by_span.partition_point(|&(span, _)| span < i);
        by_span[from..].iter().take_while(move |&&(span, _)| span == i).map(|&(_, l)| &logs[l])
    };
    let mut waiting = Waiting::default();
    for (i, row) in rows.iter().enumerate() {
        if row.kind != Kind::Llm {
            continue;
        }
        if !waiting.is_empty() {
            answer(row, logs_of(i as u32), &mut found, &mut waiting);
        }
        if calls.duplicate_of[i] != NONE {
            continue;
        }
        let mut requests = requests_of(row);
        if requests.list.is_empty() {
            logs_of(i as u32).for_each(|log| requests_in_log(log, &mut requests));
        }
        for (position, request) in requests.list.into_iter().enumerate() {
            if let Some(id) = &request.id {
                waiting.entry(id.clone()).or_default().push(found.len());
            }
            found.push(SyntheticCall {
                llm: i,
                llm_span_id: row.span_id,
                position: position as u32,
                step: 0,
                run_agent: None,
                args_hash: request.args.as_deref().and_then(|a| canonical.arguments_hash(a)),
                name: request.name,
                call_id: request.id,
                args: request.args,
                result: None,
                result_hash: None,
                time: row.end_or_start(),
            });
        }
    }
    for call in &mut found {
        call.result_hash = call.result.as_deref().and_then(|r| canonical.result_hash(r));
    }
    found
}

fn span_of(log: &LogRow<'_>, tree: &Tree) -> Option<u32> {
    tree.position(u64::from_be_bytes(log.span_id.0))
}

fn contains(text: &str, word: &str) -> bool {
    memmem::find(text.as_bytes(), word.as_bytes()).is_some()
}

fn asks(text: &str) -> bool {
    static FINDERS: LazyLock<[memmem::Finder<'static>; REQUESTS.len()]> =
        LazyLock::new(|| REQUESTS.map(memmem::Finder::new));
    let holds = |finder: &memmem::Finder<'_>| finder.find(text.as_bytes()).is_some();
    FINDERS.iter().any(holds)
}

/// A JSON document, when the text holds any of the words.
fn document(text: &str, words: &[&str]) -> Option<Value> {
    words.iter().any(|w| contains(text, w)).then(|| serde_json::from_str(text).ok()).flatten()
}

/// The calls of one output.
#[derive(Default)]
struct Requests {
    list: Vec<Request>,
    ids: HashSet<String, RandomState>,
}

impl Requests {
    /// Some outputs state a call twice, in the provider's form and in their own: one call id is one call.
    fn push(&mut self, request: Request) {
        if request.id.as_ref().is_none_or(|id| self.ids.insert(id.clone())) {
            self.list.push(request);
        }
    }
}

/// How many tool calls an LLM's output asks for.
pub(super) fn calls_asked_for(row: &SpanRow<'_>) -> usize {
    requests_of(row).list.len()
}

fn requests_of(row: &SpanRow<'_>) -> Requests {
    let mut requests = Requests::default();
    if let Some(output) = row.output.filter(|o| asks(o)).and_then(|o| serde_json::from_str(o).ok()) {
        walk(&output, &mut |object| request(object, &mut requests));
    }
    if requests.list.is_empty()
        && let Some(attributes) = row.attributes.filter(|a| contains(a, COMPLETIONS))
        && REQUESTS.iter().any(|w| contains(attributes, w))
    {
        dotted(attributes, &mut requests);
    }
    requests
}

fn requests_in_log(log: &LogRow<'_>, requests: &mut Requests) {
    let message = match log.name {
        Some(CHOICE_EVENT) => log.body.and_then(|b| document(b, &REQUESTS)),
        Some(DETAILS_EVENT) => log.attributes.and_then(|a| messages(a, "gen_ai.output.messages", &REQUESTS)),
        _ => None,
    };
    if let Some(message) = message {
        walk(&message, &mut |object| request(object, requests));
    }
}

/// The messages that an attribute holds, as they are or as JSON text.
fn messages(attributes: &str, key: &str, words: &[&str]) -> Option<Value> {
    match document(attributes, words)?.get_mut(key)?.take() {
        Value::String(text) => serde_json::from_str(&text).ok(),
        messages => Some(messages),
    }
}

/// Calls `visit` with every object from the outside in and in order, until it says that it took the object.
fn walk(document: &Value, visit: &mut dyn FnMut(&Map<String, Value>) -> bool) {
    let mut open = vec![document];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items.iter().rev()),
            Value::Object(object) if !visit(object) => {
                let from = open.len();
                open.extend(object.values());
                open[from..].reverse();
            }
            _ => {}
        }
    }
}

fn text<'v>(object: &'v Map<String, Value>, keys: &[&str]) -> Option<&'v str> {
    keys.iter().find_map(|k| object.get(*k)?.as_str()).filter(|t| !t.is_empty())
}

/// Text as it is, anything else as JSON.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Takes an object that asks for a call.
fn request(object: &Map<String, Value>, requests: &mut Requests) -> bool {
    let kind = text(object, &["type"]);
    let nested = ["function", "function_call"].iter().find_map(|k| object.get(*k)?.as_object());
    let (inner, name) = match nested {
        // What is called stands one level down, as in `{"id": ..., "function": {"name": ..., "arguments": ...}}`.
        Some(inner) if inner.contains_key("name") => (inner, text(inner, &["name"])),
        _ => match kind {
            Some("tool_call" | "tool_use" | "function_call" | "tool-call") => {
                (object, text(object, &["name", "toolName"]))
            }
            None | Some("function") if object.contains_key("toolName") => (object, text(object, &["toolName"])),
            None | Some("function") if object.contains_key("arguments") => (object, text(object, &["name"])),
            _ => return false,
        },
    };
    let Some(name) = name else { return false };
    let args = ["arguments", "args", "input"].iter().find_map(|k| inner.get(*k)).and_then(as_text);
    let id = text(object, &["call_id", "toolCallId", "tool_call_id", "id"]).map(str::to_string);
    requests.push(Request { name: name.to_string(), id, args });
    true
}

/// Calls under dotted keys: `gen_ai.completion.0.function_call.name`, `gen_ai.completion.0.tool_calls.1.arguments`.
fn dotted(attributes: &str, requests: &mut Requests) {
    let Ok(attributes) = read_attributes(attributes) else { return };
    let mut parts: Vec<(&str, &str, &str)> = attributes
        .iter()
        .filter_map(|(key, value)| {
            let path = key.strip_prefix(COMPLETIONS)?;
            let (call, field) = path.rsplit_once('.')?;
            let model::Value::Str(text) = value else { return None };
            REQUESTS.iter().any(|w| call.contains(w)).then_some((call, field, text.as_ref()))
        })
        .collect();
    // By number where there are numbers, so that the tenth call does not come second.
    let numbers = |call: &str| -> Vec<u32> { call.split('.').filter_map(|s| s.parse().ok()).collect() };
    parts.sort_by(|a, b| numbers(a.0).cmp(&numbers(b.0)).then_with(|| a.cmp(b)));
    for call in parts.chunk_by(|a, b| a.0 == b.0) {
        let field =
            |name: &str| call.iter().find(|(_, f, t)| *f == name && !t.is_empty()).map(|(_, _, t)| (*t).to_string());
        if let Some(name) = field("name") {
            requests.push(Request { name, id: field("id"), args: field("arguments") });
        }
    }
}

/// Looks in what an LLM call was given for answers to calls that wait for one. An answer belongs to one call, and the
/// newest to the newest: some models number their calls anew in every turn, and inputs repeat the whole conversation.
fn answer<'l>(
    row: &SpanRow<'_>,
    logs: impl Iterator<Item = &'l LogRow<'l>>,
    found: &mut [SyntheticCall<'_>],
    waiting: &mut Waiting,
) {
    let mut answers: Vec<(String, String)> = Vec::new();
    if let Some(input) = row.input.and_then(|i| document(i, &["tool", "function_call_output"])) {
        walk(&input, &mut |object| answered(object, &mut answers));
    }
    for log in logs {
        let message = match log.name {
            Some(TOOL_EVENT) => log.body.and_then(|b| serde_json::from_str(b).ok()),
            Some(DETAILS_EVENT) => log.attributes.and_then(|a| messages(a, "gen_ai.input.messages", &["tool"])),
            _ => None,
        };
        if let Some(message) = message {
            if log.name == Some(TOOL_EVENT)
                && let Value::Object(body) = &message
                && let (Some(id), Some(content)) = (text(body, &["id"]), body.get("content").and_then(as_text))
            {
                answers.push((id.to_string(), content));
            }
            walk(&message, &mut |object| answered(object, &mut answers));
        }
    }
    for (id, content) in answers.into_iter().rev() {
        if let Some(call) = waiting.get_mut(&id).and_then(Vec::pop) {
            found[call].result = Some(content);
        }
    }
}

/// Takes an object that holds a tool's answer.
fn answered(object: &Map<String, Value>, answers: &mut Vec<(String, String)>) -> bool {
    let kind = text(object, &["type"]);
    let (id, content) = match kind {
        Some("tool_call_response") => (text(object, &["id"]), object.get("response").or_else(|| object.get("result"))),
        Some("function_call_output") => (text(object, &["call_id"]), object.get("output")),
        Some("tool_result") => (text(object, &["tool_use_id"]), object.get("content")),
        Some("tool-result") => (text(object, &["toolCallId"]), object.get("output").or_else(|| object.get("result"))),
        _ => (text(object, &["tool_call_id"]), object.get("content")),
    };
    match (id, content.and_then(as_text)) {
        (Some(id), Some(content)) => {
            answers.push((id.to_string(), content));
            true
        }
        _ => false,
    }
}
