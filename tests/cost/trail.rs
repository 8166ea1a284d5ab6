//! Costs of recorded runs against figures that were computed independently, to the last digit. The recordings are beside
//! the repository, in `../shared`, and are not ours to commit.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use spanfile::cost::{Context, PriceBook, Usage, format_usd};
use spanfile::derive::{BatchLogs, BatchRows, Deriver, LogRow};
use spanfile::ingest::ingest;

use crate::ingest::gather::Gather;

#[test]
fn recorded_runs_cost_what_their_reference_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/trail");
    let Ok(reference) = std::fs::read(folder.join("reference_cost_usd.json")) else {
        println!("skipped: {} is not here", folder.display());
        return;
    };
    let reference: BTreeMap<String, String> = serde_json::from_slice(&reference).unwrap();
    let book = PriceBook::bundled();
    for (run, expected) in &reference {
        let mut gather = Gather::default();
        let name = format!("{run}.json");
        let file = std::fs::File::open(folder.join("dev_otlp").join(&name)).unwrap();
        ingest(&name, file, &mut gather).unwrap();
        let batch = gather.finish();
        let (spans, rows, logs) = (&batch.spans, BatchRows::new(&batch.spans), BatchLogs::new(&batch.logs));
        let ids = spans.column_by_name("trace_id").unwrap().as_fixed_size_binary();
        let mut traces: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
        (0..rows.len()).for_each(|i| traces.entry(ids.value(i)).or_default().push(i));
        let of_trace = batch.logs.column_by_name("trace_id").unwrap().as_fixed_size_binary();
        let text = |name: &str, i: usize| {
            let column = arrow::compute::cast(spans.column_by_name(name).unwrap(), &arrow::datatypes::DataType::Utf8);
            let column = column.unwrap();
            let column = column.as_string::<i32>();
            column.is_valid(i).then(|| column.value(i).to_owned())
        };
        let count = |name: &str, i: usize| {
            let column = spans.column_by_name(name).unwrap().as_primitive::<Int64Type>();
            column.is_valid(i).then(|| column.value(i))
        };
        let starts = spans.column_by_name("start_time").unwrap().as_primitive::<TimestampNanosecondType>();
        let mut deriver = Deriver::default();
        let (mut total, mut priced) = (0, 0);
        for (trace, mut places) in traces {
            places.sort_by_key(|&i| (rows.row(i).start_time, rows.row(i).span_id));
            let of_rows: Vec<_> = places.iter().map(|&i| rows.row(i)).collect();
            let mut of_logs: Vec<LogRow<'_>> =
                (0..logs.len()).filter(|&i| of_trace.value(i) == trace).map(|i| logs.row(i)).collect();
            of_logs.sort_by_key(|l| (l.span_id, l.time));
            let derived = deriver.derive(&of_rows, &of_logs);
            for (&i, span) in places.iter().zip(&derived.spans) {
                if !span.usage_counted {
                    continue;
                }
                let models = (text("response_model", i), text("request_model", i));
                let found = book.find(text("provider", i).as_deref(), models.0.as_deref(), models.1.as_deref());
                let tier = text("service_tier", i);
                let rates =
                    found.unwrap().rates_at(starts.value(i), Context { service_tier: tier.as_deref() }).unwrap();
                let usage = Usage {
                    input: count("input_tokens", i),
                    output: count("output_tokens", i),
                    cache_read: count("cache_read_tokens", i),
                    cache_write: count("cache_write_tokens", i),
                    cache_write_1h: count("cache_write_1h_tokens", i),
                    reasoning: count("reasoning_tokens", i),
                    ..Usage::default()
                };
                total += rates.cost(&usage).unwrap().total;
                priced += 1;
            }
        }
        let expected = expected.trim_end_matches('0');
        assert_eq!(format_usd(total), expected, "{run}: {priced} spans priced");
    }
    println!("{} runs equal", reference.len());
}
