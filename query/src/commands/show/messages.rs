//! Inputs and outputs for people: messages as who says what, other texts as they are.

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::super::drawing::{cut, grouped, printable};

/// How much is shown of one text, in characters, unless all is wanted.
const CHARACTERS: usize = 400;
/// How many messages of a conversation are shown, the last.
const MESSAGES: usize = 2;

/// A text as lines of at most this width; with what was left out of it, unless all is wanted.
pub(super) fn lines(text: &str, width: usize, all: bool) -> Vec<String> {
    let mut out = Vec::new();
    match messages(text) {
        Some(messages) => {
            let left_out = if all { 0 } else { messages.len().saturating_sub(MESSAGES) };
            if left_out > 0 {
                out.push(format!("… {left_out} earlier message{}", if left_out == 1 { "" } else { "s" }));
            }
            for (role, said) in &messages[left_out..] {
                wrap(&format!("{role}: {said}"), width, all, &mut out);
            }
        }
        None => wrap(text, width, all, &mut out),
    }
    out
}

/// Lines of a text, in pieces that fit.
fn wrap(text: &str, width: usize, all: bool, out: &mut Vec<String>) {
    let characters = text.chars().count();
    let shown: String = if all { text.to_owned() } else { text.chars().take(CHARACTERS).collect() };
    let width = width.max(8);
    for line in shown.trim_end().lines() {
        let line = printable(&line.replace('\t', "  "));
        let mut piece = String::new();
        for word in line.split_inclusive(' ') {
            if piece.width() + word.trim_end().width() > width && !piece.trim().is_empty() {
                out.push(std::mem::take(&mut piece).trim_end().to_owned());
            }
            piece += word;
            while piece.trim_end().width() > width {
                // The sign that something was cut takes one column, and here nothing is.
                let head = cut(&piece, width);
                let head = head.strip_suffix('…').unwrap_or(&head).to_owned();
                if head.is_empty() || head.len() >= piece.len() {
                    break;
                }
                piece = piece[head.len()..].to_owned();
                out.push(head);
            }
        }
        if !piece.trim().is_empty() {
            out.push(piece.trim_end().to_owned());
        }
    }
    if !all && characters > CHARACTERS {
        let more = characters - CHARACTERS;
        out.push(format!("… {} more character{}", grouped(more as i64), if more == 1 { "" } else { "s" }));
    }
}

/// Roles and what they say, where a text is a list of messages.
fn messages(text: &str) -> Option<Vec<(String, String)>> {
    if !text.starts_with('[') {
        return None;
    }
    let Value::Array(all) = serde_json::from_str(text).ok()? else { return None };
    let one = |m: &Value| Some((m.get("role")?.as_str()?.to_owned(), said(m)));
    all.iter().map(one).collect::<Option<Vec<_>>>().filter(|m| !m.is_empty())
}

fn said(message: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    for key in ["content", "parts"] {
        match message.get(key) {
            Some(Value::String(s)) => parts.push(s.clone()),
            Some(Value::Array(all)) => parts.extend(all.iter().map(part)),
            Some(Value::Null) | None => {}
            Some(other) => parts.push(other.to_string()),
        }
    }
    for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        parts.push(called(call.get("tool_call").unwrap_or(call)).unwrap_or_else(|| call.to_string()));
    }
    let parts: Vec<&str> = parts.iter().map(|p| p.trim()).filter(|p| !p.is_empty()).collect();
    parts.join(" ")
}

fn part(part: &Value) -> String {
    let text = ["text", "content"].into_iter().find_map(|key| part.get(key)?.as_str());
    match (part.as_str().or(text), called(part)) {
        (Some(text), _) => text.to_owned(),
        (None, Some(call)) => call,
        (None, None) => part.to_string(),
    }
}

/// A call as `name(arguments)`.
fn called(call: &Value) -> Option<String> {
    let function = call.get("function").unwrap_or(call);
    let name = function.get("name")?.as_str()?;
    let arguments = match function.get("arguments").or_else(|| function.get("input")) {
        Some(Value::String(s)) => s.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    Some(if arguments.is_empty() { name.to_owned() } else { format!("{name}({arguments})") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_who_said_what() {
        let text = r#"[{"role":"system","content":"Help."},{"role":"user","content":[{"type":"text","text":"Where is it?"}]},
            {"role":"assistant","content":null,"tool_calls":[{"tool_call":{"function":{"name":"find","arguments":"{\"a\": 1}"}}}]}]"#;
        assert_eq!(
            lines(text, 60, false),
            ["… 1 earlier message", "user: Where is it?", "assistant: find({\"a\": 1})"]
        );
        assert_eq!(lines(text, 60, true)[0], "system: Help.");
        // What is no list of messages stays as it is.
        assert_eq!(lines("[1, 2]", 60, false), ["[1, 2]"]);
    }

    #[test]
    fn lines_fit_and_what_is_left_out_is_counted() {
        let cut = lines(&"模型 ".repeat(400), 21, false);
        assert!(cut.iter().all(|l| l.width() <= 21), "{cut:?}");
        assert_eq!(cut.last().map(String::as_str), Some("… 800 more characters"));
        let all = lines(&"x".repeat(1000), 30, true);
        assert_eq!(all.iter().map(String::len).sum::<usize>(), 1000);
        assert_eq!(lines("a\n\u{1b}[2J\tb", 30, false), ["a", "\\u{1b}[2J  b"]);
    }
}
