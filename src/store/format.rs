//! Everything that is encoded with bincode, and nothing else knows that it is bincode.
//!
//! Little-endian, variable-length integers. Golden bytes in the tests hold the encoding still, so that another
//! encoder could take bincode's place.

use std::path::Path;

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::{Decode, Encode};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::{Error, Result};
use crate::limits::LOG_ENTRY_BYTES;
use crate::segment::{RowRange, Table};

const CONFIG: Configuration<LittleEndian, Varint, Limit<LOG_ENTRY_BYTES>> =
    bincode::config::standard().with_limit::<LOG_ENTRY_BYTES>();

/// BLAKE3 hash.
pub(super) type Hash = [u8; 32];

/// What the file is; written once.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(super) struct Info {
    pub(super) file_id: [u8; 16],
    pub(super) creator: String,
    pub(super) created_at_unix_nano: i64,
}

/// The state that every commit replaces.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(super) struct Head {
    /// Commits so far; tells readers whether anything is new.
    pub(super) commit: u64,
    pub(super) log_len: u64,
    /// Hash of the last log entry; zeros before the first.
    pub(super) log_hash: Hash,
    pub(super) next_segment: u32,
    /// Tail batches are `tail_first..tail_next`, all of them present.
    pub(super) tail_first: u64,
    pub(super) tail_next: u64,
    /// Rows dropped because they were there already.
    pub(super) duplicates: u64,
    /// Rows that took the place of others with the same ids.
    pub(super) replaced: u64,
}

/// Who writes.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(super) struct WriterInfo {
    pub(super) pid: u32,
    pub(super) since_unix_nano: i64,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(super) struct LogEntry {
    pub(super) sequence: u64,
    pub(super) time_unix_nano: i64,
    pub(super) body: LogBody,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(super) enum LogBody {
    /// A segment was sealed; rows of older segments may have moved into it.
    Seal { segment: SegmentDesc, supersedes: Vec<Superseded> },
    /// Segments were rewritten into others.
    Compact { inputs: Vec<u32>, outputs: Vec<SegmentDesc> },
    /// The price book changed.
    Prices { rows: u64, hash: Hash },
    /// A remark.
    Note { text: String },
    /// The budgets changed.
    Budgets { text: String },
}

/// Rows of an older segment that are no longer live.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(super) struct Superseded {
    pub(super) segment: u32,
    /// Rows per table, in the order of [`Table`].
    pub(super) rows: [Vec<RowRange>; Table::COUNT],
}

/// What a segment is.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(super) struct SegmentDesc {
    pub(super) id: u32,
    /// Rows per table, in the order of [`Table`].
    pub(super) rows: [u64; Table::COUNT],
    pub(super) traces: u64,
    /// First start, last start and last end of its spans.
    pub(super) times: Option<(i64, i64, i64)>,
    /// zstd level it was written with.
    pub(super) level: i32,
    pub(super) parts: Vec<PartDesc>,
}

/// What a part of a segment is.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(super) struct PartDesc {
    /// 0 directory, then the tables in the order of [`Table`], from 1.
    pub(super) kind: u32,
    pub(super) len: u64,
    pub(super) chunks: u32,
    pub(super) blake3: Hash,
}

/// What starts a tail batch.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(super) struct TailHeader {
    pub(super) spans: u64,
    pub(super) logs: u64,
    /// Bytes of the Arrow IPC streams before and after compression: spans, logs.
    pub(super) raw_bytes: [u64; 2],
    pub(super) stored_bytes: [u64; 2],
    /// Smallest and largest trace id.
    pub(super) traces: ([u8; 16], [u8; 16]),
    /// Whether rows are sorted by trace id.
    pub(super) sorted: bool,
}

fn encode<T: Encode>(path: &Path, value: &T) -> Result<Vec<u8>> {
    bincode::encode_to_vec(value, CONFIG).map_err(|e| Error::engine(path, "encode", e))
}

fn decode<T: Decode<()>>(path: &Path, place: &str, bytes: &[u8]) -> Result<T> {
    // A count in the bytes is only a claim: what it makes us allocate is kept in proportion to them. No element takes
    // more than 32 times its shortest encoding.
    let decoded = match bytes.len() {
        0..=0x400 => limited::<T, 0x8000>(bytes),
        0x401..=0x8000 => limited::<T, 0x10_0000>(bytes),
        _ => limited::<T, LOG_ENTRY_BYTES>(bytes),
    };
    match decoded {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok((_, used)) => Err(Error::corrupt(path, place, format!("{} bytes after the end", bytes.len() - used))),
        Err(e) => Err(Error::corrupt(path, place, e.to_string())),
    }
}

fn limited<T: Decode<()>, const BYTES: usize>(bytes: &[u8]) -> Result<(T, usize), bincode::error::DecodeError> {
    bincode::decode_from_slice(bytes, bincode::config::standard().with_limit::<BYTES>())
}

/// A value followed by the checksum of its bytes. `seed` ties it to its place in the file.
pub(super) fn encode_checked<T: Encode>(path: &Path, value: &T, seed: u64) -> Result<Vec<u8>> {
    let mut bytes = encode(path, value)?;
    let sum = xxh3_64_with_seed(&bytes, seed);
    bytes.extend_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

/// Reverse of [`encode_checked`].
pub(super) fn decode_checked<T: Decode<()>>(path: &Path, place: &str, bytes: &[u8], seed: u64) -> Result<T> {
    decode(path, place, checked(path, place, bytes, seed)?)
}

/// The bytes before a trailing checksum, if it fits.
pub(super) fn checked<'b>(path: &Path, place: &str, bytes: &'b [u8], seed: u64) -> Result<&'b [u8]> {
    let Some((body, sum)) = bytes.split_last_chunk::<8>() else {
        return Err(Error::corrupt(path, place, format!("{} bytes are too few", bytes.len())));
    };
    let (stored, found) = (u64::from_le_bytes(*sum), xxh3_64_with_seed(body, seed));
    if stored == found {
        Ok(body)
    } else {
        Err(Error::corrupt(path, place, format!("checksum is {found:016x}, stored {stored:016x}")))
    }
}

/// Appends the checksum that [`checked`] wants.
pub(super) fn add_checksum(bytes: &mut Vec<u8>, seed: u64) {
    let sum = xxh3_64_with_seed(bytes, seed);
    bytes.extend_from_slice(&sum.to_le_bytes());
}

/// A log entry as stored: the entry, the hash of the one before, its own hash over both.
pub(super) fn encode_log(path: &Path, entry: &LogEntry, previous: &Hash) -> Result<(Vec<u8>, Hash)> {
    let mut bytes = encode(path, entry)?;
    bytes.extend_from_slice(previous);
    let hash = *blake3::hash(&bytes).as_bytes();
    bytes.extend_from_slice(&hash);
    Ok((bytes, hash))
}

/// Reverse of [`encode_log`]; checks that the entry follows `previous`.
pub(super) fn decode_log(path: &Path, sequence: u64, bytes: &[u8], previous: &Hash) -> Result<(LogEntry, Hash)> {
    let place = format!("log[{sequence}]");
    let parts =
        bytes.split_last_chunk::<32>().and_then(|(rest, hash)| Some((rest, rest.split_last_chunk::<32>()?, hash)));
    let Some((hashed, (body, before), hash)) = parts else {
        return Err(Error::corrupt(path, place, format!("{} bytes are too few", bytes.len())));
    };
    let found = blake3::hash(hashed);
    if found.as_bytes() != hash {
        return Err(Error::corrupt(path, place, format!("hash is {}, stored {}", found.to_hex(), hex(hash))));
    }
    if before != previous {
        return Err(Error::corrupt(path, place, format!("follows {}, not {}", hex(before), hex(previous))));
    }
    let entry: LogEntry = decode(path, &place, body)?;
    if entry.sequence != sequence {
        return Err(Error::corrupt(path, place, format!("entry is number {}", entry.sequence)));
    }
    Ok((entry, *hash))
}

/// A header with its length in front.
pub(super) fn encode_prefixed<T: Encode>(path: &Path, value: &T) -> Result<Vec<u8>> {
    let body = encode(path, value)?;
    let mut out = (body.len() as u32).to_le_bytes().to_vec();
    out.extend_from_slice(&body);
    Ok(out)
}

/// Reverse of [`encode_prefixed`]: the header, and the bytes behind it.
pub(super) fn decode_prefixed<'b, T: Decode<()>>(path: &Path, place: &str, bytes: &'b [u8]) -> Result<(T, &'b [u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| Error::corrupt(path, place, "too short"))?;
    let len = u32::from_le_bytes(*len) as usize;
    let (body, rest) = rest.split_at_checked(len).ok_or_else(|| Error::corrupt(path, place, "header is cut off"))?;
    Ok((decode(path, place, body)?, rest))
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> LogEntry {
        let part = PartDesc { kind: 1, len: 65_509, chunks: 2, blake3: [0xab; 32] };
        let segment = SegmentDesc {
            id: 7,
            rows: [300, 2, 0, 12, 40, 0, 1, 3],
            traces: 12,
            times: Some((-1, 1_767_225_600_000_000_000, 5)),
            level: 3,
            parts: vec![part],
        };
        let mut rows: [Vec<RowRange>; Table::COUNT] = Default::default();
        rows[0].push(RowRange { first: 10, rows: 4 });
        LogEntry {
            sequence: 5,
            time_unix_nano: 1_767_225_600_000_000_000,
            body: LogBody::Seal { segment, supersedes: vec![Superseded { segment: 3, rows }] },
        }
    }

    // These bytes are in files. If a test fails after an update of the encoder, the encoder is wrong, not the test.
    #[test]
    fn the_encoding_of_a_log_entry_stands_still() {
        let (bytes, hash) = encode_log(Path::new("a"), &entry(), &[0; 32]).unwrap();
        let (body, rest) = bytes.split_at(bytes.len() - 64);
        assert_eq!(hex(body), GOLDEN_SEAL);
        assert_eq!(rest[..32], [0; 32]);
        assert_eq!(rest[32..], hash);
        assert_eq!(decode_log(Path::new("a"), 5, &bytes, &[0; 32]).unwrap(), (entry(), hash));
    }

    /// The fields in order; integers above 250 take a marker byte and 2, 4 or 8 bytes, signed ones are zigzag.
    const GOLDEN_SEAL: &str = "05fd0000f4dba3e40c310007fb2c0102000c280001030c0101fd0000f4dba3e40c310a060101fbe5ff02\
        abababababababababababababababababababababababababababababababab0103010a0400000000000000";

    #[test]
    fn the_encoding_of_budgets_stands_still() {
        let body = LogBody::Budgets { text: "x".into() };
        let (bytes, _) = encode_log(Path::new("a"), &LogEntry { body, ..entry() }, &[0; 32]).unwrap();
        assert_eq!(hex(&bytes[..bytes.len() - 64]), "05fd0000f4dba3e40c31040178");
    }

    #[test]
    fn a_log_entry_out_of_place_is_refused() {
        let path = Path::new("a");
        let (bytes, _) = encode_log(path, &entry(), &[1; 32]).unwrap();
        for (sequence, previous, said) in [(5, [2; 32], "follows"), (6, [1; 32], "entry is number 5")] {
            let error = decode_log(path, sequence, &bytes, &previous).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        for i in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 1;
            assert!(decode_log(path, 5, &bad, &[1; 32]).is_err(), "byte {i}");
            assert!(decode_log(path, 5, &bytes[..i], &[1; 32]).is_err(), "cut at {i}");
        }
    }

    #[test]
    fn the_encoding_of_the_head_stands_still() {
        let head = Head {
            commit: 1,
            log_len: 300,
            log_hash: [0xcd; 32],
            next_segment: 2,
            tail_first: 3,
            tail_next: 4,
            duplicates: 5,
            replaced: 6,
        };
        let bytes = encode_checked(Path::new("a"), &head, 2).unwrap();
        assert_eq!(hex(&bytes[..bytes.len() - 8]), format!("01fb2c01{}020304 0506", "cd".repeat(32)).replace(' ', ""));
        assert_eq!(decode_checked::<Head>(Path::new("a"), "head", &bytes, 2).unwrap(), head);
        assert!(decode_checked::<Head>(Path::new("a"), "head", &bytes, 3).is_err(), "another place");
    }
}
