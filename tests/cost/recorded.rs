//! Costs of recorded runs, from their spans. The recordings are beside the repository, in `../shared`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type, TimestampNanosecondType};
use spanfile::batch::SpanBatch;
use spanfile::cost::{Context, Cost, PriceBook, Unpriced, Usage, format_usd};
use spanfile::derive::{BatchLogs, BatchRows, Deriver, LogRow};
use spanfile::ingest::ingest;

use crate::ingest::gather::Gather;

fn folder(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if !folder.is_dir() {
        println!("skipped: {} is not here", folder.display());
        return None;
    }
    Some(folder)
}

fn batch(path: &Path) -> SpanBatch {
    let mut gather = Gather::default();
    ingest(path.to_str().unwrap(), std::fs::File::open(path).unwrap(), &mut gather).unwrap();
    gather.finish()
}

/// Provider, answering model, model that was asked for.
type Names = [Option<String>; 3];

/// Provider and models of every span whose usage counts, with its cost.
fn priced(batch: &SpanBatch) -> Vec<(Names, Result<Cost, Unpriced>)> {
    let (spans, rows, logs) = (&batch.spans, BatchRows::new(&batch.spans), BatchLogs::new(&batch.logs));
    let ids = spans.column_by_name("trace_id").unwrap().as_fixed_size_binary();
    let mut traces: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    (0..rows.len()).for_each(|i| traces.entry(ids.value(i)).or_default().push(i));
    let of_trace = batch.logs.column_by_name("trace_id").unwrap().as_fixed_size_binary();
    let texts = ["provider", "response_model", "request_model", "service_tier"]
        .map(|name| arrow::compute::cast(spans.column_by_name(name).unwrap(), &DataType::Utf8).unwrap());
    let count = |name: &str, i: usize| {
        let column = spans.column_by_name(name).unwrap().as_primitive::<Int64Type>();
        column.is_valid(i).then(|| column.value(i))
    };
    let starts = spans.column_by_name("start_time").unwrap().as_primitive::<TimestampNanosecondType>();
    let book = PriceBook::bundled();
    let mut deriver = Deriver::default();
    let mut found = Vec::new();
    for (trace, mut places) in traces {
        places.sort_by_key(|&i| (rows.row(i).start_time, rows.row(i).span_id));
        let of_rows: Vec<_> = places.iter().map(|&i| rows.row(i)).collect();
        let mut of_logs: Vec<LogRow<'_>> =
            (0..logs.len()).filter(|&i| of_trace.value(i) == trace).map(|i| logs.row(i)).collect();
        of_logs.sort_by_key(|l| (l.span_id, l.time));
        let derived = deriver.derive(&of_rows, &of_logs);
        for (&i, _) in places.iter().zip(&derived.spans).filter(|(_, span)| span.usage_counted) {
            let [provider, response, request, tier] = [0, 1, 2, 3].map(|t| {
                let column = texts[t].as_string::<i32>();
                column.is_valid(i).then(|| column.value(i).to_owned())
            });
            let usage = Usage {
                input: count("input_tokens", i),
                output: count("output_tokens", i),
                cache_read: count("cache_read_tokens", i),
                cache_write: count("cache_write_tokens", i),
                cache_write_1h: count("cache_write_1h_tokens", i),
                reasoning: count("reasoning_tokens", i),
                ..Usage::default()
            };
            let cost = book
                .find(provider.as_deref(), response.as_deref(), request.as_deref())
                .and_then(|m| m.rates_at(starts.value(i), Context { service_tier: tier.as_deref() }))
                .and_then(|rates| rates.cost(&usage));
            found.push(([provider, response, request], cost));
        }
    }
    found
}

#[test]
fn recorded_runs_cost_what_their_reference_says() {
    let Some(folder) = folder("trail") else { return };
    let reference = std::fs::read(folder.join("reference_cost_usd.json")).unwrap();
    let reference: BTreeMap<String, String> = serde_json::from_slice(&reference).unwrap();
    for (run, expected) in &reference {
        let spans = priced(&batch(&folder.join(format!("dev_otlp/{run}.json"))));
        let total: i128 = spans.iter().map(|(_, cost)| cost.as_ref().unwrap().total).sum();
        assert_eq!(format_usd(total), expected.trim_end_matches('0'), "{run}: {} spans", spans.len());
    }
    println!("{} runs equal", reference.len());
}

#[test]
fn usages_of_every_framework_have_a_price() {
    let Some(folder) = folder("captures") else { return };
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut costs = 0;
    for framework in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()) {
        for file in std::fs::read_dir(&framework).unwrap().map(|e| e.unwrap().path()) {
            let name = file.file_name().unwrap().to_str().unwrap();
            let is_spans = (name.ends_with(".jsonl") || name.ends_with(".jsonl.gz")) && !name.contains(".logs.");
            if !is_spans {
                continue;
            }
            for (names, cost) in priced(&batch(&file)) {
                match cost {
                    Ok(cost) => costs += u32::from(cost.total > 0),
                    Err(e) => *seen.entry(format!("{} {names:?}", e.why)).or_default() += 1,
                }
            }
        }
    }
    println!("{costs} usages with a cost, without: {seen:#?}");
    assert!(costs > 300);
    assert!(seen.is_empty());
}
