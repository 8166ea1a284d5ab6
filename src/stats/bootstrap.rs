//! How sure the ratio of two medians is.

use super::error::check_between;
use super::order::{Sorted, quantile_of_sorted};
use super::{Random, Result};

/// Resamples that an interval is taken from unless one says otherwise.
pub const RESAMPLES: u32 = 2_000;

/// The ratio of two medians, current over base.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MedianRatio {
    /// The ratio of the samples.
    pub ratio: f64,
    /// The interval: `None` where a resample's ratio was 0/0, or its end is infinite.
    pub interval: Option<(f64, f64)>,
}

/// The ratio of medians with a percentile bootstrap interval of level `1 - alpha` (Efron 1979). `None` where a ratio says
/// nothing: the base's median is not above 0, a value of either sample is negative, or no float is as large as the ratio.
///
/// A resample is never drawn: its median is one or two order statistics, and which of the sample's values they are is found
/// by splitting the draws at the middle of the sample again and again, each time with as many coins as draws are left. That
/// is the same distribution in `n / 32` steps. The same seed gives the same choice of values on every platform.
///
/// # Errors
///
/// An empty sample, a value that is not finite, or `alpha` outside of 0 to 1.
///
/// ```
/// use spanfile::stats::{RESAMPLES, median_ratio};
/// let base: Vec<f64> = (1..=100).map(f64::from).collect();
/// let current: Vec<f64> = base.iter().map(|v| v * 2.0).collect();
/// let found = median_ratio(&base, &current, 0.05, RESAMPLES, 1)?.expect("medians are positive");
/// let (low, high) = found.interval.expect("no resample has a median of 0");
/// assert_eq!(found.ratio, 2.0);
/// assert!(low > 1.3 && low < 1.7 && high > 2.3 && high < 3.0);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn median_ratio(
    base: &[f64],
    current: &[f64],
    alpha: f64,
    resamples: u32,
    seed: u64,
) -> Result<Option<MedianRatio>> {
    check_between(alpha, 0.0, 1.0, "0 to 1, both excluded")?;
    Ok(median_ratio_of_sorted(&Sorted::new(base, 1)?, &Sorted::new(current, 1)?, alpha, resamples, seed))
}

/// The same of samples that are not empty, with `alpha` between 0 and 1.
pub(crate) fn median_ratio_of_sorted(
    base: &Sorted,
    current: &Sorted,
    alpha: f64,
    resamples: u32,
    seed: u64,
) -> Option<MedianRatio> {
    let (below, above) = (base.quantile(0.5), current.quantile(0.5));
    if below <= 0.0 || base[0] < 0.0 || current[0] < 0.0 {
        return None;
    }
    let ratio = above / below;
    if !ratio.is_finite() {
        return None;
    }
    let mut random = Random::new(seed);
    let mut ratios: Vec<f64> =
        (0..resamples).map(|_| resampled_median(current, &mut random) / resampled_median(base, &mut random)).collect();
    if ratios.is_empty() || ratios.iter().any(|r| r.is_nan()) {
        return Some(MedianRatio { ratio, interval: None });
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let (low, high) = (quantile_of_sorted(&ratios, alpha / 2.0), quantile_of_sorted(&ratios, 1.0 - alpha / 2.0));
    Some(MedianRatio { ratio, interval: (low.is_finite() && high.is_finite()).then_some((low, high)) })
}

/// The median of as many draws with replacement as there are values.
fn resampled_median(sorted: &[f64], random: &mut Random) -> f64 {
    let n = sorted.len() as u64;
    let value = |fraction: u64| sorted[((u128::from(fraction) * u128::from(n)) >> 64) as usize];
    let all = Draws { count: n, start: 0, bits: 0 };
    if n % 2 == 1 {
        return value(all.nth(n / 2, random));
    }
    let (low, high) = all.nth_and_next(n / 2 - 1, random);
    let (low, high) = (value(low), value(high));
    low + (high - low) / 2.0
}

/// Draws from one part of the interval [0, 1), in units of 2^-64.
#[derive(Clone, Copy)]
struct Draws {
    count: u64,
    /// Where the part begins.
    start: u64,
    /// Its width is 2^(64 - bits).
    bits: u32,
}

impl Draws {
    /// The draws in the lower and in the upper half.
    fn halves(self, random: &mut Random) -> (Draws, Draws) {
        let lower = random.heads(self.count);
        let bits = self.bits + 1;
        let upper = Draws { count: self.count - lower, start: self.start | 1 << (64 - bits), bits };
        (Draws { count: lower, start: self.start, bits }, upper)
    }

    /// The smallest draw but `n`.
    fn nth(self, n: u64, random: &mut Random) -> u64 {
        let (mut draws, mut n) = (self, n);
        while draws.bits < 64 {
            if draws.count == 1 {
                // Where one draw lies in its part is any place.
                return draws.start | random.next_u64().checked_shr(draws.bits).unwrap_or(0);
            }
            let (lower, upper) = draws.halves(random);
            if n < lower.count {
                draws = lower;
            } else {
                n -= lower.count;
                draws = upper;
            }
        }
        draws.start
    }

    /// The smallest draw but `n`, and the one after it.
    fn nth_and_next(self, n: u64, random: &mut Random) -> (u64, u64) {
        let (mut draws, mut n) = (self, n);
        while draws.bits < 64 {
            let (lower, upper) = draws.halves(random);
            if n + 1 < lower.count {
                draws = lower;
            } else if n + 1 == lower.count {
                return (lower.nth(n, random), upper.nth(0, random));
            } else {
                n -= lower.count;
                draws = upper;
            }
        }
        (draws.start, draws.start)
    }
}
