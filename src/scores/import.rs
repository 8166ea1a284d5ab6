//! Files of scores: CSV with a header, or JSON lines.
//!
//! A score names a trace, or a span by trace and span; then `name`, and at least one of `value`, `label` and
//! `explanation`; `source` and `time` if known. The format is told by the first character: JSON lines begin with `{`.

use std::borrow::Cow;

use crate::instant;
use crate::limits::SCORES_FILE_BYTES;
use crate::model::{SpanId, TraceId};

mod csv_rows;
mod json_lines;

/// A score from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Trace that it is about.
    pub trace_id: TraceId,
    /// Span that it is about; `None` when it is about the whole trace.
    pub span_id: Option<SpanId>,
    /// Criterion or metric.
    pub name: String,
    /// Score, finite.
    pub value: Option<f64>,
    /// Category.
    pub label: Option<String>,
    /// Why.
    pub explanation: Option<String>,
    /// Who judged.
    pub source: Option<String>,
    /// When, in nanoseconds since the epoch.
    pub time_unix_nano: Option<i64>,
}

/// A record that is no score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreReject {
    /// Line that the record begins on, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What a file held.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScoresFile {
    /// Scores, in the order of the file.
    pub scores: Vec<Score>,
    /// Records that are none, in the order of the file.
    pub rejects: Vec<ScoreReject>,
    /// Columns or keys that mean nothing here, each once, in the order in which they came first; at most
    /// [`IGNORED_NAMES`] of them.
    pub ignored: Vec<String>,
}

/// How many names of columns that mean nothing are kept.
pub const IGNORED_NAMES: usize = 64;

impl ScoresFile {
    fn ignore(&mut self, name: &str) {
        if self.ignored.len() < IGNORED_NAMES && !self.ignored.iter().any(|known| known == name) {
            self.ignored.push(shown(name));
        }
    }
}

/// Why a file holds no scores at all.
#[derive(Debug, thiserror::Error)]
pub enum ScoresError {
    /// Longer than `limits::SCORES_FILE_BYTES`.
    #[error("scores file of {found} bytes, more than {}", SCORES_FILE_BYTES)]
    TooLong {
        /// Bytes in the file.
        found: usize,
    },
    /// The header of a CSV file is not text.
    #[error("the header, line {line}, is not UTF-8")]
    Header {
        /// Line of the header.
        line: u64,
    },
    /// A column that no score can be without is missing.
    #[error("no column {column}; the header, line {line}, has {found}")]
    MissingColumn {
        /// Name of the column.
        column: &'static str,
        /// Line of the header.
        line: u64,
        /// What the header has.
        found: String,
    },
    /// A column is there twice.
    #[error("column {column} is in the header, line {line}, twice")]
    DuplicateColumn {
        /// Name of the column.
        column: &'static str,
        /// Line of the header.
        line: u64,
    },
}

/// How much of a malformed value a reason shows.
const MALFORMED_SHOWN_CHARS: usize = 40;

/// Reads a file of scores. A record that is no score does not stop the rest.
///
/// ```
/// let file = b"trace_id,name,value\n0af7651916cd43dd8448eb211c80319c,helpful,0.5\n,helpful,1\n";
/// let read = spanfile::scores::read_scores(file)?;
/// assert_eq!(read.scores[0].value, Some(0.5));
/// assert_eq!((read.rejects[0].line, read.rejects[0].reason.as_str()), (3, "no trace_id"));
/// # Ok::<(), spanfile::scores::ScoresError>(())
/// ```
///
/// # Errors
/// When the file is too long, or the header of a CSV file is of no use.
pub fn read_scores(bytes: &[u8]) -> Result<ScoresFile, ScoresError> {
    if bytes.len() > SCORES_FILE_BYTES {
        return Err(ScoresError::TooLong { found: bytes.len() });
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut out = ScoresFile::default();
    match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
        None => {}
        Some(b'{') => json_lines::read(bytes, &mut out),
        Some(_) => csv_rows::read(bytes, &mut out)?,
    }
    Ok(out)
}

/// What a score consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    TraceId,
    SpanId,
    Name,
    Value,
    Label,
    Explanation,
    Source,
    Time,
}

const FIELDS: [(&str, Field); 8] = [
    ("trace_id", Field::TraceId),
    ("span_id", Field::SpanId),
    ("name", Field::Name),
    ("value", Field::Value),
    ("label", Field::Label),
    ("explanation", Field::Explanation),
    ("source", Field::Source),
    ("time", Field::Time),
];

fn field(name: &str) -> Option<Field> {
    FIELDS.iter().find(|(n, _)| *n == name).map(|&(_, f)| f)
}

/// A field's value as the file has it. An empty text is the same as none.
#[derive(Debug, Clone)]
enum Given<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    Float(f64),
}

/// One record's fields, each at most once.
#[derive(Debug, Default)]
struct Record<'a>([Option<Given<'a>>; FIELDS.len()]);

impl<'a> Record<'a> {
    /// Whether the field was still free.
    fn set(&mut self, field: Field, value: Given<'a>) -> bool {
        let slot = &mut self.0[field as usize];
        let free = slot.is_none();
        *slot = Some(value);
        free
    }

    fn take(&mut self, field: Field) -> Option<Given<'a>> {
        self.0[field as usize].take().filter(|given| !matches!(given, Given::Text(s) if s.is_empty()))
    }

    fn text(&mut self, field: Field) -> Option<String> {
        self.take(field).map(|given| match given {
            Given::Text(s) => s.into_owned(),
            Given::Int(v) => v.to_string(),
            Given::Float(v) => v.to_string(),
        })
    }

    /// The score, or why it is none.
    fn score(mut self) -> Result<Score, String> {
        let trace_id = self.text(Field::TraceId);
        let span_id = self.text(Field::SpanId);
        let trace_id: TraceId = match (&trace_id, &span_id) {
            (Some(text), _) => text.trim().parse().map_err(|e| format!("trace_id: {e}"))?,
            (None, Some(_)) => return Err("span_id without trace_id; a span is named by both".to_owned()),
            (None, None) => return Err("no trace_id".to_owned()),
        };
        let span_id: Option<SpanId> =
            span_id.map(|text| text.trim().parse().map_err(|e| format!("span_id: {e}"))).transpose()?;
        if trace_id.is_zero() || span_id.is_some_and(|id| id.is_zero()) {
            return Err("an id of zeros names nothing".to_owned());
        }
        let name = self.text(Field::Name).ok_or("no name")?;
        let value = self.take(Field::Value).map(number).transpose()?;
        let (label, explanation) = (self.text(Field::Label), self.text(Field::Explanation));
        if value.is_none() && label.is_none() && explanation.is_none() {
            return Err("neither value nor label nor explanation".to_owned());
        }
        let time_unix_nano = self.take(Field::Time).map(time).transpose()?;
        Ok(Score {
            trace_id,
            span_id,
            name,
            value,
            label,
            explanation,
            source: self.text(Field::Source),
            time_unix_nano,
        })
    }
}

fn number(given: Given<'_>) -> Result<f64, String> {
    let (v, shown) = match given {
        Given::Int(v) => (Some(v as f64), String::new()),
        Given::Float(v) => (Some(v), v.to_string()),
        Given::Text(s) => (s.trim().parse().ok(), shown(&s)),
    };
    v.filter(|v: &f64| v.is_finite()).ok_or_else(|| format!("value is no finite number: {shown}"))
}

fn time(given: Given<'_>) -> Result<i64, String> {
    let text = match given {
        Given::Int(v) => return nanoseconds(v),
        Given::Float(v) => return Err(format!("time is neither RFC 3339 nor whole nanoseconds: {v}")),
        Given::Text(s) => s,
    };
    let trimmed = text.trim();
    if trimmed.bytes().all(|b| b.is_ascii_digit())
        && let Ok(v) = trimmed.parse()
    {
        return nanoseconds(v);
    }
    instant::parse(trimmed)
        .ok_or_else(|| format!("time is neither RFC 3339 with an offset nor nanoseconds: {}", shown(&text)))
}

/// Nanoseconds since the epoch of any year that matters have 16 digits and more; seconds and milliseconds have fewer.
const FEWEST_NANOSECONDS: i64 = 1_000_000_000_000_000;

fn nanoseconds(v: i64) -> Result<i64, String> {
    if v >= FEWEST_NANOSECONDS {
        return Ok(v);
    }
    Err(format!("time {v} is too small for nanoseconds since 1970: seconds or milliseconds? RFC 3339 is safest"))
}

/// The beginning of a malformed text.
fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(MALFORMED_SHOWN_CHARS).collect();
    if out.len() < text.len() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests;
