//! Whose tokens and cost count.
//!
//! Frameworks disagree about who carries usage: some repeat the children's sum on the agent span, some nest an LLM
//! span in an LLM span, some put only the last step on the outer span. What they agree on is that the deepest span
//! that carries usage saw the call itself. So a span counts if and only if it carries usage and nothing below it does.

use super::structure::{NONE, Tree};
use super::view::{LogRow, SpanRow};
use crate::normalise::Kind;

/// Which spans count; reused from trace to trace.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) usage: Vec<bool>,
    pub(super) cost: Vec<bool>,
    /// Whether the same call is in another trace, and counts there.
    pub(super) elsewhere: Vec<bool>,
    weights: Vec<Weight>,
    below: Vec<Weight>,
    by_response: Vec<u32>,
}

/// What a span carries. Zeros are an answer too, but one that a real figure elsewhere on the path outweighs: wrappers
/// and streamed calls report zeros where they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Weight {
    #[default]
    Nothing,
    Zero,
    Something,
}

fn weight(known: bool, used: bool) -> Weight {
    match (known, used) {
        (_, true) => Weight::Something,
        (true, false) => Weight::Zero,
        (false, false) => Weight::Nothing,
    }
}

impl Counted {
    /// Decides for every span. `echo` are spans that only announce another one: they carry nothing of their own.
    pub(super) fn decide(&mut self, rows: &[SpanRow<'_>], tree: &Tree, echo: &[bool]) {
        let carries = |row: &SpanRow<'_>| weight(row.tokens.is_known(), row.tokens.is_used());
        self.weights.clear();
        self.weights.extend(rows.iter().zip(echo).map(|(r, echo)| match *echo || is_last_step_only(r) {
            true => Weight::Nothing,
            false => carries(r),
        }));
        deepest(tree, &self.weights, &mut self.below, &mut self.usage);
        self.same_response(rows, |row| row.tokens.is_used(), same_usage, buckets_known, |c| &mut c.usage);

        self.weights.clear();
        self.weights.extend(rows.iter().zip(echo).map(|(r, echo)| match r.reported_cost {
            Some(cost) if !echo => weight(true, cost != 0),
            _ => Weight::Nothing,
        }));
        deepest(tree, &self.weights, &mut self.below, &mut self.cost);
        self.same_response(
            rows,
            |row| row.reported_cost.is_some(),
            |a, b| a.reported_cost == b.reported_cost,
            |_| 0,
            |c| &mut c.cost,
        );
    }

    /// Takes out the calls that count in another trace.
    pub(super) fn take_out(&mut self, logs: &[LogRow<'_>], tree: &Tree) {
        self.elsewhere.clear();
        self.elsewhere.resize(self.usage.len(), false);
        for log in logs.iter().filter(|log| log.name == Some(COUNTED_ELSEWHERE)) {
            if let Some(i) = tree.position(u64::from_be_bytes(log.span_id.0)) {
                self.elsewhere[i as usize] = true;
                self.usage[i as usize] = false;
                self.cost[i as usize] = false;
            }
        }
    }

    /// One response that two instrumentations recorded side by side counts once.
    ///
    /// Providers give every response an id of its own, so a retry has another. Equal ids with unequal usage are left
    /// alone: such an id was not unique after all. A response that a cache returned again keeps its id and its
    /// usage, and was not paid for again.
    fn same_response(
        &mut self,
        rows: &[SpanRow<'_>],
        carries: impl Fn(&SpanRow<'_>) -> bool,
        same: impl Fn(&SpanRow<'_>, &SpanRow<'_>) -> bool,
        tells: impl Fn(&SpanRow<'_>) -> usize,
        counted: impl Fn(&mut Self) -> &mut Vec<bool>,
    ) {
        let mut ids = std::mem::take(&mut self.by_response);
        let flags = counted(self);
        ids.clear();
        ids.extend((0..rows.len() as u32).filter(|&i| {
            let row = &rows[i as usize];
            flags[i as usize] && row.response_id.is_some() && carries(row)
        }));
        ids.sort_unstable_by_key(|&i| (rows[i as usize].response_id, i));
        for group in ids.chunk_by(|&a, &b| rows[a as usize].response_id == rows[b as usize].response_id) {
            // Within a group the first that agrees stands for the others, unless one of them tells more.
            // Groups hold one span but for doubled instrumentation; a hostile one is bounded.
            for (k, &a) in group.iter().enumerate().take(RESPONSES_COMPARED) {
                for &b in group[k + 1..].iter().take(RESPONSES_COMPARED) {
                    let (first, second) = (&rows[a as usize], &rows[b as usize]);
                    if !flags[a as usize] || !flags[b as usize] || !same(first, second) {
                        continue;
                    }
                    let dropped = if tells(second) > tells(first) { a } else { b };
                    flags[dropped as usize] = false;
                }
            }
        }
        self.by_response = ids;
    }
}

/// Log record that marks a call as one that is in another trace too, and counts there.
pub(crate) const COUNTED_ELSEWHERE: &str = "spanfile.counted_elsewhere";

/// Most spans with one response id that are compared with each other.
const RESPONSES_COMPARED: usize = 64;

/// Of every path, the deepest span that carries something.
fn deepest(tree: &Tree, weights: &[Weight], below: &mut Vec<Weight>, counted: &mut Vec<bool>) {
    below.clear();
    below.resize(weights.len(), Weight::Nothing);
    counted.clear();
    counted.resize(weights.len(), false);
    for &i in tree.preorder.iter().rev() {
        let (own, under) = (weights[i as usize], below[i as usize]);
        counted[i as usize] = match own {
            Weight::Something => under < Weight::Something,
            Weight::Zero => under == Weight::Nothing,
            Weight::Nothing => false,
        };
        let parent = tree.parent[i as usize];
        if parent != NONE {
            let up = &mut below[parent as usize];
            *up = (*up).max(own).max(under);
        }
    }
    // A zero below a figure that counts is that figure's own unknown part: it would only make two calls of one.
    for &i in &tree.preorder {
        let parent = tree.parent[i as usize];
        if parent == NONE {
            below[i as usize] = Weight::Nothing;
            continue;
        }
        let above = match counted[parent as usize] {
            true => weights[parent as usize],
            false => Weight::Nothing,
        };
        // `below` has served; from here on it says what counts above.
        below[i as usize] = above.max(below[parent as usize]);
        if counted[i as usize] && weights[i as usize] == Weight::Zero && below[i as usize] == Weight::Something {
            counted[i as usize] = false;
        }
    }
}

/// The outer span of a multi-step call in version 5 of Vercel's SDK carries the usage of its last step alone: no sum,
/// and no call of its own.
fn is_last_step_only(row: &SpanRow<'_>) -> bool {
    row.kind == Kind::Workflow
        && row.dialect == Some("vercel")
        && (row.name.starts_with("ai.generateText") || row.name.starts_with("ai.streamText"))
}

/// Two records of one response may differ in the details that one of them leaves out, not in the sums.
fn same_usage(a: &SpanRow<'_>, b: &SpanRow<'_>) -> bool {
    a.tokens.input == b.tokens.input && a.tokens.output == b.tokens.output
}

fn buckets_known(row: &SpanRow<'_>) -> usize {
    row.tokens.buckets().iter().filter(|b| b.is_some()).count()
}
