//! Tables of counts: the chi-squared test, pooling of rare categories, permutation of runs.

use super::divergence::{bits_of, psi_of};
use super::error::check_counts;
use super::normal::chi_squared_above;
use super::{Random, Result, StatsError};

/// Permutations that a p-value is taken from unless one says otherwise.
pub const PERMUTATIONS: u32 = 9_999;
/// Fewest expected observations of a category for which the chi-squared distribution is trusted.
pub const EXPECTED_AT_LEAST: f64 = 5.0;

/// Result of [`chi_squared`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquared {
    /// Pearson's statistic.
    pub statistic: f64,
    /// Degrees of freedom.
    pub degrees: usize,
    /// The p-value.
    pub p: f64,
    /// The smallest expected count; infinite for a table without any.
    pub least_expected: f64,
}

/// Whether rows of counts have the same shares: Pearson's chi-squared test without continuity correction, as
/// `scipy.stats.chi2_contingency(correction=False)`.
///
/// Rows and columns without any observation are left out, where SciPy refuses them. Fewer than two rows or columns: the
/// statistic is 0 and p is 1.
///
/// # Errors
///
/// Rows of different lengths, or a sum over 2^64.
///
/// ```
/// use spanfile::stats::chi_squared;
/// let test = chi_squared(&[[10, 10, 20], [20, 20, 20]])?;
/// assert!((test.statistic - 2.7777777777777777).abs() < 1e-14);
/// assert_eq!(test.degrees, 2);
/// assert!((test.p - 0.24935220877729622).abs() < 1e-14);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn chi_squared<R: AsRef<[u64]>>(rows: &[R]) -> Result<ChiSquared> {
    let width = rows.first().map_or(0, |r| r.as_ref().len());
    let mut columns = vec![0_u64; width];
    let mut total = 0_u64;
    for row in rows {
        let row = row.as_ref();
        if row.len() != width {
            return Err(StatsError::Lengths { left: width, right: row.len() });
        }
        for (sum, &count) in columns.iter_mut().zip(row) {
            *sum = sum.checked_add(count).ok_or(StatsError::TooLarge)?;
            total = total.checked_add(count).ok_or(StatsError::TooLarge)?;
        }
    }
    let (mut statistic, mut least_expected, mut filled_rows) = (0.0, f64::INFINITY, 0_usize);
    for row in rows {
        let sum: u64 = row.as_ref().iter().sum();
        if sum == 0 {
            continue;
        }
        filled_rows += 1;
        for (&count, &column) in row.as_ref().iter().zip(&columns).filter(|(_, column)| **column > 0) {
            let expected = sum as f64 * column as f64 / total as f64;
            let off = count as f64 - expected;
            statistic += off * off / expected;
            least_expected = least_expected.min(expected);
        }
    }
    let filled_columns = columns.iter().filter(|&&c| c > 0).count();
    let degrees = filled_rows.saturating_sub(1) * filled_columns.saturating_sub(1);
    Ok(ChiSquared { statistic, degrees, p: chi_squared_above(statistic, degrees), least_expected })
}

/// Two rows of counts whose rare categories became one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pooled {
    /// Counts of the base, `other` last where there is one.
    pub base: Vec<u64>,
    /// Counts of the current sample, in the same order.
    pub current: Vec<u64>,
    /// Which of the categories stayed, by position.
    pub kept: Vec<usize>,
    /// Which categories went into `other`; those without any observation are nowhere.
    pub other: Vec<usize>,
}

/// Pools categories of which fewer than `at_least` observations are expected on one of the sides into `other`.
///
/// # Errors
///
/// Different lengths, a side without observations, or a sum over 2^64.
///
/// ```
/// use spanfile::stats::{EXPECTED_AT_LEAST, pool_rare};
/// let pooled = pool_rare(&[50, 2, 30, 1, 0], &[48, 1, 40, 3, 0], EXPECTED_AT_LEAST)?;
/// assert_eq!((pooled.kept, pooled.other), (vec![0, 2], vec![1, 3]));
/// assert_eq!((pooled.base, pooled.current), (vec![50, 30, 3], vec![48, 40, 4]));
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn pool_rare(base: &[u64], current: &[u64], at_least: f64) -> Result<Pooled> {
    let (n, m) = check_counts(base, current)?;
    let smaller = n.min(m) as f64 / (n as f64 + m as f64);
    let mut pooled = Pooled { base: Vec::new(), current: Vec::new(), kept: Vec::new(), other: Vec::new() };
    let mut other = (0, 0);
    for (at, (&b, &c)) in base.iter().zip(current).enumerate() {
        let both = b as f64 + c as f64;
        if both * smaller >= at_least {
            pooled.kept.push(at);
            pooled.base.push(b);
            pooled.current.push(c);
        } else if both > 0.0 {
            pooled.other.push(at);
            other = (other.0 + b, other.1 + c);
        }
    }
    if !pooled.other.is_empty() {
        pooled.base.push(other.0);
        pooled.current.push(other.1);
    }
    Ok(pooled)
}

/// Result of [`permute_units`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Permuted {
    /// Pearson's statistic of the summed counts.
    pub statistic: f64,
    /// Share of permutations with a statistic no smaller, the observed order counted as one of them.
    pub p: f64,
    /// Mean of [`psi`](super::psi) over the permutations: what chance alone gives, given how counts cluster in units. 0
    /// without permutations.
    pub chance_psi: f64,
    /// Mean of the Jensen-Shannon divergence over the permutations, in bits (the square of the distance).
    pub chance_bits: f64,
}

/// How often units are dealt anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permutations {
    /// At most so often.
    pub most: u32,
    /// Not any more when so many had a statistic no smaller than the observed one: then p is so many, over how often units
    /// were dealt (Besag and Clifford 1991, "Sequential Monte Carlo p-values"). What is far from significant takes a few
    /// hundred permutations, and no p-value is less exact than by one part in the root of this number.
    pub extreme: u32,
}

impl Permutations {
    /// All of them.
    pub fn all(most: u32) -> Self {
        Permutations { most, extreme: u32::MAX }
    }
}

/// Whether two groups of units have the same mix, where each unit (a run) carries a count per category: the statistic is
/// Pearson's of the summed counts, and what chance gives is found by dealing the *units* anew, again and again. Counts
/// within a unit go together, so permuting or testing counts would take fifty calls of one run for fifty observations.
///
/// The p-value of all permutations is `(1 + extreme) / (1 + permutations)` (Phipson and Smyth 2010, "Permutation p-values should never be
/// zero"). The same units in the same order, and the same seed, give the same p-value on every platform: integers, and
/// floating-point operations without a library's rounding. All counts in one category, or none: p is 1.
/// Takes as many steps per permutation as there are counts above 0 in as many units as the smaller side has.
///
/// # Errors
///
/// A side without units, units of different lengths, or a sum over 2^64.
///
/// ```
/// use spanfile::stats::{PERMUTATIONS, Permutations, permute_units};
/// let (base, current) = (vec![[3, 1]; 20], vec![[1, 3]; 20]);
/// let test = permute_units(&base, &current, Permutations::all(PERMUTATIONS), 7)?;
/// assert_eq!(test.statistic, 40.0);
/// assert_eq!(test.p, 1.0 / 10_000.0);
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn permute_units<U: AsRef<[u64]>>(
    base: &[U],
    current: &[U],
    permutations: Permutations,
    seed: u64,
) -> Result<Permuted> {
    let units = Units::new(base, current)?;
    let (totals, all, width) = (&units.totals, units.all, units.totals.len());
    // Dealing the smaller side is enough: the other one is what remains.
    let (dealt, first) = if base.len() <= current.len() { (base.len(), 0) } else { (current.len(), base.len()) };
    let (mut sums, mut rest) = (vec![0_u64; width], vec![0_u64; width]);
    (first..first + dealt).for_each(|unit| units.add(&mut sums, unit));
    let seen = pearson(&sums, totals, all);
    let mut order: Vec<u32> = (0..(base.len() + current.len()) as u32).collect();
    let mut random = Random::new(seed);
    let (mut extreme, mut chance_psi, mut chance_bits) = (0_u32, 0.0, 0.0);
    let mut times = 0_u32;
    while times < permutations.most && extreme < permutations.extreme {
        times += 1;
        sums.fill(0);
        for at in 0..dealt {
            let other = at + random.below((order.len() - at) as u64) as usize;
            order.swap(at, other);
            units.add(&mut sums, order[at] as usize);
        }
        // The same sums in another order are the same counts, hence the same float: no tolerance is needed.
        extreme += u32::from(pearson(&sums, totals, all) >= seen);
        rest.iter_mut().zip(totals).zip(&sums).for_each(|((rest, total), sum)| *rest = total - sum);
        let dealt: u64 = sums.iter().sum();
        if dealt > 0 && dealt < all {
            let (one, other) = if first == 0 { (&sums, &rest) } else { (&rest, &sums) };
            let (n, m) = if first == 0 { (dealt, all - dealt) } else { (all - dealt, dealt) };
            chance_psi += psi_of(one, other, n, m);
            chance_bits += bits_of(one, other, n, m);
        }
    }
    let p = match times < permutations.most {
        true => f64::from(extreme) / f64::from(times),
        false => (f64::from(extreme) + 1.0) / (f64::from(times) + 1.0),
    };
    let times = f64::from(times.max(1));
    Ok(Permuted { statistic: seen, p, chance_psi: chance_psi / times, chance_bits: chance_bits / times })
}

/// Units of both groups, those of the base first.
pub(super) struct Units {
    /// Counts above 0 of unit after unit: units are dealt at random, and have few each.
    counts: Vec<(u32, u64)>,
    /// Where those of each begin, and where the last ends.
    starts: Vec<usize>,
    /// Sums per category.
    pub(super) totals: Vec<u64>,
    /// Their sum.
    pub(super) all: u64,
}

impl Units {
    pub(super) fn new<U: AsRef<[u64]>>(base: &[U], current: &[U]) -> Result<Self> {
        for side in [base, current] {
            if side.is_empty() {
                return Err(StatsError::TooFew { needed: 1, got: 0 });
            }
        }
        let width = base[0].as_ref().len();
        let mut totals = vec![0_u64; width];
        let mut counts: Vec<(u32, u64)> = Vec::new();
        let mut starts: Vec<usize> = Vec::with_capacity(base.len() + current.len() + 1);
        for unit in base.iter().chain(current) {
            let unit = unit.as_ref();
            if unit.len() != width {
                return Err(StatsError::Lengths { left: width, right: unit.len() });
            }
            for (sum, &count) in totals.iter_mut().zip(unit) {
                *sum = sum.checked_add(count).ok_or(StatsError::TooLarge)?;
            }
            starts.push(counts.len());
            counts.extend((0u32..).zip(unit).filter(|(_, count)| **count > 0).map(|(at, count)| (at, *count)));
        }
        starts.push(counts.len());
        let all = totals.iter().try_fold(0_u64, |sum, &t| sum.checked_add(t)).ok_or(StatsError::TooLarge)?;
        Ok(Units { counts, starts, totals, all })
    }

    /// Counts above 0 of a unit, with their categories.
    pub(super) fn of(&self, unit: usize) -> &[(u32, u64)] {
        &self.counts[self.starts[unit]..self.starts[unit + 1]]
    }

    pub(super) fn add(&self, sums: &mut [u64], unit: usize) {
        self.of(unit).iter().for_each(|(at, count)| sums[*at as usize] += count);
    }
}

/// Pearson's statistic of two rows, one of them given by its counts, the other by the columns' totals.
pub(super) fn pearson(sums: &[u64], totals: &[u64], all: u64) -> f64 {
    let row: u64 = sums.iter().sum();
    let rest = all - row;
    if row == 0 || rest == 0 {
        return 0.0;
    }
    // Both rows are off by the same amount: (o - e)^2 (1/e1 + 1/e2) = (o - e)^2 / (total share_1 share_2).
    let share = row as f64 / all as f64;
    let between = share * (rest as f64 / all as f64);
    let mut statistic = 0.0;
    for (&sum, &total) in sums.iter().zip(totals).filter(|(_, total)| **total > 0) {
        let off = sum as f64 - total as f64 * share;
        statistic += off * off / (total as f64 * between);
    }
    statistic
}
