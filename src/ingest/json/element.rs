//! Resources, scopes and records that are in memory whole, each parsed by itself.

use std::ops::Range;

use serde::Deserialize;

use super::scan::{Broken, elements, members, objects, skip_space, string_end};
use super::typed::{LogJson, ResourceJson, ScopeJson, SpanJson};
use super::value::Text;
use crate::ingest::Halt;
use crate::ingest::out::{Out, Place};
use crate::limits::{DOCUMENT_BYTES, RECORD_VALUES};
use crate::model::SpanId;

/// Where a slice begins in the input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base {
    pub(super) byte: u64,
    pub(super) line: u64,
}

impl Base {
    pub(super) fn place(self, bytes: &[u8], range: Range<usize>) -> Place<'_> {
        Place { position: self.position(bytes, range.start), bytes: &bytes[range] }
    }

    /// The base of a part of the slice that begins here.
    fn within(self, bytes: &[u8], at: usize) -> Base {
        let position = self.position(bytes, at);
        Base { byte: position.byte, line: position.line.unwrap_or(self.line) }
    }
}

/// Traces or logs, which differ in their names only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Logs,
}

impl Signal {
    pub(super) fn resources(self) -> &'static [u8] {
        match self {
            Signal::Traces => b"resourceSpans",
            Signal::Logs => b"resourceLogs",
        }
    }

    pub(super) fn scopes(self) -> &'static [u8] {
        match self {
            Signal::Traces => b"scopeSpans",
            Signal::Logs => b"scopeLogs",
        }
    }

    pub(super) fn records(self) -> &'static [u8] {
        match self {
            Signal::Traces => b"spans",
            Signal::Logs => b"logRecords",
        }
    }
}

/// What scopes were called before 2022. Skipping it like an unknown member would lose spans silently.
pub(super) const LIBRARY_SPANS: &[u8] = b"instrumentationLibrarySpans";
pub(super) const LIBRARY_SPANS_REASON: &str = "instrumentationLibrarySpans is not supported";

/// Parses a value; the error says where in the input it broke.
pub(super) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8], base: u64) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|e| {
        let mut reason = e.to_string();
        if let Some(i) = reason.rfind(" at line ") {
            reason.truncate(i);
        }
        let lines_before = bytes.split_inclusive(|b| *b == b'\n').take(e.line().saturating_sub(1));
        let at = lines_before.map(<[u8]>::len).sum::<usize>() + e.column().saturating_sub(1);
        format!("{reason} (byte {})", base + at.min(bytes.len()) as u64)
    })
}

impl From<Broken> for Halted {
    fn from(b: Broken) -> Self {
        Halted::Broken(b)
    }
}

impl From<Halt> for Halted {
    fn from(h: Halt) -> Self {
        Halted::Halt(h)
    }
}

/// Why walking stopped.
pub(super) enum Halted {
    Halt(Halt),
    Broken(Broken),
}

/// Parts of a resource or scope.
#[derive(Default)]
struct Frame {
    header: Option<Range<usize>>,
    schema_url: Option<Range<usize>>,
    children: Vec<Range<usize>>,
}

impl Frame {
    fn read(bytes: &[u8], header: &[u8], children: &[u8]) -> Result<Self, Broken> {
        let mut frame = Frame::default();
        for (key, range) in members(bytes)? {
            if key == header {
                frame.header = Some(range);
            } else if key == b"schemaUrl" {
                frame.schema_url = Some(range);
            } else if key == children {
                frame.children.push(range);
            } else if key == LIBRARY_SPANS {
                return Err(Broken::new(range.start, LIBRARY_SPANS_REASON));
            }
        }
        Ok(frame)
    }
}

fn parse_at<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    range: Option<Range<usize>>,
    base: Base,
) -> Result<Option<T>, String> {
    match range {
        None => Ok(None),
        Some(r) => parse(&bytes[r.clone()], base.byte + r.start as u64).map(Some),
    }
}

/// Takes one element of `resourceSpans` or `resourceLogs`.
pub(super) fn resource(bytes: &[u8], base: Base, signal: Signal, out: &mut Out<'_>) -> Result<(), Halt> {
    let frame = match Frame::read(bytes, b"resource", signal.scopes()) {
        Ok(frame) => frame,
        Err(b) => return malformed(bytes, base, 0, &b, out),
    };
    let header = parse_at::<Option<ResourceJson<'_>>>(bytes, frame.header, base);
    let url = parse_at::<Text<'_>>(bytes, frame.schema_url, base);
    match (header, url) {
        (Ok(header), Ok(url)) => out.begin_resource(&super::resource(header.flatten(), url.unwrap_or_default().0)),
        (Err(e), _) | (_, Err(e)) => {
            return out.malformed(base.place(bytes, 0..bytes.len()), None, &format!("resource: {e}"));
        }
    }
    for range in frame.children {
        let child = &bytes[range.clone()];
        let child_base = base.within(bytes, range.start);
        list(child, child_base, out, |range, out| {
            scope(&child[range.clone()], child_base.within(child, range.start), signal, out)
        })?;
    }
    Ok(())
}

/// Takes one element of `scopeSpans` or `scopeLogs`.
pub(super) fn scope(bytes: &[u8], base: Base, signal: Signal, out: &mut Out<'_>) -> Result<(), Halt> {
    let frame = match Frame::read(bytes, b"scope", signal.records()) {
        Ok(frame) => frame,
        Err(b) => return malformed(bytes, base, 0, &b, out),
    };
    let header = parse_at::<Option<ScopeJson<'_>>>(bytes, frame.header, base);
    let url = parse_at::<Text<'_>>(bytes, frame.schema_url, base);
    match (header, url) {
        (Ok(header), Ok(url)) => out.begin_scope(&super::scope(header.flatten(), url.unwrap_or_default().0)),
        (Err(e), _) | (_, Err(e)) => {
            return out.malformed(base.place(bytes, 0..bytes.len()), None, &format!("scope: {e}"));
        }
    }
    for range in frame.children {
        let child = &bytes[range.clone()];
        let child_base = base.within(bytes, range.start);
        list(child, child_base, out, |range, out| {
            record(&child[range.clone()], || child_base.within(child, range.start), signal, out)
        })?;
    }
    Ok(())
}

/// Takes the elements of an array; where it breaks, the rest of it is one reject.
fn list(
    bytes: &[u8],
    base: Base,
    out: &mut Out<'_>,
    mut each: impl FnMut(Range<usize>, &mut Out<'_>) -> Result<(), Halt>,
) -> Result<(), Halt> {
    if bytes == b"null" {
        return Ok(());
    }
    let mut done = 0;
    let result = elements::<Halted>(bytes, |range| {
        done = range.end;
        each(range, out).map_err(Halted::Halt)
    });
    match result {
        Ok(()) => Ok(()),
        Err(Halted::Halt(h)) => Err(h),
        Err(Halted::Broken(b)) => malformed(bytes, base, done, &b, out),
    }
}

fn malformed(bytes: &[u8], base: Base, from: usize, b: &Broken, out: &mut Out<'_>) -> Result<(), Halt> {
    let reason = format!("{} (byte {})", b.reason, base.byte + b.at as u64);
    out.malformed(base.place(bytes, from..bytes.len()), None, &reason)
}

/// Takes one span or log record.
pub(super) fn record(bytes: &[u8], base: impl Fn() -> Base, signal: Signal, out: &mut Out<'_>) -> Result<(), Halt> {
    let place = || base().place(bytes, 0..bytes.len());
    if bytes.len() > DOCUMENT_BYTES && objects(bytes) > RECORD_VALUES {
        let reason = format!("more than {RECORD_VALUES} values in one record");
        return out.malformed(place(), span_id_of(bytes), &reason);
    }
    let result = match signal {
        Signal::Traces => match serde_json::from_slice::<SpanJson<'_>>(bytes) {
            Ok(span) => return out.span(&span.into_span(), place),
            Err(_) => parse::<SpanJson<'_>>(bytes, base().byte).err(),
        },
        Signal::Logs => match serde_json::from_slice::<LogJson<'_>>(bytes) {
            Ok(log) => {
                let log = log.into_log();
                if log.trace_id.is_zero() || log.span_id.is_zero() {
                    return out.uncorrelated(place());
                }
                return out.log(&log, place);
            }
            Err(_) => parse::<LogJson<'_>>(bytes, base().byte).err(),
        },
    };
    out.malformed(place(), span_id_of(bytes), &result.unwrap_or_default())
}

/// A record's span id, whatever else is wrong with it, for the report about it.
fn span_id_of(bytes: &[u8]) -> Option<SpanId> {
    let key = memchr::memmem::find(bytes, b"\"spanId\"")? + b"\"spanId\"".len();
    let colon = skip_space(bytes, key);
    let quote = skip_space(bytes, colon + usize::from(bytes.get(colon) == Some(&b':')));
    let end = (bytes.get(quote) == Some(&b'"')).then(|| string_end(bytes, quote))??;
    std::str::from_utf8(&bytes[quote + 1..end - 1]).ok()?.parse().ok().filter(|id: &SpanId| !id.is_zero())
}

/// Where in a sound document the record of these positions is: resource, scope, record.
pub(super) fn locate(bytes: &[u8], base: Base, signal: Signal, path: [usize; 3]) -> Place<'_> {
    let mut range = 0..bytes.len();
    for (key, index) in [signal.resources(), signal.scopes(), signal.records()].into_iter().zip(path) {
        let whole = &bytes[range.clone()];
        let array = members(whole).ok().and_then(|m| m.into_iter().find(|(k, _)| *k == key)).map(|(_, r)| r);
        let Some(array) = array else { break };
        let mut found = None;
        let mut i = 0;
        let _ = elements::<Broken>(&whole[array.clone()], |r| {
            if i == index {
                found = Some(r);
            }
            i += 1;
            Ok(())
        });
        let Some(element) = found else { break };
        let from = range.start + array.start;
        range = from + element.start..from + element.end;
    }
    base.place(bytes, range)
}
