//! Loops of an agent that is still running.

use std::sync::Arc;

use foldhash::fast::RandomState;
use lru::LruCache;

use super::near::{Clusters, Place};
use super::periods::{Item, Periods};
use super::scattered::Group;
use super::stretch::{Rule, Stretch};
use super::turns::{TakingTurns, Turns};
use super::{LoopKind, Settings, Severity, Step, StepKind, kind};

/// The loop that the last step is in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// What repeats.
    pub kind: LoopKind,
    /// Steps of one period; of a ping-pong, turns of agents.
    pub period: usize,
    /// Steps of the loop, so far.
    pub steps: usize,
    /// First step, by the number of steps given before it.
    pub first_step: usize,
    /// Whether results show that nothing new came of it.
    pub confirmed: bool,
    /// How sure it is that it is a loop.
    pub severity: Severity,
}

/// Follows a run one step at a time.
///
/// What it says of a step is what [`super::find`] would consider for the steps so far: among the candidates of all
/// kinds that end with this step, the one that would take its steps first. What the two say of the same steps differs
/// in one thing: here, candidates do not compete for steps with those that end earlier. Hence
///
/// * when the last step has a verdict, `find` has a finding that shares steps with the loop of the verdict, and when
///   the verdict is above [`Severity::Info`], one that is too;
/// * when a finding of `find` holds the last step, that step has a verdict.
///
/// # Memory
///
/// It depends on the settings and the number of agents, not on the number of steps:
///
/// * for each agent (of several runs of one agent at the same time, each): the last [`Settings::max_period`] steps,
///   three more, and up to [`Settings::scattered_window`] that later ones may be nearly equal to, each with up to
///   [`Settings::near_repeats`] hashes;
/// * the last [`Settings::max_period`] turns of agents;
/// * for the calls that may be scattered: [`Detector::MAX_CALLS`] calls of all agents together, each with up to
///   [`Settings::scattered_near`] positions.
///
/// A user turn empties it, for no loop spans one. Without one for long, it forgets: the agent that has not acted for
/// longest when there are more than [`Detector::MAX_AGENTS`], and the call that was not made for longest when there are
/// more than [`Detector::MAX_CALLS`] different ones. What is forgotten begins anew when it is seen again: a call that is
/// made again only after that many others counts as made for the first time, and is no part of a scattered loop.
///
/// A step takes time in proportion to `max_period` and to the number of steps that it is compared with for being nearly
/// equal, `scattered_window` at most.
///
/// ```
/// use spanfile::loops::{Detector, LoopKind, Settings, Severity, Step, StepKind};
/// let mut step = Step::new("agent", StepKind::Tool, "read_file");
/// (step.k2, step.r) = (Some(1), Some(2));
/// let mut detector = Detector::new(Settings::default());
/// assert!(detector.push(&step).is_none());
/// assert!(detector.push(&step).is_none());
/// let verdict = detector.push(&step).unwrap();
/// assert_eq!((verdict.kind, verdict.steps, verdict.severity), (LoopKind::ExactRepeat, 3, Severity::High));
/// ```
#[derive(Debug)]
pub struct Detector {
    settings: Settings,
    /// By name and instance.
    agents: LruCache<(Arc<str>, u32), Agent, RandomState>,
    /// Agents that were met.
    met: u64,
    /// By agent and identity.
    calls: LruCache<(u64, u64), Group, RandomState>,
    turns: Turns,
    seen: usize,
}

/// One agent since the last user turn.
#[derive(Debug, Default)]
struct Agent {
    /// How many were met before.
    number: u64,
    steps: usize,
    /// Number and identity of its last step.
    last: Option<(usize, Option<u64>)>,
    /// Number of the last step without a known result.
    unknown: Option<usize>,
    equal: Periods,
    polls: Periods,
    stretches: [Option<Stretch<Step>>; Rule::ALL.len()],
    clusters: Clusters<Step>,
}

/// The candidate that goes first, of those offered.
#[derive(Default)]
struct Best(Option<Verdict>);

impl Best {
    fn offer(&mut self, verdict: Verdict) {
        let rank = |v: &Verdict| kind::rank((v.kind, v.severity), v.steps, v.period, v.first_step);
        if self.0.is_none_or(|best| rank(&verdict) < rank(&best)) {
            self.0 = Some(verdict);
        }
    }

    fn offer_of_one_agent(&mut self, kind: LoopKind, period: usize, steps: usize, first_step: usize, confirmed: bool) {
        let severity = kind.severity(confirmed, false);
        self.offer(Verdict { kind, period, steps, first_step, confirmed, severity });
    }
}

impl Detector {
    /// Most agents that are followed between two user turns.
    pub const MAX_AGENTS: usize = 4096;
    /// Most different calls that are followed between two user turns.
    pub const MAX_CALLS: usize = 65_536;

    /// A detector that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        let agents = LruCache::unbounded_with_hasher(RandomState::default());
        let calls = LruCache::unbounded_with_hasher(RandomState::default());
        Self { settings, agents, met: 0, calls, turns: Turns::default(), seen: 0 }
    }

    /// Takes the next step of the run, in the order of [`super::find`].
    pub fn push(&mut self, step: &Step) -> Option<Verdict> {
        let (number, settings) = (self.seen, &self.settings);
        self.seen += 1;
        if step.barrier {
            self.agents.clear();
            self.calls.clear();
            self.turns = Turns::default();
        }
        let mut best = Best::default();
        let identity = step.identity(settings.compare_results);
        for found in self.turns.follow((number, step), identity, settings) {
            let kind = LoopKind::HandoffPingPong;
            let TakingTurns { period, first: first_step, confirmed, equal } = found;
            let (steps, severity) = (number + 1 - first_step, kind.severity(confirmed, equal));
            best.offer(Verdict { kind, period, steps, first_step, confirmed, severity });
        }
        let met = &mut self.met;
        let agent = self.agents.get_or_insert_mut((Arc::clone(&step.agent), step.instance), || {
            *met += 1;
            Agent { number: *met, ..Agent::default() }
        });
        let at = agent.steps;
        agent.follow((number, step), identity, settings, &mut best);
        // The call before is the same: that is an exact repeat.
        let adjacent = identity.is_some() && agent.last.is_some_and(|(_, before)| before == identity);
        agent.last = Some((number, identity));
        if let Some(identity) = identity.filter(|_| !adjacent && step.scatters(settings)) {
            let group = self.calls.get_or_insert_mut((agent.number, identity), Group::default);
            if let Some(found) = group.follow((at, number), step.outcome(), settings) {
                best.offer_of_one_agent(LoopKind::Scattered, 1, found.calls, found.first, found.confirmed);
            }
        }
        if self.agents.len() > Self::MAX_AGENTS {
            self.agents.pop_lru();
        }
        if self.calls.len() > Self::MAX_CALLS {
            self.calls.pop_lru();
        }
        best.0
    }

    /// How many steps, calls, turns, counts and hashes it holds.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        let agents = self.agents.iter().map(|(_, a)| {
            a.equal.entries() + a.polls.entries() + a.stretches.iter().flatten().count() + a.clusters.entries()
        });
        let calls = self.calls.iter().map(|(_, group)| group.entries());
        agents.sum::<usize>() + calls.sum::<usize>() + self.turns.entries()
    }
}

impl Agent {
    /// Takes the agent's next step, and offers the loops of this agent alone, but for those of scattered calls.
    fn follow(&mut self, (number, step): (usize, &Step), identity: Option<u64>, settings: &Settings, best: &mut Best) {
        let at = self.steps;
        self.steps += 1;
        if step.outcome().is_none() {
            self.unknown = Some(number);
        }
        let max_period = settings.max_period.max(1);
        let item = |symbol, kind| {
            let allowed = settings.allows(&step.name, kind);
            Item { symbol, outcome: step.outcome(), first: number, allowed }
        };
        self.equal.follow(item(identity, LoopKind::Cycle), max_period);
        for e in self.equal.endings() {
            let (kind, fewest) = LoopKind::of_period(e.period, settings);
            // Equal LLM turns in a row are a monologue.
            let monologue = e.period == 1 && step.kind == StepKind::Llm;
            let allowed = match kind {
                LoopKind::ExactRepeat => settings.allows(&step.name, kind),
                _ => self.equal.allowed(e.period),
            };
            if e.len >= fewest && !monologue && !allowed {
                let confirmed = e.same_results && self.unknown.is_none_or(|u| u < e.first);
                best.offer_of_one_agent(kind, e.period, e.len, e.first, confirmed);
            }
        }
        if settings.compare_results {
            self.polls.follow(item(step.poll(settings), LoopKind::Polling), max_period);
            for e in self.polls.endings() {
                if e.len / e.period >= settings.polls.max(2) && !e.same_results {
                    best.offer_of_one_agent(LoopKind::Polling, e.period, e.len, e.first, true);
                }
            }
        }
        for (rule, open) in Rule::ALL.into_iter().zip(&mut self.stretches) {
            rule.follow(open, (number, step), settings, || step.clone());
            if let Some(stretch) = open
                && let Some(confirmed) = rule.confirmed(stretch, settings)
            {
                best.offer_of_one_agent(rule.kind(), 1, stretch.len, stretch.start, confirmed);
            }
        }
        let interrupted = self.last.is_some_and(|(before, _)| before + 1 != number);
        let cluster = self.clusters.follow(Place { at, number, interrupted }, step, settings, || step.clone());
        if let Some(cluster) = cluster
            && let Some(confirmed) = cluster.confirmed(settings)
        {
            best.offer_of_one_agent(LoopKind::NearRepeat, 1, cluster.len, cluster.start, confirmed);
        }
    }
}
