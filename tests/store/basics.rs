use spanfile::{CompactOptions, Compare, Error, GroupWriter, Options, ScanRequest, ScanValue, Store, Table};

use super::model::{Model, check};
use super::sample::{Log, Sample, T0, batch, trace, trace_id};

#[test]
fn rows_come_back_before_and_after_sealing_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.spans");
    let store = Store::create(&path, Options::default()).unwrap();
    let mut model = Model::default();
    let mut writer = store.writer().unwrap();
    let spans: Vec<Sample> = (0..20).flat_map(|t| trace(t, 1 + t % 6)).collect();
    let logs = [Log { trace: 3, span: 1, text: 1 }, Log { trace: 99, span: 0, text: 2 }];
    writer.append(batch(&spans, &logs)).unwrap();
    model.add(&spans, &logs);
    let empty = store.snapshot().unwrap();
    let commit = writer.commit().unwrap();
    assert_eq!((commit.spans, commit.logs), (spans.len() as u64, 2));
    assert_eq!(empty.scan(&ScanRequest::new(Table::Spans)).unwrap().count(), 0, "an older snapshot sees nothing of it");
    check(&store, &model);
    writer.seal_all().unwrap();
    check(&store, &model);
    assert_eq!(store.stats().unwrap().tail_spans, 0);
    drop(writer);
    drop(store);
    let store = Store::open_read_only(&path, Options::default()).unwrap();
    check(&store, &model);
    assert!(matches!(store.writer(), Err(Error::ReadOnly { .. })));
}

#[test]
fn late_spans_move_the_whole_trace_and_everything_thrice_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path().join("a.spans"), Options::default()).unwrap();
    let mut model = Model::default();
    let mut writer = store.writer().unwrap();
    // Children first, the root hours later.
    let all: Vec<Sample> = (0..5).flat_map(|t| trace(t, 4)).collect();
    let (late, early): (Vec<Sample>, Vec<Sample>) = all.iter().cloned().partition(|s| s.span == 0);
    for part in [early, late] {
        writer.append(batch(&part, &[])).unwrap();
        writer.seal_all().unwrap();
        model.add(&part, &[]);
        check(&store, &model);
    }
    assert_eq!(store.stats().unwrap().superseded_spans, 15);
    for _ in 0..3 {
        writer.append(batch(&all, &[])).unwrap();
        writer.commit().unwrap();
        check(&store, &model);
        writer.seal_all().unwrap();
        check(&store, &model);
    }
    let stats = store.stats().unwrap();
    assert_eq!((stats.duplicates, stats.replaced, stats.traces, stats.segments), (60, 0, 5, 2));
    drop(writer);
    let report = store.compact(CompactOptions::default()).unwrap();
    assert_eq!((report.segments, report.removed_spans), ((2, 1), 15));
    check(&store, &model);
}

#[test]
fn import_in_any_order_gives_the_same_rows() {
    let all: Vec<Sample> = (0..400).flat_map(|t| trace(t, 1 + t % 9)).collect();
    let mut shuffled = all.clone();
    let mut x = 7u64;
    for i in (1..shuffled.len()).rev() {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        shuffled.swap(i, (x >> 33) as usize % (i + 1));
    }
    let mut model = Model::default();
    model.add(&all, &[]);
    for (order, name) in [(all, "ordered"), (shuffled, "shuffled")] {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { import_buffer_bytes: 512 << 10, segment_spans: 300, ..Options::default() };
        let store = Store::create(dir.path().join("a.spans"), options).unwrap();
        let mut writer = store.writer().unwrap();
        for part in order.chunks(100) {
            writer.import(batch(part, &[])).unwrap();
        }
        writer.seal_all().unwrap();
        check(&store, &model);
        let stats = store.stats().unwrap();
        assert!(stats.segments > 3, "{name}: {stats:?}");
        assert_eq!((stats.tail_spans, stats.superseded_spans), (0, 0), "{name}");
    }
}

#[test]
fn scans_prune_and_project() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path().join("a.spans"), Options::default()).unwrap();
    let mut writer = store.writer().unwrap();
    let spans: Vec<Sample> = (0..50).flat_map(|t| trace(t, 3)).collect();
    writer.append(batch(&spans, &[])).unwrap();
    writer.seal_all().unwrap();
    let more: Vec<Sample> = (50..60).flat_map(|t| trace(t, 3)).collect();
    writer.append(batch(&more, &[])).unwrap();
    writer.commit().unwrap();
    let snapshot = store.snapshot().unwrap();
    let rows = |r: &ScanRequest| snapshot.scan(r).unwrap().map(|b| b.unwrap().num_rows()).sum::<usize>();
    let start = T0 as i64 + 10 * 1_000_000_000;
    assert_eq!(rows(&ScanRequest::new(Table::Spans).columns(["name"]).starting_in(start..start + 2_000_000_000)), 6);
    assert_eq!(rows(&ScanRequest::new(Table::Spans).traces([trace_id(7), trace_id(55), trace_id(1000)])), 6);
    let named = ScanRequest::new(Table::Spans).filter("name", Compare::Eq, ScanValue::Text("step 2".into()));
    assert_eq!(rows(&named), 60);
    assert_eq!(rows(&named.columns(["span_id"]).filter("parent_span_id", Compare::IsNull, ScanValue::Int(0))), 0);
    let trace = snapshot.trace(trace_id(55)).unwrap().unwrap();
    assert_eq!(trace.spans.num_rows(), 3);
    assert!(snapshot.trace(trace_id(1000)).unwrap().is_none());
    let wrong = snapshot.scan(&ScanRequest::new(Table::Spans).columns(["nope"]));
    assert!(matches!(wrong, Err(Error::Rows(m)) if m.contains("nope")));
}

#[test]
fn a_second_writer_is_told_who_has_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.spans");
    let store = Store::create(&path, Options::default()).unwrap();
    let error = Store::open(&path, Options::default()).unwrap_err();
    assert!(matches!(error, Error::Busy { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
    assert!(error.to_string().contains("read-only works"), "{error}");
    assert!(Store::open_read_only(&path, Options::default()).is_ok());
    assert!(matches!(Store::create(&path, Options::default()), Err(Error::Exists { .. })));
    drop(store);
    Store::open(&path, Options::default()).unwrap();
}

#[test]
fn threads_share_commits() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path().join("a.spans"), Options::default()).unwrap();
    let before = store.snapshot().unwrap().version();
    let group = GroupWriter::new(store.writer().unwrap());
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let group = group.clone();
            let store = store.clone();
            std::thread::spawn(move || {
                for i in 0..10 {
                    let commit = group.commit(batch(&trace(n * 10 + i, 2), &[])).unwrap();
                    let snapshot = store.snapshot().unwrap();
                    assert!(snapshot.version() >= commit.version);
                    assert!(snapshot.trace(trace_id(n * 10 + i)).unwrap().is_some(), "committed rows are there");
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    let commits = store.snapshot().unwrap().version() - before;
    assert!(commits <= 80, "{commits} commits for 80 calls");
    let mut model = Model::default();
    (0..80).for_each(|n| model.add(&trace(n, 2), &[]));
    let mut writer = group.into_writer().unwrap();
    writer.seal_all().unwrap();
    check(&store, &model);
}

#[test]
fn a_compacted_file_stays_small_when_it_is_closed() {
    for traces in [1, 20, 45, 90, 130, 200] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.spans");
        let store = Store::create(&path, Options::default()).unwrap();
        let mut writer = store.writer().unwrap();
        for t in 0..traces {
            writer.append(batch(&trace(t, 10), &[])).unwrap();
        }
        writer.seal_all().unwrap();
        drop(writer);
        let report = store.compact(CompactOptions { force: true, ..CompactOptions::default() }).unwrap();
        drop(store);
        let (said, found) = (report.file_bytes.1, std::fs::metadata(&path).unwrap().len());
        assert!(found <= said + 64 * 1024, "{traces} traces: {found} bytes, {said} when it was compacted");
        // It can still be written to.
        let store = Store::open(&path, Options::default()).unwrap();
        let mut writer = store.writer().unwrap();
        writer.append(batch(&trace(traces, 10), &[])).unwrap();
        writer.commit().unwrap();
    }
}
