//! Loops of a run: its steps are made, what is compared of them is computed where anything could repeat at all, and
//! what [`crate::loops`] finds is told in spans.
//!
//! | module | does |
//! |---|---|
//! | `steps` | which spans are one step |
//! | `contents` | what is compared of calls and LLM outputs |
//! | `conversation` | what the messages of an LLM call tell |
//! | `turns` | where a user spoke, which LLM turns are one of a batch |
//! | `owners` | which step the tokens of each span belong to |

mod contents;
mod conversation;
mod owners;
mod steps;
mod turns;

use super::canonical::Canonicaliser;
use super::structure::{NONE, Tree};
use super::view::SpanRow;
use super::{SpanDerived, SyntheticCall};
use crate::loops::{Finding, Settings, StepKind, find};
use crate::normalise::Kind;
use steps::{Call, Place, Run};

/// A finding, told in spans of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunLoop {
    /// What was found. `first_step` and `last_step` are positions among the steps that were compared.
    pub finding: Finding,
    /// Start of its first step, nanoseconds since 1970.
    pub start_time: i64,
    /// Number of the first step in the run, from 1; `None` where it has none, as runs of agents.
    pub first_step: Option<u32>,
    /// Number of the last step.
    pub last_step: Option<u32>,
    /// Its spans, period by period, the first of which is no waste.
    pub periods: Vec<Vec<Member>>,
    /// Positions of the spans whose tokens or reported cost are wasted, ascending.
    pub wasted_spans: Vec<u32>,
}

impl RunLoop {
    /// The periods as JSON: a span is its position, a call without one `"position.call_index"`.
    pub fn periods_json(&self) -> String {
        let member = |m: &Member| match m.call_index {
            None => m.seq.to_string(),
            Some(call) => format!("\"{}.{call}\"", m.seq),
        };
        let period = |p: &Vec<Member>| format!("[{}]", p.iter().map(member).collect::<Vec<_>>().join(","));
        format!("[{}]", self.periods.iter().map(period).collect::<Vec<_>>().join(","))
    }

    /// The positions of the wasted spans as JSON; `None` when there are none.
    pub fn wasted_spans_json(&self) -> Option<String> {
        let positions: Vec<String> = self.wasted_spans.iter().map(u32::to_string).collect();
        (!positions.is_empty()).then(|| format!("[{}]", positions.join(",")))
    }
}

/// A span of a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Position of the span among the rows of the trace, from 0.
    pub seq: u32,
    /// Of a call that only the span's output tells of: its position there, from 0.
    pub call_index: Option<u32>,
}

/// What the search reads of a run.
pub(super) struct Known<'r, 'a> {
    pub(super) rows: &'r [SpanRow<'a>],
    pub(super) spans: &'r [SpanDerived<'a>],
    pub(super) calls: &'r [SyntheticCall<'a>],
    pub(super) tree: &'r Tree,
    /// The kept span of the same call, or [`NONE`].
    pub(super) duplicate_of: &'r [u32],
}

/// What is looked for.
#[derive(Debug)]
pub(super) struct Wanted {
    settings: Settings,
    /// Settings with which each run that has loops has some while all of its results count as equal.
    loosest: Settings,
}

impl Wanted {
    pub(super) fn new(settings: Settings) -> Self {
        Wanted { loosest: settings.loosest(), settings }
    }
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted::new(Settings::default())
    }
}

/// Finds the loops of a run.
pub(super) fn search(known: &Known<'_, '_>, wanted: &Wanted, canonical: &mut Canonicaliser) -> Vec<RunLoop> {
    let settings = &wanted.settings;
    let Known { rows, spans, calls, tree, .. } = *known;
    let may_loop =
        rows.iter().zip(spans).filter(|(row, s)| s.step.is_some() || row.kind == Kind::Agent).count() + calls.len();
    if may_loop < settings.fewest() {
        return Vec::new();
    }
    let mut contents = contents::of_calls(rows, spans, calls, settings, canonical);
    let mut alike = Run { rows, spans, told: calls, tree, contents: &contents }.steps();
    contents::of_outputs(rows, &mut alike.steps, &alike.places, settings);
    if find(&alike.steps, &wanted.loosest).is_empty() {
        return Vec::new();
    }
    contents::with_results(&mut contents, rows, spans, calls, canonical);
    let run = Run { rows, spans, told: calls, tree, contents: &contents };
    let steps::Steps { mut steps, places } = run.steps();
    // Results decide nothing of which steps there are.
    for (step, before) in steps.iter_mut().zip(alike.steps).filter(|(step, _)| step.kind == StepKind::Llm) {
        (step.output_hash, step.output_simhash) = (before.output_hash, before.output_simhash);
        step.words = before.words;
    }
    // User turns and batches only take findings away, and owners only price them.
    if find(&steps, settings).is_empty() {
        return Vec::new();
    }
    turns::mark(&run, &mut steps, &places);
    let owners = owners::of(known, &places);
    for (i, owner) in owners.iter().enumerate().filter(|(i, _)| spans[*i].usage_counted) {
        let Some(step) = owner.and_then(|at| steps.get_mut(at as usize)) else { continue };
        let used = rows[i].tokens.total.and_then(|t| u64::try_from(t).ok());
        step.tokens = match (step.tokens, used) {
            (Some(a), Some(b)) => a.checked_add(b),
            (a, b) => a.or(b),
        };
    }
    // Which finding each step is waste of. A step is in one at most, so that all of them take one pass.
    let mut waste_of: Vec<Option<usize>> = vec![None; steps.len()];
    let mut loops: Vec<RunLoop> = Vec::new();
    for finding in find(&steps, settings) {
        let periods = finding.periods(&steps);
        for &s in periods.iter().skip(1).flatten().filter(|_| finding.kind.is_waste()) {
            waste_of[s] = Some(loops.len());
        }
        loops.push(RunLoop {
            start_time: steps[finding.first_step].start_ns,
            first_step: number(&run, &places[finding.first_step], false),
            last_step: number(&run, &places[finding.last_step], true),
            periods: periods.iter().map(|p| members(&run, &places, p)).collect(),
            wasted_spans: Vec::new(),
            finding,
        });
    }
    for (i, owner) in (0u32..).zip(&owners).filter(|(i, _)| spans[*i as usize].cost_basis.is_some()) {
        if let Some(found) = owner.and_then(|step| waste_of[step as usize]) {
            loops[found].wasted_spans.push(i);
        }
    }
    loops
}

/// The spans of some steps, each with the LLM turn that led to it.
fn members(run: &Run<'_, '_>, places: &[Place], steps: &[usize]) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::new();
    for &s in steps {
        let place = &places[s];
        if place.turn != NONE {
            members.push(Member { seq: place.turn, call_index: None });
        }
        members.extend(place.calls.iter().map(|call| match *call {
            Call::Row(seq) => Member { seq, call_index: None },
            Call::Told(at) => {
                let told = &run.told[at as usize];
                Member { seq: told.llm as u32, call_index: Some(told.position) }
            }
        }));
    }
    members.sort_unstable();
    members.dedup();
    members
}

/// The number of a step's first or last part in the run.
fn number(run: &Run<'_, '_>, place: &Place, last: bool) -> Option<u32> {
    let of_calls = place.calls.iter().filter_map(|call| match *call {
        Call::Row(i) => run.spans[i as usize].step,
        Call::Told(at) => Some(run.told[at as usize].step),
    });
    let of_turn = if place.calls.is_empty() { run.spans.get(place.turn as usize).and_then(|s| s.step) } else { None };
    if last { of_calls.chain(of_turn).max() } else { of_calls.chain(of_turn).min() }
}
