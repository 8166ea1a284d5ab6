//! Stretches of an agent's steps in which each step belongs with the first: retry storms, monologues, stagnations.

use std::borrow::Borrow;

use super::{LoopKind, Settings, Step, StepKind};

/// What makes steps one stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The same call, failing each time.
    RetryStorm,
    /// The same LLM output.
    Monologue,
    /// The same answer of a tool to other arguments.
    Stagnation,
}

/// A stretch that still goes on. In the offline form `S` borrows the first step, in the streaming form it is a copy.
#[derive(Debug)]
pub(super) struct Stretch<S> {
    first: S,
    /// Where it began, as the caller counts.
    pub(super) start: usize,
    /// Steps so far.
    pub(super) len: usize,
    /// Whether all of them have the content of the first.
    equal: bool,
}

impl Rule {
    pub(super) const ALL: [Self; 3] = [Self::RetryStorm, Self::Monologue, Self::Stagnation];

    pub(super) fn kind(self) -> LoopKind {
        match self {
            Self::RetryStorm => LoopKind::RetryStorm,
            Self::Monologue => LoopKind::Monologue,
            Self::Stagnation => LoopKind::Stagnation,
        }
    }

    /// Fewest steps of a loop.
    pub(super) fn fewest(self, settings: &Settings) -> usize {
        let fewest = match self {
            Self::RetryStorm => settings.retries,
            Self::Monologue => settings.monologue_turns,
            Self::Stagnation => settings.stagnation_calls,
        };
        fewest.max(2)
    }

    fn may_be_part(self, step: &Step, settings: &Settings) -> bool {
        let fits = match self {
            Self::RetryStorm => step.kind != StepKind::Llm && step.failed && step.k2.is_some(),
            Self::Monologue => step.kind == StepKind::Llm && !step.alone,
            Self::Stagnation => step.kind == StepKind::Tool && step.k1.is_some() && step.r.is_some(),
        };
        fits && !settings.allows(&step.name, self.kind())
    }

    fn may_begin(self, step: &Step, settings: &Settings) -> bool {
        let says_something = || {
            step.result_bytes.is_some_and(|b| b >= settings.stagnation_result_bytes)
                && step.r.is_some_and(|r| !settings.acknowledges(&step.name, r))
        };
        self.may_be_part(step, settings) && (self != Self::Stagnation || says_something())
    }

    fn same(self, first: &Step, step: &Step, settings: &Settings) -> bool {
        match self {
            Self::RetryStorm => first.kind == step.kind && first.k2 == step.k2 && first.name == step.name,
            // Compared with the first, not with the one before: outputs that drift away are no loop.
            Self::Monologue => {
                let equal = first.output_hash.is_some() && first.output_hash == step.output_hash;
                let near = first.output_simhash.zip(step.output_simhash);
                equal || near.is_some_and(|(a, b)| (a ^ b).count_ones() <= settings.simhash_bits)
            }
            Self::Stagnation => first.r == step.r && first.name == step.name,
        }
    }

    fn content(self, step: &Step) -> Option<u64> {
        match self {
            Self::RetryStorm => step.k2,
            Self::Monologue => step.output_hash,
            Self::Stagnation => step.k1,
        }
    }

    /// Takes the agent's next step into the open stretch, or begins another; gives back the one that ended before it.
    pub(super) fn follow<S: Borrow<Step>>(
        self,
        open: &mut Option<Stretch<S>>,
        (at, step): (usize, &Step),
        settings: &Settings,
        keep: impl FnOnce() -> S,
    ) -> Option<Stretch<S>> {
        if let Some(stretch) = open {
            let first = stretch.first.borrow();
            if self.may_be_part(step, settings) && self.same(first, step, settings) {
                stretch.equal &= self.content(first) == self.content(step);
                stretch.len += 1;
                return None;
            }
        }
        let begun = self.may_begin(step, settings).then(|| Stretch {
            first: keep(),
            start: at,
            len: 1,
            equal: self.content(step).is_some(),
        });
        std::mem::replace(open, begun)
    }

    /// Whether a stretch is a loop, and if so, whether that is confirmed.
    pub(super) fn confirmed<S>(self, stretch: &Stretch<S>, settings: &Settings) -> Option<bool> {
        if stretch.len < self.fewest(settings) {
            return None;
        }
        match self {
            Self::RetryStorm => Some(true),
            Self::Monologue => Some(stretch.equal),
            // The same arguments each time: other kinds tell of that.
            Self::Stagnation => (!stretch.equal).then_some(true),
        }
    }
}
