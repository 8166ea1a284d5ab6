//! `spanfile info FILE`: what a file holds, from its segment list; no row is read.

use std::io::Write;

use spanfile::{Options, Store, Table};
use spanfile_query::Result;

use super::{exit, grouped, human_bytes, output_error, store_error};
use crate::cli::FileArgs;

pub(crate) fn run(args: &FileArgs) -> Result<u8> {
    let err = |e| store_error(&args.file, e);
    let store = Store::open_read_only(&args.file, Options::default()).map_err(err)?;
    let snapshot = store.snapshot().map_err(err)?;
    let info = snapshot.file_info();
    let segments = snapshot.segments().map_err(err)?;
    let tail = snapshot.tail().map_err(err)?;
    let live = |t: Table| segments.iter().map(|s| s.live_rows(t)).sum::<u64>() + tail.rows(t);
    let times = || segments.iter().map(|s| s.time_range()).chain([tail.time_range()]).flatten();
    let first = times().map(|t| t.0).min();
    let last = times().map(|t| t.2).max();
    let bytes = std::fs::metadata(&args.file).map_or(0, |m| m.len());
    let sealed: u64 = segments.iter().map(|s| s.bytes()).sum();
    let spans = live(Table::Spans);
    let mut lines = vec![
        ("file", args.file.display().to_string()),
        ("format version", info.format_version.to_string()),
        ("file id", info.file_id.clone()),
        ("created by", info.creator.clone()),
        ("created", time(info.created_at_unix_nano)),
        ("spans", grouped(spans)),
        ("events", grouped(live(Table::Events))),
        ("links", grouped(live(Table::Links))),
        ("segments", format!("{} ({})", segments.len(), human_bytes(sealed))),
        ("not sealed yet", format!("{} spans", grouped(tail.rows(Table::Spans)))),
    ];
    if let (Some(first), Some(last)) = (first, last) {
        lines.push(("first start", time(first)));
        lines.push(("last end", time(last)));
    }
    lines.push(("file size", human_bytes(bytes)));
    if let Some(each) = bytes.checked_div(spans) {
        lines.push(("bytes per span", grouped(each)));
    }
    let mut out = std::io::stdout().lock();
    for (name, value) in lines {
        writeln!(out, "{name:<15} {value}").map_err(output_error)?;
    }
    out.flush().map_err(output_error)?;
    Ok(exit::FINE)
}

fn time(unix_nano: i64) -> String {
    use datafusion::arrow::temporal_conversions::timestamp_ns_to_datetime;
    timestamp_ns_to_datetime(unix_nano)
        .map_or_else(|| unix_nano.to_string(), |t| t.format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string())
}
