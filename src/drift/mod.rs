//! Drift: do the runs of an agent differ from what they were? Samples of one metric in, a row of figures out; rows of a
//! family in, verdicts out. Pure functions over [`stats`](crate::stats); nothing here reads or writes storage.
//!
//! ```
//! use spanfile::drift::{Better, Direction, Samples, Settings, Verdict, compare, decide};
//!
//! let settings = Settings::default();
//! let base: Vec<f64> = (0..80).map(|i| 1000.0 + f64::from(i * 37 % 80)).collect();
//! let current: Vec<f64> = base.iter().map(|tokens| tokens * 1.3).collect();
//! let tokens = Samples::Numeric { base: &base, current: &current };
//! let errors = Samples::Binary { base: [4, 76], current: [5, 75] };
//!
//! let mut family = [compare(tokens, Better::Lower, &settings)?, compare(errors, Better::Lower, &settings)?];
//! decide(&mut family, &settings);
//! assert_eq!(family[0].verdict, Verdict::Drift);
//! assert_eq!(family[0].direction, Some(Direction::Up));
//! assert_eq!(family[0].worse, Some(true));
//! assert!((family[0].ratio.unwrap_or(0.0) - 1.3).abs() < 1e-9);
//! assert_eq!(family[1].verdict, Verdict::NoDrift);
//! # Ok::<(), spanfile::stats::StatsError>(())
//! ```
//!
//! # Rules
//!
//! The unit is the run: a run contributes one value to a metric, or one vector of counts. Spans of one run are alike, and
//! counting them as if they were not finds drift in every second comparison.
//!
//! A numeric metric is compared in level (Mann-Whitney), shape (Kolmogorov-Smirnov) and tail (Fisher on the share above
//! the base's 95th percentile), and the three p-values are combined (Cauchy). A binary one is compared with Fisher's test.
//! Of a categorical one rare categories are pooled; then comes the chi-squared test, Fisher's for two categories, or, where the table is
//! still sparse and where runs carry several counts, a permutation of runs.
//!
//! A verdict of drift needs two things: a p-value that is small beside all others of its family (Benjamini and Hochberg),
//! and an effect that is worth a word. PSI is shown and never decides: without any drift, 100 runs a side put it above the
//! usual 0.1 in most comparisons.

mod agents;
mod compare;
mod decide;
mod metrics;
mod runs;
mod settings;
mod table;
mod values;

pub use agents::{Bin, Drift, Point};
pub use compare::compare;
pub use decide::{change_at, decide};
pub use metrics::{FLAGS, Family, MIXES, Metric, NUMBERS, VERSIONS};
pub use runs::{Agents, Facts, Runs, Side};
pub use settings::Settings;
pub use table::worst_first;

/// Runs of a metric on both sides. What is missing is left out before.
#[derive(Debug, Clone, Copy)]
pub enum Samples<'a> {
    /// A value per run.
    Numeric {
        /// Values of the runs that are compared with; any order.
        base: &'a [f64],
        /// Values of the runs that are looked at.
        current: &'a [f64],
    },
    /// Runs with and without something: `[with, without]`.
    Binary {
        /// Runs that are compared with.
        base: [u64; 2],
        /// Runs that are looked at.
        current: [u64; 2],
    },
    /// One category per run: how many runs have each, categories in the same order.
    Categorical {
        /// Runs that are compared with.
        base: &'a [u64],
        /// Runs that are looked at.
        current: &'a [u64],
    },
    /// Counts per run, such as calls of each tool, categories in the same order.
    Mix {
        /// Runs that are compared with.
        base: &'a [&'a [u64]],
        /// Runs that are looked at.
        current: &'a [&'a [u64]],
    },
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value per run.
    Numeric,
    /// Yes or no per run.
    Binary,
    /// A category, or counts of categories, per run.
    Categorical,
}

/// Which way a metric should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Better {
    /// Less is better: cost, duration, errors.
    Lower,
    /// More is better: success, scores.
    Higher,
    /// Neither: tokens of an output, the mix of tools.
    #[default]
    Neither,
}

/// What follows from a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Significant within its family, and large enough to matter.
    Drift,
    /// Not so.
    NoDrift,
    /// Too few runs to say; `mde` tells what they could show.
    Insufficient,
}

/// Which way a drift went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Values or shares rose.
    Up,
    /// They fell.
    Down,
    /// Another shape, another mix.
    Changed,
}

/// The figures of one metric. `None` where there is no answer: a missing side, a median of 0 under a ratio, something that
/// the kind does not have.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is compared.
    pub kind: Kind,
    /// Which way the metric should go.
    pub better: Better,
    /// Runs of the base.
    pub n_base: usize,
    /// Runs of the current side.
    pub n_cur: usize,
    /// The base's median in the metric's unit; of a binary metric its share, 0 to 1.
    pub base_median: Option<f64>,
    /// The current side's.
    pub cur_median: Option<f64>,
    /// `cur_median / base_median`, where both make sense as a ratio.
    pub ratio: Option<f64>,
    /// Lower end of the ratio's interval: bootstrap for medians; Katz and others 1978 for shares.
    pub ci_lo: Option<f64>,
    /// Its upper end.
    pub ci_hi: Option<f64>,
    /// The base's 95th percentile, numeric only.
    pub p95_base: Option<f64>,
    /// The current side's.
    pub p95_cur: Option<f64>,
    /// Share of the base above its own 95th percentile: 0.05 but for rounding and ties.
    pub tail_base: Option<f64>,
    /// Share of the current side above the base's 95th percentile.
    pub tail_cur: Option<f64>,
    /// How large the difference is: Cliff's delta, difference of shares, or corrected Jensen-Shannon distance.
    pub effect: Option<f64>,
    /// Which of them: `cliffs_delta`, `difference`, `jensen_shannon`.
    pub effect_name: &'static str,
    /// P-value of the level: Mann-Whitney; the only test of other kinds is here too.
    pub p_level: Option<f64>,
    /// P-value of the shape: Kolmogorov-Smirnov, numeric only.
    pub p_shape: Option<f64>,
    /// P-value of the tail: Fisher, numeric only.
    pub p_tail: Option<f64>,
    /// All of them as one.
    pub p: Option<f64>,
    /// `p` adjusted for its family, after [`decide`].
    pub p_adj: Option<f64>,
    /// Population stability index, over bins of about a tenth of the base each, or categories.
    pub psi: Option<f64>,
    /// The same less what chance alone gives.
    pub psi_corrected: Option<f64>,
    /// Jensen-Shannon distance over the same bins, base 2, corrected likewise.
    pub js: Option<f64>,
    /// Smallest detectable effect, in the unit of `effect`: two-sided level 0.05 without adjustment, power 0.8, of the
    /// level's test. None for categories.
    pub mde: Option<f64>,
    /// What follows, after [`decide`].
    pub verdict: Verdict,
    /// Which way, of a drift.
    pub direction: Option<Direction>,
    /// Whether that is worse or, if not, better; for drifts with a way, of metrics with a better one.
    pub worse: Option<bool>,
    /// Where in time the level changed most: position of the first run after it, see [`change_at`].
    pub change_at: Option<usize>,
    /// What a reader should know beside the figures.
    pub note: Option<String>,
}

impl Comparison {
    fn empty(kind: Kind, better: Better, n_base: usize, n_cur: usize) -> Self {
        Self {
            kind,
            better,
            n_base,
            n_cur,
            base_median: None,
            cur_median: None,
            ratio: None,
            ci_lo: None,
            ci_hi: None,
            p95_base: None,
            p95_cur: None,
            tail_base: None,
            tail_cur: None,
            effect: None,
            effect_name: match kind {
                Kind::Numeric => "cliffs_delta",
                Kind::Binary => "difference",
                Kind::Categorical => "jensen_shannon",
            },
            p_level: None,
            p_shape: None,
            p_tail: None,
            p: None,
            p_adj: None,
            psi: None,
            psi_corrected: None,
            js: None,
            mde: None,
            verdict: Verdict::Insufficient,
            direction: None,
            worse: None,
            change_at: None,
            note: None,
        }
    }

    pub(super) fn add_note(&mut self, text: &str) {
        match &mut self.note {
            Some(note) => {
                note.push_str("; ");
                note.push_str(text);
            }
            None => self.note = Some(text.to_string()),
        }
    }
}
