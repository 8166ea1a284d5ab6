//! From figures to verdicts.

use super::{Better, Comparison, Direction, Kind, Settings, Verdict};
use crate::stats::{Result, benjamini_hochberg, level_changes};

/// Decides a family: the comparisons of one agent that one looks at together. Sets `p_adj`, `verdict`, `direction` and
/// `worse`; figures stay. Comparisons with too few runs, or without a p-value, are `insufficient` and do not make the
/// others pay for their number.
///
/// ```
/// use spanfile::drift::{Better, Samples, Settings, Verdict, compare, decide};
/// let settings = Settings::default();
/// let few = Samples::Binary { base: [20, 0], current: [0, 20] };
/// let mut family = [compare(few, Better::Higher, &settings)?];
/// decide(&mut family, &settings);
/// assert_eq!(family[0].verdict, Verdict::Insufficient);
/// assert!(family[0].mde.is_some());
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn decide(family: &mut [Comparison], settings: &Settings) {
    for row in family.iter_mut() {
        (row.p_adj, row.verdict, row.direction, row.worse) = (None, Verdict::Insufficient, None, None);
    }
    let enough = |row: &Comparison| row.n_base.min(row.n_cur) >= settings.min_runs;
    let mut tested: Vec<&mut Comparison> = family.iter_mut().filter(|row| enough(row) && row.p.is_some()).collect();
    let p: Vec<f64> = tested.iter().filter_map(|row| row.p).collect();
    // P-values of `compare` are within 0 and 1; of others there is no verdict.
    let Ok(adjusted) = benjamini_hochberg(&p) else { return };
    for (row, p_adj) in tested.iter_mut().zip(adjusted) {
        row.p_adj = Some(p_adj);
        row.verdict = Verdict::NoDrift;
        if p_adj <= settings.alpha && row.magnitude(settings).is_some_and(|m| m >= 1.0) {
            row.verdict = Verdict::Drift;
            let direction = row.way(settings);
            row.direction = Some(direction);
            if row.is_of_the_tail(settings) {
                let share = |share: Option<f64>| share.unwrap_or(0.0) * 100.0;
                let (base, current) = (share(row.tail_base), share(row.tail_cur));
                row.add_note(&format!("the tail: {base:.0} % of the base and {current:.0} % now lie above p95_base"));
            }
            row.worse = match (row.better, direction) {
                (Better::Neither, _) | (_, Direction::Changed) => None,
                (Better::Lower, direction) => Some(direction == Direction::Up),
                (Better::Higher, direction) => Some(direction == Direction::Down),
            };
        }
    }
}

impl Comparison {
    /// How large the difference is beside the least that is worth a word: the largest of its measures, each over its
    /// floor. `None` without an effect; infinite for a median that was 0.
    pub fn magnitude(&self, settings: &Settings) -> Option<f64> {
        let effect = self.effect?.abs();
        Some(match self.kind {
            Kind::Numeric => {
                let medians = match self.ratio {
                    Some(ratio) => ratio.ln().abs() / settings.median_ratio.ln(),
                    // From 0 to anything is no ratio, and more than any.
                    None if self.base_median == Some(0.0) && self.cur_median != Some(0.0) => f64::INFINITY,
                    None => 0.0,
                };
                let tail = self.tail_change().abs() / settings.tail_difference;
                medians.max(tail).max(effect / settings.delta)
            }
            Kind::Binary => effect / settings.difference,
            Kind::Categorical => effect / settings.jensen_shannon,
        })
    }

    /// Whether only the tail differs by enough.
    fn is_of_the_tail(&self, settings: &Settings) -> bool {
        let level = self.ratio.is_some_and(|r| r > settings.median_ratio || r < 1.0 / settings.median_ratio)
            || self.effect.unwrap_or(0.0).abs() >= settings.delta;
        self.kind == Kind::Numeric && !level && self.tail_change().abs() >= settings.tail_difference
    }

    fn tail_change(&self) -> f64 {
        self.tail_cur.unwrap_or(0.0) - self.tail_base.unwrap_or(0.0)
    }

    /// The way of the level where that differs, else of the tail.
    fn way(&self, settings: &Settings) -> Direction {
        let differs = |p: Option<f64>| p.is_some_and(|p| p <= settings.alpha);
        let change = match self.kind {
            Kind::Categorical => 0.0,
            _ if differs(self.p_level) => self.effect.unwrap_or(0.0),
            _ if differs(self.p_tail) => self.tail_change(),
            _ => 0.0,
        };
        match change {
            c if c > 0.0 => Direction::Up,
            c if c < 0.0 => Direction::Down,
            _ => Direction::Changed,
        }
    }
}

/// Where the level of a metric changed most, given the values of all runs in the order of time (0 and 1 for a binary
/// metric): the position of the first run after the change, `None` where the level stays. [`level_changes`] says all.
///
/// # Errors
///
/// A value that is not finite.
///
/// ```
/// use spanfile::drift::{Settings, change_at};
/// let series: Vec<f64> = (0..120).map(|i| if i < 70 { 4.0 } else { 6.0 } + f64::from(i * 13 % 7) / 4.0).collect();
/// assert_eq!(change_at(&series, &Settings::default())?, Some(70));
/// # Ok::<(), spanfile::stats::StatsError>(())
/// ```
pub fn change_at(series: &[f64], settings: &Settings) -> Result<Option<usize>> {
    Ok(level_changes(series, settings.change_min_runs.max(1), settings.change_penalty)?.strongest)
}
