//! What must hold in every capture of these frameworks, and what each capture says in sum.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;

use super::compare;
use crate::ingest::gather::gather;

/// Instrumentations that are checked here: folder, dialects that its spans may have.
const FRAMEWORKS: [(&str, &[&str]); 12] = [
    ("autogen-openinference", &["openinference", "otel gen_ai"]),
    ("crewai-openinference", &["openinference"]),
    ("langgraph-langsmith", &["langsmith"]),
    ("langgraph-openinference", &["openinference"]),
    ("langgraph-traceloop", &["traceloop"]),
    ("litellm-native", &["otel gen_ai"]),
    ("nemoguardrails-opentelemetry", &["nemo"]),
    ("openai-openinference", &["openinference"]),
    ("openai-otelv2", &["otel gen_ai"]),
    ("openai-traceloop", &["traceloop"]),
    ("openai_agents-openinference", &["openinference"]),
    ("traceloop_sdk-decorators", &["traceloop"]),
];

/// One span's columns.
struct Row<'b> {
    batch: &'b RecordBatch,
    row: usize,
    name: &'b str,
    capture: &'b str,
    findings: &'b Findings,
}

/// What the checks found.
#[derive(Default)]
struct Findings {
    problems: RefCell<Vec<String>>,
    /// Token counts that were compared with the provider's own account.
    compared: Cell<usize>,
}

impl<'b> Row<'b> {
    fn text(&self, column: &str) -> &'b str {
        let array = self.batch.column_by_name(column).unwrap().as_string::<i32>();
        if array.is_null(self.row) { "" } else { array.value(self.row) }
    }

    fn int(&self, column: &str) -> Option<i64> {
        let array = self.batch.column_by_name(column).unwrap().as_primitive::<Int64Type>();
        array.is_valid(self.row).then(|| array.value(self.row))
    }

    fn failed(&self) -> bool {
        self.text("status") == "error"
    }

    fn expect(&self, holds: bool, what: &str) {
        if !holds {
            self.findings.problems.borrow_mut().push(format!("{}, span {}: {what}", self.capture, self.name));
        }
    }
}

/// Attributes in which the provider's own account of tokens is repeated, as JSON or as Python writes it.
const ACCOUNTS: [&str; 4] = ["output.value", "metadata.usage_object", "llm.openai.usage", "gen_ai.completion"];

/// The number after a key of the provider's own account.
fn provider_said(row: &Row<'_>, key: &str) -> Option<i64> {
    let attributes: serde_json::Value = serde_json::from_str(row.text("attributes")).ok()?;
    let texts = ACCOUNTS.iter().filter_map(|a| attributes.get(a)?.as_str()).chain([row.text("output")]);
    texts.flat_map(|text| text.match_indices(key).map(move |(at, _)| &text[at + key.len()..])).find_map(|rest| {
        let digits = rest.strip_prefix(['"', '\''])?.trim_start_matches([':', ' ']);
        digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())].parse().ok()
    })
}

/// The model call that another client makes inside names its model and provider; the client around it does not.
fn is_wrapper(row: &Row<'_>) -> bool {
    row.name == "OpenAIChatCompletionClient.create"
}

fn check_model_call(row: &Row<'_>) {
    row.expect(!row.text("request_model").is_empty() || !row.text("response_model").is_empty(), "has a model");
    // LiteLLM leaves the provider of embeddings empty.
    let no_provider = is_wrapper(row) || (row.capture.starts_with("litellm") && row.text("kind") == "embedding");
    row.expect(no_provider != (row.text("provider") == "openai"), "has a provider");
    if row.capture.starts_with("openai-otelv2") {
        // Content is in log records.
        row.expect(row.text("input").is_empty() && row.text("output").is_empty(), "has no content of its own");
    } else {
        row.expect(!row.text("input").is_empty(), "has input");
    }
    if row.failed() {
        row.expect(!row.text("error_type").is_empty(), "a failed call has a class of error");
        return;
    }
    let input = row.int("input_tokens").unwrap_or_default();
    row.expect(input > 0, "has input tokens");
    row.expect(!row.text("usage_convention").is_empty(), "says how tokens were counted");
    let output = row.int("output_tokens").unwrap_or_default();
    row.expect(row.int("total_tokens") == Some(input + output), "input and output are the total");
    if row.text("kind") == "embedding" {
        row.expect(output == 0, "embeddings have no output tokens");
        return;
    }
    row.expect(output > 0, "has output tokens");
    row.expect(
        (0..=input).contains(&row.int("cache_read_tokens").unwrap_or(0)),
        "cached tokens are a part of the input",
    );
    row.expect((0..=output).contains(&row.int("reasoning_tokens").unwrap_or(0)), "reasoning is a part of the output");
    if !row.capture.starts_with("openai-otelv2") {
        row.expect(!row.text("output").is_empty(), "has output");
    }
    let finish = row.text("finish_reasons");
    let known = [r#"["stop"]"#, r#"["tool_calls"]"#].contains(&finish);
    // The responses API has a status instead of a finish reason; guardrails and chat streams do not tell.
    let silent = row.capture.contains("responses")
        || row.capture == "openai-otelv2/stream"
        || row.capture.starts_with("nemo")
        || is_wrapper(row);
    row.expect(known || silent, "has a finish reason");
    for (key, column) in [("prompt_tokens", input), ("completion_tokens", output)] {
        if let Some(said) = provider_said(row, key) {
            row.findings.compared.set(row.findings.compared.get() + 1);
            row.expect(said == column, &format!("{key} as the provider said, {said}"));
        }
    }
}

fn check_tool_call(row: &Row<'_>) {
    row.expect(!row.text("tool_name").is_empty(), "has the tool's name");
    // AutoGen's own spans have neither arguments nor result; the spans around them do.
    if row.text("scope_name") == "autogen-core" {
        row.expect(!row.text("tool_call_id").is_empty(), "has the call's id");
        return;
    }
    row.expect(row.text("kind") == "handoff" || !row.text("tool_args").is_empty(), "has arguments");
    row.expect(row.failed() || !row.text("tool_result").is_empty(), "has a result");
    row.expect(row.text("input").is_empty() && row.text("output").is_empty(), "has no input and output beside them");
}

fn check(row: &Row<'_>, dialects: &[&str]) {
    let dialect = row.text("dialect");
    row.expect(dialect.is_empty() || dialects.contains(&dialect), "is of one of the expected dialects");
    // Applications' own spans, messages between actors, and repetitions of a request.
    let known = dialect.is_empty() == (row.text("kind") == "other");
    let set_up = ["create_agent", "goto", "ChatPromptTemplate", "raw_gen_ai_request"];
    row.expect(known || set_up.iter().any(|n| row.name.starts_with(n)), "kind and dialect are known together");
    match row.text("kind") {
        "llm" | "embedding" => check_model_call(row),
        "tool" | "handoff" => check_tool_call(row),
        "agent" => row.expect(!row.text("agent_name").is_empty(), "has the agent's name"),
        "retrieval" => row.expect(row.text("documents").starts_with("[{"), "has documents"),
        "guardrail" => {
            row.expect(!row.text("policy_name").is_empty(), "has a policy");
            let told = row.capture.starts_with("nemo");
            row.expect(told == (row.text("policy_verdict") == "allow"), "has a verdict");
        }
        _ => {}
    }
    let traced = !["litellm", "nemo", "openai-", "crewai", "autogen", "openai_agents"]
        .iter()
        .any(|p| row.capture.starts_with(p));
    let alone = ["create_agent", "goto", "invoke_agent"].iter().any(|n| row.name.starts_with(n));
    row.expect(!traced || alone || row.text("session_id") == "sess-77", "has the session");
    row.expect(!traced || alone || row.text("user_id") == "u-18", "has the user");
}

/// One capture in a few lines: spans by kind, tokens of model calls, names.
fn sum(capture: &str, batch: &RecordBatch, names: &[String], dialects: &[&str], out: &mut String, findings: &Findings) {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut words: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut tokens: BTreeMap<&str, i64> = BTreeMap::new();
    for (i, name) in names.iter().enumerate() {
        let row = Row { batch, row: i, name, capture, findings };
        check(&row, dialects);
        let kind = row.text("kind");
        *kinds.entry(kind).or_default() += 1;
        for column in
            ["dialect", "agent_name", "workflow_name", "tool_name", "handoff_to", "response_model", "error_type"]
        {
            if !row.text(column).is_empty() {
                words.entry(column).or_default().insert(row.text(column));
            }
        }
        if ["llm", "embedding"].contains(&kind) {
            for column in ["input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens"] {
                *tokens.entry(column).or_default() += row.int(column).unwrap_or(0);
            }
        }
    }
    writeln!(out, "# {capture}").unwrap();
    writeln!(out, "  {kinds:?}").unwrap();
    writeln!(out, "  {tokens:?}").unwrap();
    for (column, words) in words {
        writeln!(out, "  {column} {words:?}").unwrap();
    }
}

#[test]
fn every_capture_is_complete() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/captures");
    if !folder.is_dir() {
        println!("skipped: {} is not here", folder.display());
        return;
    }
    let mut out = String::new();
    let findings = Findings::default();
    for (framework, dialects) in FRAMEWORKS {
        let mut paths: Vec<_> = std::fs::read_dir(folder.join(framework)).unwrap().map(|e| e.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let file = path.file_name().unwrap().to_str().unwrap();
            if !file.contains(".jsonl") || file.contains(".logs.") {
                continue;
            }
            let got = gather(&std::fs::read(&path).unwrap());
            assert!(!got.names.is_empty(), "{file}");
            let capture = format!("{framework}/{}", file.split('.').next().unwrap());
            sum(&capture, &got.batch.spans, &got.names, dialects, &mut out, &findings);
        }
    }
    let problems = findings.problems.take();
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(findings.compared.get() > 250, "only {} counts could be compared", findings.compared.get());
    compare("captures.txt", &out);
}

/// Where spans have no content, the log records with their ids have all of it.
#[test]
fn log_records_carry_the_content_of_their_spans() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let spans = gather(&std::fs::read(folder.join("openai-otelv2.normal.jsonl")).unwrap()).batch.spans;
    let logs = gather(&std::fs::read(folder.join("openai-otelv2.normal.logs.jsonl")).unwrap()).batch.logs;
    let text = |column: &str, row: usize| logs.column_by_name(column).unwrap().as_string::<i32>().value(row);
    let ids = |batch: &RecordBatch| batch.column_by_name("span_id").unwrap().as_fixed_size_binary().clone();
    let (span_ids, log_ids) = (ids(&spans), ids(&logs));
    let kinds = spans.column_by_name("kind").unwrap().as_string::<i32>();
    let mut calls = 0;
    for span in (0..spans.num_rows()).filter(|&row| kinds.value(row) == "llm") {
        let mut said: BTreeMap<&str, usize> = BTreeMap::new();
        for log in (0..logs.num_rows()).filter(|&log| log_ids.value(log) == span_ids.value(span)) {
            *said.entry(text("name", log)).or_default() += 1;
            let body: serde_json::Value = serde_json::from_str(text("body", log)).unwrap();
            let message = body.get("message").unwrap_or(&body);
            assert!(message.get("content").is_some() || message.get("tool_calls").is_some(), "{body}");
        }
        assert_eq!(said.get("gen_ai.user.message"), Some(&1));
        assert_eq!(said.get("gen_ai.choice"), Some(&1));
        // One answer and one tool result more at each step.
        assert_eq!(said.get("gen_ai.tool.message").copied().unwrap_or(0), calls);
        assert_eq!(said.get("gen_ai.assistant.message").copied().unwrap_or(0), calls);
        calls += 1;
    }
    assert_eq!(calls, 4);
}
