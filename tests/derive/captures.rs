//! The captures of `../shared` as they come out of normalisation, derived. What no dialect table knows yet is listed,
//! not skipped in silence.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use spanfile::batch::SpanBatch;
use spanfile::derive::{BatchLogs, BatchRows, Deriver, Kind, LogRow, SpanRow, TraceDerived};
use spanfile::ingest::ingest;

use crate::ingest::gather::Gather;

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/captures");
    if !folder.is_dir() {
        println!("skipped: {} is not here", folder.display());
        return None;
    }
    Some(folder)
}

/// The batch of a capture, with the log records that belong to it.
fn batch(folder: &Path, framework: &str, scenario: &str) -> Option<SpanBatch> {
    let mut gather = Gather::default();
    let mut found = false;
    for name in [format!("{scenario}.jsonl"), format!("{scenario}.jsonl.gz"), format!("{scenario}.logs.jsonl")] {
        if let Ok(file) = std::fs::File::open(folder.join(framework).join(&name)) {
            ingest(&name, file, &mut gather).unwrap();
            found = true;
        }
    }
    found.then(|| gather.finish())
}

/// Calls `check` with every trace's rows and what is derived from them.
fn each_trace(batch: &SpanBatch, mut check: impl FnMut(&[SpanRow<'_>], &TraceDerived<'_>)) {
    let mut traces: BTreeMap<&[u8], (Vec<SpanRow<'_>>, Vec<LogRow<'_>>)> = BTreeMap::new();
    let rows = BatchRows::new(&batch.spans);
    let ids = batch.spans.column_by_name("trace_id").unwrap().as_fixed_size_binary();
    (0..rows.len()).for_each(|i| traces.entry(ids.value(i)).or_default().0.push(rows.row(i)));
    let logs = BatchLogs::new(&batch.logs);
    let ids = batch.logs.column_by_name("trace_id").unwrap().as_fixed_size_binary();
    (0..logs.len()).for_each(|i| traces.entry(ids.value(i)).or_default().1.push(logs.row(i)));
    let mut deriver = Deriver::default();
    for (mut rows, mut logs) in traces.into_values() {
        rows.sort_by_key(|r| (r.start_time, r.span_id));
        logs.sort_by_key(|l| (l.span_id, l.time));
        check(&rows, &deriver.derive(&rows, &logs));
    }
}

/// Every tool call of a capture: name, hash of arguments, hash of result.
fn tool_calls(batch: &SpanBatch) -> Vec<(String, Option<u64>, Option<u64>)> {
    let mut found = Vec::new();
    each_trace(batch, |rows, derived| {
        for (row, span) in rows.iter().zip(&derived.spans) {
            if row.kind == Kind::Tool && span.duplicate_of.is_none() {
                found.push((row.tool_name.unwrap_or_default().to_string(), span.args_hash, span.result_hash));
            }
        }
        found.extend(derived.calls.iter().map(|c| (c.name.clone(), c.args_hash, c.result_hash)));
    });
    found
}

fn frameworks(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_str().unwrap().to_string()).collect();
    names.sort();
    names
}

/// Frameworks whose tables were there when this was written; the others must hold as soon as they show tool calls.
const LOOPS: [&str; 5] = [
    "langgraph-openinference",
    "openai-openinference",
    "openai-otelv2",
    "openai_agents-openinference",
    "pydantic_ai-native-v5",
];

#[test]
fn nine_equal_calls_have_one_hash() {
    let Some(folder) = folder() else { return };
    let mut held = BTreeSet::new();
    for framework in frameworks(&folder) {
        let Some(batch) = batch(&folder, &framework, "loop") else { continue };
        let calls: Vec<_> = tool_calls(&batch).into_iter().filter(|(name, ..)| name == "lookup_order").collect();
        if calls.is_empty() {
            println!("{framework}: no tool calls yet");
            continue;
        }
        if calls.iter().all(|c| c.1.is_none()) && !LOOPS.contains(&framework.as_str()) {
            println!("{framework}: no arguments yet");
            continue;
        }
        assert_eq!(calls.len(), 9, "{framework}");
        let args: BTreeSet<_> = calls.iter().map(|c| c.1).collect();
        assert!(args.len() == 1 && !args.contains(&None), "{framework}: {args:?}");
        let results: BTreeSet<_> = calls.iter().filter_map(|c| c.2).collect();
        assert!(results.len() <= 1, "{framework}: {} results", results.len());
        held.insert(framework);
    }
    for framework in LOOPS {
        assert!(held.contains(framework), "{framework}: {held:?}");
    }
}

#[test]
fn one_llm_call_per_request() {
    let Some(folder) = folder() else { return };
    // Requests that the provider answered, as the scenario's script makes them.
    let known = [
        ("autogen-openinference", "normal", 4, 3),
        ("crewai-openinference", "normal", 4, 3),
        ("langgraph-openinference", "normal", 4, 3),
        ("openai_agents-openinference", "normal", 4, 3),
        ("pydantic_ai-native-v5", "normal", 4, 3),
        ("openai-otelv2", "normal", 4, 3),
        ("openai-openinference", "normal", 4, 3),
    ];
    for (framework, scenario, llm, tools) in known {
        let batch = batch(&folder, framework, scenario).unwrap();
        let (mut llm_calls, mut tool_calls) = (0, 0);
        each_trace(&batch, |_, derived| {
            llm_calls += derived.run.as_ref().unwrap().llm_calls;
            tool_calls += derived.run.as_ref().unwrap().tool_calls;
        });
        assert_eq!((llm_calls, tool_calls), (llm, tools), "{framework} {scenario}");
    }
}

/// Agents of the run, and who ran the LLM calls, by capture.
#[test]
fn agents_of_a_run() {
    let Some(folder) = folder() else { return };
    for (framework, scenario, agents) in [
        ("openai_agents-openinference", "handoff", vec!["triage", "orders"]),
        ("openai_agents-openinference", "loop", vec!["order_agent"]),
        ("langgraph-openinference", "normal", vec!["order_agent"]),
        ("langgraph-openinference", "handoff", vec!["triage", "orders"]),
        ("autogen-openinference", "handoff", vec!["triage", "orders"]),
        ("crewai-openinference", "handoff", vec!["triage desk", "orders desk"]),
        ("pydantic_ai-native-v5", "handoff", vec!["triage", "orders"]),
    ] {
        let batch = batch(&folder, framework, scenario).unwrap();
        let mut found: Vec<String> = Vec::new();
        each_trace(&batch, |rows, derived| {
            for agent in &derived.run.as_ref().unwrap().agents {
                found.push(agent.to_string());
            }
            for (row, span) in rows.iter().zip(&derived.spans) {
                if matches!(row.kind, Kind::Llm | Kind::Tool | Kind::Handoff) {
                    let agent = span.run_agent.as_deref();
                    assert!(agent.is_some_and(|a| agents.contains(&a)), "{framework}: {} by {agent:?}", row.name);
                }
            }
        });
        assert_eq!(found, agents, "{framework} {scenario}");
    }
}

#[test]
fn handoffs_go_back_and_forth() {
    let Some(folder) = folder() else { return };
    for framework in ["openai_agents-openinference", "langgraph-openinference", "autogen-openinference"] {
        let batch = batch(&folder, framework, "handoff").unwrap();
        each_trace(&batch, |rows, derived| {
            let hops: Vec<_> = (0..rows.len())
                .filter(|&i| rows[i].kind == Kind::Handoff && derived.spans[i].duplicate_of.is_none())
                .map(|i| {
                    let span = &derived.spans[i];
                    (span.handoff_from.as_deref().unwrap(), span.handoff_to.as_deref().unwrap())
                })
                .collect();
            if hops.is_empty() {
                return;
            }
            assert_eq!(hops.len(), 6, "{framework}");
            for (i, hop) in hops.iter().enumerate() {
                let expected = if i % 2 == 0 { ("triage", "orders") } else { ("orders", "triage") };
                assert_eq!(*hop, expected, "{framework}");
            }
        });
    }
}

/// Counted tokens against what the provider answered: input tokens of every request, from the spans that made it.
#[test]
fn counted_tokens_are_the_providers() {
    let Some(folder) = folder() else { return };
    for (framework, scenario, input) in [
        ("autogen-openinference", "normal", 173 + 214 + 247 + 279),
        ("langgraph-openinference", "normal", 130 + 174 + 209 + 244),
        ("openai-otelv2", "loop", 121 + 161 + 200 + 239 + 279 + 318 + 357 + 397 + 436 + 476),
    ] {
        let batch = batch(&folder, framework, scenario).unwrap();
        let mut sum = 0;
        each_trace(&batch, |_, derived| sum += derived.run.as_ref().unwrap().tokens.input.unwrap_or(0));
        assert_eq!(sum, input, "{framework}");
    }
}

#[test]
fn an_inner_failure_is_the_calls() {
    let Some(folder) = folder() else { return };
    let batch = batch(&folder, "autogen-openinference", "toolerror").unwrap();
    each_trace(&batch, |rows, derived| {
        let run = derived.run.as_ref().unwrap();
        if run.tool_calls == 0 {
            return;
        }
        assert_eq!((run.tool_calls, run.errors, run.retries), (3, 2, 2));
        let first = run.first_error.as_ref().unwrap();
        let kept = rows.iter().position(|r| r.span_id == first.span_id).unwrap();
        // The wrapper has the arguments, the inner span the error.
        assert!(rows[kept].tool_args.is_some());
        assert_eq!(first.error_type, Some("TimeoutError"));
    });
}

/// No capture has anything that does not add up.
#[test]
fn every_capture_is_whole() {
    let Some(folder) = folder() else { return };
    for framework in frameworks(&folder) {
        for scenario in ["normal", "loop", "abab", "handoff", "toolerror", "rag", "stream", "parallel", "interrupt"] {
            let Some(batch) = batch(&folder, &framework, scenario) else { continue };
            each_trace(&batch, |rows, derived| {
                let Some(run) = &derived.run else { return };
                assert_eq!((run.orphans, run.cycles), (0, 0), "{framework} {scenario}");
                assert_eq!(run.spans as usize, rows.len());
                assert!(!run.overflowed);
                let used: i64 = derived.usage.iter().filter_map(|u| u.tokens.input).sum();
                assert_eq!(used, run.tokens.input.unwrap_or(0), "{framework} {scenario}");
                let calls: u64 = derived.usage.iter().map(|u| u.calls).sum();
                assert!(calls >= run.steps, "{framework} {scenario}");
            });
        }
    }
}
