//! Two sets of runs: what differs, agent by agent.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::metrics::{FLAGS, Family, MIXES, Metric, NUMBERS, VERSIONS, score};
use super::{Better, Comparison, Kind, Samples, Settings, Verdict, compare, decide};
use crate::stats::{Result, level_changes};

/// Which set a run is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What is compared with.
    Base,
    /// What is looked at.
    Current,
}

/// What an agent did in one run. What is not known is `None`, and the run is left out of that metric.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// Which set it is in.
    pub side: Side,
    /// The agent; runs without one belong together.
    pub agent: Option<&'a str>,
    /// What it is compared within, such as a type of task.
    pub stratum: Option<&'a str>,
    /// When the run started, nanoseconds since 1970.
    pub start_time: i64,
    /// In the order of [`NUMBERS`].
    pub numbers: [Option<f64>; NUMBERS.len()],
    /// In the order of [`FLAGS`].
    pub flags: [Option<bool>; FLAGS.len()],
    /// In the order of [`MIXES`]: what was called, and how often.
    pub mixes: [Vec<(&'a str, u64)>; MIXES.len()],
    /// Version of the agent.
    pub version: Option<&'a str>,
    /// What was judged, and the value.
    pub scores: &'a [(Arc<str>, f64)],
}

/// Runs of both sides, in memory: about 200 bytes each.
#[derive(Debug, Default)]
pub struct Runs {
    texts: Texts,
    rows: Vec<Row>,
    /// Scores for which less is better.
    lower_scores: BTreeSet<String>,
}

#[derive(Debug)]
struct Row {
    side: Side,
    agent: u32,
    stratum: u32,
    start_time: i64,
    numbers: [Option<f64>; NUMBERS.len()],
    flags: [Option<bool>; FLAGS.len()],
    mixes: [Vec<(u32, u64)>; MIXES.len()],
    version: u32,
    scores: Vec<(u32, f64)>,
}

/// Texts as numbers; 0 is none.
#[derive(Debug, Default)]
struct Texts {
    numbers: HashMap<Arc<str>, u32, RandomState>,
    texts: Vec<Arc<str>>,
}

impl Texts {
    fn number(&mut self, text: Option<&str>) -> u32 {
        let Some(text) = text else { return 0 };
        if let Some(n) = self.numbers.get(text) {
            return *n;
        }
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, self.texts.len() as u32);
        self.texts.len() as u32
    }

    fn text(&self, number: u32) -> Option<Arc<str>> {
        self.texts.get((number as usize).checked_sub(1)?).cloned()
    }
}

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

/// A metric of some runs.
pub(super) struct Column {
    pub(super) name: Arc<str>,
    pub(super) metric: Metric,
    pub(super) values: Values,
}

/// Values of a metric in order of time, each with its side and time.
pub(super) enum Values {
    Numbers(Vec<(Side, i64, f64)>),
    Flags(Vec<(Side, i64, bool)>),
    /// Counts per category.
    Mixes(Vec<(Side, i64, Vec<u64>)>, Vec<Arc<str>>),
}

impl Runs {
    /// None yet. For scores of these names less is better; for all others more is.
    pub fn new(lower_scores: impl IntoIterator<Item = String>) -> Self {
        Runs { lower_scores: lower_scores.into_iter().collect(), ..Runs::default() }
    }

    /// Adds what an agent did in one run.
    pub fn push(&mut self, facts: &Facts<'_>) {
        let texts = &mut self.texts;
        let row = Row {
            side: facts.side,
            agent: texts.number(facts.agent),
            stratum: texts.number(facts.stratum),
            start_time: facts.start_time,
            numbers: facts.numbers,
            flags: facts.flags,
            mixes: facts.mixes.each_ref().map(|mix| mix.iter().map(|(t, n)| (texts.number(Some(t)), *n)).collect()),
            version: texts.number(facts.version),
            scores: facts.scores.iter().map(|(name, value)| (texts.number(Some(name)), *value)).collect(),
        };
        self.rows.push(row);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Runs of each agent and stratum, agents by name, in order of time.
    fn groups(&self) -> Vec<((u32, u32), Vec<&Row>)> {
        let mut groups: BTreeMap<(Option<Arc<str>>, Option<Arc<str>>), Vec<&Row>> = BTreeMap::new();
        let mut by_number: HashMap<(u32, u32), Vec<&Row>, RandomState> = HashMap::default();
        for row in &self.rows {
            by_number.entry((row.agent, row.stratum)).or_default().push(row);
        }
        for ((agent, stratum), rows) in by_number {
            groups.insert((self.texts.text(agent), self.texts.text(stratum)), rows);
        }
        let mut ordered: Vec<_> = groups.into_values().map(|rows| ((rows[0].agent, rows[0].stratum), rows)).collect();
        ordered.iter_mut().for_each(|(_, rows)| rows.sort_by_key(|r| r.start_time));
        ordered
    }

    /// All metrics of some runs, which are in order of time.
    fn columns<'r>(&'r self, rows: &'r [&'r Row]) -> impl Iterator<Item = Column> + 'r {
        let named = |metric: &Metric, values| Column { name: metric.name.into(), metric: *metric, values };
        let numbers = NUMBERS.iter().enumerate().map(move |(i, metric)| {
            let values = rows.iter().filter_map(|r| Some((r.side, r.start_time, r.numbers[i]?))).collect();
            named(metric, Values::Numbers(values))
        });
        let flags = FLAGS.iter().enumerate().map(move |(i, metric)| {
            let values = rows.iter().filter_map(|r| Some((r.side, r.start_time, r.flags[i]?))).collect();
            named(metric, Values::Flags(values))
        });
        let mixes =
            MIXES.iter().enumerate().map(move |(i, metric)| named(metric, self.mix(rows, |r| r.mixes[i].clone())));
        let versions = std::iter::once_with(move || {
            named(&VERSIONS, self.mix(rows, |r| if r.version == 0 { Vec::new() } else { vec![(r.version, 1)] }))
        });
        numbers.chain(flags).chain(self.scores(rows)).chain(mixes).chain(versions)
    }

    fn mix(&self, rows: &[&Row], counts: impl Fn(&Row) -> Vec<(u32, u64)>) -> Values {
        let mut categories: BTreeMap<Option<Arc<str>>, u32> = BTreeMap::new();
        let counted: Vec<(&Row, Vec<(u32, u64)>)> =
            rows.iter().map(|r| (*r, counts(r))).filter(|(_, counts)| !counts.is_empty()).collect();
        let mut seen: BTreeSet<u32> = BTreeSet::new();
        for category in counted.iter().flat_map(|(_, counts)| counts).map(|(c, _)| *c) {
            if seen.insert(category) {
                categories.insert(self.texts.text(category), category);
            }
        }
        let names: Vec<Arc<str>> = categories.keys().flatten().cloned().collect();
        let at: HashMap<u32, usize, RandomState> = categories.values().enumerate().map(|(at, c)| (*c, at)).collect();
        let values = counted.into_iter().map(|(row, counts)| {
            let mut dense = vec![0; names.len()];
            counts.into_iter().for_each(|(category, n)| dense[at[&category]] += n);
            (row.side, row.start_time, dense)
        });
        Values::Mixes(values.collect(), names)
    }

    /// A metric per thing that was judged; yes or no where all values are 0 or 1.
    fn scores<'r>(&'r self, rows: &'r [&'r Row]) -> impl Iterator<Item = Column> + 'r {
        let mut judged: BTreeMap<Option<Arc<str>>, Vec<(Side, i64, f64)>> = BTreeMap::new();
        for row in rows {
            for (name, value) in &row.scores {
                judged.entry(self.texts.text(*name)).or_default().push((row.side, row.start_time, *value));
            }
        }
        judged.into_iter().map(|(name, values)| {
            let name = name.unwrap_or_default();
            let better = if self.lower_scores.contains(&*name) { Better::Lower } else { Better::Higher };
            let is_flag = values.iter().all(|(_, _, v)| *v == 0.0 || *v == 1.0);
            let (kind, values) = match is_flag {
                true => (Kind::Binary, Values::Flags(values.into_iter().map(|(s, t, v)| (s, t, v == 1.0)).collect())),
                false => (Kind::Numeric, Values::Numbers(values)),
            };
            Column { name: format!("score:{name}").into(), metric: score(kind, better), values }
        })
    }

    /// Compares all metrics of each agent, in each stratum, and decides them. Metrics without any value are left out.
    ///
    /// # Errors
    ///
    /// Settings out of range, or a value that is not finite.
    pub fn compare(&self, settings: &Settings) -> Result<Vec<Drift>> {
        let mut found: Vec<Drift> = Vec::new();
        let groups = self.groups();
        for of_agent in groups.chunk_by(|a, b| a.0.0 == b.0.0) {
            let mut columns: Vec<Column> = Vec::new();
            let mut drifts: Vec<Drift> = Vec::new();
            for ((agent, stratum), rows) in of_agent {
                for column in self.columns(rows).filter(|c| !c.values.is_empty()) {
                    drifts.push(Drift {
                        agent: self.texts.text(*agent),
                        stratum: self.texts.text(*stratum),
                        metric: Arc::clone(&column.name),
                        family: column.metric.family,
                        unit: column.metric.unit,
                        row: column.values.compare(column.metric.better, settings)?,
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
                let (series, times) = column.values.series();
                drift.row.change_at = super::change_at(&series, settings)?;
                drift.change_time = drift.row.change_at.map(|at| times[at]);
            }
            found.append(&mut drifts);
        }
        Ok(found)
    }

    /// Where metrics of each agent changed their level, over all runs of both sides.
    ///
    /// # Errors
    ///
    /// A value that is not finite.
    pub fn points(&self, settings: &Settings) -> Result<Vec<Point>> {
        let mut found = Vec::new();
        for ((agent, stratum), rows) in self.groups() {
            for column in self.columns(&rows) {
                // A mix has a level only beside another one.
                if matches!(column.values, Values::Mixes(..)) {
                    continue;
                }
                let (series, times) = column.values.series();
                let at = level_changes(&series, settings.change_min_runs.max(1), settings.change_penalty)?.at;
                let bounds: Vec<usize> = [0].into_iter().chain(at).chain([series.len()]).collect();
                for cut in bounds.windows(3) {
                    let level = |part: &[f64]| match column.metric.kind {
                        Kind::Numeric => crate::stats::median(part),
                        _ => Ok(part.iter().sum::<f64>() / part.len() as f64),
                    };
                    found.push(Point {
                        agent: self.texts.text(agent),
                        stratum: self.texts.text(stratum),
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
    pub fn detail(&self, settings: &Settings) -> Result<Vec<Bin>> {
        let mut found = Vec::new();
        for ((agent, stratum), rows) in self.groups() {
            for column in self.columns(&rows) {
                let bins = column.values.bins(settings.bins)?;
                let sum = |side: fn(&super::values::Counted) -> u64| bins.iter().map(side).sum::<u64>();
                let (all_base, all_current) = (sum(|b| b.base), sum(|b| b.current));
                let share = |n: u64, of: u64| (of > 0).then(|| n as f64 / of as f64);
                found.extend((1..).zip(&bins).map(|(number, bin)| Bin {
                    agent: self.texts.text(agent),
                    stratum: self.texts.text(stratum),
                    metric: Arc::clone(&column.name),
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

impl Values {
    fn is_empty(&self) -> bool {
        match self {
            Values::Numbers(values) => values.is_empty(),
            Values::Flags(values) => values.is_empty(),
            Values::Mixes(values, _) => values.is_empty(),
        }
    }

    fn compare(&self, better: Better, settings: &Settings) -> Result<Comparison> {
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
                let side = |side| values.iter().filter(|v| v.0 == side).map(|v| v.2.clone()).collect::<Vec<_>>();
                compare(Samples::Mix { base: &side(Side::Base), current: &side(Side::Current) }, better, settings)
            }
        }
    }
}
