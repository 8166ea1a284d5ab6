//! Messages that are in memory whole.

use std::borrow::Cow;

use super::signal::{self, Signal};
use super::wire::{Field, Reader, WireError};
use super::{decode, place};
use crate::ingest::out::Out;
use crate::ingest::{Halt, RejectClass};
use crate::model::{Resource, Scope};

/// Field numbers that `ResourceSpans` and `ScopeSpans` share with those of logs and metrics.
pub(super) const HEADER: u32 = 1;
pub(super) const CHILDREN: u32 = 2;
pub(super) const SCHEMA_URL: u32 = 3;
/// What `CHILDREN` of a resource was before scopes; nobody has written it since 2022.
pub(super) const LIBRARY_SPANS: u32 = 1000;

const METRICS: &str = "OTLP metrics: only traces and logs are stored";

/// What stands around the children of a message, and where the message breaks, if it does.
struct Frame<'a> {
    header: Option<&'a [u8]>,
    schema_url: Cow<'a, str>,
    children: Vec<(usize, &'a [u8])>,
    broken: Option<(usize, WireError)>,
}

impl<'a> Frame<'a> {
    /// Several headers in one message mean the same as one with all their fields.
    fn read(bytes: &'a [u8], more_headers: &'a mut Vec<u8>) -> Self {
        let mut frame = Frame { header: None, schema_url: Cow::Borrowed(""), children: Vec::new(), broken: None };
        let mut headers = Vec::new();
        let mut r = Reader::new(bytes);
        loop {
            let at = r.position();
            let field = r.next().and_then(|field| match field {
                None => Ok(false),
                Some((HEADER, field)) => r.bytes_of("resource or scope", field).map(|b| headers.push(b)).map(|()| true),
                Some((CHILDREN, field)) => {
                    let child = r.bytes_of("spans or log records", field)?;
                    frame.children.push((r.position() - child.len(), child));
                    Ok(true)
                }
                Some((SCHEMA_URL, field)) => {
                    frame.schema_url = r.text("schema_url", field)?;
                    Ok(true)
                }
                Some((LIBRARY_SPANS, _)) => r.fail("instrumentation library spans are not supported"),
                Some(_) => Ok(true),
            });
            match field {
                Ok(true) => {}
                Ok(false) => break,
                Err(e) => {
                    frame.broken = Some((at, e));
                    break;
                }
            }
        }
        frame.header = match headers.as_slice() {
            [] => None,
            [one] => Some(one),
            several => {
                *more_headers = several.concat();
                Some(more_headers)
            }
        };
        frame
    }

    fn report_break(&self, bytes: &[u8], base: u64, out: &mut Out<'_>) -> Result<(), Halt> {
        match &self.broken {
            None => Ok(()),
            Some((at, e)) => {
                let reason = reason(e, base);
                out.malformed(place(base, *at, &bytes[*at..]), None, &reason)
            }
        }
    }
}

fn reason(e: &WireError, base: u64) -> String {
    format!("{} (byte {})", e.reason, base + e.at as u64)
}

/// Decodes one `ResourceSpans` or `ResourceLogs`. `base` is its offset in the stream.
pub(super) fn resource(bytes: &[u8], base: u64, out: &mut Out<'_>) -> Result<(), Halt> {
    let mut headers = Vec::new();
    let frame = Frame::read(bytes, &mut headers);
    let signal = frame.children.iter().find_map(|(_, scope)| first_record(scope)).map(signal::of_record);
    if signal == Some(Signal::Metrics) {
        return out.reject(place(base, 0, bytes), None, RejectClass::Unsupported, METRICS);
    }
    match frame.header.map_or_else(|| Ok(Resource::default()), decode::resource) {
        Ok(resource) => out.begin_resource(&Resource { schema_url: frame.schema_url.clone(), ..resource }),
        Err(e) => {
            let reason = format!("resource: {}", e.reason);
            return out.malformed(place(base, 0, bytes), None, &reason);
        }
    }
    for &(at, child) in &frame.children {
        scope(child, base + at as u64, signal.unwrap_or(Signal::Traces), out)?;
    }
    frame.report_break(bytes, base, out)
}

/// The first span or log record of a scope.
fn first_record(scope: &[u8]) -> Option<&[u8]> {
    let mut r = Reader::new(scope);
    while let Ok(Some((number, field))) = r.next() {
        if let (CHILDREN, Field::Bytes(b)) = (number, field) {
            return Some(b);
        }
    }
    None
}

/// Decodes one `ScopeSpans` or `ScopeLogs` of a resource that is not in memory whole.
pub(super) fn scope_of_unknown_signal(bytes: &[u8], base: u64, out: &mut Out<'_>) -> Result<(), Halt> {
    let signal = first_record(bytes).map_or(Signal::Traces, signal::of_record);
    scope(bytes, base, signal, out)
}

/// Decodes one `ScopeSpans` or `ScopeLogs`.
fn scope(bytes: &[u8], base: u64, signal: Signal, out: &mut Out<'_>) -> Result<(), Halt> {
    let mut headers = Vec::new();
    let frame = Frame::read(bytes, &mut headers);
    match frame.header.map_or_else(|| Ok(Scope::default()), decode::scope) {
        Ok(scope) => out.begin_scope(&Scope { schema_url: frame.schema_url.clone(), ..scope }),
        Err(e) => {
            let reason = format!("scope: {}", e.reason);
            return out.malformed(place(base, 0, bytes), None, &reason);
        }
    }
    for &(at, child) in &frame.children {
        record(child, base + at as u64, signal, out)?;
    }
    frame.report_break(bytes, base, out)
}

/// Decodes one span or log record.
pub(super) fn record(bytes: &[u8], base: u64, signal: Signal, out: &mut Out<'_>) -> Result<(), Halt> {
    let (result, span_id_field) = match signal {
        Signal::Traces => match decode::span(bytes) {
            Ok(span) => return out.span(&span, || place(base, 0, bytes)),
            Err(e) => (e, 2),
        },
        Signal::Logs => match decode::log(bytes) {
            Ok(log) if log.trace_id.is_zero() || log.span_id.is_zero() => {
                return out.uncorrelated(place(base, 0, bytes));
            }
            Ok(log) => return out.log(&log, || place(base, 0, bytes)),
            Err(e) => (e, 10),
        },
        Signal::Metrics => {
            return out.reject(place(base, 0, bytes), None, RejectClass::Unsupported, METRICS);
        }
    };
    let span_id = decode::span_id_of(bytes, span_id_field);
    out.malformed(place(base, 0, bytes), span_id, &reason(&result, base))
}
