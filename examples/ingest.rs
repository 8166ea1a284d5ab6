//! Ingests OTLP files as the `spanfile` command does, with nothing but the store.
//!
//! `cargo run --release --example ingest -p spanfile -- ingest FILE INPUT...`
//!
//! `benches/threads.py` measures it in place of the command, which takes several times as long to build.

use std::path::Path;

use spanfile::cost::PriceBook;
use spanfile::ingest::{BoxError, Reject, ingest, inputs};
use spanfile::{Importer, Options, Rejects, Store};

/// Says on stderr what was not taken.
struct Said;

impl Rejects for Said {
    fn reject(&mut self, reject: &Reject<'_>) -> Result<(), BoxError> {
        eprintln!("{}: {}: rejected: {}", reject.source, reject.position, reject.reason.escape_debug());
        Ok(())
    }

    fn more(&mut self, _: &[u8]) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() -> Result<(), BoxError> {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "-q").collect();
    let [_, file, inputs @ ..] = args.as_slice() else { return Err("usage: ingest [-q] FILE INPUT...".into()) };
    let store = Store::open_or_create(Path::new(file), Options::default())?;
    let mut writer = store.writer()?;
    if store.snapshot()?.own_price_book()?.is_none() {
        writer.set_price_book(PriceBook::bundled())?;
    }
    let mut importer = Importer::new(writer, Said);
    let mut spans = 0;
    for input in inputs::expand(inputs)? {
        let reader = input.open(&inputs::Progress::default())?;
        spans += ingest(&input.name(), reader, &mut importer)?.spans;
    }
    drop(importer.finish()?);
    println!("{spans} spans");
    Ok(())
}
