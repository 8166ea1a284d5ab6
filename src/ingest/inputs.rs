//! From what the user names (files, folders, patterns, `-`) to inputs to read, with progress over all of them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What names standard input.
pub const STDIN: &str = "-";

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file and its size in bytes.
    File {
        /// Where it is.
        path: PathBuf,
        /// How long it was when it was found.
        bytes: u64,
    },
}

/// Why a name does not lead to inputs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// No file or folder has the name, and no file fits it as a pattern.
    #[error("{name}: no such file or folder")]
    NotFound {
        /// The name as given.
        name: String,
    },
    /// The name is no pattern.
    #[error("{name}: not a pattern: {error}")]
    Pattern {
        /// The name as given.
        name: String,
        /// What is wrong with it.
        error: glob::PatternError,
    },
    /// Something could not be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
}

impl InputError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> InputError {
        let path = path.to_owned();
        move |error| InputError::Io { path, error }
    }
}

impl Input {
    /// The name to use in messages.
    pub fn name(&self) -> String {
        match self {
            Input::Stdin => STDIN.to_owned(),
            Input::File { path, .. } => path.display().to_string(),
        }
    }

    /// Opens it for reading; what is read is added to `progress`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(&self, progress: &Progress) -> Result<Counted<Box<dyn Read + Send>>, InputError> {
        let reader: Box<dyn Read + Send> = match self {
            Input::Stdin => Box::new(io::stdin()),
            Input::File { path, .. } => Box::new(File::open(path).map_err(InputError::io(path))?),
        };
        Ok(progress.count(reader))
    }
}

/// Finds the inputs that the names stand for, in the order of the names.
///
/// A folder stands for all files below it, sorted by path, hidden ones left out. A name that does not exist is taken
/// as a pattern (`*`, `?`, `[...]`, `**`), whose matches are sorted. A file that several names lead to is read once.
///
/// # Errors
/// When a name leads to nothing, or a folder cannot be listed.
pub fn expand<S: AsRef<str>>(names: &[S]) -> Result<Vec<Input>, InputError> {
    let mut out = Vec::new();
    for name in names {
        let name = name.as_ref();
        if name == STDIN {
            out.push(Input::Stdin);
            continue;
        }
        let path = Path::new(name);
        if path.exists() {
            visit(path, &mut out)?;
            continue;
        }
        let matches = glob::glob(name).map_err(|error| InputError::Pattern { name: name.to_owned(), error })?;
        let mut found = false;
        for entry in matches {
            let path = entry.map_err(|e| {
                let path = e.path().to_owned();
                InputError::Io { path, error: e.into() }
            })?;
            found = true;
            visit(&path, &mut out)?;
        }
        if !found {
            return Err(InputError::NotFound { name: name.to_owned() });
        }
    }
    let mut seen = std::collections::HashSet::new();
    out.retain(|input| match input {
        Input::Stdin => seen.insert(PathBuf::from(STDIN)),
        Input::File { path, .. } => seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())),
    });
    Ok(out)
}

fn visit(path: &Path, out: &mut Vec<Input>) -> Result<(), InputError> {
    let metadata = fs::metadata(path).map_err(InputError::io(path))?;
    if !metadata.is_dir() {
        // A pipe says 0 bytes, which is right: nobody knows.
        out.push(Input::File { path: path.to_owned(), bytes: metadata.len() });
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(InputError::io(path))? {
        let entry = entry.map_err(InputError::io(path))?;
        let kind = entry.file_type().map_err(InputError::io(&entry.path()))?;
        // A link to a folder may lead back up, so only links to files are followed.
        let link_to_folder = kind.is_symlink() && entry.path().is_dir();
        // Nor are pipes and devices read that nobody named: they might never end.
        let readable = kind.is_dir() || entry.path().is_file();
        if !entry.file_name().as_encoded_bytes().starts_with(b".") && !link_to_folder && readable {
            entries.push(entry.path());
        }
    }
    entries.sort();
    entries.iter().try_for_each(|entry| visit(entry, out))
}

/// Size of all inputs together, in bytes as they are stored; `None` when standard input is among them.
pub fn total_bytes(inputs: &[Input]) -> Option<u64> {
    inputs
        .iter()
        .map(|input| match input {
            Input::Stdin => None,
            Input::File { bytes, .. } => Some(*bytes),
        })
        .sum()
}

/// How many bytes have been read so far, before decompression; can be asked from another thread.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts what is read through a reader.
    pub fn count<R: Read>(&self, inner: R) -> Counted<R> {
        Counted { inner, progress: self.clone() }
    }
}

/// A reader whose bytes are counted.
#[derive(Debug)]
pub struct Counted<R> {
    inner: R,
    progress: Progress,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.progress.0.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_files_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("b/inner")).unwrap();
        for name in ["b/2.json", "b/1.json", "b/inner/3.json", "b/.hidden", "a.json"] {
            fs::write(root.join(name), name).unwrap();
        }
        let at = |p: &str| root.join(p).display().to_string();
        let found = expand(&[at("b"), at("*.json"), STDIN.to_owned(), at("b/1.json")]).unwrap();
        let names: Vec<String> = found.iter().map(Input::name).collect();
        assert_eq!(names, [at("b/1.json"), at("b/2.json"), at("b/inner/3.json"), at("a.json"), "-".into()]);
        assert_eq!(total_bytes(&found), None);
        assert_eq!(total_bytes(&found[..2]), Some(16));
        let missing = expand(&[at("nothing*")]).unwrap_err().to_string();
        assert_eq!(missing, format!("{}: no such file or folder", at("nothing*")));

        let progress = Progress::default();
        let mut text = String::new();
        found[0].open(&progress).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), progress.bytes()), ("b/1.json", 8));
    }
}
