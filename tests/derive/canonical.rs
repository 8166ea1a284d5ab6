//! Equal arguments have one canonical text, unequal ones have not.

use proptest::prelude::*;
use serde_json::{Value, json};
use spanfile::derive::Canonicaliser;

fn arguments(text: &str) -> Option<String> {
    Canonicaliser::default().arguments(text).map(str::to_string)
}

fn result(text: &str) -> Option<String> {
    Canonicaliser::default().result(text).map(str::to_string)
}

#[track_caller]
fn all(canonical: &str, texts: &[&str]) {
    for text in texts {
        assert_eq!(arguments(text).as_deref(), Some(canonical), "{text}");
    }
}

#[test]
fn plain_arguments() {
    all(
        r#"{"a":"x","b":1,"c":[true,null]}"#,
        &[
            r#"{"a":"x","b":1,"c":[true,null]}"#,
            r#" { "c" : [ true , null ] , "b" : 1.0 , "a" : "x" } "#,
            r#"{"b":10e-1,"a":"\u0078","c":[true,null]}"#,
            r#"{"a":"first","a":"x","b":1,"c":[true,null]}"#,
            r#""{\"a\":\"x\",\"b\":1,\"c\":[true,null]}""#,
            "{'a': 'x', 'b': 1, 'c': [True, None]}",
            "{'c': (True, None,), \"a\": u'x', 'b': 1.0}".replace("u'", "'").as_str(),
        ],
    );
    all(r#""A-1042""#, &["A-1042", "\"A-1042\"", "  A-1042\n"]);
    all("{}", &["{}", "{ }", r#"{"args": [], "kwargs": {}}"#]);
    assert_eq!(arguments(""), None);
    assert_eq!(arguments("  "), None);
}

#[test]
fn numbers() {
    for (text, canonical) in [
        ("1", "1"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1e2", "100"),
        ("0.10", "0.1"),
        ("1e21", "1e+21"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("9007199254740993", "9007199254740993"),
        ("5e-7", "5e-7"),
        ("1e-6", "0.000001"),
        ("-1.5e300", "-1.5e+300"),
        ("1e999", "\"1e999\""),
        ("1e-999", "\"1e-999\""),
        ("01", "\"01\""),
        ("1.2.3", "\"1.2.3\""),
        ("--1", "\"--1\""),
    ] {
        assert_eq!(arguments(text).as_deref(), Some(canonical), "{text}");
    }
}

#[test]
fn strings() {
    all(r#"{"a":"é\n\"/😀"}"#, &[r#"{"a":"\u00e9\n\"\/\ud83d\ude00"}"#, "{\"a\":\"é\\u000a\\\"/😀\"}"]);
    // Halves of a pair stay apart.
    assert_ne!(arguments(r#"["\ud83d"]"#), arguments(r#"["\ude00"]"#));
    assert_eq!(arguments("'it\\'s \\x41'"), Some(r#""'it\\'s \\x41'""#.to_string()));
    assert_eq!(arguments("['it\\'s \\x41\\u00e9']"), Some(r#"["it's Aé"]"#.to_string()));
}

#[test]
fn wrappings() {
    let traceloop = |step: u32, id: &str| {
        json!({"input_str": "{'order_id': 'A-1042'}", "tags": ["seq:step:1"], "metadata": {"langgraph_step": step},
            "inputs": {"order_id": "A-1042"}, "kwargs": {"color": "green", "tool_call_id": id}})
        .to_string()
    };
    all(
        r#"{"order_id":"A-1042"}"#,
        &[
            r#"{"order_id": "A-1042"}"#,
            &traceloop(2, "call_1"),
            &traceloop(4, "call_2"),
            r#"{"input_str": "{'order_id': 'A-1042'}", "tags": []}"#,
            r#"{"inputs": {"order_id": "A-1042"}, "metadata": {}}"#,
            r#"{"args": [], "kwargs": {"order_id": "A-1042"}}"#,
            r#"{"kwargs": {"order_id": "A-1042"}}"#,
            r#"{"kwargs": {"order_id": "A-1042", "ctx": "<llama_index.Context object at 0x7f01>"}}"#,
            r#"{"args": [], "sanitize_inputs_outputs": true, "kwargs": {"order_id": "A-1042"}}"#,
        ],
    );
    // What a tool calls its own arguments is its own affair.
    for own in [
        r#"{"metadata":{"a":1},"tags":["x"]}"#,
        r#"{"kwargs":{"a":1},"limit":3}"#,
        r#"{"inputs":{"a":1},"query":"x"}"#,
        r#"{"ctx":"here"}"#,
    ] {
        assert_eq!(arguments(own).as_deref(), Some(own));
    }
    assert_eq!(
        arguments(r#"{"kwargs": {}, "args": ["A-1042"], "sanitize_inputs_outputs": true}"#).as_deref(),
        Some(r#"{"args":["A-1042"],"kwargs":{}}"#)
    );
}

#[test]
fn results() {
    let content = r#"{"order_id": "A-1042"}"#;
    let message = |id: &str| json!({"content": content, "type": "tool", "name": "lookup_order", "tool_call_id": id});
    for id in ["call_1", "call_2"] {
        let constructor =
            json!({"lc": 1, "type": "constructor", "id": ["langchain", "ToolMessage"], "kwargs": message(id)});
        for text in [
            content.to_string(),
            message(id).to_string(),
            json!({"type": "tool", "data": message(id)}).to_string(),
            json!({"output": message(id)}).to_string(),
            json!({"output": constructor, "kwargs": {"tags": [], "color": "green", "name": "lookup_order"}})
                .to_string(),
            format!("content='{content}' name='lookup_order' tool_call_id='{id}'"),
            Value::String(content.to_string()).to_string(),
        ] {
            assert_eq!(result(&text).as_deref(), Some(r#"{"order_id":"A-1042"}"#), "{text}");
        }
    }
    // A tool's own words.
    for own in [r#"{"content":"x","lines":3}"#, r#"{"output":"x","status":1}"#, r#"{"data":{"a":1}}"#] {
        assert_eq!(result(own).as_deref(), Some(own));
    }
}

#[test]
fn hostile_text_is_text() {
    for text in [
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        format!("{}1{}", "[".repeat(65), "]".repeat(65)),
        "{'a': <object at 0x7f>}".to_string(),
        "{1, 2: 3}".to_string(),
        "{1: 2, 3}".to_string(),
        "(".repeat(70_000),
        "\"\\".to_string(),
        "\"\\ud800\\u".to_string(),
    ] {
        let canonical = arguments(&text).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&canonical).unwrap(), Value::String(text.clone()));
    }
    assert_eq!(arguments(&format!("{}1{}", "[".repeat(64), "]".repeat(64))).unwrap().len(), 129);
    // A string in a string in a string ends.
    let mut nested = "{\"a\":1}".to_string();
    for _ in 0..9 {
        nested = Value::String(nested).to_string();
    }
    assert!(arguments(&nested).is_some());
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((".{0,6}", inner), 0..6).prop_map(|e| Value::Object(e.into_iter().collect())),
        ]
    })
}

/// Python's `repr` of a value.
fn python(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(n) => out.push_str(&n.to_string()),
        Value::String(s) => {
            out.push('\'');
            for c in s.chars() {
                match c {
                    '\'' | '\\' => out.extend(['\\', c]),
                    c if c.is_ascii_graphic() || c == ' ' => out.push(c),
                    c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
                }
            }
            out.push('\'');
        }
        Value::Array(items) => {
            out.push('[');
            items.iter().for_each(|i| {
                python(i, out);
                out.push_str(", ");
            });
            out.push(']');
        }
        Value::Object(entries) => {
            out.push('{');
            entries.iter().for_each(|(k, v)| {
                python(&Value::String(k.clone()), out);
                out.push_str(": ");
                python(v, out);
                out.push_str(", ");
            });
            out.push('}');
        }
    }
}

/// What wrappings would take off is for the tests above.
fn has_mark(value: &Value) -> bool {
    let marks = ["content", "data", "input_str", "inputs", "kwargs", "output"];
    value.as_object().is_some_and(|o| o.keys().any(|k| marks.contains(&k.as_str())))
}

proptest! {
    #[test]
    fn writing_does_not_matter(value in values()) {
        prop_assume!(!has_mark(&value) && (value.is_object() || value.is_array()));
        let compact = value.to_string();
        let canonical = arguments(&compact).unwrap();
        prop_assert_eq!(arguments(&serde_json::to_string_pretty(&value).unwrap()).unwrap(), canonical.as_str());
        let mut repr = String::new();
        python(&value, &mut repr);
        prop_assert_eq!(arguments(&repr).unwrap(), canonical.as_str());
        prop_assert_eq!(arguments(&canonical).unwrap(), canonical.as_str());
        // Nothing is lost: numbers are compared as doubles, which is what canonical text equates.
        let back: Value = serde_json::from_str(&canonical).unwrap();
        prop_assert!(same(&value, &back), "{} {}", value, back);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}", python in "[\\[{('\":, \\]})xuU0-9eTrueFalsNo\\\\-]{0,40}") {
        for text in [text, python] {
            if let Some(canonical) = arguments(&text) {
                serde_json::from_str::<Value>(&canonical).unwrap();
            }
            if let Some(canonical) = result(&text) {
                serde_json::from_str::<Value>(&canonical).unwrap();
            }
        }
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        _ => a == b,
    }
}
