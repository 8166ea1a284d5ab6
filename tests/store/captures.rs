//! Real captures through the whole store: the same rows whatever the order, and however often they come.

use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use spanfile::ingest::{BoxError, Reject, ingest};
use spanfile::{Importer, Options, Rejects, ScanRequest, Store, Table};

pub(crate) struct NoRejects;

impl Rejects for NoRejects {
    fn reject(&mut self, reject: &Reject<'_>) -> Result<(), BoxError> {
        Err(format!("{}: {}: {}", reject.source, reject.position, reject.reason).into())
    }

    fn more(&mut self, _: &[u8]) -> Result<(), BoxError> {
        Ok(())
    }
}

fn files_below(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, out);
        } else {
            out.push(path);
        }
    }
}

/// The captures: the full set where it is, else those in the repository. One format of each is enough here.
pub(crate) fn captures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let full = root.join("../shared/data/captures");
    let mut out = Vec::new();
    if full.is_dir() {
        files_below(&full, &mut out);
    } else {
        println!("the full set of captures is not here: testdata only");
        files_below(&root.join("testdata"), &mut out);
    }
    let protobuf = |p: &PathBuf| p.to_string_lossy().contains(".pb");
    out.retain(protobuf);
    out.sort();
    assert!(!out.is_empty());
    out
}

fn import(store: &Store, paths: &[PathBuf]) {
    let mut importer = Importer::new(store.writer().unwrap(), NoRejects);
    for path in paths {
        ingest(&path.display().to_string(), std::fs::File::open(path).unwrap(), &mut importer).unwrap();
    }
    importer.finish().unwrap();
}

/// Every value of every row as text, rows sorted: the order of segments is not part of what a file holds.
pub(crate) fn contents(store: &Store) -> Vec<String> {
    let snapshot = store.snapshot().unwrap();
    let mut out = Vec::new();
    for table in Table::ALL {
        for batch in snapshot.scan(&ScanRequest::new(table)).unwrap() {
            out.extend(rows(table, &batch.unwrap()));
        }
    }
    out.sort();
    out
}

fn rows(table: Table, batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    // As numbers: without a time zone database times in UTC have no text.
    let plain = |c: &ArrayRef| match c.data_type() {
        DataType::Timestamp(..) => cast(c, &DataType::Int64).unwrap(),
        _ => c.clone(),
    };
    let columns: Vec<ArrayRef> = batch.columns().iter().map(plain).collect();
    let columns: Vec<_> = columns.iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap()).collect();
    (0..batch.num_rows())
        .map(|i| {
            let values: Vec<String> = columns.iter().map(|c| c.value(i).to_string()).collect();
            format!("{} {}", table.name(), values.join("|"))
        })
        .collect()
}

fn new_store(folder: &Path, name: &str) -> Store {
    // Small bounds, so that there are several segments and late spans meet them.
    let options = Options { import_buffer_bytes: 4 << 20, segment_spans: 500, ..Options::default() };
    Store::create(folder.join(name), options).unwrap()
}

#[test]
fn captures_thrice_in_three_orders_are_the_same_rows_as_once() {
    let folder = tempfile::tempdir().unwrap();
    let paths = captures();
    let once = new_store(folder.path(), "once.spans");
    import(&once, &paths);
    let expected = contents(&once);
    assert!(once.stats().unwrap().segments > 0);

    let thrice = new_store(folder.path(), "thrice.spans");
    let mut backwards = paths.clone();
    backwards.reverse();
    let mut riffled: Vec<PathBuf> = paths.iter().step_by(2).cloned().collect();
    riffled.extend(paths.iter().skip(1).step_by(2).cloned());
    for order in [riffled, backwards, paths.clone()] {
        import(&thrice, &order);
    }
    let found = contents(&thrice);
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(&expected) {
        assert!(a == b, "{a}\n{b}");
    }
    let (a, b) = (once.stats().unwrap(), thrice.stats().unwrap());
    assert_eq!((a.spans, a.events, a.links, a.traces), (b.spans, b.events, b.links, b.traces));
    assert_eq!(b.replaced, 0);
    assert_eq!(thrice.verify().unwrap().problems, []);
    println!(
        "{} captures: {} spans, {} events, {} links; {} duplicates",
        paths.len(),
        a.spans,
        a.events,
        a.links,
        b.duplicates
    );
}
