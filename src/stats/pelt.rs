//! Where a series changes its level.

use super::error::{check, finite_result};
use super::order::normal_scores;
use super::{Result, StatsError};

/// Series of more values are looked at in as many places as this.
const PLACES: usize = 1_000;

/// A series cut into pieces of one level each.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// Positions at which a new level begins, in ascending order; none where the level stays.
    pub at: Vec<usize>,
    /// The one of `at` whose removal would cost most: how much less squared error the two pieces beside it have than one
    /// piece would.
    pub strongest: Option<usize>,
}

/// Positions at which the mean of a series changes, by PELT (Killick, Fearnhead and Eckley 2012, "Optimal detection of
/// changepoints with a linear computational cost") with squared error as the cost, `penalty` per change, pieces of at
/// least `min_size` values, and changes at multiples of `jump`. The result is that of `ruptures.Pelt('l2', min_size,
/// jump)` without the series' end.
///
/// A series shorter than `min_size` has no change. Time is between linear (many changes) and `(n / jump)^2` (none);
/// memory O(n).
///
/// # Errors
///
/// `min_size` or `jump` of 0, a value or a penalty that is not finite, or squares beyond the largest float.
///
/// ```
/// use spanfile::stats::pelt;
/// let series: Vec<f64> = (0..100).map(|i| if i < 60 { 1.0 } else { 3.0 } + f64::from(i % 3) / 10.0).collect();
/// assert_eq!(pelt(&series, 20, 1, 3.0 * 100_f64.ln())?.at, [60]);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn pelt(series: &[f64], min_size: usize, jump: usize, penalty: f64) -> Result<Changes> {
    check(series, 0)?;
    check(&[penalty], 1)?;
    segmented(series, min_size, jump, penalty, Cost::new(series)?)
}

/// The same for any cost of a piece.
fn segmented(series: &[f64], min_size: usize, jump: usize, penalty: f64, cost: Cost) -> Result<Changes> {
    if min_size == 0 || jump == 0 {
        return Err(StatsError::OutOfRange { index: 0, value: 0.0, range: "1 and more" });
    }
    let n = series.len();
    if n < min_size {
        return Ok(Changes { at: Vec::new(), strongest: None });
    }
    // Of each place: the best total up to it, and where its last piece begins. Infinite: no pieces lead here.
    let mut best = vec![f64::INFINITY; n + 1];
    let mut from = vec![0; n + 1];
    best[0] = 0.0;
    let mut open: Vec<(usize, f64)> = Vec::new();
    let places = (0..n).step_by(jump).filter(|&at| at >= min_size).chain([n]);
    for at in places {
        let newest = (at - min_size) / jump * jump;
        if best[newest].is_finite() {
            open.push((newest, 0.0));
        }
        for (start, total) in &mut open {
            *total = best[*start] + (cost.of(*start, at) + penalty);
            if *total < best[at] {
                (best[at], from[at]) = (*total, *start);
            }
        }
        let limit = best[at] + penalty;
        open.retain(|&(_, total)| total <= limit);
    }
    let mut changes = Vec::new();
    let mut at = n;
    while from[at] > 0 {
        at = from[at];
        changes.push(at);
    }
    changes.reverse();
    Ok(Changes { strongest: cost.strongest(&changes), at: changes })
}

/// Positions at which the level of a series of runs changes: [`pelt`] on [`normal_scores`], so that outliers and the shape
/// of the values do not matter, with pieces of at least 20 and a penalty of `3 ln n` unless one says otherwise. Series of
/// more than 1,000 values are looked at in 1,000 places.
///
/// A series of zeros and ones is cut by likelihood: what a piece costs is twice the logarithm of how unlikely it is with the
/// share of ones that it has. Squared errors of scores would miss changes of rare events, or see them everywhere.
///
/// # Errors
///
/// As [`pelt`].
///
/// ```
/// let series: Vec<f64> = (0..90).map(|i| if i < 45 { 10.0 } else { 15.0 } + f64::from(i * 7 % 11)).collect();
/// assert_eq!(spanfile::stats::level_changes(&series, 20, 3.0)?.strongest, Some(45));
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn level_changes(series: &[f64], min_size: usize, penalty_per_ln_n: f64) -> Result<Changes> {
    let penalty = penalty_per_ln_n * (series.len().max(1) as f64).ln();
    let jump = series.len().div_ceil(PLACES).max(1);
    if series.iter().all(|v| *v == 0.0 || *v == 1.0) {
        check(&[penalty], 1)?;
        return segmented(series, min_size, jump, penalty, Cost::of_shares(series));
    }
    pelt(&normal_scores(series)?, min_size, jump, penalty)
}

/// What a piece costs, from sums up to each place: its squared error around its mean, or, of zeros and ones, minus twice
/// its logarithmic likelihood.
struct Cost {
    sums: Vec<f64>,
    /// Sums of squares; none of zeros and ones.
    squares: Vec<f64>,
    /// Of zeros and ones, `n ln n` of each number of them.
    logs: Vec<f64>,
}

impl Cost {
    fn new(series: &[f64]) -> Result<Self> {
        // Around the mean, or large values of small variance would drown in their own squares.
        let middle = series.iter().map(|v| v / series.len() as f64).sum::<f64>();
        let (mut sum, mut square) = (0.0, 0.0);
        let mut cost = Cost { sums: vec![0.0], squares: vec![0.0], logs: Vec::new() };
        for value in series {
            let off = value - middle;
            sum += off;
            square += off * off;
            cost.sums.push(sum);
            cost.squares.push(square);
        }
        finite_result(sum * sum)?;
        finite_result(square)?;
        Ok(cost)
    }

    fn of_shares(series: &[f64]) -> Self {
        let logs = (0..=series.len()).map(|n| if n == 0 { 0.0 } else { n as f64 * (n as f64).ln() }).collect();
        let mut cost = Cost { sums: vec![0.0], squares: Vec::new(), logs };
        let mut ones = 0.0;
        for value in series {
            ones += value;
            cost.sums.push(ones);
        }
        cost
    }

    fn of(&self, start: usize, end: usize) -> f64 {
        let sum = self.sums[end] - self.sums[start];
        if self.squares.is_empty() {
            let (all, ones) = (end - start, sum as usize);
            return (2.0 * (self.logs[all] - self.logs[ones] - self.logs[all - ones])).max(0.0);
        }
        (self.squares[end] - self.squares[start] - sum * sum / (end - start) as f64).max(0.0)
    }

    fn strongest(&self, changes: &[usize]) -> Option<usize> {
        let end = self.sums.len() - 1;
        let gain = |i: usize| {
            let (at, start) = (changes[i], if i == 0 { 0 } else { changes[i - 1] });
            let end = changes.get(i + 1).copied().unwrap_or(end);
            self.of(start, end) - self.of(start, at) - self.of(at, end)
        };
        (0..changes.len()).max_by(|&a, &b| gain(a).total_cmp(&gain(b))).map(|i| changes[i])
    }
}
