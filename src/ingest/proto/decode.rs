//! OTLP messages, decoded from their slices without copying text.
//!
//! A field of a known number with another wire type than OTLP gives it is an error; unknown fields are skipped.

use std::borrow::Cow;

use super::wire::{Field, Reader, Result};
use crate::limits::{RECORD_VALUES, VALUE_DEPTH};
use crate::model::{Attributes, Event, Link, LogRecord, Resource, Scope, Span, SpanId, TraceId, Value};

pub(super) fn resource(bytes: &[u8]) -> Result<Resource<'_>> {
    let mut out = Resource::default();
    let budget = &mut { RECORD_VALUES };
    let mut r = Reader::new(bytes);
    while let Some((number, field)) = r.next()? {
        match number {
            1 => out.attributes.push(key_value(&r, field, 0, budget)?),
            2 => out.dropped_attributes_count = r.number32("dropped_attributes_count", field)?,
            _ => {}
        }
    }
    Ok(out)
}

pub(super) fn scope(bytes: &[u8]) -> Result<Scope<'_>> {
    let mut out = Scope::default();
    let budget = &mut { RECORD_VALUES };
    let mut r = Reader::new(bytes);
    while let Some((number, field)) = r.next()? {
        match number {
            1 => out.name = r.text("scope name", field)?,
            2 => out.version = r.text("scope version", field)?,
            3 => out.attributes.push(key_value(&r, field, 0, budget)?),
            4 => out.dropped_attributes_count = r.number32("dropped_attributes_count", field)?,
            _ => {}
        }
    }
    Ok(out)
}

/// Decodes one span. Numbers of enums that OTLP does not know yet are kept as attributes.
pub(super) fn span(bytes: &[u8]) -> Result<Span<'_>> {
    let mut out = Span::default();
    let budget = &mut { RECORD_VALUES };
    let mut kind = 0;
    let mut code = 0;
    let mut r = Reader::new(bytes);
    while let Some((number, field)) = r.next()? {
        match number {
            1 => out.trace_id = TraceId(id(&r, "trace_id", field)?),
            2 => out.span_id = SpanId(id(&r, "span_id", field)?),
            3 => out.trace_state = r.text("trace_state", field)?,
            4 => out.parent_span_id = Some(SpanId(id(&r, "parent_span_id", field)?)).filter(|p| !p.is_zero()),
            5 => out.name = r.text("name", field)?,
            6 => kind = r.number("kind", field)?,
            7 => out.start_unix_nano = r.fixed64("start_time_unix_nano", field)?,
            8 => out.end_unix_nano = r.fixed64("end_time_unix_nano", field)?,
            9 => {
                if out.attributes.capacity() == 0 {
                    // Most spans have a dozen attributes or so.
                    out.attributes.reserve(16);
                }
                out.attributes.push(key_value(&r, field, 0, budget)?);
            }
            10 => out.dropped_attributes_count = r.number32("dropped_attributes_count", field)?,
            11 => out.events.push(event(r.nested(r.bytes_of("event", field)?), budget)?),
            12 => out.dropped_events_count = r.number32("dropped_events_count", field)?,
            13 => out.links.push(link(r.nested(r.bytes_of("link", field)?), budget)?),
            14 => out.dropped_links_count = r.number32("dropped_links_count", field)?,
            15 => {
                let mut status = r.nested(r.bytes_of("status", field)?);
                while let Some((number, field)) = status.next()? {
                    match number {
                        2 => out.status_message = status.text("status message", field)?,
                        3 => code = status.number("status code", field)?,
                        _ => {}
                    }
                }
            }
            16 => out.flags = r.fixed32("flags", field)?,
            _ => {}
        }
    }
    crate::ingest::set_kind(&mut out, kind as i32);
    crate::ingest::set_status(&mut out, code as i32);
    Ok(out)
}

fn event<'a>(mut r: Reader<'a>, budget: &mut usize) -> Result<Event<'a>> {
    spend(&r, budget)?;
    let mut out = Event::default();
    while let Some((number, field)) = r.next()? {
        match number {
            1 => out.time_unix_nano = r.fixed64("event time_unix_nano", field)?,
            2 => out.name = r.text("event name", field)?,
            3 => out.attributes.push(key_value(&r, field, 0, budget)?),
            4 => out.dropped_attributes_count = r.number32("dropped_attributes_count", field)?,
            _ => {}
        }
    }
    Ok(out)
}

fn link<'a>(mut r: Reader<'a>, budget: &mut usize) -> Result<Link<'a>> {
    spend(&r, budget)?;
    let mut out = Link::default();
    while let Some((number, field)) = r.next()? {
        match number {
            1 => out.trace_id = TraceId(id(&r, "link trace_id", field)?),
            2 => out.span_id = SpanId(id(&r, "link span_id", field)?),
            3 => out.trace_state = r.text("link trace_state", field)?,
            4 => out.attributes.push(key_value(&r, field, 0, budget)?),
            5 => out.dropped_attributes_count = r.number32("dropped_attributes_count", field)?,
            6 => out.flags = r.fixed32("link flags", field)?,
            _ => {}
        }
    }
    Ok(out)
}

/// Decodes one log record; its ids are zero when it names no span.
pub(super) fn log(bytes: &[u8]) -> Result<LogRecord<'_>> {
    let budget = &mut { RECORD_VALUES };
    let mut out = LogRecord {
        trace_id: TraceId::default(),
        span_id: SpanId::default(),
        time_unix_nano: 0,
        observed_time_unix_nano: 0,
        severity_number: 0,
        severity_text: Cow::Borrowed(""),
        event_name: Cow::Borrowed(""),
        body: Value::Null,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        flags: 0,
    };
    let mut r = Reader::new(bytes);
    while let Some((number, field)) = r.next()? {
        match number {
            1 => out.time_unix_nano = r.fixed64("time_unix_nano", field)?,
            2 => out.severity_number = r.number("severity_number", field)? as i32,
            3 => out.severity_text = r.text("severity_text", field)?,
            5 => out.body = any_value(r.nested(r.bytes_of("body", field)?), 0, budget)?,
            6 => out.attributes.push(key_value(&r, field, 0, budget)?),
            7 => out.dropped_attributes_count = r.number32("dropped_attributes_count", field)?,
            8 => out.flags = r.fixed32("flags", field)?,
            9 => out.trace_id = TraceId(id(&r, "trace_id", field)?),
            10 => out.span_id = SpanId(id(&r, "span_id", field)?),
            11 => out.observed_time_unix_nano = r.fixed64("observed_time_unix_nano", field)?,
            12 => out.event_name = r.text("event_name", field)?,
            _ => {}
        }
    }
    Ok(out)
}

/// An id of exactly N bytes; an empty one counts as zeros.
fn id<'a, const N: usize>(r: &Reader<'a>, what: &'static str, field: Field<'a>) -> Result<[u8; N]> {
    let bytes = r.bytes_of(what, field)?;
    if bytes.is_empty() {
        return Ok([0; N]);
    }
    match bytes.try_into() {
        Ok(id) => Ok(id),
        Err(_) => r.fail(format!("{what} has {} bytes, not {N}", bytes.len())),
    }
}

/// Takes note of one more value of a record, so that many empty ones cannot fill the memory.
fn spend(r: &Reader<'_>, budget: &mut usize) -> Result<()> {
    match budget.checked_sub(1) {
        Some(left) => {
            *budget = left;
            Ok(())
        }
        None => r.fail(format!("more than {RECORD_VALUES} values in one record")),
    }
}

fn key_value<'a>(
    r: &Reader<'a>,
    field: Field<'a>,
    depth: usize,
    budget: &mut usize,
) -> Result<(Cow<'a, str>, Value<'a>)> {
    spend(r, budget)?;
    let mut r = r.nested(r.bytes_of("attribute", field)?);
    let mut key = Cow::Borrowed("");
    let mut value = Value::Null;
    while let Some((number, field)) = r.next()? {
        match number {
            1 => key = r.text("attribute key", field)?,
            2 => value = any_value(r.nested(r.bytes_of("attribute value", field)?), depth, budget)?,
            _ => {}
        }
    }
    Ok((key, value))
}

fn any_value<'a>(mut r: Reader<'a>, depth: usize, budget: &mut usize) -> Result<Value<'a>> {
    if depth > VALUE_DEPTH {
        return r.fail(format!("attribute value nests deeper than {VALUE_DEPTH}"));
    }
    let mut out = Value::Null;
    while let Some((number, field)) = r.next()? {
        out = match number {
            1 => Value::Str(r.text("string value", field)?),
            2 => Value::Bool(r.number("bool value", field)? != 0),
            3 => Value::Int(r.number("int value", field)? as i64),
            4 => Value::Double(f64::from_bits(r.fixed64("double value", field)?)),
            5 => {
                let mut list = r.nested(r.bytes_of("array value", field)?);
                let mut items = Vec::new();
                while let Some((number, field)) = list.next()? {
                    if number == 1 {
                        spend(&list, budget)?;
                        let item = list.nested(list.bytes_of("array item", field)?);
                        items.push(any_value(item, depth + 1, budget)?);
                    }
                }
                Value::Array(items)
            }
            6 => {
                let mut list = r.nested(r.bytes_of("key-value list", field)?);
                let mut entries: Attributes<'a> = Vec::new();
                while let Some((number, field)) = list.next()? {
                    if number == 1 {
                        entries.push(key_value(&list, field, depth + 1, budget)?);
                    }
                }
                Value::Map(entries)
            }
            7 => Value::Bytes(Cow::Borrowed(r.bytes_of("bytes value", field)?)),
            _ => out,
        };
    }
    Ok(out)
}

/// A span's id, wherever decoding stopped, for the report about it.
pub(super) fn span_id_of(bytes: &[u8], field_number: u32) -> Option<SpanId> {
    let mut r = Reader::new(bytes);
    while let Ok(Some((number, field))) = r.next() {
        if number == field_number
            && let Field::Bytes(b) = field
        {
            return b.try_into().ok().map(SpanId).filter(|id| !id.is_zero());
        }
    }
    None
}
