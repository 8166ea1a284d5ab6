//! Parts cut into chunks that fill redb's pages, and read back without copying where one chunk suffices.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use redb::{OwnedAccessGuard, ReadOnlyTable, Table};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::file::{File, guarded, redb_error};
use super::format::PartDesc;
use super::tables::ChunkKey;
use crate::error::{Error, Result};
use crate::limits::{CHUNK_CHECKSUM_BYTES, CHUNK_MIN_PAGE_BYTES, CHUNK_OVERHEAD_BYTES, CHUNK_PAGE_BYTES};
use crate::segment::build::PartKind;
use crate::segment::read::ReadAt;

/// Chunks of a snapshot.
pub(super) type ChunkTable = ReadOnlyTable<ChunkKey, &'static [u8]>;

/// Data bytes in a chunk that fills pages of this size.
const fn payload(page: usize) -> usize {
    page - CHUNK_OVERHEAD_BYTES - CHUNK_CHECKSUM_BYTES
}

const FULL: u64 = payload(CHUNK_PAGE_BYTES) as u64;

/// Byte ranges that a part of `len` bytes is cut into: full chunks, then descending powers of two, then the rest.
pub(super) fn cuts(len: u64) -> impl Iterator<Item = Range<u64>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let left = len - at;
        if left == 0 {
            return None;
        }
        let mut page = CHUNK_PAGE_BYTES;
        while page > CHUNK_MIN_PAGE_BYTES && payload(page) as u64 > left {
            page /= 2;
        }
        let start = at;
        at += left.min(payload(page) as u64);
        Some(start..at)
    })
}

/// How many chunks a part of `len` bytes has; `None` when they cannot be numbered.
pub(super) fn count(len: u64) -> Option<u32> {
    u32::try_from(len / FULL).ok()?.checked_add(cuts(len % FULL).count() as u32)
}

/// The chunk that holds the byte at `offset`, and its range.
fn chunk_at(len: u64, offset: u64) -> (u32, Range<u64>) {
    let full = len / FULL;
    if offset < full * FULL {
        let n = offset / FULL;
        return (n as u32, n * FULL..(n + 1) * FULL);
    }
    let base = full * FULL;
    let mut number = full as u32;
    for r in cuts(len - base) {
        if offset < base + r.end {
            return (number, base + r.start..base + r.end);
        }
        number += 1;
    }
    (number, len..len)
}

/// Ties a chunk's checksum to its key, so that a chunk found under another key is noticed.
fn seed((segment, part, chunk): ChunkKey) -> u64 {
    u64::from(segment) << 32 ^ u64::from(part) << 28 ^ u64::from(chunk)
}

/// Writes a part; returns its description.
pub(super) fn write(
    file: &File,
    table: &mut Table<'_, ChunkKey, &'static [u8]>,
    segment: u32,
    kind: PartKind,
    bytes: &[u8],
) -> Result<PartDesc> {
    let mut chunks = 0u32;
    for range in cuts(bytes.len() as u64) {
        let data = &bytes[range.start as usize..range.end as usize];
        let key = (segment, kind.code(), chunks);
        let sum = xxh3_64_with_seed(data, seed(key));
        let mut page = table
            .insert_reserve(key, data.len() + CHUNK_CHECKSUM_BYTES)
            .map_err(|e| redb_error(file.path(), &place(key), e.into()))?;
        let (body, tail) = page.as_mut().split_at_mut(data.len());
        body.copy_from_slice(data);
        tail.copy_from_slice(&sum.to_le_bytes());
        drop(page);
        chunks += 1;
    }
    Ok(PartDesc { kind: kind.code(), len: bytes.len() as u64, chunks, blake3: *blake3::hash(bytes).as_bytes() })
}

fn place((segment, part, chunk): ChunkKey) -> String {
    let part = PartKind::from_code(part).map_or("?", PartKind::name);
    format!("chunks[segment {segment}, {part}, {chunk}]")
}

struct Owned(OwnedAccessGuard<&'static [u8]>);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        self.0.value()
    }
}

/// A part of a segment in a file, as one snapshot sees it.
pub(super) struct FilePart {
    file: Arc<File>,
    table: Arc<ChunkTable>,
    segment: u32,
    kind: PartKind,
    len: u64,
}

impl std::fmt::Debug for FilePart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of segment {}", self.kind.name(), self.segment)
    }
}

impl FilePart {
    pub(super) fn new(file: Arc<File>, table: Arc<ChunkTable>, segment: u32, kind: PartKind, len: u64) -> Self {
        FilePart { file, table, segment, kind, len }
    }

    fn path(&self) -> &Path {
        self.file.path()
    }

    /// A whole chunk, checksum verified and cut off.
    fn chunk(&self, number: u32, expected: u64) -> Result<Bytes> {
        let key = (self.segment, self.kind.code(), number);
        let found = guarded(self.path(), &place(key), || {
            let guard = self.table.get_owned(key).map_err(|e| redb_error(self.path(), &place(key), e.into()))?;
            Ok(guard.map(|g| Bytes::from_owner(Owned(g))))
        })?;
        let Some(bytes) = found else { return Err(Error::corrupt(self.path(), place(key), "missing")) };
        if bytes.len() as u64 != expected + CHUNK_CHECKSUM_BYTES as u64 {
            return Err(Error::corrupt(
                self.path(),
                place(key),
                format!("{} bytes, {} expected", bytes.len(), expected + CHUNK_CHECKSUM_BYTES as u64),
            ));
        }
        let body = super::format::checked(self.path(), &place(key), &bytes, seed(key))?.len();
        Ok(bytes.slice(..body))
    }
}

impl ReadAt for FilePart {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, range: Range<u64>) -> Result<Bytes> {
        if range.start > range.end || range.end > self.len {
            return Err(self.damaged(&format!("bytes {range:?} of {} are asked for", self.len)));
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let (number, first) = chunk_at(self.len, range.start);
        if range.end <= first.end {
            let bytes = self.chunk(number, first.end - first.start)?;
            return Ok(bytes.slice((range.start - first.start) as usize..(range.end - first.start) as usize));
        }
        // The length is what the log says: memory is taken only for chunks that are there.
        let mut found = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let (number, r) = chunk_at(self.len, at);
            let bytes = self.chunk(number, r.end - r.start)?;
            let end = range.end.min(r.end);
            found.push(bytes.slice((at - r.start) as usize..(end - r.start) as usize));
            at = end;
        }
        Ok(found.concat().into())
    }

    fn damaged(&self, reason: &str) -> Error {
        Error::corrupt(self.path(), format!("segment {}, {}", self.segment, self.kind.name()), reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_cover_the_part_and_agree_with_lookup() {
        for len in [0, 1, 4067, 4068, 4069, 8164, 65507, 65508, 65509, 131_016, 200_000, 1_000_003] {
            let mut end = 0;
            for (i, r) in cuts(len).enumerate() {
                assert_eq!(r.start, end);
                for at in [r.start, r.end - 1] {
                    assert_eq!(chunk_at(len, at), (i as u32, r.clone()), "byte {at} of {len}");
                }
                end = r.end;
            }
            assert_eq!(end, len);
            assert_eq!(count(len), Some(cuts(len).count() as u32));
        }
    }
}
