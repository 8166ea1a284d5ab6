//! OTLP JSON: documents, or lines of them.
//!
//! A line that is a whole document, as JSON lines are, is parsed in one typed pass. Everything else (documents over
//! several lines or back to back, lines too long, lines in which something is wrong) is walked by `walk`, which finds
//! each span's extent first and parses it by itself, so that what is wrong with one does not touch its neighbours.

mod element;
mod number;
pub(super) mod scan;
mod typed;
mod value;
mod walk;

use memchr::memchr;

use super::out::{Out, Place};
use super::window::Window;
use super::{Halt, Position, RejectClass};
use crate::limits::DOCUMENT_BYTES;
use crate::model::{Resource, Scope};
use element::{Base, Signal};
use typed::{Document, ResourceJson, ScopeJson};

const UNSUPPORTED: &str = "only traces and logs are stored: resourceMetrics or resourceProfiles";
const NO_SIGNAL: &str = "neither resourceSpans nor resourceLogs";

pub(super) fn read(window: &mut Window<'_>, out: &mut Out<'_>) -> Result<(), Halt> {
    if window.bytes().starts_with(b"\xef\xbb\xbf") {
        window.consume(3);
    }
    let mut line = 1;
    // Up to here the line is known to be no document by itself: looking again for each of many documents on one line
    // would take the square of its length.
    let mut no_line_before = 0;
    loop {
        loop {
            let space = scan::skip_space(window.bytes(), 0);
            line += newlines(&window.bytes()[..space]);
            window.consume(space);
            if window.len() > 0 {
                break;
            }
            if !window.fill()? {
                return out.end_of_stream(window, Some(line));
            }
        }
        if window.offset() >= no_line_before {
            let end = line_end(window)?;
            if let Some(end) = end
                && whole_line(&window.bytes()[..end], Base { byte: window.offset(), line }, out)?
            {
                window.consume(end);
                continue;
            }
            no_line_before = window.offset() + end.unwrap_or(window.len()) as u64;
        }
        line = walk::document(window, line, out)?;
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Where the line at the front of the window ends, unless it is longer than a document may be.
fn line_end(window: &mut Window<'_>) -> Result<Option<usize>, Halt> {
    let mut looked_at = 0;
    loop {
        if let Some(i) = memchr(b'\n', &window.bytes()[looked_at..]) {
            return Ok(Some(looked_at + i));
        }
        looked_at = window.len();
        if looked_at > DOCUMENT_BYTES {
            return Ok(None);
        }
        if !window.fill()? {
            return Ok(Some(looked_at));
        }
    }
}

/// Takes a line that is one document without fault; false when it is not, and nothing was taken.
fn whole_line(bytes: &[u8], base: Base, out: &mut Out<'_>) -> Result<bool, Halt> {
    // Checking all text at once is cheaper than string by string.
    let Ok(text) = simdutf8::basic::from_utf8(bytes) else { return Ok(false) };
    let Ok(document) = serde_json::from_str::<Document<'_>>(text) else { return Ok(false) };
    let Document { resource_spans, resource_logs, resource_metrics, resource_profiles } = document;
    let place = || Place { position: base.position(bytes, 0), bytes };
    if resource_metrics.is_some() || resource_profiles.is_some() {
        out.reject(place(), None, RejectClass::Unsupported, UNSUPPORTED)?;
    } else if resource_spans.is_none() && resource_logs.is_none() && is_of_no_signal(bytes) {
        out.malformed(place(), None, NO_SIGNAL)?;
    }
    for (i, r) in resource_spans.into_iter().flat_map(|list| list.0).enumerate() {
        out.begin_resource(&resource(r.resource, r.schema_url.0));
        for (j, s) in r.scope_spans.0.into_iter().enumerate() {
            out.begin_scope(&scope(s.scope, s.schema_url.0));
            for (k, span) in s.spans.0.into_iter().enumerate() {
                out.span(&span.into_span(), || element::locate(bytes, base, Signal::Traces, [i, j, k]))?;
            }
        }
    }
    for (i, r) in resource_logs.into_iter().flat_map(|list| list.0).enumerate() {
        out.begin_resource(&resource(r.resource, r.schema_url.0));
        for (j, s) in r.scope_logs.0.into_iter().enumerate() {
            out.begin_scope(&scope(s.scope, s.schema_url.0));
            for (k, log) in s.log_records.0.into_iter().enumerate() {
                let log = log.into_log();
                let place = || element::locate(bytes, base, Signal::Logs, [i, j, k]);
                if log.trace_id.is_zero() || log.span_id.is_zero() {
                    out.uncorrelated(place())?;
                } else {
                    out.log(&log, place)?;
                }
            }
        }
    }
    Ok(true)
}

fn resource<'a>(json: Option<ResourceJson<'a>>, schema_url: std::borrow::Cow<'a, str>) -> Resource<'a> {
    json.unwrap_or_default().into_resource(schema_url)
}

fn scope<'a>(json: Option<ScopeJson<'a>>, schema_url: std::borrow::Cow<'a, str>) -> Scope<'a> {
    json.unwrap_or_default().into_scope(schema_url)
}

/// Whether an object has members, but none that says what signal it is. `null` is as good as an empty list.
fn is_of_no_signal(bytes: &[u8]) -> bool {
    let known = [Signal::Traces.resources(), Signal::Logs.resources()];
    scan::members(bytes).is_ok_and(|m| !m.is_empty() && !m.iter().any(|(key, _)| known.contains(key)))
}

impl Base {
    /// Position of a byte of the slice that begins here.
    fn position(self, bytes: &[u8], at: usize) -> Position {
        Position { line: Some(self.line + newlines(&bytes[..at])), byte: self.byte + at as u64 }
    }
}
