//! What differs between the arguments of two calls, as JSON paths.

use serde_json::Value;

use super::super::show::run::RunSpan;

/// Deepest level that is looked into; what differs below it is shown whole.
const DEEPEST: usize = 16;

/// One difference: where, and the two values; `None` where a side has none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: String,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

/// How the calls of two steps differ.
pub(super) fn changes(a: &RunSpan, b: &RunSpan) -> Vec<Change> {
    if a.kind == "llm" {
        return vec![Change { path: "model".to_owned(), old: a.model.clone(), new: b.model.clone() }];
    }
    let arguments = |s: &RunSpan| s.tool_args.clone().or_else(|| s.input.clone());
    let (old, new) = (arguments(a), arguments(b));
    let parsed = |text: &Option<String>| serde_json::from_str::<Value>(text.as_deref()?).ok().filter(is_nested);
    let mut found = Vec::new();
    match (parsed(&old), parsed(&new)) {
        (Some(old), Some(new)) => compare("$".to_owned(), &old, &new, 0, &mut found),
        _ if old != new => found.push(Change { path: "$".to_owned(), old, new }),
        _ => {}
    }
    found
}

fn is_nested(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn compare(path: String, old: &Value, new: &Value, depth: usize, found: &mut Vec<Change>) {
    let text = |v: &Value| match v {
        Value::String(s) => s.clone(),
        v => v.to_string(),
    };
    match (old, new) {
        _ if old == new => {}
        (Value::Object(a), Value::Object(b)) if depth < DEEPEST => {
            let keys = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k)));
            for key in keys {
                let path = member(&path, key);
                match (a.get(key), b.get(key)) {
                    (Some(old), Some(new)) => compare(path, old, new, depth + 1, found),
                    (old, new) => found.push(Change { path, old: old.map(text), new: new.map(text) }),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if depth < DEEPEST => {
            for i in 0..a.len().max(b.len()) {
                let path = format!("{path}[{i}]");
                match (a.get(i), b.get(i)) {
                    (Some(old), Some(new)) => compare(path, old, new, depth + 1, found),
                    (old, new) => found.push(Change { path, old: old.map(text), new: new.map(text) }),
                }
            }
        }
        _ => found.push(Change { path, old: Some(text(old)), new: Some(text(new)) }),
    }
}

/// A member's path: plain names after a dot, others quoted.
fn member(path: &str, key: &str) -> String {
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { format!("{path}.{key}") } else { format!("{path}[{}]", Value::from(key)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(old: &str, new: &str) -> Vec<(String, Option<String>, Option<String>)> {
        let call =
            |arguments: &str| RunSpan { kind: "tool".into(), tool_args: Some(arguments.into()), ..RunSpan::default() };
        changes(&call(old), &call(new)).into_iter().map(|c| (c.path, c.old, c.new)).collect()
    }

    #[test]
    fn paths_lead_to_what_differs() {
        let some = |t: &str| Some(t.to_owned());
        assert_eq!(
            between(
                r#"{"a":{"b":[1,2]},"c":"x","gone":null,"same":1}"#,
                r#"{"a":{"b":[1,3,4]},"c":"y","same":1,"a b":[]}"#
            ),
            [
                ("$.a.b[1]".to_owned(), some("2"), some("3")),
                ("$.a.b[2]".to_owned(), None, some("4")),
                ("$.c".to_owned(), some("x"), some("y")),
                ("$.gone".to_owned(), some("null"), None),
                ("$[\"a b\"]".to_owned(), None, some("[]")),
            ]
        );
        assert_eq!(between("plain", "text"), [("$".to_owned(), some("plain"), some("text"))]);
        assert_eq!(between(r#"{"a": 1}"#, r#"{"a":1}"#), []);
    }
}
