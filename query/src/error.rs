//! What can go wrong between a statement and its rows.

use std::path::{Path, PathBuf};

use datafusion::error::DataFusionError;

/// A position in SQL text, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: u64,
    /// Column, in characters.
    pub column: u64,
}

/// An error of the query layer.
#[derive(Debug)]
#[non_exhaustive]
pub enum QueryError {
    /// A file could not be opened or read.
    Store {
        /// The file.
        path: PathBuf,
        /// What the store said.
        source: Box<spanfile::Error>,
    },
    /// A file, folder or stream other than a `.spans` file failed.
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A pattern or list of files that names none.
    NoFiles {
        /// The pattern as given.
        pattern: String,
    },
    /// A database name that cannot be used.
    Alias {
        /// The name.
        alias: String,
        /// Why not.
        reason: &'static str,
    },
    /// A statement that would change something, or reach outside the attached files.
    NotAllowed {
        /// The kind of statement, such as `INSERT`.
        what: String,
        /// What is allowed instead.
        hint: &'static str,
    },
    /// The statement is not valid SQL, or names something that does not exist.
    Sql {
        /// What is wrong, in one sentence.
        message: String,
        /// Where, when known.
        position: Option<Position>,
        /// Names that may have been meant, best first.
        suggestions: Vec<String>,
    },
    /// The statement was fine, its execution was not.
    Execution(Box<DataFusionError>),
    /// The query was cancelled.
    Cancelled,
}

/// Result of the query layer.
pub type Result<T> = std::result::Result<T, QueryError>;

impl QueryError {
    pub(crate) fn store(path: &Path, source: spanfile::Error) -> Self {
        QueryError::Store { path: path.to_path_buf(), source: Box::new(source) }
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        QueryError::Io { path: path.to_path_buf(), source }
    }

    pub(crate) fn sql(message: impl Into<String>) -> Self {
        QueryError::Sql { message: message.into(), position: None, suggestions: Vec::new() }
    }

    /// Whether the reader of the output has gone away, which is no reason to complain.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, QueryError::Io { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

impl std::fmt::Display for QueryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            QueryError::Store { path, source } => {
                let text = source.to_string();
                let name = path.display().to_string();
                if text.contains(&name) { write!(f, "{text}") } else { write!(f, "{name}: {text}") }
            }
            QueryError::Io { path, source } => write!(f, "{}: {source}", path.display()),
            QueryError::NoFiles { pattern } => write!(f, "{pattern}: no such file"),
            QueryError::Alias { alias, reason } => write!(f, "cannot attach as {alias:?}: {reason}"),
            QueryError::NotAllowed { what, hint } => write!(f, "{what} is not allowed: {hint}"),
            QueryError::Sql { message, position, suggestions } => {
                if let Some(p) = position {
                    write!(f, "{}:{}: ", p.line, p.column)?;
                }
                f.write_str(message)?;
                if let Some((first, rest)) = suggestions.split_first() {
                    write!(f, "; did you mean {first}")?;
                    for (i, s) in rest.iter().enumerate() {
                        write!(f, "{}{s}", if i + 1 == rest.len() { " or " } else { ", " })?;
                    }
                    f.write_str("?")?;
                }
                Ok(())
            }
            QueryError::Execution(e) => f.write_str(&first_line(e)),
            QueryError::Cancelled => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for QueryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            QueryError::Store { source, .. } => Some(source.as_ref()),
            QueryError::Io { source, .. } => Some(source),
            QueryError::Execution(e) => Some(e.as_ref()),
            _ => None,
        }
    }
}

/// What the store said, where it is behind the error; else DataFusion's message without hints to its developers.
fn first_line(e: &DataFusionError) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(e);
    while let Some(c) = cause {
        if let Some(own) = c.downcast_ref::<spanfile::Error>() {
            return own.to_string();
        }
        cause = c.source();
    }
    e.strip_backtrace()
}
