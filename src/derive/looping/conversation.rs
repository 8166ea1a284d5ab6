//! What the messages of an LLM call tell: whose turn it was, and what was said.

use std::fmt::{Display, Formatter, Write as _};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
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

/// Appends the texts in a message or an output, one after the other; a text that is no JSON is what was said.
pub(super) fn say(text: &str, out: &mut String) {
    let before = out.len();
    let mut said = false;
    if text.trim_start().starts_with(['{', '[']) {
        // Nothing but the texts is kept: outputs are long, and every LLM turn's is read.
        said = collect(text, Texts { out, but: &is_about, flags: false });
    }
    if !said {
        out.truncate(before);
        out.push_str(text);
    }
}

fn said(message: &Value) -> String {
    let mut out = String::new();
    // A value that was parsed has nothing that could fail.
    let _ = Texts { out: &mut out, but: &is_about, flags: false }.deserialize(message);
    out
}

fn is_about(key: &str) -> bool {
    ABOUT.contains(&key)
}

/// Appends the values in a JSON document, a line each, without those of the keys that `but` says yes to; false for text that
/// is no JSON.
pub(super) fn values(text: &str, but: &dyn Fn(&str) -> bool, out: &mut String) -> bool {
    collect(text, Texts { out, but, flags: true })
}

fn collect(text: &str, texts: Texts<'_>) -> bool {
    let mut document = serde_json::Deserializer::from_str(text);
    texts.deserialize(&mut document).and_then(|()| document.end()).is_ok()
}

/// Collects texts and numbers, a line each. The parser bounds the depth at 128.
struct Texts<'o> {
    out: &'o mut String,
    /// Which keys' values are left out.
    but: &'o dyn Fn(&str) -> bool,
    /// Whether `true` and `false` are texts too.
    flags: bool,
}

impl Texts<'_> {
    fn line<E>(self, text: impl Display) -> Result<(), E> {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "{text}");
        Ok(())
    }

    fn inner(&mut self) -> Texts<'_> {
        Texts { out: self.out, ..*self }
    }
}

impl<'de> DeserializeSeed<'de> for Texts<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Texts<'_> {
    type Value = ();

    fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.out.push_str(text);
        self.out.push('\n');
        Ok(())
    }

    fn visit_u64<E>(self, n: u64) -> Result<(), E> {
        self.line(n)
    }

    fn visit_i64<E>(self, n: i64) -> Result<(), E> {
        self.line(n)
    }

    fn visit_f64<E>(self, n: f64) -> Result<(), E> {
        self.line(n)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        if self.flags { self.line(flag) } else { Ok(()) }
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.inner())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        while let Some(left_out) = fields.next_key_seed(Key(self.but))? {
            match left_out {
                true => _ = fields.next_value::<IgnoredAny>()?,
                false => fields.next_value_seed(self.inner())?,
            }
        }
        Ok(())
    }
}

/// Whether the values of a key are left out.
struct Key<'f>(&'f dyn Fn(&str) -> bool);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok((self.0)(key))
    }
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
    fn what_was_said() {
        for (output, expected) in [
            ("plain", "plain"),
            ("3", "3"),
            (r#""quoted""#, r#""quoted""#),
            (r#" [{"role":"assistant","content":["a\n",1,-2,2.50,true,null]},"b"]"#, "a\n\n1\n-2\n2.5\nb\n"),
            (r#"{"choices":[{"index":7,"message":{"x":{"id":"y"}}}]}"#, ""),
            (r#"{"a":"b"} and more"#, r#"{"a":"b"} and more"#),
            (r#"{"a":"b","#, r#"{"a":"b","#),
        ] {
            let mut out = "before ".to_owned();
            say(output, &mut out);
            assert_eq!(out.strip_prefix("before "), Some(expected));
        }
        let deep = "[".repeat(100_000);
        let mut out = String::new();
        say(&deep, &mut out);
        assert_eq!(out, deep);
    }

    #[test]
    fn snippets_need_no_escape() {
        assert_eq!(snippet("a \"quoted\" text, 3.5"), Some("text, 3.5"));
        assert_eq!(snippet("\"\\\n"), None);
        assert_eq!(snippet(&"x".repeat(100)).map(str::len), Some(48));
    }
}
