//! The figures of one metric.

use super::{Better, Comparison, Kind, Samples, Settings};
use crate::stats::{
    Divergence, Pooled, Result, Sorted, StatsError, cauchy_combination, chi_squared, clustered_mix, counts_between,
    detectable_delta_of_sorted, detectable_difference, fisher_exact, jensen_shannon, ks_of_sorted,
    mann_whitney_of_sorted, median_ratio_of_sorted, permute_units, pool_rare, psi, quantile_edges, ratio_of_delta,
};

/// Most runs that are permuted one by one; where that many have a category that is sparse, it weighs little.
const PERMUTED_RUNS: usize = 200_000;

/// Intervals leave out so much on both sides together, whatever the level of tests.
const INTERVAL: f64 = 0.05;

/// Compares the two sides of one metric. `p_adj`, `verdict` and what follows from it come from [`decide`](super::decide),
/// `change_at` from [`change_at`](super::change_at).
///
/// A side without runs is no error: there are no figures then. Samples of fewer runs than a verdict needs have all figures
/// that can be had.
///
/// # Errors
///
/// A value that is not finite, categories of different number, counts beyond what can be added up, or settings that are
/// out of range.
///
/// ```
/// use spanfile::drift::{Better, Samples, Settings, compare};
/// let row = compare(Samples::Binary { base: [180, 20], current: [150, 50] }, Better::Higher, &Settings::default())?;
/// assert_eq!((row.base_median, row.cur_median), (Some(0.9), Some(0.75)));
/// assert!((row.effect.unwrap_or(0.0) + 0.15).abs() < 1e-12);
/// assert!(row.p.is_some_and(|p| p < 0.001));
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn compare(samples: Samples<'_>, better: Better, settings: &Settings) -> Result<Comparison> {
    settings.check()?;
    match samples {
        Samples::Numeric { base, current } => numeric(base, current, better, settings),
        Samples::Binary { base, current } => binary(base, current, better, settings),
        Samples::Categorical { base, current } => categorical(base, current, better, settings),
        Samples::Mix { base, current } => mix(base, current, better, settings),
    }
}

fn numeric(base: &[f64], current: &[f64], better: Better, settings: &Settings) -> Result<Comparison> {
    let mut row = Comparison::empty(Kind::Numeric, better, base.len(), current.len());
    let (base, current) = (Sorted::new(base, 0)?, Sorted::new(current, 0)?);
    // Figures of a side that is alone all the same.
    for (values, median_of, p95_of) in
        [(&base, &mut row.base_median, &mut row.p95_base), (&current, &mut row.cur_median, &mut row.p95_cur)]
    {
        if !values.is_empty() {
            (*median_of, *p95_of) = (Some(values.quantile(0.5)), Some(values.quantile(settings.tail_quantile)));
        }
    }
    let (Some(p95), Some(base_median), Some(cur_median)) = (row.p95_base, row.base_median, row.cur_median) else {
        return Ok(row);
    };
    let ratio = median_ratio_of_sorted(&base, &current, INTERVAL, settings.resamples, settings.seed);
    if let Some(found) = ratio {
        row.ratio = Some(found.ratio);
        (row.ci_lo, row.ci_hi) = found.interval.unzip();
    } else if base_median == 0.0 && cur_median != 0.0 {
        row.add_note("the base's median is 0: no ratio");
    }
    let (above_base, above_cur) = (above(&base, p95), above(&current, p95));
    row.tail_base = Some(share(above_base));
    row.tail_cur = Some(share(above_cur));

    let level = mann_whitney_of_sorted(&base, &current);
    let shape = ks_of_sorted(&base, &current, settings.exact_product);
    let p = [level.p, shape.p, fisher_exact(above_base, above_cur)?];
    (row.p_level, row.p_shape, row.p_tail) = (Some(p[0]), Some(p[1]), Some(p[2]));
    row.p = Some(cauchy_combination(&p)?);
    // Cliff's delta, from pairs in which the base is larger.
    let pairs = base.len() as f64 * current.len() as f64;
    row.effect = Some((pairs - 2.0 * level.u) / pairs);
    row.mde = detectable_delta_of_sorted(&base, &current, settings.wanted_power())?;
    if let Some(delta) = row.mde.filter(|_| base.len() > 1 && base.len().min(current.len()) < settings.min_runs)
        && let Some(ratio) = ratio_of_delta(&base, delta)?
    {
        row.add_note(&format!("so few runs show medians that differ by a factor of {ratio:.2}"));
    }
    let edges = quantile_edges(&base, settings.bins);
    row.distances(&counts_between(&base, &edges), &counts_between(&current, &edges))?;
    if base.iter().chain(current.iter()).all(|v| *v == base[0]) {
        row.add_note("all values are equal");
    }
    Ok(row)
}

/// How many values are above a threshold, and how many are not.
fn above(values: &Sorted, threshold: f64) -> [u64; 2] {
    let not_above = values.partition_point(|v| *v <= threshold);
    [(values.len() - not_above) as u64, not_above as u64]
}

fn share([with, without]: [u64; 2]) -> f64 {
    with as f64 / (with as f64 + without as f64)
}

fn binary(base: [u64; 2], current: [u64; 2], better: Better, settings: &Settings) -> Result<Comparison> {
    let (n, m) = (runs(&base)?, runs(&current)?);
    let mut row = Comparison::empty(Kind::Binary, better, n, m);
    row.base_median = (n > 0).then(|| share(base));
    row.cur_median = (m > 0).then(|| share(current));
    let (Some(before), Some(now)) = (row.base_median, row.cur_median) else { return Ok(row) };
    row.effect = Some(now - before);
    row.p_level = Some(fisher_exact(base, current)?);
    row.p = row.p_level;
    row.mde = detectable_difference(before, n, m, settings.wanted_power())?;
    row.distances(&base, &current)?;
    if before > 0.0 {
        row.ratio = Some(now / before);
        if now > 0.0 {
            let (with_base, with_cur) = (base[0] as f64, current[0] as f64);
            let spread = (1.0 / with_base - 1.0 / n as f64 + 1.0 / with_cur - 1.0 / m as f64).max(0.0).sqrt();
            let factor = (crate::stats::critical(INTERVAL)? * spread).exp();
            (row.ci_lo, row.ci_hi) = (Some(now / before / factor), Some(now / before * factor));
        }
    }
    Ok(row)
}

fn runs(counts: &[u64]) -> Result<usize> {
    let sum = counts.iter().try_fold(0_u64, |sum, &c| sum.checked_add(c)).ok_or(StatsError::TooLarge)?;
    usize::try_from(sum).map_err(|_| StatsError::TooLarge)
}

fn categorical(base: &[u64], current: &[u64], better: Better, settings: &Settings) -> Result<Comparison> {
    let (n, m) = (runs(base)?, runs(current)?);
    let mut row = Comparison::empty(Kind::Categorical, better, n, m);
    if n == 0 || m == 0 {
        return Ok(row);
    }
    let pooled = row.pool(base, current, settings)?;
    let test = chi_squared(&[&pooled.base, &pooled.current])?;
    let p = if test.least_expected >= settings.expected {
        test.p
    } else if let ([b0, b1], [c0, c1]) = (&pooled.base[..], &pooled.current[..]) {
        fisher_exact([*b0, *b1], [*c0, *c1])?
    } else if n.saturating_add(m) > PERMUTED_RUNS {
        row.add_note("sparse: the p-value is approximate");
        test.p
    } else {
        row.add_note("sparse: runs permuted");
        let units = |counts: &[u64]| -> Vec<Vec<u64>> {
            let one = |at: usize| (0..counts.len()).map(|i| u64::from(i == at)).collect::<Vec<_>>();
            counts.iter().enumerate().flat_map(|(at, &count)| (0..count).map(move |_| at)).map(one).collect()
        };
        let permutations = settings.affordable_permutations(n.min(m));
        permute_units(&units(&pooled.base), &units(&pooled.current), permutations, settings.seed)?.p
    };
    (row.p_level, row.p) = (Some(p), Some(p));
    row.distances(&pooled.base, &pooled.current)?;
    row.effect = row.js;
    Ok(row)
}

fn mix(base: &[&[u64]], current: &[&[u64]], better: Better, settings: &Settings) -> Result<Comparison> {
    let mut row = Comparison::empty(Kind::Categorical, better, base.len(), current.len());
    let width = base.iter().chain(current).next().map_or(0, |unit| unit.len());
    let sums = |side: &[&[u64]]| -> Result<Vec<u64>> {
        let mut sums = vec![0_u64; width];
        for unit in side {
            if unit.len() != width {
                return Err(StatsError::Lengths { left: width, right: unit.len() });
            }
            for (sum, &count) in sums.iter_mut().zip(*unit) {
                *sum = sum.checked_add(count).ok_or(StatsError::TooLarge)?;
            }
        }
        Ok(sums)
    };
    let (all_base, all_cur) = (sums(base)?, sums(current)?);
    if runs(&all_base)? == 0 || runs(&all_cur)? == 0 {
        if !base.is_empty() && !current.is_empty() {
            row.add_note("a side has no counts");
        }
        return Ok(row);
    }
    let pooled = row.pool(&all_base, &all_cur, settings)?;
    let pool_unit = |unit: &&[u64]| -> Vec<u64> {
        let mut counts: Vec<u64> = pooled.kept.iter().map(|&at| unit[at]).collect();
        if !pooled.other.is_empty() {
            counts.push(pooled.other.iter().map(|&at| unit[at]).sum());
        }
        counts
    };
    let (base, current): (Vec<_>, Vec<_>) =
        (base.iter().map(pool_unit).collect(), current.iter().map(pool_unit).collect());
    let test = if base.len().min(current.len()) < settings.permuted_runs {
        let permutations = settings.affordable_permutations(base.len().min(current.len()));
        permute_units(&base, &current, permutations, settings.seed)?
    } else {
        clustered_mix(&base, &current)?
    };
    (row.p_level, row.p) = (Some(test.p), Some(test.p));
    // Calls of one run hang together, so chance gives more than it would for as many independent calls.
    let (psi, js) = (psi(&pooled.base, &pooled.current)?.raw, jensen_shannon(&pooled.base, &pooled.current)?.raw);
    row.psi = Some(psi);
    row.psi_corrected = Some((psi - test.chance_psi).max(0.0));
    row.js = Some((js * js - test.chance_bits).max(0.0).sqrt());
    row.effect = row.js;
    Ok(row)
}

impl Comparison {
    fn distances(&mut self, base: &[u64], current: &[u64]) -> Result<()> {
        let Divergence { raw, corrected } = psi(base, current)?;
        (self.psi, self.psi_corrected) = (Some(raw), Some(corrected));
        self.js = Some(jensen_shannon(base, current)?.corrected);
        Ok(())
    }

    /// Rare categories as one, unless that is all that there would be.
    fn pool(&mut self, base: &[u64], current: &[u64], settings: &Settings) -> Result<Pooled> {
        let pooled = pool_rare(base, current, settings.expected)?;
        if pooled.kept.is_empty() {
            return pool_rare(base, current, 0.0);
        }
        if !pooled.other.is_empty() {
            self.add_note(&format!("{} rare categories as one", pooled.other.len()));
        }
        Ok(pooled)
    }
}
