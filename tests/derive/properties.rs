//! Arbitrary forests: lost parents, cycles, self parents, times in any order, huge numbers.

use proptest::prelude::*;
use spanfile::derive::{Deriver, Kind, SpanDerived, SpanRow, Status, Tokens};

use super::{canonical_order, id, row};

#[derive(Debug, Clone)]
struct Plan {
    parent: u64,
    start: i64,
    length: i64,
    has_end: bool,
    kind: usize,
    tokens: Option<i64>,
    cost: Option<i128>,
    name: usize,
    status: bool,
}

const KINDS: [Kind; 8] =
    [Kind::Agent, Kind::Workflow, Kind::Llm, Kind::Tool, Kind::Handoff, Kind::Embedding, Kind::Other, Kind::Llm];
const NAMES: [Option<&str>; 4] = [Some("lookup_order"), Some("tools"), None, Some("transfer_to_orders")];
const ARGS: [Option<&str>; 3] = [Some("{\"a\":1}"), None, Some("{'a': 2}")];
const IDS: [Option<&str>; 4] = [None, Some("r-1"), None, Some("r-2")];
const PENDING: &str = "{\"logfire.span_type\":\"pending_span\"}";

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let tokens = prop_oneof![
        3 => Just(None),
        1 => Just(Some(0)),
        4 => (1i64..50).prop_map(Some),
        1 => Just(Some(i64::MAX)),
        1 => Just(Some(i64::MIN)),
    ];
    let cost = prop_oneof![4 => Just(None), 2 => (0i128..5).prop_map(Some), 1 => Just(Some(i128::MAX))];
    let plan = (0u64..28, 0i64..40, -3i64..40, any::<bool>(), 0usize..8, tokens, cost, 0usize..12, any::<bool>())
        .prop_map(|(parent, start, length, has_end, kind, tokens, cost, name, status)| Plan {
            parent,
            start,
            length,
            has_end,
            kind,
            tokens,
            cost,
            name,
            status,
        });
    prop::collection::vec(plan, 0..25)
}

fn rows(plans: &[Plan]) -> Vec<SpanRow<'static>> {
    let make = |(i, p): (usize, &Plan)| SpanRow {
        kind: KINDS[p.kind],
        end_time: p.has_end.then_some(p.start + p.length),
        tokens: Tokens { input: p.tokens, output: p.tokens.map(|t| t / 2), ..Tokens::default() },
        reported_cost: p.cost,
        tool_name: NAMES[p.name % 4],
        tool_args: ARGS[p.name % 3],
        tool_call_id: IDS[p.name % 4],
        response_id: IDS[(p.name + 1) % 4],
        agent_name: (p.name % 5 == 0).then_some("orders"),
        attributes: (p.name == 7).then_some(PENDING),
        status: if p.status { Status::Error } else { Status::Unset },
        // Ids from 1 on; some parents do not exist.
        ..row(i as u64 + 1, p.parent, p.start, p.start)
    };
    canonical_order(plans.iter().enumerate().map(make).collect())
}

/// Parents after cutting, found without the code under test.
fn parents(rows: &[SpanRow<'_>]) -> Vec<Option<usize>> {
    let mut parents: Vec<Option<usize>> =
        rows.iter().map(|r| rows.iter().position(|p| Some(p.span_id) == r.parent)).collect();
    for i in 0..rows.len() {
        // Cut where a row is on a cycle and is the first of it.
        let mut at = parents[i];
        let mut on_cycle = vec![i];
        while let Some(p) = at {
            if p == i {
                if on_cycle.iter().min() == Some(&i) {
                    parents[i] = None;
                }
                break;
            }
            if on_cycle.contains(&p) {
                break;
            }
            on_cycle.push(p);
            at = parents[p];
        }
    }
    parents
}

fn is_below(parents: &[Option<usize>], mut row: usize, above: usize) -> bool {
    while let Some(p) = parents[row] {
        if p == above {
            return true;
        }
        row = p;
    }
    false
}

/// Covered time, nanosecond by nanosecond.
fn child_time(rows: &[SpanRow<'_>], parents: &[Option<usize>], i: usize) -> Option<i64> {
    let (start, end) = (rows[i].start_time, rows[i].end_time?);
    (end >= start).then(|| {
        let covers = |c: usize, t: i64| {
            parents[c] == Some(i) && rows[c].start_time <= t && rows[c].end_time.is_some_and(|end| t < end)
        };
        (start..end).filter(|t| (0..rows.len()).any(|c| covers(c, *t))).count() as i64
    })
}

/// The rule as it is stated, with zeros outweighed by figures, before equal responses are dropped.
fn deepest(parents: &[Option<usize>], weights: &[u8]) -> Vec<bool> {
    let n = weights.len();
    let below = |i: usize| (0..n).filter(|&d| is_below(parents, d, i)).map(|d| weights[d]).max().unwrap_or(0);
    let figures: Vec<bool> = (0..n).map(|i| weights[i] == 2 && below(i) < 2).collect();
    (0..n)
        .map(|i| {
            figures[i] || weights[i] == 1 && below(i) == 0 && !(0..n).any(|a| figures[a] && is_below(parents, i, a))
        })
        .collect()
}

fn check(rows: &[SpanRow<'_>], spans: &[SpanDerived<'_>]) {
    let parents = parents(rows);
    let n = rows.len();
    for (i, s) in spans.iter().enumerate() {
        let ancestors = (0..n).filter(|&a| is_below(&parents, i, a)).count();
        assert_eq!(s.depth as usize, ancestors);
        assert_eq!(s.seq as usize, i);
        let root = (0..n).find(|&r| (r == i || is_below(&parents, i, r)) && parents[r].is_none()).unwrap();
        assert_eq!(s.root_span_id, rows[root].span_id);
        let known = rows.iter().any(|r| Some(r.span_id) == rows[i].parent);
        assert_eq!(s.is_orphan, rows[i].parent.is_some() && !known);
        assert_eq!(s.is_cycle, known && parents[i].is_none());
        for (d, other) in spans.iter().enumerate() {
            let nested = other.tree_left > s.tree_left && other.tree_left <= s.tree_right;
            assert_eq!(nested, is_below(&parents, d, i));
        }
        assert_eq!(s.child_time_ns, child_time(rows, &parents, i));
    }
    let mut lefts: Vec<u32> = spans.iter().map(|s| s.tree_left).collect();
    lefts.sort_unstable();
    assert!(lefts.into_iter().eq(0..n as u32));
}

fn pending(rows: &[SpanRow<'_>], parents: &[Option<usize>], i: usize) -> bool {
    parents[i].is_some()
        && !parents.contains(&Some(i))
        && rows[i].attributes.is_some()
        && rows[i].end_time.is_none_or(|end| end == rows[i].start_time)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn forests(plans in plans()) {
        let rows = rows(&plans);
        let mut deriver = Deriver::default();
        let derived = deriver.derive(&rows, &[]);
        check(&rows, &derived.spans);
        // What another trace left behind changes nothing.
        deriver.derive(&rows[..rows.len() / 2], &[]);
        prop_assert_eq!(&deriver.derive(&rows, &[]), &derived);

        let parents = parents(&rows);
        let weigh = |known: bool, used: bool| u8::from(known) + u8::from(used);
        let echo = |i: usize| pending(&rows, &parents, i);
        let weights: Vec<u8> = (0..rows.len())
            .map(|i| if echo(i) { 0 } else { weigh(rows[i].tokens.is_known(), rows[i].tokens.is_used()) })
            .collect();
        for (i, counted) in deepest(&parents, &weights).into_iter().enumerate() {
            let span = &derived.spans[i];
            prop_assert!(counted || !span.usage_counted);
            if counted && !span.usage_counted {
                // Only another record of the same response takes its place.
                let twin = (0..rows.len()).any(|t| t != i
                    && derived.spans[t].usage_counted
                    && rows[t].response_id.is_some()
                    && rows[t].response_id == rows[i].response_id
                    && rows[t].tokens.input == rows[i].tokens.input);
                prop_assert!(twin);
            }
        }
        let weights: Vec<u8> = (0..rows.len())
            .map(|i| if echo(i) { 0 } else { weigh(rows[i].reported_cost.is_some(), rows[i].reported_cost.is_some_and(|c| c != 0)) })
            .collect();
        for (i, counted) in deepest(&parents, &weights).into_iter().enumerate() {
            prop_assert!(counted || !derived.spans[i].reported_cost_counted);
            prop_assert!(!counted || derived.spans[i].reported_cost_counted || rows[i].response_id.is_some());
        }

        // Duplicates name spans that are none, and steps are numbered without gaps.
        for span in &derived.spans {
            if let Some(kept) = span.duplicate_of {
                let kept = derived.spans.iter().zip(&rows).find(|(_, r)| r.span_id == kept).unwrap().0;
                prop_assert!(kept.duplicate_of.is_none());
                prop_assert!(span.step.is_none());
            }
        }
        let mut steps: Vec<u32> = derived.spans.iter().filter_map(|s| s.step).collect();
        steps.extend(derived.calls.iter().map(|c| c.step));
        steps.sort_unstable();
        prop_assert!(steps.iter().copied().eq(1..=steps.len() as u32));

        let Some(run) = &derived.run else { return Ok(()) };
        prop_assert_eq!(run.steps as usize, steps.len());
        let expected = derived.spans.iter().zip(&rows).filter(|(s, _)| s.usage_counted);
        let sum = expected.filter_map(|(_, r)| r.tokens.input).try_fold(None, |sum: Option<i64>, v| match sum {
            Some(sum) => sum.checked_add(v).map(Some),
            None => Some(Some(v)),
        });
        match sum {
            Some(sum) => prop_assert_eq!(run.tokens.input, sum),
            None => prop_assert!(run.overflowed && run.tokens.input.is_none()),
        }
        let calls: u64 = derived.usage.iter().map(|u| u.calls).sum();
        prop_assert_eq!(calls, run.llm_calls + run.embedding_calls + run.tool_calls + run.retrievals + run.handoffs);
    }
}

#[test]
fn deep_and_wide_traces_are_linear() {
    let n = 300_000u64;
    let chain: Vec<SpanRow<'_>> =
        (1..=n).map(|i| SpanRow { kind: Kind::Llm, ..row(i, i - 1, i as i64, n as i64) }).collect();
    let star: Vec<SpanRow<'_>> =
        (1..=n).map(|i| SpanRow { kind: Kind::Tool, ..row(i, u64::from(i > 1), i as i64, i as i64 + 5) }).collect();
    let ring: Vec<SpanRow<'_>> = (1..=n).map(|i| row(i, if i == 1 { n } else { i - 1 }, i as i64, n as i64)).collect();
    let mut deriver = Deriver::default();
    let begin = std::time::Instant::now();
    let derived = deriver.derive(&chain, &[]);
    assert_eq!(derived.spans.last().unwrap().depth as u64, n - 1);
    assert_eq!(derived.run.unwrap().llm_calls, 1);
    let derived = deriver.derive(&star, &[]);
    assert_eq!(derived.run.unwrap().tool_calls, n);
    let derived = deriver.derive(&ring, &[]);
    let cut: Vec<_> = derived.spans.iter().zip(&ring).filter(|(s, _)| s.is_cycle).map(|(_, r)| r.span_id).collect();
    assert_eq!(cut, [id(1)]);
    // Quadratic work would take minutes.
    assert!(begin.elapsed().as_secs() < 30, "{:?}", begin.elapsed());
}

#[test]
fn call_ids_that_come_again_get_their_own_answers() {
    // A model that numbers its calls anew in every turn; inputs repeat the whole conversation.
    let asks = r#"[{"tool_calls":[{"id":"0","function":{"name":"f","arguments":"{}"}}]}]"#;
    let heard = [
        "[]",
        r#"[{"role":"tool","tool_call_id":"0","content":"one"}]"#,
        r#"[{"role":"tool","tool_call_id":"0","content":"one"},{"role":"tool","tool_call_id":"0","content":"two"}]"#,
    ];
    let rows: Vec<SpanRow<'_>> = (1i64..)
        .zip(heard)
        .map(|(n, input)| SpanRow {
            kind: Kind::Llm,
            input: Some(input),
            output: Some(asks),
            ..row(n as u64, 0, n * 10, n * 10 + 5)
        })
        .collect();
    let derived = Deriver::default().derive(&rows, &[]);
    let results: Vec<_> = derived.calls.iter().map(|c| c.result.as_deref()).collect();
    assert_eq!(results, [Some("one"), Some("two"), None]);
}

#[test]
fn a_crowd_of_calls_takes_no_more_than_it_is_long() {
    // Many calls with ids of their own, asked for at once; and many with one id, which one long answer must not multiply.
    let many: Vec<String> =
        (0..50_000).map(|n| format!(r#"{{"id":"{n}","function":{{"name":"f","arguments":"{{}}"}}}}"#)).collect();
    let many = format!(r#"[{{"tool_calls":[{}]}}]"#, many.join(","));
    let derived =
        Deriver::default().derive(&[SpanRow { kind: Kind::Llm, output: Some(&many), ..row(1, 0, 0, 9) }], &[]);
    assert_eq!(derived.calls.len(), 50_000);

    let asks = r#"[{"tool_calls":[{"id":"same","function":{"name":"f","arguments":"{}"}}]}]"#;
    let long = "x".repeat(1 << 20);
    let hears = format!(r#"[{{"role":"tool","tool_call_id":"same","content":"{long}"}}]"#);
    let mut rows: Vec<SpanRow<'_>> = (1..=3_000)
        .map(|n| SpanRow { kind: Kind::Llm, output: Some(asks), ..row(n, 0, n as i64, n as i64 + 1) })
        .collect();
    rows.push(SpanRow { kind: Kind::Llm, input: Some(&hears), ..row(9_999, 0, 9_999, 10_000) });
    let derived = Deriver::default().derive(&rows, &[]);
    let held: usize = derived.calls.iter().filter_map(|c| c.result.as_ref()).map(String::len).sum();
    assert_eq!((derived.calls.len(), held), (3_000, long.len()));
}
