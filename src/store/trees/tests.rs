use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};

use redb::{Database, ReadableDatabase, TableDefinition};

use super::*;
use crate::store::file::File;
use crate::store::tables::{LOG, META};

/// A storage that keeps only pages that are not all zeros, so that files of many GiB fit.
#[derive(Debug, Default, Clone)]
struct Sparse(Arc<Mutex<Content>>);

#[derive(Debug, Default, Clone)]
struct Content {
    len: u64,
    pages: HashMap<u64, Vec<u8>>,
}

impl Sparse {
    /// What is on the disk if the power goes now.
    fn image(&self) -> Sparse {
        Sparse(Arc::new(Mutex::new(self.0.lock().unwrap().clone())))
    }

    fn flip(&self, at: u64, bit: u32) {
        let mut byte = [0];
        self.read(at, &mut byte).unwrap();
        self.write(at, &[byte[0] ^ (1 << bit)]).unwrap();
    }

    fn open(&self) -> Database {
        Database::builder().set_cache_size(1 << 20).create_with_backend(self.clone()).unwrap()
    }

    fn refused(&self) -> Option<Damage> {
        match check(self) {
            Ok(_) => None,
            Err(Failure::Damage(d)) => Some(d),
            Err(Failure::Io(e)) => panic!("{e}"),
        }
    }
}

/// Pieces of a range by page: page, place in it, length.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let place = offset + at as u64;
        let within = (place % PAGE) as usize;
        let n = (PAGE as usize - within).min(len - at);
        at += n;
        (n > 0).then(|| (place / PAGE, within, at - n..at))
    })
}

impl StorageBackend for Sparse {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let s = self.0.lock().unwrap();
        if offset + out.len() as u64 > s.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (page, within, range) in pieces(offset, out.len()) {
            match s.pages.get(&page) {
                Some(bytes) => out[range.clone()].copy_from_slice(&bytes[within..within + range.len()]),
                None => out[range].fill(0),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut s = self.0.lock().unwrap();
        s.len = len;
        s.pages.retain(|page, _| *page < len / PAGE);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut s = self.0.lock().unwrap();
        for (page, within, range) in pieces(offset, data.len()) {
            let data = &data[range];
            if s.pages.contains_key(&page) || data.iter().any(|b| *b != 0) {
                let bytes = s.pages.entry(page).or_insert_with(|| vec![0; PAGE as usize]);
                bytes[within..within + data.len()].copy_from_slice(data);
            }
        }
        Ok(())
    }
}

fn commit(db: &Database, f: impl FnOnce(&redb::WriteTransaction)) {
    let mut txn = db.begin_write().unwrap();
    txn.set_quick_repair(true);
    f(&txn);
    txn.commit().unwrap();
}

/// A commit of a file in which much happens: entries come, grow and go.
fn step(db: &Database, n: u32) {
    commit(db, |txn| {
        let mut chunks = txn.open_table(CHUNKS).unwrap();
        for i in 0..20 {
            chunks.insert((n, i % 3, i), vec![n as u8; 900 << (i % 8)].as_slice()).unwrap();
            if n > 2 {
                chunks.remove((n - 2, i % 3, i)).unwrap();
            }
        }
        let mut log = txn.open_table(LOG).unwrap();
        log.insert(u64::from(n), vec![n as u8; 50 + 100 * (n as usize % 90)].as_slice()).unwrap();
        let mut tail = txn.open_table(TAIL).unwrap();
        tail.insert(u64::from(n), vec![n as u8; 10_000].as_slice()).unwrap();
        tail.remove(u64::from(n / 2)).unwrap();
        txn.open_table(META).unwrap().insert("head", vec![n as u8; 300].as_slice()).unwrap();
    });
}

/// The pages that were checked; a file that passes.
fn passes(storage: &Sparse, what: &str) -> usize {
    match check(storage) {
        Ok(walk) => walk.map_or(0, |w| w.seen.len()),
        Err(e) => panic!("{what}: {e}"),
    }
}

/// A storage on which much has happened, with lists of freed pages in it, as a kill leaves it.
fn busy() -> Sparse {
    let storage = Sparse::default();
    let db = storage.open();
    (0..12).for_each(|n| step(&db, n));
    // A reader keeps the lists of freed pages long.
    let _reader = db.begin_read().unwrap();
    (12..16).for_each(|n| step(&db, n));
    storage.image()
}

#[test]
fn good_files_pass() {
    let storage = Sparse::default();
    assert_eq!(passes(&storage, "nothing"), 0);
    let db = storage.open();
    assert_eq!(passes(&storage, "before the first commit"), 0);
    let mut most = 0;
    for n in 0..300 {
        step(&db, n);
        most = most.max(passes(&storage, "after a commit"));
        // As after a crash: redb recovers it, and closes it.
        if n % 40 == 7 {
            let crashed = storage.image();
            drop(crashed.open());
            assert!(passes(&crashed, "recovered and closed") > 10);
        }
    }
    assert!(most > 40, "{most} pages are few");
    {
        let _reader = db.begin_read().unwrap();
        (300..310).for_each(|n| step(&db, n));
        assert!(passes(&storage, "with a reader") > 10);
    }
    // Shrinks it a lot.
    commit(&db, |txn| assert!(txn.delete_table(CHUNKS).unwrap()));
    passes(&storage, "after a table went");
    let before = storage.len().unwrap();
    let mut db = db;
    while db.compact().unwrap() {}
    assert!(storage.len().unwrap() < before);
    passes(&storage, "compacted");
    (310..330).for_each(|n| step(&db, n));
    drop(db);
    assert!(passes(&storage, "closed") > 10);
    // One phase: redb's own affair.
    let db = storage.open();
    let txn = db.begin_write().unwrap();
    txn.open_table(LOG).unwrap().insert(1, [1].as_slice()).unwrap();
    txn.commit().unwrap();
    assert_eq!(passes(&storage, "committed in one phase"), 0);
}

/// Writes 4 GiB of zeros, which take no memory, but time.
#[test]
fn pages_of_several_regions_are_found() {
    if std::env::var_os("SPANFILE_LONG").is_none_or(|v| v != "1") {
        return;
    }
    let storage = Sparse::default();
    let db = storage.open();
    let reserve = |table: TableDefinition<'_, u64, &[u8]>, n: u64| {
        commit(&db, |txn| drop(txn.open_table(table).unwrap().insert_reserve(n, (64 << 20) - 100).unwrap()));
    };
    (0..20).for_each(|n| step(&db, n));
    // Not read, and they fill the first region.
    (100..166).for_each(|n| reserve(TAIL, n));
    // These are read.
    (100..102).for_each(|n| reserve(LOG, n));
    let walk = check(&storage).unwrap().unwrap();
    let beyond = walk.seen.iter().filter(|(at, _)| **at > REGION_PAGES * PAGE).map(|(_, covered)| covered).max();
    assert!(beyond.is_some_and(|n| *n > 60 << 20), "{beyond:?}");
    assert!(walk.seen.len() < 200, "{}", walk.seen.len());
}

#[test]
fn each_bit_of_a_checked_page_counts() {
    let storage = busy();
    let walk = check(&storage).unwrap().unwrap();
    let pages: Vec<(u64, usize)> = walk.seen.iter().map(|(at, covered)| (*at, *covered)).collect();
    let mut flips = 0;
    for (start, covered) in pages {
        assert!(covered > 0);
        for bit in (0..covered * 8).step_by(7) {
            let (at, bit) = (start + bit as u64 / 8, (bit % 8) as u32);
            storage.flip(at, bit);
            let damage = storage.refused().unwrap_or_else(|| panic!("bit {bit} of byte {at} passes"));
            assert!(damage.place.contains("tree"), "{damage}");
            if flips % 1000 == 0 {
                let opened = File::on_backend(Path::new("a.spans"), storage.image(), 1 << 20);
                assert!(matches!(opened, Err(crate::Error::Corrupt { .. })), "bit {bit} of byte {at}: {opened:?}");
            }
            storage.flip(at, bit);
            flips += 1;
        }
    }
    assert!(flips > 10_000, "{flips}");
    passes(&storage, "as it was");
}

#[test]
fn large_values_are_not_read() {
    let storage = busy();
    let before = passes(&storage, "busy");
    let db = storage.open();
    commit(&db, |txn| {
        let mut chunks = txn.open_table(CHUNKS).unwrap();
        for i in 0..1000 {
            chunks.insert((77, 0, i), vec![7; 65_000].as_slice()).unwrap();
        }
    });
    let after = passes(&storage, "with many chunks");
    assert!(after < before + 60, "{before} pages before, {after} after");
}

#[test]
fn a_page_outside_of_a_cut_off_file_is_noticed() {
    let storage = busy();
    let len = storage.len().unwrap();
    let mut found = BTreeSet::new();
    for pages in 1..len / PAGE {
        storage.set_len(len - pages * PAGE).unwrap();
        found.extend(storage.refused().map(|d| format!("{}: {}", d.place.split(", page").next().unwrap(), d.reason)));
    }
    for place in ["system tree: page number", "system tree, allocator_state: page number"] {
        assert!(found.iter().any(|d| d.contains(place)), "{found:#?}");
    }
}

#[test]
fn lists_of_freed_pages_are_bounded() {
    // One entry: a key of 16 bytes, and a list of two pages, the second of four times the size.
    let list = |second: u64| {
        let mut page = vec![LEAF, 0, 1, 0];
        page.extend(42u32.to_le_bytes());
        page.extend([0; 16]);
        page.extend(2u16.to_le_bytes());
        page.extend([3, second | 2 << 59].map(u64::to_le_bytes).concat());
        page
    };
    let listed = |second: u64, pages: u64| {
        let page = list(second);
        freed_pages(&Leaf::new(&page, Some(16), None).unwrap(), pages * PAGE)
    };
    assert_eq!(listed(0, 5), Ok(()));
    assert!(listed(0, 4).is_err());
    assert_eq!(listed(1, 9), Ok(()));
    assert!(listed(1, 8).is_err());
    assert!(listed(1 << 20, 9).is_err() && listed(31 << 59, 9).is_err());
    let mut cut = list(0);
    cut[4..8].copy_from_slice(&41u32.to_le_bytes());
    assert!(freed_pages(&Leaf::new(&cut, Some(16), None).unwrap(), 1 << 30).is_err());
}

#[test]
fn damage_says_what_is_left_to_do() {
    let storage = busy();
    storage.flip(SLOTS[0] as u64 + 100, 0);
    storage.flip(SLOTS[1] as u64 + 100, 0);
    let killed = storage.refused().unwrap();
    assert!(killed.place == "header" && !killed.reason.contains("read-only"), "{killed}");
    storage.flip(FLAGS as u64, 1);
    let closed = storage.refused().unwrap();
    assert!(closed.reason.contains("read-only"), "{closed}");
}
