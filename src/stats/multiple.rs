//! Several p-values: one for all of them, or each adjusted for the others.

use std::f64::consts::PI;

use super::{Result, StatsError};

/// Highest p-value that a combination looks at.
pub const COMBINE_AT_MOST: f64 = 0.9;

fn check(p_values: &[f64]) -> Result<()> {
    match p_values.iter().position(|p| !(0.0..=1.0).contains(p)) {
        Some(index) => Err(StatsError::OutOfRange { index, value: p_values[index], range: "0 to 1" }),
        None => Ok(()),
    }
}

/// One p-value for several tests of the same data, however they depend on each other: the Cauchy combination of Liu and
/// Xie 2020, "Cauchy combination test", with equal weights. None at all: p = 1.
///
/// P-values above [`COMBINE_AT_MOST`] count as that: an exact test of few observations often has p = 1, whose Cauchy
/// quantile is infinite and would silence every other test. Where all are above, it is the smallest.
///
/// # Errors
///
/// A value outside of 0 to 1.
///
/// ```
/// use spanfile::stats::cauchy_combination;
/// assert!((cauchy_combination(&[0.01, 0.04])? - 0.016007592825952).abs() < 1e-14);
/// assert_eq!(cauchy_combination(&[0.3])?, 0.3);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn cauchy_combination(p_values: &[f64]) -> Result<f64> {
    check(p_values)?;
    match p_values {
        [] => return Ok(1.0),
        [one] => return Ok(*one),
        _ => {}
    }
    let least = p_values.iter().copied().fold(1.0, f64::min);
    if least >= COMBINE_AT_MOST {
        return Ok(least);
    }
    // tan((1/2 - p) pi) is 1 / tan(p pi), which is precise for small p.
    let sum: f64 = p_values.iter().map(|&p| 1.0 / (p.min(COMBINE_AT_MOST) * PI).tan()).sum();
    let mean = sum / p_values.len() as f64;
    // 1/2 - atan(t) / pi, likewise.
    Ok(if mean > 0.0 { (1.0 / mean).atan() / PI } else { 0.5 - mean.atan() / PI })
}

/// P-values adjusted so that those at or below a level hold that false discovery rate: Benjamini and Hochberg 1995, as
/// `scipy.stats.false_discovery_control`. In the order of the input.
///
/// # Errors
///
/// A value outside of 0 to 1.
///
/// ```
/// use spanfile::stats::benjamini_hochberg;
/// assert_eq!(benjamini_hochberg(&[0.5, 0.125, 0.25, 0.25])?, [0.5, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn benjamini_hochberg(p_values: &[f64]) -> Result<Vec<f64>> {
    check(p_values)?;
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_unstable_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut least = 1.0_f64;
    for (before, &at) in order.iter().enumerate().rev() {
        least = least.min(p_values[at] * (p_values.len() as f64 / (before + 1) as f64));
        adjusted[at] = least;
    }
    Ok(adjusted)
}
