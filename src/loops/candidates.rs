//! All that looks like a loop, one kind after the other, before steps are shared out.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::{LoopKind, Repetition, Settings, Severity, Step, StepKind, repetitions};

/// A loop, if its steps are still free.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    pub(super) kind: LoopKind,
    /// In steps, or in turns of agents.
    pub(super) period: usize,
    /// Positions in the run, ascending.
    pub(super) steps: Vec<usize>,
    /// Steps of the first period.
    pub(super) first_period: usize,
    /// Turns of a ping-pong; 0 for other kinds.
    turns: usize,
    /// Whether the turns of a ping-pong have equal steps, as far as results are known.
    pub(super) turns_equal: bool,
    /// Whether a part of it is a loop too, and of how many steps at least.
    shortest: Option<usize>,
    pub(super) confirmed: bool,
    /// Whether it is made of LLM turns.
    pub(super) is_llm: bool,
}

impl Candidate {
    fn new(kind: LoopKind, period: usize, steps: Vec<usize>, shortest: Option<usize>, confirmed: bool) -> Self {
        Self {
            kind,
            period,
            steps,
            first_period: period,
            turns: 0,
            turns_equal: false,
            shortest,
            confirmed,
            is_llm: false,
        }
    }

    pub(super) fn severity(&self) -> Severity {
        match self.kind {
            LoopKind::Polling => Severity::Info,
            LoopKind::HandoffPingPong if !self.turns_equal => Severity::Info,
            LoopKind::Stagnation => Severity::Warning,
            _ if self.confirmed => Severity::High,
            _ => Severity::Warning,
        }
    }

    pub(super) fn repeats(&self) -> f64 {
        let units = if self.kind == LoopKind::HandoffPingPong { self.turns } else { self.steps.len() };
        units as f64 / self.period as f64
    }

    pub(super) fn wasted(&self) -> &[usize] {
        if self.kind.is_waste() { &self.steps[self.first_period..] } else { &[] }
    }

    /// Leaves what other findings have not taken; false when that is no loop.
    pub(super) fn keep_free(&mut self, taken: &[bool]) -> bool {
        if !self.steps.iter().any(|&s| taken[s]) {
            return true;
        }
        let Some(shortest) = self.shortest else { return false };
        if self.kind == LoopKind::NearRepeat {
            self.steps.retain(|&s| !taken[s]);
            return self.steps.len() >= shortest;
        }
        let free = self.steps.split(|&s| taken[s]);
        // The earliest of the longest: `max_by_key` takes the last.
        let Some(longest) = free.rev().max_by_key(|part| part.len()) else { return false };
        self.steps = longest.to_vec();
        self.steps.len() >= shortest
    }
}

/// Gives equal things equal numbers, and things that equal no other a number of their own.
struct Numbers<T> {
    known: HashMap<T, u32, RandomState>,
    next: u32,
}

impl<T: Hash + Eq> Numbers<T> {
    fn new() -> Self {
        Self { known: HashMap::default(), next: 0 }
    }

    fn of(&mut self, thing: Option<T>) -> u32 {
        let next = self.next;
        let number = thing.map_or(next, |t| *self.known.entry(t).or_insert(next));
        self.next += u32::from(number == next);
        number
    }
}

/// Repetitions of at least `fewest` periods; none are looked for where no symbol occurs that often.
fn repeated(symbols: &[u32], max_period: usize, fewest: usize) -> Vec<Repetition> {
    let mut counts: HashMap<u32, usize, RandomState> = HashMap::default();
    let often = symbols.iter().any(|s| {
        let count = counts.entry(*s).or_default();
        *count += 1;
        *count >= fewest
    });
    if often { repetitions(symbols, max_period) } else { Vec::new() }
}

/// All candidates of a run.
pub(super) fn candidates(steps: &[Step], settings: &Settings) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut numbers = Numbers::new();
    let symbols: Vec<u32> = steps.iter().map(|s| numbers.of(s.identity(settings.compare_results))).collect();
    for part in between_user_turns(steps) {
        let mut agents: Vec<Vec<usize>> = Vec::new();
        let mut index: HashMap<(&Arc<str>, u32), usize, RandomState> = HashMap::default();
        for i in part.clone() {
            let at = *index.entry((&steps[i].agent, steps[i].instance)).or_insert_with(|| {
                agents.push(Vec::new());
                agents.len() - 1
            });
            agents[at].push(i);
        }
        for sequence in &agents {
            let view = Sequence { steps, settings, symbols: &symbols, sequence };
            view.periodic(&mut found);
            view.retries(&mut found);
            view.monologues(&mut found);
            view.stagnations(&mut found);
            view.scattered(&mut found);
            view.near(&mut found);
            if settings.compare_results {
                view.polling(&mut found);
            }
        }
        if agents.len() > 1 {
            ping_pong(steps, settings, &symbols, part, &mut found);
        }
    }
    found
}

fn between_user_turns(steps: &[Step]) -> Vec<std::ops::Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    for i in 1..=steps.len() {
        if i == steps.len() || steps[i].barrier {
            parts.push(start..i);
            start = i;
        }
    }
    parts
}

/// The steps of one agent between two user turns.
struct Sequence<'a> {
    steps: &'a [Step],
    settings: &'a Settings,
    symbols: &'a [u32],
    sequence: &'a [usize],
}

impl Sequence<'_> {
    fn step(&self, at: usize) -> &Step {
        &self.steps[self.sequence[at]]
    }

    fn known(&self, positions: &[usize]) -> bool {
        positions.iter().all(|&s| self.steps[s].outcome().is_some())
    }

    /// Whether each step has the result of the one a period before.
    fn same_results(&self, positions: &[usize], period: usize) -> bool {
        let outcome = |at: usize| self.steps[positions[at]].outcome();
        self.known(positions) && (period..positions.len()).all(|at| outcome(at) == outcome(at - period))
    }

    /// Stretches in which each step belongs with the first.
    fn stretches(
        &self,
        fewest: usize,
        mut begins: impl FnMut(&Step) -> bool,
        same: impl Fn(&Step, &Step) -> bool,
        mut each: impl FnMut(&[usize]),
    ) {
        let mut start = 0;
        while start < self.sequence.len() {
            let first = self.step(start);
            let mut end = start + 1;
            if begins(first) {
                while end < self.sequence.len() && same(first, self.step(end)) {
                    end += 1;
                }
                if end - start >= fewest.max(2) {
                    each(&self.sequence[start..end]);
                }
            }
            start = end;
        }
    }

    fn periodic(&self, found: &mut Vec<Candidate>) {
        let symbols: Vec<u32> = self.sequence.iter().map(|&s| self.symbols[s]).collect();
        let fewest = self.settings.exact_repeats.min(self.settings.cycle_periods).max(2);
        for r in repeated(&symbols, self.settings.max_period.max(1), fewest) {
            let positions = &self.sequence[r.start..r.end];
            let (kind, fewest) = if r.period == 1 {
                (LoopKind::ExactRepeat, self.settings.exact_repeats.max(2))
            } else {
                (LoopKind::Cycle, self.settings.cycle_periods.max(2) * r.period)
            };
            // Equal LLM turns in a row are a monologue.
            let monologue = r.period == 1 && self.step(r.start).kind == StepKind::Llm;
            if positions.len() < fewest || monologue {
                continue;
            }
            if positions[..r.period].iter().all(|&s| self.settings.allows(&self.steps[s].name, kind)) {
                continue;
            }
            let confirmed = self.same_results(positions, r.period);
            found.push(Candidate::new(kind, r.period, positions.to_vec(), Some(fewest), confirmed));
        }
    }

    fn retries(&self, found: &mut Vec<Candidate>) {
        let fewest = self.settings.retries.max(2);
        let begins = |s: &Step| retries(s, self.settings);
        let same = |a: &Step, b: &Step| b.failed && a.kind == b.kind && a.name == b.name && a.k2 == b.k2;
        self.stretches(fewest, begins, same, |positions| {
            found.push(Candidate::new(LoopKind::RetryStorm, 1, positions.to_vec(), Some(fewest), true));
        });
    }

    fn monologues(&self, found: &mut Vec<Candidate>) {
        let fewest = self.settings.monologue_turns.max(2);
        let begins =
            |s: &Step| s.kind == StepKind::Llm && !s.alone && !self.settings.allows(&s.name, LoopKind::Monologue);
        // Compared with the first, not with the one before: outputs that drift away are no loop.
        let same = |a: &Step, b: &Step| {
            let equal = a.output_hash.is_some() && a.output_hash == b.output_hash;
            let near = a.output_simhash.zip(b.output_simhash);
            let near = near.is_some_and(|(a, b)| (a ^ b).count_ones() <= self.settings.simhash_bits);
            b.kind == StepKind::Llm && !b.alone && (equal || near)
        };
        self.stretches(fewest, begins, same, |positions| {
            let first = self.steps[positions[0]].output_hash;
            let confirmed = first.is_some() && positions.iter().all(|&s| self.steps[s].output_hash == first);
            found.push(Candidate::new(LoopKind::Monologue, 1, positions.to_vec(), Some(fewest), confirmed));
        });
    }

    fn stagnations(&self, found: &mut Vec<Candidate>) {
        let settings = self.settings;
        let begins = |s: &Step| {
            s.kind == StepKind::Tool
                && s.k1.is_some()
                && s.result_bytes.is_some_and(|b| b >= settings.stagnation_result_bytes)
                && s.r.is_some_and(|r| !settings.acknowledgements.contains(&(s.name.to_string(), r)))
                && !settings.allows(&s.name, LoopKind::Stagnation)
        };
        let same = |a: &Step, b: &Step| b.kind == a.kind && b.k1.is_some() && a.name == b.name && a.r == b.r;
        self.stretches(settings.stagnation_calls, begins, same, |positions| {
            let first = self.steps[positions[0]].k1;
            if positions.iter().any(|&s| self.steps[s].k1 != first) {
                found.push(Candidate::new(LoopKind::Stagnation, 1, positions.to_vec(), None, true));
            }
        });
    }

    /// Equal calls with other results: periods of one step or of several.
    fn polling(&self, found: &mut Vec<Candidate>) {
        let fewest = self.settings.polls.max(2);
        // Another try after a failure is no polling.
        let polls = |s: &Step| {
            s.kind == StepKind::Tool && !s.failed && s.r.is_some() && !self.settings.allows(&s.name, LoopKind::Polling)
        };
        let mut numbers = Numbers::new();
        let symbols: Vec<u32> = self
            .sequence
            .iter()
            .map(|&s| Some(&self.steps[s]).filter(|s| polls(s)))
            .map(|step| numbers.of(step.and_then(|s| Some((&s.name, s.k1?)))))
            .collect();
        for r in repeated(&symbols, self.settings.max_period.max(1), fewest) {
            let positions = &self.sequence[r.start..r.end];
            if positions.len() >= fewest * r.period && !self.same_results(positions, r.period) {
                found.push(Candidate::new(LoopKind::Polling, r.period, positions.to_vec(), None, true));
            }
        }
    }

    fn near(&self, found: &mut Vec<Candidate>) {
        let fewest = self.settings.near_repeats.max(2);
        super::near::clusters(
            self.sequence,
            |at| self.step(at),
            self.settings,
            |members| {
                let steps: Vec<usize> = members.iter().map(|&at| self.sequence[at]).collect();
                let first = &self.steps[steps[0]];
                let is_llm = first.kind == StepKind::Llm;
                let confirmed = !is_llm && first.r.is_some() && steps.iter().all(|&s| self.steps[s].r == first.r);
                let mut candidate = Candidate::new(LoopKind::NearRepeat, 1, steps, Some(fewest), confirmed);
                candidate.is_llm = is_llm;
                found.push(candidate);
            },
        );
    }

    fn scattered(&self, found: &mut Vec<Candidate>) {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut index: HashMap<u32, usize, RandomState> = HashMap::default();
        for (at, &s) in self.sequence.iter().enumerate() {
            let step = &self.steps[s];
            let adjacent = at > 0 && self.symbols[self.sequence[at - 1]] == self.symbols[s];
            let compared = step.kind == StepKind::Tool && step.k2.is_some();
            if adjacent || !compared || self.settings.allows(&step.name, LoopKind::Scattered) {
                continue;
            }
            let group = *index.entry(self.symbols[s]).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[group].push(at);
        }
        for group in groups {
            if group.len() >= self.settings.scattered_far.max(2) {
                self.push_scattered(&group, found);
                continue;
            }
            let near = self.settings.scattered_near.max(2);
            // Windows that overlap are one finding.
            let mut open: Option<(usize, usize)> = None;
            for start in 0..(group.len() + 1).saturating_sub(near) {
                let end = start + near;
                if group[end - 1] - group[start] >= self.settings.scattered_window {
                    continue;
                }
                open = match open {
                    Some((from, until)) if start < until => Some((from, end)),
                    other => {
                        if let Some((from, until)) = other {
                            self.push_scattered(&group[from..until], found);
                        }
                        Some((start, end))
                    }
                };
            }
            if let Some((from, until)) = open {
                self.push_scattered(&group[from..until], found);
            }
        }
    }

    fn push_scattered(&self, group: &[usize], found: &mut Vec<Candidate>) {
        let positions: Vec<usize> = group.iter().map(|&at| self.sequence[at]).collect();
        let confirmed = self.same_results(&positions, 1);
        found.push(Candidate::new(LoopKind::Scattered, 1, positions, None, confirmed));
    }
}

/// Whether a step may be one of a retry storm.
pub(super) fn retries(step: &Step, settings: &Settings) -> bool {
    step.kind != StepKind::Llm && step.failed && step.k2.is_some() && !settings.allows(&step.name, LoopKind::RetryStorm)
}

/// Agents that take turns. A turn is all that an agent did until another one acted.
fn ping_pong(
    steps: &[Step],
    settings: &Settings,
    symbols: &[u32],
    part: std::ops::Range<usize>,
    found: &mut Vec<Candidate>,
) {
    let mut turns: Vec<std::ops::Range<usize>> = Vec::new();
    for i in part {
        match turns.last_mut() {
            Some(turn) if steps[turn.start].agent == steps[i].agent => turn.end = i + 1,
            _ => turns.push(i..i + 1),
        }
    }
    let agent = |turn: usize| &steps[turns[turn].start].agent;
    let mut numbers = Numbers::new();
    let agents: Vec<u32> = (0..turns.len()).map(|t| numbers.of(Some(agent(t)))).collect();
    // What each turn did: equal turns of equal agents have equal steps.
    let mut numbers = Numbers::new();
    let done: Vec<u32> = turns.iter().map(|t| numbers.of(Some((&steps[t.start].agent, &symbols[t.clone()])))).collect();
    for (turns_are, equal) in [(&agents, false), (&done, true)] {
        for r in repeated(turns_are, settings.max_period.max(2), settings.handoff_periods.max(2)) {
            let whole = (r.end - r.start) / r.period;
            let allowed = (r.start..r.start + r.period).all(|t| settings.allows(agent(t), LoopKind::HandoffPingPong));
            if r.period < 2 || whole < settings.handoff_periods.max(2) || allowed {
                continue;
            }
            let covered = turns[r.start].start..turns[r.end - 1].end;
            let known = steps[covered.clone()].iter().all(|s| s.outcome().is_some());
            let first_period = turns[r.start + r.period - 1].end - covered.start;
            let covered: Vec<usize> = covered.collect();
            let mut candidate = Candidate::new(LoopKind::HandoffPingPong, r.period, covered, None, equal && known);
            candidate.first_period = first_period;
            candidate.turns = r.end - r.start;
            candidate.turns_equal = equal;
            found.push(candidate);
        }
    }
}
