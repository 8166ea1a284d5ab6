//! The trace directory: where each trace of a segment lies.
//!
//! Layout, little-endian: a header, a Bloom filter over trace ids, the first trace id of every block of 1,024
//! entries, then the entries sorted by trace id. Finding a trace asks the filter, searches the block index, and reads
//! one block.

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
const TIMES_AT: usize = TRACE_ID_BYTES + Table::COUNT * 8;
const ENTRY_BYTES: usize = TIMES_AT + 2 * 8;

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
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.trace.0);
        for r in self.rows {
            out.extend_from_slice(&r.first.to_le_bytes());
            out.extend_from_slice(&r.rows.to_le_bytes());
        }
        out.extend_from_slice(&self.start.to_le_bytes());
        out.extend_from_slice(&self.end.to_le_bytes());
    }

    fn read(b: &[u8; ENTRY_BYTES]) -> Self {
        let word = |at: usize| u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]);
        let long = |at: usize| i64::from(word(at)) | i64::from(word(at + 4)) << 32;
        let mut trace = TraceId::default();
        trace.0.copy_from_slice(&b[..TRACE_ID_BYTES]);
        let rows = std::array::from_fn(|t| RowRange { first: word(16 + t * 8), rows: word(20 + t * 8) });
        TraceEntry { trace, rows, start: long(TIMES_AT), end: long(TIMES_AT + 8) }
    }
}

/// Encodes a directory. Entries need not be sorted.
pub(crate) fn encode(mut entries: Vec<TraceEntry>) -> Vec<u8> {
    entries.sort_unstable_by_key(|e| e.trace);
    let words = (entries.len() as u64 * FILTER_BITS_PER_TRACE).div_ceil(64).max(1);
    let mut filter = vec![0u64; words as usize];
    for e in &entries {
        for bit in filter_bits(e.trace, words * 64) {
            filter[(bit / 64) as usize] |= 1 << (bit % 64);
        }
    }
    let mut out = Vec::with_capacity(HEADER_BYTES + filter.len() * 8 + entries.len() * ENTRY_BYTES);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    out.extend_from_slice(&words.to_le_bytes());
    filter.iter().for_each(|w| out.extend_from_slice(&w.to_le_bytes()));
    entries.chunks(DIRECTORY_BLOCK_TRACES).for_each(|block| out.extend_from_slice(&block[0].trace.0));
    entries.iter().for_each(|e| e.write(&mut out));
    out
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
    blocks: Vec<TraceId>,
    entries_at: u64,
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
        let sizes = words.checked_mul(8).zip(found.checked_mul(ENTRY_BYTES as u64)).and_then(|(f, e)| {
            let at = (HEADER_BYTES as u64).checked_add(f)?.checked_add(blocks * TRACE_ID_BYTES as u64)?;
            Some((at, at.checked_add(e)?))
        });
        let Some((entries_at, end)) = sizes else { return Err(part.damaged("trace directory: sizes overflow")) };
        if head.get(..4) != Some(&MAGIC) || !version_ok || end != len || found != traces || words == 0 {
            return Err(part.damaged(&format!(
                "trace directory: header does not fit {len} bytes and {traces} traces ({found} traces, {words} filter words)"
            )));
        }
        let bytes = part.read_at(HEADER_BYTES as u64..entries_at)?;
        let (filter, index) = bytes.split_at((words * 8) as usize);
        let filter =
            filter.chunks_exact(8).map(|b| u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]));
        let blocks = index.chunks_exact(TRACE_ID_BYTES).map(super::arrivals::trace_id);
        Ok(Directory { traces: found, filter: filter.collect(), blocks: blocks.collect(), entries_at })
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
            let Some(block) = self.blocks.partition_point(|first| *first <= trace).checked_sub(1) else { continue };
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
        let first = (block * DIRECTORY_BLOCK_TRACES) as u64;
        let last = (first + DIRECTORY_BLOCK_TRACES as u64).min(self.traces);
        let at = |entry: u64| self.entries_at + entry * ENTRY_BYTES as u64;
        let bytes = part.read_at(at(first)..at(last))?;
        Ok(bytes.as_chunks::<ENTRY_BYTES>().0.iter().map(TraceEntry::read).collect())
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

        fn read_at(&self, range: std::ops::Range<u64>) -> Result<Bytes> {
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
            let part = InMemory(encode((0..count).map(entry).collect()));
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
        let bytes = encode((0..10).map(entry).collect());
        assert!(Directory::open(&InMemory(bytes.clone()), 11).is_err());
        for cut in 0..bytes.len() {
            assert!(Directory::open(&InMemory(bytes[..cut].to_vec()), 10).is_err(), "cut at {cut}");
        }
    }

    // These bytes are in files.
    #[test]
    fn the_layout_stands_still() {
        let one = TraceEntry {
            trace: TraceId([0x11; 16]),
            rows: [RowRange { first: 1, rows: 2 }, RowRange { first: 3, rows: 4 }, RowRange { first: 5, rows: 6 }],
            start: -1,
            end: 2,
        };
        let hex: String = encode(vec![one]).iter().map(|b| format!("{b:02x}")).collect();
        let id = "11".repeat(16);
        let (head, rest) = hex.split_at(48);
        assert_eq!(head, "534654440100000001000000000000000100000000000000");
        let (_, rest) = rest.split_at(16);
        assert_eq!(
            rest,
            format!("{id}{id}010000000200000003000000040000000500000006000000ffffffffffffffff0200000000000000")
        );
    }
}
