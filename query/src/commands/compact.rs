//! `spanfile compact FILE`: merge segments, give space back.

use std::io::Write;

use spanfile::{CompactOptions, Options, Store};
use spanfile_query::Result;

use super::{exit, human_bytes, output_error, store_error};
use crate::cli::FileArgs;

pub(crate) fn run(args: &FileArgs) -> Result<u8> {
    let size = || std::fs::metadata(&args.file).map_or(0, |m| m.len());
    let before = size();
    let store = Store::open(&args.file, Options::default()).map_err(|e| store_error(&args.file, e))?;
    let report = store.compact(CompactOptions::default()).map_err(|e| store_error(&args.file, e))?;
    drop(store);
    let mut out = std::io::stdout().lock();
    writeln!(out, "{report}").map_err(output_error)?;
    writeln!(out, "file size: {} -> {}", human_bytes(before), human_bytes(size())).map_err(output_error)?;
    Ok(exit::FINE)
}
