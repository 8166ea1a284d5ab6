use std::borrow::Cow;

use super::super::table::TABLE;
use super::{get, normalised, span};
use crate::model::{Event, Span, Value};

const TRACELOOP: &str = "opentelemetry.instrumentation.langchain";

fn with_events(mut span: Span<'static>, events: &[(&'static str, &[(&'static str, &'static str)])]) -> Span<'static> {
    span.events = events
        .iter()
        .map(|(name, attributes)| Event {
            name: (*name).into(),
            attributes: attributes.iter().map(|&(k, v)| (Cow::Borrowed(k), v.into())).collect(),
            ..Event::default()
        })
        .collect();
    span
}

#[test]
fn a_traceloop_workflow_is_not_an_agent() {
    for (word, want) in [("workflow", "workflow"), ("task", "agent"), ("agent", "agent")] {
        let s = span(vec![("gen_ai.operation.name", "invoke_agent".into()), ("traceloop.span.kind", word.into())]);
        let (columns, _) = normalised(&s, TRACELOOP);
        assert_eq!(get(&columns, "kind"), Some(want), "{word}");
        assert_eq!(get(&columns, "dialect"), Some("traceloop"));
    }
}

#[test]
fn traceloop_tools_have_arguments_not_input() {
    let s = span(vec![
        ("traceloop.span.kind", "tool".into()),
        ("traceloop.entity.name", "lookup".into()),
        ("traceloop.entity.input", "in".into()),
        ("traceloop.entity.output", "out".into()),
        ("gen_ai.tool.call.result", "better".into()),
        ("gen_ai.task.status", "failure".into()),
    ]);
    let (columns, kept) = normalised(&s, TRACELOOP);
    assert_eq!(get(&columns, "tool_name"), Some("lookup"));
    assert_eq!(get(&columns, "tool_args"), Some("in"));
    assert_eq!(get(&columns, "tool_result"), Some("better"));
    assert_eq!(get(&columns, "error_type"), Some("failure"));
    assert_eq!((get(&columns, "input"), get(&columns, "output")), (None, None));
    assert_eq!(kept, ["traceloop.span.kind", "traceloop.entity.output", "gen_ai.task.status"]);
}

#[test]
fn request_types_speak_when_nothing_else_does() {
    for (operation, kind, want) in
        [("", "completion", "llm"), ("embedding", "", "embedding"), ("x", "rerank", "reranker"), ("tell", "x", "other")]
    {
        let s = span(vec![
            ("gen_ai.operation.name", operation.into()),
            ("llm.request.type", kind.into()),
            ("gen_ai.request.model", "m".into()),
        ]);
        assert_eq!(get(&normalised(&s, "x").0, "kind"), Some(want), "{operation} {kind}");
    }
}

#[test]
fn langsmith_kinds_correct_their_operation() {
    for (operation, word, want) in [
        ("chat", "prompt", "other"),
        ("embeddings", "retriever", "retrieval"),
        ("chain", "chain", "workflow"),
        ("chat", "llm", "llm"),
        ("execute_tool", "tool", "tool"),
    ] {
        let s = span(vec![("gen_ai.operation.name", operation.into()), ("langsmith.span.kind", word.into())]);
        assert_eq!(get(&normalised(&s, "langsmith").0, "kind"), Some(want), "{word}");
    }
}

#[test]
fn langsmith_content_tells_what_attributes_do_not() {
    let s = span(vec![
        ("langsmith.span.kind", "llm".into()),
        (
            "gen_ai.completion",
            concat!(
                r#"{"generations":[[{"generation_info":{"finish_reason":"tool_calls"},"message":{"kwargs":"#,
                r#"{"response_metadata":{"model_name":"m-2026","id":"r-1"}}}}]]}"#
            )
            .into(),
        ),
        (
            "langsmith.metadata.usage_metadata",
            r#"{"input_token_details":{"cache_read":3},"output_token_details":{"reasoning":2}}"#.into(),
        ),
    ]);
    let (columns, kept) = normalised(&s, "langsmith");
    for (column, want) in [
        ("finish_reasons", r#"["tool_calls"]"#),
        ("response_model", "m-2026"),
        ("response_id", "r-1"),
        ("cache_read_tokens", "3"),
        ("reasoning_tokens", "2"),
    ] {
        assert_eq!(get(&columns, column), Some(want));
    }
    assert_eq!(kept, ["langsmith.span.kind", "langsmith.metadata.usage_metadata"]);
}

#[test]
fn documents_come_out_of_a_retrievers_output() {
    for (kind, key) in
        [("langsmith.span.kind", "gen_ai.completion"), ("openinference.span.kind", "traceloop.entity.output")]
    {
        let s = span(vec![(kind, "retriever".into()), (key, r#"{"documents":[{"id":"d","score":0.5}]}"#.into())]);
        let (columns, kept) = normalised(&s, "x");
        assert_eq!(get(&columns, "documents"), Some(r#"[{"id":"d","score":0.5}]"#));
        assert_eq!(kept, [kind], "the output column holds the whole");
    }
}

#[test]
fn rails_are_policies() {
    for (stop, want) in [(true, "block"), (false, "allow")] {
        let s = span(vec![("rail.name", "self check input".into()), ("rail.stop", stop.into())]);
        let (columns, kept) = normalised(&s, "nemo_guardrails");
        assert_eq!(get(&columns, "kind"), Some("guardrail"));
        assert_eq!(get(&columns, "dialect"), Some("nemo"));
        assert_eq!(get(&columns, "policy_name"), Some("self check input"));
        assert_eq!(get(&columns, "policy_verdict"), Some(want));
        assert_eq!(kept, ["rail.stop"]);
    }
}

#[test]
fn a_rails_model_call_is_one_whatever_its_task() {
    let s = span(vec![("gen_ai.operation.name", "self_check_input".into()), ("gen_ai.request.model", "m".into())]);
    assert_eq!(get(&normalised(&s, "nemo_guardrails").0, "kind"), Some("llm"));
    assert_eq!(get(&normalised(&s, "other").0, "kind"), Some("other"));
    let s = span(vec![("action.name", "self_check_input".into())]);
    assert_eq!(get(&normalised(&s, "nemo_guardrails").0, "kind"), Some("workflow"));
}

#[test]
fn messages_without_content_give_way() {
    let empty = r#"[{"role":"assistant","parts": [],"finish_reason":"tool_calls"}]"#;
    let mut attributes = vec![("gen_ai.output.messages", Value::from(empty))];
    let (columns, kept) = normalised(&span(attributes.clone()), "litellm");
    assert_eq!(get(&columns, "output"), Some(empty));
    assert_eq!(kept.len(), 0);
    attributes.push(("gen_ai.completion.0.function_call.name", "lookup".into()));
    let (columns, kept) = normalised(&span(attributes), "litellm");
    assert_eq!(get(&columns, "output"), Some(r#"[{"function_call":{"name":"lookup"}}]"#));
    assert_eq!(kept, ["gen_ai.output.messages"]);
}

#[test]
fn reasoning_that_was_added_twice_is_taken_off() {
    for (model, output, convention) in [("openai/gpt", "34", "reasoning_twice"), ("gemini-2.0", "58", "inclusive")] {
        let s = span(vec![
            ("gen_ai.operation.name", "generate_content".into()),
            ("gen_ai.request.model", model.into()),
            ("gen_ai.usage.input_tokens", 100.into()),
            ("gen_ai.usage.output_tokens", 58.into()),
            ("gen_ai.usage.reasoning.output_tokens", 24.into()),
        ]);
        let (columns, _) = normalised(&s, "gcp.vertex.agent");
        assert_eq!(get(&columns, "output_tokens"), Some(output), "{model}");
        assert_eq!(get(&columns, "usage_convention"), Some(convention), "{model}");
    }
}

#[test]
fn a_stand_in_for_content_is_no_content() {
    for (args, want) in [("{}", None), (r#"{"a":1}"#, Some(r#"{"a":1}"#))] {
        let s = span(vec![
            ("gen_ai.operation.name", "execute_tool".into()),
            ("gcp.vertex.agent.tool_call_args", args.into()),
        ]);
        let (columns, kept) = normalised(&s, "gcp.vertex.agent");
        assert_eq!(get(&columns, "tool_args"), want);
        assert_eq!(kept.len(), 2 - usize::from(want.is_some()));
    }
}

#[test]
fn messages_in_events_are_input_and_output() {
    let events: &[(&str, &[(&str, &str)])] = &[
        ("gen_ai.system.message", &[("gen_ai.system", "s"), ("content", "be kind")]),
        ("gen_ai.user.message", &[("content", "[{\"text\": \"hi\"}]")]),
        ("gen_ai.choice", &[("finish_reason", "end_turn"), ("message", "hello")]),
    ];
    let s = with_events(span(vec![("gen_ai.operation.name", "chat".into())]), events);
    let (columns, _) = normalised(&s, "strands.telemetry.tracer");
    assert_eq!(
        get(&columns, "input"),
        Some(r#"[{"role":"system","content":"be kind"},{"role":"user","content":"[{\"text\": \"hi\"}]"}]"#)
    );
    assert_eq!(get(&columns, "output"), Some(r#"[{"role":"assistant","finish_reason":"end_turn","message":"hello"}]"#));

    let given = span(vec![("gen_ai.operation.name", "chat".into()), ("gen_ai.input.messages", "given".into())]);
    let (columns, _) = normalised(&with_events(given, events), "x");
    assert_eq!(get(&columns, "input"), Some("given"));
}

#[test]
fn events_of_tools_are_arguments_and_result() {
    let s = with_events(
        span(vec![("gen_ai.operation.name", "execute_tool".into()), ("gen_ai.tool.status", "error".into())]),
        &[
            ("gen_ai.tool.message", &[("role", "tool"), ("content", "{\"sku\": 7}"), ("id", "c1")]),
            ("gen_ai.choice", &[("message", "14 left")]),
        ],
    );
    let (columns, _) = normalised(&s, "strands.telemetry.tracer");
    assert_eq!(get(&columns, "tool_args"), Some("{\"sku\": 7}"));
    assert_eq!(get(&columns, "tool_result"), Some("14 left"));
    assert_eq!(get(&columns, "error_type"), Some("tool_error"));
    assert_eq!((get(&columns, "input"), get(&columns, "output")), (None, None));
}

#[test]
fn details_of_an_inference_are_found_in_either_of_its_events() {
    const DETAILS: &str = "gen_ai.client.inference.operation.details";
    let s = with_events(
        span(vec![("gen_ai.operation.name", "chat".into())]),
        &[
            (DETAILS, &[("gen_ai.input.messages", "in"), ("gen_ai.system_instructions", "sys")]),
            (DETAILS, &[("gen_ai.output.messages", "out")]),
        ],
    );
    let (columns, _) = normalised(&s, "x");
    assert_eq!(get(&columns, "input"), Some("in"));
    assert_eq!(get(&columns, "output"), Some("out"));
    assert_eq!(get(&columns, "system_prompt"), Some("sys"));
}

#[test]
fn autogen_writes_arguments_as_parameters() {
    let s = span(vec![("openinference.span.kind", "TOOL".into()), ("tool.parameters", "{\"a\":1}".into())]);
    let (columns, _) = normalised(&s, "openinference.instrumentation.autogen_agentchat");
    assert_eq!(get(&columns, "tool_args"), Some("{\"a\":1}"));
    assert_eq!(get(&normalised(&s, "openinference.instrumentation.crewai").0, "tool_args"), None);
}

#[test]
fn the_whole_run_is_no_agent() {
    const SCOPE: &str = "openinference.instrumentation.openai_agents";
    let mut attributes = vec![("openinference.span.kind", Value::from("AGENT"))];
    let (columns, _) = normalised(&span(attributes.clone()), SCOPE);
    assert_eq!((get(&columns, "kind"), get(&columns, "agent_name")), (Some("workflow"), None));
    assert_eq!(get(&columns, "workflow_name"), Some("s"));
    assert_eq!(get(&normalised(&span(attributes.clone()), "other").0, "kind"), Some("agent"));
    attributes.push(("agent.name", "triage".into()));
    let (columns, _) = normalised(&span(attributes), SCOPE);
    assert_eq!((get(&columns, "kind"), get(&columns, "agent_name")), (Some("agent"), Some("triage")));
}

#[test]
fn a_key_with_a_column_still_belongs_to_its_family() {
    let s = span(vec![
        ("gen_ai.completion.0.content", "hi".into()),
        ("gen_ai.completion.0.finish_reason", "end_turn".into()),
    ]);
    let (columns, kept) = normalised(&s, "x");
    assert_eq!(get(&columns, "finish_reasons"), Some(r#"["stop"]"#));
    assert_eq!(get(&columns, "output"), Some(r#"[{"content":"hi","finish_reason":"end_turn"}]"#));
    assert!(kept.is_empty());
}

#[test]
fn embeddings_put_out_no_tokens() {
    for (operation, want) in [("embeddings", Some("6")), ("chat", None)] {
        let s = span(vec![("gen_ai.operation.name", operation.into()), ("gen_ai.usage.input_tokens", 6.into())]);
        let (columns, _) = normalised(&s, "x");
        assert_eq!((get(&columns, "total_tokens"), get(&columns, "output_tokens")), (want, None));
    }
}

/// Values of every type, and texts that look like something else.
fn strange_values() -> Vec<Value<'static>> {
    let deep = || format!("{}1{}", "{\"documents\":[".repeat(400), "]}".repeat(400));
    let mut nested = Value::Null;
    for _ in 0..20 {
        nested = Value::Map(vec![("model".into(), Value::Array(vec![nested]))]);
    }
    vec![
        Value::Null,
        true.into(),
        (-1).into(),
        i64::MIN.into(),
        i64::MAX.into(),
        f64::NAN.into(),
        f64::NEG_INFINITY.into(),
        (-0.5).into(),
        1e300.into(),
        "".into(),
        " ".into(),
        "text".into(),
        "-7".into(),
        "9223372036854775808".into(),
        "NaN".into(),
        "[".into(),
        "{}".into(),
        "[\"\"]".into(),
        "{\"model\":null,\"documents\":[{}],\"user_id\":-1,\"generations\":[[]]}".into(),
        "{'model': 'repr'}".into(),
        "\u{0}\u{10ffff}".into(),
        deep().into(),
        Value::Bytes(vec![0, 255].into()),
        Value::Array(vec![]),
        Value::Array(vec!["stop".into(), 1.into()]),
        Value::Map(vec![]),
        nested,
    ]
}

/// No attribute may be lost: one that leaves `attributes` is exactly the value of some column.
fn assert_nothing_lost(s: &Span<'_>, scope: &str) {
    let (columns, kept) = normalised(s, scope);
    for (key, value) in &s.attributes {
        if kept.iter().any(|k| k == key) || TABLE.get(key).is_none_or(|entry| entry.group.is_some()) {
            continue;
        }
        let text = match value {
            Value::Str(text) => text.to_string(),
            Value::Int(v) => v.to_string(),
            Value::Double(v) => format!("{v:?}"),
            other => panic!("{key} = {other:?} left for a column that cannot hold it"),
        };
        assert!(columns.iter().any(|(_, column)| *column == text), "{key} = {text} is nowhere");
    }
    for (name, value) in &columns {
        assert!(!value.is_empty(), "{name} is empty");
        assert!(!name.ends_with("_tokens") || !value.starts_with('-'), "{name} = {value}");
    }
}

#[test]
fn strange_values_of_known_keys_lose_nothing() {
    let mut keys: Vec<&str> = TABLE.keys().collect();
    keys.sort_unstable();
    let values = strange_values();
    let scopes = ["", "gcp.vertex.agent", "openinference.instrumentation.autogen_agentchat", "langsmith"];
    for key in &keys {
        for value in &values {
            for kind in ["LLM", "TOOL", "AGENT", "RETRIEVER"] {
                let mut attributes = vec![("openinference.span.kind", kind.into())];
                attributes.retain(|(k, _)| k != key);
                attributes.push((key, value.clone()));
                assert_nothing_lost(&span(attributes), "");
            }
        }
    }
    // All keys at once, with values that differ from round to round.
    for round in 0..values.len() * scopes.len() {
        let attributes =
            keys.iter().enumerate().map(|(i, key)| (*key, values[(i * 7 + round) % values.len()].clone())).collect();
        assert_nothing_lost(&span(attributes), scopes[round % scopes.len()]);
    }
}
