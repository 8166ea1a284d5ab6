//! Why there is no answer.

use thiserror::Error;

/// Input that has no answer. A caller decides whether that is an error or an empty cell.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum StatsError {
    /// Fewer values than the method needs.
    #[error("{got} values, at least {needed} are needed")]
    TooFew {
        /// Fewest values with an answer.
        needed: usize,
        /// Values that were given.
        got: usize,
    },
    /// A value is NaN or infinite.
    #[error("value {index} is {value}, not a finite number")]
    NotFinite {
        /// Its position.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A value lies outside the range that the method is defined for.
    #[error("value {index} is {value}, outside of {range}")]
    OutOfRange {
        /// Its position.
        index: usize,
        /// The value.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// Two inputs that belong together have different lengths.
    #[error("inputs of {left} and {right} values belong together")]
    Lengths {
        /// Of the first.
        left: usize,
        /// Of the second.
        right: usize,
    },
    /// The answer is larger than a 64-bit float or integer can say.
    #[error("the result is too large")]
    TooLarge,
}

/// The value, unless it is NaN or infinite.
pub(super) fn finite_result(value: f64) -> Result<f64, StatsError> {
    if value.is_finite() { Ok(value) } else { Err(StatsError::TooLarge) }
}

/// Refuses samples that are too short or hold something that is no finite number.
pub(super) fn check(values: &[f64], needed: usize) -> Result<(), StatsError> {
    if values.len() < needed {
        return Err(StatsError::TooFew { needed, got: values.len() });
    }
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(StatsError::NotFinite { index, value: values[index] }),
        None => Ok(()),
    }
}

/// Refuses a number outside of an open interval.
pub(super) fn check_between(value: f64, low: f64, high: f64, range: &'static str) -> Result<(), StatsError> {
    if value > low && value < high { Ok(()) } else { Err(StatsError::OutOfRange { index: 0, value, range }) }
}

/// Counts as shares; refuses other lengths, and sums that are nothing or too much.
pub(super) fn check_counts(base: &[u64], current: &[u64]) -> Result<(u64, u64), StatsError> {
    if base.len() != current.len() {
        return Err(StatsError::Lengths { left: base.len(), right: current.len() });
    }
    let sum = |counts: &[u64]| {
        let total = counts.iter().try_fold(0_u64, |sum, &c| sum.checked_add(c)).ok_or(StatsError::TooLarge)?;
        if total == 0 { Err(StatsError::TooFew { needed: 1, got: 0 }) } else { Ok(total) }
    };
    Ok((sum(base)?, sum(current)?))
}
