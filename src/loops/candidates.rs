//! All that looks like a loop, one kind after the other, before steps are shared out.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::RandomState;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::near::{Clusters, Place, are_enough};
use super::stretch::{Rule, Stretch};
use super::turns::{turns, who, with_step};
use super::{LoopKind, Repetition, Settings, Severity, Step, StepKind, kind, repetitions, scattered, turns};

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
    fn new(run: &[Step], kind: LoopKind, period: usize, steps: Vec<usize>, shortest: Option<usize>) -> Self {
        let is_llm = steps.first().is_some_and(|&s| run[s].kind == StepKind::Llm);
        let (first_period, turns, turns_equal) = (period, 0, false);
        let mut candidate =
            Self { kind, period, steps, first_period, turns, turns_equal, shortest, confirmed: false, is_llm };
        candidate.confirmed = candidate.is_confirmed(run);
        candidate
    }

    /// Whether results show that nothing new came of it.
    fn is_confirmed(&self, run: &[Step]) -> bool {
        match self.kind {
            // What happened is what they are about.
            LoopKind::RetryStorm | LoopKind::Stagnation | LoopKind::Polling => true,
            LoopKind::NearRepeat if self.is_llm => false,
            LoopKind::HandoffPingPong if !self.turns_equal => false,
            _ => same_results(run, &self.steps, self.first_period),
        }
    }

    pub(super) fn severity(&self) -> Severity {
        self.kind.severity(self.confirmed, self.turns_equal)
    }

    /// The least goes first.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        kind::rank((self.kind, self.severity()), self.steps.len(), self.period, self.steps[0])
    }

    pub(super) fn repeats(&self) -> f64 {
        let units = if self.kind == LoopKind::HandoffPingPong { self.turns } else { self.steps.len() };
        units as f64 / self.period as f64
    }

    pub(super) fn wasted(&self) -> &[usize] {
        if self.kind.is_waste() { &self.steps[self.first_period..] } else { &[] }
    }

    /// Leaves what other findings have not taken; false when that is no loop.
    pub(super) fn keep_free(&mut self, taken: &[bool], run: &[Step], settings: &Settings) -> bool {
        if !self.steps.iter().any(|&s| taken[s]) {
            return true;
        }
        let Some(shortest) = self.shortest else { return false };
        if self.kind == LoopKind::NearRepeat {
            self.steps.retain(|&s| !taken[s]);
            if !are_enough(self.steps.iter().map(|&s| &run[s]), settings) {
                return false;
            }
        } else {
            let free = self.steps.split(|&s| taken[s]);
            // The earliest of the longest: `max_by_key` takes the last.
            let Some(longest) = free.rev().max_by_key(|part| part.len()) else { return false };
            self.steps = longest.to_vec();
        }
        self.confirmed = self.is_confirmed(run);
        self.steps.len() >= shortest
    }
}

/// Whether all results are known, and each is that of the step a period before.
fn same_results(run: &[Step], positions: &[usize], period: usize) -> bool {
    let outcome = |at: usize| run[positions[at]].outcome();
    (0..positions.len()).all(|at| outcome(at).is_some() && (at < period || outcome(at) == outcome(at - period)))
}

/// A sequence of hashes in which equal ones have equal numbers, and those that are not known a number of their own.
struct Numbered {
    numbers: Vec<u32>,
    /// How often each number occurs.
    counts: Vec<u32>,
}

impl Numbered {
    fn of(hashes: impl ExactSizeIterator<Item = Option<u64>>) -> Self {
        let mut known: HashMap<u64, u32, RandomState> =
            HashMap::with_capacity_and_hasher(hashes.len(), RandomState::default());
        let mut counts: Vec<u32> = Vec::new();
        let numbers = hashes
            .map(|hash| {
                let next = counts.len() as u32;
                let number = hash.map_or(next, |h| *known.entry(h).or_insert(next));
                if number == next {
                    counts.push(0);
                }
                counts[number as usize] += 1;
                number
            })
            .collect();
        Self { numbers, counts }
    }

    fn count(&self, at: usize) -> usize {
        self.counts[self.numbers[at] as usize] as usize
    }

    /// Repetitions of some of the sequence that may have `fewest` periods: none are looked for where nothing occurs
    /// that often.
    fn repetitions(
        &self,
        of: impl ExactSizeIterator<Item = usize> + Clone,
        max: usize,
        fewest: usize,
    ) -> Vec<Repetition> {
        let max_period = max.min(of.len() / fewest);
        if max_period == 0 || !of.clone().any(|at| self.count(at) >= fewest) {
            return Vec::new();
        }
        repetitions(&of.map(|at| self.numbers[at]).collect::<Vec<u32>>(), max_period)
    }
}

/// All candidates of a run.
pub(super) fn candidates(steps: &[Step], settings: &Settings) -> Vec<Candidate> {
    let mut found = Vec::new();
    let fewest = settings.fewest();
    if steps.len() < fewest {
        return found;
    }

    let equal = Numbered::of(steps.iter().map(|s| s.identity(settings.compare_results)));
    let polls = settings.compare_results.then(|| Numbered::of(steps.iter().map(|s| s.poll(settings))));
    // Each of several runs of an agent at the same time is looked at for itself.
    let several = steps.windows(2).any(|w| w[0].instance != w[1].instance || w[0].agent != w[1].agent);
    let who = |s: &Step| Some(xxh3_64_with_seed(s.agent.as_bytes(), s.instance.into()));
    let agents = if several { Numbered::of(steps.iter().map(who)).numbers } else { vec![0; steps.len()] };
    let mut start = 0;
    for part in steps.chunk_by(|_, next| !next.barrier) {
        let part = start..start + part.len();
        start = part.end;
        if part.len() < fewest {
            continue;
        }
        let mut order: Vec<usize> = part.clone().collect();
        if several {
            order.sort_by_key(|&s| agents[s]);
            ping_pong(steps, settings, part, &mut found);
        }
        for sequence in order.chunk_by(|&a, &b| agents[a] == agents[b]) {
            if sequence.len() < fewest {
                continue;
            }
            let view = Sequence { steps, settings, equal: &equal, sequence };
            view.periodic(&mut found);
            view.stretches(&mut found);
            view.scattered(&mut found);
            view.near(&mut found);
            if let Some(polls) = &polls {
                view.polling(polls, &mut found);
            }
        }
    }
    found
}

/// The steps of one agent between two user turns.
struct Sequence<'a> {
    steps: &'a [Step],
    settings: &'a Settings,
    equal: &'a Numbered,
    sequence: &'a [usize],
}

impl Sequence<'_> {
    fn periodic(&self, found: &mut Vec<Candidate>) {
        let fewest = self.settings.exact_repeats.min(self.settings.cycle_periods).max(2);
        for r in self.equal.repetitions(self.sequence.iter().copied(), self.settings.max_period.max(1), fewest) {
            let positions = &self.sequence[r.start..r.end];
            let (kind, fewest) = LoopKind::of_period(r.period, self.settings);
            // Equal LLM turns in a row are a monologue.
            let monologue = r.period == 1 && self.steps[positions[0]].kind == StepKind::Llm;
            if positions.len() < fewest || monologue {
                continue;
            }
            if positions[..r.period].iter().all(|&s| self.settings.allows(&self.steps[s].name, kind)) {
                continue;
            }
            found.push(Candidate::new(self.steps, kind, r.period, positions.to_vec(), Some(fewest)));
        }
    }

    fn stretches(&self, found: &mut Vec<Candidate>) {
        for rule in Rule::ALL {
            // A part of a stagnation may have equal arguments.
            let shortest = (rule != Rule::Stagnation).then(|| rule.fewest(self.settings));
            let mut open = None;
            for (at, &s) in self.sequence.iter().enumerate() {
                let step = &self.steps[s];
                if let Some(ended) = rule.follow(&mut open, (at, step), self.settings, || step) {
                    self.stretch(rule, &ended, shortest, found);
                }
            }
            if let Some(ended) = open {
                self.stretch(rule, &ended, shortest, found);
            }
        }
    }

    fn stretch(&self, rule: Rule, ended: &Stretch<&Step>, shortest: Option<usize>, found: &mut Vec<Candidate>) {
        if rule.confirmed(ended, self.settings).is_some() {
            let positions = self.sequence[ended.start..ended.start + ended.len].to_vec();
            found.push(Candidate::new(self.steps, rule.kind(), 1, positions, shortest));
        }
    }

    /// Equal calls with other results: periods of one step or of several.
    fn polling(&self, polls: &Numbered, found: &mut Vec<Candidate>) {
        let fewest = self.settings.polls.max(2);
        for r in polls.repetitions(self.sequence.iter().copied(), self.settings.max_period.max(1), fewest) {
            let positions = &self.sequence[r.start..r.end];
            if positions.len() / r.period >= fewest && !same_results(self.steps, positions, r.period) {
                found.push(Candidate::new(self.steps, LoopKind::Polling, r.period, positions.to_vec(), None));
            }
        }
    }

    fn near(&self, found: &mut Vec<Candidate>) {
        if !self.sequence.iter().any(|&s| self.steps[s].words.is_some()) {
            return;
        }
        let mut clusters = Clusters::default();
        let mut members: Vec<(usize, usize)> = Vec::new();
        for (at, &number) in self.sequence.iter().enumerate() {
            let interrupted = at > 0 && number != self.sequence[at - 1] + 1;
            let (place, step) = (Place { at, number, interrupted }, &self.steps[number]);
            let cluster = clusters.follow(place, step, self.settings, || step);
            members.extend(cluster.map(|c| (c.number, number)));
        }
        members.sort_unstable();
        let shortest = self.settings.near_repeats.max(2);
        for cluster in members.chunk_by(|a, b| a.0 == b.0) {
            if are_enough(cluster.iter().map(|(_, s)| &self.steps[*s]), self.settings) {
                let positions = cluster.iter().map(|(_, s)| *s).collect();
                found.push(Candidate::new(self.steps, LoopKind::NearRepeat, 1, positions, Some(shortest)));
            }
        }
    }

    fn scattered(&self, found: &mut Vec<Candidate>) {
        let (numbers, fewest) = (&self.equal.numbers, scattered::fewest(self.settings));
        let mut calls: Vec<(u32, usize)> = Vec::new();
        for (at, &s) in self.sequence.iter().enumerate() {
            let adjacent = at > 0 && numbers[self.sequence[at - 1]] == numbers[s];
            if !adjacent && self.equal.count(s) >= fewest && self.steps[s].scatters(self.settings) {
                calls.push((numbers[s], at));
            }
        }
        calls.sort_unstable();
        for group in calls.chunk_by(|a, b| a.0 == b.0).filter(|g| g.len() >= fewest) {
            let at: Vec<usize> = group.iter().map(|(_, at)| *at).collect();
            for range in scattered::loops_among(&at, self.settings) {
                let positions = at[range].iter().map(|&at| self.sequence[at]).collect();
                found.push(Candidate::new(self.steps, LoopKind::Scattered, 1, positions, None));
            }
        }
    }
}

fn ping_pong(steps: &[Step], settings: &Settings, part: Range<usize>, found: &mut Vec<Candidate>) {
    let turns = turns(steps, part);
    let fewest = turns::fewest(settings);
    if turns.len() / 2 < fewest {
        return;
    }
    let agent = |turn: usize| &steps[turns[turn].start].agent;
    let agents = Numbered::of(turns.iter().map(|t| Some(who(&steps[t.start]))));
    // What each turn did: equal turns of equal agents have equal steps.
    let done = |turn: &Range<usize>| {
        let identities = steps[turn.clone()].iter().map(|s| s.identity(settings.compare_results));
        identities.fold(Some(who(&steps[turn.start])), with_step)
    };
    let done = Numbered::of(turns.iter().map(done));
    for (turns_are, equal) in [(agents, false), (done, true)] {
        for r in turns_are.repetitions(0..turns.len(), turns::max_period(settings), fewest) {
            let whole = (r.end - r.start) / r.period;
            let allowed = (r.start..r.start + r.period).all(|t| settings.allows(agent(t), LoopKind::HandoffPingPong));
            if r.period < 2 || whole < fewest || allowed {
                continue;
            }
            let covered = turns[r.start].start..turns[r.end - 1].end;
            let first_period = turns[r.start + r.period - 1].end - covered.start;
            let mut candidate = Candidate::new(steps, LoopKind::HandoffPingPong, r.period, covered.collect(), None);
            candidate.first_period = first_period;
            candidate.turns = r.end - r.start;
            candidate.turns_equal = equal;
            candidate.confirmed = candidate.is_confirmed(steps);
            found.push(candidate);
        }
    }
}
