//! What is particular to single dialects and not in their captures.

use super::{get, normalised, span};
use crate::model::{Event, Span, Value};

fn usage(details: &'static str) -> Vec<(&'static str, String)> {
    let s = span(vec![
        ("langfuse.observation.type", "generation".into()),
        ("langfuse.observation.usage_details", details.into()),
    ]);
    let (columns, kept) = normalised(&s, "langfuse-sdk");
    assert_eq!(kept.len(), 2, "nothing holds the object unchanged");
    columns
}

#[test]
fn langfuse_counts_that_come_apart_are_put_together() {
    let columns = usage(r#"{"input":46,"output":8,"input_cache_read":128,"output_reasoning":24,"total":206}"#);
    assert_eq!(get(&columns, "input_tokens"), Some("174"));
    assert_eq!(get(&columns, "output_tokens"), Some("32"));
    assert_eq!(get(&columns, "cache_read_tokens"), Some("128"));
    assert_eq!(get(&columns, "reasoning_tokens"), Some("24"));
    assert_eq!(get(&columns, "total_tokens"), Some("206"));
    assert_eq!(get(&columns, "usage_convention"), Some("exclusive"));
    // Parts that have no column of their own belong to the sum, too.
    let columns = usage(r#"{"input":10,"input_audio":5,"input_cache_read":2,"input_cache_creation":3,"output":1}"#);
    assert_eq!(get(&columns, "input_tokens"), Some("20"));
    assert_eq!(get(&columns, "cache_write_tokens"), Some("3"));
    assert_eq!(get(&columns, "total_tokens"), Some("21"));
    // Anthropic's names, as its own interface counts.
    let columns =
        usage(r#"{"input":10,"output":5,"cache_read_input_tokens":4,"cache_creation_input_tokens":1,"total":20}"#);
    assert_eq!(get(&columns, "input_tokens"), Some("15"));
    assert_eq!(get(&columns, "usage_convention"), Some("exclusive"));
}

#[test]
fn langfuse_counts_that_include_each_other_stay() {
    for details in [
        r#"{"prompt_tokens":174,"completion_tokens":32,"total_tokens":206,"prompt_tokens_details":{"cached_tokens":128}}"#,
        r#"{"input":174,"output":32,"total":206,"input_cached_tokens":128,"output_reasoning_tokens":24}"#,
        r#"{"input":174,"output":32,"total":206,"input_cache_read":128}"#,
        r#"{"input":174,"output":32,"input_cached_tokens":128}"#,
    ] {
        let columns = usage(details);
        assert_eq!(get(&columns, "input_tokens"), Some("174"), "{details}");
        assert_eq!(get(&columns, "output_tokens"), Some("32"), "{details}");
        assert_eq!(get(&columns, "cache_read_tokens"), Some("128"), "{details}");
        assert_eq!(get(&columns, "total_tokens"), Some("206"), "{details}");
        assert_eq!(get(&columns, "usage_convention"), Some("inclusive"), "{details}");
    }
}

#[test]
fn langfuse_usage_that_overflows_or_is_no_number_is_left_alone() {
    let columns = usage(r#"{"input":9223372036854775807,"output":1,"input_cache_read":1}"#);
    assert_eq!(get(&columns, "input_tokens"), Some("9223372036854775807"));
    let columns = usage(r#"{"input":"many","output":-3}"#);
    assert_eq!(get(&columns, "input_tokens"), None);
    let columns = usage("{\"input\":");
    assert_eq!(get(&columns, "input_tokens"), None);
}

#[test]
fn langfuse_cost_is_the_total_or_the_sum_of_its_parts() {
    for (details, want) in [
        (r#"{"input":2e-05,"output":1e-05,"total":4e-05}"#, Some("40000000")),
        (r#"{"input":2e-05,"output":1e-05}"#, Some("30000000")),
        (r#"{"input":0.1,"output":0.2}"#, Some("300000000000")),
        (r#"{"input":2e-05,"output":"free"}"#, None),
        (r#"{}"#, None),
        (r#"[1]"#, None),
    ] {
        let s = span(vec![("langfuse.observation.cost_details", details.into())]);
        let (columns, kept) = normalised(&s, "langfuse-sdk");
        assert_eq!(get(&columns, "reported_cost_usd"), want, "{details}");
        assert_eq!(kept.len(), 1);
    }
}

#[test]
fn langfuse_settings_and_first_token() {
    let mut s = span(vec![
        ("langfuse.observation.type", "generation".into()),
        ("langfuse.observation.model.parameters", r#"{"temperature":0.2,"max_tokens":"Infinity"}"#.into()),
        ("langfuse.observation.completion_start_time", "\"1970-01-01T00:00:01.250000+00:00\"".into()),
        ("langfuse.observation.metadata.tool_call_id", "\"call_7\"".into()),
    ]);
    s.start_unix_nano = 1_000_000_000;
    let (columns, kept) = normalised(&s, "langfuse-sdk");
    assert_eq!(get(&columns, "ttft_ns"), Some("250000000"));
    assert_eq!(get(&columns, "temperature"), Some("0.2"));
    assert_eq!(get(&columns, "max_tokens"), None);
    assert_eq!(get(&columns, "tool_call_id"), Some("call_7"));
    assert_eq!(kept.len(), 4);
    // A first token before the start is no time to the first token.
    s.start_unix_nano = 2_000_000_000;
    assert_eq!(get(&normalised(&s, "langfuse-sdk").0, "ttft_ns"), None);
}

#[test]
fn agentops_recognises_spans_by_their_names() {
    let call = |name: &'static str, attributes: Vec<(&'static str, Value<'static>)>| {
        let s = Span { name: name.into(), ..span(attributes) };
        normalised(&s, "openai").0
    };
    let by = ("instrumentation.name", Value::from("agentops"));
    let model = ("gen_ai.request.model", Value::from("m"));
    let columns = call("openai.chat.completion", vec![by.clone(), model.clone()]);
    assert_eq!(get(&columns, "kind"), Some("llm"));
    assert_eq!(get(&columns, "dialect"), Some("agentops"));
    assert_eq!(get(&call("openai.chat.completion", vec![by.clone()]), "kind"), Some("other"));
    // Another instrumentation of the same name means nothing.
    let other = ("instrumentation.name", Value::from("mine"));
    assert_eq!(get(&call("openai.chat.completion", vec![other, model]), "kind"), Some("other"));
    let asked = vec![by, ("agentops.span.kind", "tool".into()), ("tool.call.id", "call_1".into())];
    let columns = call("tool_call.lookup", asked);
    assert_eq!(get(&columns, "kind"), Some("other"));
    assert_eq!(get(&columns, "tool_call_id"), Some("call_1"));
    let tool = vec![
        ("agentops.span.kind", Value::from("tool")),
        ("operation.name", "lookup".into()),
        ("agentops.tool.input", "{}".into()),
        ("gen_ai.usage.total_cost", 0.25.into()),
    ];
    let columns = call("lookup.tool", tool);
    assert_eq!(get(&columns, "kind"), Some("tool"));
    assert_eq!(get(&columns, "tool_name"), Some("lookup"));
    assert_eq!(get(&columns, "tool_args"), Some("{}"));
    assert_eq!(get(&columns, "reported_cost_usd"), Some("250000000000"));
}

#[test]
fn keys_without_a_prefix_mean_something_at_home_only() {
    let attributes = vec![
        ("gen_ai.operation.name", Value::from("execute_tool")),
        ("tool_arguments", "{}".into()),
        ("tool_response", "r".into()),
        ("agent_name", "a".into()),
        ("input", "i".into()),
        ("tool.parameters", "{}".into()),
    ];
    let s = span(attributes);
    let (columns, kept) = normalised(&s, "somebody");
    assert_eq!(get(&columns, "tool_args"), None);
    assert_eq!(get(&columns, "agent_name"), None);
    assert_eq!(kept.len(), 6);
    let (columns, kept) = normalised(&s, "pydantic-ai");
    assert_eq!(get(&columns, "tool_args"), Some("{}"));
    assert_eq!(get(&columns, "tool_result"), Some("r"));
    assert_eq!(get(&columns, "agent_name"), Some("a"));
    assert_eq!(kept, ["gen_ai.operation.name", "input", "tool.parameters"]);
}

#[test]
fn sums_over_other_spans_are_no_usage() {
    let s = span(vec![
        ("gen_ai.operation.name", "invoke_agent".into()),
        ("gen_ai.aggregated_usage.input_tokens", 837.into()),
        ("gen_ai.agent.call.id", "run-1".into()),
    ]);
    let (columns, kept) = normalised(&s, "pydantic-ai");
    assert_eq!(get(&columns, "input_tokens"), None);
    assert_eq!(get(&columns, "agent_id"), None);
    assert_eq!(kept.len(), 3);
    let s = span(vec![("logfire.span_type", "span".into()), ("usage", r#"{"input_tokens":908}"#.into())]);
    assert_eq!(get(&normalised(&s, "logfire.openai_agents").0, "input_tokens"), None);
}

#[test]
fn pending_records_count_nothing() {
    let attributes = |kind: &'static str| {
        span(vec![
            ("logfire.span_type", kind.into()),
            ("gen_ai.operation.name", "chat".into()),
            ("gen_ai.request.model", "m".into()),
            ("gen_ai.usage.input_tokens", 5.into()),
            ("operation.cost", 0.5.into()),
        ])
    };
    for (kind, want, tokens) in [("span", "llm", Some("5")), ("pending_span", "other", None), ("log", "other", None)] {
        let s = attributes(kind);
        let (columns, kept) = normalised(&s, "logfire.openai");
        assert_eq!(get(&columns, "kind"), Some(want));
        assert_eq!(get(&columns, "input_tokens"), tokens);
        assert_eq!(get(&columns, "reported_cost_usd").is_some(), tokens.is_some());
        assert_eq!(get(&columns, "request_model"), Some("m"));
        assert_eq!(kept.contains(&"gen_ai.usage.input_tokens".to_owned()), tokens.is_none());
    }
}

#[test]
fn logfire_says_who_handed_over_to_whom() {
    let s = Span {
        name: "Handoff: {from_agent} to {to_agent}".into(),
        ..span(vec![
            ("logfire.span_type", "span".into()),
            ("from_agent", "triage".into()),
            ("to_agent", "orders".into()),
        ])
    };
    let (columns, kept) = normalised(&s, "logfire.openai_agents");
    assert_eq!(get(&columns, "kind"), Some("handoff"));
    assert_eq!(get(&columns, "handoff_from"), Some("triage"));
    assert_eq!(get(&columns, "handoff_to"), Some("orders"));
    assert_eq!(kept, ["logfire.span_type"]);
}

#[test]
fn vercel_providers_are_cut_and_others_are_not() {
    let s = span(vec![("ai.operationId", "ai.streamText.doStream".into()), ("gen_ai.system", "openai.chat".into())]);
    let (columns, kept) = normalised(&s, "ai");
    assert_eq!(get(&columns, "provider"), Some("openai"));
    assert_eq!(kept.len(), 2);
    let s = span(vec![("gen_ai.operation.name", "chat".into()), ("gen_ai.system", "az.ai.openai".into())]);
    assert_eq!(get(&normalised(&s, "x").0, "provider"), Some("azure.ai.openai"));
    let s = span(vec![("ai.operationId", "ai.embed.doEmbed".into()), ("ai.usage.tokens", 9.into())]);
    let (columns, _) = normalised(&s, "ai");
    assert_eq!(get(&columns, "kind"), Some("embedding"));
    assert_eq!((get(&columns, "input_tokens"), get(&columns, "total_tokens")), (Some("9"), Some("9")));
}

#[test]
fn vercel_first_chunk_is_in_milliseconds() {
    let mut s =
        span(vec![("ai.operationId", "ai.streamText.doStream".into()), ("ai.response.msToFirstChunk", 422.5.into())]);
    s.start_unix_nano = 10;
    s.events = vec![Event { name: "ai.stream.firstChunk".into(), time_unix_nano: 99, ..Event::default() }];
    assert_eq!(get(&normalised(&s, "ai").0, "ttft_ns"), Some("422500000"));
    s.attributes.pop();
    assert_eq!(get(&normalised(&s, "ai").0, "ttft_ns"), Some("89"));
}

#[test]
fn the_resource_wins_and_a_different_attribute_stays() {
    let s = span(vec![("langfuse.environment", "staging".into())]);
    let resource = |environment: &'static str| {
        crate::normalise::ResourceColumns::new(&crate::model::Resource {
            attributes: vec![("deployment.environment.name".into(), environment.into())],
            ..Default::default()
        })
    };
    for (environment, claimed) in [("staging", true), ("production", false), ("", true)] {
        let resource = resource(environment);
        let mut normaliser = crate::normalise::Normaliser::default();
        let mut row = crate::normalise::Row::new();
        normaliser.span(&s, &resource, &mut row);
        let want = if environment.is_empty() { "staging" } else { environment };
        assert_eq!(row.text(crate::normalise::col::ENVIRONMENT), Some(want));
        assert_eq!(normaliser.is_claimed(0), claimed);
    }
}

#[test]
fn claude_code_counts_cached_input_apart_however_small_it_is() {
    let usage = |speed: &'static str| {
        let s = span(vec![
            ("gen_ai.operation.name", "chat".into()),
            ("gen_ai.usage.input_tokens", 900.into()),
            ("gen_ai.usage.cache_read.input_tokens", 20.into()),
            ("gen_ai.usage.cache_creation.input_tokens", 30.into()),
            ("gen_ai.usage.cache_creation.ephemeral_1h_input_tokens", 10.into()),
            ("claude_code.usage.service_tier", "standard".into()),
            ("claude_code.usage.speed", speed.into()),
        ]);
        normalised(&s, "claude_code").0
    };
    let columns = usage("standard");
    assert_eq!(get(&columns, "dialect"), Some("claude_code"));
    assert_eq!(get(&columns, "input_tokens"), Some("950"));
    assert_eq!(get(&columns, "cache_write_tokens"), Some("30"));
    assert_eq!(get(&columns, "cache_write_1h_tokens"), Some("10"));
    assert_eq!(get(&columns, "usage_convention"), Some("exclusive"));
    assert_eq!(get(&columns, "service_tier"), Some("standard"));
    assert_eq!(get(&usage("fast"), "service_tier"), Some("fast"));
}
