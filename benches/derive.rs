//! Derives the traces of an OTLP file, from batches in memory.
//!
//! `SPANFILE_BENCH_DATA` names the file; else the captures in `testdata` are used, repeated. Prints time per span of
//! making the rows, of that and deriving from them without looking for loops, and of all, which is what sealing does.

#![allow(clippy::expect_used, reason = "a benchmark without its data has nothing to say")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use spanfile::batch::{BatchBuilder, SpanBatch};
use spanfile::derive::{BatchRows, Deriver, SpanRow};
use spanfile::ingest::{BoxError, Refusal, Reject, Sink, ingest};
use spanfile::loops::Settings;
use spanfile::model::{LogRecord, Resource, Scope, Span};

/// Text of a batch, so that its offsets hold.
const BATCH_BYTES: usize = 256 << 20;
const ROUNDS: u32 = 5;
/// More often than anything is repeated.
const NEVER: usize = 1_000_000_000;

#[derive(Default)]
struct Build {
    builder: BatchBuilder,
    done: Vec<SpanBatch>,
}

impl Sink for Build {
    fn begin_resource(&mut self, resource: &Resource<'_>) {
        self.builder.begin_resource(resource);
    }

    fn begin_scope(&mut self, scope: &Scope<'_>) {
        self.builder.begin_scope(scope);
    }

    fn span(&mut self, span: &Span<'_>) -> Result<(), Refusal> {
        self.builder.push_span(span).map_err(|e| Refusal::Record(e.to_string()))?;
        if self.builder.bytes() > BATCH_BYTES {
            self.done.push(self.builder.finish());
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

fn batches() -> Vec<SpanBatch> {
    let mut sink = Build::default();
    let mut take = |path: &Path| {
        let file = std::fs::File::open(path).expect("data");
        ingest(&path.display().to_string(), file, &mut sink).expect("valid data");
    };
    match std::env::var("SPANFILE_BENCH_DATA") {
        Ok(path) => take(Path::new(&path)),
        Err(_) => {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
            let mut paths: Vec<_> =
                std::fs::read_dir(&folder).expect("testdata").map(|e| e.expect("entry").path()).collect();
            paths.sort();
            paths.iter().filter(|p| p.extension().is_some_and(|e| e == "jsonl")).for_each(|p| take(p));
        }
    }
    sink.done.push(sink.builder.finish());
    sink.done
}

fn main() {
    let batches = batches();
    // Places of the rows of each trace in canonical order, as a settled segment has them.
    let columns: Vec<BatchRows<'_>> = batches.iter().map(|b| BatchRows::new(&b.spans)).collect();
    let mut traces: BTreeMap<&[u8], Vec<(usize, usize)>> = BTreeMap::new();
    for (b, batch) in batches.iter().enumerate() {
        let ids = batch.spans.column_by_name("trace_id").expect("a column of the schema").as_fixed_size_binary();
        (0..batch.spans.num_rows()).for_each(|i| traces.entry(ids.value(i)).or_default().push((b, i)));
    }
    for places in traces.values_mut() {
        places.sort_by_key(|&(b, i)| {
            let row = columns[b].row(i);
            (row.start_time, row.span_id)
        });
    }
    // No call is made that often: nothing is looked at.
    let never =
        Settings { stagnation_calls: NEVER, scattered_near: NEVER, scattered_far: NEVER, ..Settings::default() };
    let mut without_loops = Deriver::with_loop_settings(never.with_min_repeats(NEVER));
    let mut deriver = Deriver::default();
    let mut rows: Vec<SpanRow<'_>> = Vec::new();
    let mut measure = |what: &str, deriver: Option<&mut Deriver>| {
        let mut deriver = deriver;
        let (wall, cpu, mut spans) = (Instant::now(), cpu_time(), 0u64);
        for places in (0..ROUNDS).flat_map(|_| traces.values()) {
            rows.clear();
            rows.extend(places.iter().map(|&(b, i)| columns[b].row(i)));
            spans += rows.len() as u64;
            match &mut deriver {
                Some(deriver) => _ = black_box(deriver.derive(black_box(&rows), &[])),
                None => _ = black_box(&rows),
            }
        }
        let nanos = |d: Duration| d.as_secs_f64() * 1e9 / spans as f64;
        let cpu = cpu.zip(cpu_time()).map_or(f64::NAN, |(a, b)| nanos(b - a));
        println!("{what}: {:.0} ns wall per span, {cpu:.0} ns CPU per span", nanos(wall.elapsed()));
    };
    let spans: usize = traces.values().map(Vec::len).sum();
    println!("{} traces of {:.1} spans", traces.len(), spans as f64 / traces.len() as f64);
    measure("rows", None);
    measure("rows and deriving without loops", Some(&mut without_loops));
    measure("rows and deriving", Some(&mut deriver));
}

/// CPU time of this process so far; `None` where the system does not say.
fn cpu_time() -> Option<Duration> {
    // Fields 14 and 15, counted behind the command's closing bracket: user and system time in ticks of 10 ms.
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}
