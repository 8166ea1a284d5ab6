//! The mix of two groups of units, when there are many: what permuting them would give, from its moments.

use std::f64::consts::LN_2;

use super::contingency::{Units, pearson};
use super::normal::gamma_above;
use super::{Permuted, Result};

/// As [`permute_units`](super::permute_units) without permutations: the statistic is the same, and its distribution under
/// dealing the units anew is taken for a scaled chi-squared one with the same mean and variance (Satterthwaite 1946, "An
/// approximate distribution of estimates of variance components"), as Rao and Scott 1984, "On chi-squared tests for
/// multiway contingency tables with cell proportions estimated from survey data", do for clustered samples. The covariance
/// of the dealt sums is exact, that of samples without replacement.
///
/// For some hundred units a side and more; the p-value is not bounded by a number of permutations. Takes as many steps as
/// units have pairs of counts above 0, and memory for the square of the number of categories.
///
/// # Errors
///
/// As `permute_units`.
///
/// ```
/// use spanfile::stats::{Permutations, clustered_mix, permute_units};
/// let unit = |i: usize| [1 + (i * 7 % 5) as u64, (i * 11 % 7) as u64];
/// let (base, current): (Vec<_>, Vec<_>) = ((0..300).map(unit).collect(), (300..520).map(unit).collect());
/// let (exact, near) = (permute_units(&base, &current, Permutations::all(9_999), 1)?, clustered_mix(&base, &current)?);
/// assert!((exact.p - near.p).abs() < 0.03);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn clustered_mix<U: AsRef<[u64]>>(base: &[U], current: &[U]) -> Result<Permuted> {
    let units = Units::new(base, current)?;
    let width = units.totals.len();
    let mut of_base = vec![0_u64; width];
    (0..base.len()).for_each(|unit| units.add(&mut of_base, unit));
    let statistic = pearson(&of_base, &units.totals, units.all);
    let share: Vec<f64> = units.totals.iter().map(|t| *t as f64 / (units.all as f64).max(1.0)).collect();

    // Sums over units of x x', s x and s s, with x the counts of a unit and s their sum.
    let mut products = vec![0.0; width * width];
    let (mut with_sum, mut squares) = (vec![0.0; width], 0.0);
    for unit in 0..base.len() + current.len() {
        let counts = units.of(unit);
        let sum: f64 = counts.iter().map(|(_, n)| *n as f64).sum();
        squares += sum * sum;
        for &(i, n) in counts {
            with_sum[i as usize] += sum * n as f64;
            counts.iter().for_each(|&(j, m)| products[i as usize * width + j as usize] += n as f64 * m as f64);
        }
    }
    // Of n of N units dealt, the sums less their share of all counts have n (N - n) / (N (N - 1)) times the sum over
    // units of d d', with d = x - s p.
    let (n, all) = (base.len() as f64, (base.len() + current.len()) as f64);
    let dealt = n / all * (all - n) / (all - 1.0);
    let between = n / all * (1.0 - n / all) * units.all as f64;
    let mut mean = 0.0;
    let mut variance = 0.0;
    for i in (0..width).filter(|&i| share[i] > 0.0) {
        for j in (0..width).filter(|&j| share[j] > 0.0) {
            let centred = products[i * width + j] - with_sum[i] * share[j] - share[i] * with_sum[j]
                + squares * share[i] * share[j];
            let covariance = dealt * centred;
            if i == j {
                mean += covariance / (share[i] * between);
            }
            variance += 2.0 * covariance / (share[i] * between) * (covariance / (share[j] * between));
        }
    }
    let p = if mean > 0.0 && variance > 0.0 {
        gamma_above(mean * mean / variance, statistic * mean / variance)
    } else {
        1.0
    };
    let counts: u64 = of_base.iter().sum();
    let (of_base, of_current) = (counts as f64, (units.all - counts) as f64);
    let noise = if of_base > 0.0 && of_current > 0.0 { 1.0 / of_base + 1.0 / of_current } else { 0.0 };
    Ok(Permuted { statistic, p, chance_psi: mean * noise, chance_bits: mean * noise / (8.0 * LN_2) })
}
