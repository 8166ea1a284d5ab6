//! Maximal repetitions of a sequence.

/// A stretch of a sequence that repeats with a period, as long as it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repetition {
    /// First position.
    pub start: usize,
    /// Position after the last.
    pub end: usize,
    /// Smallest period of the stretch.
    pub period: usize,
}

impl Repetition {
    /// How many periods it has.
    pub fn exponent(&self) -> f64 {
        (self.end - self.start) as f64 / self.period as f64
    }
}

/// All maximal repetitions of two whole periods or more, with periods up to `max_period`, by period and start.
///
/// Takes `symbols.len() * max_period` comparisons at most, and few more.
///
/// ```
/// use spanfile::loops::{Repetition, repetitions};
/// assert_eq!(repetitions(&[9, 1, 2, 1, 2, 1, 7], 64), [Repetition { start: 1, end: 6, period: 2 }]);
/// ```
pub fn repetitions(symbols: &[u32], max_period: usize) -> Vec<Repetition> {
    let mut found = Vec::new();
    for period in 1..=max_period.min(symbols.len() / 2) {
        let shifted = &symbols[period..];
        let mut start = 0;
        let mut emit = |start: usize, until: usize| {
            if until - start >= period && is_primitive(&symbols[start..start + period]) {
                found.push(Repetition { start, end: until + period, period });
            }
        };
        for (i, (a, b)) in symbols.iter().zip(shifted).enumerate() {
            if a != b {
                emit(start, i);
                start = i + 1;
            }
        }
        emit(start, shifted.len());
    }
    found
}

/// Whether a word is no power of a shorter one. It is a power of one exactly when it is one of a prime exponent.
fn is_primitive(word: &[u32]) -> bool {
    let mut rest = word.len();
    let mut prime = 2;
    while rest > 1 {
        if prime * prime > rest {
            prime = rest;
        }
        if rest.is_multiple_of(prime) {
            let root = word.len() / prime;
            if word[root..] == word[..word.len() - root] {
                return false;
            }
            while rest.is_multiple_of(prime) {
                rest /= prime;
            }
        }
        prime += 1;
    }
    true
}
