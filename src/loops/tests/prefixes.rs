//! The streaming form against the offline form, on each prefix of random runs; and what it remembers.

use std::collections::{BTreeMap, BTreeSet};

use super::super::candidates::candidates;
use super::super::*;

/// A deterministic source of numbers (a linear congruential generator; its high bits).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn up_to<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// How one run's steps are made: each run has its own, so that each kind is likely in some.
struct Shape {
    agents: u64,
    instances: u64,
    tools: u64,
    arguments: u64,
    results: u64,
    llm: u64,
    failed: u64,
    unknown: u64,
    /// Steps after which the run begins to repeat itself; 0 for never.
    period: u64,
}

impl Shape {
    fn of(random: &mut Random) -> Self {
        Self {
            agents: random.up_to(&[1, 1, 2, 3]),
            instances: random.up_to(&[1, 1, 1, 2]),
            tools: random.up_to(&[1, 1, 2, 3]),
            arguments: random.up_to(&[1, 2, 3, 8]),
            results: random.up_to(&[1, 1, 2, 8]),
            llm: random.up_to(&[0, 1, 4, 8]),
            failed: random.up_to(&[0, 0, 1, 5]),
            unknown: random.up_to(&[0, 0, 1]),
            period: random.up_to(&[0, 0, 2, 3, 5]),
        }
    }

    fn step(&self, random: &mut Random) -> Step {
        const TEXTS: [&str; 6] = [
            "weather in Paris today please",
            "weather in Paris today now please",
            "weather for Paris tomorrow please",
            "sum of all the numbers 1 2 3",
            "sum of all the numbers 1 2 4",
            "x",
        ];
        let kind = match random.below(10) {
            below if below < self.llm => StepKind::Llm,
            9 => StepKind::Handoff,
            _ => StepKind::Tool,
        };
        let name = random.up_to(&["s", "t", "u"][..self.tools as usize]);
        let mut step = Step::new(random.up_to(&["a", "b", "c"][..self.agents as usize]), kind, name);
        step.instance = random.below(self.instances) as u32;
        let argument = random.below(self.arguments);
        (step.k1, step.k2) = (Some(argument), Some(argument / 2));
        step.r = Some(random.below(self.results));
        step.result_bytes = step.r.map(|r| 30 + r * 2);
        step.failed = random.below(6) < self.failed;
        if kind == StepKind::Llm {
            step.output_hash = Some(random.below(self.results));
            step.output_simhash = step.output_hash.map(|h| [0, 0b111, 0b11_1111][h as usize % 3]);
            step.alone = random.one_in(8);
        }
        if random.one_in(2) {
            step.words = Some(Words::of(TEXTS[random.below(6) as usize]));
        }
        if random.below(30) < self.unknown {
            match random.below(4) {
                0 => step.r = None,
                1 => (step.k1, step.k2) = (None, None),
                2 => step.output_hash = None,
                _ => step.result_bytes = None,
            }
        }
        step.barrier = random.one_in(50);
        step
    }

    fn run(&self, random: &mut Random) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for i in 0..1 + random.below(50) as usize {
            let period = self.period as usize;
            let again = period > 0 && i >= period && !random.one_in(15);
            let mut step = if again { steps[i - period].clone() } else { self.step(random) };
            step.barrier &= !again;
            steps.push(step);
        }
        steps
    }
}

fn settings(random: &mut Random) -> Settings {
    let mut allow = BTreeMap::new();
    for name in ["s", "t", "u", "a", "b"] {
        if random.one_in(12) {
            let kind = LoopKind::ALL[random.below(9) as usize];
            allow.insert(name.to_string(), if random.one_in(4) { BTreeSet::new() } else { BTreeSet::from([kind]) });
        }
    }
    let acknowledgements = if random.one_in(6) { BTreeSet::from([("s".to_string(), 1)]) } else { BTreeSet::new() };
    Settings {
        compare_results: !random.one_in(5),
        max_period: random.below(13) as usize,
        exact_repeats: 2 + random.below(6) as usize,
        retries: 2 + random.below(4) as usize,
        cycle_periods: 1 + random.below(3) as usize,
        handoff_periods: 2 + random.below(2) as usize,
        monologue_turns: 2 + random.below(3) as usize,
        stagnation_calls: 2 + random.below(5) as usize,
        scattered_near: 2 + random.below(3) as usize,
        scattered_window: random.up_to(&[0, 3, 8, 16, usize::MAX]),
        scattered_far: 3 + random.below(6) as usize,
        near_repeats: 2 + random.below(3) as usize,
        polls: 2 + random.below(3) as usize,
        allow,
        acknowledgements,
        ..Settings::default()
    }
}

/// The candidate that ends with the last step and goes first.
fn expected(prefix: &[Step], settings: &Settings) -> Option<Verdict> {
    let all = candidates(prefix, settings);
    let ending = all.iter().filter(|c| c.steps.last() == Some(&(prefix.len() - 1)));
    ending.min_by_key(|c| c.rank()).map(|c| Verdict {
        kind: c.kind,
        period: c.period,
        steps: c.steps.len(),
        first_step: c.steps[0],
        confirmed: c.confirmed,
        severity: c.severity(),
    })
}

#[test]
fn the_detector_says_what_the_whole_prefix_says() {
    let mut random = Random(1);
    let mut verdicts: BTreeMap<(LoopKind, Severity), usize> = BTreeMap::new();
    let mut prefixes = 0;
    for _ in 0..4000 {
        let steps = Shape::of(&mut random).run(&mut random);
        let settings = settings(&mut random);
        let mut detector = Detector::new(settings.clone());
        for now in 0..steps.len() {
            let got = detector.push(&steps[now]);
            let expected = expected(&steps[..=now], &settings);
            assert_eq!(got, expected, "step {now} of {:#?} with {settings:?}", &steps[..=now]);
            if let Some(verdict) = got {
                *verdicts.entry((verdict.kind, verdict.severity)).or_default() += 1;
            }
            prefixes += 1;
        }
    }
    println!("{prefixes} prefixes, verdicts {verdicts:?}");
    for kind in LoopKind::ALL {
        let count: usize = verdicts.iter().filter(|((k, _), _)| *k == kind).map(|(_, n)| n).sum();
        assert!(count > 100, "{kind:?}: {count}");
    }
}

#[test]
fn verdicts_and_findings_imply_each_other() {
    let mut random = Random(2);
    let (mut lost, mut held) = (0, 0);
    for _ in 0..4000 {
        let steps = Shape::of(&mut random).run(&mut random);
        let settings = settings(&mut random);
        let mut detector = Detector::new(settings.clone());
        let last = steps.iter().fold(None, |_, step| detector.push(step));
        let found = find(&steps, &settings);
        let now = steps.len() - 1;
        let holds_it = found.iter().any(|f| f.steps.contains(&now));
        assert!(!holds_it || last.is_some(), "a finding without a verdict: {found:?}");
        held += usize::from(holds_it);
        let Some(verdict) = last else { continue };
        lost += usize::from(!holds_it);
        let all = candidates(&steps, &settings);
        let own = all.iter().find(|c| {
            (c.kind, c.period, c.steps[0], c.steps.len())
                == (verdict.kind, verdict.period, verdict.first_step, verdict.steps)
        });
        let own = own.unwrap();
        let sure = |f: &&Finding| verdict.severity == Severity::Info || f.severity > Severity::Info;
        let shares = found.iter().filter(sure).any(|f| f.steps.iter().any(|s| own.steps.contains(s)));
        assert!(shares, "{verdict:?} beside {found:?}");
    }
    println!("{held} findings hold the last step, {lost} verdicts are of steps that are in no finding");
    assert!(held > 500 && lost > 20, "{held} {lost}");
}

#[test]
fn no_run_with_loops_lacks_them_when_all_results_are_equal() {
    let mut random = Random(5);
    let (mut looping, mut left_out, mut runs) = (0, 0, 0);
    while runs < 20_000 {
        let steps = Shape::of(&mut random).run(&mut random);
        let settings = settings(&mut random);
        let alike: Vec<Step> = steps.iter().cloned().map(|s| Step { r: s.r.map(|_| 0), ..s }).collect();
        let found = find(&steps, &settings);
        let may_loop = !find(&alike, &settings.loosest()).is_empty();
        assert!(may_loop || found.is_empty(), "{found:#?} in {steps:#?} with {settings:?}");
        looping += usize::from(!found.is_empty());
        left_out += usize::from(!may_loop);
        runs += 1;
    }
    println!("{looping} of {runs} runs have loops, {left_out} need not be looked at");
    assert!(looping > 5000 && left_out > 1000, "{looping} {left_out}");
}

/// A step that was never seen, with all that may be remembered of it.
fn fresh(random: &mut Random, agents: u64) -> Step {
    let kind = if random.one_in(4) { StepKind::Llm } else { StepKind::Tool };
    let mut step = Step::new(format!("agent {}", random.below(agents)), kind, "s");
    let [hash, number] = [random.below(u64::MAX), random.below(u64::MAX)];
    (step.k1, step.k2, step.r, step.result_bytes) = (Some(hash), Some(hash), Some(number), Some(64));
    (step.output_hash, step.output_simhash) = (Some(hash), Some(hash ^ number << 32));
    step.failed = random.one_in(3);
    step.words = Some(Words::of(&format!("{hash} {number} {}", random.below(u64::MAX))));
    step
}

#[test]
fn memory_does_not_depend_on_the_number_of_steps() {
    let long = std::env::var_os("SPANFILE_LONG").is_some();
    let settings = Settings::default();
    for (agents, steps) in [(1, if long { 10_000_000 } else { 300_000 }), (6000, if long { 1_000_000 } else { 50_000 })]
    {
        let mut random = Random(3);
        let mut detector = Detector::new(settings.clone());
        let mut most = 0;
        for i in 0..steps {
            assert_eq!(detector.push(&fresh(&mut random, agents)), None);
            if i % (steps / 20) == 0 {
                most = most.max(detector.entries());
            }
        }
        most = most.max(detector.entries());
        // Symbols and counts of two sequences, three stretches, clusters with a hash each; symbols and counts of turns.
        let agent = 2 * 2 * settings.max_period + 3 + 2 * settings.scattered_window;
        let turns = 5 * settings.max_period;
        let calls = Detector::MAX_CALLS * (1 + settings.scattered_near);
        let bound = (agents as usize).min(Detector::MAX_AGENTS) * agent + turns + calls;
        println!("{steps} different steps of {agents} agents: {most} entries of at most {bound}");
        assert!(most <= bound && most > 50_000, "{most} of {bound}");
        let mut barrier = fresh(&mut random, 1);
        barrier.barrier = true;
        detector.push(&barrier);
        assert!(detector.entries() < 20);
    }
}

#[test]
fn a_call_is_forgotten_after_many_others() {
    let mut random = Random(4);
    let mut call = Step::new("a", StepKind::Tool, "s");
    (call.k1, call.k2, call.r) = (Some(1), Some(1), Some(1));
    let settings = Settings::default();
    for (others, is_found) in [(Detector::MAX_CALLS - 1, true), (Detector::MAX_CALLS, false)] {
        let mut detector = Detector::new(settings.clone());
        let mut found = None;
        for times in 0..settings.scattered_far {
            found = detector.push(&call);
            let others = if times == 0 { others } else { 20 };
            for _ in 0..others {
                let mut other = fresh(&mut random, 1);
                (other.agent, other.kind, other.failed) = ("a".into(), StepKind::Tool, false);
                detector.push(&other);
            }
        }
        assert_eq!(found.is_some_and(|v| v.kind == LoopKind::Scattered), is_found, "{others} others");
    }
}
