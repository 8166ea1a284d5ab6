//! One text for equal arguments and equal results, whatever framework recorded them.
//!
//! The canonical text is JSON after RFC 8785 in all that matters for comparing: no spaces, keys sorted, strings with
//! the fewest escapes, numbers as ECMAScript writes them. It differs in two points: keys are sorted by their UTF-8
//! bytes, and integers keep digits beyond what a double holds. Text that is neither JSON nor Python's `repr` of plain
//! values is a JSON string.
//!
//! What frameworks put around arguments and results is taken off first, since it changes from call to call: steps,
//! checkpoints, call ids, addresses of objects. Only a wrapping that is recognised by its keys is taken off; a tool's
//! own argument named `tags` stays.

mod json;
mod object;
mod python_repr;
mod writer;

use xxhash_rust::xxh3::xxh3_64;

use object::{Entries, text_of};
use writer::Writer;

/// How often a wrapping may lie in a wrapping.
const WRAPPINGS: usize = 6;

/// Keys of LangChain's tool callback, around `input_str` and `inputs`.
const CALLBACK_KEYS: [&str; 10] = [
    "input_str",
    "inputs",
    "tags",
    "metadata",
    "kwargs",
    "callbacks",
    "run_manager",
    "config",
    "run_id",
    "parent_run_id",
];

/// Keys of a decorated Python function's call, around `args` and `kwargs`.
const CALL_KEYS: [&str; 4] = ["args", "kwargs", "sanitize_inputs_outputs", "self"];

/// Makes canonical text, reusing its memory.
#[derive(Debug, Default)]
pub struct Canonicaliser {
    writer: Writer,
}

/// Hash of canonical text.
pub fn hash(canonical: &str) -> u64 {
    xxh3_64(canonical.as_bytes())
}

impl Canonicaliser {
    /// Canonical text of a tool call's arguments; `None` when there are none in the text.
    ///
    /// ```
    /// use spanfile::derive::Canonicaliser;
    ///
    /// let mut c = Canonicaliser::default();
    /// assert_eq!(c.arguments(r#"{"b": 1.0, "a": "x"}"#), Some(r#"{"a":"x","b":1}"#));
    /// assert_eq!(c.arguments(r#"{"args": [], "kwargs": {"a": "x"}}"#), Some(r#"{"a":"x"}"#));
    /// assert_eq!(c.arguments("{'a': 'x'}"), Some(r#"{"a":"x"}"#));
    /// ```
    pub fn arguments(&mut self, text: &str) -> Option<&str> {
        self.canonical(text, unwrap_arguments)
    }

    /// Canonical text of a tool call's result; `None` when there is none in the text. Message objects that carry the
    /// result together with a call id are taken off.
    pub fn result(&mut self, text: &str) -> Option<&str> {
        match printed_message(text) {
            Some(content) => {
                self.writer.clear();
                python_repr::write_prefix(content, &mut self.writer)?;
                self.unwrap(unwrap_result);
                Some(&self.writer.out)
            }
            None => self.canonical(text, unwrap_result),
        }
    }

    /// Hash of the canonical arguments.
    pub fn arguments_hash(&mut self, text: &str) -> Option<u64> {
        self.arguments(text).map(hash)
    }

    /// Hash of the canonical result.
    pub fn result_hash(&mut self, text: &str) -> Option<u64> {
        self.result(text).map(hash)
    }

    /// The text of the first of these arguments that is there.
    pub(super) fn argument(&mut self, text: &str, keys: &[&str]) -> Option<String> {
        let entries = Entries::of(self.arguments(text)?);
        keys.iter().find_map(|key| text_of(entries.get(key)?)).filter(|t| !t.is_empty())
    }

    fn canonical(&mut self, text: &str, unwrap: fn(&str) -> Option<Inner>) -> Option<&str> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        self.document(text);
        self.unwrap(unwrap);
        Some(&self.writer.out)
    }

    /// Writes a text of unknown form.
    fn document(&mut self, text: &str) {
        self.writer.clear();
        if json::write(text, &mut self.writer).is_some() {
            return;
        }
        if text.starts_with(['{', '[', '(']) {
            self.writer.clear();
            if python_repr::write(text, &mut self.writer).is_some() {
                return;
            }
        }
        self.writer.clear();
        self.writer.string(text);
    }

    fn unwrap(&mut self, unwrap: fn(&str) -> Option<Inner>) {
        for _ in 0..WRAPPINGS {
            let out = &self.writer.out;
            let inner = match out.as_bytes().first() {
                Some(b'{') if self.writer.has_mark => unwrap(out),
                // A document within a string is the document. An escape may be the space before it.
                Some(b'"') if out[1..].trim_start().starts_with(['{', '[', '\\']) => {
                    text_of(out).filter(|t| t.trim_start().starts_with(['{', '['])).map(Inner::Document)
                }
                _ => None,
            };
            match inner {
                None => return,
                Some(Inner::Canonical(text)) => {
                    self.writer.out = text;
                    self.writer.has_mark = true;
                }
                Some(Inner::Document(text)) => {
                    let before = std::mem::take(&mut self.writer.out);
                    self.document(text.trim());
                    if self.writer.out == before {
                        return;
                    }
                }
            }
        }
    }
}

/// What lies in a wrapping: canonical text, or a text of unknown form.
enum Inner {
    Canonical(String),
    Document(String),
}

/// Whether a canonical string is how Python prints an object without a `repr`: it holds an address.
fn is_address(value: &str) -> bool {
    value.starts_with("\"<") && value.ends_with(">\"") && value.contains(" at 0x")
}

fn unwrap_arguments(canonical: &str) -> Option<Inner> {
    let entries = Entries::of(canonical);
    if let Some(printed) = entries.get("input_str") {
        return entries.only(&CALLBACK_KEYS).then(|| match entries.get("inputs").filter(|v| v.starts_with('{')) {
            Some(inputs) => Inner::Canonical(inputs.to_string()),
            None => text_of(printed).map_or_else(|| Inner::Canonical(printed.to_string()), Inner::Document),
        });
    }
    if let Some(kwargs) = entries.get("kwargs").filter(|v| v.starts_with('{')) {
        let args = entries.get("args").filter(|v| *v != "null").unwrap_or("[]");
        if !entries.only(&CALL_KEYS) || !args.starts_with('[') {
            return None;
        }
        let kwargs = Entries::of(kwargs).without(is_address);
        if args == "[]" {
            return Some(Inner::Canonical(kwargs));
        }
        let unwrapped = format!("{{\"args\":{args},\"kwargs\":{kwargs}}}");
        return (unwrapped != canonical).then_some(Inner::Canonical(unwrapped));
    }
    let inputs = entries.get("inputs").filter(|v| v.starts_with('{'))?;
    let beside = entries.get("tags").is_some() || entries.get("metadata").is_some();
    (beside && entries.only(&CALLBACK_KEYS)).then(|| Inner::Canonical(inputs.to_string()))
}

fn unwrap_result(canonical: &str) -> Option<Inner> {
    let entries = Entries::of(canonical);
    let object = |key| entries.get(key).filter(|v| v.starts_with('{'));
    let content =
        |content: &str| Some(text_of(content).map_or_else(|| Inner::Canonical(content.to_string()), Inner::Document));
    // A message that answers a tool call.
    if let Some(text) = entries.get("content")
        && (entries.get("tool_call_id").is_some() || entries.get("type") == Some("\"tool\""))
    {
        return content(text);
    }
    // LangChain's serialised objects.
    if let Some(kwargs) = object("kwargs")
        && entries.get("lc").is_some()
    {
        return Some(Inner::Canonical(kwargs.to_string()));
    }
    if let Some(data) = object("data")
        && entries.get("type") == Some("\"tool\"")
        && entries.only(&["type", "data"])
    {
        return Some(Inner::Canonical(data.to_string()));
    }
    // Its callback's output, alone or beside what the callback knows.
    let output = entries.get("output")?;
    let is_message = output.starts_with('{') && {
        let inner = Entries::of(output);
        inner.get("lc").is_some() || (inner.get("content").is_some() && inner.get("tool_call_id").is_some())
    };
    let beside_kwargs =
        object("kwargs").is_some_and(|k| Entries::of(k).only(&["tags", "color", "name", "tool_call_id"]));
    ((is_message || beside_kwargs) && entries.only(&["output", "kwargs"])).then(|| content(output))?
}

/// The content of a tool message as Python prints it: `content='...' name='...' tool_call_id='...'`.
fn printed_message(text: &str) -> Option<&str> {
    let content = text.trim().strip_prefix("content=")?;
    content.contains("tool_call_id=").then_some(content)
}
