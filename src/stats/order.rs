//! What follows from sorting: quantiles, medians, ranks, normal scores.

use std::ops::Deref;

use super::error::{check, check_between};
use super::normal::normal_quantile;
use super::{Result, StatsError};

/// A sample in ascending order, all of it finite: sorted once, it is looked at by many.
#[derive(Debug, Clone)]
pub(crate) struct Sorted(Vec<f64>);

impl Sorted {
    /// # Errors
    ///
    /// Fewer than `needed` values, or one that is not finite.
    pub(crate) fn new(values: &[f64], needed: usize) -> Result<Self> {
        check(values, needed)?;
        // As integers in the order of `f64::total_cmp`, which sort faster. That is the order of `<`, but for -0.0 and 0.0,
        // which no function here tells apart.
        let flip = |bits: i64| bits ^ (((bits >> 63) as u64) >> 1) as i64;
        let mut keys: Vec<i64> = values.iter().map(|v| flip(v.to_bits() as i64)).collect();
        keys.sort_unstable();
        Ok(Sorted(keys.into_iter().map(|key| f64::from_bits(flip(key) as u64)).collect()))
    }

    /// The quantile of a sample that is not empty.
    pub(crate) fn quantile(&self, q: f64) -> f64 {
        quantile_of_sorted(&self.0, q)
    }
}

impl Deref for Sorted {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.0
    }
}

/// Quantile of values that are sorted, finite and not none.
pub(super) fn quantile_of_sorted(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    let width = high - low;
    if width.is_finite() { low + width * at.fract() } else { low * (1.0 - at.fract()) + high * at.fract() }
}

/// The quantile `q` (0 to 1) of a sample: at position `q * (n - 1)` of the sorted values, interpolated linearly between
/// neighbours (definition 7 of Hyndman and Fan 1996, which R and NumPy use by default).
///
/// # Errors
///
/// No values, one that is not finite, or `q` outside of 0 to 1.
///
/// ```
/// use spanfile::stats::quantile;
/// assert_eq!(quantile(&[4.0, 1.0, 2.0, 3.0], 0.5), Ok(2.5));
/// assert_eq!(quantile(&[4.0, 1.0, 2.0, 3.0], 0.75), Ok(3.25));
/// ```
pub fn quantile(values: &[f64], q: f64) -> Result<f64> {
    if !(0.0..=1.0).contains(&q) {
        return Err(StatsError::OutOfRange { index: 0, value: q, range: "0 to 1" });
    }
    Ok(Sorted::new(values, 1)?.quantile(q))
}

/// The median: [`quantile`] 0.5.
///
/// # Errors
///
/// No values, or one that is not finite.
///
/// ```
/// assert_eq!(spanfile::stats::median(&[7.0, 1.0, 3.0]), Ok(3.0));
/// ```
pub fn median(values: &[f64]) -> Result<f64> {
    quantile(values, 0.5)
}

/// Calls `each` with the range of every run of equal values.
pub(super) fn ties(sorted: &[f64], mut each: impl FnMut(usize, usize)) {
    let mut start = 0;
    for end in 1..=sorted.len() {
        if end == sorted.len() || sorted[end] != sorted[start] {
            each(start, end);
            start = end;
        }
    }
}

/// Ranks from 1; equal values share the mean of theirs.
///
/// # Errors
///
/// A value that is not finite.
///
/// ```
/// assert_eq!(spanfile::stats::ranks(&[5.0, 9.0, 5.0]), Ok(vec![1.5, 3.0, 1.5]));
/// ```
pub fn ranks(values: &[f64]) -> Result<Vec<f64>> {
    check(values, 0)?;
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let in_order: Vec<f64> = order.iter().map(|&i| values[i]).collect();
    let mut ranks = vec![0.0; values.len()];
    ties(&in_order, |start, end| {
        let mean = (start + 1 + end) as f64 / 2.0;
        order[start..end].iter().for_each(|&i| ranks[i] = mean);
    });
    Ok(ranks)
}

/// Normal scores: each value's rank `r` of `n` becomes the standard normal quantile of `r / (n + 1)` (van der Waerden
/// 1952), equal values share a rank. The order stays, outliers lose their weight.
///
/// # Errors
///
/// A value that is not finite.
///
/// ```
/// let scores = spanfile::stats::normal_scores(&[3.0, 1_000_000.0, 1.0])?;
/// assert!(scores[0].abs() < 1e-15);
/// assert!((scores[1] - 0.6744897501960817).abs() < 1e-12);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn normal_scores(values: &[f64]) -> Result<Vec<f64>> {
    let above = (values.len() + 1) as f64;
    Ok(ranks(values)?.into_iter().map(|r| normal_quantile(r / above)).collect())
}

/// Two-sided critical value of the standard normal distribution.
pub(crate) fn critical(alpha: f64) -> Result<f64> {
    check_between(alpha, 0.0, 1.0, "0 to 1, both excluded")?;
    Ok(normal_quantile(1.0 - alpha / 2.0))
}
