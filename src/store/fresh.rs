//! A file that has no name yet: it gets one when it is whole, so that nobody ever sees half of it.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A new file on its way to its name. Dropped before that, it is gone.
#[derive(Debug)]
pub(super) struct Fresh {
    file: File,
    /// Where the file system cannot keep a file without any name, and a crash would leave this one behind.
    temporary: Option<PathBuf>,
}

impl Fresh {
    /// A new empty file in `folder`, to be called `name` later.
    pub(super) fn new(folder: &Path, name: &OsStr) -> io::Result<Fresh> {
        if let Some(file) = nameless(folder) {
            return Ok(Fresh { file, temporary: None });
        }
        let mut temporary = name.to_os_string();
        temporary.push(format!(".{}-{:x}.new", std::process::id(), super::now_unix_nano()));
        let temporary = folder.join(temporary);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&temporary)?;
        Ok(Fresh { file, temporary: Some(temporary) })
    }

    /// A handle to write through.
    pub(super) fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Makes the content durable and gives the file its name, unless that is taken: then the error's kind is
    /// [`io::ErrorKind::AlreadyExists`].
    pub(super) fn name(self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        match &self.temporary {
            None => link(&self.file, path),
            // A hard link refuses to replace a file that appeared meanwhile; a rename would not.
            Some(temporary) => match std::fs::hard_link(temporary, path) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => std::fs::rename(temporary, path),
                other => other,
            },
        }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // After a hard link the temporary name is to go, after a failure the whole file; a rename left nothing.
            let _ = std::fs::remove_file(temporary);
        }
    }
}

/// The kernel's own name of an open file, from which it can be linked.
#[cfg(target_os = "linux")]
fn kernel_name(file: &File) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

#[cfg(target_os = "linux")]
fn nameless(folder: &Path) -> Option<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(folder, flags, Mode::from_raw_mode(0o666)).ok()?);
    // Without it the file could not be named later.
    Path::new(&kernel_name(&file)).exists().then_some(file)
}

#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD};
    Ok(rustix::fs::linkat(CWD, kernel_name(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &Path) -> Option<File> {
    None
}

#[cfg(not(target_os = "linux"))]
fn link(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
