//! What differs between two sets of runs, agent by agent.

use std::sync::Arc;

use super::metrics::Family;
use super::runs::{Agents, Column, Side, Values};
use super::values::Counted;
use super::{Comparison, Kind, Settings, Verdict, change_at, decide};
use crate::stats::{Result, level_changes, median};

/// One metric of one agent, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// The agent; `None` for runs without one.
    pub agent: Option<Arc<str>>,
    /// What it was compared within.
    pub stratum: Option<Arc<str>>,
    /// The metric's name; of scores, `score:` and what was judged.
    pub metric: Arc<str>,
    /// What it was decided with.
    pub family: Family,
    /// Unit of the medians, or `""`.
    pub unit: &'static str,
    /// The figures and the verdict.
    pub row: Comparison,
    /// Of a drift: start of the first run after the largest change, nanoseconds since 1970.
    pub change_time: Option<i64>,
}

/// A change of level of one metric of one agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The agent; `None` for runs without one.
    pub agent: Option<Arc<str>>,
    /// What it was looked at within.
    pub stratum: Option<Arc<str>>,
    /// The metric's name, as of [`Drift`].
    pub metric: Arc<str>,
    /// Unit of the medians, or `""`.
    pub unit: &'static str,
    /// Start of the first run after the change, nanoseconds since 1970.
    pub change_time: i64,
    /// Runs between the change before, or the beginning, and this one.
    pub n_before: usize,
    /// Runs between this one and the next, or the end.
    pub n_after: usize,
    /// Median of those before; of shares, the share.
    pub before: f64,
    /// Median of those after.
    pub after: f64,
}

/// A part of the values of one metric of one agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Bin {
    /// The agent; `None` for runs without one.
    pub agent: Option<Arc<str>>,
    /// What it was compared within.
    pub stratum: Option<Arc<str>>,
    /// The metric's name, as of [`Drift`].
    pub metric: Arc<str>,
    /// Unit of the bounds, or `""`.
    pub unit: &'static str,
    /// Number of the bin, from 1.
    pub number: usize,
    /// The category, tool or model; `None` for ranges of numbers.
    pub category: Option<Arc<str>>,
    /// Values are above this; `None` for the lowest bin.
    pub above: Option<f64>,
    /// Values are at most this; `None` for the highest bin.
    pub up_to: Option<f64>,
    /// Runs of the base in the bin; of mixes, calls.
    pub base: u64,
    /// Runs of the current side in the bin; of mixes, calls.
    pub current: u64,
    /// Share of the base.
    pub base_share: Option<f64>,
    /// Share of the current side.
    pub current_share: Option<f64>,
}

impl Agents {
    /// Compares all metrics of an agent, in each stratum, and decides them. Metrics without any value are left out.
    ///
    /// # Errors
    ///
    /// Settings out of range, or a value that is not finite.
    pub fn compare(&self, agent: usize, settings: &Settings) -> Result<Vec<Drift>> {
        let mut columns: Vec<Column> = Vec::new();
        let mut drifts: Vec<Drift> = Vec::new();
        let Some(agent) = self.agent(agent) else { return Ok(drifts) };
        for (stratum, rows) in &agent.strata {
            let [base, current] =
                [Side::Base, Side::Current].map(|side| rows.iter().filter(|r| r.side() == side).count());
            for column in self.columns(rows, settings.secondary).filter(|c| !c.values.is_empty()) {
                let mut row = column.values.compare(column.metric.better, settings)?;
                let (without_base, without_cur) = (base - row.n_base, current - row.n_cur);
                if without_base + without_cur > 0 {
                    row.add_note(&format!(
                        "not known of {without_base} of {base} runs of the base and {without_cur} of {current} now"
                    ));
                }
                drifts.push(Drift {
                    agent: agent.name.clone(),
                    stratum: stratum.clone(),
                    metric: Arc::clone(&column.name),
                    family: column.metric.family,
                    unit: column.metric.unit,
                    row,
                    change_time: None,
                });
                columns.push(column);
            }
        }
        for family in [Family::Primary, Family::Secondary] {
            let mut rows: Vec<Comparison> =
                drifts.iter().filter(|d| d.family == family).map(|d| d.row.clone()).collect();
            decide(&mut rows, settings);
            let decided = drifts.iter_mut().filter(|d| d.family == family);
            decided.zip(rows).for_each(|(drift, row)| drift.row = row);
        }
        for (drift, column) in drifts.iter_mut().zip(&columns).filter(|(d, _)| d.row.verdict == Verdict::Drift) {
            // An interval that is quoted is worth more resamples than those of all that stayed.
            let precise = Settings { resamples: settings.resamples.saturating_mul(8), ..settings.clone() };
            if drift.row.kind == Kind::Numeric {
                let again = column.values.compare(column.metric.better, &precise)?;
                (drift.row.ci_lo, drift.row.ci_hi) = (again.ci_lo, again.ci_hi);
            }
            let (series, times) = column.values.series();
            drift.row.change_at = change_at(&series, settings)?;
            drift.change_time = drift.row.change_at.map(|at| times[at]);
        }
        Ok(drifts)
    }

    /// Where metrics of an agent changed their level, over all runs of both sides.
    ///
    /// # Errors
    ///
    /// A value that is not finite.
    pub fn points(&self, agent: usize, settings: &Settings) -> Result<Vec<Point>> {
        let mut found = Vec::new();
        let Some(agent) = self.agent(agent) else { return Ok(found) };
        for (stratum, rows) in &agent.strata {
            for column in self.columns(rows, settings.secondary).filter(|c| !c.values.is_empty()) {
                // A mix has a level only beside another one.
                if matches!(column.values, Values::Mixes(..)) {
                    continue;
                }
                let (series, times) = column.values.series();
                let at = level_changes(&series, settings.change_min_runs.max(1), settings.change_penalty)?.at;
                let bounds: Vec<usize> = [0].into_iter().chain(at).chain([series.len()]).collect();
                for cut in bounds.windows(3) {
                    let level = |part: &[f64]| match column.metric.kind {
                        Kind::Numeric => median(part),
                        _ => Ok(part.iter().sum::<f64>() / part.len() as f64),
                    };
                    found.push(Point {
                        agent: agent.name.clone(),
                        stratum: stratum.clone(),
                        metric: Arc::clone(&column.name),
                        unit: column.metric.unit,
                        change_time: times[cut[1]],
                        n_before: cut[1] - cut[0],
                        n_after: cut[2] - cut[1],
                        before: level(&series[cut[0]..cut[1]])?,
                        after: level(&series[cut[1]..cut[2]])?,
                    });
                }
            }
        }
        Ok(found)
    }

    /// The distributions behind the comparisons: shares of both sides, in bins of about equal counts of the base, or per
    /// category.
    ///
    /// # Errors
    ///
    /// A value that is not finite.
    pub fn detail(&self, agent: usize, settings: &Settings) -> Result<Vec<Bin>> {
        let mut found = Vec::new();
        let Some(agent) = self.agent(agent) else { return Ok(found) };
        for (stratum, rows) in &agent.strata {
            for column in self.columns(rows, settings.secondary).filter(|c| !c.values.is_empty()) {
                let bins = column.values.bins(settings.bins)?;
                let sum = |side: fn(&Counted) -> u64| bins.iter().map(side).sum::<u64>();
                let (all_base, all_current) = (sum(|b| b.base), sum(|b| b.current));
                let share = |n: u64, of: u64| (of > 0).then(|| n as f64 / of as f64);
                found.extend((1..).zip(&bins).map(|(number, bin)| Bin {
                    agent: agent.name.clone(),
                    stratum: stratum.clone(),
                    metric: Arc::clone(&column.name),
                    unit: column.metric.unit,
                    number,
                    category: bin.category.clone(),
                    above: bin.above,
                    up_to: bin.up_to,
                    base: bin.base,
                    current: bin.current,
                    base_share: share(bin.base, all_base),
                    current_share: share(bin.current, all_current),
                }));
            }
        }
        Ok(found)
    }
}
