//! A plain in-memory model of what a file must hold, and random operations compared against it.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use proptest::prelude::*;
use spanfile::{CompactOptions, Options, ScanRequest, Store, Table, Writer};

use super::rollups;
use super::sample::{Log, Sample, batch, span_id, trace_id};

/// What the file must hold: per span its newest content, and every distinct log record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    spans: BTreeMap<(u64, u64), u32>,
    logs: BTreeSet<Log>,
}

impl Model {
    pub(crate) fn add(&mut self, spans: &[Sample], logs: &[Log]) {
        self.spans.extend(spans.iter().map(|s| ((s.trace, s.span), s.content)));
        self.logs.extend(logs.iter().cloned());
    }

    fn samples(&self) -> Vec<Sample> {
        self.spans.iter().map(|(&(trace, span), &content)| Sample { trace, span, content }).collect()
    }

    /// Expected rows as text: one line per span, event and link.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut out = Vec::new();
        for (&(trace, span), &content) in &self.spans {
            let s = Sample { trace, span, content };
            let own = s.span();
            let (t, id) = (trace_id(trace), span_id(span));
            out.push(format!(
                "span {t} {id} {:?} {} {} content={content}",
                own.parent_span_id, own.start_unix_nano, own.end_unix_nano
            ));
            for (i, e) in own.events.iter().enumerate() {
                out.push(format!("event {t} {id} {i} {} {} {{\"content\":{content}}}", e.time_unix_nano, e.name));
            }
            for (i, l) in own.links.iter().enumerate() {
                out.push(format!("link {t} {id} {i} {} {}", l.trace_id, l.span_id));
            }
        }
        for l in &self.logs {
            let r = l.record();
            out.push(format!("log {} {} {} text {}", r.trace_id, r.span_id, r.time_unix_nano, l.text));
        }
        out.sort();
        out
    }
}

fn hex(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let c = batch.column_by_name(column).unwrap().as_fixed_size_binary();
    (!c.is_null(row)).then(|| c.value(row).iter().map(|b| format!("{b:02x}")).collect())
}

fn text<'b>(batch: &'b RecordBatch, column: &str, row: usize) -> &'b str {
    batch.column_by_name(column).unwrap().as_string::<i32>().value(row)
}

fn time(batch: &RecordBatch, column: &str, row: usize) -> i64 {
    batch.column_by_name(column).unwrap().as_primitive::<TimestampNanosecondType>().value(row)
}

fn index(batch: &RecordBatch, column: &str, row: usize) -> i64 {
    batch.column_by_name(column).unwrap().as_primitive::<arrow::datatypes::Int64Type>().value(row)
}

/// The rows of a file as text, checking on the way that every trace is contiguous and in order.
pub(crate) fn lines(store: &Store) -> Vec<String> {
    let snapshot = store.snapshot().unwrap();
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    let mut previous: Option<(String, i64, String)> = None;
    for b in snapshot.scan(&ScanRequest::new(Table::Spans)).unwrap() {
        let b = b.unwrap();
        for i in 0..b.num_rows() {
            let (trace, span) = (hex(&b, "trace_id", i).unwrap(), hex(&b, "span_id", i).unwrap());
            let start = time(&b, "start_time", i);
            match &previous {
                Some((t, s, id)) if *t == trace => {
                    assert!((*s, id) < (start, &span), "spans of {trace} are out of order")
                }
                _ => assert!(seen.insert(trace.clone()), "trace {trace} lies in two places"),
            }
            let content: serde_json::Value = serde_json::from_str(text(&b, "attributes", i)).unwrap();
            let parent = match hex(&b, "parent_span_id", i) {
                Some(p) => format!("Some({p})"),
                None => "None".to_string(),
            };
            let end = time(&b, "end_time", i);
            assert_eq!(index(&b, "duration_ns", i), end - start);
            out.push(format!("span {trace} {span} {parent} {start} {end} content={}", content["test.content"]));
            previous = Some((trace, start, span));
        }
    }
    for b in snapshot.scan(&ScanRequest::new(Table::Events)).unwrap() {
        let b = b.unwrap();
        for i in 0..b.num_rows() {
            let (trace, span) = (hex(&b, "trace_id", i).unwrap(), hex(&b, "span_id", i).unwrap());
            let at = time(&b, "time", i);
            out.push(match text(&b, "source", i) {
                "log" => format!("log {trace} {span} {at} {}", text(&b, "body", i)),
                _ => {
                    let (n, name) = (index(&b, "event_index", i), text(&b, "name", i));
                    format!("event {trace} {span} {n} {at} {name} {}", text(&b, "attributes", i))
                }
            });
        }
    }
    for b in snapshot.scan(&ScanRequest::new(Table::Links)).unwrap() {
        let b = b.unwrap();
        for i in 0..b.num_rows() {
            let id = |c| hex(&b, c, i).unwrap();
            let n = index(&b, "link_index", i);
            out.push(format!(
                "link {} {} {n} {} {}",
                id("trace_id"),
                id("span_id"),
                id("linked_trace_id"),
                id("linked_span_id")
            ));
        }
    }
    out.sort();
    out
}

/// The file holds exactly what the model says, and finds nothing wrong with itself.
pub(crate) fn check(store: &Store, model: &Model) {
    assert_eq!(lines(store), model.lines());
    let stats = store.stats().unwrap();
    assert_eq!(stats.spans, model.spans.len() as u64);
    let traces: BTreeSet<u64> = model.spans.keys().map(|k| k.0).chain(model.logs.iter().map(|l| l.trace)).collect();
    assert_eq!(stats.traces, traces.len() as u64);
    assert_eq!(store.verify().unwrap().problems, []);
    rollups::check(store);
}

#[derive(Debug, Clone)]
enum Op {
    Append(Vec<Sample>, Vec<Log>),
    Import(Vec<Sample>),
    Commit,
    SealAll,
    Compact,
    Reopen,
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    // Few ids, so that duplicates, late spans and replacements happen all the time.
    let one = (0..12u64, 0..6u64, 0..8u32).prop_map(|(trace, span, content)| Sample { trace, span, content });
    prop::collection::vec(one, 0..20)
}

fn op() -> impl Strategy<Value = Op> {
    let log = (0..14u64, 0..6u64, 0..5u32).prop_map(|(trace, span, text)| Log { trace, span, text });
    prop_oneof![
        5 => (samples(), prop::collection::vec(log, 0..3)).prop_map(|(s, l)| Op::Append(s, l)),
        3 => samples().prop_map(Op::Import),
        4 => Just(Op::Commit),
        3 => Just(Op::SealAll),
        1 => Just(Op::Compact),
        2 => Just(Op::Reopen),
    ]
}

fn run(ops: Vec<Op>, options: Options) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.spans");
    let mut store = Store::create(&path, options.clone()).unwrap();
    let mut writer: Option<Writer> = Some(store.writer().unwrap());
    let mut model = Model::default();
    // Rows that are handed over become part of the file in this order: imported rows first, then appended ones.
    let mut appended: Vec<(Vec<Sample>, Vec<Log>)> = Vec::new();
    let mut imported: Vec<Vec<Sample>> = Vec::new();
    for op in ops {
        let w = writer.as_mut().expect("a writer is open between operations");
        let mut flushed = false;
        match op {
            Op::Append(spans, logs) => {
                w.append(batch(&spans, &logs)).unwrap();
                appended.push((spans, logs));
            }
            Op::Import(spans) => {
                // Imported and appended rows of one commit have no order among each other that a caller could rely on.
                w.commit().unwrap();
                w.import(batch(&spans, &[])).unwrap();
                w.commit().unwrap();
                imported.push(spans);
                flushed = true;
            }
            Op::Commit => {
                w.commit().unwrap();
                flushed = true;
            }
            Op::SealAll => {
                w.seal_all().unwrap();
                flushed = true;
            }
            Op::Compact => {
                w.commit().unwrap();
                flushed = true;
                drop(writer.take());
                store.compact(CompactOptions { force: true, ..CompactOptions::default() }).unwrap();
                writer = Some(store.writer().unwrap());
            }
            Op::Reopen => {
                // What was not committed is gone.
                appended.clear();
                drop(writer.take());
                drop(store);
                store = Store::open(&path, options.clone()).unwrap();
                writer = Some(store.writer().unwrap());
            }
        }
        if flushed {
            appended.drain(..).for_each(|(s, l)| model.add(&s, &l));
            imported.drain(..).for_each(|s| model.add(&s, &[]));
        }
        check(&store, &model);
    }
    // However the spans came: the same as if they had come at once.
    let at_once = Store::create(dir.path().join("b.spans"), Options::default()).unwrap();
    let mut w = at_once.writer().unwrap();
    w.append(batch(&model.samples(), &model.logs.iter().cloned().collect::<Vec<_>>())).unwrap();
    w.commit().unwrap();
    assert_eq!(rollups::lines(&store), rollups::lines(&at_once));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn random_operations_agree_with_the_model(ops in prop::collection::vec(op(), 1..14)) {
        run(ops, Options::default());
    }

    #[test]
    fn random_operations_with_tiny_bounds_agree_with_the_model(ops in prop::collection::vec(op(), 1..10)) {
        // Seals, spills and merges at every turn.
        let options = Options {
            import_buffer_bytes: 1,
            tail_seal_spans: 20,
            quiet_ms: 0,
            segment_spans: 10,
            compact_segment_spans: 15,
            ..Options::default()
        };
        run(ops, options);
    }
}
