//! Session files of Claude Code: calls, tools and agents, whatever the order of files and however often they come.

use std::path::{Path, PathBuf};

use spanfile::ingest::ingest;
use spanfile::{Importer, Options, Store, Table};

use crate::store::captures::NoRejects;
use crate::stories::Rows;

mod files;
mod hostile;
mod shared;

/// What a file says of all calls that count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Totals {
    calls: i64,
    input: i64,
    output: i64,
    cache_read: i64,
    cache_write: i64,
    cache_write_1h: i64,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Totals) {
        self.calls += other.calls;
        self.input += other.input;
        self.output += other.output;
        self.cache_read += other.cache_read;
        self.cache_write += other.cache_write;
        self.cache_write_1h += other.cache_write_1h;
    }
}

/// A file of `testdata/claude_code`.
fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/claude_code").join(name)
}

fn new_store(folder: &Path) -> Store {
    Store::create(folder.join("a.spans"), Options::default()).unwrap()
}

fn import(store: &Store, paths: &[PathBuf]) {
    let mut importer = Importer::new(store.writer().unwrap(), NoRejects);
    for path in paths {
        ingest(&path.display().to_string(), std::fs::File::open(path).unwrap(), &mut importer).unwrap();
    }
    importer.finish().unwrap();
}

fn rows_of(store: &Store) -> Rows {
    Rows::of(store, Table::Spans)
}

fn totals(store: &Store) -> Totals {
    let mut totals = Totals::default();
    for row in rows_of(store).each().filter(|row| row.flag("usage_counted") == Some(true)) {
        totals.calls += 1;
        for (sum, column) in [
            (&mut totals.input, "input_tokens"),
            (&mut totals.output, "output_tokens"),
            (&mut totals.cache_read, "cache_read_tokens"),
            (&mut totals.cache_write, "cache_write_tokens"),
            (&mut totals.cache_write_1h, "cache_write_1h_tokens"),
        ] {
            *sum += row.int(column).unwrap_or_default();
        }
    }
    totals
}
