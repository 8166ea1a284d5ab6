//! What each span contributes to the cost of its run: its own reported cost, its tokens at their price, or nothing.
//!
//! Tokens and reported cost are counted apart, each at the deepest span that carries it, and the two need not be one
//! span. Where both tell of the same calls, one of them must give way, or the calls would be paid for twice:
//!
//! * A reported cost beats tokens at their price, where it is the cost of just these tokens: on the same span; on a call
//!   with one counted span below it; on spans below the one whose tokens count, when every model call there reports one.
//! * The reported sum of several calls (on an agent, a chain) gives way to the calls, which say more.
//! * What tools report is a cost of its own, beside that of the model call around them.

use super::structure::{NONE, Tree};
use super::view::{SpanRow, Tokens};
use crate::normalise::Kind;

/// A span's part in the cost of its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CostBasis {
    /// Its reported cost counts.
    Reported,
    /// Its reported cost counts, and pays for the tokens of spans around it.
    Covering,
    /// Its tokens count, at their price.
    Computed,
    /// Its tokens count, and the reported cost of another span pays for them.
    Covered,
    /// Its reported cost gives way: it is the sum of calls below it, which count instead, or a part of what the
    /// tokens above it come to.
    Superseded,
    /// Its tokens count, but input or output is unknown, so that they have no price.
    Incomplete,
    /// Its tokens count, but contradict each other, so that they have no price.
    Inconsistent,
}

impl CostBasis {
    /// All of them.
    pub const ALL: [CostBasis; 7] = [
        CostBasis::Reported,
        CostBasis::Covering,
        CostBasis::Computed,
        CostBasis::Covered,
        CostBasis::Superseded,
        CostBasis::Incomplete,
        CostBasis::Inconsistent,
    ];

    /// Its name in the column `cost_basis`.
    pub fn name(self) -> &'static str {
        match self {
            CostBasis::Reported => "reported",
            CostBasis::Covering => "covering",
            CostBasis::Computed => "computed",
            CostBasis::Covered => "covered",
            CostBasis::Superseded => "superseded",
            CostBasis::Incomplete => "incomplete",
            CostBasis::Inconsistent => "inconsistent",
        }
    }

    /// The one of that name.
    pub fn of_name(name: &str) -> Option<CostBasis> {
        Self::ALL.into_iter().find(|b| b.name() == name)
    }
}

/// Decides for every span; reused from trace to trace.
#[derive(Debug, Default)]
pub(super) struct Bases {
    pub(super) of: Vec<Option<CostBasis>>,
    /// Whether the tokens or the cost of a call are known: its own, or those of a span above or below it.
    pub(super) known: Vec<bool>,
    /// Of each position in preorder, how many spans before it have tokens that count.
    tokens_before: Vec<u32>,
    /// Likewise, tokens or the cost of a call.
    known_before: Vec<u32>,
    /// The nearest span above whose tokens count.
    above: Vec<u32>,
    /// Of each position in preorder, how many spans before it have a reported cost of a call that counts.
    costs_before: Vec<u32>,
    /// Likewise, model calls of which no reported cost is known.
    silent_before: Vec<u32>,
    /// Whether a span above has a reported cost of a call that counts.
    cost_above: Vec<bool>,
}

impl Bases {
    /// Decides, given whose tokens and whose reported cost count.
    pub(super) fn decide(&mut self, rows: &[SpanRow<'_>], tree: &Tree, usage: &[bool], cost: &[bool]) {
        self.of.clear();
        self.of.extend(rows.iter().zip(usage).map(|(row, counted)| counted.then(|| of_tokens(row))));
        self.look_around(rows, tree, usage, cost);
        for i in (0..rows.len()).filter(|&i| cost[i]) {
            self.of[i] = Some(CostBasis::Reported);
            if usage[i] {
                continue;
            }
            let (left, right) = (tree.left[i] as usize, tree.right[i] as usize);
            match self.tokens_before[right + 1] - self.tokens_before[left + 1] {
                0 if is_of_a_call(rows[i].kind) && self.above[i] != NONE => {
                    let payer = self.above[i] as usize;
                    let below = tree.left[payer] as usize + 1..tree.right[payer] as usize + 1;
                    // The cost of some calls does not pay for the tokens of all of them.
                    let pays = self.silent_before[below.end] == self.silent_before[below.start];
                    if !cost[payer] {
                        self.of[payer] = Some(if pays { CostBasis::Covered } else { of_tokens(&rows[payer]) });
                        self.of[i] = Some(if pays { CostBasis::Covering } else { CostBasis::Superseded });
                    }
                }
                0 => {}
                1 if matches!(rows[i].kind, Kind::Llm | Kind::Embedding) => {
                    // Spans whose cost counts do not contain each other: all of these ranges are the rows at most.
                    for &d in tree.preorder[left + 1..=right].iter().filter(|&&d| usage[d as usize]) {
                        self.of[d as usize] = Some(CostBasis::Covered);
                    }
                    self.of[i] = Some(CostBasis::Covering);
                }
                _ => self.of[i] = Some(CostBasis::Superseded),
            }
        }
    }

    /// Finds out what is known above and below each span.
    fn look_around(&mut self, rows: &[SpanRow<'_>], tree: &Tree, usage: &[bool], cost: &[bool]) {
        let costs = |i: u32| cost[i as usize] && is_of_a_call(rows[i as usize].kind);
        let known = |i: u32| usage[i as usize] || costs(i);
        for sums in [&mut self.tokens_before, &mut self.known_before, &mut self.costs_before, &mut self.silent_before] {
            sums.clear();
            sums.push(0);
        }
        self.above.clear();
        self.above.resize(rows.len(), NONE);
        self.known.clear();
        self.known.resize(rows.len(), false);
        self.cost_above.clear();
        self.cost_above.resize(rows.len(), false);
        let (mut with_tokens, mut with_any, mut with_cost) = (0, 0, 0);
        for &i in &tree.preorder {
            with_tokens += u32::from(usage[i as usize]);
            with_any += u32::from(known(i));
            with_cost += u32::from(costs(i));
            self.tokens_before.push(with_tokens);
            self.known_before.push(with_any);
            self.costs_before.push(with_cost);
            let parent = tree.parent[i as usize];
            if parent != NONE {
                self.above[i as usize] = if usage[parent as usize] { parent } else { self.above[parent as usize] };
                self.cost_above[i as usize] = self.cost_above[parent as usize] || costs(parent);
                // So far it says what is known above.
                self.known[i as usize] = self.known[parent as usize] || known(parent);
            }
        }
        let mut silent = 0;
        for &i in &tree.preorder {
            let i = i as usize;
            let (left, right) = (tree.left[i] as usize, tree.right[i] as usize);
            let is_call = matches!(rows[i].kind, Kind::Llm | Kind::Embedding);
            let costs = self.costs_before[right + 1] - self.costs_before[left];
            silent += u32::from(is_call && costs == 0 && !self.cost_above[i]);
            self.silent_before.push(silent);
        }
        for i in 0..rows.len() {
            let (left, right) = (tree.left[i] as usize, tree.right[i] as usize);
            self.known[i] |= self.known_before[right + 1] > self.known_before[left];
        }
    }
}

/// Whether a cost reported on spans of that kind may be that of the model call around them.
pub(crate) fn is_of_a_call(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Tool
            | Kind::Retrieval
            | Kind::Reranker
            | Kind::Guardrail
            | Kind::Evaluator
            | Kind::Handoff
            | Kind::Approval
    )
}

/// Whether calls of that kind have output tokens, so that their cost is unknown without.
pub(crate) fn puts_out_tokens(kind: Kind) -> bool {
    !matches!(kind, Kind::Embedding | Kind::Reranker | Kind::Retrieval)
}

fn of_tokens(row: &SpanRow<'_>) -> CostBasis {
    let tokens = &row.tokens;
    if !tokens.is_consistent() {
        CostBasis::Inconsistent
    } else if tokens.input.is_none() || (puts_out_tokens(row.kind) && tokens.output.is_none()) {
        CostBasis::Incomplete
    } else {
        CostBasis::Computed
    }
}

impl Tokens {
    /// Whether no count is negative and no part exceeds its whole. Audio read from a cache is a part of both, so
    /// those two are not added up.
    pub fn is_consistent(&self) -> bool {
        let fits = |parts: [Option<i64>; 2], whole: Option<i64>| {
            let sum = parts.into_iter().flatten().try_fold(0i64, i64::checked_add);
            match (sum, whole) {
                (Some(sum), Some(whole)) => sum <= whole,
                (sum, None) => sum.is_some(),
                (None, _) => false,
            }
        };
        self.buckets().iter().flatten().all(|&count| count >= 0)
            && fits([self.cache_read, self.cache_write], self.input)
            && fits([self.input_audio, self.input_image], self.input)
            && fits([self.cache_write_1h, None], self.cache_write.or(self.input))
            && fits([self.reasoning, self.output_audio], self.output)
    }
}
