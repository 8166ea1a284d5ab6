//! What may repeat, how sure it is that it is a loop, and which of several findings goes first.

use std::cmp::Reverse;

use super::Settings;

/// What repeats. In order of preference where two kinds are otherwise equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LoopKind {
    /// The same call again and again, always failing.
    RetryStorm,
    /// The same call with the same result again and again.
    ExactRepeat,
    /// Several different steps, again and again.
    Cycle,
    /// The same LLM output again and again.
    Monologue,
    /// The same tool with other arguments gives the same answer again and again.
    Stagnation,
    /// The same call with the same result, with other steps between.
    Scattered,
    /// Calls with nearly equal arguments, or LLM turns that say nearly the same.
    NearRepeat,
    /// Agents take turns in the same order again and again.
    HandoffPingPong,
    /// The same call whose result changes: no loop.
    Polling,
}

impl LoopKind {
    /// All of them.
    pub const ALL: [LoopKind; 9] = [
        Self::RetryStorm,
        Self::ExactRepeat,
        Self::Cycle,
        Self::Monologue,
        Self::Stagnation,
        Self::Scattered,
        Self::NearRepeat,
        Self::HandoffPingPong,
        Self::Polling,
    ];

    /// The one of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == name)
    }

    /// Whether steps after the first period are wasted: of polling they are not.
    pub fn is_waste(self) -> bool {
        self != Self::Polling
    }

    /// Name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RetryStorm => "retry_storm",
            Self::ExactRepeat => "exact_repeat",
            Self::Cycle => "cycle",
            Self::Monologue => "monologue",
            Self::Stagnation => "stagnation",
            Self::Scattered => "scattered",
            Self::NearRepeat => "near_repeat",
            Self::HandoffPingPong => "handoff_ping_pong",
            Self::Polling => "polling",
        }
    }
}

/// How sure it is that a finding is a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing, no loop: polling, and agents that take turns but do something new each time.
    Info,
    /// Likely a loop: results are not known, or arguments differ.
    Warning,
    /// A loop: arguments and results repeat.
    High,
}

impl Severity {
    /// Name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::High => "high",
        }
    }
}

impl LoopKind {
    /// How sure a finding is. `turns_equal` is about ping-pongs only: whether the turns have equal steps.
    pub(super) fn severity(self, confirmed: bool, turns_equal: bool) -> Severity {
        match self {
            Self::Polling => Severity::Info,
            Self::HandoffPingPong if !turns_equal => Severity::Info,
            Self::Stagnation => Severity::Warning,
            _ if confirmed => Severity::High,
            _ => Severity::Warning,
        }
    }

    /// Kind of a stretch of steps that repeats with a period, and how many steps it needs.
    pub(super) fn of_period(period: usize, settings: &Settings) -> (Self, usize) {
        if period == 1 {
            (Self::ExactRepeat, settings.exact_repeats.max(2))
        } else {
            (Self::Cycle, settings.cycle_periods.max(2).saturating_mul(period))
        }
    }
}

/// What decides which of several candidates takes its steps first: the least of these.
pub(super) fn rank(
    (kind, severity): (LoopKind, Severity),
    steps: usize,
    period: usize,
    first_step: usize,
) -> (bool, bool, Reverse<usize>, usize, usize, LoopKind) {
    let near = kind == LoopKind::NearRepeat;
    (severity == Severity::Info, near, Reverse(steps), period, first_step, kind)
}
