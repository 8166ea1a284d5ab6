//! Power cuts: whatever was written since the last sync is lost, torn or reordered, in any combination.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;
use spanfile::{Store, Writer};

use super::chance::{Chance, amount};
use super::locks::locks_are_free;
use super::model::lines;
use super::quiet::quietly;
use super::workload::{Held, held, options, step};

/// What a disk writes in one piece.
const SECTOR: usize = 512;

#[derive(Debug)]
enum Unsynced {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

#[derive(Debug, Default)]
struct State {
    /// What a reader sees.
    live: Vec<u8>,
    /// What is on the disk for certain.
    durable: Vec<u8>,
    /// What was written since, in order.
    unsynced: Vec<Unsynced>,
    /// Operations until the power goes; `None` when it stays.
    left: Option<u64>,
    operations: u64,
    /// Acknowledges syncs without doing them.
    ignores_syncs: bool,
}

#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<State>>);

impl State {
    /// Counts an operation; after the cut nothing works any more.
    fn operate(&mut self) -> io::Result<()> {
        self.operations += 1;
        match &mut self.left {
            None => Ok(()),
            Some(0) => Err(io::Error::other("no power")),
            Some(n) => {
                *n -= 1;
                Ok(())
            }
        }
    }

    /// What is on the disk after the cut.
    fn after_cut(&self, chance: &mut Chance) -> Vec<u8> {
        let mut out = self.durable.clone();
        // Writes to different places reach the disk in any order, and so do those to the same place: pick a subset,
        // shuffle it, tear some.
        let drop_all = chance.one_in(8);
        let keep_all = chance.one_in(8);
        let mut order: Vec<&Unsynced> =
            self.unsynced.iter().filter(|_| keep_all || (!drop_all && chance.one_in(2))).collect();
        if !chance.one_in(3) {
            for i in (1..order.len()).rev() {
                order.swap(i, chance.below(i as u64 + 1) as usize);
            }
        }
        for change in order {
            match change {
                Unsynced::SetLen(len) => out.resize(*len as usize, 0),
                Unsynced::Write(at, data) => {
                    let at = *at as usize;
                    let torn = chance.one_in(3);
                    for (i, sector) in data.chunks(SECTOR).enumerate() {
                        if torn && chance.one_in(2) {
                            continue;
                        }
                        let start = at + i * SECTOR;
                        if out.len() < start + sector.len() {
                            out.resize(start + sector.len(), 0);
                        }
                        out[start..start + sector.len()].copy_from_slice(sector);
                    }
                }
            }
        }
        out
    }
}

impl Disk {
    fn of(bytes: Vec<u8>) -> Disk {
        Disk(Arc::new(Mutex::new(State { live: bytes.clone(), durable: bytes, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut s = self.state();
        s.operate()?;
        let at = offset as usize;
        out.copy_from_slice(s.live.get(at..at.saturating_add(out.len())).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut s = self.state();
        s.operate()?;
        s.live.resize(len as usize, 0);
        s.unsynced.push(Unsynced::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut s = self.state();
        s.operate()?;
        if !s.ignores_syncs {
            let State { live, durable, unsynced, .. } = &mut *s;
            unsynced.clear();
            durable.clone_from(live);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut s = self.state();
        s.operate()?;
        let at = offset as usize;
        s.live.get_mut(at..at + data.len()).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        s.unsynced.push(Unsynced::Write(offset, data.to_vec()));
        Ok(())
    }

    locks_are_free!();
}

const STEPS: u64 = 12;

fn open(disk: &Disk) -> Result<Store, spanfile::Error> {
    Store::on_backend(Path::new("a.spans"), disk.clone(), options())
}

/// An empty store, created and on the disk for certain.
fn created() -> Vec<u8> {
    let disk = Disk::default();
    drop(open(&disk).unwrap());
    std::mem::take(&mut disk.state().durable)
}

/// Runs the workload until it is done or the power goes; how many steps were acknowledged, and whether one had begun.
fn run(disk: &Disk, seed: u64) -> (u64, bool) {
    let Ok(store) = open(disk) else { return (0, false) };
    let mut writer: Option<Writer> = None;
    for number in 0..STEPS {
        if step(seed, number).run(&store, &mut writer).is_err() {
            return (number, true);
        }
    }
    (STEPS, false)
}

#[derive(Debug, Default)]
struct Counts {
    cuts: u64,
    cuts_in_recovery: u64,
    acknowledged: u64,
    in_flight_whole: u64,
    in_flight_gone: u64,
    lost: Vec<String>,
    partial: Vec<String>,
    problems: Vec<String>,
    not_opened: Vec<String>,
}

impl Counts {
    fn bad(&self) -> usize {
        self.lost.len() + self.partial.len() + self.problems.len() + self.not_opened.len()
    }
}

fn cut(seed: u64, empty: &[u8], ignores_syncs: bool, counts: &mut Counts) {
    let mut chance = Chance::new(seed);
    let whole = Disk::of(empty.to_vec());
    run(&whole, seed);
    let operations = whole.state().operations;
    drop(whole);

    let disk = Disk::of(empty.to_vec());
    {
        let mut s = disk.state();
        s.left = Some(chance.below(operations));
        s.ignores_syncs = ignores_syncs;
    }
    let (acknowledged, begun) = run(&disk, seed);
    counts.cuts += 1;
    counts.acknowledged += acknowledged;
    let mut bytes = disk.state().after_cut(&mut chance);
    // The power goes again while the file is being recovered, up to three times.
    for _ in 0..chance.below(4) {
        let again = Disk::of(std::mem::take(&mut bytes));
        {
            let mut s = again.state();
            s.left = Some(chance.below(60));
            s.ignores_syncs = ignores_syncs;
        }
        let _ = quietly(|| drop(open(&again)));
        counts.cuts_in_recovery += 1;
        bytes = again.state().after_cut(&mut chance);
    }
    let disk = Disk::of(bytes);
    let what = format!("seed {seed}, step {acknowledged}");
    // Without syncs anything may be left, and reading that may panic in the test's own code too.
    let looked = quietly(|| -> Result<(Held, usize), spanfile::Error> {
        let store = open(&disk)?;
        let problems = store.verify()?.problems.len();
        Ok((held(&lines(&store), seed, acknowledged, begun), problems))
    });
    match looked {
        Ok(Ok((found, problems))) => {
            if problems > 0 {
                counts.problems.push(format!("{what}: {problems}"));
            }
            match found {
                Held::Steps(n) if n > acknowledged => counts.in_flight_whole += 1,
                Held::Steps(_) => counts.in_flight_gone += u64::from(begun),
                Held::PartOfImport(_) => counts.in_flight_whole += 1,
                Held::Lost(row) => counts.lost.push(format!("{what}: {row}")),
                Held::Partial(row) => counts.partial.push(format!("{what}: {row}")),
            }
        }
        Ok(Err(e)) => counts.not_opened.push(format!("{what}: {e}")),
        Err(_) => counts.not_opened.push(format!("{what}: panic")),
    }
}

#[test]
fn power_cuts_lose_nothing_that_was_acknowledged() {
    let empty = created();
    let mut counts = Counts::default();
    for seed in 0..amount(300, 5000) {
        cut(seed, &empty, false, &mut counts);
    }
    println!("power cuts: {counts:#?}");
    assert_eq!(counts.bad(), 0);
    assert!(counts.acknowledged > counts.cuts && counts.in_flight_gone > 0 && counts.in_flight_whole > 0);
}

#[test]
fn power_cuts_of_a_disk_that_ignores_syncs_lose_data() {
    let empty = created();
    let mut counts = Counts::default();
    let seeds = amount(30, 100);
    for seed in 0..seeds {
        cut(seed, &empty, true, &mut counts);
    }
    println!(
        "control without syncs: {seeds} cuts, {} lost, {} partial, {} damaged, {} not opened",
        counts.lost.len(),
        counts.partial.len(),
        counts.problems.len(),
        counts.not_opened.len()
    );
    assert!(counts.bad() as u64 > seeds / 2, "a disk that ignores syncs loses data, or these tests prove nothing");
}
