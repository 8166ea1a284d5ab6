//! Why a span or log record cannot become a row.

use crate::limits::VALUE_DEPTH;
use crate::model::{Attributes, LogRecord, Span, Value};

/// Why a span or log record cannot become a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RejectReason {
    /// The trace id is all zeros.
    #[error("trace id is all zeros")]
    ZeroTraceId,
    /// The span id is all zeros.
    #[error("span id is all zeros")]
    ZeroSpanId,
    /// The span has no start time.
    #[error("no start time")]
    NoStartTime,
    /// A time is later than 64-bit nanoseconds can say (year 2262).
    #[error("{field} {unix_nano} is beyond the year 2262")]
    TimeOutOfRange {
        /// Which time.
        field: &'static str,
        /// Its value, nanoseconds since the epoch.
        unix_nano: u64,
    },
    /// A time lies before 1970.
    #[error("{field} {unix_nano} is before 1970")]
    TimeBeforeEpoch {
        /// Which time.
        field: &'static str,
        /// Its value, nanoseconds since the epoch.
        unix_nano: i64,
    },
    /// An attribute value nests too deep.
    #[error("attribute value nests deeper than {limit}")]
    TooDeep {
        /// How deep values may nest.
        limit: usize,
    },
    /// The row's text is too long for one row.
    #[error("text of one record exceeds {limit_bytes} bytes")]
    TooLarge {
        /// How long it may be.
        limit_bytes: usize,
    },
    /// The batch holds as much text as it can: `finish` it, then push again.
    #[error("batch is full: finish it and push the record again")]
    BatchFull,
}

pub(super) fn time(field: &'static str, unix_nano: u64) -> Result<i64, RejectReason> {
    i64::try_from(unix_nano).map_err(|_| RejectReason::TimeOutOfRange { field, unix_nano })
}

/// A time of which 0 means that it was not recorded.
pub(super) fn optional_time(field: &'static str, unix_nano: u64) -> Result<Option<i64>, RejectReason> {
    Ok(Some(time(field, unix_nano)?).filter(|&t| t != 0))
}

/// Upper bound of the bytes that text of this length takes, as it is and once more escaped.
pub(super) fn text_bound(bytes: usize) -> usize {
    // `\u0000` for one byte is the worst.
    bytes.saturating_mul(7)
}

pub(super) fn span_text_bound(span: &Span<'_>) -> Result<usize, RejectReason> {
    let mut bytes =
        span.name.len() + span.trace_state.len() + span.status_message.len() + attributes(&span.attributes)?;
    for event in &span.events {
        bytes += event.name.len() + attributes(&event.attributes)?;
    }
    for link in &span.links {
        bytes += link.trace_state.len() + attributes(&link.attributes)?;
    }
    Ok(text_bound(bytes))
}

pub(super) fn log_text_bound(log: &LogRecord<'_>) -> Result<usize, RejectReason> {
    let bytes = log.event_name.len() + log.severity_text.len() + value(&log.body, 0)? + attributes(&log.attributes)?;
    Ok(text_bound(bytes))
}

fn attributes(attributes: &Attributes<'_>) -> Result<usize, RejectReason> {
    entries(attributes, 0)
}

fn entries(entries: &Attributes<'_>, depth: usize) -> Result<usize, RejectReason> {
    let mut bytes = 0;
    for (key, v) in entries {
        bytes += key.len() + value(v, depth)? + 4;
    }
    Ok(bytes)
}

fn value(v: &Value<'_>, depth: usize) -> Result<usize, RejectReason> {
    if depth > VALUE_DEPTH {
        return Err(RejectReason::TooDeep { limit: VALUE_DEPTH });
    }
    Ok(match v {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Double(_) => 8,
        Value::Str(s) => s.len(),
        Value::Bytes(b) => b.len() + 8,
        Value::Array(items) => {
            let mut bytes = 2;
            for item in items {
                bytes += value(item, depth + 1)? + 1;
            }
            bytes
        }
        Value::Map(map) => entries(map, depth + 1)? + 4,
    })
}
