//! Verification: everything that the file promises, checked against what it holds.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Schema, TimestampNanosecondType};
use redb::ReadableTable;

use super::file::guarded;
use super::format::hex;
use super::part::Segment;
use super::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::model::TraceId;
use crate::segment::Table;
use crate::segment::arrivals::trace_id;
use crate::segment::build::PartKind;
use crate::segment::directory::TraceEntry;

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: table and key, or segment and part.
    pub place: String,
    /// What is wrong.
    pub reason: String,
}

/// What verification looked at and found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// Segments.
    pub segments: u64,
    /// Chunks, each with its checksum.
    pub chunks: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Live traces.
    pub traces: u64,
    /// Tail batches.
    pub tail_batches: u64,
    /// Log entries; the chain is checked when the file is opened.
    pub log_entries: u64,
    /// Hash of the newest log entry, in hex. Kept elsewhere, it also shows whether the end of the log was cut off.
    pub log_hash: String,
    /// What is wrong; empty when all is well.
    pub problems: Vec<Problem>,
}

pub(super) fn verify(snapshot: &Snapshot) -> Result<VerifyReport> {
    let head = &snapshot.state().head;
    let mut report =
        VerifyReport { log_entries: head.log_len, log_hash: hex(&head.log_hash), ..VerifyReport::default() };
    // Chunks per segment and part.
    let mut expected: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    let mut homes: HashSet<TraceId> = HashSet::new();
    for segment in snapshot.sealed() {
        report.segments += 1;
        for part in &segment.desc().parts {
            expected.insert((segment.id(), part.kind), part.chunks);
        }
        let place = format!("segment {}", segment.id());
        if let Err(e) = guarded(snapshot.file().path(), &place, || check_segment(&segment, &mut report, &mut homes)) {
            report.add(e)?;
        }
    }
    if let Err(e) = guarded(snapshot.file().path(), "chunks", || check_chunk_keys(snapshot, &expected, &mut report)) {
        report.add(e)?;
    }
    if let Err(e) = snapshot.file().check_trees() {
        report.add(e)?;
    }
    if let Err(e) = snapshot.own_price_book() {
        report.add(e)?;
    }
    if let Err(e) = snapshot.budgets() {
        report.add(e)?;
    }
    for &sequence in snapshot.state().tail.keys() {
        report.tail_batches += 1;
        if let Err(e) = snapshot.tail_batch(sequence) {
            report.add(e)?;
        }
    }
    if report.problems.is_empty() {
        // Settling the tail reads sealed rows of the same traces: only worth trying when those are good.
        if let Err(e) = snapshot.tail() {
            report.add(e)?;
        }
    }
    Ok(report)
}

impl VerifyReport {
    /// Damage is noted; what keeps us from looking is an error.
    fn add(&mut self, e: Error) -> Result<()> {
        match e {
            Error::Corrupt { place, reason, .. } => self.note(place, reason),
            Error::Engine { action, reason, .. } => self.note(action.to_string(), reason),
            e @ Error::Limit { .. } => self.note("tail".to_string(), e.to_string()),
            other => return Err(other),
        }
        Ok(())
    }

    fn note(&mut self, place: String, reason: String) {
        self.problems.push(Problem { place, reason });
    }
}

fn check_chunk_keys(
    snapshot: &Snapshot,
    expected: &BTreeMap<(u32, u32), u32>,
    report: &mut VerifyReport,
) -> Result<()> {
    let path = snapshot.file().path();
    let error = |e: redb::StorageError| super::redb_error(path, "chunks", e.into());
    let mut found = 0u64;
    for item in snapshot.chunks().iter().map_err(error)? {
        let (key, _) = item.map_err(error)?;
        let key = key.value();
        found += 1;
        let (segment, part, chunk) = key;
        if expected.get(&(segment, part)).is_none_or(|chunks| chunk >= *chunks) {
            report.note("chunks".to_string(), format!("chunk {key:?} belongs to no segment"));
        }
    }
    report.chunks = found;
    let all: u64 = expected.values().map(|c| u64::from(*c)).sum();
    if found < all {
        report.note("chunks".to_string(), format!("{found} chunks, {all} expected"));
    }
    Ok(())
}

fn check_segment(segment: &Segment, report: &mut VerifyReport, homes: &mut HashSet<TraceId>) -> Result<()> {
    for desc in &segment.desc().parts {
        let kind = PartKind::from_code(desc.kind);
        let reader = kind.and_then(|k| segment.reader(k));
        let Some(reader) = reader else {
            report.note(format!("segment {}", segment.id()), format!("part of unknown kind {}", desc.kind));
            continue;
        };
        let mut hasher = blake3::Hasher::new();
        let mut chunks = 0;
        for range in super::chunks::cuts(desc.len) {
            hasher.update(&reader.read_at(range)?);
            chunks += 1;
        }
        report.bytes += desc.len;
        let hash = hasher.finalize();
        if hash.as_bytes() != &desc.blake3 {
            let reason = format!("hash is {}, the log says {}", hash.to_hex(), hex(&desc.blake3));
            report.note(format!("{reader:?}"), reason);
        }
        if chunks != desc.chunks {
            report.note(format!("{reader:?}"), format!("{chunks} chunks, the log says {}", desc.chunks));
        }
    }
    let (directory, reader) = segment.directory()?;
    let all = directory.all(reader.as_ref())?;
    if let Some(w) = all.windows(2).find(|w| w[0].trace >= w[1].trace) {
        report.note(format!("{reader:?}"), format!("trace {} follows {}", w[1].trace, w[0].trace));
    }
    for table in Table::ALL {
        check_rows(segment, table, &all, report)?;
    }
    for e in segment.all_live_entries()? {
        report.traces += 1;
        if !homes.insert(e.trace) {
            report.note(format!("segment {}", segment.id()), format!("trace {} lives in another segment too", e.trace));
        }
    }
    Ok(())
}

/// Rows of a table against the directory: every row belongs to the trace that the directory says, none is left over.
fn check_rows(segment: &Segment, table: Table, all: &[TraceEntry], report: &mut VerifyReport) -> Result<()> {
    let mut by_row: Vec<(u64, u64, &TraceEntry)> = all
        .iter()
        .map(|e| (e, e.rows[table.index()].range()))
        .filter(|(_, r)| !r.is_empty())
        .map(|(e, r)| (r.start, r.end, e))
        .collect();
    by_row.sort_unstable_by_key(|x| x.0);
    let rows = segment.rows(table);
    let mut at = 0;
    for (start, end, e) in &by_row {
        if *start != at {
            report.note(
                format!("segment {}, directory", segment.id()),
                format!("{} {at}..{start} belong to no trace, or trace {} to several", table.name(), e.trace),
            );
            return Ok(());
        }
        at = *end;
    }
    let place = format!("segment {}, {}", segment.id(), table.name());
    if at != rows {
        report.note(place, format!("the directory covers {at} rows of {rows}"));
        return Ok(());
    }
    let Some(part) = segment.part(table) else { return Ok(()) };
    let names: &[&str] = if table == Table::Spans { &["trace_id", "start_time", "end_time"] } else { &["trace_id"] };
    let full = table.schema();
    let fields: Vec<_> = full.fields().iter().filter(|f| names.contains(&f.name().as_str())).cloned().collect();
    let (mut row, mut entry) = (0u64, 0usize);
    for batch in part.rows(std::sync::Arc::new(Schema::new(fields)), std::slice::from_ref(&(0..rows)))? {
        let batch = batch?;
        let ids = batch.column(0).as_fixed_size_binary();
        for i in 0..batch.num_rows() {
            while by_row[entry].1 <= row {
                entry += 1;
            }
            let e = by_row[entry].2;
            if trace_id(ids.value(i)) != e.trace {
                report.note(
                    place,
                    format!("row {row} is of trace {}, the directory says {}", trace_id(ids.value(i)), e.trace),
                );
                return Ok(());
            }
            if table == Table::Spans {
                let start = batch.column(1).as_primitive::<TimestampNanosecondType>();
                let end = batch.column(2).as_primitive::<TimestampNanosecondType>();
                if start.value(i) < e.start || (!end.is_null(i) && end.value(i) > e.end) {
                    report.note(place, format!("row {row} lies outside of the times of trace {}", e.trace));
                    return Ok(());
                }
            }
            row += 1;
        }
    }
    Ok(())
}
