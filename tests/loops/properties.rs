//! What holds for the findings of any run.

use proptest::prelude::*;
use spanfile::loops::{Settings, Severity, Step, StepKind, find};
use spanfile::model::SpanId;

fn any_step() -> impl Strategy<Value = Step> {
    let what = (0..3u8, 0..3u8, prop::option::of(0..3u64), prop::option::of(0..2u64), 0..8u8);
    let flags = (any::<bool>(), 0..30u8);
    let amounts = (0..1_000i64, -5..200i64, prop::option::of(0..100u64), prop::option::of(0..100i64));
    (what, flags, amounts).prop_map(
        |((agent, kind, key, result, name), (failed, barrier), (start, length, tokens, cost))| {
            let kind = [StepKind::Tool, StepKind::Llm, StepKind::Handoff][usize::from(kind)];
            let mut step = Step::new(["a", "b", "c"][usize::from(agent)], kind, if name == 0 { "x" } else { "y" });
            (step.k1, step.k2, step.r, step.result_bytes) = (key, key, result, Some(40));
            (step.output_hash, step.output_simhash) = (result, key);
            (step.failed, step.barrier) = (failed, barrier == 0);
            (step.start_ns, step.end_ns) = (start, start + length);
            (step.tokens, step.cost_pico_usd) = (tokens, cost.map(i128::from));
            step
        },
    )
}

/// Nanoseconds in which any step ran, one by one.
fn time(steps: &[Step]) -> i128 {
    (0..1_300).filter(|t| steps.iter().any(|s| s.start_ns <= *t && *t < s.end_ns)).count() as i128
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn waste_is_at_most_the_total_and_no_step_is_in_two_loops(
        parts in prop::collection::vec((prop::collection::vec(any_step(), 1..5), 1..7usize), 1..8),
    ) {
        let mut steps: Vec<Step> = parts.iter().flat_map(|(part, times)| std::iter::repeat_n(part, *times).flatten().cloned()).collect();
        // Each step has a time of its own.
        let mut shift = 0;
        for step in &mut steps {
            shift = (shift + 37) % 89;
            step.start_ns += shift;
            step.end_ns += shift;
        }
        for (i, step) in steps.iter_mut().enumerate() {
            step.span_id = SpanId((i as u64 + 1).to_be_bytes());
        }
        let found = find(&steps, &Settings::default());
        let tokens: u64 = found.iter().filter_map(|f| f.wasted_tokens).sum();
        prop_assert!(tokens <= steps.iter().filter_map(|s| s.tokens).sum());
        let cost: i128 = found.iter().filter_map(|f| f.wasted_cost_pico_usd).sum();
        prop_assert!(cost <= steps.iter().filter_map(|s| s.cost_pico_usd).sum());
        prop_assert!(found.iter().map(|f| f.wasted_ns).sum::<i128>() <= time(&steps));

        let mut taken = vec![false; steps.len()];
        for finding in &found {
            prop_assert_eq!(finding.steps.first(), Some(&finding.first_step));
            prop_assert_eq!(finding.steps.last(), Some(&finding.last_step));
            prop_assert_eq!(finding.first_span_id, steps[finding.first_step].span_id);
            prop_assert!(finding.repeats >= 2.0 && finding.wasted_ns >= 0);
            prop_assert!(finding.severity != Severity::High || finding.confirmed);
            // No user turn lies after its first step, up to its last.
            prop_assert!(!steps[finding.first_step + 1..=finding.last_step].iter().any(|s| s.barrier));
            for &s in &finding.steps {
                prop_assert!(!std::mem::replace(&mut taken[s], true), "step {} is in two findings", s);
            }
        }
    }
}
