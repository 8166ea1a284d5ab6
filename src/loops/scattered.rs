//! The same call with the same result, with other steps between.

use std::collections::VecDeque;
use std::ops::Range;

use super::Settings;

/// What of the calls that are equal is a loop, as ranges of them. `at` are their positions among the steps of the
/// agent, ascending.
pub(super) fn loops_among(at: &[usize], settings: &Settings) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    if at.len() >= far(settings) {
        found.push(0..at.len());
        return found;
    }
    for (start, window) in at.windows(near(settings)).enumerate() {
        if window[window.len() - 1] - window[0] >= settings.scattered_window {
            continue;
        }
        let end = start + window.len();
        match found.last_mut() {
            // Windows that overlap are one finding.
            Some(last) if start < last.end => last.end = end,
            _ => found.push(start..end),
        }
    }
    found
}

/// Fewest calls of a loop: fewer need not be looked at.
pub(super) fn fewest(settings: &Settings) -> usize {
    near(settings).min(far(settings))
}

fn near(settings: &Settings) -> usize {
    settings.scattered_near.max(2)
}

fn far(settings: &Settings) -> usize {
    settings.scattered_far.max(2)
}

/// The same as [`loops_among`] for calls that come one at a time.
#[derive(Debug, Default)]
pub(super) struct Group {
    calls: usize,
    /// Number of the first call in the run.
    first: usize,
    /// The last calls, as many as `scattered_near` and within the window: position among the steps of the agent, and
    /// number in the run.
    recent: VecDeque<(usize, usize)>,
    window: Option<Window>,
    last_outcome: Option<u64>,
    /// The last call without a known result.
    unknown: Option<usize>,
    /// The last call whose result was not that of the call before.
    changed: Option<usize>,
}

/// Windows that overlap.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// Which of the calls are in it.
    from: usize,
    until: usize,
    /// Number of the first one in the run.
    first: usize,
}

/// A loop that the last call of a group is in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scattered {
    /// Calls so far.
    pub(super) calls: usize,
    /// Number of the first one in the run.
    pub(super) first: usize,
    /// Whether all results are known and the same.
    pub(super) confirmed: bool,
}

impl Group {
    /// Takes the next of the equal calls: its position among the steps of the agent, and its number in the run.
    pub(super) fn follow(
        &mut self,
        (at, number): (usize, usize),
        outcome: Option<u64>,
        settings: &Settings,
    ) -> Option<Scattered> {
        let this = self.calls;
        self.calls += 1;
        if this == 0 {
            self.first = number;
        } else if outcome != self.last_outcome {
            self.changed = Some(this);
        }
        self.last_outcome = outcome;
        if outcome.is_none() {
            self.unknown = Some(this);
        }
        if self.calls >= far(settings) {
            self.recent = VecDeque::new();
            return Some(self.found(0, self.first));
        }
        let near = near(settings);
        self.recent.push_back((at, number));
        while self.recent.len() > near || self.recent.front().is_some_and(|(a, _)| at - a >= settings.scattered_window)
        {
            self.recent.pop_front();
        }
        if self.recent.len() < near {
            return None;
        }
        let from = self.calls - near;
        let window = match self.window {
            Some(window) if from < window.until => Window { until: self.calls, ..window },
            _ => Window { from, until: self.calls, first: self.recent.front()?.1 },
        };
        self.window = Some(window);
        Some(self.found(window.from, window.first))
    }

    fn found(&self, from: usize, first: usize) -> Scattered {
        let confirmed = self.unknown.is_none_or(|u| u < from) && self.changed.is_none_or(|c| c <= from);
        Scattered { calls: self.calls - from, first, confirmed }
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        1 + self.recent.len()
    }
}
