//! Spans as they come from OTLP, before normalisation. Strings borrow from the input where they can.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::schema::{SPAN_ID_BYTES, TRACE_ID_BYTES};

/// 16-byte trace id; its text form is 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TraceId(pub [u8; TRACE_ID_BYTES]);

/// 8-byte span id; its text form is 16 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SpanId(pub [u8; SPAN_ID_BYTES]);

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} hex digits, found {found:?}")]
pub struct ParseIdError {
    /// How many hex digits an id of this kind has.
    pub expected: usize,
    /// The text that was given.
    pub found: String,
}

fn hex_digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        b'A'..=b'F' => Some(c - b'A' + 10),
        _ => None,
    }
}

pub(crate) fn parse_hex<const N: usize>(s: &str) -> Option<[u8; N]> {
    let b = s.as_bytes();
    if b.len() != N * 2 {
        return None;
    }
    let mut out = [0; N];
    for (o, pair) in out.iter_mut().zip(b.chunks_exact(2)) {
        *o = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(out)
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))
}

macro_rules! id_type {
    ($t:ident, $n:expr) => {
        impl FromStr for $t {
            type Err = ParseIdError;

            fn from_str(s: &str) -> Result<Self, ParseIdError> {
                parse_hex(s)
                    .map($t)
                    .ok_or_else(|| ParseIdError { expected: $n * 2, found: s.chars().take(80).collect() })
            }
        }

        impl fmt::Display for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl $t {
            /// Whether every byte is zero, which OTLP calls invalid.
            pub fn is_zero(&self) -> bool {
                self.0 == [0; $n]
            }
        }
    };
}

id_type!(TraceId, TRACE_ID_BYTES);
id_type!(SpanId, SPAN_ID_BYTES);

/// An attribute value, as OTLP's `AnyValue`.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'a> {
    /// `AnyValue` with nothing set.
    #[default]
    Null,
    /// Boolean.
    Bool(bool),
    /// 64-bit integer.
    Int(i64),
    /// 64-bit float.
    Double(f64),
    /// Text.
    Str(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// Array, mixed types allowed.
    Array(Vec<Value<'a>>),
    /// Key-value list, in order.
    Map(Attributes<'a>),
}

impl<'a> Value<'a> {
    /// The text, when the value is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(s: &'a str) -> Self {
        Value::Str(Cow::Borrowed(s))
    }
}

impl From<String> for Value<'_> {
    fn from(s: String) -> Self {
        Value::Str(Cow::Owned(s))
    }
}

impl From<i64> for Value<'_> {
    fn from(v: i64) -> Self {
        Value::Int(v)
    }
}

impl From<f64> for Value<'_> {
    fn from(v: f64) -> Self {
        Value::Double(v)
    }
}

impl From<bool> for Value<'_> {
    fn from(v: bool) -> Self {
        Value::Bool(v)
    }
}

/// Attributes in the order they came.
pub type Attributes<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// Who sent the spans.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resource<'a> {
    /// Resource attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// Schema URL of the resource, empty when none.
    pub schema_url: Cow<'a, str>,
}

/// The instrumentation that made the spans.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scope<'a> {
    /// Name, empty when none.
    pub name: Cow<'a, str>,
    /// Version, empty when none.
    pub version: Cow<'a, str>,
    /// Scope attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// Schema URL of the scope, empty when none.
    pub schema_url: Cow<'a, str>,
}

/// OTLP span kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpanKind {
    /// Not said.
    #[default]
    Unspecified,
    /// Within a process.
    Internal,
    /// Handles a request.
    Server,
    /// Makes a request.
    Client,
    /// Sends a message.
    Producer,
    /// Receives a message.
    Consumer,
}

/// OTLP status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatusCode {
    /// Not said; treated as success.
    #[default]
    Unset,
    /// Success.
    Ok,
    /// Failure.
    Error,
}

/// One span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Span<'a> {
    /// Trace the span belongs to.
    pub trace_id: TraceId,
    /// Id of the span.
    pub span_id: SpanId,
    /// Parent, `None` at a root.
    pub parent_span_id: Option<SpanId>,
    /// W3C trace state, empty when none.
    pub trace_state: Cow<'a, str>,
    /// W3C trace flags and OTLP's own bits.
    pub flags: u32,
    /// Name.
    pub name: Cow<'a, str>,
    /// OTLP kind.
    pub kind: SpanKind,
    /// Start, nanoseconds since the epoch.
    pub start_unix_nano: u64,
    /// End, nanoseconds since the epoch; 0 when not recorded.
    pub end_unix_nano: u64,
    /// Attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// Events, in order.
    pub events: Vec<Event<'a>>,
    /// How many events the sender dropped.
    pub dropped_events_count: u32,
    /// Links, in order.
    pub links: Vec<Link<'a>>,
    /// How many links the sender dropped.
    pub dropped_links_count: u32,
    /// Status.
    pub status: StatusCode,
    /// Status message, empty when none.
    pub status_message: Cow<'a, str>,
}

/// A span event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Event<'a> {
    /// Time, nanoseconds since the epoch; 0 when not recorded.
    pub time_unix_nano: u64,
    /// Name.
    pub name: Cow<'a, str>,
    /// Attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
}

/// A link to another span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Link<'a> {
    /// Trace that is linked to.
    pub trace_id: TraceId,
    /// Span that is linked to.
    pub span_id: SpanId,
    /// W3C trace state, empty when none.
    pub trace_state: Cow<'a, str>,
    /// W3C trace flags and OTLP's own bits.
    pub flags: u32,
    /// Attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
}

/// A log record that carries the ids of a span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogRecord<'a> {
    /// Trace of the span.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// Time, nanoseconds since the epoch; 0 when not recorded.
    pub time_unix_nano: u64,
    /// When it was observed; 0 when not recorded.
    pub observed_time_unix_nano: u64,
    /// OTLP severity number, 0 when not said.
    pub severity_number: i32,
    /// Severity text, empty when none.
    pub severity_text: Cow<'a, str>,
    /// Event name, empty when none.
    pub event_name: Cow<'a, str>,
    /// Body.
    pub body: Value<'a>,
    /// Attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// W3C trace flags.
    pub flags: u32,
}
