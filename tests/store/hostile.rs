//! Files that somebody made to hurt: every checksum is right, what it covers is nonsense.

use redb::{Database, ReadableTable, TableDefinition};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::allocations::{Allocated, measured};
use super::chance::{Chance, amount};
use super::damage::{Memory, ask, file};
use super::quiet::quietly;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
const CHUNKS: TableDefinition<'_, (u32, u32, u32), &[u8]> = TableDefinition::new("chunks");
const TAIL: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("tail");

/// Changes some bytes, the way that hits lengths and counts often.
fn scramble(bytes: &mut [u8], chance: &mut Chance) {
    // Headers come first and footers last, and most of what can be misunderstood is in them.
    let len = bytes.len() as u64;
    let before = bytes.to_vec();
    for _ in 0..1 + chance.below(3) {
        let at = match chance.below(3) {
            0 => chance.below(len.min(64)),
            1 => len - 1 - chance.below(len.min(64)),
            _ => chance.below(len),
        };
        bytes[at as usize] = match chance.below(4) {
            0 => 0xff,
            1 => 0,
            2 => bytes[at as usize].wrapping_add(1),
            _ => chance.next() as u8,
        };
    }
    if bytes == before {
        scramble(bytes, chance);
    }
}

fn sealed(mut body: Vec<u8>, seed: u64) -> Vec<u8> {
    let sum = xxh3_64_with_seed(&body, seed);
    body.extend_from_slice(&sum.to_le_bytes());
    body
}

fn body(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len() - 8].to_vec()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Head,
    Log,
    Tail,
    /// Directories and Parquet, in the chunks that they are cut into.
    Chunk,
}

/// Scrambles one value and puts every checksum right that covers it.
fn tamper(memory: &Memory, target: Target, chance: &mut Chance) {
    let db = Database::builder().create_with_backend(memory.clone()).unwrap();
    let txn = db.begin_write().unwrap();
    {
        let mut meta = txn.open_table(META).unwrap();
        match target {
            Target::Head => {
                let mut head = body(meta.get("head").unwrap().unwrap().value());
                scramble(&mut head, chance);
                meta.insert("head", sealed(head, 2).as_slice()).unwrap();
            }
            Target::Log => {
                // The last entry: its hash is in the head and nowhere else.
                let mut log = txn.open_table(LOG).unwrap();
                let (key, value) = log.last().unwrap().map(|(k, v)| (k.value(), v.value().to_vec())).unwrap();
                let (entry, before) = value.split_at(value.len() - 64);
                let (mut entry, old) = (entry.to_vec(), &value[value.len() - 32..]);
                scramble(&mut entry, chance);
                entry.extend_from_slice(&before[..32]);
                let hash = *blake3::hash(&entry).as_bytes();
                entry.extend_from_slice(&hash);
                log.insert(key, entry.as_slice()).unwrap();
                let mut head = body(meta.get("head").unwrap().unwrap().value());
                let at = head.windows(32).position(|w| w == old).unwrap();
                head[at..at + 32].copy_from_slice(&hash);
                meta.insert("head", sealed(head, 2).as_slice()).unwrap();
            }
            Target::Tail => {
                let mut tail = txn.open_table(TAIL).unwrap();
                let (key, value) = tail.last().unwrap().map(|(k, v)| (k.value(), v.value().to_vec())).unwrap();
                let mut batch = body(&value);
                if chance.one_in(2) {
                    // Into the rows: decompressed, scrambled, compressed again.
                    scramble_rows(&mut batch, chance);
                } else {
                    scramble(&mut batch, chance);
                }
                tail.insert(key, sealed(batch, key).as_slice()).unwrap();
            }
            Target::Chunk => {
                let mut chunks = txn.open_table(CHUNKS).unwrap();
                let keys: Vec<_> = chunks.iter().unwrap().map(|item| item.unwrap().0.value()).collect();
                let key = keys[chance.below(keys.len() as u64) as usize];
                let mut chunk = body(chunks.get(key).unwrap().unwrap().value());
                scramble(&mut chunk, chance);
                let seed = u64::from(key.0) << 32 ^ u64::from(key.1) << 28 ^ u64::from(key.2);
                chunks.insert(key, sealed(chunk, seed).as_slice()).unwrap();
            }
        }
    }
    txn.commit().unwrap();
}

/// Scrambles the Arrow stream of the spans in a tail batch; its length stays, and so does that of the header.
fn scramble_rows(batch: &mut Vec<u8>, chance: &mut Chance) {
    let magic = 0xFD2F_B528u32.to_le_bytes();
    let start = batch.windows(4).position(|w| w == magic).unwrap();
    let mut rows = zstd::stream::decode_all(&batch[start..]).unwrap();
    scramble(&mut rows, chance);
    let stored = batch.len() - start;
    // Any length but the old one would have to go into the header; store without compressing well, then fill up with
    // an empty frame that decoders skip.
    for level in 1..=19 {
        let again = zstd::bulk::compress(&rows, level).unwrap();
        if again.len() + 8 <= stored {
            batch.truncate(start);
            batch.extend_from_slice(&again);
            let skip = (stored - again.len() - 8) as u32;
            batch.extend_from_slice(&0x184D_2A50u32.to_le_bytes());
            batch.extend_from_slice(&skip.to_le_bytes());
            batch.resize(start + stored, 0);
            return;
        }
    }
}

#[test]
fn nonsense_under_good_checksums_is_an_error_and_costs_no_memory() {
    let bytes = file(3);
    let limit = 2 * bytes.len() as u64;
    let each = amount(300, 10_000);
    for target in [Target::Head, Target::Log, Target::Tail, Target::Chunk] {
        let mut chance = Chance::new(target as u64 + 40);
        let (mut refused, mut noticed, mut answered, mut largest_of_all) = (0, 0, 0, 0);
        for round in 0..each {
            let memory = Memory::of(bytes.clone());
            tamper(&memory, target, &mut chance);
            let (found, Allocated { largest, .. }) =
                measured(|| quietly(|| memory.open().and_then(|store| ask(&store))));
            let found = found.unwrap_or_else(|said| panic!("{target:?} {round}: {said}"));
            largest_of_all = largest_of_all.max(largest);
            assert!(largest <= limit, "{target:?} {round}: allocates {largest}, the file has {}", bytes.len());
            match found.map(|answers| answers.verify) {
                Err(_) => refused += 1,
                Ok(Ok(0)) => answered += 1,
                Ok(_) => noticed += 1,
            }
        }
        println!(
            "hostile {target:?}: {refused} not opened, {noticed} found by verification, {answered} answered (another \
             file that is good in itself), 0 panics; largest allocation {largest_of_all} bytes of a file of {}",
            bytes.len()
        );
        // The log has the hash of every part, so nobody can change a part alone.
        assert!(target != Target::Chunk || answered == 0, "{answered}");
    }
}
