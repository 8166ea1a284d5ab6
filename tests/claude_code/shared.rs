//! Real sessions against what others count in them. They lie beside the repository, in `../shared`; without them the
//! tests say so and pass.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use spanfile::cost::{Context, PicoUsd, PriceBook, Usage};
use spanfile::{Store, Table};

use super::{Totals, import, new_store, rows_of, totals};
use crate::ingest::gather::gather;
use crate::store::captures::contents;
use crate::stories::Rows;

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/claude-code");
    if !folder.is_dir() {
        println!("skipped: no ../shared/data/claude-code");
        return None;
    }
    Some(folder)
}

fn reference(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("reference_cost_usd.json")).unwrap()).unwrap()
}

/// What a file says by a reading of its own: usage by call, the last record wins.
fn read_plainly(path: &Path) -> (Totals, BTreeMap<String, u64>) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut calls: BTreeMap<(String, String), Value> = BTreeMap::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        if record["type"] == "assistant" {
            let id = |v: &Value| v.as_str().unwrap().to_owned();
            calls.insert((id(&record["message"]["id"]), id(&record["requestId"])), record["message"].clone());
        }
    }
    let (mut totals, mut models) = (Totals::default(), BTreeMap::new());
    for message in calls.values() {
        let count = |path: &str| message.pointer(&format!("/usage/{path}")).and_then(Value::as_i64).unwrap();
        let (read, written) = (count("cache_read_input_tokens"), count("cache_creation_input_tokens"));
        totals.calls += 1;
        totals.input += count("input_tokens") + read + written;
        totals.output += count("output_tokens");
        totals.cache_read += read;
        totals.cache_write += written;
        totals.cache_write_1h += count("cache_creation/ephemeral_1h_input_tokens");
        *models.entry(message["model"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    (totals, models)
}

#[test]
fn calls_and_tokens_of_every_file() {
    let Some(folder) = folder() else { return };
    let reference = reference(&folder);
    for (name, file) in reference["files"].as_object().unwrap() {
        let path = folder.join(name);
        let got = gather(&std::fs::read(&path).unwrap());
        assert_eq!(got.rejected, [], "{name}");
        let (want, models) = read_plainly(&path);
        assert_eq!(want.calls, file["api_calls"].as_i64().unwrap(), "{name}");
        let want_models: BTreeMap<String, u64> = serde_json::from_value(file["models"].clone()).unwrap();
        assert_eq!(models, want_models, "{name}");

        let dir = tempfile::tempdir().unwrap();
        let store = new_store(dir.path());
        import(&store, std::slice::from_ref(&path));
        let got = totals(&store);
        assert_eq!(got, want, "{name}");
        let mut models: BTreeMap<String, u64> = BTreeMap::new();
        for row in rows_of(&store).each().filter(|row| row.text("kind").as_deref() == Some("llm")) {
            *models.entry(row.text("response_model").unwrap()).or_default() += 1;
        }
        assert_eq!(models, want_models, "{name}");
    }
}

/// Cost of what counts by the price book: with every cache write at the price of five minutes, and with each at its own.
fn cost(store: &Store) -> (PicoUsd, PicoUsd) {
    let book = PriceBook::bundled();
    let (mut flat, mut exact) = (0, 0);
    for row in rows_of(store).each().filter(|row| row.flag("usage_counted") == Some(true)) {
        assert_eq!(row.text("cost_basis").as_deref(), Some("computed"));
        let [provider, model, tier] = ["provider", "response_model", "service_tier"].map(|column| row.text(column));
        let found = book.find(provider.as_deref(), model.as_deref(), None).unwrap();
        let rates = found.rates_at(row.start(), Context { service_tier: tier.as_deref() }).unwrap();
        let usage = Usage {
            input: row.int("input_tokens"),
            output: row.int("output_tokens"),
            cache_read: row.int("cache_read_tokens"),
            cache_write: row.int("cache_write_tokens"),
            cache_write_1h: row.int("cache_write_1h_tokens"),
            ..Usage::default()
        };
        exact += rates.cost(&usage).unwrap().total;
        flat += rates.cost(&Usage { cache_write_1h: None, ..usage }).unwrap().total;
    }
    (flat, exact)
}

fn dollars(cost: PicoUsd) -> String {
    // The reference has eight digits behind the point.
    assert_eq!(cost % 10_000, 0);
    format!("{}.{:08}", cost / 1_000_000_000_000, cost % 1_000_000_000_000 / 10_000)
}

#[test]
fn cost_is_that_of_the_reference() {
    let Some(folder) = folder() else { return };
    let (mut flat, mut exact) = (0, 0);
    let reference = reference(&folder);
    for (name, file) in reference["files"].as_object().unwrap() {
        let dir = tempfile::tempdir().unwrap();
        let store = new_store(dir.path());
        import(&store, &[folder.join(name)]);
        let cost = cost(&store);
        assert_eq!(dollars(cost.0), file["cost_usd_dedup"].as_str().unwrap(), "{name}");
        flat += cost.0;
        exact += cost.1;
    }
    println!("{} with every cache write at the price of five minutes, {} exactly", dollars(flat), dollars(exact));
    assert_eq!((dollars(flat).as_str(), dollars(exact).as_str()), ("20.92467700", "22.33942675"));
}

#[test]
fn all_files_in_any_order_count_each_call_once() {
    let Some(folder) = folder() else { return };
    let reference = reference(&folder);
    let mut paths: Vec<PathBuf> = reference["files"].as_object().unwrap().keys().map(|n| folder.join(n)).collect();
    let mut want = Totals::default();
    paths.iter().for_each(|path| want += read_plainly(path).0);

    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let store = new_store(dirs[0].path());
    import(&store, &paths);
    assert_eq!(totals(&store), want);
    let sum = |column: &str| Rows::of(&store, Table::Runs).each().map(|run| run.int(column).unwrap()).sum::<i64>();
    assert_eq!((sum("llm_calls"), sum("orphans"), sum("cycles")), (want.calls, 0, 0));
    assert_eq!(Rows::of(&store, Table::Runs).each().count(), 2, "subagents are in the runs of their sessions");

    let again = new_store(dirs[1].path());
    for path in paths.iter().rev() {
        import(&again, std::slice::from_ref(path));
    }
    paths.rotate_left(2);
    import(&again, &paths);
    assert!(contents(&again) == contents(&store), "the order of files, and how often they come, changes rows");
}
