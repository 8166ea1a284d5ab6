//! What counts: tokens as the providers reported them, once, and the same story whoever tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use spanfile::{Store, Table};

use super::{Row, Rows, captures, file_with};

/// Input and output tokens.
type Sums = (i64, i64);

/// Of arguments and result.
type Hashes = (Option<String>, Option<String>);

fn tokens(row: &Row<'_>) -> Sums {
    (row.int("input_tokens").unwrap_or(0), row.int("output_tokens").unwrap_or(0))
}

fn total(all: impl Iterator<Item = Sums>) -> Sums {
    all.fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
}

fn of_runs(store: &Store) -> Sums {
    total(Rows::of(store, Table::Runs).each().map(|r| tokens(&r)))
}

/// Every answer of a provider has an id: its tokens are those of the spans that have that id, taken once.
#[test]
fn each_answer_counts_once() {
    let (mut checked, mut misleading) = (0, 0);
    for (framework, scenarios) in captures() {
        for (scenario, mut inputs) in scenarios {
            inputs.sort();
            let dir = tempfile::tempdir().unwrap();
            let store = file_with(dir.path(), &inputs);
            let spans = Rows::of(&store, Table::Spans);
            let mut answers: BTreeMap<(String, String), BTreeSet<Sums>> = BTreeMap::new();
            let mut naive = Vec::new();
            let mut nameless = false;
            for row in spans.each().filter(|r| r.int("input_tokens").is_some() || r.int("output_tokens").is_some()) {
                naive.push(tokens(&row));
                match row.text("response_id") {
                    Some(id) => {
                        answers.entry((row.text("trace_id").unwrap(), id)).or_default().insert(tokens(&row));
                    }
                    // A sum on a span that made no call itself.
                    None if !["llm", "embedding"].contains(&row.text("kind").as_deref().unwrap_or_default()) => {}
                    None => nameless = true,
                }
            }
            if nameless || answers.values().any(|usages| usages.len() != 1) {
                continue;
            }
            checked += 1;
            let counted = of_runs(&store);
            misleading += u64::from(total(naive.into_iter()) != counted);
            let want = total(answers.values().flatten().copied());
            assert_eq!(counted, want, "{framework}, {scenario}");
            let usage = total(Rows::of(&store, Table::Usage).each().map(|r| tokens(&r)));
            assert_eq!(usage, want, "{framework}, {scenario}: by use");
        }
    }
    println!("{checked} captures, of which {misleading} have misleading sums");
    assert!(checked > 0);
}

/// The `normal` scenario: the same tools with the same arguments and as many calls of the model, in every framework.
#[test]
fn every_framework_tells_the_same_story() {
    // Of another script, or without tools.
    let others = ["langfuse-sdk", "traceloop_sdk-decorators"];
    let mut hashes: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for (framework, mut scenarios) in captures() {
        let Some(mut inputs) = scenarios.remove("normal").filter(|_| !others.contains(&framework.as_str())) else {
            continue;
        };
        inputs.sort();
        let dir = tempfile::tempdir().unwrap();
        let store = file_with(dir.path(), &inputs);
        let mut tools: Vec<(i64, String, Option<String>)> = Vec::new();
        let spans = Rows::of(&store, Table::Spans);
        let calls = Rows::of(&store, Table::SyntheticCalls);
        let order = super::order(&store);
        let called = spans.each().filter(|r| r.text("kind").as_deref() == Some("tool"));
        for row in called.chain(calls.each()) {
            let Some(step) = row.int("step") else { continue };
            let place = order[&row.text("trace_id").unwrap()] as i64 * 1_000 + step;
            tools.push((place, row.text("tool_name").unwrap(), row.text("args_hash")));
        }
        tools.sort();
        let names: Vec<&str> = tools.iter().map(|(_, name, _)| name.as_str()).collect();
        assert_eq!(names, ["lookup_order", "check_stock", "get_weather"], "{framework}");
        let llm_calls: i64 = Rows::of(&store, Table::Runs).each().filter_map(|r| r.int("llm_calls")).sum();
        assert_eq!(llm_calls, 4, "{framework}");
        assert_eq!(of_runs(&store).1, 34 + 32 + 33 + 46, "{framework}: tokens that the model wrote");
        for (_, name, hash) in tools {
            let hash = hash.unwrap_or_else(|| panic!("{framework}: no arguments of {name}"));
            hashes.entry(name).or_default().entry(hash).or_default().push(framework.clone());
        }
    }
    for (tool, by_hash) in hashes {
        // LangGraph under OpenInference loses the argument's name: its one argument is bare text.
        let mut groups: Vec<&Vec<String>> = by_hash.values().collect();
        groups.retain(|g| **g != ["langgraph-openinference"]);
        assert_eq!(groups.len(), 1, "arguments of {tool}: {by_hash:?}");
    }
}

/// Nine equal calls are equal, however a framework wraps them.
#[test]
fn equal_calls_have_one_hash() {
    for (framework, mut scenarios) in captures() {
        let Some(mut inputs) = scenarios.remove("loop") else { continue };
        inputs.sort();
        let dir = tempfile::tempdir().unwrap();
        let store = file_with(dir.path(), &inputs);
        let spans = Rows::of(&store, Table::Spans);
        let calls = Rows::of(&store, Table::SyntheticCalls);
        let called = spans.each().filter(|r| r.text("kind").as_deref() == Some("tool"));
        let mut of_tool: BTreeMap<String, Vec<Hashes>> = BTreeMap::new();
        for row in called.chain(calls.each()).filter(|r| r.int("step").is_some()) {
            let hashes = (row.text("args_hash"), row.text("result_hash"));
            of_tool.entry(row.text("tool_name").unwrap()).or_default().push(hashes);
        }
        let most = of_tool.into_values().max_by_key(Vec::len).unwrap();
        // CrewAI stops itself after five, and says so in place of a result.
        let (count, results) = if framework.starts_with("crewai") { (5, 2) } else { (9, 1) };
        assert_eq!(most.len(), count, "{framework}");
        let distinct: BTreeSet<_> = most.iter().map(|(args, _)| args.clone().expect("arguments")).collect();
        assert_eq!(distinct.len(), 1, "{framework}: {most:?}");
        let distinct: BTreeSet<_> = most.iter().map(|(_, result)| result.clone()).collect();
        assert!(distinct.len() <= results, "{framework}: {most:?}");
    }
}

/// Traces of real agents by others: sums over all spans are far too high, those over calls of models are right.
#[test]
fn real_traces_count_their_model_calls() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/trail/dev_otlp");
    if !folder.is_dir() {
        println!("skipped: no ../shared/data/trail");
        return;
    }
    let mut inputs: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    inputs.sort();
    let dir = tempfile::tempdir().unwrap();
    // A rejected record is an error here.
    let store = file_with(dir.path(), &inputs);
    let spans = Rows::of(&store, Table::Spans);
    let mut model: BTreeMap<String, Sums> = BTreeMap::new();
    for row in spans.each().filter(|r| r.text("kind").as_deref() == Some("llm")) {
        let own = model.entry(row.text("trace_id").unwrap()).or_default();
        *own = total([*own, tokens(&row)].into_iter());
    }
    let mut runs = 0;
    for run in Rows::of(&store, Table::Runs).each() {
        runs += 1;
        let trace = run.text("trace_id").unwrap();
        assert_eq!(tokens(&run), model.get(&trace).copied().unwrap_or_default(), "{trace}");
    }
    assert_eq!(runs, inputs.len());
    let (all, counted) = (total(spans.each().map(|r| tokens(&r))), of_runs(&store));
    let times = (all.0 + all.1) as f64 / (counted.0 + counted.1) as f64;
    println!("{runs} runs; sums over all spans are {times:.2} times what counts");
    assert!(times > 1.5, "{times}");
}
