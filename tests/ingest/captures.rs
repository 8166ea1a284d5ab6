//! Every capture: what the batches hold equals an independent decoding, value by value.

use std::io::Read;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType};
use arrow::record_batch::RecordBatch;
use spanfile::batch::{unpack_events, unpack_links};
use spanfile::model::{Attributes, Value};
use spanfile::normalise::flatten::flatten;
use spanfile::typed_json::{read_attributes, read_value};

use super::gather::gather;
use super::independent::{PlainLog, PlainSpan, json, pb};

/// Folders with captures: the few in the repository, and the full set where it is.
fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = [root.join("testdata"), root.join("../shared/data/captures")];
    all.into_iter()
        .filter(|p| {
            let there = p.is_dir();
            if !there {
                println!("skipped: {} is not here", p.display());
            }
            there
        })
        .collect()
}

fn files_below(folder: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            // Session files have tests of their own.
            if !path.ends_with("claude_code") {
                files_below(&path, out);
            }
        } else {
            out.push(path);
        }
    }
}

fn captures() -> Vec<PathBuf> {
    let mut out = Vec::new();
    for folder in folders() {
        files_below(&folder, &mut out);
    }
    let name = |p: &PathBuf| p.display().to_string();
    out.retain(|p| {
        [".json", ".jsonl", ".pb"].iter().any(|e| name(p).trim_end_matches(".gz").trim_end_matches(".zst").ends_with(e))
    });
    out
}

fn decompressed(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    let mut out = Vec::new();
    match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut out).unwrap(),
        Some("zst") => zstd::Decoder::new(&bytes[..]).unwrap().read_to_end(&mut out).unwrap(),
        _ => return bytes,
    };
    out
}

fn text<'b>(batch: &'b RecordBatch, column: &str, row: usize) -> &'b str {
    let array = batch.column_by_name(column).unwrap().as_string::<i32>();
    if array.is_null(row) { "" } else { array.value(row) }
}

fn id<'b>(batch: &'b RecordBatch, column: &str, row: usize) -> &'b [u8] {
    let array = batch.column_by_name(column).unwrap().as_fixed_size_binary();
    if array.is_null(row) { &[] } else { array.value(row) }
}

fn time(batch: &RecordBatch, column: &str, row: usize) -> u64 {
    let array = batch.column_by_name(column).unwrap().as_primitive::<TimestampNanosecondType>();
    if array.is_null(row) { 0 } else { array.value(row) as u64 }
}

fn attributes(json: &str) -> Attributes<'static> {
    if json.is_empty() { Vec::new() } else { read_attributes(json).unwrap() }
}

/// Takes an attribute out of those that a row holds.
fn take(held: &mut Attributes<'static>, key: &str, value: &Value<'_>) -> bool {
    match held.iter().position(|(k, v)| k == key && v == value) {
        Some(i) => {
            held.remove(i);
            true
        }
        None => false,
    }
}

/// Columns that hold exactly this value.
fn columns_with(batch: &RecordBatch, row: usize, value: &Value<'_>) -> Vec<String> {
    let mut out = Vec::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        if array.is_null(row) {
            continue;
        }
        let same = match (value, field.data_type()) {
            (Value::Str(s), arrow::datatypes::DataType::Utf8) => array.as_string::<i32>().value(row) == s,
            (Value::Int(i), arrow::datatypes::DataType::Int64) => array.as_primitive::<Int64Type>().value(row) == *i,
            (Value::Double(d), arrow::datatypes::DataType::Float64) => {
                array.as_primitive::<Float64Type>().value(row) == *d
            }
            _ => false,
        };
        if same {
            out.push(field.name().clone());
        }
    }
    out
}

/// Columns and the keys of OpenTelemetry's GenAI conventions and of OpenInference that may move there, written down from
/// those conventions and not from the crate's tables.
const HOMES: &[(&[&str], &[&str])] = &[
    (&["agent_name"], &["gen_ai.agent.name", "agent.name", "graph.node.id"]),
    (&["agent_id"], &["gen_ai.agent.id", "agent.id"]),
    (&["agent_version"], &["gen_ai.agent.version"]),
    (&["parent_agent"], &["graph.node.parent_id"]),
    (&["workflow_name"], &["gen_ai.workflow.name"]),
    (&["session_id"], &["gen_ai.conversation.id", "session.id"]),
    (&["user_id"], &["user.id", "enduser.id", "gen_ai.user", "llm.user"]),
    (&["provider"], &["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"]),
    (&["request_model"], &["gen_ai.request.model", "embedding.model_name", "reranker.model_name"]),
    (&["response_model"], &["gen_ai.response.model"]),
    // What OpenInference's name means differs between frameworks.
    (&["request_model", "response_model"], &["llm.model_name"]),
    (&["service_tier"], &["gen_ai.openai.response.service_tier", "openai.response.service_tier"]),
    (&["finish_reasons"], &["gen_ai.response.finish_reasons", "llm.finish_reason"]),
    (&["temperature"], &["gen_ai.request.temperature"]),
    (&["max_tokens"], &["gen_ai.request.max_tokens"]),
    (&["ttft_ns"], &["gen_ai.response.time_to_first_chunk"]),
    (&["input_tokens"], &["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"]),
    (
        &["output_tokens"],
        &["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"],
    ),
    (
        &["cache_read_tokens"],
        &[
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.details.cache_read_tokens",
            "llm.token_count.prompt_details.cache_read",
        ],
    ),
    (
        &["cache_write_tokens"],
        &["gen_ai.usage.cache_creation.input_tokens", "llm.token_count.prompt_details.cache_write"],
    ),
    (
        &["reasoning_tokens"],
        &[
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
            "llm.token_count.completion_details.reasoning",
        ],
    ),
    (&["input_audio_tokens"], &["llm.token_count.prompt_details.audio"]),
    (&["output_audio_tokens"], &["llm.token_count.completion_details.audio"]),
    (&["total_tokens"], &["gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total"]),
    (&["response_id"], &["gen_ai.response.id"]),
    (&["error_message"], &["error.message"]),
    (&["tool_name"], &["gen_ai.tool.name", "tool.name"]),
    (&["tool_type"], &["gen_ai.tool.type"]),
    (&["tool_call_id"], &["gen_ai.tool.call.id", "tool_call.id", "tool.id"]),
    (&["tool_args"], &["gen_ai.tool.call.arguments"]),
    (&["tool_result"], &["gen_ai.tool.call.result"]),
    (&["input", "tool_args"], &["gen_ai.input.messages", "gen_ai.prompt", "gen_ai.retrieval.query.text"]),
    (&["output", "tool_result"], &["gen_ai.output.messages", "gen_ai.completion"]),
    // Tools have theirs elsewhere.
    (&["input", "tool_args"], &["input.value"]),
    (&["output", "tool_result"], &["output.value"]),
    (&["system_prompt"], &["gen_ai.system_instructions"]),
    (&["documents"], &["gen_ai.retrieval.documents"]),
    (&["data_source"], &["gen_ai.data_source.id"]),
    (&["handoff_from"], &["gen_ai.handoff.from_agent"]),
    (&["handoff_to"], &["gen_ai.handoff.to_agent"]),
    (&["error_type"], &["error.type"]),
];

/// Beginnings of the keys of those two.
const TABULATED: &[&str] = &[
    "gen_ai.",
    "openinference.",
    "llm.",
    "embedding.",
    "reranker.",
    "retrieval.",
    "input.",
    "output.",
    "tool.",
    "tool_call.",
    "agent.",
    "graph.node.",
    "session.",
    "user.",
];

/// How attributes that moved into a column were checked.
#[derive(Debug, Default)]
struct Moved {
    /// In a column that `HOMES` gives their key.
    at_home: u64,
    /// In any column that holds their value; only keys of other dialects.
    anywhere: u64,
}

impl Moved {
    fn check(&mut self, batch: &RecordBatch, row: usize, key: &str, value: &Value<'_>) {
        let columns = columns_with(batch, row, value);
        let homes: Vec<&str> =
            HOMES.iter().filter(|(_, keys)| keys.contains(&key)).flat_map(|(columns, _)| *columns).copied().collect();
        let what = || format!("{key} = {value:?} of span {:x?}, found in {columns:?}", id(batch, "span_id", row));
        if homes.is_empty() {
            // On spans of other dialects, keys with these beginnings may be additions of theirs.
            let ours = matches!(text(batch, "dialect", row), "otel gen_ai" | "openinference")
                && TABULATED.iter().any(|p| key.starts_with(p));
            assert!(!ours, "HOMES lacks {}", what());
            assert!(!columns.is_empty(), "{}", what());
            self.anywhere += 1;
        } else {
            assert!(columns.iter().any(|c| homes.contains(&c.as_str())), "{}, not in {homes:?}", what());
            self.at_home += 1;
        }
    }
}

/// Keys of lists that were assembled into a column, as they were before.
fn assembled(batch: &RecordBatch, row: usize) -> Attributes<'static> {
    let mut out = Vec::new();
    for (column, prefix, level) in [
        ("input", "llm.input_messages.", "message."),
        ("output", "llm.output_messages.", "message."),
        ("documents", "retrieval.documents.", "document."),
        ("input", "gen_ai.prompt.", ""),
        ("output", "gen_ai.completion.", ""),
    ] {
        if let Ok(list) = flatten(prefix, level, text(batch, column, row)) {
            out.extend(list);
        }
    }
    out
}

fn check_span(batch: &RecordBatch, row: usize, want: &PlainSpan, moved: &mut Moved) {
    assert_eq!(id(batch, "trace_id", row), want.trace_id);
    assert_eq!(id(batch, "span_id", row), want.span_id);
    assert_eq!(id(batch, "parent_span_id", row), want.parent);
    assert_eq!(text(batch, "trace_state", row), want.trace_state);
    assert_eq!(text(batch, "name", row), want.name);
    let kinds = ["", "internal", "server", "client", "producer", "consumer"];
    assert_eq!(text(batch, "otel_kind", row), kinds[want.kind as usize]);
    assert_eq!(time(batch, "start_time", row), want.start);
    assert_eq!(time(batch, "end_time", row), want.end);
    let duration = batch.column_by_name("duration_ns").unwrap().as_primitive::<Int64Type>();
    if want.end == 0 {
        assert!(duration.is_null(row));
    } else {
        assert_eq!(duration.value(row), want.end as i64 - want.start as i64);
    }
    assert_eq!(text(batch, "status", row), ["unset", "ok", "error"][want.status as usize]);
    assert_eq!(text(batch, "status_message", row), want.status_message);
    assert_eq!(text(batch, "scope_name", row), want.scope_name);
    assert_eq!(text(batch, "scope_version", row), want.scope_version);

    let mut resource = attributes(text(batch, "resource_attributes", row));
    if !want.resource_schema_url.is_empty() {
        assert!(take(&mut resource, "otel.schema_url", &Value::from(want.resource_schema_url.as_str())));
    }
    assert_eq!(resource, want.resource);

    let mut held = attributes(text(batch, "attributes", row));
    let mut assembled = assembled(batch, row);
    for (key, value) in &want.attributes {
        if take(&mut held, key, value) || take(&mut assembled, key, value) {
            continue;
        }
        moved.check(batch, row, key, value);
    }
    let mut extra = |key: &str, v: u32| {
        if v != 0 {
            assert!(take(&mut held, key, &Value::Int(v.into())), "{key}");
        }
    };
    extra("otel.flags", want.flags);
    extra("otel.dropped_attributes_count", want.dropped[0]);
    extra("otel.dropped_events_count", want.dropped[1]);
    extra("otel.dropped_links_count", want.dropped[2]);
    if !want.scope_schema_url.is_empty() {
        assert!(take(&mut held, "otel.scope.schema_url", &Value::from(want.scope_schema_url.as_str())));
    }
    if !want.scope_attributes.is_empty() {
        assert!(take(&mut held, "otel.scope.attributes", &Value::Map(want.scope_attributes.clone())));
    }
    assert_eq!(held, [], "attributes that nobody sent");

    let packed = |name: &str| {
        let array = batch.column_by_name(name).unwrap().as_binary::<i32>();
        array.is_valid(row).then(|| array.value(row))
    };
    let events = packed("_events").map(|b| unpack_events(b).unwrap()).unwrap_or_default();
    assert_eq!(events.len(), want.events.len());
    for (event, (time, name, attrs)) in events.iter().zip(&want.events) {
        assert_eq!(event.time.unwrap_or(0) as u64, *time);
        assert_eq!(event.name.as_deref().unwrap_or_default(), name);
        assert_eq!(&attributes(event.attributes.as_deref().unwrap_or_default()), attrs);
    }
    let links = packed("_links").map(|b| unpack_links(b).unwrap()).unwrap_or_default();
    assert_eq!(links.len(), want.links.len());
    for (link, (trace, span, state, attrs, flags)) in links.iter().zip(&want.links) {
        assert_eq!((&link.linked_trace_id.0[..], &link.linked_span_id.0[..]), (&trace[..], &span[..]));
        assert_eq!(link.trace_state.as_deref().unwrap_or_default(), state);
        let mut held = attributes(link.attributes.as_deref().unwrap_or_default());
        if *flags != 0 {
            assert!(take(&mut held, "otel.flags", &Value::Int((*flags).into())));
        }
        assert_eq!(&held, attrs);
    }
}

fn check_log(batch: &RecordBatch, row: usize, want: &PlainLog) {
    assert_eq!(id(batch, "trace_id", row), want.trace_id);
    assert_eq!(id(batch, "span_id", row), want.span_id);
    assert_eq!(time(batch, "time", row), want.time);
    assert_eq!(time(batch, "observed_time", row), want.observed);
    assert_eq!(text(batch, "name", row), want.event_name);
    assert_eq!(text(batch, "source", row), "log");
    assert_eq!(text(batch, "severity_text", row), want.severity_text);
    let severity = batch.column_by_name("severity_number").unwrap().as_primitive::<Int64Type>();
    assert_eq!(if severity.is_null(row) { 0 } else { severity.value(row) }, want.severity);
    match &want.body {
        Value::Null => assert_eq!(text(batch, "body", row), ""),
        Value::Str(s) => assert_eq!(text(batch, "body", row), s),
        other => assert_eq!(read_value(text(batch, "body", row)).unwrap(), *other),
    }
    let mut held = attributes(text(batch, "attributes", row));
    for (key, value) in &want.attributes {
        assert!(take(&mut held, key, value), "{key}");
    }
    held.retain(|(k, _)| !k.starts_with("otel."));
    assert_eq!(held, []);
    let mut resource = attributes(text(batch, "resource_attributes", row));
    resource.retain(|(k, _)| k != "otel.schema_url");
    assert_eq!(resource, want.resource);
}

#[test]
fn batches_equal_an_independent_decoding() {
    let mut files = 0;
    let mut spans = 0;
    let mut logs = 0;
    let mut moved = Moved::default();
    for path in captures() {
        let got = gather(&std::fs::read(&path).unwrap());
        assert_eq!(got.rejected, [], "{}", path.display());
        let bytes = decompressed(&path);
        let name = path.display().to_string();
        println!("{name}");
        let (want_spans, want_logs) = match (name.contains(".logs."), name.contains(".pb")) {
            (false, false) => (json::spans(&bytes), vec![]),
            (false, true) => (pb::spans(&bytes), vec![]),
            (true, false) => (vec![], json::logs(&bytes)),
            (true, true) => (vec![], pb::logs(&bytes)),
        };
        assert_eq!(got.batch.spans.num_rows(), want_spans.len());
        for (row, want) in want_spans.iter().enumerate() {
            check_span(&got.batch.spans, row, want, &mut moved);
        }
        assert_eq!(got.batch.logs.num_rows(), want_logs.len());
        for (row, want) in want_logs.iter().enumerate() {
            check_log(&got.batch.logs, row, want);
        }
        files += 1;
        spans += want_spans.len();
        logs += want_logs.len();
    }
    println!("{files} files, {spans} spans, {logs} log records, 0 rejected; {moved:?}");
    assert!(files > 0 && moved.at_home > 0, "{moved:?}");
}

#[test]
fn protobuf_and_json_give_identical_rows() {
    let mut pairs = 0;
    for path in captures() {
        let name = path.display().to_string();
        let twin = PathBuf::from(name.replace(".jsonl", ".pb").replace(".json", ".pb"));
        if !name.contains(".json") || !twin.exists() {
            continue;
        }
        let a = gather(&std::fs::read(&path).unwrap());
        let b = gather(&std::fs::read(&twin).unwrap());
        assert_eq!(a.batch.spans, b.batch.spans, "{name}");
        assert_eq!(a.batch.logs, b.batch.logs, "{name}");
        pairs += 1;
    }
    println!("{pairs} pairs");
}

#[test]
fn other_samples_are_taken_too() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !root.is_dir() {
        println!("skipped: {} is not here", root.display());
        return;
    }
    let mut traces = Vec::new();
    files_below(&root.join("trail/dev_otlp"), &mut traces);
    traces.push(root.join("otlp-examples/trace.json"));
    for path in traces {
        let bytes = std::fs::read(&path).unwrap();
        let got = gather(&bytes);
        assert_eq!(got.rejected, [], "{}", path.display());
        let want = json::spans(&bytes);
        assert!(!want.is_empty());
        assert_eq!(got.batch.spans.num_rows(), want.len());
        for (row, want) in want.iter().enumerate() {
            check_span(&got.batch.spans, row, want, &mut Moved::default());
        }
    }
    let logs = std::fs::read(root.join("otlp-examples/logs.json")).unwrap();
    let got = gather(&logs);
    assert_eq!((got.rejected.len(), got.summary.logs), (0, 1));
    check_log(&got.batch.logs, 0, &json::logs(&logs)[0]);

    let events = gather(&std::fs::read(root.join("otlp-examples/events.json")).unwrap());
    assert_eq!(events.summary.spans, 0);
    assert!(events.rejected.iter().all(|r| r.reason.contains("without trace id")), "{:?}", events.rejected);

    let metrics = gather(&std::fs::read(root.join("otlp-examples/metrics.json")).unwrap());
    assert_eq!((metrics.summary.spans, metrics.rejected.len()), (0, 1));
    assert!(metrics.rejected[0].reason.contains("only traces and logs"));
}
