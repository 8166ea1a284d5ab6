//! Decode, normalise and build batches, from memory.
//!
//! `SPANFILE_BENCH_DATA` names an OTLP file to measure with (best some 100 MB); else the captures in `testdata`
//! are used, repeated. Prints CPU time per span, since wall time on a busy machine says little.

#![allow(clippy::expect_used, reason = "a benchmark without its data has nothing to say")]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use spanfile::batch::BatchBuilder;
use spanfile::ingest::{BoxError, Refusal, Reject, Sink, ingest};
use spanfile::model::{LogRecord, Resource, Scope, Span};

/// Rows gathered before a batch is finished, by size, as the store does.
const BATCH_BYTES: usize = 32 << 20;

#[derive(Default)]
struct Build(BatchBuilder);

impl Build {
    fn flush(&mut self, limit: usize) {
        if self.0.bytes() > limit {
            black_box(self.0.finish());
        }
    }
}

impl Sink for Build {
    fn begin_resource(&mut self, resource: &Resource<'_>) {
        self.0.begin_resource(resource);
    }

    fn begin_scope(&mut self, scope: &Scope<'_>) {
        self.0.begin_scope(scope);
    }

    fn span(&mut self, span: &Span<'_>) -> Result<(), Refusal> {
        self.0.push_span(span).map_err(|e| Refusal::Record(e.to_string()))?;
        self.flush(BATCH_BYTES);
        Ok(())
    }

    fn log(&mut self, log: &LogRecord<'_>) -> Result<(), Refusal> {
        self.0.push_log(log).map_err(|e| Refusal::Record(e.to_string()))
    }

    fn reject(&mut self, reject: &Reject<'_>) -> Result<(), BoxError> {
        Err(format!("{}: {}", reject.position, reject.reason).into())
    }
}

/// Decodes and drops.
#[derive(Default)]
struct Drop;

impl Sink for Drop {
    fn begin_resource(&mut self, resource: &Resource<'_>) {
        black_box(resource);
    }

    fn begin_scope(&mut self, scope: &Scope<'_>) {
        black_box(scope);
    }

    fn span(&mut self, span: &Span<'_>) -> Result<(), Refusal> {
        black_box(span);
        Ok(())
    }

    fn log(&mut self, log: &LogRecord<'_>) -> Result<(), Refusal> {
        black_box(log);
        Ok(())
    }

    fn reject(&mut self, _: &Reject<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn data() -> Vec<u8> {
    if let Ok(path) = std::env::var("SPANFILE_BENCH_DATA") {
        return std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut lines = Vec::new();
    let mut paths: Vec<_> = std::fs::read_dir(&folder).expect("testdata").map(|e| e.expect("entry").path()).collect();
    paths.sort();
    for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == "jsonl")) {
        lines.extend(std::fs::read(path).expect("capture"));
    }
    lines.repeat((32 << 20) / lines.len() + 1)
}

/// CPU time of this process so far; `None` where the system does not say.
fn cpu_time() -> Option<Duration> {
    // Fields 14 and 15, counted behind the command's closing bracket: user and system time in ticks of 10 ms.
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

fn report(what: &str, rounds: u32, mut run: impl FnMut() -> u64) {
    let wall = Instant::now();
    let cpu = cpu_time();
    let spans: u64 = (0..rounds).map(|_| run()).sum();
    let micros = |d: Duration| d.as_secs_f64() * 1e6 / spans as f64;
    let cpu = cpu.zip(cpu_time()).map(|(a, b)| micros(b - a));
    println!(
        "{what}: {spans} spans, {:.2} µs wall per span, {:.2} µs CPU per span",
        micros(wall.elapsed()),
        cpu.unwrap_or(f64::NAN)
    );
}

fn decode(data: &[u8]) -> u64 {
    ingest("bench", data, &mut Drop).map_or_else(|e| panic!("{e}"), |s| s.spans)
}

fn build(data: &[u8]) -> u64 {
    let mut sink = Build::default();
    let spans = ingest("bench", data, &mut sink).map_or_else(|e| panic!("{e}"), |s| s.spans);
    sink.flush(0);
    spans
}

fn main() {
    let data = data();
    report("decode", 3, || decode(&data));
    report("decode, normalise, build", 3, || build(&data));
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("ingest");
    // A slice is enough for criterion's repetitions.
    let slice = &data[..data.len().min(32 << 20)];
    let slice = &slice[..slice.iter().rposition(|b| *b == b'\n').map_or(slice.len(), |i| i + 1)];
    group.throughput(Throughput::Bytes(slice.len() as u64));
    group.bench_function("decode", |b| b.iter(|| decode(slice)));
    group.bench_function("build", |b| b.iter(|| build(slice)));
    group.finish();
    criterion.final_summary();
}
