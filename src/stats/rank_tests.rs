//! Level of two samples by ranks: Mann-Whitney U and Cliff's delta.

use super::Result;
use super::normal::normal_above;
use super::order::{Sorted, critical};

/// Result of [`mann_whitney`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MannWhitney {
    /// Pairs in which the first sample's value is the larger one, ties counting one half.
    pub u: f64,
    /// Two-sided p-value.
    pub p: f64,
}

/// Sorted samples merged: the sums that both measures need.
struct Merged {
    /// Rank sum of the first.
    rank_sum: f64,
    /// Sum of t^3 - t over runs of t equal values.
    tie_term: f64,
}

fn merged(first: &Sorted, second: &Sorted) -> Merged {
    let (mut i, mut j) = (0, 0);
    let (mut rank_sum, mut tie_term) = (0.0, 0.0);
    while i < first.len() || j < second.len() {
        let value = match (first.get(i), second.get(j)) {
            (Some(&a), Some(&b)) => a.min(b),
            (Some(&one), None) | (None, Some(&one)) => one,
            (None, None) => break,
        };
        let start = i + j;
        let of_first = first[i..].iter().take_while(|v| **v == value).count();
        let of_second = second[j..].iter().take_while(|v| **v == value).count();
        (i, j) = (i + of_first, j + of_second);
        let end = i + j;
        rank_sum += of_first as f64 * (start + 1 + end) as f64 / 2.0;
        let t = (end - start) as f64;
        tie_term += t * t * t - t;
    }
    Merged { rank_sum, tie_term }
}

/// Whether one of two samples tends to be larger: Mann-Whitney U (Wilcoxon's rank sum), two-sided, by the normal
/// approximation with corrections for ties and continuity, as `scipy.stats.mannwhitneyu(method='asymptotic')`.
///
/// All values equal: p = 1. O(n log n).
///
/// # Errors
///
/// An empty sample, or a value that is not finite.
///
/// ```
/// use spanfile::stats::mann_whitney;
/// let test = mann_whitney(&[19.0, 22.0, 16.0, 29.0, 24.0], &[20.0, 11.0, 17.0, 12.0])?;
/// assert_eq!(test.u, 17.0);
/// assert!((test.p - 0.11134688653314041).abs() < 1e-12);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn mann_whitney(first: &[f64], second: &[f64]) -> Result<MannWhitney> {
    Ok(mann_whitney_of_sorted(&Sorted::new(first, 1)?, &Sorted::new(second, 1)?))
}

/// The same of samples that are not empty.
pub(crate) fn mann_whitney_of_sorted(first: &Sorted, second: &Sorted) -> MannWhitney {
    let Merged { rank_sum, tie_term } = merged(first, second);
    let (n, m) = (first.len() as f64, second.len() as f64);
    let all = n + m;
    let u = rank_sum - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * ((all + 1.0) - tie_term / (all * (all - 1.0)));
    let beyond = u.max(n * m - u) - n * m / 2.0 - 0.5;
    // The variance of all ties is 0, but for rounding.
    let p = if variance > 0.0 && beyond > 0.0 { 2.0 * normal_above(beyond / variance.sqrt()) } else { 1.0 };
    MannWhitney { u, p: p.min(1.0) }
}

/// Share of the sampling variance that ties leave: 1 without ties, 0 when all values are equal.
pub(super) fn untied_share(first: &Sorted, second: &Sorted) -> f64 {
    let all = (first.len() + second.len()) as f64;
    let tie_term = merged(first, second).tie_term;
    (1.0 - tie_term / (all * all * all - all)).max(0.0)
}

/// Result of [`cliffs_delta`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CliffsDelta {
    /// Share of pairs in which the current value is larger, less the share in which it is smaller: -1 to 1.
    pub delta: f64,
    /// Lower end of the confidence interval.
    pub low: f64,
    /// Upper end of the confidence interval.
    pub high: f64,
}

/// Cliff's delta of `current` against `base`, positive where current values tend to be larger, with a confidence interval
/// of level `1 - alpha`.
///
/// The variance is the unbiased one of Cliff 1993, "Dominance statistics: ordinal analyses to answer ordinal questions",
/// no less than `(1 - delta^2) / (n m - 1)`; the interval is the asymmetric one of Feng and Cliff 2004, "Monte Carlo
/// evaluation of ordinal d with improved confidence interval", with a normal critical value. Where delta is 1 or -1 that
/// variance is 0, and the interval's inner end is that of Clopper and Pearson 1934 for the `min(n, m)` pairs that share no
/// value: `2 (alpha / 2)^(1 / min(n, m)) - 1`. All values equal: delta is 0, and so is the interval. O(n log n).
///
/// # Errors
///
/// A sample of fewer than two values, a value that is not finite, `alpha` outside of 0 to 1.
///
/// ```
/// use spanfile::stats::cliffs_delta;
/// let d = cliffs_delta(&[1.0, 2.0, 3.0, 4.0, 5.0], &[2.0, 4.0, 6.0, 8.0, 10.0], 0.05)?;
/// assert!((d.delta - 0.6).abs() < 1e-15);
/// assert!(d.low < 0.0 && d.high > 0.8 && d.high < 1.0);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn cliffs_delta(base: &[f64], current: &[f64], alpha: f64) -> Result<CliffsDelta> {
    let z = critical(alpha)?;
    let (base, current) = (Sorted::new(base, 2)?, Sorted::new(current, 2)?);
    let (n, m) = (base.len() as f64, current.len() as f64);
    let of_current = dominance(&current, &base);
    let of_base = dominance(&base, &current);
    let delta = of_current.sum / (n * m);
    if of_current.untied == 0.0 {
        return Ok(CliffsDelta { delta: 0.0, low: 0.0, high: 0.0 });
    }
    // Sums over current of (d_i - d)^2 with d_i the mean over base, and the reverse.
    let spread_current = of_current.squares / (n * n) - m * delta * delta;
    let spread_base = of_base.squares / (m * m) - n * delta * delta;
    let spread = of_current.untied - n * m * delta * delta;
    let unbiased = (n * n * spread_current + m * m * spread_base - spread) / (n * m * (n - 1.0) * (m - 1.0));
    let variance = unbiased.max((1.0 - delta * delta) / (n * m - 1.0));
    let room = 1.0 - delta * delta;
    let (low, high) = if room * n * m < 1e-9 {
        let inner = 2.0 * (alpha / 2.0).powf(1.0 / n.min(m)) - 1.0;
        if delta > 0.0 { (inner, 1.0) } else { (-1.0, -inner) }
    } else {
        let zz = z * z * variance;
        let half = z * variance.sqrt() * (room * room + zz).sqrt();
        let (middle, below) = (delta - delta * delta * delta, room + zz);
        ((middle - half) / below, (middle + half) / below)
    };
    let clamp = |v: f64| v.clamp(-1.0, 1.0);
    Ok(CliffsDelta { delta, low: clamp(low), high: clamp(high) })
}

struct Dominance {
    /// Sum of signs over all pairs.
    sum: f64,
    /// Sum over values of the square of their sum of signs.
    squares: f64,
    /// Pairs that are not tied.
    untied: f64,
}

/// Signs of `value - other` over all pairs; both sorted.
fn dominance(values: &[f64], others: &[f64]) -> Dominance {
    let (mut below, mut not_above) = (0, 0);
    let (mut sum, mut squares, mut untied) = (0.0, 0.0, 0.0);
    for &value in values {
        while below < others.len() && others[below] < value {
            below += 1;
        }
        while not_above < others.len() && others[not_above] <= value {
            not_above += 1;
        }
        let above = others.len() - not_above;
        let sign = below as f64 - above as f64;
        sum += sign;
        squares += sign * sign;
        untied += (below + above) as f64;
    }
    Dominance { sum, squares, untied }
}
