//! Names in tables, and the order of rows.

use super::{Direction, Drift, Kind, Settings, Verdict};

impl Kind {
    /// Name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Numeric => "numeric",
            Self::Binary => "binary",
            Self::Categorical => "categorical",
        }
    }
}

impl Verdict {
    /// Name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::NoDrift => "no_drift",
            Self::Insufficient => "insufficient",
        }
    }
}

impl Direction {
    /// Name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Changed => "changed",
        }
    }
}

/// Puts what an analyst looks at first on top: drifts for the worse, other drifts, those for the better, metrics with
/// too few runs, and the rest; within each the largest first.
pub fn worst_first(found: &mut [Drift], settings: &Settings) {
    let rank = |d: &Drift| match (d.row.verdict, d.row.worse) {
        (Verdict::Drift, Some(true)) => 0,
        (Verdict::Drift, None) => 1,
        (Verdict::Drift, Some(false)) => 2,
        (Verdict::Insufficient, _) => 3,
        (Verdict::NoDrift, _) => 4,
    };
    let magnitude = |d: &Drift| d.row.magnitude(settings).unwrap_or(-1.0);
    found.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| magnitude(b).total_cmp(&magnitude(a))));
}
