//! What was not counted or not priced, and what is in doubt: one row per span and reason.

use arrow::array::RecordBatch;

use super::pricer::{Outcome, Pricer};
use super::rows::SpanUse;
use super::steps::Below;
use crate::batch::{Columns, RowWriter};
use crate::derive::CostBasis;
use crate::model::TraceId;
use crate::schema;

/// Gathers findings.
pub(super) struct Audit {
    columns: Columns,
}

/// One finding about a span.
struct Finding {
    reason: &'static str,
    /// Whether the cost of the run misses something because of it.
    missing: bool,
    residual_tokens: Option<i64>,
    residual_cost: Option<i128>,
}

impl Finding {
    fn of(reason: &'static str) -> Self {
        Finding { reason, missing: false, residual_tokens: None, residual_cost: None }
    }
}

impl Audit {
    pub(super) fn new() -> Self {
        Audit { columns: Columns::new(&schema::cost_audit()) }
    }

    pub(super) fn add_trace(
        &mut self,
        trace: TraceId,
        spans: &[SpanUse<'_>],
        outcomes: &[Option<Outcome>],
        pricer: &Pricer<'_>,
    ) {
        let mut below = None;
        for (s, outcome) in spans.iter().zip(outcomes) {
            let applied = outcome.as_ref().map(|o| &pricer.applied[o.applied as usize]);
            let carries = s.own.1.is_some_and(|total| total != 0) || s.own.0.input.is_some_and(|n| n != 0);
            if s.usage_counted == Some(false) && carries {
                let sums = below.get_or_insert_with(|| Below::of(spans, outcomes)).below(s.tree);
                let finding = match (s.duplicate_of, sums) {
                    (Some(_), _) => Finding::of("duplicate"),
                    // Nothing below counts, so it was dropped for another span with the same response.
                    (None, (0, ..)) => Finding::of("same_response"),
                    (None, (_, tokens, ..)) => Finding {
                        residual_tokens: s.own.1.and_then(|own| own.checked_sub(tokens)).filter(|more| *more > 0),
                        ..Finding::of("parent_of_counted")
                    },
                };
                self.push(trace, s, outcome.as_ref(), pricer, &finding);
            }
            if s.used.basis == Some(CostBasis::Superseded) {
                let (_, _, cost, unpriced) = below.get_or_insert_with(|| Below::of(spans, outcomes)).below(s.tree);
                let finding = Finding {
                    residual_cost: s.own.2.filter(|_| unpriced == 0).and_then(|own| own.checked_sub(cost)),
                    ..Finding::of("reported_sum_of_calls")
                };
                self.push(trace, s, outcome.as_ref(), pricer, &finding);
            }
            if s.cost_counted == Some(false) && s.own.2.is_some_and(|usd| usd != 0) {
                self.push(trace, s, outcome.as_ref(), pricer, &Finding::of("reported_cost_not_counted"));
            }
            if s.used.reported == Some(0) && carries {
                self.push(trace, s, outcome.as_ref(), pricer, &Finding::of("reported_zero_for_tokens"));
            }
            if s.used.reported.is_some_and(|usd| usd < 0) {
                self.push(trace, s, outcome.as_ref(), pricer, &Finding::of("negative_cost"));
            }
            if s.used.basis == Some(CostBasis::Covered) {
                self.push(trace, s, outcome.as_ref(), pricer, &Finding::of("paid_by_reported_cost"));
            }
            if let Some(why) = applied.and_then(|a| a.why) {
                self.push(trace, s, outcome.as_ref(), pricer, &Finding { missing: true, ..Finding::of(why) });
            }
            if applied.is_some_and(|a| a.tier_unknown) {
                self.push(trace, s, outcome.as_ref(), pricer, &Finding::of("service_tier_without_price"));
            }
            if is_ambiguous(s) {
                self.push(trace, s, outcome.as_ref(), pricer, &Finding::of("ambiguous_convention"));
            }
            let is_model = matches!(s.used.kind, Some("llm" | "embedding"));
            if is_model && s.failed && s.used.calls > 0 && s.own.0.is_empty() && s.own.2.is_none() {
                self.push(trace, s, outcome.as_ref(), pricer, &Finding::of("failed_without_usage"));
            }
        }
    }

    fn push(
        &mut self,
        trace: TraceId,
        s: &SpanUse<'_>,
        outcome: Option<&Outcome>,
        pricer: &Pricer<'_>,
        finding: &Finding,
    ) {
        let applied = outcome.map(|o| &pricer.applied[o.applied as usize]);
        let mut w = RowWriter::new(&mut self.columns);
        w.id(Some(&trace.0));
        w.id(Some(&s.span.0));
        w.text(Some(finding.reason));
        let unpriced = outcome.filter(|_| finding.missing);
        w.flag(Some(!finding.missing));
        w.count(unpriced.map_or(0, |o| o.unpriced_spans));
        w.int(Some(unpriced.map_or(0, |o| o.unpriced_tokens)));
        w.text(s.name);
        w.text(s.used.kind);
        w.text(s.used.agent);
        for text in [s.used.provider, s.used.request_model, s.used.response_model, s.used.service_tier] {
            w.text(text);
        }
        w.int(Some(s.start_time));
        w.int(s.own.0.input);
        w.int(s.own.0.output);
        w.int(s.own.1);
        w.int(finding.residual_tokens);
        w.usd(s.own.2);
        w.usd(finding.residual_cost);
        w.usd(outcome.and_then(|o| o.cost).filter(|_| s.used.basis.is_some()));
        w.text(applied.and_then(|a| a.price_key.as_deref()));
        w.id(s.duplicate_of.as_ref().map(|id| id.0.as_slice()));
        w.end();
    }

    /// The rows of [`schema::COST_AUDIT`].
    pub(super) fn finish(mut self) -> RecordBatch {
        self.columns.finish()
    }
}

/// Whether cached tokens may have been counted apart from the input without anything that tells: the provider's own
/// counts are exclusive, the cached ones fit into the input by chance, and no dialect vouches for inclusive counts.
fn is_ambiguous(s: &SpanUse<'_>) -> bool {
    let tokens = &s.used.tokens;
    let cached = tokens.cache_read.unwrap_or(0).saturating_add(tokens.cache_write.unwrap_or(0));
    cached > 0
        && s.dialect.is_none_or(|d| d == "traceloop")
        && s.usage_convention == Some("inclusive")
        && matches!(s.used.provider, Some("anthropic" | "aws.bedrock"))
}
