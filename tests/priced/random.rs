//! Made-up runs: prices change between and during days, calls lie below, at and above thresholds, costs are reported on
//! any span. The roll-ups must cost what the spans do.

use std::borrow::Cow;

use proptest::prelude::*;
use spanfile::batch::BatchBuilder;
use spanfile::cost::{PriceBook, PriceFile};
use spanfile::model::{Resource, Scope, Span, SpanId, TraceId, Value};
use spanfile::priced::Pricing;
use spanfile::{Options, Store};

use super::{agree, by_run, priced, sum};

/// Noon of 1 June 2026.
const NOON: i64 = 1_780_315_200_000_000_000;
const HOUR: i64 = 3_600_000_000_000;

/// Prices with thresholds, hours, a change of day and one within a day.
const PRICES: &str = "\
provider,model,valid_from,valid_to,hours_utc,service_tier,above_input_tokens,input_usd_per_mtok,output_usd_per_mtok,cache_read_usd_per_mtok,request_usd
acme,steps,,,,,,3,15,0.3,
acme,steps,,,,,1000,6,22.5,0.6,
acme,moves,,2026-06-01T12:00:00Z,,,,1,2,,
acme,moves,2026-06-01T12:00:00Z,,,,,5,7,,
acme,night,,,,,,1,2,,0.001
acme,night,,,00:30:00-16:30:00,,,2,4,,0.002
acme,ends,,2026-06-02,,,,1,1,,
acme,flexible,,,,,,8,8,,
acme,flexible,,,,flex,,4,4,,
acme,thirds,,,,,,0.0833333,1.000000000001,,
";

fn book() -> PriceBook {
    PriceFile::read(PRICES.as_bytes()).unwrap().onto(&PriceBook::empty()).unwrap()
}

const MODELS: [&str; 7] = ["steps", "moves", "night", "ends", "flexible", "thirds", "nobody"];

#[derive(Debug, Clone)]
struct Made {
    parent: Option<prop::sample::Index>,
    operation: u8,
    model: usize,
    tier: bool,
    hours: i64,
    tokens: Option<(i64, Option<i64>, Option<i64>)>,
    cost: Option<u32>,
    failed: bool,
}

fn made() -> impl Strategy<Value = Made> {
    let input = prop_oneof![Just(0), Just(999), Just(1000), Just(1001), 0..5000i64];
    let tokens = (input, prop::option::weighted(0.9, 0..2000i64), prop::option::weighted(0.3, 0..1200i64));
    (
        prop::option::weighted(0.7, any::<prop::sample::Index>()),
        0..5u8,
        0..MODELS.len(),
        any::<bool>(),
        -40..40i64,
        prop::option::weighted(0.8, tokens),
        prop::option::weighted(0.2, 0..1_000_000u32),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(parent, operation, model, tier, hours, tokens, cost, failed)| Made {
            parent,
            operation,
            model,
            tier,
            hours,
            tokens,
            cost,
            failed,
        })
}

fn id(n: usize) -> SpanId {
    SpanId((n as u64 + 1).to_be_bytes())
}

fn span<'a>(trace: u8, n: usize, made: &Made) -> Span<'a> {
    let mut attributes = vec![
        (
            Cow::Borrowed("gen_ai.operation.name"),
            Value::from(["chat", "execute_tool", "invoke_agent", "embeddings", "chat"][made.operation as usize]),
        ),
        (Cow::Borrowed("gen_ai.provider.name"), Value::from("acme")),
        (Cow::Borrowed("gen_ai.request.model"), Value::from(MODELS[made.model])),
        (Cow::Borrowed("gen_ai.agent.name"), Value::from(if made.model.is_multiple_of(2) { "even" } else { "odd" })),
    ];
    if made.operation == 1 {
        attributes.push((Cow::Borrowed("gen_ai.tool.name"), Value::from(["grep", "sed", "awk"][made.model % 3])));
    }
    if made.tier {
        attributes.push((Cow::Borrowed("openai.response.service_tier"), Value::from("flex")));
    }
    if let Some((input, output, cached)) = made.tokens {
        attributes.push((Cow::Borrowed("gen_ai.usage.input_tokens"), Value::Int(input)));
        if let Some(output) = output {
            attributes.push((Cow::Borrowed("gen_ai.usage.output_tokens"), Value::Int(output)));
        }
        if let Some(cached) = cached {
            attributes.push((Cow::Borrowed("gen_ai.usage.cache_read.input_tokens"), Value::Int(cached)));
        }
    }
    if let Some(cost) = made.cost {
        attributes.push((Cow::Borrowed("gen_ai.usage.cost"), Value::Double(f64::from(cost) / 1e6)));
        attributes.push((Cow::Borrowed("llm.cost.total"), Value::Double(f64::from(cost) / 1e6)));
    }
    let start = NOON + made.hours * HOUR / 2;
    Span {
        trace_id: TraceId([trace + 1; 16]),
        span_id: id(n),
        parent_span_id: made.parent.filter(|_| n > 0).map(|p| id(p.index(n))),
        name: Cow::Borrowed("made"),
        start_unix_nano: start as u64,
        end_unix_nano: (start + HOUR) as u64,
        status: if made.failed { spanfile::model::StatusCode::Error } else { Default::default() },
        attributes,
        ..Span::default()
    }
}

fn store(folder: &std::path::Path, runs: &[Vec<Made>]) -> Store {
    let store = Store::create(folder.join("a.spans"), Options::default()).unwrap();
    let mut writer = store.writer().unwrap();
    for (trace, spans) in runs.iter().enumerate() {
        let mut rows = BatchBuilder::new();
        rows.begin_resource(&Resource::default());
        rows.begin_scope(&Scope::default());
        for (n, made) in spans.iter().enumerate() {
            rows.push_span(&span(trace as u8, n, made)).unwrap();
        }
        writer.append(rows.finish()).unwrap();
        writer.commit().unwrap();
        // Some runs are sealed, the others not.
        if trace == runs.len() / 2 {
            writer.seal_all().unwrap();
        }
    }
    drop(writer);
    store
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn roll_ups_cost_what_their_spans_do(runs in prop::collection::vec(prop::collection::vec(made(), 1..14), 1..6)) {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), &runs);
        agree(&store.snapshot().unwrap(), &std::sync::Arc::new(book()));
    }

    /// At one moment's prices, time does not matter; on another model, only calls of the first change.
    #[test]
    fn other_prices_agree_too(runs in prop::collection::vec(prop::collection::vec(made(), 1..14), 1..4)) {
        let folder = tempfile::tempdir().unwrap();
        let snapshot = store(folder.path(), &runs).snapshot().unwrap();
        let pricing = Pricing::new(std::sync::Arc::new(book()));
        let as_of = pricing.clone().as_of(NOON);
        let instead = pricing.clone().instead("moves", "acme/flexible").unwrap();
        prop_assert!(pricing.clone().instead("moves", "acme/nobody").is_err());
        for other in [as_of, instead] {
            let (uses, steps) = priced(&snapshot, &other);
            let zero = |c: Option<i128>| c.unwrap_or(0);
            let runs: i128 = by_run(&uses).values().map(|c| zero(c.pico_usd)).sum();
            let of_uses: i128 = uses.iter().map(|p| zero(sum(&p.uses).pico_usd)).sum();
            let of_tools: i128 = steps.iter().map(|p| zero(sum(&p.tools).pico_usd)).sum();
            prop_assert_eq!(runs, of_uses);
            prop_assert_eq!(runs, of_tools);
        }
    }
}
