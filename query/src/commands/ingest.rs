//! `spanfile ingest FILE INPUT...`: OTLP in.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use spanfile::cost::PriceBook;
use spanfile::ingest::inputs::{self, InputError, Progress};
use spanfile::ingest::{BoxError, IngestError, Reject, RejectClass};
use spanfile::{Importer, Options, Rejects, Store};
use spanfile_query::{QueryError, Result};

use super::{exit, grouped, human_bytes, output_error, store_error};
use crate::cli::IngestArgs;

/// How many rejects are explained one by one.
const REJECTS_SHOWN: u64 = 5;

/// What an ingest did.
#[derive(Debug, Default, Clone)]
pub(super) struct Summary {
    pub(super) spans: u64,
    pub(super) logs: u64,
    pub(super) duplicate: u64,
    pub(super) replaced: u64,
    pub(super) rejected: u64,
    /// Log records that name no span; there is nothing to attach them to, which is no fault of theirs.
    pub(super) uncorrelated: u64,
    pub(super) bytes: u64,
}

pub(crate) fn run(args: &IngestArgs) -> Result<u8> {
    let begun = Instant::now();
    let bar = progress(args.quiet);
    let summary = ingest(args, &bar);
    bar.finish_and_clear();
    let summary = summary?;
    if summary.rejected > REJECTS_SHOWN {
        say!("spanfile: {} more rejects", grouped(summary.rejected - REJECTS_SHOWN));
    }
    if !args.quiet {
        print(&summary, begun.elapsed()).map_err(output_error)?;
    }
    Ok(if summary.rejected > 0 { exit::REJECTED } else { exit::FINE })
}

fn ingest(args: &IngestArgs, bar: &ProgressBar) -> Result<Summary> {
    let source = |e: InputError| QueryError::Io { path: "input".into(), source: std::io::Error::other(e) };
    let inputs = inputs::expand(&args.inputs).map_err(source)?;
    let progress = Progress::default();
    if let Some(total) = inputs::total_bytes(&inputs) {
        bar.set_length(total);
    }
    if let Some(path) = &args.rejects {
        let taken = |p: &Path| same_file(p, path);
        let input = |i: &inputs::Input| matches!(i, inputs::Input::File { path, .. } if taken(path));
        if taken(&args.file) || inputs.iter().any(input) {
            let source = std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "rejects cannot go into a file that is in use here",
            );
            return Err(QueryError::Io { path: path.clone(), source });
        }
    }
    let rejects = RejectLog { shown: 0, bar: bar.clone(), path: args.rejects.clone(), kept: None };
    into_file(&args.file, rejects, |importer, summary| {
        for input in &inputs {
            let reader = input.open(&progress).map_err(source)?;
            let watched = Watched { reader, progress: progress.clone(), bar: bar.clone() };
            let one = spanfile::ingest::ingest(&input.name(), watched, importer);
            match one {
                Ok(one) => {
                    summary.spans += one.spans;
                    summary.logs += one.logs;
                    summary.rejected += one.rejected;
                    summary.uncorrelated += one.uncorrelated;
                    summary.bytes += one.bytes;
                }
                // `finish` knows why the writer stopped.
                Err(IngestError::Stopped(e)) => return Ok(Some(e)),
                Err(e) => return Err(QueryError::Io { path: input.name().into(), source: std::io::Error::other(e) }),
            }
        }
        Ok(None)
    })
}

/// Opens or creates the file, lets `feed` hand over what is to go in, and seals it. What was read before an error
/// is kept.
pub(super) fn into_file<R: Rejects>(
    path: &Path,
    rejects: R,
    feed: impl FnOnce(&mut Importer<R>, &mut Summary) -> Result<Option<BoxError>>,
) -> Result<Summary> {
    let err = |e| store_error(path, e);
    let store = Store::open_or_create(path, Options::default()).map_err(err)?;
    let snapshot = store.snapshot().map_err(err)?;
    let before = snapshot.counters();
    let mut writer = store.writer().map_err(err)?;
    if snapshot.own_price_book().map_err(err)?.is_none() {
        // What the file's runs cost shall not change with the program that reads it.
        writer.set_price_book(PriceBook::bundled()).map_err(err)?;
    }
    drop(snapshot);
    let mut importer = Importer::new(writer, rejects);
    let mut summary = Summary::default();
    let fed = feed(&mut importer, &mut summary);
    drop(importer.finish().map_err(err)?);
    if let Some(stopped) = fed? {
        return Err(QueryError::Io { path: path.into(), source: std::io::Error::other(stopped) });
    }
    let after = store.snapshot().map_err(err)?.counters();
    summary.duplicate = after.duplicates - before.duplicates;
    summary.replaced = after.replaced - before.replaced;
    Ok(summary)
}

/// Says what was rejected, the first few times, and keeps all of it where the user asked for that.
struct RejectLog {
    shown: u64,
    bar: ProgressBar,
    path: Option<PathBuf>,
    /// Opened by the first reject, so that nothing is overwritten for none.
    kept: Option<BufWriter<File>>,
}

impl RejectLog {
    fn keep(&mut self, bytes: &[u8]) -> std::result::Result<(), BoxError> {
        let Some(path) = &self.path else { return Ok(()) };
        let failed =
            |e: std::io::Error| -> BoxError { format!("{}: cannot keep a reject: {e}", path.display()).into() };
        let file = match &mut self.kept {
            Some(file) => file,
            none => none.insert(BufWriter::new(File::create(path).map_err(failed)?)),
        };
        file.write_all(bytes).and_then(|()| file.flush()).map_err(failed)
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

impl Rejects for RejectLog {
    fn reject(&mut self, reject: &Reject<'_>) -> std::result::Result<(), BoxError> {
        if self.shown < REJECTS_SHOWN && reject.class != RejectClass::Uncorrelated {
            self.shown += 1;
            let span = reject.span_id.map(|id| format!(", span {id}")).unwrap_or_default();
            let line = format!("spanfile: {}: {}{span}: rejected: {}", reject.source, reject.position, reject.reason);
            self.bar.suspend(|| say!("{line}"));
        }
        // One reject per line, so that JSON lines can be mended and read again.
        self.keep(reject.bytes)?;
        if reject.bytes.ends_with(b"\n") { Ok(()) } else { self.keep(b"\n") }
    }

    fn more(&mut self, bytes: &[u8]) -> std::result::Result<(), BoxError> {
        self.keep(bytes)
    }
}

/// A reader that moves the bar.
struct Watched<R> {
    reader: R,
    progress: Progress,
    bar: ProgressBar,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.reader.read(out)?;
        self.bar.set_position(self.progress.bytes());
        Ok(n)
    }
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
    let rate = if seconds > 0.0 { s.spans as f64 / seconds } else { 0.0 };
    let mut out = std::io::stdout().lock();
    let records = s.spans + s.logs;
    let mut lines = vec![("spans read", s.spans)];
    if s.logs > 0 {
        lines.push(("logs read", s.logs));
    }
    if s.uncorrelated > 0 {
        lines.push(("not of a span", s.uncorrelated));
    }
    lines.extend([
        ("stored", records.saturating_sub(s.duplicate)),
        ("duplicate", s.duplicate),
        ("replaced", s.replaced),
        ("rejected", s.rejected),
    ]);
    for (name, n) in lines {
        writeln!(out, "{name:<14} {:>12}", grouped(n))?;
    }
    writeln!(out, "{:<12} {:>14}", "input", human_bytes(s.bytes))?;
    writeln!(out, "{:<14} {seconds:>10.1} s  ({} spans/s)", "took", grouped(rate as u64))?;
    out.flush()
}
