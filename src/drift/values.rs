//! Values of a metric: compared, as a series, and in bins.

use std::sync::Arc;

use super::runs::{Side, Values};
use super::{Better, Comparison, Samples, Settings, compare};
use crate::stats::{Result, Sorted, counts_between, quantile_edges};

/// How many values of each side are in a bin.
pub(super) struct Counted {
    pub(super) category: Option<Arc<str>>,
    pub(super) above: Option<f64>,
    pub(super) up_to: Option<f64>,
    pub(super) base: u64,
    pub(super) current: u64,
}

impl Values {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Values::Numbers(values) => values.is_empty(),
            Values::Flags(values) => values.is_empty(),
            Values::Mixes(values, _) => values.is_empty(),
        }
    }

    /// The figures of both sides.
    pub(super) fn compare(&self, better: Better, settings: &Settings) -> Result<Comparison> {
        match self {
            Values::Numbers(values) => {
                let side = |side| values.iter().filter(|v| v.0 == side).map(|v| v.2).collect::<Vec<_>>();
                compare(Samples::Numeric { base: &side(Side::Base), current: &side(Side::Current) }, better, settings)
            }
            Values::Flags(values) => {
                let side = |side| {
                    let count = |flag| values.iter().filter(|v| v.0 == side && v.2 == flag).count() as u64;
                    [count(true), count(false)]
                };
                compare(Samples::Binary { base: side(Side::Base), current: side(Side::Current) }, better, settings)
            }
            Values::Mixes(values, _) => {
                let side = |side| values.iter().filter(|v| v.0 == side).map(|v| v.2.as_slice()).collect::<Vec<_>>();
                compare(Samples::Mix { base: &side(Side::Base), current: &side(Side::Current) }, better, settings)
            }
        }
    }

    /// A number per run in order of time, and the times. A mix is as many numbers; how far it leans towards the current
    /// side's is one: the mean of the logarithm of both sides' shares' ratio over its counts.
    pub(super) fn series(&self) -> (Vec<f64>, Vec<i64>) {
        match self {
            Values::Numbers(values) => values.iter().map(|(_, time, value)| (*value, *time)).unzip(),
            Values::Flags(values) => values.iter().map(|(_, time, flag)| (f64::from(u8::from(*flag)), *time)).unzip(),
            Values::Mixes(values, categories) => {
                let lean = leanings(values, categories.len());
                let of_run = |counts: &[u64]| {
                    let all: u64 = counts.iter().sum();
                    let sum: f64 = counts.iter().zip(&lean).map(|(n, lean)| *n as f64 * lean).sum();
                    sum / all.max(1) as f64
                };
                values.iter().map(|(_, time, counts)| (of_run(counts), *time)).unzip()
            }
        }
    }

    /// Counts of both sides, in bins of about equal counts of the base, or per category.
    pub(super) fn bins(&self, bins: usize) -> Result<Vec<Counted>> {
        let count = |category: &str, base, current| Counted {
            category: Some(category.into()),
            above: None,
            up_to: None,
            base,
            current,
        };
        Ok(match self {
            Values::Numbers(values) => {
                let side = |side| {
                    let values: Vec<f64> = values.iter().filter(|v| v.0 == side).map(|v| v.2).collect();
                    Sorted::new(&values, 0)
                };
                let (base, current) = (side(Side::Base)?, side(Side::Current)?);
                // Without a base, its quantiles are none.
                let edges = quantile_edges(if base.is_empty() { &current } else { &base }, bins);
                let counts = counts_between(&base, &edges).into_iter().zip(counts_between(&current, &edges));
                let mut bins: Vec<Counted> = counts
                    .enumerate()
                    .map(|(i, (base, current))| Counted {
                        category: None,
                        above: i.checked_sub(1).map(|i| edges[i]),
                        up_to: edges.get(i).copied(),
                        base,
                        current,
                    })
                    .collect();
                // Below the least value of the base there may be nothing at all.
                if bins.len() > 1 && bins[0].base + bins[0].current == 0 {
                    bins.remove(0);
                    bins[0].above = None;
                }
                bins
            }
            Values::Flags(values) => {
                let of = |side, flag| values.iter().filter(|v| v.0 == side && v.2 == flag).count() as u64;
                [("yes", true), ("no", false)]
                    .map(|(name, flag)| count(name, of(Side::Base, flag), of(Side::Current, flag)))
                    .into()
            }
            Values::Mixes(values, categories) => {
                let (base, current) = sums(values, categories.len());
                categories.iter().zip(base.into_iter().zip(current)).map(|(c, (b, n))| count(c, b, n)).collect()
            }
        })
    }
}

/// Counts of both sides.
fn sums(values: &[(Side, i64, Vec<u64>)], width: usize) -> (Vec<u64>, Vec<u64>) {
    let (mut base, mut current) = (vec![0u64; width], vec![0u64; width]);
    for (side, _, counts) in values {
        let sums = if *side == Side::Base { &mut base } else { &mut current };
        sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum = sum.saturating_add(*n));
    }
    (base, current)
}

/// Logarithm of the ratio of each category's shares, current over base; half a count where there is none.
fn leanings(values: &[(Side, i64, Vec<u64>)], width: usize) -> Vec<f64> {
    let (base, current) = sums(values, width);
    let all = |counts: &[u64]| counts.iter().sum::<u64>().max(1) as f64;
    let (of_base, of_current) = (all(&base), all(&current));
    let share = |n: u64, of: f64| (n as f64).max(0.5) / of;
    base.iter().zip(&current).map(|(b, c)| (share(*c, of_current) / share(*b, of_base)).ln()).collect()
}
