//! Distances between two distributions: PSI and Jensen-Shannon over counts, Wasserstein over values.

use std::f64::consts::LN_2;

use super::error::{check_counts, finite_result};
use super::order::Sorted;
use super::{Result, StatsError};

/// What stands for an empty category, as a count: its logarithm would be infinite.
const EMPTY: f64 = 0.5;

/// A measure, and what remains of it when the part that chance gives to equal distributions is taken off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Divergence {
    /// As it is computed from the shares.
    pub raw: f64,
    /// Less its expectation without any difference; never below 0.
    pub corrected: f64,
}

/// Categories that occur at all, and `1/n + 1/m`.
fn noise(base: &[u64], current: &[u64], n: u64, m: u64) -> (f64, f64) {
    let occurring = base.iter().zip(current).filter(|&(&b, &c)| b > 0 || c > 0).count();
    (occurring as f64, 1.0 / n as f64 + 1.0 / m as f64)
}

/// The population stability index of two rows of counts: the sum of `(q - p) ln(q / p)` over shares. A category that is
/// empty on one side counts as half an observation there.
///
/// Corrected by its expectation without a difference, `(categories - 1) (1/n + 1/m)` for independent observations
/// (Yurdakul and Naranjo 2020, "Statistical properties of the population stability index").
///
/// # Errors
///
/// Different lengths, a side without observations, or a sum over 2^64.
///
/// ```
/// use spanfile::stats::psi;
/// let d = psi(&[50, 50], &[60, 40])?;
/// assert!((d.raw - 0.1 * 1.5_f64.ln()).abs() < 1e-15);
/// assert!((d.corrected - (d.raw - 0.02)).abs() < 1e-15);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn psi(base: &[u64], current: &[u64]) -> Result<Divergence> {
    let (n, m) = check_counts(base, current)?;
    let raw = psi_of(base, current, n, m);
    let (categories, noise) = noise(base, current, n, m);
    Ok(Divergence { raw, corrected: (raw - (categories - 1.0) * noise).max(0.0) })
}

/// PSI of rows with these sums, neither 0.
pub(super) fn psi_of(base: &[u64], current: &[u64], n: u64, m: u64) -> f64 {
    let share = |count: u64, of: u64| if count == 0 { EMPTY } else { count as f64 } / of as f64;
    let occurring = base.iter().zip(current).filter(|&(&b, &c)| b > 0 || c > 0);
    occurring.map(|(&b, &c)| (share(b, n), share(c, m))).map(|(p, q)| (q - p) * (q / p).ln()).sum()
}

/// The Jensen-Shannon distance of two rows of counts: the square root of the divergence in bits, 0 to 1, as
/// `scipy.spatial.distance.jensenshannon(base=2)`.
///
/// Corrected by what the divergence is without a difference, `(categories - 1) (1/n + 1/m) / (8 ln 2)` bits for
/// independent observations: its leading term is Pearson's statistic over `8 n m / (n + m)`, see Grosse and others 2002,
/// "Analysis of symbolic sequences using the Jensen-Shannon divergence".
///
/// # Errors
///
/// Different lengths, a side without observations, or a sum over 2^64.
///
/// ```
/// use spanfile::stats::jensen_shannon;
/// assert_eq!(jensen_shannon(&[10, 0], &[0, 10])?.raw, 1.0);
/// assert_eq!(jensen_shannon(&[3, 7], &[30, 70])?.corrected, 0.0);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn jensen_shannon(base: &[u64], current: &[u64]) -> Result<Divergence> {
    let (n, m) = check_counts(base, current)?;
    let bits = bits_of(base, current, n, m);
    let (categories, noise) = noise(base, current, n, m);
    let chance = (categories - 1.0) * noise / (8.0 * LN_2);
    Ok(Divergence { raw: bits.sqrt(), corrected: (bits - chance).max(0.0).sqrt() })
}

/// Jensen-Shannon divergence in bits of rows with these sums, neither 0.
pub(super) fn bits_of(base: &[u64], current: &[u64], n: u64, m: u64) -> f64 {
    let mut sum = 0.0;
    for (&b, &c) in base.iter().zip(current).filter(|&(&b, &c)| b > 0 || c > 0) {
        let (p, q) = (b as f64 / n as f64, c as f64 / m as f64);
        // With e = (p - q) / (p + q) the two terms are (p + q)/2 times (1+e) ln(1+e) + (1-e) ln(1-e), which is not the
        // difference of large numbers where p and q are close.
        let e = (p - q) / (p + q);
        let term = |x: f64| if x <= -1.0 { 0.0 } else { (1.0 + x) * x.ln_1p() };
        let e2 = e * e;
        let both = if e.abs() < 1e-2 {
            e2 * (1.0 + e2 * (1.0 / 6.0 + e2 * (1.0 / 15.0 + e2 / 28.0)))
        } else {
            term(e) + term(-e)
        };
        sum += (p + q) / 2.0 * both;
    }
    (sum / 2.0 / LN_2).clamp(0.0, 1.0)
}

/// The Wasserstein (earth mover's) distance of two samples, in their unit: the area between the two cumulative
/// distributions, as `scipy.stats.wasserstein_distance`. O(n log n).
///
/// # Errors
///
/// An empty sample, a value that is not finite, or a distance beyond the largest float.
///
/// ```
/// assert_eq!(spanfile::stats::wasserstein(&[0.0, 1.0, 3.0], &[5.0, 6.0, 8.0]), Ok(5.0));
/// ```
pub fn wasserstein(base: &[f64], current: &[f64]) -> Result<f64> {
    let (base, current) = (Sorted::new(base, 1)?, Sorted::new(current, 1)?);
    let (mut i, mut j, mut area) = (0, 0, 0.0);
    let mut at = base[0].min(current[0]);
    while i < base.len() || j < current.len() {
        let next = match (base.get(i), current.get(j)) {
            (Some(&b), Some(&c)) => b.min(c),
            (Some(&one), None) | (None, Some(&one)) => one,
            (None, None) => break,
        };
        let gap = (i as f64 / base.len() as f64 - j as f64 / current.len() as f64).abs();
        if gap > 0.0 {
            // Halves: the distance of two floats may be no float.
            area += (next / 2.0 - at / 2.0) * gap;
        }
        at = next;
        while i < base.len() && base[i] <= at {
            i += 1;
        }
        while j < current.len() && current[j] <= at {
            j += 1;
        }
    }
    finite_result(area * 2.0)
}

/// Counts of two samples in the bins that the base's quantiles make: `bins` of about equal counts of the base, fewer where
/// quantiles coincide. A value on an edge belongs to the bin below it. The outer bins reach to infinity; where the lowest
/// quantile is the base's least value, there is a bin below it, which the base leaves empty.
///
/// # Errors
///
/// An empty sample, or a value that is not finite.
///
/// ```
/// use spanfile::stats::quantile_bins;
/// let (base, current) = quantile_bins(&[1.0, 2.0, 3.0, 4.0], &[0.0, 9.0, 9.5], 2)?;
/// assert_eq!((base, current), (vec![2, 2], vec![1, 2]));
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn quantile_bins(base: &[f64], current: &[f64], bins: usize) -> Result<(Vec<u64>, Vec<u64>)> {
    let (base, current) = (Sorted::new(base, 1)?, Sorted::new(current, 1)?);
    let edges = quantile_edges(&base, bins);
    Ok((counts_between(&base, &edges), counts_between(&current, &edges)))
}

/// Inner edges of bins of about equal counts, ascending; fewer where quantiles coincide.
pub(crate) fn quantile_edges(base: &Sorted, bins: usize) -> Vec<f64> {
    let mut edges: Vec<f64> = (1..bins).map(|i| base.quantile(i as f64 / bins as f64)).collect();
    edges.dedup();
    // Where the lowest bin is the least value alone, what lies below it is another bin.
    if let (Some(first), Some(least)) = (edges.first(), base.first())
        && first == least
    {
        edges.insert(0, least.next_down());
    }
    edges
}

/// How many values lie in each bin: up to the first edge, from there up to the second, and so on.
pub(crate) fn counts_between(values: &Sorted, edges: &[f64]) -> Vec<u64> {
    let mut below = 0;
    let mut counts = Vec::with_capacity(edges.len() + 1);
    for edge in edges {
        let until = values.partition_point(|v| v <= edge);
        counts.push((until - below) as u64);
        below = until;
    }
    counts.push((values.len() - below) as u64);
    counts
}

/// PSI as the program Evidently (0.7) computes it for a numeric column, for comparison with its reports: bins of equal width
/// over both samples by Sturges' rule, or one bin per value when the base has no more than 20; an empty bin's share becomes
/// 0.0001, or a millionth of the smallest share where that is no larger than 0.0001.
///
/// # Errors
///
/// An empty sample, a value that is not finite, or a range beyond the largest float.
///
/// ```
/// use spanfile::stats::psi_evidently;
/// let (base, current): (Vec<f64>, Vec<f64>) = ((0..40).map(f64::from).collect(), (5..45).map(f64::from).collect());
/// assert!((psi_evidently(&base, &current)? - 0.4479).abs() < 1e-4);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn psi_evidently(base: &[f64], current: &[f64]) -> Result<f64> {
    let (base, current) = (Sorted::new(base, 1)?, Sorted::new(current, 1)?);
    let distinct = 1 + base.windows(2).filter(|w| w[0] != w[1]).count();
    let cut = |values: &[f64]| -> Result<Vec<f64>> {
        let counts = if distinct > 20 {
            let edges = sturges_edges(&base, &current)?;
            let before = |at: usize| match at + 1 == edges.len() {
                true => values.partition_point(|v| *v <= edges[at]),
                false => values.partition_point(|v| *v < edges[at]),
            };
            (1..edges.len()).map(|i| before(i) - before(i - 1)).collect()
        } else {
            let upto = |v: f64| values.partition_point(|x| *x <= v);
            let below = |v: f64| values.partition_point(|x| *x < v);
            each_value(&base, &current).into_iter().map(|v| upto(v) - below(v)).collect::<Vec<_>>()
        };
        let mut shares: Vec<f64> = counts.into_iter().map(|c| c as f64 / values.len() as f64).collect();
        let least = shares.iter().copied().filter(|&s| s > 0.0).fold(f64::INFINITY, f64::min);
        let stand_in = if least <= 0.0001 { least / 1_000_000.0 } else { 0.0001 };
        shares.iter_mut().filter(|s| **s == 0.0).for_each(|s| *s = stand_in);
        Ok(shares)
    };
    let (base, current) = (cut(&base)?, cut(&current)?);
    Ok(base.iter().zip(&current).map(|(&p, &q)| (p - q) * (p / q).ln()).sum())
}

fn each_value(base: &[f64], current: &[f64]) -> Vec<f64> {
    let mut values = [base, current].concat();
    values.sort_unstable_by(f64::total_cmp);
    values.dedup();
    values
}

/// Edges of bins of equal width, with the rounding of `numpy.histogram_bin_edges(bins='sturges')`.
fn sturges_edges(base: &[f64], current: &[f64]) -> Result<Vec<f64>> {
    let ends = |s: &[f64]| (s[0], s[s.len() - 1]);
    let ((b0, b1), (c0, c1)) = (ends(base), ends(current));
    let (low, high) = (b0.min(c0), b1.max(c1));
    let range = high - low;
    let width = range / (((base.len() + current.len()) as f64).log2() + 1.0);
    if !range.is_finite() || width <= 0.0 {
        return Err(StatsError::TooLarge);
    }
    let bins = (range / width).ceil() as usize;
    let step = range / bins as f64;
    let mut edges: Vec<f64> = (0..bins).map(|i| i as f64 * step + low).collect();
    edges.push(high);
    Ok(edges)
}
