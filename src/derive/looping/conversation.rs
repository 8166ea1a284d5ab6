//! What the messages of an LLM call tell: whose turn it was, and what was said.

use serde_json::{Map, Value};

/// Keys whose values are not said by anybody.
const ABOUT: [&str; 16] = [
    "id",
    "index",
    "role",
    "type",
    "status",
    "model",
    "finish_reason",
    "call_id",
    "tool_call_id",
    "toolCallId",
    "created_at",
    "response_metadata",
    "usage_metadata",
    "generation_info",
    "encrypted_content",
    "lc",
];

/// Letters, digits and blanks of a text that are looked for in another: enough to tell, few enough that nothing in
/// between had to be escaped.
const SNIPPET: usize = 48;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    User,
    Assistant,
    Other,
}

/// The messages that an input holds.
pub(super) struct Conversation {
    roles: Vec<Role>,
    last: Option<Value>,
}

impl Conversation {
    /// `None` when the text holds no messages.
    pub(super) fn of(input: &str) -> Option<Self> {
        let mut document: Value = serde_json::from_str(input).ok()?;
        for _ in 0..4 {
            let inner = match &mut document {
                Value::Object(object) => ["messages", "input"].iter().find_map(|k| object.remove(*k))?,
                // A list in a list: several prompts at once, of which one is the rule.
                Value::Array(items) if items.first().is_some_and(Value::is_array) => items.remove(0),
                Value::Array(items) => {
                    let roles: Vec<Role> = items.iter().filter_map(|m| m.as_object().map(role)).collect();
                    let last = items.pop().filter(|_| !roles.is_empty());
                    return last.map(|last| Conversation { roles, last: Some(last) });
                }
                _ => return None,
            };
            document = inner;
        }
        None
    }

    /// Whether an answer of an LLM is among the messages.
    pub(super) fn has_answers(&self) -> bool {
        self.roles.contains(&Role::Assistant)
    }

    /// How many messages came from users.
    pub(super) fn user_messages(&self) -> usize {
        self.roles.iter().filter(|r| **r == Role::User).count()
    }

    /// What the last message says, if it came from a user.
    pub(super) fn last_of_user(&self) -> Option<String> {
        let last = self.last.as_ref().filter(|_| self.roles.last() == Some(&Role::User))?;
        Some(said(last))
    }
}

fn role(message: &Map<String, Value>) -> Role {
    let kwargs = message.get("kwargs").and_then(Value::as_object);
    let told = |object: &Map<String, Value>| {
        let word = |key| object.get(key).and_then(Value::as_str).map(str::to_owned);
        word("role").or_else(|| word("type"))
    };
    match kwargs.and_then(told).or_else(|| told(message)).as_deref() {
        Some("user" | "human") => Role::User,
        Some("assistant" | "ai" | "model") => Role::Assistant,
        _ => Role::Other,
    }
}

/// The texts in a message or an output, one after the other; a text that is no JSON is what was said.
pub(super) fn said_in(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Array(_) | Value::Object(_))) => said(&value),
        _ => text.to_owned(),
    }
}

fn said(value: &Value) -> String {
    let mut out = String::new();
    // The parser bounds the depth at 128.
    fn collect(value: &Value, out: &mut String) {
        match value {
            Value::String(text) => {
                out.push_str(text);
                out.push('\n');
            }
            Value::Number(n) => {
                out.push_str(&n.to_string());
                out.push('\n');
            }
            Value::Array(items) => items.iter().for_each(|v| collect(v, out)),
            Value::Object(fields) => {
                fields.iter().filter(|(k, _)| !ABOUT.contains(&k.as_str())).for_each(|(_, v)| collect(v, out));
            }
            Value::Null | Value::Bool(_) => {}
        }
    }
    collect(value, &mut out);
    out
}

/// The longest stretch of a text that looks the same however it is escaped, cut; `None` without letters and digits.
pub(super) fn snippet(text: &str) -> Option<&str> {
    let stretches = text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ' ' | ',' | '.' | '-')));
    let longest = stretches.map(str::trim).max_by_key(|s| s.len().min(SNIPPET)).filter(|s| !s.is_empty())?;
    Some(&longest[..longest.len().min(SNIPPET)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_several_forms() {
        for (input, users, last, answers) in [
            (r#"[{"role":"system","content":"x"},{"role":"user","content":"hi"}]"#, 1, Some("hi\n"), false),
            (
                r#"[{"role":"user","parts":[{"type":"text","content":"hi"}]},{"role":"assistant","content":"yo"}]"#,
                1,
                None,
                true,
            ),
            (
                r#"{"messages":[[{"kwargs":{"content":"a","type":"ai"}},{"kwargs":{"content":"hi","type":"human"}}]]}"#,
                1,
                Some("hi\n"),
                true,
            ),
            (r#"[null,{"role":"user","content":"hi"},{"type":"function_call","name":"f"}]"#, 1, None, false),
        ] {
            let c = Conversation::of(input).unwrap();
            assert_eq!(
                (c.user_messages(), c.last_of_user().as_deref(), c.has_answers()),
                (users, last, answers),
                "{input}"
            );
        }
        for none in ["hi", "{}", "[]", "[1]", "3", r#"{"input":"hi"}"#] {
            assert!(Conversation::of(none).is_none(), "{none}");
        }
    }

    #[test]
    fn snippets_need_no_escape() {
        assert_eq!(snippet("a \"quoted\" text, 3.5"), Some("text, 3.5"));
        assert_eq!(snippet("\"\\\n"), None);
        assert_eq!(snippet(&"x".repeat(100)).map(str::len), Some(48));
    }
}
