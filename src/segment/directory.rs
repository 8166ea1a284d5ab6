//! The trace directory: where each trace of a segment lies.
//!
//! Layout, little-endian: a header, a Bloom filter over trace ids, an index of blocks (the first trace id, where the block
//! ends), then the blocks: 256 entries each, sorted by trace id, field by field, compressed with zstd. Finding a trace
//! asks the filter, searches the index, and reads one block.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::read::ReadAt;
use super::{RowRange, Table};
use crate::error::{Error, Result};
use crate::limits::{DIRECTORY_BLOCK_TRACES, FILTER_BITS_PER_TRACE, FILTER_HASHES};
use crate::model::TraceId;
use crate::schema::TRACE_ID_BYTES;

const MAGIC: [u8; 4] = *b"SFTD";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 24;
/// A first trace id, and where its block ends, counted from the first block.
const INDEX_BYTES: usize = TRACE_ID_BYTES + 4;
/// Fields of an entry apart from the trace id: first row and rows per table, start, duration.
const FIELDS: usize = Table::COUNT * 2 + 4;
const ENTRY_BYTES: usize = TRACE_ID_BYTES + FIELDS * 4;
/// Ids do not compress, the rest does at any level.
const BLOCK_LEVEL: i32 = 3;

/// Where one trace lies in its segment, and when it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceEntry {
    pub(crate) trace: TraceId,
    /// Rows per table, in the order of [`Table`].
    pub(crate) rows: [RowRange; Table::COUNT],
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl TraceEntry {
    fn fields(&self) -> [u32; FIELDS] {
        let mut out = [0; FIELDS];
        for (pair, r) in out.chunks_exact_mut(2).zip(self.rows) {
            // Where a trace has no rows, any place is right, and zero compresses best.
            pair.copy_from_slice(&[if r.rows == 0 { 0 } else { r.first }, r.rows]);
        }
        let duration = self.end.wrapping_sub(self.start);
        for (pair, v) in out[Table::COUNT * 2..].chunks_exact_mut(2).zip([self.start, duration]) {
            pair.copy_from_slice(&[v as u32, (v >> 32) as u32]);
        }
        out
    }

    fn of_fields(trace: TraceId, fields: &[u32; FIELDS]) -> Self {
        let rows = std::array::from_fn(|t| RowRange { first: fields[t * 2], rows: fields[t * 2 + 1] });
        let [start, duration] =
            [0, 2].map(|at| Table::COUNT * 2 + at).map(|at| i64::from(fields[at]) | i64::from(fields[at + 1]) << 32);
        TraceEntry { trace, rows, start, end: start.wrapping_add(duration) }
    }
}

/// A block's entries field by field: all trace ids, then each field of all entries.
fn block_bytes(entries: &[TraceEntry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    entries.iter().for_each(|e| out.extend_from_slice(&e.trace.0));
    let fields: Vec<[u32; FIELDS]> = entries.iter().map(TraceEntry::fields).collect();
    for field in 0..FIELDS {
        fields.iter().for_each(|f| out.extend_from_slice(&f[field].to_le_bytes()));
    }
    out
}

fn block_entries(bytes: &[u8]) -> Vec<TraceEntry> {
    let count = bytes.len() / ENTRY_BYTES;
    let (ids, words) = bytes.split_at(count * TRACE_ID_BYTES);
    let words = words.as_chunks::<4>().0;
    let fields = |entry: usize| std::array::from_fn(|field| u32::from_le_bytes(words[field * count + entry]));
    let ids = ids.chunks_exact(TRACE_ID_BYTES).map(super::arrivals::trace_id);
    ids.enumerate().map(|(i, id)| TraceEntry::of_fields(id, &fields(i))).collect()
}

/// Encodes a directory. Entries need not be sorted.
pub(crate) fn encode(mut entries: Vec<TraceEntry>) -> std::io::Result<Vec<u8>> {
    entries.sort_unstable_by_key(|e| e.trace);
    let words = (entries.len() as u64 * FILTER_BITS_PER_TRACE).div_ceil(64).max(1);
    let mut filter = vec![0u64; words as usize];
    for e in &entries {
        for bit in filter_bits(e.trace, words * 64) {
            filter[(bit / 64) as usize] |= 1 << (bit % 64);
        }
    }
    let mut blocks = Vec::new();
    let mut index = Vec::new();
    for block in entries.chunks(DIRECTORY_BLOCK_TRACES) {
        blocks.extend(zstd::bulk::compress(&block_bytes(block), BLOCK_LEVEL)?);
        let end = u32::try_from(blocks.len()).map_err(|_| std::io::Error::other("a trace directory beyond 4 GiB"))?;
        index.extend_from_slice(&block[0].trace.0);
        index.extend_from_slice(&end.to_le_bytes());
    }
    let mut out = Vec::with_capacity(HEADER_BYTES + filter.len() * 8 + index.len() + blocks.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    out.extend_from_slice(&words.to_le_bytes());
    filter.iter().for_each(|w| out.extend_from_slice(&w.to_le_bytes()));
    out.extend_from_slice(&index);
    out.extend_from_slice(&blocks);
    Ok(out)
}

fn filter_bits(trace: TraceId, bits: u64) -> impl Iterator<Item = u64> {
    // Double hashing over one 128-bit hash: ids are random as a rule, but need not be.
    let h = xxh3_128_with_seed(&trace.0, 0);
    let (a, b) = (h as u64, (h >> 64) as u64 | 1);
    (0..u64::from(FILTER_HASHES)).map(move |i| a.wrapping_add(b.wrapping_mul(i)) % bits)
}

/// A directory that is open: filter and block index in memory, entries read as they are needed.
#[derive(Debug)]
pub(crate) struct Directory {
    traces: u64,
    filter: Vec<u64>,
    /// The first trace of each block, and where its bytes lie.
    blocks: Vec<(TraceId, Range<u64>)>,
}

impl Directory {
    /// Reads header, filter and block index. `traces` is what the segment's description promises.
    pub(crate) fn open(part: &dyn ReadAt, traces: u64) -> Result<Directory> {
        let len = part.len();
        let head = part.read_at(0..(HEADER_BYTES as u64).min(len))?;
        let long = |at: usize| head.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
        let (found, words) = (long(8), long(16));
        let version_ok = head.get(4..8) == Some(VERSION.to_le_bytes().as_slice());
        let blocks = found.div_ceil(DIRECTORY_BLOCK_TRACES as u64);
        let sizes = words.checked_mul(8).zip(blocks.checked_mul(INDEX_BYTES as u64)).and_then(|(filter, index)| {
            let index_at = (HEADER_BYTES as u64).checked_add(filter)?;
            Some((index_at, index_at.checked_add(index)?))
        });
        let Some((index_at, blocks_at)) = sizes else { return Err(part.damaged("trace directory: sizes overflow")) };
        let misfit = || {
            part.damaged(&format!(
                "trace directory: header does not fit {len} bytes and {traces} traces ({found} traces, {words} filter words)"
            ))
        };
        if head.get(..4) != Some(&MAGIC) || !version_ok || blocks_at > len || found != traces || words == 0 {
            return Err(misfit());
        }
        let bytes = part.read_at(HEADER_BYTES as u64..blocks_at)?;
        let (filter, index) = bytes.split_at((index_at as usize) - HEADER_BYTES);
        let filter = filter.as_chunks::<8>().0.iter().map(|w| u64::from_le_bytes(*w)).collect();
        let mut blocks = Vec::with_capacity(index.len() / INDEX_BYTES);
        let mut at = blocks_at;
        for item in index.as_chunks::<INDEX_BYTES>().0 {
            let (id, end) = item.split_at(TRACE_ID_BYTES);
            let end = blocks_at + end.first_chunk().map_or(0, |e| u64::from(u32::from_le_bytes(*e)));
            if end < at || end > len {
                return Err(misfit());
            }
            blocks.push((super::arrivals::trace_id(id), at..end));
            at = end;
        }
        if at != len {
            return Err(misfit());
        }
        Ok(Directory { traces: found, filter, blocks })
    }

    /// Whether the trace may be here. False is certain.
    pub(crate) fn may_contain(&self, trace: TraceId) -> bool {
        let bits = self.filter.len() as u64 * 64;
        filter_bits(trace, bits).all(|bit| self.filter[(bit / 64) as usize] & (1 << (bit % 64)) != 0)
    }

    /// The entries of those traces that are here. `traces` is sorted.
    pub(crate) fn find_all(&self, part: &dyn ReadAt, traces: &[TraceId]) -> Result<Vec<TraceEntry>> {
        let mut out = Vec::new();
        let mut open: Option<(usize, Vec<TraceEntry>)> = None;
        for &trace in traces.iter().filter(|t| self.may_contain(**t)) {
            let Some(block) = self.blocks.partition_point(|(first, _)| *first <= trace).checked_sub(1) else {
                continue;
            };
            if open.as_ref().is_none_or(|(b, _)| *b != block) {
                open = Some((block, self.block(part, block)?));
            }
            if let Some((_, entries)) = &open
                && let Ok(i) = entries.binary_search_by_key(&trace, |e| e.trace)
            {
                out.push(entries[i]);
            }
        }
        Ok(out)
    }

    /// All entries, sorted by trace id.
    pub(crate) fn all(&self, part: &dyn ReadAt) -> Result<Vec<TraceEntry>> {
        // The number of traces is only a claim until their blocks have been read.
        let mut out = Vec::new();
        for block in 0..self.blocks.len() {
            out.extend(self.block(part, block)?);
        }
        Ok(out)
    }

    fn block(&self, part: &dyn ReadAt, block: usize) -> Result<Vec<TraceEntry>, Error> {
        let first = block * DIRECTORY_BLOCK_TRACES;
        let count = (self.traces as usize).saturating_sub(first).min(DIRECTORY_BLOCK_TRACES);
        let compressed = part.read_at(self.blocks[block].1.clone())?;
        match zstd::bulk::decompress(&compressed, count * ENTRY_BYTES) {
            Ok(bytes) if bytes.len() == count * ENTRY_BYTES => Ok(block_entries(&bytes)),
            Ok(bytes) => Err(part.damaged(&format!("trace directory: block {block} has {} bytes", bytes.len()))),
            Err(e) => Err(part.damaged(&format!("trace directory: block {block}: {e}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[derive(Debug)]
    struct InMemory(Vec<u8>);

    impl ReadAt for InMemory {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&self, range: Range<u64>) -> Result<Bytes> {
            let bytes = self.0.get(range.start as usize..range.end as usize);
            bytes.map(Bytes::copy_from_slice).ok_or_else(|| self.damaged("out of range"))
        }

        fn damaged(&self, reason: &str) -> Error {
            Error::Rows(reason.to_string())
        }
    }

    fn entry(n: u64) -> TraceEntry {
        let hash = xxh3_128_with_seed(&n.to_le_bytes(), 1);
        let rows = std::array::from_fn(|t| RowRange { first: n as u32 + t as u32, rows: 3 });
        TraceEntry { trace: TraceId(hash.to_be_bytes()), rows, start: -(n as i64), end: n as i64 }
    }

    #[test]
    fn what_is_there_is_found_and_little_else() {
        for count in [0u64, 1, 1023, 1024, 1025, 5000] {
            let part = InMemory(encode((0..count).map(entry).collect()).unwrap());
            let directory = Directory::open(&part, count).unwrap();
            let mut all: Vec<TraceEntry> = (0..count).map(entry).collect();
            all.sort_unstable_by_key(|e| e.trace);
            assert_eq!(directory.all(&part).unwrap(), all);
            let wanted: Vec<TraceId> = all.iter().map(|e| e.trace).collect();
            assert_eq!(directory.find_all(&part, &wanted).unwrap(), all);
            let mut absent: Vec<TraceId> = (count..count + 1000).map(|n| entry(n).trace).collect();
            absent.sort_unstable();
            assert_eq!(directory.find_all(&part, &absent).unwrap(), []);
            let maybe = absent.iter().filter(|t| directory.may_contain(**t)).count();
            assert!(maybe < 30, "{maybe} of 1000 pass the filter of {count}");
        }
    }

    #[test]
    fn a_directory_that_does_not_fit_its_segment_is_refused() {
        let bytes = encode((0..10).map(entry).collect()).unwrap();
        assert!(Directory::open(&InMemory(bytes.clone()), 11).is_err());
        for cut in 0..bytes.len() {
            assert!(Directory::open(&InMemory(bytes[..cut].to_vec()), 10).is_err(), "cut at {cut}");
        }
    }

    // These bytes are in files.
    #[test]
    fn the_layout_stands_still() {
        let rows = std::array::from_fn(|t| RowRange { first: 2 * t as u32 + 1, rows: 2 * t as u32 });
        let one = TraceEntry { trace: TraceId([0x11; 16]), rows, start: -2, end: 3 };
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let bytes = encode(vec![one]).unwrap();
        let (id, word) = ("11".repeat(16), |n: u32| hex(&n.to_le_bytes()));
        let (head, rest) = bytes.split_at(HEADER_BYTES);
        assert_eq!(hex(head), "534654440100000001000000000000000100000000000000");
        let (index, block) = rest[8..].split_at(INDEX_BYTES);
        assert_eq!(hex(index), format!("{id}{}", word(block.len() as u32)));
        // The first row of a table without rows is not kept.
        let rows: String = [0, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14].map(word).concat();
        let times = "feffffffffffffff0500000000000000";
        let block = zstd::bulk::decompress(block, ENTRY_BYTES).unwrap();
        assert_eq!(hex(&block), format!("{id}{rows}{times}"));
    }
}
