//! Messages too long to hold, or that the input ends within: walked field by field, one record in memory at a time.

use std::borrow::Cow;

use super::message::{self, CHILDREN, HEADER, SCHEMA_URL};
use super::signal::{self, Signal};
use super::wire::{VARINT_BYTES, Varint, varint};
use super::{cut_short, decode, place};
use crate::ingest::Halt;
use crate::ingest::out::Out;
use crate::ingest::window::Window;
use crate::limits::{DOCUMENT_BYTES, RECORD_BYTES};
use crate::model::{Resource, Scope};

/// Whether the stream goes on.
#[must_use]
pub(super) enum Flow {
    Go,
    /// It has ended within a message, and that was reported.
    Ended,
}

/// The field at the front of the window.
pub(super) enum Header {
    Field {
        number: u32,
        bytes_field: bool,
        /// Bytes before the value.
        header: usize,
        /// Bytes of the value.
        body: u64,
    },
    /// No field: the stream ends here, or within the field's tag and length.
    End,
    Broken(String),
}

/// Looks at the next field of a message that has `left` bytes left; the field lies within them.
pub(super) fn header(window: &mut Window<'_>, left: u64) -> Result<Header, Halt> {
    window.ensure(2 * VARINT_BYTES)?;
    let bytes = window.bytes();
    let bytes = &bytes[..bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
    if bytes.is_empty() {
        return Ok(Header::End);
    }
    let short = || if (bytes.len() as u64) < left { Header::End } else { broken("message ends within a field") };
    let (tag, tag_bytes) = match varint(bytes) {
        Varint::Value(v, n) => (v, n),
        Varint::Short => return Ok(short()),
        Varint::TooLong => return Ok(broken("field tag of more than 10 bytes")),
    };
    let number = match u32::try_from(tag >> 3) {
        Ok(n) if n != 0 && n < 1 << 29 => n,
        _ => return Ok(broken("field number out of range")),
    };
    let (header, body) = match (tag & 7, varint(&bytes[tag_bytes..])) {
        (0, Varint::Value(_, n)) => (tag_bytes, n as u64),
        (1, _) => (tag_bytes, 8),
        (5, _) => (tag_bytes, 4),
        (2, Varint::Value(length, n)) => (tag_bytes + n, length),
        (0 | 2, Varint::Short) => return Ok(short()),
        (0 | 2, Varint::TooLong) => return Ok(broken("number of more than 10 bytes")),
        (wire_type, _) => return Ok(broken(&format!("field {number} has wire type {wire_type}"))),
    };
    if body > left - header as u64 {
        return Ok(broken(&format!("field {number} says {body} bytes, more than its message has")));
    }
    Ok(Header::Field { number, bytes_field: tag & 7 == 2, header, body })
}

fn broken(reason: &str) -> Header {
    Header::Broken(reason.to_owned())
}

/// The stream has ended too early: one reject for what is left of it.
pub(super) fn ended(window: &mut Window<'_>, out: &mut Out<'_>) -> Result<Flow, Halt> {
    let reason = cut_short(window);
    out.reject_rest(window, None, &reason)?;
    Ok(Flow::Ended)
}

/// One reject for the next `n` bytes, however many they are.
pub(super) fn reject(window: &mut Window<'_>, n: u64, out: &mut Out<'_>, reason: &str) -> Result<Flow, Halt> {
    let mut left = n;
    let first = window.len().min(usize::try_from(left).unwrap_or(usize::MAX));
    out.malformed(place(window.offset(), 0, &window.bytes()[..first]), None, reason)?;
    window.consume(first);
    left -= first as u64;
    while left > 0 && window.fill()? {
        let more = window.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        out.reject_more(&window.bytes()[..more])?;
        window.consume(more);
        left -= more as u64;
    }
    Ok(if left == 0 { Flow::Go } else { Flow::Ended })
}

/// Copies the value of a short field and drops the field from the window; `None` when the stream ends within it.
fn short_value(window: &mut Window<'_>, header: usize, body: u64) -> Result<Option<Vec<u8>>, Halt> {
    let whole = header + body as usize;
    if !window.ensure(whole)? {
        return Ok(None);
    }
    let value = window.bytes()[header..whole].to_vec();
    window.consume(whole);
    Ok(Some(value))
}

macro_rules! go {
    ($flow:expr) => {
        if let Flow::Ended = $flow? {
            return Ok(Flow::Ended);
        }
    };
}

/// What stands before the children of a message: a resource or scope, and its schema URL.
#[derive(Default)]
struct Head {
    message: Option<Vec<u8>>,
    schema_url: String,
    /// It was handed over, and children with it.
    done: bool,
}

/// Walks a message of `left` bytes: `begin` hands over its head when the first child comes, `child` takes each child
/// off the window. `what` names the head.
fn walk(
    window: &mut Window<'_>,
    mut left: u64,
    out: &mut Out<'_>,
    what: &str,
    begin: impl Fn(&Head, &mut Out<'_>) -> Result<(), String>,
    mut child: impl FnMut(&mut Window<'_>, usize, u64, &mut Out<'_>) -> Result<Flow, Halt>,
) -> Result<Flow, Halt> {
    let mut head = Head::default();
    while left > 0 {
        let (number, header, body) = match header(window, left)? {
            Header::Field { number, bytes_field, header, body } => {
                if !bytes_field && matches!(number, HEADER | CHILDREN | SCHEMA_URL) {
                    return reject(window, left, out, &format!("field {number} has the wrong wire type"));
                }
                (number, header, body)
            }
            Header::End => return ended(window, out),
            Header::Broken(reason) => return reject(window, left, out, &reason),
        };
        let whole = header as u64 + body;
        match number {
            HEADER | SCHEMA_URL if !head.done => {
                // Several headers in one message mean the same as one with all their fields.
                let held = if number == HEADER { head.message.as_ref().map_or(0, Vec::len) as u64 } else { 0 };
                if held + body > RECORD_BYTES as u64 {
                    let reason = format!("{what} or schema URL of more than {RECORD_BYTES} bytes");
                    return reject(window, left, out, &reason);
                }
                let Some(value) = short_value(window, header, body)? else { return ended(window, out) };
                if number == HEADER {
                    head.message.get_or_insert_default().extend(value);
                } else {
                    head.schema_url = String::from_utf8_lossy(&value).into_owned();
                }
            }
            HEADER | SCHEMA_URL if body > 0 => {
                let reason = format!("{what} or schema URL behind a long list of spans, which were kept without it");
                go!(reject(window, whole, out, &reason));
            }
            CHILDREN => {
                if !head.done {
                    if let Err(reason) = begin(&head, out) {
                        return reject(window, left, out, &reason);
                    }
                    head.done = true;
                }
                go!(child(window, header, body, out));
            }
            message::LIBRARY_SPANS => {
                go!(reject(window, whole, out, "instrumentation library spans are not supported"));
            }
            _ => go!(skip(window, whole, out)),
        }
        left -= whole;
    }
    Ok(Flow::Go)
}

fn skip(window: &mut Window<'_>, mut n: u64, out: &mut Out<'_>) -> Result<Flow, Halt> {
    loop {
        let now = window.len().min(usize::try_from(n).unwrap_or(usize::MAX));
        window.consume(now);
        n -= now as u64;
        if n == 0 {
            return Ok(Flow::Go);
        }
        if !window.fill()? {
            return ended(window, out);
        }
    }
}

/// Walks a `ResourceSpans` or `ResourceLogs` of `left` bytes.
pub(super) fn resource(window: &mut Window<'_>, left: u64, out: &mut Out<'_>) -> Result<Flow, Halt> {
    let begin = |head: &Head, out: &mut Out<'_>| {
        let Some(bytes) = &head.message else {
            return Err(format!("spans before their resource, in more than {DOCUMENT_BYTES} bytes or cut short"));
        };
        let resource = decode::resource(bytes).map_err(|e| format!("resource: {}", e.reason))?;
        out.begin_resource(&Resource { schema_url: Cow::Borrowed(&head.schema_url), ..resource });
        Ok(())
    };
    walk(window, left, out, "resource", begin, child)
}

/// One scope of a walked resource.
fn child(window: &mut Window<'_>, header: usize, body: u64, out: &mut Out<'_>) -> Result<Flow, Halt> {
    let whole = (body <= DOCUMENT_BYTES as u64).then_some(header + body as usize);
    match whole {
        Some(n) if window.ensure(n)? => {
            let base = window.offset() + header as u64;
            message::scope_of_unknown_signal(&window.bytes()[header..n], base, out)?;
            window.consume(n);
            Ok(Flow::Go)
        }
        _ => {
            window.consume(header);
            scope(window, body, out)
        }
    }
}

/// Walks a `ScopeSpans` or `ScopeLogs` of `left` bytes.
fn scope(window: &mut Window<'_>, left: u64, out: &mut Out<'_>) -> Result<Flow, Halt> {
    let begin = |head: &Head, out: &mut Out<'_>| {
        let scope = decode::scope(head.message.as_deref().unwrap_or_default());
        let scope = scope.map_err(|e| format!("scope: {}", e.reason))?;
        out.begin_scope(&Scope { schema_url: Cow::Borrowed(&head.schema_url), ..scope });
        Ok(())
    };
    let mut signal: Option<Signal> = None;
    walk(window, left, out, "scope", begin, |window, header, body, out| {
        if body > RECORD_BYTES as u64 {
            let reason = format!("record of {body} bytes, more than {RECORD_BYTES}");
            return reject(window, header as u64 + body, out, &reason);
        }
        let n = header + body as usize;
        if !window.ensure(n)? {
            return ended(window, out);
        }
        let base = window.offset() + header as u64;
        let record = &window.bytes()[header..n];
        let signal = *signal.get_or_insert_with(|| signal::of_record(record));
        message::record(record, base, signal, out)?;
        window.consume(n);
        Ok(Flow::Go)
    })
}
