//! Thresholds.

use crate::stats::{EXPECTED_AT_LEAST, PERMUTATIONS, Permutations, Power, RESAMPLES, Result, StatsError};

/// A p-value of 0.001 must remain possible.
const FEWEST_PERMUTATIONS: u32 = 999;

/// Thresholds of all decisions, and how much chance may cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Highest adjusted p-value of a drift.
    pub alpha: f64,
    /// Fewest runs per side for a verdict.
    pub min_runs: usize,
    /// Least absolute Cliff's delta of a numeric drift ...
    pub delta: f64,
    /// ... or least ratio of medians, either way ...
    pub median_ratio: f64,
    /// ... or least absolute difference of the shares above the base's tail quantile.
    pub tail_difference: f64,
    /// Quantile of the base above which values are its tail.
    pub tail_quantile: f64,
    /// Least absolute difference of shares of a binary drift.
    pub difference: f64,
    /// Least bias-corrected Jensen-Shannon distance of a categorical drift.
    pub jensen_shannon: f64,
    /// Fewest expected observations of a category that is not pooled.
    pub expected: f64,
    /// Permutations of runs where a table is sparse.
    pub permutations: u32,
    /// Runs on each side from which on the moments of permuting them stand for permutations.
    pub permuted_runs: usize,
    /// Most steps that a permutation test may take; beyond, there are fewer permutations, but 999 at least.
    pub permutation_steps: u64,
    /// Permutations as extreme as what was seen, after which there are no more.
    pub permutation_extreme: u32,
    /// Bootstrap resamples for the ratio of medians; of drifts eight times as many.
    pub resamples: u32,
    /// Up to this product of the numbers of runs the Kolmogorov-Smirnov test is exact.
    pub exact_product: u128,
    /// Quantile bins of PSI and of the Jensen-Shannon distance of numeric metrics.
    pub bins: usize,
    /// Fewest runs between two changes of level.
    pub change_min_runs: usize,
    /// Penalty of a change of level, times the logarithm of the number of runs.
    pub change_penalty: f64,
    /// Chance to see the smallest detectable effect.
    pub power: f64,
    /// Whether secondary metrics are compared too.
    pub secondary: bool,
    /// Where random numbers start.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            min_runs: 30,
            delta: 0.147,
            median_ratio: 1.1,
            tail_difference: 0.05,
            tail_quantile: 0.95,
            difference: 0.05,
            jensen_shannon: 0.1,
            expected: EXPECTED_AT_LEAST,
            permutations: PERMUTATIONS,
            permuted_runs: 200,
            permutation_steps: 2_000_000,
            permutation_extreme: 100,
            resamples: RESAMPLES / 8,
            secondary: false,
            exact_product: 250_000,
            bins: 10,
            change_min_runs: 20,
            change_penalty: 3.0,
            power: 0.8,
            seed: 1,
        }
    }
}

impl Settings {
    /// Refuses thresholds that mean nothing.
    pub(super) fn check(&self) -> Result<()> {
        for (value, range) in [(self.alpha, "0 to 1, both excluded"), (self.power, "0 to 1, both excluded")] {
            if !(value > 0.0 && value < 1.0) {
                return Err(StatsError::OutOfRange { index: 0, value, range });
            }
        }
        match (0.0..=1.0).contains(&self.tail_quantile) {
            true => Ok(()),
            false => Err(StatsError::OutOfRange { index: 0, value: self.tail_quantile, range: "0 to 1" }),
        }
    }

    /// Permutations when one takes so many steps.
    pub(super) fn affordable_permutations(&self, steps: usize) -> Permutations {
        let affordable = self.permutation_steps / (steps.max(1) as u64);
        let most = self.permutations.min(u32::try_from(affordable).unwrap_or(u32::MAX).max(FEWEST_PERMUTATIONS));
        Permutations { most, extreme: self.permutation_extreme }
    }

    pub(super) fn wanted_power(&self) -> Power {
        Power { alpha: self.alpha, power: self.power }
    }
}
