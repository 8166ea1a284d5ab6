//! Derives the traces of an OTLP file, from batches in memory.
//!
//! `SPANFILE_BENCH_DATA` names the file; else the captures in `testdata` are used. Prints time per span, the least of
//! several rounds: of making the rows, of deriving from them without looking for loops, and of looking for loops.

#![allow(clippy::expect_used, reason = "a benchmark without its data has nothing to say")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use arrow::array::AsArray;
use spanfile::batch::{BatchBuilder, SpanBatch};
use spanfile::derive::{BatchRows, Deriver, SpanRow};
use spanfile::ingest::{BoxError, Refusal, Reject, Sink, ingest};
use spanfile::loops::Settings;
use spanfile::model::{LogRecord, Resource, Scope, Span};

/// Text of a batch, so that its offsets hold.
const BATCH_BYTES: usize = 256 << 20;
const ROUNDS: u32 = 31;
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
    let mut measure = |deriver: Option<&mut Deriver>| {
        let mut deriver = deriver;
        let (begin, mut spans) = (Instant::now(), 0u64);
        for places in traces.values() {
            rows.clear();
            rows.extend(places.iter().map(|&(b, i)| columns[b].row(i)));
            spans += rows.len() as u64;
            match &mut deriver {
                Some(deriver) => _ = black_box(deriver.derive(black_box(&rows), &[])),
                None => _ = black_box(&rows),
            }
        }
        begin.elapsed().as_secs_f64() * 1e9 / spans as f64
    };
    let spans: usize = traces.values().map(Vec::len).sum();
    println!("{} traces of {:.1} spans, {ROUNDS} rounds", traces.len(), spans as f64 / traces.len() as f64);
    // In turns: a machine that others use is as fast for one as for the other.
    let mut times = [const { Vec::<f64>::new() }; 3];
    for _ in 0..ROUNDS {
        times[0].push(measure(None));
        times[1].push(measure(Some(&mut without_loops)));
        times[2].push(measure(Some(&mut deriver)));
    }
    // What others do on the machine only ever adds time.
    let [rows, without, with] = times.map(|times| times.into_iter().fold(f64::INFINITY, f64::min));
    println!(
        "rows {rows:.0}, deriving without loops {:.0}, looking for loops {:.0} ns per span",
        without - rows,
        with - without
    );
}
