//! What the log says the file holds: replayed once, followed from there on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use parquet::file::metadata::ParquetMetaData;
use redb::{ReadTransaction, ReadableTable};

use super::budgets::BudgetsDesc;
use super::chunks;
use super::file::{File, guarded, redb_error};
use super::format::{self, Hash, Head, Info, LogBody, SegmentDesc, Superseded, TailHeader};
use super::prices::BookDesc;
use super::tables::{LOG, META, TAIL, meta};
use super::tail;
use crate::error::{Error, Result};
use crate::limits::FORMAT_VERSION;
use crate::segment::build::PartKind;
use crate::segment::directory::Directory;
use crate::segment::{RowRange, Table, join_ranges};

/// Parsed pieces of a segment that are needed again and again; segments never change, so neither do these.
#[derive(Debug, Default)]
pub(super) struct SegmentCache {
    pub(super) directory: OnceLock<Arc<Directory>>,
    pub(super) metadata: [OnceLock<Arc<ParquetMetaData>>; Table::COUNT],
}

/// A segment and which of its rows are live.
#[derive(Debug, Clone)]
pub(super) struct SegmentState {
    pub(super) desc: Arc<SegmentDesc>,
    pub(super) sealed_at_unix_nano: i64,
    /// Superseded rows per table, sorted and disjoint.
    pub(super) dead: [Arc<Vec<Range<u64>>>; Table::COUNT],
    pub(super) cache: Arc<SegmentCache>,
}

impl SegmentState {
    fn new(desc: SegmentDesc, sealed_at_unix_nano: i64) -> Self {
        SegmentState { desc: Arc::new(desc), sealed_at_unix_nano, dead: Default::default(), cache: Arc::default() }
    }

    /// The same segment with more rows superseded.
    pub(super) fn with_dead(&self, rows: &[Vec<RowRange>; Table::COUNT]) -> Self {
        let mut out = self.clone();
        for (dead, more) in out.dead.iter_mut().zip(rows) {
            if !more.is_empty() {
                let all = dead.iter().cloned().chain(more.iter().map(|r| r.range())).collect();
                *dead = Arc::new(join_ranges(all));
            }
        }
        out
    }

    /// Live rows of a table.
    pub(super) fn live(&self, table: Table) -> u64 {
        let dead: u64 = self.dead[table.index()].iter().map(|r| r.end - r.start).sum();
        self.desc.rows[table.index()].saturating_sub(dead)
    }
}

/// The file as of one commit.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) info: Arc<Info>,
    pub(super) head: Head,
    pub(super) segments: BTreeMap<u32, SegmentState>,
    pub(super) tail: BTreeMap<u64, Arc<TailHeader>>,
    /// The price book, when there is one.
    pub(super) prices: Option<BookDesc>,
    /// The budgets, when there are any.
    pub(super) budgets: Option<BudgetsDesc>,
}

impl State {
    /// Reads the state as a transaction sees it, going on from `known` where that is an earlier state of the file.
    pub(super) fn read(file: &File, txn: &ReadTransaction, known: Option<&Arc<State>>) -> Result<Arc<State>> {
        let path = file.path();
        let head = read_head(path, txn)?;
        if let Some(known) = known.filter(|k| k.head == head) {
            return Ok(known.clone());
        }
        let mut state = match known {
            Some(k) if k.head.log_len <= head.log_len && k.head.commit <= head.commit => State::clone(k),
            _ => State {
                info: Arc::new(read_info(path, txn)?),
                head: Head::default(),
                segments: BTreeMap::new(),
                tail: BTreeMap::new(),
                prices: None,
                budgets: None,
            },
        };
        state.follow_log(path, txn, &head)?;
        state.follow_tail(path, txn, &head)?;
        state.head = head;
        Ok(Arc::new(state))
    }

    fn follow_log(&mut self, path: &Path, txn: &ReadTransaction, head: &Head) -> Result<()> {
        let place = "log";
        let error = |e: redb::Error| redb_error(path, place, e);
        let table = txn.open_table(LOG).map_err(|e| error(e.into()))?;
        let mut hash: Hash = self.head.log_hash;
        let mut next = self.head.log_len;
        for item in table.range(next..).map_err(|e| error(e.into()))? {
            let (key, value) = item.map_err(|e| error(e.into()))?;
            if key.value() != next || next >= head.log_len {
                return Err(Error::corrupt(
                    path,
                    place,
                    format!("entry {} found, {next} of {} expected", key.value(), head.log_len),
                ));
            }
            let (entry, own) = format::decode_log(path, next, value.value(), &hash)?;
            self.apply(path, entry.sequence, entry.time_unix_nano, entry.body)?;
            (hash, next) = (own, next + 1);
        }
        if next != head.log_len || hash != head.log_hash {
            return Err(Error::corrupt(
                path,
                place,
                format!(
                    "ends at entry {next} with hash {}, the head says {} and {}",
                    format::hex(&hash),
                    head.log_len,
                    format::hex(&head.log_hash)
                ),
            ));
        }
        Ok(())
    }

    fn apply(&mut self, path: &Path, sequence: u64, time: i64, body: LogBody) -> Result<()> {
        let damaged = |reason: String| Error::corrupt(path, format!("log[{sequence}]"), reason);
        match body {
            LogBody::Seal { segment, supersedes } => {
                for s in supersedes {
                    self.supersede(&s).map_err(damaged)?;
                }
                self.add(segment, time).map_err(damaged)?;
            }
            LogBody::Compact { inputs, outputs } => {
                for id in inputs {
                    self.segments
                        .remove(&id)
                        .ok_or_else(|| damaged(format!("compacts segment {id}, which is not there")))?;
                }
                for segment in outputs {
                    self.add(segment, time).map_err(damaged)?;
                }
            }
            LogBody::Prices { hash, .. } => self.prices = Some(BookDesc::new(hash)),
            LogBody::Budgets { text } => self.budgets = Some(BudgetsDesc::new(sequence, text)),
            LogBody::Note { .. } => {}
        }
        Ok(())
    }

    fn add(&mut self, desc: SegmentDesc, time: i64) -> Result<(), String> {
        let id = desc.id;
        for (i, p) in desc.parts.iter().enumerate() {
            let kind = PartKind::from_code(p.kind).ok_or_else(|| format!("segment {id}: part of kind {}", p.kind))?;
            if desc.parts[..i].iter().any(|q| q.kind == p.kind) {
                return Err(format!("segment {id}: {} is there twice", kind.name()));
            }
            if chunks::count(p.len) != Some(p.chunks) {
                return Err(format!("segment {id}, {}: {} bytes in {} chunks", kind.name(), p.len, p.chunks));
            }
        }
        match self.segments.insert(id, SegmentState::new(desc, time)) {
            None => Ok(()),
            Some(_) => Err(format!("segment {id} is there already")),
        }
    }

    fn supersede(&mut self, s: &Superseded) -> Result<(), String> {
        let segment = self
            .segments
            .get_mut(&s.segment)
            .ok_or_else(|| format!("supersedes rows of segment {}, which is not there", s.segment))?;
        for (rows, total) in s.rows.iter().zip(segment.desc.rows) {
            if let Some(r) = rows.iter().find(|r| r.range().end > total) {
                return Err(format!("supersedes rows {:?} of segment {}, which has {total}", r.range(), s.segment));
            }
        }
        *segment = segment.with_dead(&s.rows);
        Ok(())
    }

    fn follow_tail(&mut self, path: &Path, txn: &ReadTransaction, head: &Head) -> Result<()> {
        let error = |e: redb::Error| redb_error(path, "tail", e);
        self.tail = self.tail.split_off(&head.tail_first);
        let mut next = self.tail.last_key_value().map_or(head.tail_first, |(k, _)| k + 1);
        let table = txn.open_table(TAIL).map_err(|e| error(e.into()))?;
        let first = table.first().map_err(|e| error(e.into()))?.map(|(k, _)| k.value());
        if first.is_some_and(|f| f < head.tail_first) {
            return Err(Error::corrupt(path, "tail", format!("batch {first:?} found before {}", head.tail_first)));
        }
        for item in table.range(next..).map_err(|e| error(e.into()))? {
            let (key, value) = item.map_err(|e| error(e.into()))?;
            if key.value() != next || next >= head.tail_next {
                let expected = format!("{next} of {}..{}", head.tail_first, head.tail_next);
                return Err(Error::corrupt(path, "tail", format!("batch {} found, {expected} expected", key.value())));
            }
            self.tail.insert(next, Arc::new(tail::header(path, next, value.value())?));
            next += 1;
        }
        if next != head.tail_next {
            return Err(Error::corrupt(
                path,
                "tail",
                format!("ends at batch {next}, the head says {}", head.tail_next),
            ));
        }
        Ok(())
    }
}

fn get(path: &Path, txn: &ReadTransaction, key: &'static str) -> Result<Option<Vec<u8>>> {
    let error = |e: redb::Error| redb_error(path, &format!("meta[{key}]"), e);
    let table = match txn.open_table(META) {
        Ok(t) => t,
        Err(redb::TableError::TableDoesNotExist(_)) => {
            return Err(Error::NotSpans {
                path: path.to_path_buf(),
                reason: "it is another program's redb file".to_string(),
            });
        }
        Err(e) => return Err(error(e.into())),
    };
    Ok(table.get(key).map_err(|e| error(e.into()))?.map(|v| v.value().to_vec()))
}

fn required(path: &Path, txn: &ReadTransaction, key: &'static str) -> Result<Vec<u8>> {
    get(path, txn, key)?.ok_or_else(|| Error::corrupt(path, format!("meta[{key}]"), "missing"))
}

fn read_info(path: &Path, txn: &ReadTransaction) -> Result<Info> {
    let version: Vec<u8> = required(path, txn, meta::FORMAT)?;
    let place = "meta[format_version]";
    let found = format::checked(path, place, &version, 0)?;
    let found = <[u8; 4]>::try_from(found).map(u32::from_le_bytes);
    let found = found.map_err(|_| Error::corrupt(path, place, "not four bytes"))?;
    if found == 0 || found > FORMAT_VERSION {
        return Err(Error::Version { path: path.to_path_buf(), found, supported: FORMAT_VERSION });
    }
    format::decode_checked(path, "meta[info]", &required(path, txn, meta::INFO)?, 1)
}

pub(super) fn read_head(path: &Path, txn: &ReadTransaction) -> Result<Head> {
    format::decode_checked(path, "meta[head]", &required(path, txn, meta::HEAD)?, 2)
}

pub(super) fn read_writer(path: &Path, txn: &ReadTransaction) -> Result<Option<format::WriterInfo>> {
    match guarded(path, "meta[writer]", || get(path, txn, meta::WRITER))? {
        Some(bytes) => format::decode_checked(path, "meta[writer]", &bytes, 3).map(Some),
        None => Ok(None),
    }
}
