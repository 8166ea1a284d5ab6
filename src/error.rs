//! Errors that a caller can act on. Each says where: file, table, key, position.

use std::path::{Path, PathBuf};

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a `.spans` file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation on a file.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as in "cannot open".
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file exists already and `create` was asked for.
    #[error("{}: exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a `.spans` file.
    #[error("{}: not a .spans file: {reason}", path.display())]
    NotSpans {
        /// The file.
        path: PathBuf,
        /// What gave it away.
        reason: String,
    },
    /// The file was written by a later version of the format.
    #[error("{}: format version {found}, this program reads up to {supported}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        found: u32,
        /// Newest version that can be read.
        supported: u32,
    },
    /// Another process or handle writes to the file.
    #[error("{}: {} has it open for writing; opening it read-only works meanwhile", path.display(), holder(*pid))]
    Busy {
        /// The file.
        path: PathBuf,
        /// Process id of the writer, when it could be found out.
        pid: Option<u32>,
    },
    /// The last writer did not close the file, and it cannot be recovered without permission to write.
    #[error(
        "{}: the last writer was killed and the file needs recovery, which needs permission to write: {reason}; \
         open it once for writing (spanfile verify does) and read-only works again",
        path.display()
    )]
    NeedsRecovery {
        /// The file.
        path: PathBuf,
        /// Why the recovery failed.
        reason: String,
    },
    /// Something in the file is damaged.
    #[error("{}: damaged: {place}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Table and key, such as `chunks[3, spans, 17]`.
        place: String,
        /// What is wrong, with both values on a mismatch.
        reason: String,
    },
    /// The file lies on a network file system, where locks and syncs cannot be relied on.
    #[error("{}: lies on a network file system ({filesystem}), where a .spans file cannot be kept safe; copy it to a local disk", path.display())]
    NetworkFilesystem {
        /// The file.
        path: PathBuf,
        /// Kind of file system.
        filesystem: &'static str,
    },
    /// The store was opened read-only and asked to write.
    #[error("{}: opened read-only", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// An earlier commit failed, so this writer cannot say any more what is in the file.
    #[error("{}: an earlier commit failed ({reason}); close the file and open it again", path.display())]
    Poisoned {
        /// The file.
        path: PathBuf,
        /// The failure.
        reason: String,
    },
    /// The commit that this thread shared with others failed.
    #[error("group commit failed: {0}")]
    Group(String),
    /// A bound was exceeded.
    #[error("{}: {what} is {found}, more than the limit of {limit}{hint}", path.display())]
    Limit {
        /// The file.
        path: PathBuf,
        /// What is bounded.
        what: &'static str,
        /// How much there was.
        found: u64,
        /// How much there may be.
        limit: u64,
        /// What to do about it, or `""`.
        hint: &'static str,
    },
    /// Rows do not have the schema that was asked for.
    #[error("unexpected rows: {0}")]
    Rows(String),
    /// Arrow or Parquet failed on data that this crate made itself.
    #[error("{}: {action}: {reason}", path.display())]
    Engine {
        /// The file.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// What the library said.
        reason: String,
    },
}

fn holder(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_string(),
    }
}

impl Error {
    pub(crate) fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        Error::Io { path: path.to_path_buf(), action, source }
    }

    pub(crate) fn corrupt(path: &Path, place: impl Into<String>, reason: impl Into<String>) -> Self {
        Error::Corrupt { path: path.to_path_buf(), place: place.into(), reason: reason.into() }
    }

    pub(crate) fn engine(path: &Path, action: &'static str, reason: impl ToString) -> Self {
        Error::Engine { path: path.to_path_buf(), action, reason: reason.to_string() }
    }
}
