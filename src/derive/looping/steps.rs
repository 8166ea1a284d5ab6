//! The steps of a run, as [`crate::loops`] compares them.
//!
//! An LLM turn belongs to the first call that came of it, with its tokens and its time. Calls that overlap, or that one
//! output asks for, are one step, in any order; but a program that tries a call again made several. A turn without calls
//! is a step, and so are a handoff and a run of an agent in which nothing else is seen.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::super::requested::calls_asked_for;
use super::super::structure::{NONE, Tree};
use super::super::view::SpanRow;
use super::super::{SpanDerived, SyntheticCall};
use crate::loops::{Step, StepKind, Words, compose};
use crate::normalise::Kind;

/// Where a step is in the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The row of the LLM turn, or [`NONE`].
    pub(super) turn: u32,
    /// Its calls.
    pub(super) calls: Vec<Call>,
}

/// A call: a row, or one that only an LLM's output tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Row(u32),
    /// Position among the synthetic calls.
    Told(u32),
}

/// The calls that belong to one turn, so far.
struct Group {
    turn: u32,
    calls: Vec<Call>,
}

impl Group {
    fn of(turn: u32) -> Self {
        Group { turn, calls: Vec::new() }
    }
}

/// The last two turns of an agent.
struct Turns {
    agent: Arc<str>,
    instance: u32,
    before: Option<Group>,
    open: Group,
}

/// The agents of a run, in order of first work.
#[derive(Default)]
struct Agents<'n> {
    at: HashMap<(&'n str, u32), usize, RandomState>,
    turns: Vec<Turns>,
    /// The one that acted last acts on, mostly.
    last: Option<(&'n str, u32, usize)>,
}

impl<'n> Agents<'n> {
    fn turns(&mut self, name: &'n str, instance: u32) -> &mut Turns {
        let at = match self.last {
            Some((last, of, at)) if last == name && of == instance => at,
            _ => *self.at.entry((name, instance)).or_insert_with(|| {
                self.turns.push(Turns { agent: name.into(), instance, before: None, open: Group::of(NONE) });
                self.turns.len() - 1
            }),
        };
        self.last = Some((name, instance, at));
        &mut self.turns[at]
    }
}

/// The rows of a run, with what is derived of them so far.
pub(super) struct Run<'r, 'a> {
    pub(super) rows: &'r [SpanRow<'a>],
    pub(super) spans: &'r [SpanDerived<'a>],
    pub(super) told: &'r [SyntheticCall<'a>],
    pub(super) tree: &'r Tree,
    /// Of rows, then of calls without a span.
    pub(super) contents: &'r [Content],
}

/// The steps in order, and where each is.
#[derive(Default)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    pub(super) places: Vec<Place>,
}

impl<'a> Run<'_, 'a> {
    pub(super) fn steps(&self) -> Steps {
        let instances = self.instances();
        let empty = self.empty_runs();
        let mut agents = Agents::default();
        let mut done: Vec<(Group, Arc<str>, u32)> = Vec::new();
        let mut told = self.told.iter().enumerate().peekable();
        for (i, (row, span)) in self.rows.iter().zip(self.spans).enumerate() {
            let name = agent(span.run_agent.as_ref());
            let instance = instances.get(i).copied().unwrap_or(0);
            if span.step.is_some() {
                let turns = agents.turns(name, instance);
                // Without an LLM turn nothing says that calls belong together.
                if row.kind == Kind::Llm || (turns.open.turn == NONE && !turns.open.calls.is_empty()) {
                    let turn = if row.kind == Kind::Llm { i as u32 } else { NONE };
                    let open = std::mem::replace(&mut turns.open, Group::of(turn));
                    let older = turns.before.replace(open);
                    done.extend(older.map(|group| (group, Arc::clone(&turns.agent), instance)));
                }
                if row.kind != Kind::Llm {
                    let group = match &mut turns.before {
                        Some(before) if self.is_of_turn_before(before, &turns.open, row) => before,
                        _ => &mut turns.open,
                    };
                    group.calls.push(Call::Row(i as u32));
                }
            }
            if empty.get(i) == Some(&true) {
                let run = Group { turn: NONE, calls: vec![Call::Row(i as u32)] };
                done.push((run, Arc::clone(&agents.turns(name, instance).agent), instance));
            }
            while let Some((at, _)) = told.next_if(|(_, call)| call.llm == i) {
                agents.turns(name, instance).open.calls.push(Call::Told(at as u32));
            }
        }
        for turns in agents.turns {
            let groups = turns.before.into_iter().chain([turns.open]);
            done.extend(groups.map(|group| (group, Arc::clone(&turns.agent), turns.instance)));
        }
        let mut found = Vec::with_capacity(self.rows.len());
        for (group, agent, instance) in done {
            self.split(group, &agent, instance, &mut found);
        }
        found.sort_by_key(|(place, _): &(Place, Step)| self.order(place));
        let (places, steps) = found.into_iter().unzip();
        Steps { steps, places }
    }

    /// Position in the run: that of the first call, else of the turn. Of a call and a turn that begin at once, the call
    /// came of a turn before. No two steps have the same.
    fn order(&self, place: &Place) -> (i64, u8, u32) {
        match place.calls.first() {
            None => (self.rows[place.turn as usize].start_time, 2, place.turn),
            Some(Call::Row(i)) => (self.rows[*i as usize].start_time, 0, *i),
            Some(Call::Told(at)) => (self.told[*at as usize].time, 1, *at),
        }
    }

    /// Clocks of milliseconds let a call begin when the turn after the one that asked for it does.
    fn is_of_turn_before(&self, before: &Group, open: &Group, call: &SpanRow<'_>) -> bool {
        let (Some(asked), Some(next)) = (self.rows.get(before.turn as usize), self.rows.get(open.turn as usize)) else {
            return false;
        };
        before.calls.is_empty() && call.start_time == next.start_time && asked.end_or_start() <= call.start_time
    }

    /// The steps that a turn and its calls are.
    fn split(&self, group: Group, agent: &Arc<str>, instance: u32, found: &mut Vec<(Place, Step)>) {
        let Group { turn, calls } = group;
        let parts: Vec<Vec<Call>> = match calls.as_slice() {
            [] if turn == NONE => return,
            [] | [_] => vec![calls],
            _ => {
                let (handoffs, tools): (Vec<Call>, Vec<Call>) = calls.into_iter().partition(|c| self.is_handoff(*c));
                let mut parts = self.made_at_once(turn, tools);
                parts.extend(handoffs.into_iter().map(|c| vec![c]));
                parts
            }
        };
        for (n, calls) in parts.into_iter().enumerate() {
            // The turn belongs to what came of it first.
            let place = Place { turn: if n == 0 { turn } else { NONE }, calls };
            let step = match *place.calls {
                [] => Some(self.step(agent, turn as usize)),
                [call] => Some(self.call(agent, call)),
                _ => compose(place.calls.iter().map(|c| self.call(agent, *c)).collect()),
            };
            if let Some(mut step) = step {
                step.instance = instance;
                if place.turn != NONE {
                    let row = &self.rows[place.turn as usize];
                    step.start_ns = step.start_ns.min(row.start_time);
                    step.end_ns = step.end_ns.max(row.end_or_start());
                }
                found.push((place, step));
            }
        }
    }

    fn is_handoff(&self, call: Call) -> bool {
        matches!(call, Call::Row(i) if matches!(self.rows[i as usize].kind, Kind::Handoff | Kind::Agent))
    }

    /// Calls of a turn, those that were made at once together.
    fn made_at_once(&self, turn: u32, calls: Vec<Call>) -> Vec<Vec<Call>> {
        if calls.len() < 2 || self.tries_again(&calls) {
            return calls.into_iter().map(|c| vec![c]).collect();
        }
        let mut parts: Vec<Vec<Call>> = Vec::new();
        let mut until = i64::MIN;
        for call in calls {
            let (start, end) = match call {
                Call::Row(i) => (self.rows[i as usize].start_time, self.rows[i as usize].end_or_start()),
                // Asked for in one output.
                Call::Told(_) => (i64::MIN, i64::MAX),
            };
            match parts.last_mut() {
                Some(part) if start < until => part.push(call),
                _ => parts.push(vec![call]),
            }
            until = until.max(end);
        }
        // Looked at only here, for it takes parsing.
        if parts.len() > 1 && self.rows.get(turn as usize).is_some_and(|row| calls_asked_for(row) > 1) {
            return vec![parts.concat()];
        }
        parts
    }

    /// Whether one of the calls repeats one that had ended.
    fn tries_again(&self, calls: &[Call]) -> bool {
        let mut ended: HashMap<(&str, u64), i64, RandomState> = HashMap::default();
        calls.iter().any(|call| {
            let Call::Row(i) = *call else { return false };
            let (row, span) = (&self.rows[i as usize], &self.spans[i as usize]);
            let Some(arguments) = span.args_hash else { return false };
            let before = ended.insert((call_name(row), arguments), row.end_or_start());
            before.is_some_and(|end| end <= row.start_time)
        })
    }

    /// A step of a row alone.
    fn step(&self, agent: &Arc<str>, i: usize) -> Step {
        let (row, span) = (&self.rows[i], &self.spans[i]);
        let (kind, name) = match row.kind {
            Kind::Agent => (StepKind::Handoff, &**agent),
            Kind::Llm => (StepKind::Llm, row.model().unwrap_or_default()),
            Kind::Handoff => (StepKind::Handoff, span.handoff_to.as_deref().unwrap_or_else(|| call_name(row))),
            _ => (StepKind::Tool, call_name(row)),
        };
        let mut step = Step::new(agent.clone(), kind, name);
        self.contents[i].fill(&mut step);
        step.failed = span.failed;
        (step.start_ns, step.end_ns) = (row.start_time, row.end_or_start());
        step.span_id = row.span_id;
        step
    }

    fn call(&self, agent: &Arc<str>, call: Call) -> Step {
        match call {
            Call::Row(i) => self.step(agent, i as usize),
            Call::Told(at) => {
                let told = &self.told[at as usize];
                let mut step = Step::new(agent.clone(), StepKind::Tool, told.name.as_str());
                self.contents[self.rows.len() + at as usize].fill(&mut step);
                (step.start_ns, step.end_ns) = (told.time, told.time);
                step.span_id = told.llm_span_id;
                step
            }
        }
    }

    /// Which rows are spans of agents without any step in them; empty when there are none. A second span of one run
    /// is one of them too: where it is beside the first, it is another turn.
    fn empty_runs(&self) -> Vec<bool> {
        let is_agent = |(row, s): (&SpanRow<'_>, &SpanDerived<'_>)| row.kind == Kind::Agent && s.duplicate_of.is_none();
        let mut empty = Vec::new();
        if !self.rows.iter().zip(self.spans).any(is_agent) {
            return empty;
        }
        // Steps before each position in preorder.
        let mut steps = vec![0u32];
        for &i in &self.tree.preorder {
            steps.push(steps[steps.len() - 1] + u32::from(self.spans[i as usize].step.is_some()));
        }
        empty.extend(self.rows.iter().zip(self.spans).map(|(row, s)| {
            let below = steps[s.tree_right as usize + 1] - steps[s.tree_left as usize];
            is_agent((row, s)) && below == 0
        }));
        empty
    }

    /// Which of several runs of one agent at the same time each row belongs to; empty when there are none.
    fn instances(&self) -> Vec<u32> {
        // When the last run of each agent ends, lane by lane.
        let mut lanes: HashMap<&str, Vec<i64>, RandomState> = HashMap::default();
        let mut of_run: Vec<u32> = Vec::new();
        for (i, (row, span)) in self.rows.iter().zip(self.spans).enumerate() {
            if !span.is_agent_run || span.duplicate_of.is_some() {
                continue;
            }
            let ends = lanes.entry(agent(span.run_agent.as_ref())).or_default();
            let lane = ends.iter().position(|end| *end <= row.start_time).unwrap_or(ends.len());
            match ends.get_mut(lane) {
                Some(end) => *end = row.end_or_start(),
                None => ends.push(row.end_or_start()),
            }
            if lane > 0 {
                of_run.resize(self.rows.len(), 0);
                of_run[i] = lane as u32;
            }
        }
        if of_run.is_empty() {
            return of_run;
        }
        let mut of_row = vec![0u32; self.rows.len()];
        for &i in &self.tree.preorder {
            let (at, parent) = (i as usize, self.tree.parent[i as usize]);
            let is_run = self.spans[at].is_agent_run && self.spans[at].duplicate_of.is_none();
            of_row[at] = match (is_run, parent) {
                (true, _) => of_run[at],
                (false, NONE) => 0,
                (false, parent) => of_row[parent as usize],
            };
        }
        of_row
    }
}

/// What is compared of a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Content {
    pub(super) k1: Option<u64>,
    pub(super) k2: Option<u64>,
    pub(super) r: Option<u64>,
    pub(super) result_bytes: Option<u64>,
    pub(super) words: Option<Words>,
}

impl Content {
    fn fill(&self, step: &mut Step) {
        (step.k1, step.k2, step.r, step.result_bytes) = (self.k1, self.k2, self.r, self.result_bytes);
        step.words.clone_from(&self.words);
    }
}

fn agent<'n>(name: Option<&'n Cow<'_, str>>) -> &'n str {
    name.map_or("", |n| n)
}

pub(super) fn call_name<'a>(row: &SpanRow<'a>) -> &'a str {
    row.tool_name.unwrap_or(row.name)
}

/// The arguments of a call: of searches, what was searched for.
pub(super) fn arguments<'a>(row: &SpanRow<'a>) -> Option<&'a str> {
    row.tool_args.or_else(|| row.input.filter(|_| row.kind == Kind::Retrieval))
}

/// The result of a call.
pub(super) fn result<'a>(row: &SpanRow<'a>) -> Option<&'a str> {
    row.tool_result.or_else(|| row.output.filter(|_| row.kind == Kind::Retrieval))
}
