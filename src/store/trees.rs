//! Redb's own pages, checked before a file is written to.
//!
//! Redb stores checksums of its pages but compares them only when it repairs a file; otherwise it takes what it reads.
//! For a reader that is well: what we store has checksums of our own, and a panic over a page is caught. A writer frees
//! and allocates pages by numbers that stand in the file. One wrong number makes redb panic while it holds its locks,
//! the clean-up of that panic finds them poisoned and panics again, and a second panic ends the process: nothing can
//! catch it. Or worse, pages that are in use are handed out again. So [`check`] walks the trees while redb already
//! holds its locks and has read nothing yet (see `checked`), and a file with a wrong checksum is not opened for writing.
//!
//! # What is read
//! Afterwards every page number that redb can follow, free or move is known to be what redb wrote. The system tree
//! (lists of freed pages, state of the allocator) is read in full, and so are the tables of the user tree, except for
//! the large leaves of `chunks` and `tail`: these are our bytes under our checksum, they hold no page numbers, and they
//! are nearly the whole file. No branch is among them, because no key of ours is long enough to make a branch larger
//! than one page. A file of 1 GiB has some hundred KiB of pages to read.
//!
//! Where the last commit was not made in two phases (ours all are), redb trusts nothing by itself: it reads every page
//! and falls back to the commit before. Such a file is left to it.
//!
//! # What redb writes
//! This module knows redb's file format, version 3 as redb 4.4 writes it, and nothing else in this crate does. It is
//! the reason that Cargo.toml names one exact version: with another one, compare each item of this list first. All
//! integers are little-endian; a *checksum* is XXH3-128 with seed 0.
//!
//! * The file starts with a page of 4096 bytes, of which 320 are used. Bytes 0..9 are the magic number. Byte 9 holds
//!   flags: 1 the second commit slot is the primary one, 2 a writer has it open or was killed, 4 the last commit was
//!   made in two phases. Four `u32` from byte 12 on: page size, header pages per region (0), most pages per region
//!   (2^20), and then the number of full regions and of pages in the last one, which redb corrects by the file's
//!   length when they do not fit it.
//! * Two commit slots of 128 bytes, at 64 and 192. Byte 0 is the format version, bytes 1 and 2 say whether there are a
//!   user root and a system root, which stand at 8 and 40; the last 16 bytes are the checksum of those before them.
//! * A root is 32 bytes: page number, checksum, number of entries.
//! * A page number is a `u64`: the upper five bits are the order (the page has 4096 << order bytes), 20 bits from bit
//!   20 on the region, and the lowest 20 - order bits the index, counted in pages of that order from the region's start.
//!   Regions of 4 GiB follow the first page.
//! * Byte 0 of a page is 1 for a leaf, 2 for a branch; bytes 2..4 count entries of a leaf, keys of a branch. The
//!   checksum covers a page up to the end of its last value (leaf) or key (branch).
//! * A leaf goes on at byte 4 with the ends of all keys and then the ends of all values, `u32` each, counted from the
//!   page's start and left out where all have one length; then follow the keys, then the values.
//! * A branch goes on at byte 8 with the checksums of its children (one more than keys), their page numbers, the ends of
//!   the keys if those differ in length, and the keys.
//! * User root and system root are trees of tables: name to definition. A definition is a byte for the type (3 for a
//!   plain table), `u64` entries, a byte that says whether there is a root, the root, and twice a byte and a `u32`: the
//!   length of keys and of values if it is fixed. What follows names types.
//! * The values of the system tables `data_pages_unreachable` and `system_pages_unreachable` are lists: `u16` length
//!   and that many page numbers, maybe followed by space.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use redb::{StorageBackend, TableHandle};
use xxhash_rust::xxh3::xxh3_128;

use super::tables::{CHUNKS, TAIL};

/// First bytes of a redb file.
pub(super) const MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1A, 0x0A, 0xA9, 0x0D, 0x0A];

const HEADER: usize = 320;
const FLAGS: usize = 9;
const SECOND_IS_PRIMARY: u8 = 1;
const NOT_CLOSED: u8 = 2;
const TWO_PHASES: u8 = 4;
const SLOTS: [usize; 2] = [64, 192];
const SLOT: usize = 128;
const FORMAT: u8 = 3;
const USER_ROOT: usize = 8;
const SYSTEM_ROOT: usize = 40;
const ROOT: usize = 32;

const PAGE: u64 = 4096;
const REGION_PAGES: u64 = 1 << 20;
const LARGEST_ORDER: u32 = 20;

const LEAF: u8 = 1;
const BRANCH: u8 = 2;
const PLAIN_TABLE: u8 = 3;

/// System tables whose values are lists of pages that redb frees.
const FREED: [&str; 2] = ["data_pages_unreachable", "system_pages_unreachable"];

/// Why a file must not be written to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub(super) struct Damage {
    pub(super) place: String,
    pub(super) reason: String,
}

/// How a check ends that does not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Damage(#[from] Damage),
}

/// A child or root as its parent describes it.
#[derive(Debug, Clone, Copy)]
struct Pointer {
    page: PageNumber,
    checksum: u128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct PageNumber(u64);

impl PageNumber {
    /// Where the page lies in the file; `None` for an impossible number.
    fn range(self) -> Option<Range<u64>> {
        let order = (self.0 >> 59) as u32;
        if order > LARGEST_ORDER {
            return None;
        }
        let (region, index) = ((self.0 >> 20) & 0xF_FFFF, self.0 & (0xF_FFFF >> order));
        // At most 2^52 and 2^33.
        let start = PAGE + region * REGION_PAGES * PAGE + index * (PAGE << order);
        Some(start..start + (PAGE << order))
    }
}

/// Which leaves of a table are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaves {
    All,
    /// Those of one page; larger ones are known to hold values of ours.
    Small,
}

/// A tree of tables, or one of the tables.
struct Tree {
    name: String,
    root: Pointer,
    key_len: Option<u32>,
    value_len: Option<u32>,
    leaves: Leaves,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u128_at(bytes: &[u8], at: usize) -> Option<u128> {
    Some(u128::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn root_at(bytes: &[u8], at: usize) -> Option<Pointer> {
    let bytes = bytes.get(at..at + ROOT)?;
    Some(Pointer { page: PageNumber(u64_at(bytes, 0)?), checksum: u128_at(bytes, 8)? })
}

/// Ends of keys and values in a leaf; all places are checked against the page when they are used.
struct Leaf<'a> {
    bytes: &'a [u8],
    entries: usize,
    key_len: Option<u32>,
    value_len: Option<u32>,
}

impl<'a> Leaf<'a> {
    fn new(bytes: &'a [u8], key_len: Option<u32>, value_len: Option<u32>) -> Option<Self> {
        let entries = usize::from(u16_at(bytes, 2)?);
        (entries > 0).then_some(Leaf { bytes, entries, key_len, value_len })
    }

    /// Where the `n` keys before an entry end; also where the first key starts.
    fn key_end(&self, n: usize) -> Option<usize> {
        let ends = usize::from(self.key_len.is_none()) + usize::from(self.value_len.is_none());
        let first = 4 + 4 * ends * self.entries;
        match (n, self.key_len) {
            (0, _) => Some(first),
            (n, Some(len)) => first.checked_add((len as usize).checked_mul(n)?),
            (n, None) => Some(u32_at(self.bytes, 4 + 4 * (n - 1))? as usize),
        }
    }

    fn value_end(&self, n: usize) -> Option<usize> {
        let first = self.key_end(self.entries)?;
        let ends = 4 + if self.key_len.is_none() { 4 * self.entries } else { 0 };
        match (n, self.value_len) {
            (0, _) => Some(first),
            (n, Some(len)) => first.checked_add((len as usize).checked_mul(n)?),
            (n, None) => Some(u32_at(self.bytes, ends + 4 * (n - 1))? as usize),
        }
    }

    /// How many bytes the checksum covers.
    fn end(&self) -> Option<usize> {
        self.value_end(self.entries)
    }

    fn key(&self, i: usize) -> Option<&'a [u8]> {
        self.bytes.get(self.key_end(i)?..self.key_end(i + 1)?)
    }

    fn value(&self, i: usize) -> Option<&'a [u8]> {
        self.bytes.get(self.value_end(i)?..self.value_end(i + 1)?)
    }
}

/// How many bytes of a branch the checksum covers, and how many children there are.
fn branch_end(bytes: &[u8], key_len: Option<u32>) -> Option<(usize, usize)> {
    let keys = usize::from(u16_at(bytes, 2)?);
    let children = keys + 1;
    let after = 8 + 24 * children;
    let end = match key_len {
        _ if keys == 0 => None,
        Some(len) => after.checked_add((len as usize).checked_mul(keys)?),
        None => Some(u32_at(bytes, after + 4 * (keys - 1))? as usize),
    };
    Some((end?, children))
}

fn child(bytes: &[u8], children: usize, i: usize) -> Option<Pointer> {
    Some(Pointer { page: PageNumber(u64_at(bytes, 8 + 16 * children + 8 * i)?), checksum: u128_at(bytes, 8 + 16 * i)? })
}

/// A table as the entry of a tree of tables defines it; `None` inside for one without pages, or not a plain one (no
/// `.spans` file has such).
fn definition(name: &str, value: &[u8], leaves: Leaves) -> Option<Option<Tree>> {
    let fixed = |at: usize| Some(if *value.get(at)? == 0 { None } else { Some(u32_at(value, at + 1)?) });
    let root = root_at(value, 10)?;
    let (key_len, value_len) = (fixed(42)?, fixed(47)?);
    let is_there = value[0] == PLAIN_TABLE && value[9] != 0;
    Some(is_there.then(|| Tree { name: name.to_string(), root, key_len, value_len, leaves }))
}

/// Bytes that every commit changes: flags and commit slots.
pub(super) fn newest_commit(storage: &impl StorageBackend) -> io::Result<[u8; HEADER]> {
    let mut header = [0; HEADER];
    storage.read(0, &mut header)?;
    Ok(header)
}

/// Reads the header and walks the trees of the newest commit. `None` when there is nothing to say: the file is empty or
/// not redb's, no commit was made yet, or redb checks all pages itself.
///
/// # Errors
/// [`Failure::Damage`] where a page is not what redb wrote.
pub(super) fn check<S: StorageBackend>(storage: &S) -> Result<Option<Walk<'_, S>>, Failure> {
    let len = storage.len()?;
    if len < HEADER as u64 {
        return Ok(None);
    }
    let header = newest_commit(storage)?;
    // What redb refuses with its own words.
    if header[..MAGIC.len()] != MAGIC || SLOTS.iter().any(|&at| header[at] != FORMAT) {
        return Ok(None);
    }
    let flags = header[FLAGS];
    if flags & TWO_PHASES == 0 {
        return Ok(None);
    }
    let mut walk = Walk {
        storage,
        len,
        rescue: if flags & NOT_CLOSED == 0 {
            "nothing was written, and opening the file read-only still works, to copy the spans out"
        } else {
            "nothing was written"
        },
        seen: HashMap::new(),
        page: Vec::new(),
    };
    let geometry = [12, 16, 20].map(|at| u32_at(&header, at).unwrap_or_default());
    if geometry != [PAGE as u32, 0, REGION_PAGES as u32] {
        return Err(walk.damage("header", format!("sizes of pages and regions are {geometry:?}")).into());
    }
    let number = usize::from(flags & SECOND_IS_PRIMARY);
    let slot = &header[SLOTS[number]..SLOTS[number] + SLOT];
    let (fields, stored) = slot.split_at(SLOT - 16);
    if u128_at(stored, 0) != Some(xxh3_128(fields)) {
        return Err(walk.damage("header", format!("checksum of commit slot {number} is wrong")).into());
    }
    for (present, at, name) in [(2, SYSTEM_ROOT, "system tree"), (1, USER_ROOT, "user tree")] {
        if slot[present] != 0
            && let Some(root) = root_at(slot, at)
        {
            walk.tables(name, root)?;
        }
    }
    Ok(Some(walk))
}

/// A walk through the trees, under way or done.
pub(super) struct Walk<'a, S> {
    storage: &'a S,
    len: u64,
    /// What remains to the user.
    rescue: &'static str,
    /// Where each page starts and how many bytes its checksum covers. A page has one parent, so the walk ends.
    seen: HashMap<u64, usize>,
    page: Vec<u8>,
}

impl<S: StorageBackend> Walk<'_, S> {
    fn damage(&self, place: impl Into<String>, reason: impl AsRef<str>) -> Damage {
        Damage { place: place.into(), reason: format!("{}; {}", reason.as_ref(), self.rescue) }
    }

    /// A tree of tables, and the tables.
    fn tables(&mut self, tree: &str, root: Pointer) -> Result<(), Failure> {
        let is_system = tree == "system tree";
        let ours = [CHUNKS.name(), TAIL.name()];
        let mut tables = Vec::new();
        let top = Tree { name: tree.to_string(), root, key_len: None, value_len: None, leaves: Leaves::All };
        self.tree(&top, |leaf| {
            for i in 0..leaf.entries {
                let (Some(key), Some(value)) = (leaf.key(i), leaf.value(i)) else {
                    return Err("an entry ends badly");
                };
                let name = std::str::from_utf8(key).map_err(|_| "a table's name is not text")?;
                let leaves = if !is_system && ours.contains(&name) { Leaves::Small } else { Leaves::All };
                tables.extend(definition(name, value, leaves).ok_or("a table's definition ends early")?);
            }
            Ok(())
        })?;
        for table in tables {
            let lists_pages = is_system && FREED.contains(&table.name.as_str());
            let len = self.len;
            let table = Tree { name: format!("{tree}, {}", table.name), ..table };
            self.tree(&table, |leaf| if lists_pages { freed_pages(leaf, len) } else { Ok(()) })?;
        }
        Ok(())
    }

    /// Compares the checksum of every page; `visit` gets the leaves.
    fn tree(
        &mut self,
        tree: &Tree,
        mut visit: impl FnMut(&Leaf<'_>) -> Result<(), &'static str>,
    ) -> Result<(), Failure> {
        let mut todo = vec![tree.root];
        while let Some(Pointer { page: number, checksum }) = todo.pop() {
            let Some(range) = number.range().filter(|r| r.end <= self.len) else {
                let reason = format!("page number {:#x} lies outside of the file's {} bytes", number.0, self.len);
                return Err(self.damage(tree.name.clone(), reason).into());
            };
            let place = || format!("{}, page at byte {}", tree.name, range.start);
            if tree.leaves == Leaves::Small && range.end - range.start > PAGE {
                continue;
            }
            if self.seen.contains_key(&range.start) {
                return Err(self.damage(place(), "two parents share it").into());
            }
            let mut page = std::mem::take(&mut self.page);
            // Not longer than the file.
            page.resize(usize::try_from(range.end - range.start).map_err(io::Error::other)?, 0);
            self.storage.read(range.start, &mut page)?;
            let leaf = Leaf::new(&page, tree.key_len, tree.value_len).filter(|_| page[0] == LEAF);
            let branch = branch_end(&page, tree.key_len).filter(|_| page[0] == BRANCH);
            let end = leaf.as_ref().and_then(Leaf::end).or(branch.map(|(end, _)| end));
            let covered = end.and_then(|end| page.get(..end)).filter(|bytes| xxh3_128(bytes) == checksum);
            let wrong = match (covered, leaf, branch) {
                (None, ..) => Some("its checksum is not the one that its parent has"),
                (_, Some(leaf), _) => visit(&leaf).err(),
                (_, None, Some((_, children))) => {
                    todo.extend((0..children).filter_map(|i| child(&page, children, i)));
                    None
                }
                (_, None, None) => Some("it is neither leaf nor branch"),
            };
            self.seen.insert(range.start, covered.map_or(0, <[u8]>::len));
            self.page = page;
            if let Some(reason) = wrong {
                return Err(self.damage(place(), reason).into());
            }
        }
        Ok(())
    }
}

/// Lists of pages to free: even when redb wrote them, the file may have been cut off since.
fn freed_pages(leaf: &Leaf<'_>, len: u64) -> Result<(), &'static str> {
    for i in 0..leaf.entries {
        let list = leaf.value(i).ok_or("an entry ends badly")?;
        for n in 0..usize::from(u16_at(list, 0).ok_or("a list of pages ends early")?) {
            let page = PageNumber(u64_at(list, 2 + 8 * n).ok_or("a list of pages ends early")?);
            if page.range().is_none_or(|r| r.end > len) {
                return Err("it lists a page outside of the file");
            }
        }
    }
    Ok(())
}
