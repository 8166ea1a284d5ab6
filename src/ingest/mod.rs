//! From bytes to spans: OTLP protobuf, OTLP JSON and JSON lines, session files of Claude Code, each also as gzip or
//! zstd, told apart by content.
//!
//! [`ingest`] reads one input and hands what it decodes to a [`Sink`], in the order of the input, borrowed from its
//! buffer. Memory stays bounded whatever the input's size: a document or `ResourceSpans` of ordinary size is decoded in
//! one piece, a longer one is walked span by span (the bounds are in `limits`). What cannot be decoded is handed over
//! verbatim as a [`Reject`], and decoding goes on behind it.

pub(crate) mod claude_code;
mod compression;
pub mod inputs;
mod json;
mod out;
mod proto;
mod sniff;
mod window;

use std::fmt;
use std::io::{self, Read};

use crate::model::{LogRecord, Resource, Scope, Span, SpanId, SpanKind, StatusCode};
use out::Out;
use sniff::Format;
use window::Window;

/// Receives what an input holds.
pub trait Sink {
    /// The scopes that follow belong to this resource.
    fn begin_resource(&mut self, resource: &Resource<'_>);

    /// The spans and log records that follow belong to this scope of the resource.
    fn begin_scope(&mut self, scope: &Scope<'_>);

    /// Takes one span.
    ///
    /// # Errors
    /// [`Refusal::Record`] makes the span a [`Reject`]; [`Refusal::Stop`] ends the ingest.
    fn span(&mut self, span: &Span<'_>) -> Result<(), Refusal>;

    /// Takes one log record that names its span.
    ///
    /// # Errors
    /// As [`Sink::span`].
    fn log(&mut self, log: &LogRecord<'_>) -> Result<(), Refusal>;

    /// Takes note of a part of the input that was not understood.
    ///
    /// # Errors
    /// An error ends the ingest.
    fn reject(&mut self, reject: &Reject<'_>) -> Result<(), BoxError>;

    /// More bytes of the part that was rejected last, when it does not fit in memory.
    ///
    /// # Errors
    /// An error ends the ingest.
    fn reject_more(&mut self, bytes: &[u8]) -> Result<(), BoxError> {
        let _ = bytes;
        Ok(())
    }
}

/// Any error that a sink may have.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a sink did not take a record.
#[derive(Debug)]
pub enum Refusal {
    /// The record is at fault: count it as rejected, for this reason, and go on.
    Record(String),
    /// The sink cannot go on.
    Stop(BoxError),
}

/// A part of an input that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject<'a> {
    /// Name of the input.
    pub source: &'a str,
    /// Where the part begins.
    pub position: Position,
    /// Span that the part is, when that can be told.
    pub span_id: Option<SpanId>,
    /// What kind of fault it is.
    pub class: RejectClass,
    /// Why it was rejected.
    pub reason: &'a str,
    /// The part, verbatim. When it is longer than memory allows, [`Sink::reject_more`] brings the rest.
    pub bytes: &'a [u8],
}

/// A place in the decompressed input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1; `None` in protobuf.
    pub line: Option<u64>,
    /// Byte offset, from 0.
    pub byte: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}, ")?;
        }
        write!(f, "byte {}", self.byte)
    }
}

/// What kind of fault a reject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectClass {
    /// Not what OTLP allows.
    Malformed,
    /// OTLP, but a signal that is not stored, such as metrics.
    Unsupported,
    /// A log record that names no span, so there is nothing to attach it to.
    Uncorrelated,
}

/// What an input held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Spans that the sink took.
    pub spans: u64,
    /// Log records that the sink took.
    pub logs: u64,
    /// Rejects, other than those that `uncorrelated` counts.
    pub rejected: u64,
    /// Log records that name no span, handed over as rejects of class [`RejectClass::Uncorrelated`].
    pub uncorrelated: u64,
    /// Bytes read, after decompression.
    pub bytes: u64,
}

/// Why an ingest ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The input could not be read.
    #[error("{source_name}: read failed at byte {byte} (decompressed): {error}")]
    Read {
        /// Name of the input.
        source_name: String,
        /// How far it was read, in decompressed bytes.
        byte: u64,
        /// What failed.
        error: io::Error,
    },
    /// The sink stopped it.
    #[error("{0}")]
    Stopped(BoxError),
}

/// Reads one input to its end.
///
/// # Errors
/// When reading fails, or the sink stops. Malformed content is no error: it is rejected and counted.
pub fn ingest(source: &str, reader: impl Read, sink: &mut dyn Sink) -> Result<Summary, IngestError> {
    let read = |byte, error| IngestError::Read { source_name: source.to_owned(), byte, error };
    let decompressed = compression::open(reader).map_err(|e| read(0, e))?;
    let mut window = Window::new(decompressed);
    let mut out = Out::new(source, sink);
    let done = match sniff::format(&mut window) {
        Ok(Format::Empty) => out.empty(&mut window),
        Ok(Format::Json) => json::read(&mut window, &mut out),
        Ok(Format::ClaudeCode) => claude_code::read(&mut window, &mut out),
        Ok(Format::Proto(framing)) => proto::read(&mut window, framing, &mut out),
        Ok(Format::Unknown) => out.reject_rest(
            &mut window,
            None,
            "neither OTLP JSON nor OTLP protobuf nor a session file of Claude Code, nor gzip or zstd of these",
        ),
        Err(e) => Err(e.into()),
    };
    match done {
        Ok(()) => {
            out.summary.bytes = window.offset();
            Ok(out.summary)
        }
        Err(Halt::Read(e)) => Err(read(window.offset(), e)),
        Err(Halt::Stop(e)) => Err(IngestError::Stopped(e)),
    }
}

/// Sets the kind from OTLP's number; a number that OTLP does not have yet is kept as an attribute.
fn set_kind(span: &mut Span<'_>, number: i32) {
    span.kind = match number {
        1 => SpanKind::Internal,
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Unspecified,
    };
    if !(0..=5).contains(&number) {
        span.attributes.push(("otel.kind".into(), i64::from(number).into()));
    }
}

/// Sets the status from OTLP's number; a number that OTLP does not have yet is kept as an attribute.
fn set_status(span: &mut Span<'_>, number: i32) {
    span.status = match number {
        1 => StatusCode::Ok,
        2 => StatusCode::Error,
        _ => StatusCode::Unset,
    };
    if !(0..=2).contains(&number) {
        span.attributes.push(("otel.status_code".into(), i64::from(number).into()));
    }
}

/// Why decoding cannot go on.
enum Halt {
    Read(io::Error),
    Stop(BoxError),
}

impl From<io::Error> for Halt {
    fn from(e: io::Error) -> Self {
        Halt::Read(e)
    }
}
