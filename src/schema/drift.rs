//! Tables of what differs between two sets of runs: computed when they are asked for.

use super::{Class::*, Column, Origin::*, col};

const AGENT: Column = col("agent_name", Label, true, Derived, "", "Agent; NULL for runs without one.");
const STRATUM: Column =
    col("stratum", Label, true, Computed, "", "What it was compared within: the value of by, where that was given.");
const METRIC: Column = col(
    "metric",
    Label,
    false,
    Computed,
    "",
    "What was measured of each run of the agent: steps, tokens, cost_usd, duration_ns, rates, mixes, or score:NAME.",
);
const UNIT: Column = col("unit", Label, true, Computed, "", "Unit of the medians; NULL for shares and mixes.");

/// Columns of `drift`, one row per agent, stratum and metric.
pub static DRIFT: &[Column] = &[
    AGENT,
    STRATUM,
    METRIC,
    col("verdict", Label, false, Computed, "", "drift, no_drift, or insufficient: too few runs to say."),
    col(
        "worse",
        Flag,
        true,
        Computed,
        "",
        "Of a drift, whether it is for the worse; NULL where neither way is better.",
    ),
    col("direction", Label, true, Computed, "", "Of a drift: up, down, or changed (another shape or mix)."),
    col("base_median", Double, true, Computed, "as unit says", "Median of the base; of rates, the share of runs."),
    col(
        "cur_median",
        Double,
        true,
        Computed,
        "as unit says",
        "Median of the current runs; of rates, the share of runs.",
    ),
    UNIT,
    col("ratio", Double, true, Computed, "", "cur_median / base_median."),
    col("ci_lo", Double, true, Computed, "", "Lower end of the 95 % interval of the ratio."),
    col("ci_hi", Double, true, Computed, "", "Upper end of the 95 % interval of the ratio."),
    col("change_at", Time, true, Computed, "", "Of a drift: start of the first run after the largest change of level."),
    col("n_base", Count, false, Computed, "runs", "Runs of the base that have the metric."),
    col("n_cur", Count, false, Computed, "runs", "Current runs that have the metric."),
    col("p95_base", Double, true, Computed, "as unit says", "95th percentile of the base."),
    col("p95_cur", Double, true, Computed, "as unit says", "95th percentile of the current runs."),
    col("effect", Double, true, Computed, "", "How large the difference is, as effect_name says."),
    col(
        "effect_name",
        Label,
        false,
        Computed,
        "",
        "cliffs_delta, difference (of shares) or jensen_shannon (distance).",
    ),
    col(
        "magnitude",
        Double,
        true,
        Computed,
        "",
        "How large it is beside the least that counts: a drift has 1 or more. The largest of effect, ratio of medians and change of the tail.",
    ),
    col(
        "p_level",
        Double,
        true,
        Computed,
        "",
        "P-value of the level: Mann-Whitney; of rates Fisher; of mixes a permutation of runs.",
    ),
    col("p_shape", Double, true, Computed, "", "P-value of the shape: Kolmogorov-Smirnov."),
    col("p_tail", Double, true, Computed, "", "P-value of the share above the 95th percentile of the base: Fisher."),
    col("p", Double, true, Computed, "", "All of them as one: Cauchy combination."),
    col(
        "p_adj",
        Double,
        true,
        Computed,
        "",
        "p adjusted for the other metrics of the agent's family: Benjamini-Hochberg.",
    ),
    col("psi", Double, true, Computed, "", "Population stability index; it decides nothing."),
    col("psi_corrected", Double, true, Computed, "", "The same less what chance gives."),
    col("js", Double, true, Computed, "", "Jensen-Shannon distance, 0 to 1, less what chance gives."),
    col("mde", Double, true, Computed, "", "Smallest effect that so many runs show with a power of 0.8."),
    col("kind", Label, false, Computed, "", "numeric, binary or categorical."),
    col(
        "family",
        Label,
        false,
        Computed,
        "",
        "primary, or secondary: what explains the former, compared where secondary => true.",
    ),
    col("note", Label, true, Computed, "", "What else to know."),
];

/// Columns of `drift_points`, one row per change of level.
pub static DRIFT_POINTS: &[Column] = &[
    AGENT,
    STRATUM,
    METRIC,
    col("change_at", Time, false, Computed, "", "Start of the first run after the change."),
    col(
        "before",
        Double,
        false,
        Computed,
        "as unit says",
        "Median between the change before and this one; of rates, the share.",
    ),
    col("after", Double, false, Computed, "as unit says", "Median from there to the next change."),
    UNIT,
    col("n_before", Count, false, Computed, "runs", "Runs between the change before and this one."),
    col("n_after", Count, false, Computed, "runs", "Runs from there to the next change."),
];

/// Columns of `drift_detail`, one row per agent, stratum, metric and bin.
pub static DRIFT_DETAIL: &[Column] = &[
    AGENT,
    STRATUM,
    METRIC,
    col("bin", Count, false, Computed, "", "Number of the bin, from 1."),
    col("category", Label, true, Computed, "", "Tool, model, version, yes or no; NULL for ranges of numbers."),
    col("above", Double, true, Computed, "as unit says", "Values are above this; NULL for the lowest bin."),
    col("up_to", Double, true, Computed, "as unit says", "Values are at most this; NULL for the highest bin."),
    UNIT,
    col("base_share", Double, true, Computed, "", "Share of the base in the bin; NULL when the base is empty."),
    col("cur_share", Double, true, Computed, "", "Share of the current runs in the bin; NULL when there are none."),
    col(
        "base_count",
        Count,
        false,
        Computed,
        "runs or calls",
        "Runs of the base in the bin; of mixes of tools and models, calls.",
    ),
    col(
        "cur_count",
        Count,
        false,
        Computed,
        "runs or calls",
        "Current runs in the bin; of mixes of tools and models, calls.",
    ),
];
