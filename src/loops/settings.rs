//! Thresholds.

use std::collections::{BTreeMap, BTreeSet};

use super::LoopKind;

/// Thresholds of all kinds.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whether equal calls must have equal results too. Without, polling counts as a loop.
    pub compare_results: bool,
    /// Longest period of cycles and ping-pongs, in steps or turns of agents.
    pub max_period: usize,
    /// Fewest equal calls in a row of an exact repeat.
    pub exact_repeats: usize,
    /// Fewest failed calls in a row of a retry storm.
    pub retries: usize,
    /// Fewest whole periods of a cycle.
    pub cycle_periods: usize,
    /// Fewest whole periods of a ping-pong between agents.
    pub handoff_periods: usize,
    /// Fewest equal LLM outputs in a row of a monologue.
    pub monologue_turns: usize,
    /// Most bits in which similarity hashes of equal outputs differ.
    pub simhash_bits: u32,
    /// Fewest calls in a row that get the same answer of a stagnation.
    pub stagnation_calls: usize,
    /// Shortest answer that counts for stagnation: shorter ones are acknowledgements.
    pub stagnation_result_bytes: u64,
    /// Fewest equal calls within `scattered_window` steps.
    pub scattered_near: usize,
    /// Steps that `scattered_near` calls must lie within.
    pub scattered_window: usize,
    /// Fewest equal calls between two user turns, however far apart.
    pub scattered_far: usize,
    /// Fewest different calls of a tool with nearly equal arguments, or different LLM outputs that say nearly the same,
    /// each within `scattered_window` steps of the one before.
    pub near_repeats: usize,
    /// Share of words that nearly equal arguments have in common; failed calls need half only.
    pub near_argument_likeness: f64,
    /// Share of words that LLM outputs which say nearly the same have in common.
    pub near_output_likeness: f64,
    /// Fewest calls in a row of polling.
    pub polls: usize,
    /// Keys of arguments that do not matter when calls are compared, wherever in the arguments they are.
    pub ignored_keys: BTreeSet<String>,
    /// Kinds that a tool may do; an empty set stands for all.
    pub allow: BTreeMap<String, BTreeSet<LoopKind>>,
    /// Results that are a tool's usual acknowledgement: tool and hash of the result.
    pub acknowledgements: BTreeSet<(String, u64)>,
    /// The same as text, for whoever makes the steps to hash as results are hashed: see
    /// `Deriver::with_loop_settings`.
    pub acknowledgement_texts: BTreeSet<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            compare_results: true,
            max_period: 64,
            exact_repeats: 3,
            retries: 3,
            cycle_periods: 3,
            handoff_periods: 3,
            monologue_turns: 3,
            simhash_bits: 3,
            stagnation_calls: 6,
            stagnation_result_bytes: 32,
            scattered_near: 4,
            scattered_window: 16,
            scattered_far: 6,
            near_repeats: 3,
            near_argument_likeness: 0.7,
            near_output_likeness: 0.4,
            polls: 3,
            ignored_keys: BTreeSet::new(),
            allow: BTreeMap::new(),
            acknowledgements: BTreeSet::new(),
            acknowledgement_texts: BTreeSet::new(),
        }
    }
}

impl Settings {
    /// The same with another number of repeats from which on equal steps are a loop: exact repeats, retries, cycles,
    /// ping-pongs, monologues, near repeats and polling.
    #[must_use]
    pub fn with_min_repeats(mut self, repeats: usize) -> Self {
        (self.exact_repeats, self.retries, self.cycle_periods) = (repeats, repeats, repeats);
        (self.handoff_periods, self.monologue_turns) = (repeats, repeats);
        (self.near_repeats, self.polls) = (repeats, repeats);
        self
    }

    /// The same for settings that give the same findings: what is found can be kept under it.
    pub fn identity(&self) -> [u8; 32] {
        *blake3::hash(format!("{self:?}").as_bytes()).as_bytes()
    }

    /// Settings with which each run that has findings has some when all of its calls have one and the same result.
    ///
    /// Calls that are equal with their results are equal without them, in periods that are shorter or the same, and polls
    /// are equal calls: hence one threshold for all of these. It is at most 3 for scattered calls, of which those in a
    /// row count once: of two in a row, one at most has the result in question.
    pub(crate) fn loosest(&self) -> Self {
        let fewest = self.exact_repeats.min(self.cycle_periods).min(self.polls).min(3);
        Settings {
            compare_results: false,
            exact_repeats: fewest,
            cycle_periods: fewest,
            allow: BTreeMap::new(),
            acknowledgements: BTreeSet::new(),
            ..self.clone()
        }
    }

    /// Fewest equal steps that any kind needs: a run with fewer of each has no findings.
    pub(crate) fn fewest(&self) -> usize {
        let counts = [self.exact_repeats, self.retries, self.cycle_periods, self.handoff_periods, self.monologue_turns];
        let others = [self.near_repeats, self.polls, self.stagnation_calls, self.scattered_near, self.scattered_far];
        counts.into_iter().chain(others).min().unwrap_or(2).max(2)
    }

    /// Whether a result is the usual acknowledgement of a tool.
    pub(super) fn acknowledges(&self, tool: &str, result: u64) -> bool {
        // The set is looked up with a text of its own, for which nothing is spent where there is none.
        !self.acknowledgements.is_empty() && self.acknowledgements.contains(&(tool.to_string(), result))
    }

    pub(super) fn allows(&self, tool: &str, kind: LoopKind) -> bool {
        self.allow.get(tool).is_some_and(|kinds| kinds.is_empty() || kinds.contains(&kind))
    }
}
