//! kill -9 of a real process at random moments.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use spanfile::{Error, Store, Writer};

use super::chance::{Chance, amount};
use super::model::lines;
use super::workload::{Held, Kind, held, options, step};

const CHILD: &str = "SPANFILE_CRASH_CHILD";

/// Not a test: the process that is killed. Does nothing unless [`CHILD`] says `seed step path`.
#[test]
#[ignore = "started by the tests of this module"]
fn child() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let mut task = task.splitn(3, ' ');
    let mut number = || task.next().unwrap().parse::<u64>().unwrap();
    let (seed, first) = (number(), number());
    let path = PathBuf::from(task.next().unwrap());
    say("");
    let mut store = Store::open_or_create(&path, options()).unwrap();
    say("ready");
    let mut writer: Option<Writer> = None;
    for i in first..first + 60 {
        let step = step(seed, i);
        say(&format!("begin {i}"));
        step.run(&store, &mut writer).unwrap();
        if step.kind == Kind::Close {
            drop(writer.take());
            drop(store);
            store = Store::open(&path, options()).unwrap();
        }
        say(&format!("acknowledged {i}"));
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// What a child said before it was killed.
#[derive(Default)]
struct Said {
    ready: bool,
    begun: Option<u64>,
    acknowledged: Option<u64>,
}

/// Starts a child and kills it after a random time; `from_start` counts it from before the file is opened.
fn kill_one(path: &Path, seed: u64, first: u64, chance: &mut Chance, from_start: bool) -> Said {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::crash::child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CHILD, format!("{seed} {first} {}", path.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = Said::default();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut hear = |line: String| {
        let mut words = line.split(' ');
        let (word, number) = (words.next(), words.next().and_then(|n| n.parse().ok()));
        match word {
            Some("ready") => said.ready = true,
            Some("begin") => said.begun = number,
            Some("acknowledged") => said.acknowledged = number,
            _ => {}
        }
    };
    // The empty line says that the process has come to the file.
    for line in lines.by_ref() {
        let line = line.unwrap();
        let reached = if from_start { line.is_empty() || line.contains(" ... ") } else { line == "ready" };
        hear(line);
        if reached {
            break;
        }
    }
    // Counted in steps and not in time, or a busy machine would kill before anything has happened.
    let mut steps = if from_start { 0 } else { chance.below(6) };
    while steps > 0 {
        let Some(line) = lines.next() else { break };
        let line = line.unwrap();
        steps -= u64::from(line.starts_with("acknowledged"));
        hear(line);
    }
    std::thread::sleep(Duration::from_micros(chance.below(25_000)));
    child.kill().unwrap();
    child.wait().unwrap();
    lines.for_each(|l| hear(l.unwrap()));
    said
}

#[derive(Debug, Default)]
struct Counts {
    kills: u64,
    acknowledged: u64,
    killed_in: BTreeMap<Option<Kind>, u64>,
    not_created: u64,
    read_only_first: u64,
    finished_in_flight: u64,
    parts_of_imports: u64,
    lost: Vec<String>,
    partial: Vec<String>,
    problems: Vec<String>,
    not_opened: Vec<String>,
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    let mut chance = Chance::new(1);
    let mut counts = Counts::default();
    let kills = amount(100, 1000);
    let mut file = 0;
    while counts.kills < kills {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.spans");
        file += 1;
        let mut done = 0;
        for round in 0..10 {
            let from_start = round == 0 || chance.one_in(5);
            let said = kill_one(&path, file, done, &mut chance, from_start);
            counts.kills += 1;
            let acknowledged = said.acknowledged.map_or(done, |n| n + 1);
            counts.acknowledged += acknowledged - done;
            let begun = said.begun == Some(acknowledged);
            *counts.killed_in.entry(begun.then(|| step(file, acknowledged).kind)).or_default() += 1;
            if !path.exists() {
                // A crash in create leaves no file, and nothing was acknowledged then.
                assert!(!said.ready && acknowledged == 0);
                counts.not_created += 1;
                continue;
            }
            let read_only_first = chance.one_in(2);
            counts.read_only_first += u64::from(read_only_first);
            match examine(&path, file, acknowledged, begun, read_only_first, &mut counts) {
                Ok(steps) => done = steps,
                Err(e) => {
                    counts.not_opened.push(format!("file {file}, round {round}: {e}"));
                    break;
                }
            }
        }
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(left.iter().all(|n| n == "a.spans"), "left beside the file: {left:?}");
    }
    println!("kill -9: {counts:#?}");
    assert_eq!(counts.lost, Vec::<String>::new());
    assert_eq!(counts.partial, Vec::<String>::new());
    assert_eq!(counts.problems, Vec::<String>::new());
    assert_eq!(counts.not_opened, Vec::<String>::new());
    assert!(counts.acknowledged > kills, "the harness kills too early to prove anything");
}

/// Opens what a kill left, in both ways, and compares it with the model. Returns how many steps it holds.
fn examine(
    path: &Path,
    seed: u64,
    acknowledged: u64,
    begun: bool,
    read_only_first: bool,
    counts: &mut Counts,
) -> Result<u64, Error> {
    let mut look = |store: &Store| -> Result<Held, Error> {
        let rows = lines(store);
        counts.problems.extend(store.verify()?.problems.iter().map(|p| format!("{p:?}")));
        Ok(held(&rows, seed, acknowledged, begun))
    };
    // Three at once: one of them recovers the file, the others have to wait for it.
    let first = if read_only_first {
        let stores = std::thread::scope(|s| {
            let opening: Vec<_> = (0..3).map(|_| s.spawn(|| Store::open_read_only(path, options()))).collect();
            opening.into_iter().map(|t| t.join().unwrap()).collect::<Result<Vec<Store>, Error>>()
        })?;
        Some(look(&stores[2])?)
    } else {
        None
    };
    let store = Store::open(path, options())?;
    let found = look(&store)?;
    if let Some(first) = first {
        assert_eq!(first, found, "read-only and writable show the same");
    }
    match found {
        Held::Steps(n) => {
            counts.finished_in_flight += n - acknowledged;
            Ok(n)
        }
        Held::PartOfImport(n) => {
            // The next child expects whole steps: finish this one, which also shows that it can be done twice.
            counts.parts_of_imports += 1;
            step(seed, n).run(&store, &mut None)?;
            assert_eq!(held(&lines(&store), seed, n + 1, false), Held::Steps(n + 1));
            Ok(n + 1)
        }
        Held::Lost(row) => {
            counts.lost.push(format!("file {seed}, step {acknowledged}: {row}"));
            Ok(acknowledged)
        }
        Held::Partial(row) => {
            counts.partial.push(format!("file {seed}, step {acknowledged}: {row}"));
            Ok(acknowledged)
        }
    }
}
