//! Fisher's exact test.

use super::{Result, StatsError};

/// Tables within this of the observed one's probability count as equally likely: ties must not hang on rounding.
const TIE: f64 = 1e-10;
/// Weights below this, with the observed table at 1, and all further out no longer count.
const NOTHING: f64 = 1e-25;
/// Largest table: beyond, floats no longer hold every count.
const LARGEST: u64 = 1 << 52;

/// Whether the share of successes differs between two samples: Fisher's exact test of a 2x2 table, two-sided, the sum of
/// all tables with the same margins that are no more likely than this one (as R's `fisher.test` and
/// `scipy.stats.fisher_exact`).
///
/// `base` and `current` are successes and failures. A row or column of zeros: p = 1. All probabilities are relative to the
/// observed table's, by the ratio of neighbours, so there is no factorial to overflow; a p-value below 1e-308 is 0. Takes
/// as many steps as there are tables that count, some standard deviations.
///
/// # Errors
///
/// More than 2^52 observations.
///
/// ```
/// use spanfile::stats::fisher_exact;
/// assert!((fisher_exact([8, 2], [1, 5])? - 0.034965034965034975).abs() < 1e-15);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn fisher_exact(base: [u64; 2], current: [u64; 2]) -> Result<f64> {
    let total = base.iter().chain(&current).try_fold(0_u64, |sum, &c| sum.checked_add(c));
    let total = total.filter(|&t| t <= LARGEST).ok_or(StatsError::TooLarge)?;
    let (row, column, seen) = (base[0] + base[1], base[0] + current[0], base[0]);
    // Probability of x + 1 over that of x.
    let step = |x: u64| {
        let up = (row - x) as f64 * (column - x) as f64;
        up / ((x + 1) as f64 * ((total - row) + (x + 1) - column) as f64)
    };
    let (least, most) = ((row + column).saturating_sub(total), row.min(column));
    let mut sums = Sums { outside: 1.0, all: 1.0 };
    sums.walk((seen..most).map(step));
    sums.walk((least..seen).rev().map(|x| 1.0 / step(x)));
    Ok((sums.outside / sums.all).min(1.0))
}

/// Weights, the observed table's being 1.
struct Sums {
    /// Of tables no likelier than the observed one.
    outside: f64,
    all: f64,
}

impl Sums {
    /// Adds tables from the observed one outwards, told by the ratios of neighbours.
    fn walk(&mut self, ratios: impl Iterator<Item = f64>) {
        let mut weight = 1.0;
        for ratio in ratios {
            weight *= ratio;
            if weight <= 1.0 + TIE {
                self.outside += weight;
            }
            self.all += weight;
            // Past the mode weights only fall. An infinite one says that the observed table's share is 0.
            if weight < NOTHING || weight.is_infinite() {
                return;
            }
        }
    }
}
