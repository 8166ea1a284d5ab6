//! The redb file below: how it is created, opened and locked, and how redb's errors and panics become ours.

use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use redb::backends::FileBackend;
use redb::{
    Builder, CompactionError, ConcurrencyMode, Database, DatabaseError, ReadOnlyDatabase, ReadTransaction,
    ReadableDatabase, StorageBackend, WriteTransaction,
};

use super::checked::{CheckedBackend, Empty};
use super::fresh::Fresh;
use super::tables::{META, meta};
use super::trees::{self, Damage, Failure, MAGIC};
use crate::caught::caught;
use crate::error::{Error, Result};
use crate::limits::{RECOVERY_WAIT_MS, RETRY_MS, TREE_CHECKS};

enum Db {
    Writable(RwLock<Database>),
    ReadOnly(ReadOnlyDatabase),
}

/// An open redb file.
pub(crate) struct File {
    path: PathBuf,
    /// Always there until the file is dropped.
    db: Option<Db>,
    /// False for a storage in memory.
    on_disk: bool,
}

impl Drop for File {
    fn drop(&mut self) {
        // Closing writes to the file; where pages are damaged, redb may panic over it.
        let db = self.db.take();
        let _ = caught(|| drop(db));
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

fn builder(cache_bytes: usize) -> Builder {
    let mut b = Database::builder();
    b.set_cache_size(cache_bytes).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    b
}

impl File {
    /// Creates the file without its name, lets `fill` write to it, and names it once it is whole: a crash leaves
    /// either no file or a good one.
    pub(super) fn create(path: &Path, cache_bytes: usize, fill: impl FnOnce(&File) -> Result<()>) -> Result<()> {
        let name = path.file_name().ok_or_else(|| {
            Error::io(path, "create", io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))
        })?;
        let folder = match path.parent() {
            Some(p) if !p.as_os_str().is_empty() => p.to_path_buf(),
            _ => PathBuf::from("."),
        };
        refuse_network(&folder)?;
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists { path: path.to_path_buf() });
        }
        let fresh = Fresh::new(&folder, name).map_err(|e| Error::io(path, "create", e))?;
        let handle = fresh.handle().map_err(|e| Error::io(path, "create", e))?;
        let db = guarded(path, "new file", || {
            builder(cache_bytes).create_file(handle).map_err(|e| database_error(path, e))
        })?;
        let file = File { path: path.to_path_buf(), db: Some(Db::Writable(RwLock::new(db))), on_disk: true };
        fill(&file)?;
        drop(file);
        fresh.name(path).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists { path: path.to_path_buf() },
            _ => Error::io(path, "name", e),
        })?;
        std::fs::File::open(&folder).and_then(|d| d.sync_all()).map_err(|e| Error::io(&folder, "sync", e))
    }

    /// Creates a database on a backend that is not a file, for tests of faults.
    pub(super) fn on_backend(name: &Path, backend: impl StorageBackend, cache_bytes: usize) -> Result<File> {
        // In the mode that real files are opened in, where the backend has the locks for it.
        let mut builder = builder(cache_bytes);
        if backend.query_lock_range(Bound::Included(0), Bound::Included(0)).is_err() {
            builder.set_concurrency_mode(ConcurrencyMode::ExclusiveWriter);
        }
        let backend = CheckedBackend::new(backend, Empty::Fill);
        let db =
            guarded(name, "backend", || builder.create_with_backend(backend).map_err(|e| database_error(name, e)))?;
        Ok(File { path: name.to_path_buf(), db: Some(Db::Writable(RwLock::new(db))), on_disk: false })
    }

    pub(super) fn open(path: &Path, cache_bytes: usize) -> Result<File> {
        check_magic(path)?;
        let handle = std::fs::OpenOptions::new().read(true).write(true).open(path);
        let handle = handle.map_err(|e| Error::io(path, "open for writing", e))?;
        let db = guarded(path, "header", || {
            let storage = FileBackend::new(handle).map_err(|e| database_error(path, e))?;
            let backend = CheckedBackend::new(storage, Empty::Refuse);
            builder(cache_bytes).create_with_backend(backend).map_err(|e| database_error(path, e))
        })?;
        Ok(File { path: path.to_path_buf(), db: Some(Db::Writable(RwLock::new(db))), on_disk: true })
    }

    pub(super) fn open_read_only(path: &Path, cache_bytes: usize) -> Result<File> {
        check_magic(path)?;
        let open = || {
            guarded(path, "header", || builder(cache_bytes).open_read_only(path).map_err(|e| database_error(path, e)))
        };
        let deadline = Instant::now() + Duration::from_millis(RECOVERY_WAIT_MS);
        let db = loop {
            match open() {
                Err(Error::NeedsRecovery { .. }) => {}
                other => break other?,
            }
            // A writer was killed. Opening for writing recovers the file; then read-only works.
            match File::open(path, cache_bytes) {
                Ok(recovered) => recovered.forget_writer(),
                // Another process is recovering it right now, or is opening it for writing.
                Err(Error::Busy { .. }) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(RETRY_MS));
                }
                Err(e @ Error::Corrupt { .. }) => return Err(e),
                Err(e) => return Err(Error::NeedsRecovery { path: path.to_path_buf(), reason: e.to_string() }),
            }
        };
        Ok(File { path: path.to_path_buf(), db: Some(Db::ReadOnly(db)), on_disk: true })
    }

    /// Removes the name of a writer that was killed, or a later refusal would blame it.
    fn forget_writer(self) {
        // Without success the message is less precise and nothing else.
        let _ = self.write(|txn| {
            let error = |e: redb::Error| redb_error(&self.path, "meta[writer]", e);
            let mut table = txn.open_table(META).map_err(|e| error(e.into()))?;
            table.remove(meta::WRITER).map_err(|e| error(e.into())).map(drop)
        });
    }

    /// Checks redb's own pages, as opening the file for writing does.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for what keeps the file from being opened for writing, [`Error::Io`].
    pub(super) fn check_trees(&self) -> Result<()> {
        if !self.on_disk {
            return Ok(());
        }
        let io = |e| Error::io(&self.path, "read", e);
        let handle = std::fs::File::open(&self.path).map_err(io)?;
        let storage = FileBackend::new(handle).map_err(|e| database_error(&self.path, e))?;
        for _ in 0..TREE_CHECKS {
            let before = trees::newest_commit(&storage).map_err(io)?;
            let failure = match trees::check(&storage) {
                Ok(_) => return Ok(()),
                Err(e) => e,
            };
            // A writer that commits writes pages anew and may cut the file, but leaves those of the newest commit.
            if trees::newest_commit(&storage).map_err(io)? == before {
                return Err(match failure {
                    Failure::Io(e) => io(e),
                    Failure::Damage(d) => Error::corrupt(&self.path, d.place, d.reason),
                });
            }
        }
        // It is being written to that fast by somebody who checked it before.
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_read_only(&self) -> bool {
        matches!(self.db, Some(Db::ReadOnly(_)))
    }

    fn writable(&self) -> Result<&RwLock<Database>> {
        match &self.db {
            Some(Db::Writable(db)) => Ok(db),
            Some(Db::ReadOnly(_)) | None => Err(Error::ReadOnly { path: self.path.clone() }),
        }
    }

    fn lock<'a>(&self, db: &'a RwLock<Database>) -> RwLockReadGuard<'a, Database> {
        // A panic elsewhere does not change what is in the file.
        db.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn begin_read(&self) -> Result<ReadTransaction> {
        guarded(&self.path, "read transaction", || {
            match &self.db {
                Some(Db::Writable(db)) => self.lock(db).begin_read(),
                Some(Db::ReadOnly(db)) => db.begin_read(),
                None => Err(redb::StorageError::DatabaseClosed.into()),
            }
            .map_err(|e| redb_error(&self.path, "read transaction", e.into()))
        })
    }

    /// Runs `f` in a write transaction and commits it; durable when this returns.
    pub(super) fn write<T>(&self, f: impl FnOnce(&WriteTransaction) -> Result<T>) -> Result<T> {
        let db = self.writable()?;
        guarded(&self.path, "write transaction", || {
            let error = |e: redb::Error| redb_error(&self.path, "write transaction", e);
            let mut txn = self.lock(db).begin_write().map_err(|e| error(e.into()))?;
            // Without it, opening after a crash reads the whole file.
            txn.set_quick_repair(true);
            match f(&txn) {
                Ok(value) => {
                    txn.commit().map_err(|e| error(e.into()))?;
                    Ok(value)
                }
                Err(e) => {
                    // The error that made us stop says more than one from stopping.
                    let _ = txn.abort();
                    Err(e)
                }
            }
        })
    }

    /// Gives unused pages back to the file system. False when readers hold pages of older states.
    pub(super) fn trim(&self) -> Result<bool> {
        let db = self.writable()?;
        guarded(&self.path, "compaction", || {
            let mut db = db.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            match db.compact() {
                Ok(_) => Ok(true),
                Err(CompactionError::TransactionInProgress) => Ok(false),
                Err(e) => Err(redb_error(&self.path, "compaction", e.into())),
            }
        })
    }
}

/// Whether a process is there; true where that cannot be told.
#[cfg(unix)]
pub(super) fn is_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return false };
    !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
pub(super) fn is_alive(_: u32) -> bool {
    true
}

/// Runs what may panic inside redb or a decoder on damaged pages, and makes a panic an error.
pub(crate) fn guarded<T>(path: &Path, place: &str, f: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(f).unwrap_or_else(|said| Err(Error::corrupt(path, place, format!("pages do not make sense: {said}"))))
}

pub(super) fn redb_error(path: &Path, place: &str, e: redb::Error) -> Error {
    match e {
        redb::Error::Io(e) => match e.get_ref().and_then(|e| e.downcast_ref::<Damage>()) {
            Some(damage) => Error::corrupt(path, &damage.place, &damage.reason),
            None => Error::io(path, "read or write", e),
        },
        redb::Error::Corrupted(reason) => Error::corrupt(path, place, reason),
        redb::Error::DatabaseAlreadyOpen => Error::Busy { path: path.to_path_buf(), pid: None },
        redb::Error::PreviousIo => Error::io(
            path,
            "go on",
            io::Error::other("an earlier read or write failed; close the file and open it again"),
        ),
        e @ (redb::Error::TableDoesNotExist(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. }) => Error::corrupt(path, place, e.to_string()),
        other => Error::engine(path, "redb", other),
    }
}

fn database_error(path: &Path, e: DatabaseError) -> Error {
    match e {
        DatabaseError::DatabaseAlreadyOpen => Error::Busy { path: path.to_path_buf(), pid: None },
        DatabaseError::RepairAborted => {
            Error::NeedsRecovery { path: path.to_path_buf(), reason: "it was not closed".to_string() }
        }
        DatabaseError::Storage(s) => redb_error(path, "header", s.into()),
        DatabaseError::UpgradeRequired(v) => Error::NotSpans {
            path: path.to_path_buf(),
            reason: format!("redb file format {v} is older than any .spans file"),
        },
        other => Error::corrupt(path, "header", other.to_string()),
    }
}

fn check_magic(path: &Path) -> Result<()> {
    refuse_network(path)?;
    let not = |reason: String| Err(Error::NotSpans { path: path.to_path_buf(), reason });
    let mut handle = std::fs::File::open(path).map_err(|e| Error::io(path, "open", e))?;
    let meta = handle.metadata().map_err(|e| Error::io(path, "open", e))?;
    if meta.is_dir() {
        return not("it is a folder".to_string());
    }
    let mut head = [0; MAGIC.len()];
    match io::Read::read_exact(&mut handle, &mut head) {
        Ok(()) if head == MAGIC => Ok(()),
        Ok(()) => not("it does not start as one".to_string()),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => not(format!("{} bytes are too few", meta.len())),
        Err(e) => Err(Error::io(path, "read", e)),
    }
}

#[cfg(target_os = "linux")]
fn refuse_network(path: &Path) -> Result<()> {
    // Magic numbers from statfs(2).
    let name = match rustix::fs::statfs(path).map(|s| s.f_type as u32) {
        Ok(0x6969) => "nfs",
        Ok(0x517b) => "smb",
        Ok(0xff53_4d42) => "cifs",
        Ok(0xfe53_4d42) => "smb2",
        Ok(0x564c) => "ncp",
        Ok(0x5346_414f) => "afs",
        Ok(0x7375_7245) => "coda",
        Ok(0x0102_1997) => "9p",
        Ok(0x00c3_6400) => "ceph",
        Ok(0x0bd0_0bd0) => "lustre",
        _ => return Ok(()),
    };
    Err(Error::NetworkFilesystem { path: path.to_path_buf(), filesystem: name })
}

#[cfg(not(target_os = "linux"))]
fn refuse_network(_: &Path) -> Result<()> {
    Ok(())
}
