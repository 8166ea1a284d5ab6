//! Derived columns and roll-ups against the spans that they are derived from.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimestampNanosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use spanfile::{ScanRequest, Store, Table};

/// What is asked of one span.
#[derive(Debug, Clone, Default)]
struct Span {
    parent: Option<Vec<u8>>,
    kind: String,
    start: i64,
    end: i64,
    tokens: [Option<i64>; 2],
    counted: Option<bool>,
    duplicate: bool,
    depth: i64,
    root: Vec<u8>,
    is_orphan: bool,
    tree: (i64, i64),
    failed: bool,
}

/// Sums and counts of one trace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Totals {
    spans: i64,
    llm_calls: i64,
    tool_calls: i64,
    tokens: [Option<i64>; 2],
    times: (i64, i64),
}

fn rows(store: &Store, table: Table) -> Vec<RecordBatch> {
    store.snapshot().unwrap().scan(&ScanRequest::new(table)).unwrap().map(Result::unwrap).collect()
}

fn int(b: &RecordBatch, column: &str, row: usize) -> Option<i64> {
    let c = b.column_by_name(column).unwrap().as_primitive::<Int64Type>();
    c.is_valid(row).then(|| c.value(row))
}

fn flag(b: &RecordBatch, column: &str, row: usize) -> Option<bool> {
    let c = b.column_by_name(column).unwrap().as_boolean();
    c.is_valid(row).then(|| c.value(row))
}

fn id(b: &RecordBatch, column: &str, row: usize) -> Option<Vec<u8>> {
    let c = b.column_by_name(column).unwrap().as_fixed_size_binary();
    c.is_valid(row).then(|| c.value(row).to_vec())
}

fn text<'b>(b: &'b RecordBatch, column: &str, row: usize) -> &'b str {
    b.column_by_name(column).unwrap().as_string::<i32>().value(row)
}

fn time(b: &RecordBatch, column: &str, row: usize) -> i64 {
    b.column_by_name(column).unwrap().as_primitive::<TimestampNanosecondType>().value(row)
}

const TOKENS: [&str; 2] = ["input_tokens", "output_tokens"];

type Traces = BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, Span>>;

fn traces(store: &Store) -> Traces {
    let mut out = Traces::new();
    for b in rows(store, Table::Spans) {
        for i in 0..b.num_rows() {
            let span = Span {
                parent: id(&b, "parent_span_id", i),
                kind: text(&b, "kind", i).to_owned(),
                start: time(&b, "start_time", i),
                end: time(&b, "end_time", i),
                tokens: TOKENS.map(|t| int(&b, t, i)),
                counted: flag(&b, "usage_counted", i),
                duplicate: id(&b, "is_duplicate_of", i).is_some(),
                depth: int(&b, "depth", i).unwrap(),
                root: id(&b, "root_span_id", i).unwrap(),
                is_orphan: flag(&b, "is_orphan", i).unwrap(),
                tree: (int(&b, "tree_left", i).unwrap(), int(&b, "tree_right", i).unwrap()),
                failed: text(&b, "status", i) == "error",
            };
            let own = out.entry(id(&b, "trace_id", i).unwrap()).or_default();
            assert_eq!(int(&b, "seq", i), Some(own.len() as i64), "rows of a trace come in order");
            own.insert(id(&b, "span_id", i).unwrap(), span);
        }
    }
    out
}

/// Ancestors by following parents, nearest first.
fn ancestors<'s>(spans: &'s BTreeMap<Vec<u8>, Span>, of: &Span) -> Vec<&'s Vec<u8>> {
    let mut out = Vec::new();
    let mut at = of.parent.as_ref();
    while let Some((id, span)) = at.and_then(|id| spans.get_key_value(id)) {
        out.push(id);
        at = span.parent.as_ref();
    }
    out
}

fn sum(values: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    values.flatten().reduce(|a, b| a + b)
}

/// Structure and totals follow from the spans, worked out the slow way.
pub(crate) fn check(store: &Store) {
    let traces = traces(store);
    let mut expected: BTreeMap<Vec<u8>, Totals> = BTreeMap::new();
    for (trace, spans) in &traces {
        for (id, span) in spans {
            let above = ancestors(spans, span);
            assert_eq!(span.depth, above.len() as i64);
            assert_eq!(span.root, **above.last().unwrap_or(&id));
            assert_eq!(span.is_orphan, span.parent.as_ref().is_some_and(|p| !spans.contains_key(p)));
            for (other_id, other) in spans {
                let inside = other.tree.0 > span.tree.0 && other.tree.0 <= span.tree.1;
                assert_eq!(inside, ancestors(spans, other).contains(&id), "{other_id:?} below {id:?}");
            }
            let below_has_tokens =
                spans.values().any(|other| other.tokens != [None, None] && ancestors(spans, other).contains(&id));
            let has_tokens = span.tokens != [None, None];
            assert_eq!(span.counted, has_tokens.then_some(!below_has_tokens));
        }
        let counted = || spans.values().filter(|s| s.counted == Some(true));
        let calls = |kind: &str| spans.values().filter(|s| s.kind == kind && !s.duplicate).count() as i64;
        let totals = Totals {
            spans: spans.len() as i64,
            llm_calls: calls("llm"),
            tool_calls: calls("tool"),
            tokens: [0, 1].map(|t| sum(counted().map(|s| s.tokens[t]))),
            times: (spans.values().map(|s| s.start).min().unwrap(), spans.values().map(|s| s.end).max().unwrap()),
        };
        expected.insert(trace.clone(), totals);
    }
    let mut runs: BTreeMap<Vec<u8>, Totals> = BTreeMap::new();
    for b in rows(store, Table::Runs) {
        for i in 0..b.num_rows() {
            let (start, end) = (time(&b, "start_time", i), time(&b, "end_time", i));
            assert_eq!(int(&b, "duration_ns", i), Some(end - start));
            let totals = Totals {
                spans: int(&b, "spans", i).unwrap(),
                llm_calls: int(&b, "llm_calls", i).unwrap(),
                tool_calls: int(&b, "tool_calls", i).unwrap(),
                tokens: TOKENS.map(|t| int(&b, t, i)),
                times: (start, end),
            };
            let failed = traces[&id(&b, "trace_id", i).unwrap()].values().any(|s| s.failed);
            assert_eq!(int(&b, "errors", i).unwrap() > 0, failed);
            assert!(runs.insert(id(&b, "trace_id", i).unwrap(), totals).is_none(), "one run per trace");
        }
    }
    assert_eq!(runs, expected);
    let mut usage: BTreeMap<Vec<u8>, Totals> = BTreeMap::new();
    for b in rows(store, Table::Usage) {
        for i in 0..b.num_rows() {
            let t = usage.entry(id(&b, "trace_id", i).unwrap()).or_default();
            match text(&b, "kind", i) {
                "llm" => t.llm_calls += int(&b, "calls", i).unwrap(),
                "tool" => t.tool_calls += int(&b, "calls", i).unwrap(),
                _ => {}
            }
            t.tokens = [0, 1].map(|k| sum([t.tokens[k], int(&b, TOKENS[k], i)].into_iter()));
        }
    }
    for (trace, run) in &runs {
        let u = usage.remove(trace).unwrap_or_default();
        assert_eq!((u.llm_calls, u.tool_calls, u.tokens), (run.llm_calls, run.tool_calls, run.tokens));
    }
    assert_eq!(usage, BTreeMap::new(), "usage of no run");
}

/// All derived rows as text, sorted: two files with the same spans have the same.
pub(crate) fn lines(store: &Store) -> Vec<String> {
    let mut out = Vec::new();
    for table in [Table::Spans, Table::Runs, Table::Usage, Table::SyntheticCalls, Table::Scores] {
        for b in rows(store, table) {
            let options = FormatOptions::default().with_null("NULL");
            // As numbers, for time zones are only known where arrow is built with all of them.
            let plain = |c: &ArrayRef| match c.data_type() {
                DataType::Timestamp(..) => cast(c, &DataType::Int64).unwrap(),
                _ => c.clone(),
            };
            let plain: Vec<ArrayRef> = b.columns().iter().map(plain).collect();
            let columns: Vec<_> =
                plain.iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap()).collect();
            for i in 0..b.num_rows() {
                let row: Vec<String> = columns.iter().map(|c| c.value(i).to_string()).collect();
                out.push(format!("{} {}", table.name(), row.join(" ")));
            }
        }
    }
    out.sort();
    out
}
