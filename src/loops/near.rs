//! Calls that ask for nearly the same, and LLM turns that say nearly the same, one soon after the other.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::{Settings, Step, StepKind};

/// Fewest words by which calls are compared: `{"id": "x"}` against `{"id": "y"}` says nothing.
const FEWEST_WORDS: usize = 3;
/// Shared words of failed calls: what an agent changes between failures are details.
const FAILED_LIKENESS: f64 = 0.5;

/// Steps that are like the first of them.
#[derive(Debug)]
pub(super) struct Cluster {
    /// Positions among the steps of the agent.
    pub(super) members: Vec<usize>,
    /// Different arguments or outputs: calls that are wholly equal are other kinds of loops.
    different: HashSet<Option<u64>, RandomState>,
}

/// Finds clusters of at least `near_repeats` different steps. Only the clusters whose last member is within the window
/// are compared with, so that this takes a bounded number of comparisons per step.
pub(super) fn clusters<'s>(
    sequence: &[usize],
    step: impl Fn(usize) -> &'s Step,
    settings: &Settings,
    mut each: impl FnMut(&[usize]),
) {
    let mut open: Vec<Cluster> = Vec::new();
    let mut close = |cluster: Cluster| {
        if cluster.different.len() >= settings.near_repeats.max(2) {
            each(&cluster.members);
        }
    };
    for at in 0..sequence.len() {
        let this = step(at);
        let last = |c: &Cluster| c.members.last().copied().unwrap_or(0);
        while let Some(i) = open.iter().position(|c| at - last(c) >= settings.scattered_window) {
            close(open.remove(i));
        }
        // What another agent did in between may be why an LLM turn says much the same again.
        let interrupted = at > 0 && sequence[at] != sequence[at - 1] + 1;
        if interrupted {
            while let Some(i) = open.iter().position(|c| step(c.members[0]).kind == StepKind::Llm) {
                close(open.remove(i));
            }
        }
        if !may_be_near(this, settings) {
            continue;
        }
        let content = if this.kind == StepKind::Llm { this.output_hash } else { this.k2 };
        match open.iter_mut().find(|c| near(step(c.members[0]), this, settings)) {
            Some(cluster) => {
                cluster.members.push(at);
                cluster.different.insert(content);
            }
            None => open.push(Cluster { members: vec![at], different: std::iter::once(content).collect() }),
        }
    }
    // In the order in which they began, whatever closed first.
    open.into_iter().for_each(close);
}

fn may_be_near(step: &Step, settings: &Settings) -> bool {
    step.words.is_some()
        && !step.alone
        && step.kind != StepKind::Handoff
        && !settings.allows(&step.name, super::LoopKind::NearRepeat)
}

/// Whether two steps are nearly the same.
fn near(a: &Step, b: &Step, settings: &Settings) -> bool {
    let (Some(x), Some(y)) = (&a.words, &b.words) else { return false };
    if a.kind != b.kind || a.name != b.name {
        return false;
    }
    match a.kind {
        StepKind::Llm => x.len().min(y.len()) >= FEWEST_WORDS && x.likeness(y) >= settings.near_output_likeness,
        _ if a.failed && b.failed => x.likeness(y) >= FAILED_LIKENESS,
        _ => {
            x.len().min(y.len()) >= FEWEST_WORDS
                && x.same_numbers(y)
                && x.likeness(y) >= settings.near_argument_likeness
        }
    }
}
