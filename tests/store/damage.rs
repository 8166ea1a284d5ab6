//! Flipped bits and cut-off ends: an error or the same answer, never other rows, a panic or a huge allocation.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use redb::StorageBackend;
use spanfile::{CompactOptions, Error, Options, ScanRequest, Snapshot, Stats, Store, Table};

use super::allocations::{Allocated, measured};
use super::chance::{Chance, amount};
use super::locks::locks_are_free;
use super::quiet::quietly;
use super::sample::{Log, Sample, T0, batch, trace, trace_id};

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// Which bytes were read, when that is of interest.
    read: Option<Vec<bool>>,
}

/// A file's bytes in memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<Mutex<State>>);

impl Memory {
    pub(super) fn of(bytes: Vec<u8>) -> Memory {
        Memory(Arc::new(Mutex::new(State { bytes, read: None })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.state().bytes)
    }

    pub(super) fn open(&self) -> Result<Store, Error> {
        // A cache as small as the files, or it would hide what is read how often.
        let options = Options { cache_bytes: 256 << 10, ..Options::default() };
        Store::on_backend(Path::new("a.spans"), self.clone(), options)
    }
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut s = self.state();
        let range = usize::try_from(offset).ok().and_then(|at| Some(at..at.checked_add(out.len())?));
        let range = range.ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(s.bytes.get(range.clone()).ok_or(io::ErrorKind::UnexpectedEof)?);
        if let Some(read) = &mut s.read {
            read[range].fill(true);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        // Far more than any of these files grows to in earnest.
        let len = usize::try_from(len).ok().filter(|n| *n <= 1 << 30).ok_or(io::ErrorKind::StorageFull)?;
        self.state().bytes.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut s = self.state();
        let range = usize::try_from(offset).ok().and_then(|at| Some(at..at.checked_add(data.len())?));
        let target = range.and_then(|r| s.bytes.get_mut(r)).ok_or(io::ErrorKind::UnexpectedEof)?;
        target.copy_from_slice(data);
        Ok(())
    }

    locks_are_free!();
}

/// A file with `traces` sealed traces, some superseded rows, and a tail. Compacted first, so that it is small.
pub(super) fn file(traces: u64) -> Vec<u8> {
    let memory = Memory::default();
    let store = memory.open().unwrap();
    let mut writer = store.writer().unwrap();
    let spans: Vec<Sample> = (0..traces).flat_map(|t| trace(t, 1 + t % 4)).collect();
    let logs = [Log { trace: 1, span: 1, text: 1 }, Log { trace: 2, span: 0, text: 2 }];
    writer.append(batch(&spans, &logs)).unwrap();
    drop(writer);
    let mut writer = store.writer().unwrap();
    writer.append(batch(&spans, &logs)).unwrap();
    writer.seal_all().unwrap();
    drop(writer);
    store.compact(CompactOptions::default()).unwrap();
    let mut writer = store.writer().unwrap();
    writer.append(batch(&[Sample { trace: 2, span: 9, content: 5 }], &[])).unwrap();
    writer.seal_all().unwrap();
    writer
        .append(batch(&[Sample { trace: 1, span: 8, content: 1 }, Sample { trace: 90_000, span: 0, content: 2 }], &[]))
        .unwrap();
    writer.commit().unwrap();
    drop(writer);
    store.compact(CompactOptions { trim: true, ..CompactOptions::default() }).unwrap();
    let mut writer = store.writer().unwrap();
    writer
        .append(batch(&[Sample { trace: 1, span: 7, content: 1 }, Sample { trace: 90_001, span: 0, content: 2 }], &[]))
        .unwrap();
    writer.commit().unwrap();
    drop((writer, store));
    memory.take()
}

/// One question, answered: an error, or text and rows.
type Answer = Result<Vec<RecordBatch>, Error>;

#[derive(Debug)]
pub(super) struct Answers {
    stats: Result<Stats, Error>,
    rows: Vec<(&'static str, Answer)>,
    /// How many problems verification finds.
    pub(super) verify: Result<usize, Error>,
}

fn scan(snapshot: &Snapshot, request: &ScanRequest) -> Answer {
    let scan = snapshot.scan(request)?;
    let schema = scan.schema();
    let batches = scan.collect::<Result<Vec<_>, Error>>()?;
    Ok(vec![concat_batches(&schema, &batches).map_err(|e| Error::Rows(e.to_string()))?])
}

pub(super) fn ask(store: &Store) -> Result<Answers, Error> {
    let snapshot = store.snapshot()?;
    let start = T0 as i64 + 1_000_000_000;
    let mut rows: Vec<(&str, Answer)> =
        Table::ALL.into_iter().map(|t| (t.name(), scan(&snapshot, &ScanRequest::new(t)))).collect();
    let some = ScanRequest::new(Table::Spans).starting_in(start..start + 1_500_000_000);
    rows.push(("some", scan(&snapshot, &some)));
    for trace in [0, 1, 2, 90_001, 77_777] {
        let found = snapshot.trace(trace_id(trace));
        rows.push(("trace", found.map(|t| t.map_or_else(Vec::new, |t| vec![t.spans, t.events, t.links]))));
    }
    let stats = store.stats().map(|s| Stats { file_bytes: 0, writer_pid: None, ..s });
    Ok(Answers { stats, rows, verify: store.verify().map(|r| r.problems.len()) })
}

/// What came of a damaged file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Outcome {
    /// It does not open.
    NotOpened,
    /// Some question gets an error, and verification finds it.
    Refused,
    /// Every answer is the same, and verification finds it all the same.
    OnlyVerify,
    /// Every answer is the same, and nothing was noticed.
    Unchanged,
}

#[derive(Debug, Default)]
struct Counts {
    outcomes: BTreeMap<Outcome, u64>,
    /// Whether the files were written to, each at another time.
    written: bool,
    examined: u64,
    /// Allocations of more than twice the file, all of them inside redb.
    larger_than_file: u64,
    largest_allocation: u64,
    peak: u64,
    wrong: Vec<String>,
}

impl Counts {
    /// Opens and asks; `what` says which damage it is.
    fn examine(
        &mut self,
        what: &str,
        file_bytes: u64,
        good: &Answers,
        open: impl FnOnce() -> Result<Store, Error>,
    ) -> Outcome {
        self.examined += 1;
        let (answers, Allocated { largest, peak }) = measured(|| quietly(|| open().and_then(|store| ask(&store))));
        self.largest_allocation = self.largest_allocation.max(largest);
        self.peak = self.peak.max(peak);
        // Whatever we decode has a checksum of ours in front of it. redb trusts the page sizes in its own pages and
        // the lengths in its free-page bitmaps: it allocates first, and finds the end of the file after that.
        self.larger_than_file += u64::from(largest > 2 * file_bytes);
        let outcome = match answers {
            Err(said) => {
                self.wrong.push(format!("{what}: {said}"));
                Outcome::NotOpened
            }
            Ok(Err(_)) => Outcome::NotOpened,
            Ok(Ok(found)) => self.compare(what, good, &found),
        };
        *self.outcomes.entry(outcome).or_default() += 1;
        outcome
    }

    fn compare(&mut self, what: &str, good: &Answers, found: &Answers) -> Outcome {
        let mut refused = false;
        // Log entries say when they were written, so their hash differs from run to run.
        let hash = |s: &Stats| if self.written { String::new() } else { s.log_hash.clone() };
        let comparable = |s: &Stats| Stats { log_hash: hash(s), ..s.clone() };
        match (&good.stats, &found.stats) {
            (Ok(a), Ok(b)) if comparable(a) != comparable(b) => self.wrong.push(format!("{what}: other counts {b:?}")),
            (_, Err(_)) => refused = true,
            _ => {}
        }
        for ((question, a), (_, b)) in good.rows.iter().zip(&found.rows) {
            match (a, b) {
                (Ok(a), Ok(b)) if a != b => self.wrong.push(format!("{what}: other rows in {question}")),
                (_, Err(_)) => refused = true,
                _ => {}
            }
        }
        let verified = matches!(found.verify, Ok(0));
        if refused && verified {
            self.wrong.push(format!("{what}: verification finds nothing, reading does: {found:?}"));
        }
        match (refused, verified) {
            (true, _) => Outcome::Refused,
            (false, false) => Outcome::OnlyVerify,
            (false, true) => Outcome::Unchanged,
        }
    }

    fn add(&mut self, other: Counts) {
        for (outcome, n) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += n;
        }
        self.examined += other.examined;
        self.larger_than_file += other.larger_than_file;
        self.largest_allocation = self.largest_allocation.max(other.largest_allocation);
        self.peak = self.peak.max(other.peak);
        self.wrong.extend(other.wrong);
    }

    fn finish(&self, what: &str) {
        println!(
            "{what}: {:?}; {} wrong; largest allocation {} bytes, most held {} bytes, {} times more than twice the file",
            self.outcomes,
            self.wrong.len(),
            self.largest_allocation,
            self.peak,
            self.larger_than_file
        );
        // Of a few flips, one may be it.
        assert!(
            self.larger_than_file * 100 <= self.examined.max(100),
            "{what}: more than redb's own lengths account for"
        );
        assert!(self.largest_allocation <= 1 << 30, "{what}: more than one flipped bit of a page size accounts for");
        assert!(self.wrong.is_empty(), "{what}: {:#?}", &self.wrong[..self.wrong.len().min(20)]);
    }
}

/// The answers of an undamaged file, and which of its bytes were read for them: no other byte can change an answer.
fn undamaged(bytes: &[u8]) -> (Answers, Vec<usize>) {
    let memory = Memory::of(bytes.to_vec());
    memory.state().read = Some(vec![false; bytes.len() + (64 << 20)]);
    let store = memory.open().unwrap();
    let good = ask(&store).unwrap();
    assert!(good.stats.is_ok() && good.rows.iter().all(|(_, r)| r.is_ok()) && matches!(good.verify, Ok(0)), "{good:?}");
    let read = memory.state().read.take().unwrap();
    drop(store);
    (good, (0..bytes.len()).filter(|i| read[*i]).collect())
}

/// Places of bits: offset of the byte, number of the bit.
type Bit = (usize, u32);

/// Every bit of some bytes in the long form; about `short` of them in the short one.
fn bits_of(read: &[usize], short: u64) -> Vec<Bit> {
    let all = read.len() * 8;
    // An odd stride meets every bit of a byte in turn.
    let stride = amount(all as u64 / short, 1).max(1) as usize | 1;
    (0..all).step_by(stride).map(|bit| (read[bit / 8], (bit % 8) as u32)).collect()
}

/// Says on stderr how far the long form is, so that a process that ends says where.
struct Progress {
    done: AtomicUsize,
    /// The flip to begin with, from `SPANFILE_FIRST_BIT`. Then each flip is named before it is tried.
    first: Option<usize>,
    /// The flip to end before, from `SPANFILE_LAST_BIT`: so that a long run can be made in pieces.
    last: Option<usize>,
}

impl Progress {
    fn new() -> Progress {
        let number = |name| std::env::var(name).ok().map(|n| n.parse().unwrap());
        let (first, last) = (number("SPANFILE_FIRST_BIT"), number("SPANFILE_LAST_BIT"));
        Progress { done: AtomicUsize::new(first.unwrap_or(0)), first, last }
    }

    /// Whether to try a flip.
    fn begins(&self, number: usize, what: &str) -> bool {
        if self.first.is_some_and(|first| number < first) || self.last.is_some_and(|last| number >= last) {
            return false;
        }
        if self.first.is_some() && self.last.is_none() {
            eprintln!("flip {number}: {what}");
        }
        let done = self.done.fetch_add(1, Ordering::Relaxed);
        if done > 0 && done.is_multiple_of(10_000) {
            eprintln!("{done} flips done or under way");
        }
        true
    }
}

/// Opens and asks a file once for each of the bits, with that one flipped: on all cores, for there may be many.
fn flip_each(
    bytes: &[u8],
    good: &Answers,
    bits: &[Bit],
    open: impl Fn(Vec<u8>) -> Result<Store, Error> + Sync,
) -> Counts {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let (mut counts, progress) = (Counts::default(), Progress::new());
    std::thread::scope(|s| {
        let work = |thread: usize| {
            let (open, progress) = (&open, &progress);
            s.spawn(move || {
                let mut counts = Counts::default();
                for (number, &(at, bit)) in bits.iter().enumerate().skip(thread).step_by(threads) {
                    let what = format!("bit {bit} of byte {at}");
                    if !progress.begins(number, &what) {
                        continue;
                    }
                    let mut damaged = bytes.to_vec();
                    damaged[at] ^= 1 << bit;
                    counts.examine(&what, bytes.len() as u64, good, || open(damaged));
                }
                counts
            })
        };
        let working: Vec<_> = (0..threads).map(work).collect();
        working.into_iter().for_each(|t| counts.add(t.join().unwrap()));
    });
    counts
}

#[test]
fn flipped_bits_of_a_small_file_are_noticed_or_change_nothing() {
    let bytes = file(3);
    let (good, read) = undamaged(&bytes);
    let counts = flip_each(&bytes, &good, &bits_of(&read, 1000), |damaged| Memory::of(damaged).open());
    counts.finish(&format!("{} flips in the {} bytes that are read of {}", counts.examined, read.len(), bytes.len()));
}

#[test]
fn flipped_bits_of_a_larger_file_are_noticed_or_change_nothing() {
    let bytes = file(3000);
    let (good, read) = undamaged(&bytes);
    let mut chance = Chance::new(3);
    let mut bit = || (read[chance.below(read.len() as u64) as usize], chance.below(8) as u32);
    let bits: Vec<Bit> = (0..amount(40, 10_000)).map(|_| bit()).collect();
    let counts = flip_each(&bytes, &good, &bits, |damaged| Memory::of(damaged).open());
    counts.finish(&format!("{} flips in the {} bytes that are read of {}", counts.examined, read.len(), bytes.len()));
}

/// The same through a real file that is opened read-only, which reads less of redb's bookkeeping.
#[test]
fn flipped_bits_of_a_file_opened_read_only_are_noticed_or_change_nothing() {
    let bytes = file(3);
    let (good, read) = undamaged(&bytes);
    let dir = tempfile::tempdir().unwrap();
    let counts = flip_each(&bytes, &good, &bits_of(&read, 400), |damaged| {
        let path = dir.path().join(format!("{:?}.spans", std::thread::current().id()));
        std::fs::write(&path, damaged).unwrap();
        Store::open_read_only(&path, Options::default())
    });
    counts.finish(&format!("{} flips, opened read-only", counts.examined));
}

/// What keeps a file from being written to keeps nobody from reading it, and verification names it.
#[test]
fn a_file_with_damage_in_the_system_tree_is_read_and_not_written() {
    let bytes = file(3);
    let (good, read) = undamaged(&bytes);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.spans");
    let mut refused = 0;
    for at in read.into_iter().step_by(509) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        std::fs::write(&path, &damaged).unwrap();
        let Err(Error::Corrupt { place, reason, .. }) = Store::open(&path, Options::default()) else { continue };
        assert_eq!(std::fs::read(&path).unwrap(), damaged, "{place}: it was written to");
        if !place.starts_with("system tree") {
            continue;
        }
        refused += 1;
        assert!(reason.contains("read-only still works"), "{reason}");
        let store = Store::open_read_only(&path, Options::default()).unwrap();
        let found = ask(&store).unwrap();
        assert_eq!(Counts::default().compare(&place, &good, &found), Outcome::OnlyVerify, "{place}");
        let problems = store.verify().unwrap().problems;
        assert!(problems.iter().any(|p| p.place == place && p.reason == reason), "{place}: {problems:?}");
    }
    assert!(refused > 5, "{refused}");
}

#[test]
fn a_file_cut_off_anywhere_is_refused_or_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.spans");
    for traces in [3, amount(400, 3000)] {
        let bytes = file(traces);
        let (good, _) = undamaged(&bytes);
        let mut counts = Counts::default();
        for len in (0..bytes.len()).step_by(4096).chain([1, 9, 100, 511, bytes.len() - 1]) {
            std::fs::write(&path, &bytes[..len]).unwrap();
            let what = format!("cut off at {len} of {}", bytes.len());
            counts.examine(&what, bytes.len() as u64, &good, || Store::open_read_only(&path, Options::default()));
            std::fs::write(&path, &bytes[..len]).unwrap();
            counts.examine(&what, bytes.len() as u64, &good, || Store::open(&path, Options::default()));
        }
        counts.finish(&format!("{} lengths of a file of {} bytes", counts.examined / 2, bytes.len()));
    }
}

/// What nobody notices while reading may still mislead a writer, such as a bit in redb's list of free pages.
#[test]
fn writing_to_a_file_with_flipped_bits_gives_an_error_or_the_right_rows() {
    let bytes = file(3);
    let (_, read) = undamaged(&bytes);
    let write = |memory: &Memory| -> Result<(), Error> {
        let store = memory.open()?;
        let mut writer = store.writer()?;
        for commit in 0..4 {
            writer.append(batch(&trace(500 + commit, 3), &[]))?;
            writer.commit()?;
        }
        writer.seal_all()
    };
    let good = Memory::of(bytes.clone());
    write(&good).unwrap();
    let good = ask(&good.open().unwrap()).unwrap();
    let (mut refused, mut right, mut wrong) = (0, 0, Vec::new());
    let mut counts = Counts { written: true, ..Counts::default() };
    let stride = amount(read.len() as u64 * 8 / 200, 101).max(1) as usize;
    let progress = Progress::new();
    for (number, bit) in (5..read.len() * 8).step_by(stride | 1).enumerate() {
        let mut damaged = bytes.clone();
        let at = read[bit / 8];
        damaged[at] ^= 1 << (bit % 8);
        let what = format!("bit {} of byte {at}", bit % 8);
        if !progress.begins(number, &what) {
            continue;
        }
        let memory = Memory::of(damaged);
        match quietly(|| write(&memory)) {
            Err(said) => wrong.push(format!("{what}: {said}")),
            Ok(Err(_)) => refused += 1,
            Ok(Ok(())) => {
                right += 1;
                counts.examine(&what, bytes.len() as u64, &good, || memory.open());
            }
        }
    }
    println!("writing after {} flips: {refused} refused, {right} written, then {:?}", refused + right, counts.outcomes);
    wrong.extend(counts.wrong);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
