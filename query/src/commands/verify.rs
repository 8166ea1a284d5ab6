//! `spanfile verify FILE`: every checksum and the whole log.

use std::io::Write;

use spanfile::{Options, Store};
use spanfile_query::Result;

use super::{exit, grouped, human_bytes, output_error, store_error};
use crate::cli::FileArgs;

pub(crate) fn run(args: &FileArgs) -> Result<u8> {
    let store = Store::open_read_only(&args.file, Options::default()).map_err(|e| store_error(&args.file, e))?;
    let report = store.verify().map_err(|e| store_error(&args.file, e))?;
    let mut out = std::io::stdout().lock();
    let lines = [
        ("segments", grouped(report.segments)),
        ("chunks", format!("{} ({})", grouped(report.chunks), human_bytes(report.bytes))),
        ("traces", grouped(report.traces)),
        ("tail batches", grouped(report.tail_batches)),
        ("log entries", grouped(report.log_entries)),
        ("log hash", report.log_hash.clone()),
    ];
    for (name, value) in lines {
        writeln!(out, "{name:<14} {value}").map_err(output_error)?;
    }
    if report.problems.is_empty() {
        writeln!(out, "no problems").map_err(output_error)?;
        return Ok(exit::FINE);
    }
    out.flush().map_err(output_error)?;
    for p in &report.problems {
        say!("spanfile: {}: {}: {}", args.file.display(), p.place, p.reason);
    }
    say!("spanfile: {} problems", grouped(report.problems.len() as u64));
    Ok(exit::FAILED)
}
