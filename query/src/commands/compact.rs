//! `spanfile compact FILE`: merge segments, give space back.

use std::io::Write;

use spanfile::{CompactOptions, Options, Store};
use spanfile_query::Result;

use super::{exit, grouped, human_bytes, output_error, store_error};
use crate::cli::FileArgs;

pub(crate) fn run(args: &FileArgs) -> Result<u8> {
    let err = |e| store_error(&args.file, e);
    let store = Store::open(&args.file, Options::default()).map_err(err)?;
    let report = store.compact(CompactOptions::default()).map_err(err)?;
    let mut out = std::io::stdout().lock();
    let mut line = |name: &str, (before, after): (String, String)| {
        writeln!(out, "{name:<14} {before:>12} -> {after}").map_err(output_error)
    };
    let both = |(a, b): (u64, u64), f: fn(u64) -> String| (f(a), f(b));
    line("segments", both(report.segments, grouped))?;
    line("segment bytes", both(report.segment_bytes, human_bytes))?;
    line("file size", both(report.file_bytes, human_bytes))?;
    if report.removed_spans > 0 {
        writeln!(out, "removed {} superseded spans", grouped(report.removed_spans)).map_err(output_error)?;
    }
    if !report.trimmed {
        say!("spanfile: readers keep the file from shrinking; compact again when they are gone");
    }
    Ok(exit::FINE)
}
