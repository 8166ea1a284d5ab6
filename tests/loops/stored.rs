//! Loops as a file holds them.

use std::io::Read;
use std::path::{Path, PathBuf};

use spanfile::ingest::ingest;
use spanfile::{Importer, Options, Store, Table};

use crate::store::captures::NoRejects;
use crate::stories::Rows;

/// A loop, as the table `loops` tells of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub(super) trace: String,
    pub(super) kind: String,
    pub(super) severity: String,
    pub(super) period: i64,
    pub(super) steps: i64,
    pub(super) repeated: String,
    pub(super) wasted_tokens: Option<i64>,
    pub(super) wasted_ns: i64,
}

impl Stored {
    pub(super) fn is_loop(&self) -> bool {
        self.severity != "info"
    }
}

/// A file beside the repository, where it is there.
pub(super) fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    if !path.exists() {
        println!("skipped: {} is not here", path.display());
        return None;
    }
    Some(path)
}

pub(super) fn store_of<'i>(folder: &Path, inputs: impl IntoIterator<Item = (String, Box<dyn Read + 'i>)>) -> Store {
    let store = Store::create(folder.join("loops.spans"), Options::default()).unwrap();
    let mut importer = Importer::new(store.writer().unwrap(), NoRejects);
    for (name, input) in inputs {
        ingest(&name, input, &mut importer).unwrap();
    }
    importer.finish().unwrap();
    store
}

pub(super) fn opened(path: &Path) -> (String, Box<dyn Read>) {
    (path.display().to_string(), Box::new(std::fs::File::open(path).unwrap()))
}

/// The loops of a file, and what its runs used: tokens and time by trace.
pub(super) fn loops_of(store: &Store) -> Vec<Stored> {
    let rows = Rows::of(store, Table::Loops);
    rows.each()
        .map(|row| {
            let text = |column: &str| row.text(column).unwrap();
            Stored {
                trace: text("trace_id"),
                kind: text("kind"),
                severity: text("severity"),
                period: row.int("period").unwrap(),
                steps: row.int("steps").unwrap(),
                repeated: text("repeated"),
                wasted_tokens: row.int("wasted_tokens"),
                wasted_ns: row.int("wasted_ns").unwrap(),
            }
        })
        .collect()
}

/// Holds that no run wasted more than it used.
pub(super) fn waste_is_within_runs(store: &Store) {
    let loops = loops_of(store);
    for run in Rows::of(store, Table::Runs).each() {
        let trace = run.text("trace_id").unwrap();
        let own = || loops.iter().filter(|l| l.trace == trace);
        let tokens: i64 = own().filter_map(|l| l.wasted_tokens).sum();
        assert!(tokens <= run.int("total_tokens").unwrap_or(0), "{trace}");
        let time: i64 = own().map(|l| l.wasted_ns).sum();
        let took = run.time("end_time").unwrap() - run.time("start_time").unwrap();
        assert!(time <= took, "{trace}: {time} of {took}");
    }
}
