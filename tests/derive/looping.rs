//! Loops of traces that are long or deep: what is wasted stands with the right loop.

use spanfile::derive::{Deriver, Kind, SpanRow};
use spanfile::loops::LoopKind;

use super::{canonical_order, row, tokens};

#[test]
fn thousands_of_loops_in_a_run_have_their_own_waste() {
    const LOOPS: u64 = 5_000;
    let arguments: Vec<String> = (0..LOOPS).map(|n| format!("{{\"q\":\"{n}\"}}")).collect();
    let call = |n: u64| SpanRow {
        kind: Kind::Tool,
        tool_name: Some("search"),
        tool_args: Some(&arguments[(n / 3) as usize]),
        tool_result: Some("nothing"),
        tokens: tokens(3, 4),
        ..row(n + 1, 0, n as i64 * 10, n as i64 * 10 + 5)
    };
    let rows = canonical_order((0..3 * LOOPS).map(call).collect());
    let derived = Deriver::default().derive(&rows, &[]);
    let repeats: Vec<_> = derived.loops.iter().filter(|l| l.finding.kind == LoopKind::ExactRepeat).collect();
    assert_eq!(repeats.len() as u64, LOOPS);
    for (n, l) in (0u32..).zip(repeats) {
        assert_eq!(l.periods.len(), 3);
        assert_eq!(l.wasted_spans, [3 * n + 1, 3 * n + 2]);
        assert_eq!(l.finding.wasted_tokens, Some(14));
    }
}

#[test]
fn a_deep_chain_of_turns_that_say_the_same_is_one_monologue() {
    const TURNS: u64 = 20_000;
    let input = r#"[{"role":"user","content":"go"},{"role":"assistant","content":"I look at the list once more."}]"#;
    // Each turn lies in a span that holds the next one too.
    let around = |n: u64| SpanRow { kind: Kind::Workflow, ..row(n + 1, n, 2 * n as i64, 4 * TURNS as i64) };
    let turn = |n: u64| SpanRow {
        kind: Kind::Llm,
        request_model: Some("m"),
        input: Some(input),
        output: Some("I look at the list once more."),
        ..row(TURNS + n + 1, n + 1, 2 * n as i64 + 1, 2 * n as i64 + 2)
    };
    let rows = canonical_order((0..TURNS).flat_map(|n| [around(n), turn(n)]).collect());
    let derived = Deriver::default().derive(&rows, &[]);
    let [found] = &derived.loops[..] else { panic!("{} loops", derived.loops.len()) };
    assert_eq!((found.finding.kind, found.finding.steps.len() as u64), (LoopKind::Monologue, TURNS));
}
