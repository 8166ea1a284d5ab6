//! The two-sample Kolmogorov-Smirnov test: do two samples have the same distribution, whatever its shape?

use super::Result;
use super::kolmogorov::one_sample_above;
use super::order::Sorted;

/// Up to this product of the sample sizes the p-value is exact.
pub const KS_EXACT_PRODUCT: u128 = 4_000_000;

/// Result of [`kolmogorov_smirnov`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KolmogorovSmirnov {
    /// Largest distance between the two cumulative distributions, 0 to 1.
    pub statistic: f64,
    /// Two-sided p-value.
    pub p: f64,
    /// Whether `p` is exact (without ties), not an approximation for large samples.
    pub exact: bool,
}

/// Compares two samples of one value or more; two-sided.
///
/// The p-value is exact while `n * m` is at most [`KS_EXACT_PRODUCT`]: lattice paths that leave the band around the
/// diagonal, counted as shares, with the recursion of Viehmann 2021, "Numerically more stable computation of the p-values
/// for the two-sample Kolmogorov-Smirnov test". Beyond that it is the distribution of the one-sample statistic for `n m /
/// (n + m)` values, rounded, which is what `scipy.stats.ks_2samp(method='asymp')` takes: Kolmogorov's limit with three
/// terms more (Pelz and Good 1976) in the middle, exact sums in the tails. The plain limit is off by about `1 /
/// sqrt(n)`.
///
/// Ties make it conservative; two equal or constant samples have p = 1. Takes O(n log n) time, and up to `n * m` steps
/// where exact; memory O(n + m).
///
/// # Errors
///
/// An empty sample, or a value that is not finite.
///
/// ```
/// use spanfile::stats::kolmogorov_smirnov;
/// let test = kolmogorov_smirnov(&[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0])?;
/// assert_eq!(test.statistic, 1.0);
/// assert!((test.p - 2.0 / 70.0).abs() < 1e-15);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn kolmogorov_smirnov(base: &[f64], current: &[f64]) -> Result<KolmogorovSmirnov> {
    Ok(ks_of_sorted(&Sorted::new(base, 1)?, &Sorted::new(current, 1)?, KS_EXACT_PRODUCT))
}

/// The same of samples that are not empty, exact up to that product of their sizes.
pub(crate) fn ks_of_sorted(base: &Sorted, current: &Sorted, exact_product: u128) -> KolmogorovSmirnov {
    let (n, m) = (base.len(), current.len());
    let gap = largest_gap(base, current);
    let product = n as u128 * m as u128;
    let statistic = gap as f64 / product as f64;
    if product <= exact_product {
        let p = if n <= m { share_outside(n, m, gap as i64) } else { share_outside(m, n, gap as i64) };
        return KolmogorovSmirnov { statistic, p, exact: true };
    }
    let (n, m) = (n as f64, m as f64);
    let p = one_sample_above((n * m / (n + m)).round_ties_even(), statistic);
    KolmogorovSmirnov { statistic, p, exact: false }
}

/// The largest `|i m - j n|`, where `i` of `n` and `j` of `m` values are at most some value.
fn largest_gap(base: &[f64], current: &[f64]) -> u128 {
    let (n, m) = (base.len() as u128, current.len() as u128);
    let (mut i, mut j, mut largest) = (0, 0, 0);
    while i < base.len() && j < current.len() {
        let value = if base[i] < current[j] { base[i] } else { current[j] };
        while i < base.len() && base[i] <= value {
            i += 1;
        }
        while j < current.len() && current[j] <= value {
            j += 1;
        }
        largest = largest.max((i as u128 * m).abs_diff(j as u128 * n));
    }
    largest
}

/// Share of the lattice paths from (0, 0) to (n, m) that touch `|x m - y n| >= gap` somewhere.
fn share_outside(n: usize, m: usize, gap: i64) -> f64 {
    if gap == 0 {
        return 1.0;
    }
    let (columns, rows) = (n as i64, m as i64);
    let over: Vec<f64> = (0..=n + m).map(|steps| 1.0 / steps as f64).collect();
    // Column x of the shares that paths to (x, y) have been outside. Outside the band the share is 1; bands only move up.
    let mut column = vec![1.0_f64; n + 1];
    for y in 0..=rows {
        let low = ((y * columns - gap).div_euclid(rows) + 1).max(0);
        let high = ((y * columns + gap - 1).div_euclid(rows)).min(columns);
        let mut before = 1.0;
        for x in low..=high {
            let (left, below) = (x as f64, y as f64);
            let share =
                if x + y == 0 { 0.0 } else { (left * before + below * column[x as usize]) * over[(x + y) as usize] };
            column[x as usize] = share;
            before = share;
        }
        if high == columns && y == rows {
            return before.min(1.0);
        }
    }
    1.0
}
