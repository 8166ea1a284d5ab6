//! The store: one redb file that holds everything.
//!
//! `file` opens and locks it, `checked` and `trees` keep redb from writing to a damaged one, `tables` and `format` say what
//! lies in it, `chunks` cuts segments into pages, `state` replays the log, `prices` keeps the price book, `snapshot` is what
//! readers see, `writer` and `seal` are how rows get in, `compact` rewrites, `verify` checks all of it.

mod budgets;
mod checked;
mod chunks;
mod compact;
mod file;
mod format;
mod fresh;
mod group;
mod options;
mod part;
mod prices;
mod recent;
mod seal;
mod snapshot;
mod state;
mod tables;
mod tail;
mod trees;
mod verify;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use compact::{CompactOptions, CompactReport};
pub use group::GroupWriter;
pub use options::Options;
pub use part::{Part, Segment};
pub use snapshot::{Counters, FileInfo, Snapshot, Tail};
pub use verify::{Problem, VerifyReport};
pub use writer::{Commit, Writer};

use crate::error::{Error, Result};
use crate::limits::{FORMAT_VERSION, RETRY_MS, WRITER_WAIT_MS};
use crate::segment::Table;
use file::{File, redb_error};
use format::{Head, Info, WriterInfo};
use seal::Change;
use state::State;
use tables::{CHUNKS, LOG, META, PRICES, TAIL, meta};

/// An open `.spans` file. Cheap to clone; the file is closed when the last clone, writer and snapshot are gone.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: Arc<File>,
    options: Options,
    /// The newest state that was seen; transactions go on from here instead of replaying the log again.
    state: Mutex<Arc<State>>,
    recent: Arc<recent::RecentTraces>,
    writer_open: AtomicBool,
    /// Whether the file says that this process writes to it.
    named: AtomicBool,
}

/// Takes snapshots of the file that a writer writes to.
#[derive(Debug, Clone)]
pub(crate) struct Snapshots(Arc<Shared>);

impl Snapshots {
    /// As of the newest commit.
    pub(crate) fn newest(&self) -> Result<Snapshot> {
        self.0.snapshot()
    }
}

/// Sizes and counts of a file, as of one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Number of the commit.
    pub version: u64,
    /// Length of the file in bytes; 0 where it is not a file.
    pub file_bytes: u64,
    /// Live span rows.
    pub spans: u64,
    /// Live event rows.
    pub events: u64,
    /// Live link rows.
    pub links: u64,
    /// Traces.
    pub traces: u64,
    /// Segments.
    pub segments: u64,
    /// Bytes of all segments.
    pub segment_bytes: u64,
    /// Span rows that newer ones supersede and compaction would remove.
    pub superseded_spans: u64,
    /// Span rows that are not sealed yet.
    pub tail_spans: u64,
    /// Log entries.
    pub log_entries: u64,
    /// Hash of the newest log entry, in hex.
    pub log_hash: String,
    /// Rows that were dropped because they were there already, since the file was created.
    pub duplicates: u64,
    /// Rows that took the place of others with the same ids, since the file was created.
    pub replaced: u64,
    /// First start and last end of spans, nanoseconds since the epoch; `None` without spans.
    pub time_range_unix_nano: Option<(i64, i64)>,
    /// Process that has the file open for writing, or had when it was killed.
    pub writer_pid: Option<u32>,
}

pub(crate) fn now_unix_nano() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

impl Store {
    /// Creates a file that must not exist yet, and opens it for writing. After a crash there is no file, or a good one.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Io`], [`Error::NetworkFilesystem`].
    pub fn create(path: impl AsRef<Path>, options: Options) -> Result<Store> {
        let path = path.as_ref();
        File::create(path, options.cache_bytes, fill)?;
        Store::open(path, options)
    }

    /// Opens an existing file for writing. Other processes may read it meanwhile, none may write. The pages that the
    /// storage engine follows when it writes are checked first; one that is damaged is an error here, while
    /// [`Store::open_read_only`] still reads the file.
    ///
    /// # Errors
    /// [`Error::Busy`] with the writer's process id, [`Error::NotSpans`], [`Error::Version`], [`Error::Corrupt`], ...
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Store> {
        let path = path.as_ref();
        let deadline = Instant::now() + Duration::from_millis(WRITER_WAIT_MS);
        let file = loop {
            let refused = match File::open(path, options.cache_bytes) {
                Err(e @ Error::Busy { .. }) => name_holder(e, path),
                other => break other?,
            };
            // Without a living writer by name, somebody is just opening the file, or recovers it after a crash.
            let by_writer = matches!(refused, Error::Busy { pid: Some(pid), .. } if file::is_alive(pid));
            if by_writer || Instant::now() >= deadline {
                return Err(refused);
            }
            std::thread::sleep(Duration::from_millis(RETRY_MS));
        };
        let store = Store::start(file, options)?;
        store.shared.name_writer()?;
        Ok(store)
    }

    /// Opens the file for writing, after creating it if it is not there.
    ///
    /// # Errors
    /// Those of [`Store::create`] and [`Store::open`].
    pub fn open_or_create(path: impl AsRef<Path>, options: Options) -> Result<Store> {
        let path = path.as_ref();
        match path.symlink_metadata() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => match Store::create(path, options.clone()) {
                Err(Error::Exists { .. }) => Store::open(path, options),
                other => other,
            },
            _ => Store::open(path, options),
        }
    }

    /// Opens an existing file for reading. Works while another process writes: each snapshot sees its newest commit.
    /// Where the last writer was killed, the file is recovered first, which needs permission to write.
    ///
    /// # Errors
    /// [`Error::NeedsRecovery`], [`Error::NotSpans`], [`Error::Version`], [`Error::Corrupt`], ...
    pub fn open_read_only(path: impl AsRef<Path>, options: Options) -> Result<Store> {
        Store::start(File::open_read_only(path.as_ref(), options.cache_bytes)?, options)
    }

    /// Opens or creates a store on a redb backend that is not a file. For tests that inject faults.
    #[doc(hidden)]
    pub fn on_backend(name: &Path, backend: impl redb::StorageBackend, options: Options) -> Result<Store> {
        let file = File::on_backend(name, backend, options.cache_bytes)?;
        let fresh = {
            let txn = file.begin_read()?;
            file::guarded(name, "meta", || {
                Ok(matches!(txn.open_table(META), Err(redb::TableError::TableDoesNotExist(_))))
            })?
        };
        if fresh {
            fill(&file)?;
        }
        Store::start(file, options)
    }

    fn start(file: File, options: Options) -> Result<Store> {
        let file = Arc::new(file);
        let state = {
            let txn = file.begin_read()?;
            file::guarded(file.path(), "log", || State::read(&file, &txn, None))?
        };
        let recent = Arc::new(recent::RecentTraces::new(options.recent_traces_bytes));
        let shared = Shared {
            file,
            options,
            state: Mutex::new(state),
            recent,
            writer_open: AtomicBool::new(false),
            named: AtomicBool::new(false),
        };
        Ok(Store { shared: Arc::new(shared) })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        self.shared.file.path()
    }

    /// The writer. There is one at a time.
    ///
    /// # Errors
    /// [`Error::Busy`] while another writer of this store lives, [`Error::ReadOnly`].
    pub fn writer(&self) -> Result<Writer> {
        self.take_writer()?;
        let writer = self.shared.name_writer().and_then(|()| Writer::new(self.shared.clone()));
        if writer.is_err() {
            self.shared.writer_open.store(false, Ordering::Release);
        }
        writer
    }

    fn take_writer(&self) -> Result<()> {
        if self.shared.file.is_read_only() {
            return Err(Error::ReadOnly { path: self.path().to_path_buf() });
        }
        if self.shared.writer_open.swap(true, Ordering::AcqRel) {
            return Err(Error::Busy { path: self.path().to_path_buf(), pid: Some(std::process::id()) });
        }
        Ok(())
    }

    /// The file as of its newest commit.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.shared.snapshot()
    }

    /// Sizes and counts.
    ///
    /// # Errors
    /// Those of [`Store::snapshot`], and [`Error::Limit`] when the tail is too large to settle in memory.
    pub fn stats(&self) -> Result<Stats> {
        let snapshot = self.snapshot()?;
        let (segments, tail) = (snapshot.segments()?, snapshot.tail()?);
        let head = &snapshot.state().head;
        let live = |t: Table| segments.iter().map(|s| s.live_rows(t)).sum::<u64>() + tail.rows(t);
        let times = segments.iter().map(Segment::time_range).chain([tail.time_range()]).flatten();
        let time_range_unix_nano = times.fold(None, |acc: Option<(i64, i64)>, (start, _, end)| {
            Some(acc.map_or((start, end), |(a, b)| (a.min(start), b.max(end))))
        });
        let mut traces = tail.traces();
        for s in &segments {
            traces += s.live_traces()?;
        }
        let txn = self.shared.file.begin_read()?;
        Ok(Stats {
            version: head.commit,
            file_bytes: std::fs::metadata(self.path()).map_or(0, |m| m.len()),
            spans: live(Table::Spans),
            events: live(Table::Events),
            links: live(Table::Links),
            traces,
            segments: segments.len() as u64,
            segment_bytes: segments.iter().map(Segment::bytes).sum(),
            superseded_spans: segments.iter().map(|s| s.rows(Table::Spans) - s.live_rows(Table::Spans)).sum(),
            tail_spans: tail.rows(Table::Spans),
            log_entries: head.log_len,
            log_hash: format::hex(&head.log_hash),
            duplicates: head.duplicates,
            replaced: head.replaced,
            time_range_unix_nano,
            writer_pid: state::read_writer(self.path(), &txn)?.map(|w| w.pid),
        })
    }

    /// Checks everything: the log's chain, every chunk, directories against rows, the tail.
    ///
    /// # Errors
    /// Only what keeps it from looking, such as [`Error::Io`]; what is wrong with the file is in the report.
    pub fn verify(&self) -> Result<VerifyReport> {
        verify::verify(&self.snapshot()?)
    }

    /// Seals the tail, rewrites the segments without superseded rows, and gives space back to the file system.
    ///
    /// # Errors
    /// [`Error::Busy`] while a writer lives, [`Error::ReadOnly`], and what can go wrong reading and writing.
    pub fn compact(&self, options: CompactOptions) -> Result<CompactReport> {
        let mut writer = self.writer()?;
        writer.seal_all()?;
        compact::compact(&self.shared, &options)
    }
}

impl Shared {
    fn state(&self) -> Arc<State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn snapshot(&self) -> Result<Snapshot> {
        let txn = self.file.begin_read()?;
        let known = self.state();
        let state = file::guarded(self.file.path(), "log", || State::read(&self.file, &txn, Some(&known)))?;
        if !Arc::ptr_eq(&state, &known) {
            let mut newest = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if newest.head.commit < state.head.commit {
                *newest = state.clone();
            }
        }
        Snapshot::new(self.file.clone(), &txn, state, self.options.tail_memory_bytes, self.recent.clone())
    }

    /// One write transaction; durable when this returns.
    fn change(&self, f: impl FnOnce(&mut Change<'_>) -> Result<()>) -> Result<()> {
        let state = self.state();
        self.file.write(|txn| {
            let mut change = Change::new(&self.file, txn, &state.head);
            f(&mut change)?;
            change.finish().map(drop)
        })?;
        // Reading the state back costs little and checks what was just written.
        self.snapshot().map(drop)
    }

    /// Lets the file say who writes to it.
    fn name_writer(&self) -> Result<()> {
        if !self.named.swap(true, Ordering::AcqRel) {
            self.note_writer(Some(std::process::id()))?;
        }
        Ok(())
    }

    /// Takes that back. A commit to a file without free pages doubles its length: this one must come before trimming.
    fn unname_writer(&self) -> Result<()> {
        if self.named.swap(false, Ordering::AcqRel) {
            self.note_writer(None)?;
        }
        Ok(())
    }

    fn note_writer(&self, pid: Option<u32>) -> Result<()> {
        self.file.write(|txn| {
            let error = |e: redb::Error| redb_error(self.file.path(), "meta[writer]", e);
            let mut table = txn.open_table(META).map_err(|e| error(e.into()))?;
            match pid {
                Some(pid) => {
                    let info = WriterInfo { pid, since_unix_nano: now_unix_nano() };
                    let bytes = format::encode_checked(self.file.path(), &info, 3)?;
                    table.insert(meta::WRITER, bytes.as_slice()).map_err(|e| error(e.into()))?;
                }
                None => {
                    table.remove(meta::WRITER).map_err(|e| error(e.into()))?;
                }
            }
            Ok(())
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if !self.file.is_read_only() {
            // A stale name only makes a later message less precise; there is nobody to tell of a failure here.
            let _ = self.unname_writer();
        }
    }
}

/// What a new file holds.
fn fill(file: &File) -> Result<()> {
    let path = file.path();
    let mut file_id = [0; 16];
    getrandom::fill(&mut file_id).map_err(|e| Error::engine(path, "get random bytes", e))?;
    let info = Info {
        file_id,
        creator: concat!("spanfile ", env!("CARGO_PKG_VERSION")).to_string(),
        created_at_unix_nano: now_unix_nano(),
    };
    file.write(|txn| {
        let error = |e: redb::Error| redb_error(path, "new file", e);
        let mut table = txn.open_table(META).map_err(|e| error(e.into()))?;
        let mut version = FORMAT_VERSION.to_le_bytes().to_vec();
        format::add_checksum(&mut version, 0);
        for (key, bytes) in [
            (meta::FORMAT, version),
            (meta::INFO, format::encode_checked(path, &info, 1)?),
            (meta::HEAD, format::encode_checked(path, &Head::default(), 2)?),
        ] {
            table.insert(key, bytes.as_slice()).map_err(|e| error(e.into()))?;
        }
        txn.open_table(LOG).map_err(|e| error(e.into()))?;
        txn.open_table(CHUNKS).map_err(|e| error(e.into()))?;
        txn.open_table(TAIL).map_err(|e| error(e.into()))?;
        txn.open_table(PRICES).map_err(|e| error(e.into()))?;
        Ok(())
    })
}

/// Adds the writer's process id to a refusal, when the file says it.
fn name_holder(e: Error, path: &Path) -> Error {
    let Error::Busy { pid: None, .. } = e else { return e };
    let pid = File::open_read_only(path, 1 << 20)
        .and_then(|file| state::read_writer(path, &file.begin_read()?))
        .ok()
        .flatten()
        .map(|w| w.pid);
    Error::Busy { path: path.to_path_buf(), pid }
}
