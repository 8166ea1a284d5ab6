//! Agents that take turns. A turn is all that an agent did until another one acted.

use std::ops::Range;
use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::periods::{Ending, Item, Periods, Run, endings};
use super::{LoopKind, Settings, Step};

/// Longest period, in turns.
pub(super) fn max_period(settings: &Settings) -> usize {
    settings.max_period.max(2)
}

/// Fewest whole periods of a loop.
pub(super) fn fewest(settings: &Settings) -> usize {
    settings.handoff_periods.max(2)
}

/// Turns of a part of a run.
pub(super) fn turns(steps: &[Step], part: Range<usize>) -> Vec<Range<usize>> {
    let mut turns: Vec<Range<usize>> = Vec::new();
    for i in part {
        match turns.last_mut() {
            Some(turn) if steps[turn.start].agent == steps[i].agent => turn.end = i + 1,
            _ => turns.push(i..i + 1),
        }
    }
    turns
}

/// Hash of who acted.
pub(super) fn who(step: &Step) -> u64 {
    xxh3_64(step.agent.as_bytes())
}

/// Hash of a turn that has one step more: `None` when a step equals no other.
pub(super) fn with_step(turn: Option<u64>, identity: Option<u64>) -> Option<u64> {
    Some(xxh3_64_with_seed(&identity?.to_le_bytes(), turn?))
}

/// Turns that come one step at a time.
#[derive(Debug, Default)]
pub(super) struct Turns {
    agent: Option<Arc<str>>,
    /// Turns by who acts, the one under way among them.
    agents: Periods,
    /// Turns by what was done, without the one under way.
    done: Periods,
    under_way: Option<Item>,
    /// `done` with the turn under way.
    runs: Vec<Run>,
    unknown: Option<usize>,
}

/// Turns that repeat, up to the last step.
#[derive(Debug, Clone, Copy)]
pub(super) struct TakingTurns {
    /// In turns.
    pub(super) period: usize,
    /// Number of the first step in the run.
    pub(super) first: usize,
    /// Whether they have equal steps, as far as results are known.
    pub(super) equal: bool,
    /// Whether all results are known and repeat.
    pub(super) confirmed: bool,
}

impl Turns {
    /// Takes the next step of the run.
    pub(super) fn follow(
        &mut self,
        (number, step): (usize, &Step),
        identity: Option<u64>,
        settings: &Settings,
    ) -> impl Iterator<Item = TakingTurns> {
        if step.outcome().is_none() {
            self.unknown = Some(number);
        }
        let goes_on = self.agent.as_ref() == Some(&step.agent);
        if !goes_on {
            if let Some(turn) = self.under_way.take() {
                self.done.follow(turn, max_period(settings));
            }
            self.agent = Some(Arc::clone(&step.agent));
            let (symbol, allowed) = (Some(who(step)), settings.allows(&step.agent, LoopKind::HandoffPingPong));
            let turn = Item { symbol, outcome: None, first: number, allowed };
            self.agents.follow(turn, max_period(settings));
            self.under_way = Some(Item { outcome: Some(0), ..turn });
        }
        if let Some(turn) = &mut self.under_way {
            turn.symbol = with_step(turn.symbol, identity);
            turn.outcome = with_step(turn.outcome, Some(step.outcome().unwrap_or(0)));
            self.done.with(turn, &mut self.runs);
        }
        let unknown = self.unknown;
        let known = move |e: &Ending| unknown.is_none_or(|u| u < e.first);
        let agents = &self.agents;
        let by_agent = agents.endings().map(|e| (e, false, false));
        let by_steps = endings(&self.runs).map(move |e| (e, true, known(&e) && e.same_results));
        let fewest = fewest(settings);
        by_agent.chain(by_steps).filter_map(move |(e, equal, confirmed)| {
            let is_loop = e.period >= 2 && e.len / e.period >= fewest && !agents.allowed(e.period);
            is_loop.then_some(TakingTurns { period: e.period, first: e.first, equal, confirmed })
        })
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.agents.entries() + self.done.entries() + self.runs.len()
    }
}
