//! What each span contributes to the cost of its run.

use spanfile::derive::{CostBasis, CostBasis::*, Deriver, Kind, SpanRow, Tokens, TraceDerived};

use super::{canonical_order, row, tokens};

const USD: i128 = 1_000_000_000_000;

/// A span with tokens (input, output), or none, and with a reported cost in dollars, or none.
fn span<'a>(n: u64, parent: u64, kind: Kind, used: Option<(i64, i64)>, cost: Option<i128>) -> SpanRow<'a> {
    SpanRow {
        kind,
        tokens: used.map_or(Tokens::default(), |(input, output)| tokens(input, output)),
        reported_cost: cost.map(|usd| usd * USD),
        request_model: Some("m"),
        ..row(n, parent, n as i64, 100 - n as i64)
    }
}

fn derive<'a>(rows: &[SpanRow<'a>]) -> TraceDerived<'a> {
    Deriver::default().derive(&canonical_order(rows.to_vec()), &[])
}

fn bases(rows: &[SpanRow<'_>]) -> Vec<Option<CostBasis>> {
    derive(rows).spans.iter().map(|s| s.cost_basis).collect()
}

#[test]
fn reported_beats_computed_on_one_span() {
    let calls = [
        span(1, 0, Kind::Llm, Some((10, 5)), Some(1)),
        span(2, 0, Kind::Llm, Some((10, 5)), None),
        span(3, 0, Kind::Llm, None, None),
    ];
    assert_eq!(bases(&calls), [Some(Reported), Some(Computed), None]);
}

#[test]
fn one_call_in_two_spans_is_paid_for_once() {
    // The cost above, the tokens below: a proxy's span around the provider's.
    let rows = [span(1, 0, Kind::Llm, None, Some(1)), span(2, 1, Kind::Llm, Some((10, 5)), None)];
    assert_eq!(bases(&rows), [Some(Covering), Some(Covered)]);
    // The tokens above, the cost below.
    let rows = [span(1, 0, Kind::Agent, Some((10, 5)), None), span(2, 1, Kind::Llm, None, Some(1))];
    assert_eq!(bases(&rows), [Some(Covered), Some(Covering)]);
}

#[test]
fn the_reported_sum_of_calls_gives_way_to_the_calls() {
    let rows = [
        span(1, 0, Kind::Agent, None, Some(3)),
        span(2, 1, Kind::Llm, Some((10, 5)), None),
        span(3, 1, Kind::Llm, Some((20, 5)), None),
    ];
    assert_eq!(bases(&rows), [Some(Superseded), Some(Computed), Some(Computed)]);
    // With one call it is a sum all the same: an agent may pay for more than its model.
    assert_eq!(bases(&rows[..2]), [Some(Superseded), Some(Computed)]);
    // Without any tokens it is all there is.
    let rows = [span(1, 0, Kind::Agent, None, Some(3)), span(2, 1, Kind::Llm, None, None)];
    assert_eq!(bases(&rows), [Some(Reported), None]);
}

#[test]
fn the_cost_of_some_calls_does_not_pay_for_the_tokens_of_all() {
    let agent = span(1, 0, Kind::Agent, Some((30, 10)), None);
    let rows = [agent, span(2, 1, Kind::Llm, None, Some(1)), span(3, 1, Kind::Llm, None, None)];
    assert_eq!(bases(&rows), [Some(Computed), Some(Superseded), None]);
    // All of them report one, the last on a span inside of it.
    let rows = [
        agent,
        span(2, 1, Kind::Llm, None, Some(1)),
        span(3, 1, Kind::Llm, None, None),
        span(4, 3, Kind::Llm, None, Some(1)),
    ];
    assert_eq!(bases(&rows), [Some(Covered), Some(Covering), None, Some(Covering)]);
    // Or around it.
    let rows = [agent, span(2, 1, Kind::Llm, None, Some(1)), span(3, 2, Kind::Llm, None, None)];
    assert_eq!(bases(&rows), [Some(Covered), Some(Covering), None]);
}

#[test]
fn what_a_tool_reports_comes_on_top() {
    let rows = [span(1, 0, Kind::Llm, Some((10, 5)), None), span(2, 1, Kind::Tool, None, Some(1))];
    assert_eq!(bases(&rows), [Some(Computed), Some(Reported)]);
}

#[test]
fn tokens_that_have_no_price_say_why() {
    let mut rows = [
        span(1, 0, Kind::Llm, None, None),
        span(2, 0, Kind::Llm, Some((10, 5)), None),
        span(3, 0, Kind::Embedding, None, None),
        span(4, 0, Kind::Llm, Some((10, 5)), None),
    ];
    rows[0].tokens.input = Some(10);
    rows[1].tokens.cache_read = Some(11);
    rows[2].tokens.input = Some(10);
    rows[3].tokens.reasoning = Some(6);
    assert_eq!(bases(&rows), [Some(Incomplete), Some(Inconsistent), Some(Computed), Some(Inconsistent)]);
}

#[test]
fn calls_of_which_nothing_is_known_are_counted() {
    let unaccounted = |rows: &[SpanRow<'_>]| derive(rows).usage.iter().map(|u| u.unaccounted_calls).sum::<u64>();
    let silent = |n, parent| span(n, parent, Kind::Llm, None, None);
    assert_eq!(unaccounted(&[silent(1, 0), silent(2, 0)]), 2);
    // The agent tells for its calls.
    assert_eq!(unaccounted(&[span(1, 0, Kind::Agent, Some((10, 5)), None), silent(2, 1), silent(3, 1)]), 0);
    assert_eq!(unaccounted(&[span(1, 0, Kind::Agent, None, Some(1)), silent(2, 1)]), 0);
    // Beside a call that tells, one that does not.
    let agent = span(1, 0, Kind::Agent, None, None);
    assert_eq!(unaccounted(&[agent, span(2, 1, Kind::Llm, Some((10, 5)), None), silent(3, 1)]), 1);
    // What a tool costs says nothing of the model around it.
    assert_eq!(unaccounted(&[silent(1, 0), span(2, 1, Kind::Tool, None, Some(1))]), 1);
    // Failed calls are hardly ever billed.
    let failed = SpanRow { status: spanfile::derive::Status::Error, ..silent(1, 0) };
    assert_eq!(unaccounted(&[failed]), 0);
}

#[test]
fn use_is_kept_apart_by_basis_and_day() {
    const DAY: i64 = 86_400_000_000_000;
    let at = |n, start| SpanRow {
        start_time: start,
        end_time: Some(start + 1),
        ..span(n, 0, Kind::Llm, Some((10, 5)), None)
    };
    let derived = derive(&[at(1, DAY - 1), at(2, DAY), at(3, DAY + 5), at(4, -1)]);
    let mut days: Vec<_> = derived.usage.iter().map(|u| (u.day, u.calls, u.tokens.input)).collect();
    days.sort_unstable();
    assert_eq!(days, [(-1, 1, Some(10)), (0, 1, Some(10)), (1, 2, Some(20))]);
    let reported = SpanRow { reported_cost: Some(USD), ..at(5, DAY) };
    let derived = derive(&[at(2, DAY), reported]);
    let by: Vec<_> = derived.usage.iter().map(|u| (u.cost_basis, u.counted_spans, u.reported_cost)).collect();
    assert_eq!(by, [(Some(Computed), 1, None), (Some(Reported), 1, Some(USD))]);
}
