//! Captures: all sums of a file agree.

use std::path::Path;

use spanfile::batch::BatchBuilder;
use spanfile::cost::{Alias, PriceBook, PriceFile};
use spanfile::ingest::ingest;
use spanfile::model::{Resource, Scope, Span, SpanId, TraceId, Value};
use spanfile::priced::Pricing;
use spanfile::{Importer, Options, Store};

use super::{agree, by_run, priced, text};
use crate::store::captures::{NoRejects, captures};

fn store_of(folder: &Path, inputs: &[std::path::PathBuf]) -> Store {
    let store = Store::create(folder.join("a.spans"), Options::default()).unwrap();
    let mut importer = Importer::new(store.writer().unwrap(), NoRejects);
    for path in inputs {
        ingest(&path.display().to_string(), std::fs::File::open(path).unwrap(), &mut importer).unwrap();
    }
    importer.finish().unwrap();
    store
}

#[test]
fn all_sums_over_the_captures_agree() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_of(folder.path(), &captures());
    let (cost, unaccounted) = agree(&store.snapshot().unwrap(), PriceBook::bundled());
    println!("{cost:?}, {unaccounted} calls of which nothing is known");
    assert!(cost.pico_usd > Some(0));
}

#[test]
fn a_model_without_a_price_is_missing_until_an_alias_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let store = store_of(folder.path(), &[root.join("testdata/litellm-native.normal.jsonl")]);
    let snapshot = store.snapshot().unwrap();
    // Only the user's prices, none of which is for these models.
    let file = "provider,model,input_usd_per_mtok,output_usd_per_mtok\nacme,gadget,1,2\n";
    let bare = PriceFile::read(file.as_bytes()).unwrap().onto(&PriceBook::empty()).unwrap();
    let as_of_now = |book: &PriceBook| Pricing::new(std::sync::Arc::new(book.clone())).as_of(1_780_000_000_000_000_000);
    let (uses, steps) = priced(&snapshot, &as_of_now(&bare));
    let runs = by_run(&uses);
    assert!(runs.values().all(|c| c.pico_usd.is_none() && c.unpriced_spans > 0), "{runs:?}");
    let audit = &steps[0].audit;
    let unknown =
        (0..audit.num_rows()).filter(|&r| text(audit, "reason", r).is_some_and(|r| r.starts_with("unknown_")));
    assert_eq!(unknown.count() as i64, runs.values().map(|c| c.unpriced_spans).sum::<i64>());
    let names: Vec<&str> = (0..audit.num_rows()).filter_map(|r| text(audit, "response_model", r)).collect();
    let aliases = names.iter().map(|name| Alias {
        alias: (*name).to_owned(),
        for_provider: None,
        provider: "acme".to_owned(),
        model: "gadget".to_owned(),
    });
    let (uses, _) = priced(&snapshot, &as_of_now(&bare.with_aliases(aliases).unwrap()));
    let runs = by_run(&uses);
    assert!(runs.values().all(|c| c.pico_usd > Some(0) && c.unpriced_spans == 0), "{runs:?}");
}

/// The reference counts a span that came twice in one file as two; a span is one.
const CAME_TWICE: (&str, &str) = ("72822db6e120878d916b515c2501246b", "0.167238");

#[test]
fn recorded_runs_cost_what_their_reference_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/trail");
    let Ok(reference) = std::fs::read_to_string(root.join("reference_cost_usd.json")) else {
        println!("the recorded runs are not here: skipped");
        return;
    };
    let reference: std::collections::BTreeMap<String, String> = serde_json::from_str(&reference).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(root.join("dev_otlp")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let folder = tempfile::tempdir().unwrap();
    let store = store_of(folder.path(), &files);
    let (uses, _) = priced(&store.snapshot().unwrap(), &Pricing::new(PriceBook::bundled().clone()));
    let runs = by_run(&uses);
    let hex = |id: &[u8]| id.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(runs.len(), reference.len());
    for (id, cost) in &runs {
        let id = hex(id);
        let expected = if id == CAME_TWICE.0 { CAME_TWICE.1 } else { &reference[&id] };
        let expected = expected.strip_prefix("0.").unwrap();
        let expected: i128 = format!("{expected:0<12}").parse().unwrap();
        assert_eq!((cost.pico_usd, cost.unpriced_spans), (Some(expected), 0), "{id}");
    }
}

#[test]
fn exclusive_and_inclusive_usage_of_one_call_cost_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path().join("a.spans"), Options::default()).unwrap();
    let mut rows = BatchBuilder::new();
    rows.begin_resource(&Resource::default());
    rows.begin_scope(&Scope::default());
    // 300 tokens beside what was read from the cache and written to it: told apart by one source, as a sum by the other.
    for (trace, input) in [(1, 300), (2, 300 + 5000 + 700)] {
        let attribute = |key: &'static str, value: Value<'static>| (std::borrow::Cow::Borrowed(key), value);
        rows.push_span(&Span {
            trace_id: TraceId([trace; 16]),
            span_id: SpanId([1; 8]),
            start_unix_nano: 1_780_000_000_000_000_000,
            end_unix_nano: 1_780_000_001_000_000_000,
            attributes: vec![
                attribute("gen_ai.operation.name", Value::from("chat")),
                attribute("gen_ai.provider.name", Value::from("anthropic")),
                attribute("gen_ai.request.model", Value::from("claude-sonnet-4-5")),
                attribute("gen_ai.usage.input_tokens", Value::Int(input)),
                attribute("gen_ai.usage.output_tokens", Value::Int(40)),
                attribute("gen_ai.usage.cache_read.input_tokens", Value::Int(5000)),
                attribute("gen_ai.usage.cache_creation.input_tokens", Value::Int(700)),
            ],
            ..Span::default()
        })
        .unwrap();
    }
    let mut writer = store.writer().unwrap();
    writer.append(rows.finish()).unwrap();
    writer.seal_all().unwrap();
    let (uses, _) = priced(&store.snapshot().unwrap(), &Pricing::new(PriceBook::bundled().clone()));
    let costs: Vec<_> = by_run(&uses).into_values().map(|c| c.pico_usd.unwrap()).collect();
    // Dollars per million tokens are pico-dollars per token times a million: 3, 15, 0.3, 3.75.
    let expected = 300 * 3_000_000 + 40 * 15_000_000 + 5000 * 300_000 + 700 * 3_750_000;
    assert_eq!(costs, [expected, expected]);
}
