//! One golden file per framework and instrumentation.

use super::golden;

/// Captures of one framework, under `testdata/` as `<framework>.<scenario>.<ending>`.
fn framework(name: &str, captures: &[&str]) {
    let captures: Vec<String> = captures.iter().map(|c| format!("{name}.{c}")).collect();
    golden(&format!("{name}.txt"), &captures.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn langgraph_traceloop() {
    framework("langgraph-traceloop", &["parallel.jsonl.zst", "rag.jsonl.zst"]);
}

#[test]
fn openai_traceloop() {
    framework(
        "openai-traceloop",
        &["normal.jsonl.zst", "stream.jsonl.zst", "embed.jsonl.zst", "responses.jsonl.zst", "llmerror.jsonl.zst"],
    );
}

#[test]
fn traceloop_sdk_decorators() {
    framework("traceloop_sdk-decorators", &["normal.jsonl.zst"]);
}

#[test]
fn langgraph_langsmith() {
    framework("langgraph-langsmith", &["normal.jsonl.zst", "rag.jsonl.zst"]);
}

#[test]
fn litellm_native() {
    framework("litellm-native", &["normal.jsonl", "stream.jsonl.zst", "embed.jsonl.zst", "llmerror.jsonl.zst"]);
}

#[test]
fn nemoguardrails_opentelemetry() {
    framework("nemoguardrails-opentelemetry", &["guard.jsonl.zst"]);
}

#[test]
fn autogen_openinference() {
    framework("autogen-openinference", &["normal.jsonl.zst", "handoff.jsonl.zst"]);
}

#[test]
fn crewai_openinference() {
    framework("crewai-openinference", &["normal.jsonl", "handoff.jsonl.zst"]);
}
