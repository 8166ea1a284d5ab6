//! The smallest difference that samples of this size would show.

use super::error::{check, check_between};
use super::normal::{normal_above, normal_quantile};
use super::order::{Sorted, critical};
use super::rank_tests::untied_share;
use super::{Result, StatsError};

/// What a test should be able to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Power {
    /// Two-sided level of the test.
    pub alpha: f64,
    /// Chance to see the difference when it is there.
    pub power: f64,
}

impl Default for Power {
    /// Level 0.05, power 0.8.
    fn default() -> Self {
        Self { alpha: 0.05, power: 0.8 }
    }
}

impl Power {
    fn quantiles(self) -> Result<(f64, f64)> {
        check_between(self.power, 0.0, 1.0, "0 to 1, both excluded")?;
        Ok((critical(self.alpha)?, normal_quantile(self.power)))
    }
}

/// The smallest absolute Cliff's delta that a two-sided Mann-Whitney test of these samples sees with that power, by the
/// normal approximation of Noether 1987, "Sample size determination for some common nonparametric tests", with the
/// samples' ties. `None` where not even complete separation would do, or all values are equal.
///
/// # Errors
///
/// An empty sample, a value that is not finite, a level or power outside of 0 to 1.
///
/// ```
/// use spanfile::stats::{Power, detectable_delta};
/// let (base, current): (Vec<f64>, Vec<f64>) = ((0..50).map(f64::from).collect(), (50..100).map(f64::from).collect());
/// let delta = detectable_delta(&base, &current, Power::default())?.expect("50 runs are enough");
/// assert!((delta - 0.325).abs() < 1e-3);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn detectable_delta(base: &[f64], current: &[f64], power: Power) -> Result<Option<f64>> {
    detectable_delta_of_sorted(&Sorted::new(base, 1)?, &Sorted::new(current, 1)?, power)
}

/// The same of samples that are not empty.
pub(crate) fn detectable_delta_of_sorted(base: &Sorted, current: &Sorted, power: Power) -> Result<Option<f64>> {
    let (alpha, beta) = power.quantiles()?;
    let untied = untied_share(base, current);
    let (n, m) = (base.len() as f64, current.len() as f64);
    // A continuity correction of half a pair of n m.
    let delta = (alpha + beta) * ((n + m + 1.0) * untied / (3.0 * n * m)).sqrt() + 1.0 / (n * m);
    Ok((untied > 0.0 && delta <= 1.0).then_some(delta))
}

/// The ratio of medians that stands for a Cliff's delta, above 1, if values are lognormal like the base's positive
/// values: then `delta = 2 Phi(ln(ratio) / (sqrt(2) sigma)) - 1`, and sigma is the distance of the base's quartiles on the
/// logarithmic scale over 1.349. `None` where a base value is not positive or delta is 1 or more.
///
/// # Errors
///
/// Fewer than two base values, or one that is not finite.
///
/// ```
/// use spanfile::stats::ratio_of_delta;
/// let base: Vec<f64> = (0..99).map(|i| f64::from(i + 1)).collect();
/// assert_eq!(ratio_of_delta(&base, 0.0)?, Some(1.0));
/// assert!(ratio_of_delta(&base, 0.3)?.is_some_and(|r| r > 1.4 && r < 1.8));
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn ratio_of_delta(base: &[f64], delta: f64) -> Result<Option<f64>> {
    check(base, 2)?;
    if base.iter().any(|&v| v <= 0.0) || delta.is_nan() || delta.abs() >= 1.0 {
        return Ok(None);
    }
    let logs: Vec<f64> = base.iter().map(|v| v.ln()).collect();
    let quartiles = super::quantile(&logs, 0.75)? - super::quantile(&logs, 0.25)?;
    let sigma = quartiles / (2.0 * normal_quantile(0.75));
    Ok(Some((std::f64::consts::SQRT_2 * sigma * normal_quantile((1.0 + delta.abs()) / 2.0)).exp()))
}

/// The smallest absolute difference of two shares that a two-sided Fisher test sees with that power, when the base's share
/// is `share`: the normal approximation with continuity correction of Casagrande, Pike and Smith 1978, "An improved
/// approximate formula for calculating sample sizes for comparing two binomial distributions". The difference is looked
/// for on the side with more room, a rise where `share` is up to one half, else a fall; towards the near end a smaller one
/// may do. `None` where not even the far end would be seen.
///
/// # Errors
///
/// An empty side; a share, level or power outside of 0 to 1.
///
/// ```
/// use spanfile::stats::{Power, detectable_difference};
/// let d = detectable_difference(0.9, 200, 200, Power::default())?.expect("200 runs are enough");
/// assert!((d - 0.105).abs() < 0.002);
/// assert_eq!(detectable_difference(0.5, 3, 3, Power::default())?, None);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn detectable_difference(share: f64, n: usize, m: usize, power: Power) -> Result<Option<f64>> {
    let (alpha, beta) = power.quantiles()?;
    if !(0.0..=1.0).contains(&share) {
        return Err(StatsError::OutOfRange { index: 0, value: share, range: "0 to 1" });
    }
    if n == 0 || m == 0 {
        return Err(StatsError::TooFew { needed: 1, got: 0 });
    }
    let noise = 1.0 / n as f64 + 1.0 / m as f64;
    // Far from one half a share behaves as its mirror image.
    let low = share.min(1.0 - share);
    let missed = normal_above(beta);
    let seen = |d: f64| {
        let high = low + d;
        let pooled = (low * n as f64 + high * m as f64) / (n as f64 + m as f64);
        let spread = (low * (1.0 - low) / n as f64 + high * (1.0 - high) / m as f64).sqrt();
        let over = d - noise / 2.0 - alpha * (pooled * (1.0 - pooled) * noise).sqrt();
        // Where nothing varies the difference shows for certain, or never.
        if spread > 0.0 { normal_above(over / spread) <= missed } else { over > 0.0 }
    };
    let (mut unseen, mut enough) = (0.0, 1.0 - low);
    if !seen(enough) {
        return Ok(None);
    }
    for _ in 0..60 {
        let middle = (unseen + enough) / 2.0;
        if seen(middle) { enough = middle } else { unseen = middle }
    }
    Ok(Some(enough))
}
