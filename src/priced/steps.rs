//! One pass over the spans of a portion, for what only single spans tell.

use super::audit::Audit;
use super::pricer::{Outcome, Pricer};
use super::rows::{SpanUse, decided, for_each_trace, unaccounted};
use super::tools::{SyntheticCalls, Tools};
use super::{Portion, PricedSteps, Pricing};
use crate::error::Result;

/// Prices every span of a portion.
pub(super) fn price(portion: &Portion, pricing: &Pricing) -> Result<PricedSteps> {
    let synthetic = SyntheticCalls::of(portion)?;
    let mut pricer = Pricer::new(pricing);
    let mut tools = Tools::default();
    let mut audit = Audit::new();
    for_each_trace(portion, None, |trace, spans| {
        unaccounted(spans);
        let outcomes: Vec<Option<Outcome>> = spans.iter().map(|s| outcome(&mut pricer, s)).collect();
        tools.add_trace(spans, &outcomes, synthetic.of_trace(trace), &pricer);
        audit.add_trace(trace, spans, &outcomes, &pricer);
    })?;
    Ok(PricedSteps { tools: tools.finish(), audit: audit.finish() })
}

/// What a span comes to; `None` where it has no part in the cost of its run.
fn outcome(pricer: &mut Pricer<'_>, s: &SpanUse<'_>) -> Option<Outcome> {
    (s.used.basis.is_some() || s.used.unaccounted > 0).then(|| decided(pricer, &s.used))
}

/// Sums over ranges of the nested set.
pub(super) struct Below {
    lefts: Vec<i64>,
    sums: Vec<(i64, i128, u64)>,
}

impl Below {
    /// Over spans with tokens that count and their cost.
    pub(super) fn of(spans: &[SpanUse<'_>], outcomes: &[Option<Outcome>]) -> Self {
        let mut counted: Vec<(i64, i64, i128, u64)> = spans
            .iter()
            .zip(outcomes)
            .filter(|(s, _)| s.used.counted > 0)
            .map(|(s, o)| {
                let cost = o.as_ref().and_then(|o| o.cost);
                (s.tree.0, s.used.total_tokens.unwrap_or(0), cost.unwrap_or(0), u64::from(cost.is_none()))
            })
            .collect();
        counted.sort_unstable_by_key(|c| c.0);
        let mut sums = vec![(0, 0, 0)];
        for (_, tokens, cost, unpriced) in &counted {
            let (t, c, u) = sums[sums.len() - 1];
            sums.push((i64::saturating_add(t, *tokens), i128::saturating_add(c, *cost), u + unpriced));
        }
        Below { lefts: counted.iter().map(|c| c.0).collect(), sums }
    }

    /// Counted spans below a span, their tokens, their cost, and how many of them have no price.
    pub(super) fn below(&self, tree: (i64, i64)) -> (usize, i64, i128, u64) {
        let from = self.lefts.partition_point(|l| *l <= tree.0);
        let to = self.lefts.partition_point(|l| *l <= tree.1);
        let (a, b) = (self.sums[from], self.sums[to.max(from)]);
        (to.saturating_sub(from), b.0.saturating_sub(a.0), b.1.saturating_sub(a.1), b.2 - a.2)
    }
}
