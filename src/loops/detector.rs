//! Loops of an agent that is still running.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::candidates::retries;
use super::step::Identity;
use super::{LoopKind, Settings, Step, StepKind};

/// Most agents that are followed between two user turns; of further ones nothing is said.
const MAX_AGENTS: usize = 4096;

/// The loop that the last step is in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// What repeats.
    pub kind: LoopKind,
    /// Steps of one period.
    pub period: usize,
    /// Steps of the loop, so far.
    pub steps: usize,
    /// First step, by the number of steps given before it.
    pub first_step: usize,
    /// Whether all results are known.
    pub confirmed: bool,
}

/// Follows a run one step at a time. Memory depends on [`Settings::max_period`] and the number of agents (up to 4096
/// between two user turns), not on the number of steps.
///
/// It knows exact repeats, retry storms and cycles. What it says of a step is what [`super::find`] would consider for
/// the steps so far: of these kinds, the candidate that ends with this step, by most steps, then smallest period. It
/// differs from `find` in that candidates do not compete with other kinds or earlier loops for their steps; other
/// kinds are found by `find` only.
///
/// ```
/// use spanfile::loops::{Detector, LoopKind, Settings, Step, StepKind};
/// let mut step = Step::new("agent", StepKind::Tool, "read_file");
/// (step.k2, step.r) = (Some(1), Some(2));
/// let mut detector = Detector::new(Settings::default());
/// assert!(detector.push(&step).is_none());
/// assert!(detector.push(&step).is_none());
/// assert_eq!(detector.push(&step).unwrap().kind, LoopKind::ExactRepeat);
/// ```
#[derive(Debug)]
pub struct Detector {
    settings: Settings,
    agents: HashMap<Arc<str>, Agent, RandomState>,
    seen: usize,
}

#[derive(Debug, Default)]
struct Agent {
    /// The last steps, newest first: as many as the longest period.
    recent: VecDeque<Recent>,
    /// By period less 1: how many steps in a row equal the one a period before, and where that repetition began.
    matches: Vec<(usize, usize)>,
    last_unknown: Option<usize>,
    /// The failing call that is being repeated: its name and key, where it began, how often.
    retry: Option<(StepKind, Arc<str>, u64, usize, usize)>,
}

#[derive(Debug)]
struct Recent {
    identity: Option<Identity>,
    step: usize,
    allowed: bool,
}

impl Detector {
    /// A detector that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        Self { settings, agents: HashMap::default(), seen: 0 }
    }

    /// Takes the next step of the run.
    pub fn push(&mut self, step: &Step) -> Option<Verdict> {
        let now = self.seen;
        self.seen += 1;
        if step.barrier {
            self.agents.clear();
        }
        if !self.agents.contains_key(&step.agent) && self.agents.len() >= MAX_AGENTS {
            return None;
        }
        let agent = self.agents.entry(Arc::clone(&step.agent)).or_default();
        agent.push(step, now, &self.settings)
    }
}

impl Agent {
    fn push(&mut self, step: &Step, now: usize, settings: &Settings) -> Option<Verdict> {
        let max_period = settings.max_period.max(1);
        let identity = step.identity(settings.compare_results);
        if step.outcome().is_none() {
            self.last_unknown = Some(now);
        }
        let mut best = self.retry(step, now, settings);
        if self.matches.len() < self.recent.len().min(max_period) {
            self.matches.push((0, 0));
        }
        for ((matched, first), before) in self.matches.iter_mut().zip(&self.recent) {
            if identity.is_none() || before.identity != identity {
                *matched = 0;
                continue;
            }
            if *matched == 0 {
                *first = before.step;
            }
            *matched += 1;
        }
        for period in 1..=self.matches.len() {
            let (matched, first_step) = self.matches[period - 1];
            let steps = matched + period;
            let (kind, fewest) = if period == 1 {
                (LoopKind::ExactRepeat, settings.exact_repeats.max(2))
            } else {
                (LoopKind::Cycle, settings.cycle_periods.max(2) * period)
            };
            if matched == 0 || steps < fewest || best.is_some_and(|b| b.steps >= steps) {
                continue;
            }
            // The same steps with a smaller period: this one is a multiple of it.
            let is_multiple = self.matches[..period - 1].iter().any(|&(m, first)| m > 0 && first == first_step);
            let monologue = period == 1 && step.kind == StepKind::Llm;
            // The step itself equals the oldest of these, so they are all of one period.
            let allowed = match kind {
                LoopKind::ExactRepeat => settings.allows(&step.name, kind),
                _ => self.recent.iter().take(period).all(|r| r.allowed),
            };
            if is_multiple || monologue || allowed {
                continue;
            }
            let confirmed = self.last_unknown.is_none_or(|u| u < first_step);
            best = Some(Verdict { kind, period, steps, first_step, confirmed });
        }
        self.recent.push_front(Recent { identity, step: now, allowed: settings.allows(&step.name, LoopKind::Cycle) });
        self.recent.truncate(max_period);
        best
    }

    fn retry(&mut self, step: &Step, now: usize, settings: &Settings) -> Option<Verdict> {
        let key = step.k2.filter(|_| retries(step, settings));
        self.retry = key.map(|k2| match self.retry.take() {
            Some((kind, name, k, first, steps)) if kind == step.kind && k == k2 && name == step.name => {
                (kind, name, k, first, steps + 1)
            }
            _ => (step.kind, Arc::clone(&step.name), k2, now, 1),
        });
        let &(.., first_step, steps) = self.retry.as_ref()?;
        let verdict = Verdict { kind: LoopKind::RetryStorm, period: 1, steps, first_step, confirmed: true };
        (steps >= settings.retries.max(2)).then_some(verdict)
    }
}
