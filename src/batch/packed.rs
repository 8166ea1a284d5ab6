//! A span's events and links in one binary value, while the span is on its way.
//!
//! Layout, version 1: one byte `1`, then entries to the end. An entry begins with a byte of flags that say which of
//! its optional fields follow. Lengths are LEB128, times 8 bytes little endian.
//!
//! * event: flags (1 time, 2 name, 4 attributes), time, name, attributes
//! * link: flags (1 trace state, 2 attributes), trace id (16), span id (8), trace state, attributes

use crate::model::{Event, Link, SpanId, TraceId, Value};
use crate::typed_json::write_entry;

const VERSION: u8 = 1;

const EVENT_TIME: u8 = 1;
const EVENT_NAME: u8 = 2;
const EVENT_ATTRIBUTES: u8 = 4;
const LINK_TRACE_STATE: u8 = 1;
const LINK_ATTRIBUTES: u8 = 2;

/// One event of a span.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackedEvent {
    /// Nanoseconds since the epoch; `None` when not recorded.
    pub time: Option<i64>,
    /// Name; `None` when empty.
    pub name: Option<String>,
    /// Attributes as typed JSON, the count of dropped ones under `otel.dropped_attributes_count`; `None` when there
    /// are none.
    pub attributes: Option<String>,
}

/// One link of a span.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackedLink {
    /// Trace that is linked to.
    pub linked_trace_id: TraceId,
    /// Span that is linked to.
    pub linked_span_id: SpanId,
    /// W3C trace state; `None` when empty.
    pub trace_state: Option<String>,
    /// Attributes as typed JSON, with `otel.dropped_attributes_count` and `otel.flags`; `None` when there are none.
    pub attributes: Option<String>,
}

/// Why bytes are not packed events or links.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("packed {what} damaged at byte {offset}: {reason}")]
pub struct PackError {
    /// `events` or `links`.
    pub what: &'static str,
    /// Where in the value.
    pub offset: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

/// Packs events.
pub fn pack_events(events: &[PackedEvent]) -> Vec<u8> {
    let mut out = vec![VERSION];
    for e in events {
        let attributes = e.attributes.as_deref().unwrap_or_default();
        put_event(&mut out, e.time, e.name.as_deref().unwrap_or_default(), attributes);
    }
    out
}

/// Packs links.
pub fn pack_links(links: &[PackedLink]) -> Vec<u8> {
    let mut out = vec![VERSION];
    for l in links {
        let state = l.trace_state.as_deref().unwrap_or_default();
        let attributes = l.attributes.as_deref().unwrap_or_default();
        put_link(&mut out, l.linked_trace_id, l.linked_span_id, state, attributes);
    }
    out
}

/// Reads back what [`pack_events`] wrote. Texts that were empty come back as `None`.
///
/// # Errors
/// When the bytes are damaged or of another version. Never allocates more than the bytes account for.
pub fn unpack_events(bytes: &[u8]) -> Result<Vec<PackedEvent>, PackError> {
    let mut r = Reader::new("events", bytes)?;
    let mut out = Vec::new();
    while !r.at_end() {
        let flags = r.flags(EVENT_TIME | EVENT_NAME | EVENT_ATTRIBUTES)?;
        out.push(PackedEvent {
            time: if flags & EVENT_TIME != 0 { Some(i64::from_le_bytes(r.array()?)) } else { None },
            name: r.optional_text(flags & EVENT_NAME)?,
            attributes: r.optional_text(flags & EVENT_ATTRIBUTES)?,
        });
    }
    Ok(out)
}

/// Reads back what [`pack_links`] wrote. Texts that were empty come back as `None`.
///
/// # Errors
/// When the bytes are damaged or of another version. Never allocates more than the bytes account for.
pub fn unpack_links(bytes: &[u8]) -> Result<Vec<PackedLink>, PackError> {
    let mut r = Reader::new("links", bytes)?;
    let mut out = Vec::new();
    while !r.at_end() {
        let flags = r.flags(LINK_TRACE_STATE | LINK_ATTRIBUTES)?;
        out.push(PackedLink {
            linked_trace_id: TraceId(r.array()?),
            linked_span_id: SpanId(r.array()?),
            trace_state: r.optional_text(flags & LINK_TRACE_STATE)?,
            attributes: r.optional_text(flags & LINK_ATTRIBUTES)?,
        });
    }
    Ok(out)
}

/// Packs a decoded span's events and links, reusing its memory.
#[derive(Default)]
pub(super) struct Packer {
    out: Vec<u8>,
    json: String,
}

impl Packer {
    pub(super) fn events(&mut self, events: &[Event<'_>]) -> &[u8] {
        self.out.clear();
        self.out.push(VERSION);
        for e in events {
            let extra = [("otel.dropped_attributes_count", e.dropped_attributes_count)];
            attributes(&mut self.json, &e.attributes, &extra);
            // Times were checked before any row is written.
            let time = i64::try_from(e.time_unix_nano).ok().filter(|&t| t != 0);
            put_event(&mut self.out, time, &e.name, &self.json);
        }
        &self.out
    }

    pub(super) fn links(&mut self, links: &[Link<'_>]) -> &[u8] {
        self.out.clear();
        self.out.push(VERSION);
        for l in links {
            let extra = [("otel.dropped_attributes_count", l.dropped_attributes_count), ("otel.flags", l.flags)];
            attributes(&mut self.json, &l.attributes, &extra);
            put_link(&mut self.out, l.trace_id, l.span_id, &l.trace_state, &self.json);
        }
        &self.out
    }
}

fn attributes(out: &mut String, attributes: &[(std::borrow::Cow<'_, str>, Value<'_>)], extra: &[(&str, u32)]) {
    out.clear();
    for (key, value) in attributes {
        out.push(if out.is_empty() { '{' } else { ',' });
        write_entry(out, key, value);
    }
    for &(key, v) in extra.iter().filter(|(_, v)| *v != 0) {
        out.push(if out.is_empty() { '{' } else { ',' });
        write_entry(out, key, &Value::Int(i64::from(v)));
    }
    if !out.is_empty() {
        out.push('}');
    }
}

fn put_event(out: &mut Vec<u8>, time: Option<i64>, name: &str, attributes: &str) {
    out.push(
        flag(time.is_some(), EVENT_TIME)
            | flag(!name.is_empty(), EVENT_NAME)
            | flag(!attributes.is_empty(), EVENT_ATTRIBUTES),
    );
    if let Some(t) = time {
        out.extend_from_slice(&t.to_le_bytes());
    }
    put_text(out, name);
    put_text(out, attributes);
}

fn put_link(out: &mut Vec<u8>, trace_id: TraceId, span_id: SpanId, trace_state: &str, attributes: &str) {
    out.push(flag(!trace_state.is_empty(), LINK_TRACE_STATE) | flag(!attributes.is_empty(), LINK_ATTRIBUTES));
    out.extend_from_slice(&trace_id.0);
    out.extend_from_slice(&span_id.0);
    put_text(out, trace_state);
    put_text(out, attributes);
}

fn flag(on: bool, flag: u8) -> u8 {
    if on { flag } else { 0 }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    if text.is_empty() {
        return;
    }
    let mut n = text.len();
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out.extend_from_slice(text.as_bytes());
}

struct Reader<'b> {
    what: &'static str,
    bytes: &'b [u8],
    offset: usize,
}

impl<'b> Reader<'b> {
    fn new(what: &'static str, bytes: &'b [u8]) -> Result<Self, PackError> {
        let mut r = Reader { what, bytes, offset: 0 };
        if r.take(1)? != [VERSION] {
            return Err(PackError { what, offset: 0, reason: "unknown version" });
        }
        Ok(r)
    }

    fn fail<T>(&self, reason: &'static str) -> Result<T, PackError> {
        Err(PackError { what: self.what, offset: self.offset, reason })
    }

    fn at_end(&self) -> bool {
        self.offset == self.bytes.len()
    }

    fn take(&mut self, n: usize) -> Result<&'b [u8], PackError> {
        match self.bytes[self.offset..].split_at_checked(n) {
            Some((taken, _)) => {
                self.offset += n;
                Ok(taken)
            }
            None => self.fail("ends too early"),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PackError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    fn flags(&mut self, known: u8) -> Result<u8, PackError> {
        match self.array()? {
            [flags] if flags & !known == 0 => Ok(flags),
            _ => self.fail("unknown flags"),
        }
    }

    fn optional_text(&mut self, present: u8) -> Result<Option<String>, PackError> {
        if present == 0 {
            return Ok(None);
        }
        let mut n = 0usize;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            n |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let text = self.take(n)?;
                return match std::str::from_utf8(text) {
                    Ok(s) => Ok(Some(s.to_owned())),
                    Err(_) => self.fail("text is not UTF-8"),
                };
            }
        }
        self.fail("length too long")
    }
}
