//! Compaction: segments rewritten into fewer, in canonical order across all of them, without superseded rows.

use super::format::{LogBody, SegmentDesc};
use super::part::Segment;
use super::seal::Change;
use super::snapshot::Snapshot;
use super::{Result, Shared};
use crate::error::Error;
use crate::schema;
use crate::segment::Table;
use crate::segment::arrivals::Arrivals;
use crate::segment::build::SegmentBuilder;
use crate::segment::directory::TraceEntry;
use crate::segment::encode::ARCHIVE_LEVEL;

/// Span rows that are decoded at once.
const GROUP_SPANS: u64 = 32 * 1024;

/// How to compact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactOptions {
    /// zstd level of the new segments, 1 to 22.
    pub zstd_level: i32,
    /// Rewrite segments even where nothing would be gained.
    pub force: bool,
    /// Give unused pages back to the file system.
    pub trim: bool,
}

impl Default for CompactOptions {
    fn default() -> Self {
        CompactOptions { zstd_level: ARCHIVE_LEVEL, force: false, trim: true }
    }
}

/// What compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CompactReport {
    /// Segments before and after.
    pub segments: (u64, u64),
    /// Bytes of segments before and after.
    pub segment_bytes: (u64, u64),
    /// Length of the file before and after, in bytes.
    pub file_bytes: (u64, u64),
    /// Superseded span rows that were removed.
    pub removed_spans: u64,
    /// False when readers kept the file from being trimmed.
    pub trimmed: bool,
}

pub(super) fn compact(shared: &Shared, options: &CompactOptions) -> Result<CompactReport> {
    let file_bytes = || std::fs::metadata(shared.file.path()).map_or(0, |m| m.len());
    let mut report = CompactReport { file_bytes: (file_bytes(), 0), ..CompactReport::default() };
    {
        let snapshot = shared.snapshot()?;
        let inputs = snapshot.sealed();
        report.segments.0 = inputs.len() as u64;
        report.segment_bytes.0 = inputs.iter().map(Segment::bytes).sum();
        if options.force || worthwhile(&inputs, options, shared.options.compact_segment_spans) {
            report.removed_spans = inputs.iter().map(|s| s.rows(Table::Spans) - s.live_rows(Table::Spans)).sum();
            shared.change(|change| rewrite(change, &inputs, options, shared.options.compact_segment_spans))?;
        }
    }
    let snapshot: Snapshot = shared.snapshot()?;
    let outputs = snapshot.sealed();
    report.segments.1 = outputs.len() as u64;
    report.segment_bytes.1 = outputs.iter().map(Segment::bytes).sum();
    drop((outputs, snapshot));
    if options.trim {
        shared.unname_writer()?;
        report.trimmed = shared.file.trim()?;
    }
    report.file_bytes.1 = file_bytes();
    Ok(report)
}

/// Whether rewriting gains anything: superseded rows, a better level, or fewer segments.
fn worthwhile(segments: &[Segment], options: &CompactOptions, segment_spans: u64) -> bool {
    let dead = segments.iter().any(|s| Table::ALL.iter().any(|t| s.rows(*t) > s.live_rows(*t)));
    let level = segments.iter().any(|s| s.desc().level < options.zstd_level);
    let spans: u64 = segments.iter().map(|s| s.rows(Table::Spans)).sum();
    let fewer = segments.len() as u64 > spans.div_ceil(segment_spans).max(1) + 1;
    !segments.is_empty() && (dead || level || fewer)
}

fn rewrite(change: &mut Change<'_>, inputs: &[Segment], options: &CompactOptions, segment_spans: u64) -> Result<()> {
    let path = change.file.path().to_path_buf();
    let failed = |e: parquet::errors::ParquetError| Error::engine(&path, "rewrite a segment", e);
    let used = used_columns(inputs)?;
    let builder = || SegmentBuilder::new(|c| used[c], options.zstd_level).map_err(failed);
    let mut outputs: Vec<SegmentDesc> = Vec::new();
    let mut open = builder()?;
    for group in groups(inputs)? {
        let mut rows = Arrivals::default();
        for (segment, entries) in &group {
            rows.push(inputs[*segment].read_traces(entries)?).map_err(|e| failed(e.into()))?;
        }
        let settled = rows.settle(|_| true).map_err(|e| failed(e.into()))?;
        open.push(&rows, &settled, 0..settled.traces.len()).map_err(failed)?;
        if open.spans() >= segment_spans {
            let built = std::mem::replace(&mut open, builder()?).finish().map_err(failed)?;
            outputs.push(change.store(built, options.zstd_level)?);
        }
    }
    if !open.is_empty() {
        outputs.push(change.store(open.finish().map_err(failed)?, options.zstd_level)?);
    }
    inputs.iter().try_for_each(|s| change.drop_segment(s.desc()))?;
    change.log(LogBody::Compact { inputs: inputs.iter().map(Segment::id).collect(), outputs })
}

/// Columns of the pipeline schema that any input has.
fn used_columns(inputs: &[Segment]) -> Result<Vec<bool>> {
    let pipeline = schema::pipeline();
    let mut used = vec![false; pipeline.fields().len()];
    for part in inputs.iter().filter_map(|s| s.part(Table::Spans)) {
        let metadata = part.metadata()?;
        for column in metadata.file_metadata().schema_descr().columns() {
            if let Ok(i) = pipeline.index_of(column.name()) {
                used[i] = true;
            }
        }
    }
    Ok(used)
}

type Group = Vec<(usize, Vec<TraceEntry>)>;

/// All live traces in canonical order, cut into groups; within a group by segment.
fn groups(inputs: &[Segment]) -> Result<Vec<Group>> {
    let mut all: Vec<(TraceEntry, usize)> = Vec::new();
    for (i, segment) in inputs.iter().enumerate() {
        all.extend(segment.all_live_entries()?.into_iter().map(|e| (e, i)));
    }
    all.sort_unstable_by_key(|(e, _)| (e.start, e.trace));
    let mut out: Vec<Group> = Vec::new();
    let mut spans = GROUP_SPANS;
    for (entry, segment) in all {
        if spans >= GROUP_SPANS {
            out.push(Group::new());
            spans = 0;
        }
        spans += u64::from(entry.rows[0].rows).max(1);
        if let Some(group) = out.last_mut() {
            match group.iter_mut().find(|(s, _)| *s == segment) {
                Some((_, entries)) => entries.push(entry),
                None => group.push((segment, vec![entry])),
            }
        }
    }
    Ok(out)
}
