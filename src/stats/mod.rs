//! Statistics of two samples: tests, effect sizes, distances, change points. Pure functions on slices; what to do with the
//! numbers is decided in [`drift`](crate::drift).
//!
//! ```
//! use spanfile::stats::{cliffs_delta, mann_whitney, median};
//!
//! let before = [120.0, 95.0, 130.0, 110.0, 102.0, 99.0];
//! let after = [180.0, 150.0, 210.0, 128.0, 170.0, 165.0];
//! assert_eq!(median(&before)?, 106.0);
//! assert!(mann_whitney(&before, &after)?.p < 0.01);
//! assert!(cliffs_delta(&before, &after, 0.05)?.delta > 0.9);
//! # Ok::<(), spanfile::stats::StatsError>(())
//! ```
//!
//! # Input
//!
//! A sample is a slice of finite values in any order. What is missing is left out by the caller, who knows how often it
//! is: NaN, infinite values, too few values and parameters out of range are a [`StatsError`], never a panic and never
//! dropped in silence. Samples without any variation have answers: p is 1, an effect 0. Answers depend on the values
//! alone, not on their order, save where a function says that order is time.
//!
//! Everything takes O(n log n) time and O(n) memory, save where a function says otherwise. What is random follows from
//! a seed by integer arithmetic, so it is the same on every platform; distributions are those of the crate `statrs`.

mod bootstrap;
mod clusters;
mod contingency;
mod detectable;
mod divergence;
mod error;
mod fisher;
mod kolmogorov;
mod ks;
mod multiple;
mod normal;
mod order;
mod pelt;
mod random;
mod rank_tests;

pub(crate) use bootstrap::median_ratio_of_sorted;
pub use bootstrap::{MedianRatio, RESAMPLES, median_ratio};
pub use clusters::clustered_mix;
pub use contingency::{
    ChiSquared, EXPECTED_AT_LEAST, PERMUTATIONS, Permutations, Permuted, Pooled, chi_squared, permute_units, pool_rare,
};
pub(crate) use detectable::detectable_delta_of_sorted;
pub use detectable::{Power, detectable_delta, detectable_difference, ratio_of_delta};
pub use divergence::{Divergence, jensen_shannon, psi, psi_evidently, quantile_bins, wasserstein};
pub(crate) use divergence::{counts_between, quantile_edges};
pub use error::StatsError;
pub use fisher::fisher_exact;
pub(crate) use ks::ks_of_sorted;
pub use ks::{KS_EXACT_PRODUCT, KolmogorovSmirnov, kolmogorov_smirnov};
pub use multiple::{COMBINE_AT_MOST, benjamini_hochberg, cauchy_combination};
pub(crate) use order::{Sorted, critical};
pub use order::{median, normal_scores, quantile, ranks};
pub use pelt::{Changes, level_changes, pelt};
pub use random::Random;
pub(crate) use rank_tests::mann_whitney_of_sorted;
pub use rank_tests::{CliffsDelta, MannWhitney, cliffs_delta, mann_whitney};

/// An answer, or why there is none.
pub type Result<T, E = StatsError> = std::result::Result<T, E>;
