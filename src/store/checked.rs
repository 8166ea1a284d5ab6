//! A storage that redb does not get to read before its trees were checked.
//!
//! Redb takes its locks first and asks for the length next: that is when the check runs, so that no other process
//! writes meanwhile. If the check fails, opening fails with it, and there is no database that could write or, when it
//! is closed, commit.

use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{BackendError, StorageBackend};

use super::trees::{Failure, check};

/// What to do with a storage that has no bytes yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    /// Redb makes it a database.
    Fill,
    Refuse,
}

#[derive(Debug)]
pub(super) struct CheckedBackend<B> {
    storage: B,
    empty: Empty,
    checked: AtomicBool,
}

impl<B: StorageBackend> CheckedBackend<B> {
    pub(super) fn new(storage: B, empty: Empty) -> Self {
        CheckedBackend { storage, empty, checked: AtomicBool::new(false) }
    }

    fn check(&self) -> io::Result<()> {
        if self.empty == Empty::Refuse && self.storage.len()? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is empty"));
        }
        match check(&self.storage) {
            Ok(_) => Ok(()),
            Err(Failure::Io(e)) => Err(e),
            Err(Failure::Damage(damage)) => Err(io::Error::new(io::ErrorKind::InvalidData, damage)),
        }
    }
}

impl<B: StorageBackend> StorageBackend for CheckedBackend<B> {
    fn len(&self) -> io::Result<u64> {
        if !self.checked.load(Ordering::Acquire) {
            self.check()?;
            self.checked.store(true, Ordering::Release);
        }
        self.storage.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.storage.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.storage.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.storage.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.storage.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.storage.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.storage.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.storage.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.storage.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.storage.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.storage.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.storage.query_lock_range(start, end)
    }
}
