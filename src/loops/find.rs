//! Findings: candidates share out the steps among themselves, and the rest of each is priced.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::candidates::{Candidate, candidates};
use super::{LoopKind, Settings, Severity, Step, StepKind};
use crate::model::SpanId;

/// A loop, from which step to which, and what it wasted.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What repeats.
    pub kind: LoopKind,
    /// The agent; `None` when several took part.
    pub agent: Option<Arc<str>>,
    /// Steps of one period; of a ping-pong, turns of agents.
    pub period: usize,
    /// How many periods there are.
    pub repeats: f64,
    /// First step, by position in the steps given.
    pub first_step: usize,
    /// Last step.
    pub last_step: usize,
    /// All steps of the finding: others may lie between them.
    pub steps: Vec<usize>,
    /// Span of the first step.
    pub first_span_id: SpanId,
    /// Span of the last step.
    pub last_span_id: SpanId,
    /// Hash of what repeats, equal for equal loops wherever in the period they begin.
    pub signature: u64,
    /// Names of the steps of the first period; of a ping-pong, the agents.
    pub names: Vec<Arc<str>>,
    /// Whether results show that nothing new came of it.
    pub confirmed: bool,
    /// How sure it is.
    pub severity: Severity,
    /// Tokens of all steps after the first period, where known; `None` when none is, for polling, and where the
    /// sum does not fit.
    pub wasted_tokens: Option<u64>,
    /// Cost of all steps after the first period in pico-dollars, as tokens.
    pub wasted_cost_pico_usd: Option<i128>,
    /// Time of all steps after the first period. Moments at which several of them ran count once, also among the
    /// findings of one run: they count for the one that began first.
    pub wasted_ns: i128,
    /// One sentence.
    pub evidence: String,
}

impl Finding {
    /// The steps, period by period; the first one is no waste.
    pub fn periods(&self, steps: &[Step]) -> Vec<Vec<usize>> {
        if self.kind != LoopKind::HandoffPingPong {
            return self.steps.chunks(self.period).map(<[usize]>::to_vec).collect();
        }
        let mut periods: Vec<Vec<usize>> = Vec::new();
        let mut turns = 0;
        for (at, &s) in self.steps.iter().enumerate() {
            if at == 0 || steps[self.steps[at - 1]].agent != steps[s].agent {
                if turns % self.period == 0 {
                    periods.push(Vec::new());
                }
                turns += 1;
            }
            if let Some(last) = periods.last_mut() {
                last.push(s);
            }
        }
        periods
    }
}

/// Finds the loops of one run. Steps come in order (start time, then span id), those of all agents together; findings
/// come by their first step.
pub fn find(steps: &[Step], settings: &Settings) -> Vec<Finding> {
    let mut all = candidates(steps, settings);
    all.sort_by_cached_key(Candidate::rank);
    let mut taken = vec![false; steps.len()];
    let mut kept: Vec<Candidate> = Vec::new();
    for mut candidate in all {
        if candidate.keep_free(&taken, steps, settings) {
            for &s in &candidate.steps {
                taken[s] = true;
            }
            kept.push(candidate);
        }
    }
    kept.sort_by_key(|c| c.steps[0]);
    let wasted_ns = wasted_time(steps, &kept);
    kept.into_iter().zip(wasted_ns).map(|(c, ns)| finding(steps, c, ns)).collect()
}

/// Time that each candidate wasted. No moment counts twice, so that the sum is at most the time of the run.
fn wasted_time(steps: &[Step], kept: &[Candidate]) -> Vec<i128> {
    let mut intervals: Vec<(i64, i64, usize)> = Vec::new();
    for (i, candidate) in kept.iter().enumerate() {
        let wasted = candidate.wasted().iter().map(|&s| (steps[s].start_ns, steps[s].end_ns, i));
        intervals.extend(wasted.filter(|(start, end, _)| start < end));
    }
    intervals.sort_unstable();
    let mut wasted = vec![0i128; kept.len()];
    let mut until = i64::MIN;
    for (start, end, i) in intervals {
        wasted[i] += (i128::from(end) - i128::from(start.max(until))).max(0);
        until = until.max(end);
    }
    wasted
}

fn finding(steps: &[Step], candidate: Candidate, wasted_ns: i128) -> Finding {
    let (first, last) = (candidate.steps[0], candidate.steps[candidate.steps.len() - 1]);
    let wasted = candidate.wasted();
    let costs = wasted.iter().filter_map(|&s| steps[s].cost_pico_usd).filter(|&c| c >= 0);
    let period = &candidate.steps[..candidate.first_period];
    let mut names: Vec<Arc<str>> = Vec::new();
    for &s in period {
        if candidate.kind == LoopKind::HandoffPingPong {
            if s == first || names.last() != Some(&steps[s].agent) {
                names.push(Arc::clone(&steps[s].agent));
            }
        } else {
            names.push(Arc::clone(&steps[s].name));
        }
    }
    let elements: Vec<u64> = match candidate.kind {
        LoopKind::HandoffPingPong => names.iter().map(|n| xxh3_64(n.as_bytes())).collect(),
        _ => period.iter().map(|&s| element(&steps[s], candidate.kind)).collect(),
    };
    let repeats = candidate.repeats();
    Finding {
        kind: candidate.kind,
        agent: (candidate.kind != LoopKind::HandoffPingPong).then(|| Arc::clone(&steps[first].agent)),
        period: candidate.period,
        repeats,
        first_step: first,
        last_step: last,
        first_span_id: steps[first].span_id,
        last_span_id: steps[last].span_id,
        signature: signature(&elements),
        evidence: evidence(&candidate, &names, repeats),
        names,
        confirmed: candidate.confirmed,
        severity: candidate.severity(),
        wasted_tokens: total(wasted.iter().filter_map(|&s| steps[s].tokens), u64::checked_add),
        wasted_cost_pico_usd: total(costs, i128::checked_add),
        wasted_ns,
        steps: candidate.steps,
    }
}

/// `None` of nothing, and where the sum does not fit.
pub(super) fn total<T>(mut known: impl Iterator<Item = T>, add: impl Fn(T, T) -> Option<T>) -> Option<T> {
    let first = known.next()?;
    known.try_fold(first, add)
}

fn element(step: &Step, kind: LoopKind) -> u64 {
    let what = match (step.kind, kind) {
        // Arguments differ; the answer is what repeats.
        (_, LoopKind::Stagnation) => step.r,
        (_, LoopKind::Polling) => step.k1,
        // Only who repeats is the same.
        (_, LoopKind::NearRepeat) => None,
        (StepKind::Llm, _) => step.output_hash.or(step.output_simhash),
        _ => step.k2,
    };
    super::key(step.kind, &step.name, &what.map(|w| w.to_string()).unwrap_or_default())
}

/// Hash of the least rotation, so that it does not matter where in the period a loop begins.
fn signature(elements: &[u64]) -> u64 {
    let rotated = |by: usize| elements[by..].iter().chain(&elements[..by]).copied();
    let least = (0..elements.len()).min_by(|&a, &b| rotated(a).cmp(rotated(b))).unwrap_or(0);
    let bytes: Vec<[u8; 8]> = rotated(least).map(u64::to_le_bytes).collect();
    xxh3_64(bytes.as_flattened())
}

fn evidence(candidate: &Candidate, names: &[Arc<str>], repeats: f64) -> String {
    /// Names of a period that are spelled out.
    const SHOWN: usize = 4;
    let mut what = names.iter().take(SHOWN).map(|n| &**n).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        what = format!("{what} and {} more", names.len() - SHOWN);
    }
    let count = candidate.steps.len();
    let answer = if candidate.confirmed { "the same result" } else { "results not known to be equal" };
    match candidate.kind {
        LoopKind::RetryStorm => format!("{what} called {count} times in a row with equal arguments, failing each time"),
        LoopKind::ExactRepeat => format!("{what} called {count} times in a row with equal arguments, {answer}"),
        LoopKind::Cycle => format!("{what}: {repeats:.1} times in a row with equal arguments, {answer}"),
        LoopKind::Monologue => format!("{what} said the same {count} times in a row"),
        LoopKind::Stagnation => format!("{what} called {count} times in a row with other arguments, the same result"),
        LoopKind::Scattered => format!("{what} called {count} times with equal arguments among other steps, {answer}"),
        LoopKind::NearRepeat if candidate.is_llm => format!("{what} said nearly the same {count} times"),
        LoopKind::NearRepeat if candidate.confirmed => {
            format!("{what} called {count} times with nearly equal arguments, the same result")
        }
        LoopKind::NearRepeat => format!("{what} called {count} times with nearly equal arguments"),
        LoopKind::HandoffPingPong if candidate.confirmed => {
            format!("{what} took turns {repeats:.1} times, doing the same each time")
        }
        LoopKind::HandoffPingPong if candidate.turns_equal => {
            format!("{what} took turns {repeats:.1} times with equal arguments, {answer}")
        }
        LoopKind::HandoffPingPong => format!("{what} took turns {repeats:.1} times"),
        LoopKind::Polling if candidate.period == 1 => {
            format!("{what} called {count} times in a row with equal arguments, the result changed")
        }
        LoopKind::Polling => format!("{what}: {repeats:.1} times in a row with equal arguments, results changed"),
    }
}
