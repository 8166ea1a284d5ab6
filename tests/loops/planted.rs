//! Loops planted among steps that never repeat: all are found, nothing else is.

use spanfile::loops::{LoopKind, Settings, Step, StepKind, find};

use super::{Random, call};

#[test]
fn planted_loops_are_found_and_nothing_else() {
    let mut random = Random(3);
    for _ in 0..500 {
        let mut steps: Vec<Step> = Vec::new();
        let mut planted = Vec::new();
        let mut fresh = 1_000_000;
        for _ in 0..1 + random.below(6) {
            for _ in 0..1 + random.below(10) {
                fresh += 1;
                steps.push(call(steps.len(), "other", fresh, fresh));
            }
            let first = steps.len();
            let period = 1 + random.below(5);
            let count = period * (3 + random.below(4)) + random.below(period);
            fresh += period;
            let failing = period == 1 && random.below(2) == 0;
            for i in 0..count {
                let argument = fresh + i % period;
                let mut step = call(steps.len(), "looped", argument, argument);
                step.failed = failing;
                steps.push(step);
            }
            let kind = match period {
                1 if failing => LoopKind::RetryStorm,
                1 => LoopKind::ExactRepeat,
                _ => LoopKind::Cycle,
            };
            planted.push((kind, first, steps.len() - 1, period as usize));
            fresh += 1;
            steps.push(call(steps.len(), "other", fresh, fresh));
        }
        let found = find(&steps, &Settings::default());
        let got: Vec<_> = found.iter().map(|f| (f.kind, f.first_step, f.last_step, f.period)).collect();
        assert_eq!(got, planted);
        for finding in &found {
            let wasted = (finding.last_step - finding.first_step + 1 - finding.period) as u64;
            assert_eq!(finding.wasted_tokens, Some(wasted * 10));
            assert_eq!(finding.wasted_cost_pico_usd, Some(i128::from(wasted) * 1_000));
            assert_eq!(finding.wasted_ns, i128::from(wasted) * 1_000_000_000);
        }
    }
}

#[test]
fn batches_pages_and_two_failures_are_no_loops() {
    let mut steps: Vec<Step> = (0..50).map(|i| call(i, "read_page", i as u64, 7_000 + i as u64)).collect();
    for (argument, failed) in [(99, true), (99, true), (99, false)] {
        let mut step = call(steps.len(), "save", argument, u64::from(failed));
        step.failed = failed;
        steps.push(step);
    }
    steps.push(Step::new("agent", StepKind::Llm, "model"));
    let loops = find(&steps, &Settings::default()).into_iter().filter(|f| f.kind != LoopKind::Polling);
    assert_eq!(loops.count(), 0);
}
