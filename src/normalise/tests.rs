use super::convert::decimal;
use super::*;
use crate::model::Resource;

mod dialects;
mod frameworks;

fn span(attributes: Vec<(&'static str, Value<'static>)>) -> Span<'static> {
    Span {
        name: "s".into(),
        attributes: attributes.into_iter().map(|(k, v)| (Cow::Borrowed(k), v)).collect(),
        ..Span::default()
    }
}

/// Column values by name as text, and which attributes stay.
fn normalised(span: &Span<'_>, scope: &str) -> (Vec<(&'static str, String)>, Vec<String>) {
    let resource = ResourceColumns::new(&Resource::default());
    let mut normaliser = Normaliser::default();
    normaliser.begin_scope(scope);
    let mut row = Row::new();
    normaliser.span(span, &resource, &mut row);
    let columns = row
        .cells()
        .iter()
        .enumerate()
        .filter_map(|(i, cell)| {
            let text = match cell {
                Cell::Null => return None,
                Cell::Text(s) => s.to_string(),
                Cell::Int(v) => v.to_string(),
                Cell::Double(v) => format!("{v:?}"),
                Cell::Usd(v) => i128::from(*v).to_string(),
            };
            Some((crate::schema::SPANS[i].name, text))
        })
        .collect();
    let kept = span
        .attributes
        .iter()
        .enumerate()
        .filter(|(i, _)| !normaliser.is_claimed(*i))
        .map(|(_, (k, _))| k.to_string())
        .collect();
    (columns, kept)
}

fn get<'c>(columns: &'c [(&'static str, String)], name: &str) -> Option<&'c str> {
    columns.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
}

#[test]
fn first_key_wins_and_the_other_stays() {
    let s = span(vec![
        ("gen_ai.usage.prompt_tokens", 7.into()),
        ("gen_ai.usage.input_tokens", 5.into()),
        ("gen_ai.system", "openai".into()),
        ("gen_ai.operation.name", "chat".into()),
    ]);
    let (columns, kept) = normalised(&s, "any");
    assert_eq!(get(&columns, "input_tokens"), Some("5"));
    assert_eq!(get(&columns, "provider"), Some("openai"));
    assert_eq!(get(&columns, "kind"), Some("llm"));
    assert_eq!(get(&columns, "dialect"), Some("otel gen_ai"));
    assert_eq!(kept, ["gen_ai.usage.prompt_tokens", "gen_ai.operation.name"]);
}

#[test]
fn an_empty_or_unconvertible_value_gives_way() {
    let s = span(vec![
        ("gen_ai.conversation.id", "".into()),
        ("session.id", "s-1".into()),
        ("gen_ai.usage.input_tokens", "many".into()),
        ("gen_ai.usage.prompt_tokens", "12".into()),
    ]);
    let (columns, kept) = normalised(&s, "any");
    assert_eq!(get(&columns, "session_id"), Some("s-1"));
    assert_eq!(get(&columns, "input_tokens"), Some("12"));
    assert_eq!(kept, ["gen_ai.conversation.id", "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"]);
}

#[test]
fn a_span_of_no_dialect_keeps_everything() {
    let s = span(vec![("http.method", "GET".into()), ("gen_ai.foo", 1.into())]);
    let (columns, kept) = normalised(&s, "http");
    assert_eq!(columns, [("kind", "other".to_owned())]);
    assert_eq!(kept, ["http.method", "gen_ai.foo"]);
}

#[test]
fn framework_names_are_no_providers() {
    let s = span(vec![("gen_ai.system", "autogen".into()), ("gen_ai.operation.name", "invoke_agent".into())]);
    let (columns, kept) = normalised(&s, "autogen-core");
    assert_eq!(get(&columns, "provider"), None);
    assert_eq!(kept.len(), 2);
}

#[test]
fn exclusive_cache_counts_are_converted_and_kept() {
    let s = span(vec![
        ("gen_ai.usage.input_tokens", 10.into()),
        ("gen_ai.usage.output_tokens", 4.into()),
        ("gen_ai.usage.cache_read.input_tokens", 90.into()),
        ("gen_ai.usage.cache_creation.input_tokens", 20.into()),
    ]);
    let (columns, kept) = normalised(&s, "any");
    assert_eq!(get(&columns, "input_tokens"), Some("120"));
    assert_eq!(get(&columns, "total_tokens"), Some("124"));
    assert_eq!(get(&columns, "usage_convention"), Some("exclusive"));
    assert_eq!(kept, ["gen_ai.usage.input_tokens"]);
}

#[test]
fn openinference_tool_spans_have_arguments_not_input() {
    let s = span(vec![
        ("openinference.span.kind", "TOOL".into()),
        ("tool.name", "lookup".into()),
        ("input.value", "{\"id\":1}".into()),
        ("output.value", "{\"data\":{\"tool_call_id\":\"call_9\"}}".into()),
        ("tool.parameters", "{}".into()),
    ]);
    let (columns, kept) = normalised(&s, "openinference.instrumentation.langchain");
    assert_eq!(get(&columns, "tool_args"), Some("{\"id\":1}"));
    assert_eq!(get(&columns, "tool_call_id"), Some("call_9"));
    assert_eq!(get(&columns, "input"), None);
    assert_eq!(get(&columns, "output"), None);
    assert_eq!(kept, ["openinference.span.kind", "tool.parameters"]);
}

#[test]
fn the_model_name_depends_on_the_scope() {
    let s = span(vec![("llm.model_name", "m-1".into()), ("openinference.span.kind", "LLM".into())]);
    let (columns, _) = normalised(&s, "openinference.instrumentation.openai");
    assert_eq!((get(&columns, "request_model"), get(&columns, "response_model")), (None, Some("m-1")));
    let (columns, _) = normalised(&s, "openinference.instrumentation.llama_index");
    assert_eq!((get(&columns, "request_model"), get(&columns, "response_model")), (Some("m-1"), None));
}

#[test]
fn fields_come_out_of_json_text() {
    let s = span(vec![(
        "llm.invocation_parameters",
        r#"{"a":{"model":"no"},"model":"gpt","temperature":0.5,"max_completion_tokens":9}"#.into(),
    )]);
    let (columns, kept) = normalised(&s, "x");
    assert_eq!(get(&columns, "request_model"), Some("gpt"));
    assert_eq!(get(&columns, "temperature"), Some("0.5"));
    assert_eq!(get(&columns, "max_tokens"), Some("9"));
    assert_eq!(kept.len(), 1);
}

#[test]
fn handoffs_are_recognised_by_the_tool() {
    let s = span(vec![
        ("openinference.span.kind", "TOOL".into()),
        ("tool.name", "handoff to orders".into()),
        ("input.value", "triage".into()),
        ("output.value", "orders".into()),
    ]);
    let (columns, _) = normalised(&s, "x");
    assert_eq!(get(&columns, "kind"), Some("handoff"));
    assert_eq!(get(&columns, "handoff_from"), Some("triage"));
    assert_eq!(get(&columns, "handoff_to"), Some("orders"));
}

#[test]
fn finish_reasons_have_one_spelling() {
    for (given, want) in [
        (Value::from("tool-calls"), r#"["tool_calls"]"#),
        (Value::from(r#"["end_turn"]"#), r#"["stop"]"#),
        (Value::Array(vec!["STOP".into(), "max_tokens".into()]), r#"["stop","length"]"#),
    ] {
        let s = span(vec![("gen_ai.response.finish_reasons", given)]);
        let (columns, kept) = normalised(&s, "x");
        assert_eq!(get(&columns, "finish_reasons"), Some(want));
        assert_eq!(kept.len(), 1);
    }
}

#[test]
fn messages_assemble_and_flatten_back() {
    let attributes: Vec<(&'static str, Value<'static>)> = vec![
        ("llm.input_messages.0.message.role", "user".into()),
        ("llm.input_messages.0.message.content", "".into()),
        ("llm.input_messages.2.message.tool_calls.0.tool_call.function.name", "f".into()),
        ("llm.input_messages.2.message.tool_calls.0.score", 1.0.into()),
        ("llm.input_messages.1.function.0", "odd".into()),
        ("llm.input_messages.2.message.tool_calls", "contradicts".into()),
    ];
    let s = span(attributes);
    let (columns, kept) = normalised(&s, "x");
    let json = get(&columns, "input").unwrap();
    assert_eq!(
        json,
        r#"[{"role":"user","content":""},null,{"tool_calls":[{"tool_call":{"function":{"name":"f"}},"score":1.0}]}]"#
    );
    assert_eq!(kept, ["llm.input_messages.1.function.0", "llm.input_messages.2.message.tool_calls"]);
    let back = flatten::flatten("llm.input_messages.", "message.", json).unwrap();
    assert_eq!(back, s.attributes[..4].to_vec());
}

#[test]
fn far_indices_do_not_allocate() {
    let s = span(vec![("llm.input_messages.999999999.message.role", "user".into())]);
    let (columns, kept) = normalised(&s, "x");
    assert!(get(&columns, "input").unwrap().len() < 1000);
    assert_eq!(kept.len(), 1);
}

#[test]
fn money_is_decimal_all_the_way() {
    for (text, want) in [
        ("0.1", Some(100_000_000_000)),
        ("1e-12", Some(1)),
        ("4.9e-13", Some(0)),
        ("5e-13", Some(1)),
        ("-2.5", Some(-2_500_000_000_000)),
        ("1.2345678901235e0", Some(1_234_567_890_124)),
        ("1e26", None),
        ("99999999999999999999999999", Some(99_999_999_999_999_999_999_999_999_000_000_000_000)),
        ("0e999999999", Some(0)),
        ("1e-2147483648", Some(0)),
        (".", None),
        ("", None),
        ("abc", None),
        ("1.-5", None),
    ] {
        assert_eq!(decimal(text), want, "{text}");
    }
}
