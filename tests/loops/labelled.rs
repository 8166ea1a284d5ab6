//! Runs of which people said whether they repeat themselves, and runs of which it is known whether they succeeded.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use serde_json::{Value, json};

use super::stored::{Stored, loops_of, opened, shared, store_of, waste_is_within_runs};

/// Precision and recall of the flagged traces.
fn score(flagged: &BTreeSet<String>, labelled: &BTreeSet<String>, of: &BTreeSet<String>) -> (f64, f64) {
    let labelled: BTreeSet<_> = labelled.intersection(of).collect();
    let hits = labelled.iter().filter(|t| flagged.contains(**t)).count() as f64;
    (hits / flagged.len() as f64, hits / labelled.len() as f64)
}

/// TRAIL: traces of agents at GAIA and SWE-bench tasks, with errors annotated by people. Few are here, so that nothing
/// is asserted but that what is told is not told of ordinary runs.
#[test]
fn runs_that_people_labelled() {
    let Some(folder) = shared("data/trail") else { return };
    let labels: Value = serde_json::from_slice(&std::fs::read(folder.join("loop_labels.json")).unwrap()).unwrap();
    let (mut strict, mut any) = (BTreeSet::new(), BTreeSet::new());
    for trace in labels["traces"].as_array().unwrap() {
        let id = trace["trace_id"].as_str().unwrap().to_owned();
        match trace["label"].as_str().unwrap() {
            "none" => {}
            "loop_strict" => drop((strict.insert(id.clone()), any.insert(id))),
            _ => drop(any.insert(id)),
        }
    }
    let files = std::fs::read_dir(folder.join("dev_otlp")).unwrap().map(|e| e.unwrap().path());
    let files: Vec<_> = files.collect();
    let here: BTreeSet<String> = files.iter().map(|p| p.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let dir = tempfile::tempdir().unwrap();
    let store = store_of(dir.path(), files.iter().map(|p| opened(p)));
    waste_is_within_runs(&store);
    let loops = loops_of(&store);
    let flagged: BTreeSet<String> = loops.iter().filter(|l| l.is_loop()).map(|l| l.trace.clone()).collect();
    for l in &loops {
        println!("{} {} {} {} steps of {}", &l.trace[..8], l.severity, l.kind, l.steps, l.repeated);
    }
    for (name, labelled) in [("strict", &strict), ("any", &any)] {
        let (precision, recall) = score(&flagged, labelled, &here);
        println!("{name}: precision {precision:.2}, recall {recall:.2} over {} traces", here.len());
    }
    let wrong: Vec<&String> = flagged.difference(&any).collect();
    assert!(wrong.is_empty(), "flagged without a label: {wrong:?}");
}

/// A run of tau-bench as OTLP: one agent, a span for each turn of the model and each tool call, a second each.
fn as_otlp(number: usize, run: &Value) -> Value {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let trace = format!("{:032x}", number + 1);
    let messages = run["traj"].as_array().unwrap();
    let mut spans = Vec::new();
    let mut ids = 1;
    let mut span = |name: &str, at: usize, until: usize, parent: Option<&str>, attributes: Vec<Value>| {
        let id = format!("{ids:016x}");
        ids += 1;
        let nanos = |second: usize| (1_700_000_000_000_000_000 + second as u64 * 1_000_000_000).to_string();
        spans.push(json!({"traceId": trace, "spanId": id, "parentSpanId": parent.unwrap_or(""), "name": name,
            "startTimeUnixNano": nanos(at), "endTimeUnixNano": nanos(until), "attributes": attributes}));
        id
    };
    let agent = vec![text("gen_ai.operation.name", "invoke_agent"), text("gen_ai.agent.name", "airline")];
    let root = span("invoke_agent airline", 0, messages.len() + 1, None, agent);
    for (at, message) in messages.iter().enumerate() {
        if message["role"] == "assistant" {
            let attributes = vec![
                text("gen_ai.operation.name", "chat"),
                text("gen_ai.request.model", "gpt-4o"),
                text("gen_ai.input.messages", &Value::from(messages[..at].to_vec()).to_string()),
                text("gen_ai.output.messages", &json!([message]).to_string()),
            ];
            span("chat gpt-4o", at, at + 1, Some(&root), attributes);
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let answer = messages[at..].iter().find(|m| m["tool_call_id"] == call["id"]);
            let result = answer.and_then(|m| m["content"].as_str());
            let name = call["function"]["name"].as_str().unwrap();
            let mut attributes = vec![
                text("gen_ai.operation.name", "execute_tool"),
                text("gen_ai.tool.name", name),
                text("gen_ai.tool.call.arguments", call["function"]["arguments"].as_str().unwrap()),
            ];
            attributes.extend(result.map(|r| text("gen_ai.tool.call.result", r)));
            span(&format!("execute_tool {name}"), at + 1, at + 2, Some(&root), attributes);
        }
    }
    json!({"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {"name": "tau-bench"}, "spans": spans}]}]})
}

/// tau-bench: 200 runs of an agent that helps passengers, four of each task.
#[test]
fn runs_of_an_agent_that_helps_passengers() {
    let Some(file) = shared("data/tau-bench/historical_trajectories/gpt-4o-airline.json") else { return };
    let runs: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let lines: String = runs.iter().enumerate().map(|(n, run)| format!("{}\n", as_otlp(n, run))).collect();
    let dir = tempfile::tempdir().unwrap();
    let input: (String, Box<dyn std::io::Read>) = ("tau-bench".to_owned(), Box::new(Cursor::new(lines)));
    let store = store_of(dir.path(), [input]);
    waste_is_within_runs(&store);
    let mut by_trace: BTreeMap<String, Vec<Stored>> = BTreeMap::new();
    for l in loops_of(&store).into_iter().filter(Stored::is_loop) {
        by_trace.entry(l.trace.clone()).or_default().push(l);
    }
    let succeeded = |trace: &str| runs[usize::from_str_radix(trace, 16).unwrap() - 1]["reward"] == 1.0;
    let failed = by_trace.keys().filter(|t| !succeeded(t)).count();
    for (trace, loops) in &by_trace {
        for l in loops {
            println!("{} {} {} steps of {}, {}", &trace[28..], l.kind, l.steps, l.repeated, succeeded(trace));
        }
    }
    println!("{} of {} runs flagged above info; {failed} of them failed their task", by_trace.len(), runs.len());
    assert!(by_trace.len() * 100 <= runs.len() * 3);
}
