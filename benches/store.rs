//! The store: live commits, trace lookups, scans, opening.
//!
//! `SPANFILE_BENCH_DATA` names an OTLP file of some 100,000 spans; else the captures in `testdata` are used. CPU time
//! per operation is printed too, since wall time on a busy machine says little.

#![allow(clippy::expect_used, reason = "a benchmark without its data has nothing to say")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arrow::array::AsArray;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use spanfile::batch::{BatchBuilder, SpanBatch};
use spanfile::ingest::{BoxError, Refusal, Reject, Sink, ingest};
use spanfile::model::{LogRecord, Resource, Scope, Span, TraceId};
use spanfile::{Options, ScanRequest, Store, Table};

/// Spans per live commit, and commits per round.
const COMMIT_SPANS: usize = 100;
const COMMITS: usize = 200;

/// Cuts the input into batches of so many spans.
struct Cut {
    builder: BatchBuilder,
    spans: usize,
    batches: Vec<SpanBatch>,
}

impl Sink for Cut {
    fn begin_resource(&mut self, resource: &Resource<'_>) {
        self.builder.begin_resource(resource);
    }

    fn begin_scope(&mut self, scope: &Scope<'_>) {
        self.builder.begin_scope(scope);
    }

    fn span(&mut self, span: &Span<'_>) -> Result<(), Refusal> {
        self.builder.push_span(span).map_err(|e| Refusal::Record(e.to_string()))?;
        if self.builder.spans() >= self.spans {
            self.batches.push(self.builder.finish());
        }
        Ok(())
    }

    fn log(&mut self, _: &LogRecord<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn reject(&mut self, reject: &Reject<'_>) -> Result<(), BoxError> {
        Err(format!("{}: {}", reject.position, reject.reason).into())
    }
}

fn inputs() -> Vec<PathBuf> {
    if let Ok(path) = std::env::var("SPANFILE_BENCH_DATA") {
        return vec![path.into()];
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut paths: Vec<_> = std::fs::read_dir(&folder).expect("testdata").map(|e| e.expect("entry").path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "jsonl"));
    paths.sort();
    paths
}

fn batches(spans: usize) -> Vec<SpanBatch> {
    let mut cut = Cut { builder: BatchBuilder::new(), spans, batches: Vec::new() };
    for path in inputs() {
        let file = std::fs::File::open(&path).expect("input");
        ingest(&path.display().to_string(), file, &mut cut).expect("the input is good");
    }
    if cut.builder.spans() > 0 {
        cut.batches.push(cut.builder.finish());
    }
    cut.batches
}

/// CPU time of this process so far, all threads that still run.
fn cpu_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let ran = |task: std::fs::DirEntry| -> Option<u64> {
        std::fs::read_to_string(task.path().join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    Duration::from_nanos(tasks.filter_map(ran).sum())
}

fn commits(c: &mut Criterion) {
    let small: Vec<SpanBatch> = batches(COMMIT_SPANS).into_iter().take(COMMITS).collect();
    let run = |batches: Vec<SpanBatch>| {
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::create(folder.path().join("live.spans"), Options::default()).expect("create");
        let mut writer = store.writer().expect("writer");
        let before = cpu_time();
        let count = batches.len();
        for batch in batches {
            writer.append(batch).expect("append");
            writer.commit().expect("commit");
        }
        (cpu_time() - before) / u32::try_from(count.max(1)).unwrap_or(1)
    };
    let cpu = run(small.clone());
    println!("commit of {COMMIT_SPANS} spans, synced: {:.2} ms CPU", cpu.as_secs_f64() * 1e3);
    c.bench_function("200 commits of 100 spans", |b| b.iter_batched(|| small.clone(), run, BatchSize::PerIteration));
}

fn sealed(folder: &Path) -> Store {
    let store = Store::create(folder.join("sealed.spans"), Options::default()).expect("create");
    let mut writer = store.writer().expect("writer");
    for batch in batches(4096) {
        writer.import(batch).expect("import");
    }
    writer.seal_all().expect("seal");
    store
}

fn some_traces(store: &Store) -> Vec<TraceId> {
    let scan = store.snapshot().expect("snapshot").scan(&ScanRequest::new(Table::Spans).columns(["trace_id"]));
    let mut ids = Vec::new();
    for batch in scan.expect("scan") {
        let batch = batch.expect("batch");
        let column = batch.column(0).as_fixed_size_binary();
        ids.extend((0..batch.num_rows()).map(|i| TraceId(column.value(i).try_into().expect("16 bytes"))));
    }
    ids.dedup();
    let step = (ids.len() / 10).max(1);
    ids.into_iter().step_by(step).take(10).collect()
}

fn reads(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("folder");
    let store = sealed(folder.path());
    let ids = some_traces(&store);
    let path = store.path().to_path_buf();
    for (name, recent_traces_bytes) in [("10 traces, decoded anew", 0), ("10 traces, read before", 32 << 20)] {
        let options = Options { recent_traces_bytes, ..Options::default() };
        let reader = Store::open_read_only(&path, options).expect("open");
        let snapshot = reader.snapshot().expect("snapshot");
        let read =
            || ids.iter().map(|id| snapshot.trace(*id).expect("read").map_or(0, |t| t.spans.num_rows())).sum::<usize>();
        black_box(read());
        let before = cpu_time();
        black_box(read());
        println!("{name}: {:.2} ms CPU", (cpu_time() - before).as_secs_f64() * 1e3);
        c.bench_function(name, |b| b.iter(read));
    }
    let snapshot = store.snapshot().expect("snapshot");
    let request = ScanRequest::new(Table::Spans).columns(["kind", "input_tokens", "output_tokens"]);
    c.bench_function("scan of 3 narrow columns", |b| {
        b.iter(|| snapshot.scan(&request).expect("scan").map(|x| x.expect("batch").num_rows()).sum::<usize>());
    });
    c.bench_function("open and snapshot", |b| {
        b.iter(|| {
            Store::open_read_only(&path, Options::default()).expect("open").snapshot().expect("snapshot").version()
        });
    });
}

criterion_group!(store, commits, reads);
criterion_main!(store);
