//! What is measured of an agent's run.

use super::{Better, Kind};

/// Which metrics are decided together: each family has its own share of false alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// What one is paid for: work, cost, time, failures, success.
    Primary,
    /// What explains the former.
    Secondary,
}

impl Family {
    /// Name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Name in tables.
    pub name: &'static str,
    /// What a run contributes.
    pub kind: Kind,
    /// Which way it should go.
    pub better: Better,
    /// What it is decided with.
    pub family: Family,
    /// Unit of its medians, or `""`.
    pub unit: &'static str,
}

const fn metric(name: &'static str, kind: Kind, better: Better, family: Family, unit: &'static str) -> Metric {
    Metric { name, kind, better, family, unit }
}

/// Metrics with a number per run; a run without it is left out.
pub const NUMBERS: [Metric; 10] = {
    use Better::{Higher, Lower};
    use Family::{Primary, Secondary};
    use Kind::Numeric;
    [
        metric("steps", Numeric, Lower, Primary, "steps"),
        metric("llm_calls", Numeric, Lower, Primary, "calls"),
        metric("tool_calls", Numeric, Lower, Primary, "calls"),
        metric("input_tokens", Numeric, Lower, Primary, "tokens"),
        metric("output_tokens", Numeric, Lower, Primary, "tokens"),
        metric("cost_usd", Numeric, Lower, Primary, "USD"),
        metric("duration_ns", Numeric, Lower, Primary, "ns"),
        metric("output_tokens_per_call", Numeric, Better::Neither, Secondary, "tokens"),
        metric("cache_read_share", Numeric, Higher, Secondary, ""),
        metric("ttft_ns", Numeric, Lower, Secondary, "ns"),
    ]
};

/// Metrics with a yes or no per run: shares of runs.
pub const FLAGS: [Metric; 4] = {
    use Better::{Higher, Lower};
    use Family::Primary;
    use Kind::Binary;
    [
        metric("error_rate", Binary, Lower, Primary, ""),
        metric("retry_rate", Binary, Lower, Primary, ""),
        metric("loop_rate", Binary, Lower, Primary, ""),
        metric("completion_rate", Binary, Higher, Primary, ""),
    ]
};

/// Metrics with counts per run.
pub const MIXES: [Metric; 4] = [
    metric("tool_mix", Kind::Categorical, Better::Neither, Family::Primary, ""),
    metric("model_mix", Kind::Categorical, Better::Neither, Family::Secondary, ""),
    // Which tool was called after which: the shape of the way that a run takes.
    metric("tool_pairs", Kind::Categorical, Better::Neither, Family::Secondary, ""),
    metric("finish_reasons", Kind::Categorical, Better::Neither, Family::Secondary, ""),
];

/// The metric with a category per run.
pub const VERSIONS: Metric = metric("version_mix", Kind::Categorical, Better::Neither, Family::Secondary, "");

/// What scores are: their names come from those who judged.
pub(super) const fn score(kind: Kind, better: Better) -> Metric {
    metric("score", kind, better, Family::Primary, "")
}
