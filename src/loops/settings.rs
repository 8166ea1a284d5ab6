//! Thresholds.

use std::collections::{BTreeMap, BTreeSet};

use super::LoopKind;

/// Thresholds of all kinds.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
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
    /// Fewest calls in a row of polling.
    pub polls: usize,
    /// Kinds that a tool may do; an empty set stands for all.
    pub allow: BTreeMap<String, BTreeSet<LoopKind>>,
    /// Results that are a tool's usual acknowledgement: tool and hash of the result.
    pub acknowledgements: BTreeSet<(String, u64)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
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
            polls: 3,
            allow: BTreeMap::new(),
            acknowledgements: BTreeSet::new(),
        }
    }
}

impl Settings {
    pub(super) fn allows(&self, tool: &str, kind: LoopKind) -> bool {
        self.allow.get(tool).is_some_and(|kinds| kinds.is_empty() || kinds.contains(&kind))
    }
}
