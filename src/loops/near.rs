//! Calls that ask for nearly the same, and LLM turns that say nearly the same, one soon after the other.

use std::borrow::Borrow;
use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::{LoopKind, Settings, Step, StepKind};

/// Fewest words by which calls are compared: `{"id": "x"}` against `{"id": "y"}` says nothing.
const FEWEST_WORDS: usize = 3;
/// Shared words of failed calls: what an agent changes between failures are details.
const FAILED_LIKENESS: f64 = 0.5;

/// Clusters of one agent's steps, each with at least one step among the last `scattered_window`: a step is compared
/// with so many clusters at most.
#[derive(Debug)]
pub(super) struct Clusters<S> {
    /// In the order in which they began.
    open: Vec<Cluster<S>>,
    begun: usize,
}

/// Steps that are like the first of them. In the offline form `S` borrows that step, in the streaming form it is a copy.
#[derive(Debug)]
pub(super) struct Cluster<S> {
    first: S,
    /// How many clusters began before it.
    pub(super) number: usize,
    /// Number of the first step in the run.
    pub(super) start: usize,
    /// The last member, by position among the steps of the agent.
    last: usize,
    /// Steps so far.
    pub(super) len: usize,
    /// Different contents, up to as many as a loop needs.
    different: HashSet<Option<u64>, RandomState>,
    same_result: bool,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Position among the steps of the agent.
    pub(super) at: usize,
    /// Number in the run.
    pub(super) number: usize,
    /// Whether another agent acted since the agent's step before.
    pub(super) interrupted: bool,
}

impl<S> Default for Clusters<S> {
    fn default() -> Self {
        Self { open: Vec::new(), begun: 0 }
    }
}

impl<S: Borrow<Step>> Clusters<S> {
    /// Takes the agent's next step; the cluster that it belongs to.
    pub(super) fn follow(
        &mut self,
        place: Place,
        step: &Step,
        settings: &Settings,
        keep: impl FnOnce() -> S,
    ) -> Option<&Cluster<S>> {
        if !self.open.is_empty() {
            self.open.retain(|c| {
                // What another agent did in between may be why an LLM turn says much the same again.
                let interrupted = place.interrupted && c.first.borrow().kind == StepKind::Llm;
                !interrupted && place.at - c.last < settings.scattered_window
            });
        }
        if !may_be_near(step, settings) {
            return None;
        }
        let alike = self.open.iter().position(|c| near(c.first.borrow(), step, settings)).unwrap_or(self.open.len());
        if alike == self.open.len() {
            let (same_result, different) = (step.kind != StepKind::Llm && step.r.is_some(), HashSet::default());
            let (number, start, last) = (self.begun, place.number, place.at);
            self.open.push(Cluster { first: keep(), number, start, last, len: 0, different, same_result });
            self.begun += 1;
        }
        let cluster = self.open.get_mut(alike)?;
        cluster.last = place.at;
        cluster.len += 1;
        cluster.same_result &= cluster.first.borrow().r == step.r;
        if cluster.different.len() < fewest(settings) {
            cluster.different.insert(content(step));
        }
        Some(cluster)
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.open.iter().map(|c| 1 + c.different.len()).sum()
    }
}

impl<S> Cluster<S> {
    /// Whether it is a loop, and if so, whether that is confirmed.
    pub(super) fn confirmed(&self, settings: &Settings) -> Option<bool> {
        (self.different.len() >= fewest(settings)).then_some(self.same_result)
    }
}

/// Fewest different steps of a loop.
fn fewest(settings: &Settings) -> usize {
    settings.near_repeats.max(2)
}

/// Whether enough steps of a cluster are different: those that are wholly equal are other kinds of loops. Steps whose
/// content is not known count as one.
pub(super) fn are_enough<'s>(members: impl Iterator<Item = &'s Step>, settings: &Settings) -> bool {
    let mut different: HashSet<Option<u64>, RandomState> = HashSet::default();
    members.into_iter().any(|step| different.insert(content(step)) && different.len() >= fewest(settings))
}

fn content(step: &Step) -> Option<u64> {
    if step.kind == StepKind::Llm { step.output_hash } else { step.k2 }
}

fn may_be_near(step: &Step, settings: &Settings) -> bool {
    step.words.is_some()
        && !step.alone
        && step.kind != StepKind::Handoff
        && !settings.allows(&step.name, LoopKind::NearRepeat)
}

/// Whether two steps are nearly the same.
fn near(a: &Step, b: &Step, settings: &Settings) -> bool {
    let (Some(x), Some(y)) = (&a.words, &b.words) else { return false };
    if a.kind != b.kind || a.name != b.name {
        return false;
    }
    let comparable = x.len().min(y.len()) >= FEWEST_WORDS;
    match a.kind {
        StepKind::Llm => comparable && x.is_like(y, settings.near_output_likeness),
        _ if a.failed && b.failed => x.is_like(y, FAILED_LIKENESS),
        _ => comparable && x.same_numbers(y) && x.is_like(y, settings.near_argument_likeness),
    }
}
