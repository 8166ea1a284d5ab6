//! Two sets of runs, and the metrics of each agent in them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::metrics::{FLAGS, Family, MIXES, Metric, NUMBERS, VERSIONS, score};
use super::{Better, Kind};
use crate::texts::Texts;

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
    pub mixes: [Vec<(Cow<'a, str>, u64)>; MIXES.len()],
    /// Version of the agent.
    pub version: Option<&'a str>,
    /// What was judged, and the value.
    pub scores: &'a [(Arc<str>, f64)],
}

/// Gathers runs of both sides, about 300 bytes each.
#[derive(Debug, Default)]
pub struct Runs {
    texts: Texts,
    by_agent: HashMap<u32, HashMap<u32, Vec<Row>, RandomState>, RandomState>,
    /// Scores for which less is better.
    lower_scores: BTreeSet<String>,
}

/// Runs of both sides, agent by agent: names ascending, runs without an agent first.
#[derive(Debug)]
pub struct Agents {
    texts: Texts,
    agents: Vec<Agent>,
    lower_scores: BTreeSet<String>,
}

#[derive(Debug)]
pub(super) struct Agent {
    pub(super) name: Option<Arc<str>>,
    /// By name; runs in order of time.
    pub(super) strata: Vec<(Option<Arc<str>>, Vec<Row>)>,
}

impl Row {
    pub(super) fn side(&self) -> Side {
        self.side
    }
}

#[derive(Debug)]
pub(super) struct Row {
    side: Side,
    start_time: i64,
    numbers: [Option<f64>; NUMBERS.len()],
    flags: [Option<bool>; FLAGS.len()],
    mixes: [Vec<(u32, u64)>; MIXES.len()],
    version: u32,
    scores: Vec<(u32, f64)>,
}

/// A metric of some runs.
pub(super) struct Column {
    pub(super) name: Arc<str>,
    pub(super) metric: Metric,
    pub(super) values: Values,
}

/// Categories of a mix that are told apart, the most frequent; all others are one.
const CATEGORIES: usize = 50;
/// What that one is called.
const OTHERS: &str = "(others)";

/// A number per run.
type Numbers = Vec<(Side, i64, f64)>;

/// Values of a metric in order of time, each with its side and time.
pub(super) enum Values {
    Numbers(Numbers),
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
        let (agent, stratum) = (texts.number(facts.agent), texts.number(facts.stratum));
        let row = Row {
            side: facts.side,
            start_time: facts.start_time,
            numbers: facts.numbers,
            flags: facts.flags,
            mixes: facts.mixes.each_ref().map(|mix| mix.iter().map(|(t, n)| (texts.number(Some(t)), *n)).collect()),
            version: texts.number(facts.version),
            scores: facts.scores.iter().map(|(name, value)| (texts.number(Some(name)), *value)).collect(),
        };
        self.by_agent.entry(agent).or_default().entry(stratum).or_default().push(row);
    }

    /// Puts them in order.
    pub fn by_agent(self) -> Agents {
        let Runs { texts, by_agent, lower_scores } = self;
        let in_order = |(stratum, mut rows): (u32, Vec<Row>)| {
            rows.sort_by_key(|r| r.start_time);
            (texts.shared(stratum).cloned(), rows)
        };
        let mut agents: Vec<Agent> = by_agent
            .into_iter()
            .map(|(agent, strata)| {
                let mut strata: Vec<_> = strata.into_iter().map(in_order).collect();
                strata.sort_by(|a, b| a.0.cmp(&b.0));
                Agent { name: texts.shared(agent).cloned(), strata }
            })
            .collect();
        agents.sort_by(|a, b| a.name.cmp(&b.name));
        Agents { texts, agents, lower_scores }
    }
}

impl Agents {
    /// How many there are; runs without an agent are one.
    pub fn len(&self) -> usize {
        self.agents.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    pub(super) fn agent(&self, at: usize) -> Option<&Agent> {
        self.agents.get(at)
    }

    /// The metrics of some runs, which are in order of time: the secondary ones only where they are wanted.
    pub(super) fn columns<'r>(&'r self, rows: &'r [Row], secondary: bool) -> impl Iterator<Item = Column> + 'r {
        let wanted = move |metric: &Metric| secondary || metric.family == Family::Primary;
        let named = |metric: &Metric, values| Column { name: metric.name.into(), metric: *metric, values };
        let numbers = NUMBERS.iter().enumerate().filter(move |(_, m)| wanted(m)).map(move |(i, metric)| {
            let values = rows.iter().filter_map(|r| Some((r.side, r.start_time, r.numbers[i]?))).collect();
            named(metric, Values::Numbers(values))
        });
        let flags = FLAGS.iter().enumerate().map(move |(i, metric)| {
            let values = rows.iter().filter_map(|r| Some((r.side, r.start_time, r.flags[i]?))).collect();
            named(metric, Values::Flags(values))
        });
        let mixes = MIXES
            .iter()
            .enumerate()
            .filter(move |(_, m)| wanted(m))
            .map(move |(i, metric)| named(metric, self.mix(rows, |r| Cow::Borrowed(&*r.mixes[i]))));
        let versions = std::iter::once(()).filter(move |()| wanted(&VERSIONS)).map(move |()| {
            named(
                &VERSIONS,
                self.mix(rows, |r| Cow::Owned(if r.version == 0 { Vec::new() } else { vec![(r.version, 1)] })),
            )
        });
        numbers.chain(flags).chain(self.scores(rows)).chain(mixes).chain(versions)
    }

    fn mix<'r>(&self, rows: &'r [Row], counts: impl Fn(&'r Row) -> Cow<'r, [(u32, u64)]>) -> Values {
        // By number of the text.
        let mut times: BTreeMap<u32, u64> = BTreeMap::new();
        for row in rows {
            for &(category, n) in counts(row).iter() {
                let sum = times.entry(category).or_default();
                *sum = sum.saturating_add(n);
            }
        }
        let mut kept: Vec<(u64, Option<Arc<str>>, u32)> =
            times.into_iter().map(|(category, n)| (n, self.texts.shared(category).cloned(), category)).collect();
        kept.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let others = kept.len() > CATEGORIES;
        kept.truncate(CATEGORIES);
        kept.sort_by(|a, b| a.1.cmp(&b.1));
        // Where each category stands; what is not kept stands last.
        let mut place: Vec<usize> = vec![kept.len(); self.texts.last() + 1];
        kept.iter().enumerate().for_each(|(at, (.., category))| place[*category as usize] = at);
        let width = kept.len() + usize::from(others);
        let values = rows.iter().filter_map(|row| {
            let counts = counts(row);
            let mut dense = vec![0_u64; width];
            for (category, n) in counts.iter() {
                let sum = &mut dense[place[*category as usize]];
                *sum = sum.saturating_add(*n);
            }
            (!counts.is_empty()).then_some((row.side, row.start_time, dense))
        });
        let values = values.collect();
        let names = kept.into_iter().filter_map(|(_, name, _)| name).chain(others.then(|| OTHERS.into()));
        Values::Mixes(values, names.collect())
    }

    /// A metric per thing that was judged; yes or no where all values are 0 or 1.
    fn scores<'r>(&'r self, rows: &'r [Row]) -> impl Iterator<Item = Column> + 'r {
        let mut judged: BTreeMap<Option<Arc<str>>, Numbers> = BTreeMap::new();
        for row in rows {
            for (name, value) in &row.scores {
                judged.entry(self.texts.shared(*name).cloned()).or_default().push((row.side, row.start_time, *value));
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
}
