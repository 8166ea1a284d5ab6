//! Findings of small runs by the definition of each kind, written without a look at the code: whatever takes time or
//! says the same twice is welcome here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use spanfile::loops::{LoopKind, Settings, Severity, Step, StepKind, find};

use super::Random;
use super::oracle::by_definition;
use super::runs::{Said, any_run, any_settings};

/// What may be a loop, if it gets its steps.
#[derive(Debug, Clone)]
struct Maybe {
    kind: LoopKind,
    period: usize,
    steps: Vec<usize>,
    /// Steps of a period: of a ping-pong not the number of turns.
    stride: usize,
    turns_equal: bool,
}

/// What is compared of a finding.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    kind: LoopKind,
    period: usize,
    steps: Vec<usize>,
    confirmed: bool,
    severity: Severity,
}

struct Run<'r> {
    said: &'r [Said],
    settings: &'r Settings,
}

/// Numbers by which equal things are equal: that of the first thing that equals it. A thing that does not equal itself
/// has its own.
fn numbered(count: usize, equal: impl Fn(usize, usize) -> bool) -> Vec<u32> {
    (0..count).map(|i| (0..i).find(|&j| equal(j, i)).unwrap_or(i) as u32).collect()
}

impl Run<'_> {
    fn step(&self, at: usize) -> &Step {
        &self.said[at].0
    }

    fn may(&self, name: &str, kind: LoopKind) -> bool {
        self.settings.allow.get(name).is_some_and(|kinds| kinds.is_empty() || kinds.contains(&kind))
    }

    /// Arguments and results, or the output of an LLM that knew of the turns before.
    fn equal(&self, a: usize, b: usize) -> bool {
        let (x, y) = (self.step(a), self.step(b));
        if x.kind != y.kind || x.name != y.name {
            return false;
        }
        match x.kind {
            StepKind::Llm => !x.alone && !y.alone && x.output_hash.is_some() && x.output_hash == y.output_hash,
            _ => {
                let results = !self.settings.compare_results || x.r == y.r;
                x.k2.is_some() && x.k2 == y.k2 && x.failed == y.failed && results
            }
        }
    }

    fn result(&self, at: usize) -> Option<u64> {
        let step = self.step(at);
        if step.kind == StepKind::Llm { step.output_hash } else { step.r }
    }

    /// Results are known and those of the period before.
    fn results_repeat(&self, steps: &[usize], stride: usize) -> bool {
        let repeats = (stride..steps.len()).all(|i| self.result(steps[i]) == self.result(steps[i - stride]));
        repeats && steps.iter().all(|&s| self.result(s).is_some())
    }

    /// Between user turns.
    fn parts(&self) -> Vec<Vec<usize>> {
        let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for at in 0..self.said.len() {
            let turns_before = (1..=at).filter(|&i| self.step(i).barrier).count();
            parts.entry(turns_before).or_default().push(at);
        }
        parts.into_values().collect()
    }

    fn all(&self) -> Vec<Maybe> {
        let mut all = Vec::new();
        for part in self.parts() {
            self.ping_pongs(&part, &mut all);
            let who = |at: usize| (self.step(at).agent.clone(), self.step(at).instance);
            for agent in part.iter().map(|&at| who(at)).collect::<BTreeSet<_>>() {
                let own: Vec<usize> = part.iter().copied().filter(|&at| who(at) == agent).collect();
                self.repeats_and_cycles(&own, &mut all);
                self.retry_storms(&own, &mut all);
                self.monologues(&own, &mut all);
                self.stagnations(&own, &mut all);
                self.scattered(&own, &mut all);
                self.near_repeats(&own, &mut all);
                self.polling(&own, &mut all);
            }
        }
        all
    }

    fn repeats_and_cycles(&self, own: &[usize], all: &mut Vec<Maybe>) {
        let symbols = numbered(own.len(), |i, j| self.equal(own[i], own[j]));
        for r in by_definition(&symbols, self.settings.max_period.max(1)) {
            let steps = own[r.start..r.end].to_vec();
            let (kind, periods) = match r.period {
                1 => (LoopKind::ExactRepeat, self.settings.exact_repeats),
                _ => (LoopKind::Cycle, self.settings.cycle_periods),
            };
            let enough = steps.len() / r.period >= periods.max(2);
            let said_again = r.period == 1 && self.step(steps[0]).kind == StepKind::Llm;
            let allowed = steps.iter().all(|&s| self.may(&self.step(s).name, kind));
            if enough && !said_again && !allowed {
                all.push(Maybe { kind, period: r.period, steps, stride: r.period, turns_equal: false });
            }
        }
    }

    /// The longest stretches in which all are pairwise of one kind.
    fn stretches(&self, own: &[usize], alike: impl Fn(&Step, &Step) -> bool) -> Vec<Vec<usize>> {
        let pairwise = |s: &[usize]| s.iter().all(|&a| s.iter().all(|&b| alike(self.step(a), self.step(b))));
        let mut found = Vec::new();
        for start in 0..own.len() {
            for end in start + 1..=own.len() {
                let longer_left = start > 0 && pairwise(&own[start - 1..end]);
                let longer_right = end < own.len() && pairwise(&own[start..end + 1]);
                if pairwise(&own[start..end]) && !longer_left && !longer_right {
                    found.push(own[start..end].to_vec());
                }
            }
        }
        found
    }

    fn retry_storms(&self, own: &[usize], all: &mut Vec<Maybe>) {
        let failed_call = |s: &Step| {
            s.failed && s.kind != StepKind::Llm && s.k2.is_some() && !self.may(&s.name, LoopKind::RetryStorm)
        };
        let alike =
            |a: &Step, b: &Step| failed_call(a) && failed_call(b) && (a.kind, &a.name, a.k2) == (b.kind, &b.name, b.k2);
        for steps in self.stretches(own, alike) {
            if steps.len() >= self.settings.retries.max(2) {
                all.push(Maybe { kind: LoopKind::RetryStorm, period: 1, steps, stride: 1, turns_equal: false });
            }
        }
    }

    /// From left to right: a turn that is in no monologue yet begins one.
    fn monologues(&self, own: &[usize], all: &mut Vec<Maybe>) {
        let turn = |s: &Step| s.kind == StepKind::Llm && !s.alone && !self.may(&s.name, LoopKind::Monologue);
        let says_the_same = |a: &Step, b: &Step| {
            let bits =
                a.output_simhash.zip(b.output_simhash).map(|(x, y)| (0..64).filter(|i| (x ^ y) >> i & 1 == 1).count());
            let equal = a.output_hash.is_some() && a.output_hash == b.output_hash;
            equal || bits.is_some_and(|b| b <= self.settings.simhash_bits as usize)
        };
        let mut rest = own;
        while let [first, ..] = rest {
            let long = |n: usize| {
                rest[..n].iter().all(|&s| turn(self.step(s)))
                    && rest[1..n].iter().all(|&s| says_the_same(self.step(*first), self.step(s)))
            };
            let length = (1..=rest.len()).take_while(|&n| long(n)).last().unwrap_or(1);
            let steps = rest[..length].to_vec();
            if length >= self.settings.monologue_turns.max(2) {
                all.push(Maybe { kind: LoopKind::Monologue, period: 1, steps, stride: 1, turns_equal: false });
            }
            rest = &rest[length..];
        }
    }

    /// The same answer of the same tool; the first must be long enough.
    fn stagnations(&self, own: &[usize], all: &mut Vec<Maybe>) {
        let call = |s: &Step| {
            s.kind == StepKind::Tool && s.k1.is_some() && s.r.is_some() && !self.may(&s.name, LoopKind::Stagnation)
        };
        for mut steps in self.stretches(own, |a, b| call(a) && call(b) && a.name == b.name && a.r == b.r) {
            let long = |s: usize| self.step(s).result_bytes.is_some_and(|b| b >= self.settings.stagnation_result_bytes);
            steps = steps.into_iter().skip_while(|&s| !long(s)).collect();
            let Some(first) = steps.first().map(|&s| self.step(s)) else { continue };
            let usual = first.r.is_some_and(|r| self.settings.acknowledgements.contains(&(first.name.to_string(), r)));
            let arguments: BTreeSet<_> = steps.iter().map(|&s| self.step(s).k1).collect();
            if steps.len() >= self.settings.stagnation_calls.max(2) && arguments.len() > 1 && !usual {
                all.push(Maybe { kind: LoopKind::Stagnation, period: 1, steps, stride: 1, turns_equal: false });
            }
        }
    }

    fn scattered(&self, own: &[usize], all: &mut Vec<Maybe>) {
        let takes_part = |i: usize| {
            let step = self.step(own[i]);
            let adjacent = i > 0 && self.equal(own[i - 1], own[i]);
            step.kind == StepKind::Tool && step.k2.is_some() && !adjacent && !self.may(&step.name, LoopKind::Scattered)
        };
        let (near, far) = (self.settings.scattered_near.max(2), self.settings.scattered_far.max(2));
        for first in (0..own.len()).filter(|&i| takes_part(i)) {
            let calls: Vec<usize> =
                (0..own.len()).filter(|&i| takes_part(i) && self.equal(own[first], own[i])).collect();
            if calls[0] != first {
                continue;
            }
            // Sets of calls, which grow together where they share one.
            let mut loops: Vec<BTreeSet<usize>> = Vec::new();
            if calls.len() >= far {
                loops.push(calls.iter().copied().collect());
            } else {
                for window in calls.windows(near).filter(|w| w[near - 1] - w[0] < self.settings.scattered_window) {
                    let window: BTreeSet<usize> = window.iter().copied().collect();
                    let (touched, apart): (Vec<_>, Vec<_>) = loops.into_iter().partition(|l| !l.is_disjoint(&window));
                    loops = apart;
                    loops.push(touched.into_iter().flatten().chain(window).collect());
                }
            }
            for calls in loops {
                let steps = calls.into_iter().map(|i| own[i]).collect();
                all.push(Maybe { kind: LoopKind::Scattered, period: 1, steps, stride: 1, turns_equal: false });
            }
        }
    }

    fn nearly_equal(&self, a: usize, b: usize) -> bool {
        let ((x, Some(s)), (y, Some(t))) = (&self.said[a], &self.said[b]) else { return false };
        let (s, t): (BTreeSet<&str>, BTreeSet<&str>) = (s.split(' ').collect(), t.split(' ').collect());
        let numbers = |words: &BTreeSet<&str>| -> BTreeSet<String> {
            words.iter().filter(|w| w.contains(char::is_numeric)).map(ToString::to_string).collect()
        };
        let share = s.intersection(&t).count() as f64 / s.union(&t).count() as f64;
        let three = s.len() >= 3 && t.len() >= 3;
        let enough = match x.kind {
            StepKind::Handoff => false,
            StepKind::Llm => three && share >= self.settings.near_output_likeness,
            StepKind::Tool if x.failed && y.failed => share >= 0.5,
            StepKind::Tool => three && numbers(&s) == numbers(&t) && share >= self.settings.near_argument_likeness,
        };
        x.kind == y.kind && x.name == y.name && enough
    }

    /// A step joins the oldest cluster whose first step it is near and whose last is within the window, or begins one.
    fn near_repeats(&self, own: &[usize], all: &mut Vec<Maybe>) {
        let mut clusters: Vec<Vec<usize>> = Vec::new();
        for (i, &at) in own.iter().enumerate() {
            let (step, words) = &self.said[at];
            if words.is_none()
                || step.alone
                || step.kind == StepKind::Handoff
                || self.may(&step.name, LoopKind::NearRepeat)
            {
                continue;
            }
            let goes_on = |cluster: &&mut Vec<usize>| {
                let (first, last) = (cluster[0], cluster[cluster.len() - 1]);
                let undisturbed = step.kind != StepKind::Llm || own[i] - own[first] == i - first;
                i - last < self.settings.scattered_window && undisturbed && self.nearly_equal(own[first], at)
            };
            match clusters.iter_mut().find(goes_on) {
                Some(cluster) => cluster.push(i),
                None => clusters.push(vec![i]),
            }
        }
        for cluster in clusters {
            let steps: Vec<usize> = cluster.into_iter().map(|i| own[i]).collect();
            if self.different(&steps) >= self.settings.near_repeats.max(2) {
                all.push(Maybe { kind: LoopKind::NearRepeat, period: 1, steps, stride: 1, turns_equal: false });
            }
        }
    }

    fn different(&self, steps: &[usize]) -> usize {
        let content = |s: &Step| if s.kind == StepKind::Llm { s.output_hash } else { s.k2 };
        steps.iter().map(|&s| content(self.step(s))).collect::<BTreeSet<_>>().len()
    }

    fn polling(&self, own: &[usize], all: &mut Vec<Maybe>) {
        let polls = |at: usize| {
            let s = self.step(at);
            s.kind == StepKind::Tool
                && !s.failed
                && s.k1.is_some()
                && s.r.is_some()
                && !self.may(&s.name, LoopKind::Polling)
        };
        let same = |a: usize, b: usize| {
            polls(a) && polls(b) && self.step(a).name == self.step(b).name && self.step(a).k1 == self.step(b).k1
        };
        let symbols = numbered(own.len(), |i, j| same(own[i], own[j]));
        for r in by_definition(&symbols, self.settings.max_period.max(1)) {
            let steps = own[r.start..r.end].to_vec();
            let enough = steps.len() / r.period >= self.settings.polls.max(2);
            if self.settings.compare_results && enough && !self.results_repeat(&steps, r.period) {
                all.push(Maybe {
                    kind: LoopKind::Polling,
                    period: r.period,
                    steps,
                    stride: r.period,
                    turns_equal: false,
                });
            }
        }
    }

    fn ping_pongs(&self, part: &[usize], all: &mut Vec<Maybe>) {
        let mut turns: Vec<Vec<usize>> = Vec::new();
        for &at in part {
            match turns.last_mut() {
                Some(turn) if self.step(turn[0]).agent == self.step(at).agent => turn.push(at),
                _ => turns.push(vec![at]),
            }
        }
        let agent = |turn: usize| &self.step(turns[turn][0]).agent;
        let by_agent = numbered(turns.len(), |i, j| agent(i) == agent(j));
        let by_steps = numbered(turns.len(), |i, j| {
            let (a, b) = (&turns[i], &turns[j]);
            agent(i) == agent(j) && a.len() == b.len() && a.iter().zip(b).all(|(&x, &y)| self.equal(x, y))
        });
        for (symbols, turns_equal) in [(by_agent, false), (by_steps, true)] {
            for r in by_definition(&symbols, self.settings.max_period.max(2)) {
                let enough = (r.end - r.start) / r.period >= self.settings.handoff_periods.max(2);
                let allowed = (r.start..r.end).all(|t| self.may(agent(t), LoopKind::HandoffPingPong));
                if r.period >= 2 && enough && !allowed {
                    let stride = turns[r.start..r.start + r.period].concat().len();
                    let (kind, steps) = (LoopKind::HandoffPingPong, turns[r.start..r.end].concat());
                    all.push(Maybe { kind, period: r.period, steps, stride, turns_equal });
                }
            }
        }
    }

    fn confirmed(&self, maybe: &Maybe) -> bool {
        match maybe.kind {
            LoopKind::RetryStorm | LoopKind::Stagnation | LoopKind::Polling => true,
            LoopKind::NearRepeat if self.step(maybe.steps[0]).kind == StepKind::Llm => false,
            LoopKind::HandoffPingPong if !maybe.turns_equal => false,
            _ => self.results_repeat(&maybe.steps, maybe.stride),
        }
    }

    fn severity(&self, maybe: &Maybe) -> Severity {
        match (maybe.kind, self.confirmed(maybe)) {
            (LoopKind::Polling, _) => Severity::Info,
            (LoopKind::HandoffPingPong, _) if !maybe.turns_equal => Severity::Info,
            (LoopKind::Stagnation, _) | (_, false) => Severity::Warning,
            (_, true) => Severity::High,
        }
    }

    /// What is left of a candidate, as far as it is a loop.
    fn left(&self, mut maybe: Maybe, taken: &BTreeSet<usize>) -> Option<Maybe> {
        if maybe.steps.iter().all(|s| !taken.contains(s)) {
            return Some(maybe);
        }
        let s = self.settings;
        let fewest = match maybe.kind {
            LoopKind::ExactRepeat => s.exact_repeats.max(2),
            LoopKind::Cycle => s.cycle_periods.max(2) * maybe.period,
            LoopKind::RetryStorm => s.retries.max(2),
            LoopKind::Monologue => s.monologue_turns.max(2),
            LoopKind::NearRepeat => {
                maybe.steps.retain(|s| !taken.contains(s));
                return (self.different(&maybe.steps) >= s.near_repeats.max(2)).then_some(maybe);
            }
            _ => return None,
        };
        let mut best: &[usize] = &[];
        for start in 0..maybe.steps.len() {
            for end in start..=maybe.steps.len() {
                let part = &maybe.steps[start..end];
                if part.len() > best.len() && part.iter().all(|s| !taken.contains(s)) {
                    best = part;
                }
            }
        }
        let steps = best.to_vec();
        (steps.len() >= fewest).then_some(Maybe { steps, ..maybe })
    }

    fn findings(&self) -> Vec<Told> {
        let mut all = self.all();
        all.sort_by_key(|m| {
            let info = self.severity(m) == Severity::Info;
            (info, m.kind == LoopKind::NearRepeat, Reverse(m.steps.len()), m.period, m.steps[0], m.kind)
        });
        let (mut taken, mut told) = (BTreeSet::new(), Vec::new());
        for maybe in all {
            if let Some(left) = self.left(maybe, &taken) {
                taken.extend(left.steps.iter().copied());
                let (confirmed, severity) = (self.confirmed(&left), self.severity(&left));
                told.push(Told { kind: left.kind, period: left.period, steps: left.steps, confirmed, severity });
            }
        }
        told.sort_by_key(|t| t.steps[0]);
        told
    }
}

fn compare(runs: u64, seed: u64) {
    let mut random = Random(seed);
    let mut counts: BTreeMap<(LoopKind, Severity), u64> = BTreeMap::new();
    let mut several = 0;
    let started = std::time::Instant::now();
    for _ in 0..runs {
        let said = any_run(&mut random);
        let settings = any_settings(&mut random);
        let steps: Vec<Step> = said.iter().map(|(step, _)| step.clone()).collect();
        let found = find(&steps, &settings);
        let expected = Run { said: &said, settings: &settings }.findings();
        let told = found.iter().map(|f| {
            assert_eq!((f.first_step, f.last_step), (f.steps[0], f.steps[f.steps.len() - 1]));
            let (kind, period, steps) = (f.kind, f.period, f.steps.clone());
            Told { kind, period, steps, confirmed: f.confirmed, severity: f.severity }
        });
        assert_eq!(told.collect::<Vec<_>>(), expected, "{said:#?} with {settings:#?}");
        several += u64::from(expected.len() > 1);
        for told in expected {
            *counts.entry((told.kind, told.severity)).or_default() += 1;
        }
    }
    println!("{runs} runs in {:?}, {several} with several findings: {counts:?}", started.elapsed());
    for kind in LoopKind::ALL {
        let count: u64 = counts.iter().filter(|((k, _), _)| *k == kind).map(|(_, n)| n).sum();
        assert!(count > runs / 200, "{kind:?}: {count}");
    }
    assert!(several > runs / 20);
}

#[test]
fn findings_are_those_of_the_rules() {
    compare(20_000, 1);
    if std::env::var_os("SPANFILE_LONG").is_some() {
        compare(1_000_000, 2);
    }
}
