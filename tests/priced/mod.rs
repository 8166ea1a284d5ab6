//! Costs of roll-ups against the costs of single spans, on captures and on made-up runs that prices change under.

mod captures;
mod random;

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int64Type, TimestampNanosecondType};
use spanfile::cost::{Context, PriceBook, Usage};
use spanfile::priced::{PricedSteps, PricedUses, Pricing};
use spanfile::{ScanRequest, Snapshot, Table};

/// What runs cost, and what of it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Cost {
    /// `None` when nothing is known.
    pico_usd: Option<i128>,
    unpriced_spans: i64,
    unpriced_tokens: i64,
}

impl Cost {
    fn add(&mut self, cost: Option<i128>, spans: i64, tokens: i64) {
        if let Some(cost) = cost {
            *self.pico_usd.get_or_insert(0) += cost;
        }
        self.unpriced_spans += spans;
        self.unpriced_tokens += tokens;
    }
}

fn int(b: &RecordBatch, column: &str, row: usize) -> Option<i64> {
    let c = b.column_by_name(column).unwrap().as_primitive::<Int64Type>();
    c.is_valid(row).then(|| c.value(row))
}

fn usd(b: &RecordBatch, column: &str, row: usize) -> Option<i128> {
    let c = b.column_by_name(column).unwrap().as_primitive::<Decimal128Type>();
    c.is_valid(row).then(|| c.value(row))
}

fn text<'b>(b: &'b RecordBatch, column: &str, row: usize) -> Option<&'b str> {
    let c = b.column_by_name(column).unwrap().as_string::<i32>();
    c.is_valid(row).then(|| c.value(row))
}

fn trace(b: &RecordBatch, row: usize) -> Vec<u8> {
    b.column_by_name("trace_id").unwrap().as_fixed_size_binary().value(row).to_vec()
}

/// The sum over the rows of a table of costs.
fn sum(b: &RecordBatch) -> Cost {
    let mut sum = Cost::default();
    for row in 0..b.num_rows() {
        sum.add(
            usd(b, "cost_usd", row),
            int(b, "unpriced_spans", row).unwrap(),
            int(b, "unpriced_tokens", row).unwrap(),
        );
    }
    sum
}

/// Costs by run, as the roll-ups have them.
fn by_run(batches: &[PricedUses]) -> BTreeMap<Vec<u8>, Cost> {
    let mut runs = BTreeMap::new();
    for b in batches.iter().map(|p| &p.runs) {
        for row in 0..b.num_rows() {
            let mut cost = Cost::default();
            cost.add(
                usd(b, "cost_usd", row),
                int(b, "unpriced_spans", row).unwrap(),
                int(b, "unpriced_tokens", row).unwrap(),
            );
            let complete = b.column_by_name("cost_complete").unwrap().as_boolean().value(row);
            assert_eq!(complete, cost.unpriced_spans == 0);
            assert!(runs.insert(trace(b, row), cost).is_none(), "a run is in one portion");
        }
    }
    runs
}

fn priced(snapshot: &Snapshot, pricing: &Pricing) -> (Vec<PricedUses>, Vec<PricedSteps>) {
    let portions = snapshot.portions().unwrap();
    (
        portions.iter().map(|p| p.priced_uses(pricing).unwrap()).collect(),
        portions.iter().map(|p| p.priced_steps(pricing).unwrap()).collect(),
    )
}

/// Prices every span by itself, with nothing but the price book and the span's own columns. Calls of which nothing is
/// known are not found here.
fn span_by_span(snapshot: &Snapshot, book: &PriceBook) -> BTreeMap<Vec<u8>, Cost> {
    let mut runs: BTreeMap<Vec<u8>, Cost> = BTreeMap::new();
    for b in snapshot.scan(&ScanRequest::new(Table::Spans)).unwrap().map(Result::unwrap) {
        for row in 0..b.num_rows() {
            let run = runs.entry(trace(&b, row)).or_default();
            let tokens = |column: &str| int(&b, column, row);
            let usage = Usage {
                input: tokens("input_tokens"),
                output: tokens("output_tokens").or((text(&b, "kind", row) == Some("embedding")).then_some(0)),
                cache_read: tokens("cache_read_tokens"),
                cache_write: tokens("cache_write_tokens"),
                cache_write_1h: tokens("cache_write_1h_tokens"),
                reasoning: tokens("reasoning_tokens"),
                input_audio: tokens("input_audio_tokens"),
                input_image: tokens("input_image_tokens"),
                output_audio: tokens("output_audio_tokens"),
                ..Usage::default()
            };
            let known = tokens("total_tokens").unwrap_or(usage.input.unwrap_or(0) + usage.output.unwrap_or(0));
            let at = b.column_by_name("start_time").unwrap().as_primitive::<TimestampNanosecondType>().value(row);
            match text(&b, "cost_basis", row) {
                Some("reported" | "covering") => run.add(usd(&b, "reported_cost_usd", row), 0, 0),
                Some("computed") => {
                    let names = ["provider", "response_model", "request_model"].map(|c| text(&b, c, row));
                    let cost = book
                        .find(names[0], names[1], names[2])
                        .and_then(|m| m.rates_at(at, Context { service_tier: text(&b, "service_tier", row) }))
                        .and_then(|rates| rates.cost(&usage));
                    match cost {
                        Ok(cost) => run.add(Some(cost.total), 0, 0),
                        Err(_) => run.add(None, 1, known),
                    }
                }
                Some("incomplete" | "inconsistent") => run.add(None, 1, known),
                _ => {}
            }
        }
    }
    runs
}

/// All the sums agree, to the last pico-dollar. Returns them, and how many calls nothing is known of.
fn agree(snapshot: &Snapshot, book: &std::sync::Arc<PriceBook>) -> (Cost, i64) {
    let (uses, steps) = priced(snapshot, &Pricing::new(book.clone()));
    let total = |parts: Vec<Cost>| {
        parts.into_iter().fold(Cost::default(), |mut all, c| {
            all.add(c.pico_usd, c.unpriced_spans, c.unpriced_tokens);
            all
        })
    };
    let runs = total(uses.iter().map(|p| sum(&p.runs)).collect());
    let of_uses = total(uses.iter().map(|p| sum(&p.uses)).collect());
    let of_buckets = total(uses.iter().map(|p| sum(&p.buckets)).collect());
    let of_tools = total(steps.iter().map(|p| sum(&p.tools)).collect());
    let zero = |c: Option<i128>| c.unwrap_or(0);
    assert_eq!((zero(runs.pico_usd), runs.unpriced_spans), (zero(of_uses.pico_usd), of_uses.unpriced_spans));
    assert_eq!(runs.unpriced_tokens, of_uses.unpriced_tokens);
    assert_eq!((zero(runs.pico_usd), runs.unpriced_spans), (zero(of_buckets.pico_usd), of_buckets.unpriced_spans));
    // A call that several tools share is missing from each.
    assert_eq!(zero(runs.pico_usd), zero(of_tools.pico_usd));
    assert_eq!(runs.unpriced_spans == 0, of_tools.unpriced_spans == 0);
    let alone = span_by_span(snapshot, book);
    let rolled = by_run(&uses);
    let mut unaccounted = 0;
    assert_eq!(alone.keys().collect::<Vec<_>>(), rolled.keys().collect::<Vec<_>>());
    for (run, by_span) in &alone {
        let by_use = rolled[run];
        assert_eq!(zero(by_use.pico_usd), zero(by_span.pico_usd), "run {run:x?}");
        assert_eq!(by_use.unpriced_tokens, by_span.unpriced_tokens, "run {run:x?}");
        assert!(by_use.unpriced_spans >= by_span.unpriced_spans, "run {run:x?}");
        unaccounted += by_use.unpriced_spans - by_span.unpriced_spans;
    }
    (runs, unaccounted)
}
