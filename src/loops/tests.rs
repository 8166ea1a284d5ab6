//! One case of each kind, and what steps are made of.

mod prefixes;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::SpanId;

/// A tool call; the same letter for equal arguments, the same number for equal results.
fn tool(name: &str, argument: u64, result: u64) -> Step {
    let mut step = Step::new("a", StepKind::Tool, name);
    let hash = key(StepKind::Tool, name, &argument.to_string());
    (step.k1, step.k2, step.r, step.result_bytes) = (Some(hash), Some(hash), Some(result), Some(100));
    (step.tokens, step.cost_pico_usd) = (Some(10), Some(7));
    step
}

fn llm(output: u64) -> Step {
    let mut step = Step::new("a", StepKind::Llm, "model");
    (step.output_hash, step.output_simhash) = (Some(output), Some(output.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    step
}

fn timed(mut steps: Vec<Step>) -> Vec<Step> {
    for (i, step) in steps.iter_mut().enumerate() {
        (step.start_ns, step.end_ns) = (i as i64 * 100, i as i64 * 100 + 150);
        step.span_id = SpanId((i as u64).to_be_bytes());
    }
    steps
}

fn one(steps: Vec<Step>) -> Finding {
    let mut found = find(&timed(steps), &Settings::default());
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn none(steps: Vec<Step>) {
    assert_eq!(find(&timed(steps), &Settings::default()), []);
}

#[test]
fn exact_repeat() {
    let found = one(vec![tool("x", 0, 9), tool("s", 1, 1), tool("s", 1, 1), tool("s", 1, 1), tool("y", 0, 8)]);
    assert_eq!((found.kind, found.period, found.repeats), (LoopKind::ExactRepeat, 1, 3.0));
    assert_eq!((found.first_step, found.last_step, found.confirmed), (1, 3, true));
    assert_eq!((found.first_span_id.0[7], found.last_span_id.0[7]), (1, 3));
    assert_eq!((found.wasted_tokens, found.wasted_cost_pico_usd, found.wasted_ns), (Some(20), Some(14), 250));
    assert_eq!(found.severity, Severity::High);
    assert_eq!(found.evidence, "s called 3 times in a row with equal arguments, the same result");
    none(vec![tool("s", 1, 1), tool("s", 1, 1)]);
    none((0..20).map(|page| tool("s", page, page)).collect());
}

#[test]
fn unknown_results_do_not_confirm_and_unknown_arguments_never_match() {
    let mut step = tool("s", 1, 1);
    step.r = None;
    let found = one(vec![step.clone(); 4]);
    assert!(!found.confirmed && found.severity == Severity::Warning);
    (step.k1, step.k2) = (None, None);
    none(vec![step; 10]);
}

#[test]
fn nothing_spans_a_user_turn() {
    let mut steps = vec![tool("s", 1, 1); 4];
    steps[2].barrier = true;
    none(steps);
}

#[test]
fn retry_storm() {
    let mut steps: Vec<Step> = (0..3).map(|i| tool("s", 1, i)).collect();
    steps.iter_mut().for_each(|s| s.failed = true);
    assert_eq!(one(steps.clone()).kind, LoopKind::RetryStorm);
    // Equal messages too: still the retry storm.
    steps.iter_mut().for_each(|s| s.r = Some(5));
    assert_eq!(one(steps.clone()).kind, LoopKind::RetryStorm);
    steps[2] = tool("s", 1, 77);
    let found = find(&steps, &Settings::default());
    assert!(found.iter().all(|f| f.kind == LoopKind::Polling), "two failures, then success: {found:?}");
}

#[test]
fn cycle_with_a_signature_that_does_not_depend_on_its_start() {
    let abc = |from: u64| (from..from + 10).map(|i| tool("s", i % 3, i % 3)).collect::<Vec<_>>();
    let (a, b) = (one(abc(0)), one(abc(1)));
    assert_eq!((a.kind, a.period, a.names.len(), a.wasted_tokens), (LoopKind::Cycle, 3, 3, Some(70)));
    assert_eq!(a.signature, b.signature);
    assert!((a.repeats - 10.0 / 3.0).abs() < 1e-12);
}

#[test]
fn handoff_ping_pong() {
    let turn = |i: u64, what: u64| {
        let mut step = tool("work", what, what);
        step.agent = if i.is_multiple_of(2) { "a".into() } else { "b".into() };
        step
    };
    let fresh: Vec<Step> = (0..6).map(|i| turn(i, i)).collect();
    let found = one(fresh.clone());
    assert_eq!((found.kind, found.period, found.repeats), (LoopKind::HandoffPingPong, 2, 3.0));
    assert_eq!((found.confirmed, found.severity, found.agent), (false, Severity::Info, None));
    none(fresh[..5].to_vec());
    let same: Vec<Step> = (0..6).map(|i| turn(i, i % 2)).collect();
    let found = one(same);
    assert_eq!((found.kind, found.confirmed, found.wasted_tokens), (LoopKind::HandoffPingPong, true, Some(40)));
}

#[test]
fn the_earliest_of_the_longest_free_parts_is_reported() {
    let turn = |agent: &str| Step { agent: agent.into(), ..tool("work", 1, 1) };
    let mut steps = vec![turn("a"); 4];
    // Taken by the ping-pong, which has more steps than all calls of `a`.
    (0..8).for_each(|_| steps.extend([turn("b"), turn("a")]));
    steps.push(turn("b"));
    steps.extend(vec![turn("a"); 4]);
    let found = find(&timed(steps), &Settings::default());
    let told: Vec<_> = found.iter().map(|f| (f.kind, f.first_step, f.last_step)).collect();
    assert_eq!(told, [(LoopKind::ExactRepeat, 0, 3), (LoopKind::HandoffPingPong, 4, 20)]);
}

#[test]
fn monologue_by_hash_or_similarity() {
    let mut steps = vec![llm(5); 3];
    assert_eq!((one(steps.clone()).kind, one(steps.clone()).confirmed), (LoopKind::Monologue, true));
    steps[1].output_hash = Some(6);
    steps[1].output_simhash = steps[1].output_simhash.map(|h| h ^ 0b111);
    let found = one(steps.clone());
    assert_eq!((found.kind, found.confirmed), (LoopKind::Monologue, false));
    steps[1].output_simhash = steps[1].output_simhash.map(|h| h ^ 0b1000);
    none(steps.clone());
    none(vec![llm(5), llm(5), tool("s", 1, 1), llm(5)]);
}

#[test]
fn stagnation() {
    let steps: Vec<Step> = (0..6).map(|i| tool("s", i, 1)).collect();
    assert_eq!(one(steps.clone()).kind, LoopKind::Stagnation);
    let settings = Settings { acknowledgements: BTreeSet::from([("s".to_string(), 1)]), ..Settings::default() };
    assert_eq!(find(&steps, &settings), []);
    let mut short = steps;
    short.iter_mut().for_each(|s| s.result_bytes = Some(31));
    none(short);
}

#[test]
fn scattered() {
    let between = |gap: u64, times: u64| {
        (0..gap * times)
            .map(|i| if i.is_multiple_of(gap) { tool("s", 0, 0) } else { tool("w", i, i) })
            .collect::<Vec<_>>()
    };
    let found = one(between(5, 4));
    assert_eq!((found.kind, found.wasted_tokens, found.last_step), (LoopKind::Scattered, Some(30), 15));
    none(between(6, 4));
    assert_eq!(one(between(30, 6)).steps.len(), 6);
}

#[test]
fn polling_is_no_loop() {
    let steps: Vec<Step> = (0..9).map(|i| tool("status", 1, i)).collect();
    let found = one(steps.clone());
    assert_eq!(
        (found.kind, found.severity, found.wasted_tokens, found.wasted_ns),
        (LoopKind::Polling, Severity::Info, None, 0)
    );
    let allow = BTreeMap::from([("status".to_string(), BTreeSet::from([LoopKind::Polling]))]);
    assert_eq!(find(&steps, &Settings { allow, ..Settings::default() }), []);
}

#[test]
fn parallel_calls_are_one_step_in_any_order() {
    let (mut a, mut b) = (tool("x", 1, 1), tool("y", 2, 2));
    (a.start_ns, a.end_ns, b.start_ns, b.end_ns) = (0, 10, 5, 30);
    let whole = compose(vec![a.clone(), b.clone()]).unwrap();
    assert_eq!(compose(vec![b.clone(), a.clone()]), Some(whole.clone()));
    assert_eq!((&*whole.name, whole.tokens, whole.start_ns, whole.end_ns), ("x + y", Some(20), 0, 30));
    assert_eq!((compose(vec![]), compose(vec![a.clone()])), (None, Some(a.clone())));
    b.k2 = None;
    assert_eq!(compose(vec![a, b]).unwrap().k2, None);
}

#[test]
fn runaways() {
    let runs: Vec<f64> = (0..40).map(f64::from).collect();
    assert_eq!(runaway(&runs, true), Some(RunawayLimit { limit: 29.25 + 3.0 * 19.5, from_runs: true }));
    assert_eq!(runaway(&runs[..29], true), Some(RunawayLimit { limit: 100.0, from_runs: false }));
    assert_eq!(runaway(&runs[..29], false), None);
}
