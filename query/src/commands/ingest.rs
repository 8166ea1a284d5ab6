//! `spanfile ingest FILE INPUT...`: OTLP in.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use spanfile_query::{QueryError, Result};

use super::{exit, grouped, human_bytes, output_error};
use crate::cli::IngestArgs;

/// What an ingest did.
#[derive(Debug, Default, Clone)]
pub(super) struct Summary {
    pub(super) read: u64,
    pub(super) stored: u64,
    pub(super) duplicate: u64,
    pub(super) replaced: u64,
    pub(super) rejected: u64,
    pub(super) input_bytes: u64,
    /// The first rejections, each with its place.
    pub(super) first_rejects: Vec<String>,
}

pub(crate) fn run(args: &IngestArgs) -> Result<u8> {
    let begun = Instant::now();
    let bar = progress(args.quiet);
    let summary = ingest(args, &mut |bytes, total| {
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(bytes);
    });
    bar.finish_and_clear();
    let summary = summary?;
    for reject in &summary.first_rejects {
        eprintln!("spanfile: {reject}");
    }
    if !args.quiet {
        print(&summary, begun.elapsed()).map_err(output_error)?;
    }
    Ok(if summary.rejected > 0 { exit::REJECTED } else { exit::FINE })
}

/// SEAM: the ingest itself. `progress` takes the input bytes read so far, and their total once it is known.
pub(super) fn ingest(args: &IngestArgs, _progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<Summary> {
    let source = std::io::Error::new(std::io::ErrorKind::Unsupported, "ingest is not connected yet");
    Err(QueryError::Io { path: args.file.clone(), source })
}

/// A bar with rate and time left on a terminal, nothing elsewhere.
fn progress(quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn print(s: &Summary, took: Duration) -> std::io::Result<()> {
    let seconds = took.as_secs_f64();
    let rate = if seconds > 0.0 { s.read as f64 / seconds } else { 0.0 };
    let mut out = std::io::stdout().lock();
    for (name, n) in [
        ("spans read", s.read),
        ("stored", s.stored),
        ("duplicate", s.duplicate),
        ("replaced", s.replaced),
        ("rejected", s.rejected),
    ] {
        writeln!(out, "{name:<12} {:>14}", grouped(n))?;
    }
    writeln!(out, "{:<12} {:>14}", "input", human_bytes(s.input_bytes))?;
    writeln!(out, "{:<12} {seconds:>12.1} s  ({rate:.0} spans/s)", "took")?;
    out.flush()
}
