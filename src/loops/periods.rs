//! Repetitions of a sequence whose symbols come one at a time. Says of each prefix what [`super::repetitions`] says of
//! the repetitions that reach its end.

use std::collections::VecDeque;

/// One symbol of the sequence, and what is asked about the stretch that it is in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    /// `None` equals no other.
    pub(super) symbol: Option<u64>,
    /// The result.
    pub(super) outcome: Option<u64>,
    /// Number of its first step in the run.
    pub(super) first: usize,
    /// Whether it may repeat.
    pub(super) allowed: bool,
}

/// How the end of the sequence repeats with one period.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Run {
    /// Symbols in a row that equal the one a period before.
    matched: usize,
    /// Number of the first step, where any symbol matched.
    first: usize,
    /// Whether a result is not that of a period before.
    differs: bool,
}

/// A repetition that reaches the end of the sequence, of two whole periods or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    /// The smallest period.
    pub(super) period: usize,
    /// Symbols.
    pub(super) len: usize,
    /// Number of the first step in the run.
    pub(super) first: usize,
    /// Whether each result is that of a period before.
    pub(super) same_results: bool,
}

/// The end of a sequence, as far back as the longest period.
#[derive(Debug, Default)]
pub(super) struct Periods {
    /// Newest first.
    recent: VecDeque<Item>,
    /// By period less 1.
    runs: Vec<Run>,
}

impl Run {
    fn then(self, before: &Item, item: &Item) -> Run {
        if item.symbol != before.symbol {
            return Run::default();
        }
        let differs = item.outcome != before.outcome;
        if self.matched == 0 {
            return Run { matched: 1, first: before.first, differs };
        }
        Run { matched: self.matched + 1, first: self.first, differs: self.differs || differs }
    }
}

impl Periods {
    /// Takes the next symbol.
    pub(super) fn follow(&mut self, item: Item, max_period: usize) {
        if item.symbol.is_none() {
            self.runs.fill(Run::default());
        }
        if self.runs.len() < self.recent.len() {
            self.runs.push(Run::default());
        }
        if item.symbol.is_some() {
            for (run, before) in self.runs.iter_mut().zip(&self.recent) {
                // Mostly nothing matches, nor did before.
                if run.matched > 0 || item.symbol == before.symbol {
                    *run = run.then(before, &item);
                }
            }
        }
        self.recent.truncate(max_period.saturating_sub(1));
        self.recent.push_front(item);
    }

    /// What the runs would be with one more symbol.
    pub(super) fn with(&self, item: &Item, runs: &mut Vec<Run>) {
        runs.clear();
        if item.symbol.is_some() {
            let known = self.runs.iter().copied().chain(std::iter::repeat(Run::default()));
            runs.extend(self.recent.iter().zip(known).map(|(before, run)| run.then(before, item)));
        }
    }

    /// The repetitions that reach the end.
    pub(super) fn endings(&self) -> impl Iterator<Item = Ending> {
        endings(&self.runs)
    }

    /// Whether the last symbols of that many may repeat.
    pub(super) fn allowed(&self, period: usize) -> bool {
        self.recent.iter().take(period).all(|item| item.allowed)
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.recent.len() + self.runs.len()
    }
}

/// The repetitions that runs make. Periods that are multiples of another one's are left out.
pub(super) fn endings(runs: &[Run]) -> impl Iterator<Item = Ending> {
    runs.iter().enumerate().filter_map(|(i, run)| {
        let period = i + 1;
        // A stretch of two periods that also has a smaller one, throughout, has their greatest common divisor for a
        // period (Fine and Wilf).
        let is_multiple = || runs[..i].iter().any(|r| r.matched > 0 && r.first == run.first);
        (run.matched >= period && !is_multiple()).then(|| Ending {
            period,
            len: run.matched + period,
            first: run.first,
            same_results: !run.differs,
        })
    })
}
