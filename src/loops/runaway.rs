//! Runs that took far more steps or money than the agent's runs do.

/// Runs from which on a limit is taken from the runs themselves.
const ENOUGH_RUNS: usize = 30;
/// Most steps of a run when there are too few runs to compare with.
const MAX_STEPS: f64 = 100.0;

/// Values above `limit` are runaways.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunawayLimit {
    /// The limit.
    pub limit: f64,
    /// Whether it was taken from the runs, not from a fixed number.
    pub from_runs: bool,
}

/// The limit for an agent's runs: the larger of the 99th percentile and Q3 + 3 IQR of a value per run (steps or cost;
/// quantiles interpolate linearly). With fewer than 30 finite values it is 100 for steps, and there is none for other
/// values.
pub fn runaway(per_run: &[f64], is_steps: bool) -> Option<RunawayLimit> {
    let mut sorted: Vec<f64> = per_run.iter().copied().filter(|v| v.is_finite()).collect();
    if sorted.len() < ENOUGH_RUNS {
        return is_steps.then_some(RunawayLimit { limit: MAX_STEPS, from_runs: false });
    }
    sorted.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        let at = q * (sorted.len() - 1) as f64;
        let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
        low + (high - low) * at.fract()
    };
    let (q1, q3) = (quantile(0.25), quantile(0.75));
    Some(RunawayLimit { limit: quantile(0.99).max(q3 + 3.0 * (q3 - q1)), from_runs: true })
}
