//! Small random runs and settings, of which each kind of loop is likely to be in some.

use std::collections::BTreeSet;

use spanfile::loops::{LoopKind, Settings, Step, StepKind, Words};
use spanfile::model::SpanId;

use super::Random;

/// A step, and the text that its words are of.
pub(super) type Said = (Step, Option<&'static str>);

/// How one run's steps are made: each run has its own, so that each kind is likely in some.
struct Shape {
    agents: u64,
    arguments: u64,
    results: u64,
    llm: u64,
    failed: u64,
    /// Steps from which on the run repeats itself, mostly; 0 for never.
    period: u64,
}

fn one_of<T: Clone>(random: &mut Random, of: &[T]) -> T {
    of[random.below(of.len() as u64) as usize].clone()
}

fn any_step(random: &mut Random, shape: &Shape) -> Said {
    // No word of these is one of the commonest.
    let texts = [
        "paris weather today",
        "paris weather tomorrow",
        "paris weather today page 1",
        "paris weather today page 2",
        "x",
    ];
    let kind = match random.below(10) {
        n if n < shape.llm => StepKind::Llm,
        9 => StepKind::Handoff,
        _ => StepKind::Tool,
    };
    let agent = ["a", "b", "c"][random.below(shape.agents) as usize];
    let mut step = Step::new(agent, kind, one_of(random, &["s", "s", "s", "t"]));
    step.instance = u32::from(random.below(12) == 0);
    let argument = random.below(shape.arguments);
    (step.k1, step.k2, step.r) = (Some(argument), Some(argument / 2), Some(random.below(shape.results)));
    step.result_bytes = Some(30 + random.below(8));
    step.failed = random.below(6) < shape.failed;
    if kind == StepKind::Llm {
        step.output_hash = step.r;
        step.output_simhash = step.r.map(|r| [0, 0b111, 0b11_1111][r as usize % 3]);
        step.alone = random.below(10) == 0;
    }
    match random.below(40) {
        0 => step.r = None,
        1 => (step.k1, step.k2) = (None, None),
        2 => step.output_hash = None,
        3 => step.barrier = true,
        _ => {}
    }
    let text = (random.below(2) == 0).then(|| one_of(random, &texts));
    step.words = text.map(Words::of);
    (step, text)
}

pub(super) fn any_run(random: &mut Random) -> Vec<Said> {
    let shape = Shape {
        agents: one_of(random, &[1, 1, 1, 2, 3]),
        arguments: one_of(random, &[1, 2, 4, 12]),
        results: one_of(random, &[1, 1, 2, 9]),
        llm: one_of(random, &[0, 0, 2, 9]),
        failed: one_of(random, &[0, 0, 1, 5]),
        period: one_of(random, &[0, 0, 2, 3, 4]),
    };
    let mut run: Vec<Said> = Vec::new();
    for at in 0..1 + random.below(20) as usize {
        let period = shape.period as usize;
        if period > 0 && at >= period && random.below(12) > 0 {
            let (mut step, text) = run[at - period].clone();
            step.barrier = false;
            run.push((step, text));
        } else {
            run.push(any_step(random, &shape));
        }
    }
    for (at, (step, _)) in run.iter_mut().enumerate() {
        step.span_id = SpanId((at as u64 + 1).to_be_bytes());
    }
    run
}

pub(super) fn any_settings(random: &mut Random) -> Settings {
    let mut up_to = |low: usize, high: usize| low + random.below((high - low + 1) as u64) as usize;
    let mut settings = Settings {
        max_period: up_to(0, 8),
        exact_repeats: up_to(1, 5),
        retries: up_to(1, 4),
        cycle_periods: up_to(1, 3),
        handoff_periods: up_to(1, 3),
        monologue_turns: up_to(1, 4),
        stagnation_calls: up_to(2, 5),
        scattered_near: up_to(2, 4),
        scattered_window: up_to(0, 16),
        scattered_far: up_to(2, 6),
        near_repeats: up_to(1, 4),
        polls: up_to(1, 4),
        ..Settings::default()
    };
    settings.compare_results = random.below(5) > 0;
    if random.below(4) == 0 {
        let kinds =
            if random.below(4) == 0 { BTreeSet::new() } else { BTreeSet::from([one_of(random, &LoopKind::ALL)]) };
        settings.allow.insert(one_of(random, &["s", "t", "a", "b"]).to_owned(), kinds);
    }
    if random.below(8) == 0 {
        settings.acknowledgements.insert(("s".to_owned(), random.below(2)));
    }
    settings
}
