//! Real processes that share a file: one writes, others follow, any of them is killed.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use spanfile::{CompactOptions, Error, ScanRequest, Snapshot, Store, Table};

use super::chance::amount;
use super::sample::{Sample, batch};
use super::workload::options;

const CHILD: &str = "SPANFILE_PROCESS_CHILD";

/// Not a test: a process that writes to or follows the file that [`CHILD`] names as `role path`.
#[test]
#[ignore = "started by the tests of this module"]
fn child() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let (role, path) = task.split_once(' ').unwrap();
    say("");
    match role {
        "write" => write(Path::new(path)),
        _ => follow(Path::new(path)),
    }
}

fn say(line: &str) {
    // Fails, and ends this process, when the one that started it is gone.
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// Spans in a commit: its number tells.
fn spans(commit: u64) -> u64 {
    1 + commit % 5
}

fn write(path: &Path) {
    let store = Store::open(path, options()).unwrap();
    let mut writer = store.writer().unwrap();
    for commit in 0.. {
        let rows: Vec<Sample> = (0..spans(commit)).map(|span| Sample { trace: commit, span, content: 1 }).collect();
        // In two pieces, so that half a commit could be seen if that were possible.
        let (a, b) = rows.split_at(rows.len() / 2);
        writer.append(batch(a, &[])).unwrap();
        writer.append(batch(b, &[])).unwrap();
        writer.commit().unwrap();
        say(&format!("commit {}", commit + 1));
        if commit % 61 == 60 {
            // Rewrites every segment and cuts the file short, under the eyes of the readers.
            drop(writer);
            store.compact(CompactOptions { force: true, ..CompactOptions::default() }).unwrap();
            writer = store.writer().unwrap();
        } else if commit % 17 == 16 {
            writer.seal_all().unwrap();
        }
    }
}

fn follow(path: &Path) {
    let store = Store::open_read_only(path, options()).unwrap();
    let mut last = 0;
    loop {
        let commits = commits(&store.snapshot().unwrap());
        assert!(commits >= last, "{commits} commits after {last}");
        last = commits;
        say(&format!("read {commits}"));
    }
}

/// How many commits a snapshot sees; panics when it does not see whole commits from the first on without a gap.
fn commits(snapshot: &Snapshot) -> u64 {
    let mut found: Vec<u64> = Vec::new();
    for rows in snapshot.scan(&ScanRequest::new(Table::Spans).columns(["trace_id", "name"])).unwrap() {
        let rows = rows.unwrap();
        for id in rows.column(0).as_fixed_size_binary().iter().flatten() {
            let low = u64::from_be_bytes(id[8..].try_into().unwrap());
            let commit = usize::try_from(low - 1).unwrap();
            if found.len() <= commit {
                found.resize(commit + 1, 0);
            }
            found[commit] += 1;
        }
    }
    for (commit, rows) in (0..).zip(&found) {
        assert_eq!(*rows, spans(commit), "rows of commit {commit} of {}", found.len());
    }
    found.len() as u64
}

/// A child whose newest number can be asked for.
struct Process {
    child: Child,
    newest: Arc<AtomicU64>,
    lines: Arc<AtomicU64>,
}

impl Process {
    fn start(role: &str, path: &Path) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::processes::child", "--ignored", "--nocapture", "--test-threads=1"])
            .env(CHILD, format!("{role} {}", path.display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (newest, lines) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (out, n, l) = (child.stdout.take().unwrap(), newest.clone(), lines.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Some(("commit" | "read", number)) = line.split_once(' ') {
                    n.store(number.parse().unwrap(), Ordering::SeqCst);
                    l.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Process { child, newest, lines }
    }

    fn newest(&self) -> u64 {
        self.newest.load(Ordering::SeqCst)
    }

    /// Waits until it has got further than `number`.
    fn pass(&mut self, number: u64) {
        while self.newest() <= number {
            assert!(self.child.try_wait().unwrap().is_none(), "the process ended by itself");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// kill -9, of a process that was still running.
    fn kill(&mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "the process ended by itself");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Follows from this process for a while: every snapshot holds whole commits, and all that were acknowledged before.
fn follow_for(store: &Store, writer: &Process, time: Duration) -> u64 {
    let until = Instant::now() + time;
    let mut reads = 0;
    while Instant::now() < until {
        let acknowledged = writer.newest();
        let seen = commits(&store.snapshot().unwrap());
        assert!(seen >= acknowledged, "{seen} commits are seen, {acknowledged} were acknowledged before");
        reads += 1;
    }
    reads
}

#[test]
fn one_process_writes_and_others_follow_whoever_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("a.spans");
    drop(Store::create(&path, options()).unwrap());
    let time = Duration::from_secs(amount(3, 20)) / 2;
    let mut writer = Process::start("write", &path);
    writer.pass(0);
    let mut reader = Process::start("follow", &path);
    reader.pass(0);
    let store = Store::open_read_only(&path, options()).unwrap();
    let mut reads = follow_for(&store, &writer, time);

    let refused = Store::open(&path, options()).unwrap_err();
    assert!(matches!(refused, Error::Busy { pid: Some(pid), .. } if pid == writer.child.id()), "{refused}");
    assert!(refused.to_string().contains("read-only works"), "{refused}");

    // Without the reader the writer goes on.
    reader.kill();
    writer.pass(writer.newest());
    reads += follow_for(&store, &writer, time);
    writer.pass(writer.newest() + 5);

    // Without the writer an open snapshot still reads, and so does a new one.
    let old = store.snapshot().unwrap();
    let seen = commits(&old);
    writer.pass(seen);
    writer.kill();
    let written = writer.newest();
    assert_eq!(commits(&old), seen);
    let last = commits(&store.snapshot().unwrap());
    assert!(last >= written && last <= written + 1, "{last} commits are seen, {written} were acknowledged");

    // Recovery, by several readers and a writer at once.
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                let store = Store::open_read_only(&path, options()).unwrap();
                assert_eq!(commits(&store.snapshot().unwrap()), last);
            });
        }
    });
    let again = Store::open(&path, options()).unwrap();
    assert_eq!(again.verify().unwrap().problems, []);
    let mut next = again.writer().unwrap();
    let rows: Vec<Sample> = (0..spans(last)).map(|span| Sample { trace: last, span, content: 1 }).collect();
    next.append(batch(&rows, &[])).unwrap();
    next.commit().unwrap();
    next.seal_all().unwrap();
    drop(next);
    again.compact(CompactOptions { force: true, ..CompactOptions::default() }).unwrap();
    assert_eq!(commits(&old), seen, "a snapshot from before the crash");
    assert_eq!(commits(&store.snapshot().unwrap()), last + 1);
    println!(
        "two processes: {written} commits acknowledged, {reads} reads here and {} in the reader that was killed, 0 of \
         them partial or behind",
        reader.lines.load(Ordering::SeqCst)
    );
    assert!(written > 10 && reads > 10);
}

/// A writer that comes while readers recover the file is not told that the dead writer still has it.
#[test]
fn a_writer_and_readers_may_come_at_once_after_a_kill() {
    let rounds = amount(5, 50);
    let mut opened = 0;
    for _ in 0..rounds {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.spans");
        drop(Store::create(&path, options()).unwrap());
        let mut writer = Process::start("write", &path);
        writer.pass(3);
        writer.kill();
        let written = writer.newest();
        std::thread::scope(|s| {
            let readers: Vec<_> = (0..3).map(|_| s.spawn(|| Store::open_read_only(&path, options()))).collect();
            let writer = s.spawn(|| Store::open(&path, options()));
            for reader in readers {
                let store = reader.join().unwrap().unwrap();
                assert!(commits(&store.snapshot().unwrap()) >= written);
                opened += 1;
            }
            writer.join().unwrap().unwrap();
            opened += 1;
        });
    }
    println!("after a kill: {opened} opens at once in {rounds} rounds, 0 refused");
}
