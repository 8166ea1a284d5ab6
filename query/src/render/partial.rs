//! Files that come whole or not at all.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{QueryError, Result};

/// Whether a file begins as `.spans` files do: traces are not to be lost for a result.
pub fn holds_spans(path: &Path) -> bool {
    let mut begin = [0; 4];
    let read = File::open(path).and_then(|mut f| io::Read::read_exact(&mut f, &mut begin));
    path.is_file() && read.is_ok() && &begin == b"redb"
}

/// A file beside its final name. Unless it gets that name it is removed: work that fails or is stopped leaves nothing
/// behind, and what had the name before stays.
#[derive(Debug)]
pub struct PartialFile {
    partial: PathBuf,
    path: PathBuf,
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        // Gone already after a rename; and an error here could not be told to anyone.
        let _ = std::fs::remove_file(&self.partial);
    }
}

impl PartialFile {
    /// A file that will have this name, open for writing. The folder must be there.
    pub fn create(path: &Path) -> Result<(Self, File)> {
        // A link keeps its name: what it points to is written.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if path.exists() && !path.is_file() {
            return Err(QueryError::io(&path, io::Error::new(ErrorKind::InvalidInput, "not a regular file")));
        }
        if holds_spans(&path) {
            let reason = "a file of spans is not written over";
            return Err(QueryError::io(&path, io::Error::new(ErrorKind::InvalidInput, reason)));
        }
        let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(QueryError::io(folder, io::Error::new(ErrorKind::NotFound, "no such folder")));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let partial = path.with_file_name(name);
        let out = File::create(&partial).map_err(|e| QueryError::io(&path, e))?;
        Ok((PartialFile { partial, path }, out))
    }

    /// The final name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it the final name, in the place of what has it.
    pub fn finish(self) -> Result<()> {
        std::fs::rename(&self.partial, &self.path).map_err(|e| QueryError::io(&self.path, e))
    }
}
