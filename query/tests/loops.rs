//! Loops: the table, its views, the function for other settings, and the verb.

use std::path::{Path, PathBuf};

use spanfile::loops::runaway;
use spanfile_query::{Engine, EngineOptions};

use crate::command::run;
use crate::data::{captured, captures, captures_named, error, rows};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn all(dir: &Path) -> PathBuf {
    captured(dir, "all.spans", &captures())
}

#[test]
fn loops_at_the_defaults_are_those_that_are_found_anew() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(all(dir.path()), EngineOptions::default()).unwrap();
    let order = "ORDER BY trace_id, loop_number";
    let kept = rows(&engine, &format!("SELECT * FROM loops {order}"));
    for kind in ["exact_repeat", "handoff_ping_pong"] {
        assert!(kept.contains(kind), "{kind}: {kept}");
    }
    // No period is as long as the longest that is looked for: these settings give the same.
    assert_eq!(rows(&engine, &format!("SELECT * FROM loops(max_period => 63) {order}")), kept);
    assert_eq!(rows(&engine, &format!("SELECT * FROM loops() {order}")), kept);
    let spans = "ORDER BY trace_id, loop_number, repetition, seq, call_index";
    assert_eq!(
        rows(&engine, &format!("SELECT * FROM loop_spans(max_period => 63) {spans}")),
        rows(&engine, &format!("SELECT * FROM loop_spans {spans}"))
    );
    // Without costs the table is read as it is stored.
    let plain = "SELECT trace_id, kind, wasted_ns, evidence FROM";
    assert_eq!(
        rows(&engine, &format!("{plain} loops {order}")),
        rows(&engine, &format!("{plain} loops(max_period => 63) {order}"))
    );
    assert_eq!(rows(&engine, "SELECT count(*) FROM loops"), rows(&engine, "SELECT count(evidence) FROM loops"));
}

#[test]
fn other_settings_find_more_or_fewer() {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(dir.path(), "a.spans", &captures_named(&["langgraph-openinference.loop"]));
    let engine = Engine::open(&path, EngineOptions::default()).unwrap();
    let count = |from: &str| rows(&engine, &format!("SELECT kind, steps FROM {from}"));
    assert_eq!(count("loops"), "exact_repeat,9\n");
    assert_eq!(count("loops(min_repeats => 9)"), "exact_repeat,9\n");
    assert_eq!(
        count("loops(min_repeats => 10, scattered_near => 10, scattered_far => 10, stagnation_calls => 10)"),
        ""
    );
    assert_eq!(count("loops(allow => 'lookup_order')"), "");
    assert_eq!(count("loops(allow => 'lookup_order:polling, other')"), "exact_repeat,9\n");
    for (call, said) in [
        ("loops(min_repeats => 1)", "min_repeats is a whole number from 2"),
        ("loops(near_output_likeness => 2)", "near_output_likeness is a number from 0 to 1"),
        ("loops(compare_results => 3)", "compare_results is true or false"),
        ("loops(allow => 'a:b')", "\"b\" is no kind of loop"),
        ("loops(colour => 3)", "there is no parameter colour"),
        ("loops(max_period => steps)", "steps"),
    ] {
        let e = error(&engine, &format!("SELECT * FROM {call}"));
        assert!(e.contains(said), "{call}: {e}");
    }
    let toml = dir.path().join("loops.toml");
    std::fs::write(&toml, "[tools.lookup_order]\nallow = 'all'\n").unwrap();
    let of = |args: &[&str]| run(&[&["loops", text(&path), "--loop-settings", text(&toml)], args].concat());
    assert_eq!(of(&[]).out, "No loops in 1 run.\n");
    let with_sql = run(&[text(&path), "--loop-settings", text(&toml), "-csv", "SELECT count(*) FROM loops()"]);
    assert_eq!(with_sql.out, "count(*)\n0\n");
    std::fs::write(&toml, "polls = 3\n[tools.x]\nallowed = 'all'\n").unwrap();
    let wrong = of(&[]);
    assert!(wrong.code == 1 && wrong.err.contains("loops.toml: line 3: unknown key \"allowed\""), "{}", wrong.err);
}

#[test]
fn waste_is_within_what_each_run_used() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(all(dir.path()), EngineOptions::default()).unwrap();
    let wasted = "SELECT trace_id AS t, sum(wasted_tokens) AS tokens, sum(wasted_cost_usd) AS usd, sum(wasted_ns) AS ns \
                  FROM loops GROUP BY trace_id";
    let of_runs = format!("FROM ({wasted}) JOIN cost_per_run ON trace_id = t");
    let over = "tokens > total_tokens OR usd > cost_usd OR ns > duration_ns";
    assert_eq!(rows(&engine, &format!("SELECT count(*) {of_runs} WHERE {over}")), "0\n");
    assert_ne!(rows(&engine, &format!("SELECT count(*) {of_runs} WHERE usd > 0 AND tokens > 0")), "0\n");
    // The steps that are waste cost what the loop says, where no other span pays for them.
    let steps = rows(
        &engine,
        "SELECT trace_id, loop_number, sum(total_tokens) FROM loop_steps WHERE wasted GROUP BY 1, 2 ORDER BY 1, 2",
    );
    let loops =
        rows(&engine, "SELECT trace_id, loop_number, wasted_tokens FROM loops WHERE kind <> 'polling' ORDER BY 1, 2");
    assert_eq!(steps, loops);
    let sums = "sum(wasted_tokens), sum(wasted_cost_usd), sum(wasted_ns)";
    assert_eq!(
        rows(&engine, &format!("SELECT {sums}, sum(loops) FROM loop_summary")),
        rows(&engine, &format!("SELECT {sums}, count(*) FROM loops"))
    );
    assert_eq!(rows(&engine, "SELECT count(*) FROM loop_summary WHERE NOT run_share BETWEEN 0 AND 1"), "0\n");
}

#[test]
fn steps_of_a_loop_have_arguments_and_results() {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(dir.path(), "a.spans", &captures_named(&["langgraph-openinference.loop"]));
    let engine = Engine::open(path, EngineOptions::default()).unwrap();
    let tools = "FROM loop_steps WHERE kind = 'tool' AND called = 'lookup_order' AND arguments LIKE '%A-1042%' \
                 AND result LIKE '%pending%' AND NOT synthetic";
    assert_eq!(rows(&engine, &format!("SELECT count(*), count(*) FILTER (WHERE wasted) {tools}")), "9,8\n");
    assert_eq!(rows(&engine, "SELECT max(repetition), count(*) FROM loop_steps WHERE kind = 'llm'"), "9,9\n");
}

#[test]
fn runaways_are_those_of_the_rule() {
    let dir = tempfile::tempdir().unwrap();
    // 60 short runs and one of 70 steps, of no agent.
    let runs = |n: std::ops::Range<u32>, steps| crate::data::traces(n, steps);
    let mut spans = runs(0..60, 12);
    spans.extend(runs(60..61, 140));
    let path = crate::data::file(dir.path(), "r.spans", &[spans], false);
    let engine = Engine::open(path, EngineOptions::default()).unwrap();
    let steps: Vec<f64> = rows(&engine, "SELECT steps FROM runs").lines().map(|l| l.parse::<f64>().unwrap()).collect();
    let limit = runaway(&steps, true).unwrap();
    assert!(limit.from_runs);
    let found = rows(&engine, "SELECT steps, steps_limit, reason, agent_runs FROM runaways");
    let over: Vec<&f64> = steps.iter().filter(|s| **s > limit.limit).collect();
    assert_eq!(over.len(), 1);
    let fields: Vec<&str> = found.trim().split(',').collect();
    assert_eq!(fields[0].parse::<f64>().unwrap(), *over[0]);
    // The engine interpolates with six digits.
    assert!((fields[1].parse::<f64>().unwrap() - limit.limit).abs() < 1e-3, "{found} {limit:?}");
    assert_eq!(fields[2..], ["steps", "61"]);
}

#[test]
fn what_was_tried_again_after_it_failed() {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(dir.path(), "a.spans", &captures_named(&["langfuse-openai.toolerror"]));
    let engine = Engine::open(path, EngineOptions::default()).unwrap();
    assert_eq!(rows(&engine, "SELECT tool_name, attempts, failures, recovered FROM retries"), "get_quote,3,2,true\n");
    assert_eq!(rows(&engine, "SELECT count(*) FROM loops WHERE severity <> 'info'"), "0\n");
    assert_eq!(
        rows(&engine, "SELECT kind, steps FROM loops(min_repeats => 2) WHERE severity <> 'info'"),
        "retry_storm,2\n"
    );
}

#[test]
fn a_run_is_drawn_with_its_loop_as_a_block() {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(dir.path(), "a.spans", &captures_named(&["langgraph-openinference.loop"]));
    let engine = Engine::open(&path, EngineOptions::default()).unwrap();
    let run_id = rows(&engine, "SELECT trace_id FROM runs");
    let drawn = run(&["loops", text(&path), "--run", &run_id[..6], "--width", "90"]);
    assert_eq!((drawn.err.as_str(), drawn.code), ("", 0));
    let lines: Vec<&str> = drawn.out.lines().collect();
    let at = |start: &str| lines.iter().position(|l| l.starts_with(start)).unwrap_or_else(|| panic!("{}", drawn.out));
    assert!(lines[at("┌")].contains("loop 1, exact_repeat, high: lookup_order called 9 times"), "{}", drawn.out);
    assert!(lines[at("┆")].contains("… 6 more times, steps 5 to 16"), "{}", drawn.out);
    assert!(lines[at("└")].contains("wasted 2,892 tokens, $0.000379"), "{}", drawn.out);
    assert!(lines.iter().all(|l| l.chars().count() <= 90), "{}", drawn.out);
    for (prefix, said) in [("zz", "begins with zz"), ("", "begins with"), (&format!("{}f", &run_id[..32]), "begins")] {
        let r = run(&["loops", text(&path), "--run", prefix]);
        assert!(r.code == 1 && r.err.contains(said), "{prefix:?}: {} {}", r.code, r.err);
    }
}

#[test]
fn the_verb_shows_the_worst_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(
        dir.path(),
        "a.spans",
        &captures_named(&["langgraph-openinference.loop", "openai_agents-openinference.handoff"]),
    );
    let shown = run(&["loops", text(&path), "--width", "110"]);
    assert_eq!((shown.err.as_str(), shown.code), ("", 0));
    let lines: Vec<&str> = shown.out.lines().collect();
    assert!(lines[0].starts_with("2 loops in 2 of 2 runs; wasted "), "{}", shown.out);
    assert!(lines[2].starts_with("high      exact repeat") && lines[2].contains("9 × lookup_order"), "{}", shown.out);
    assert!(lines[3].contains("handoff ping pong") && lines[3].contains("3 × triage, orders"), "{}", shown.out);
    let json = run(&["loops", text(&path), "-jsonl", "--top", "1"]);
    assert!(json.out.lines().count() == 1 && json.out.contains("\"wasted_cost_usd\":0.0003786"), "{}", json.out);
    assert_eq!(run(&["loops", text(&path), "--kind", "circle"]).code, 2);
    assert_eq!(run(&["loops", text(&path), "--min-repeats", "1"]).code, 2);
    let narrow = run(&["loops", text(&path), "--width", "50"]);
    assert!(narrow.out.contains("lookup_order"), "{}", narrow.out);
    let none = run(&["loops", text(&path), "--agent", "nobody"]);
    assert_eq!((none.out.as_str(), none.code), ("No loops in 2 runs.\n", 0));
}
