//! OTLP protobuf.
//!
//! A `ResourceSpans` (or `ResourceLogs`) of ordinary size is decoded from memory in one piece, see `message`; a longer
//! one, or one that the input ends within, is walked field by field by `stream`.

mod decode;
mod message;
mod signal;
mod stream;
mod wire;

use super::out::{Out, Place};
use super::sniff::Framing;
use super::window::Window;
use super::{Halt, Position};
use crate::limits::DOCUMENT_BYTES;
use stream::{Flow, Header};
use wire::{VARINT_BYTES, Varint, varint};

/// Field number of `ResourceSpans`, `ResourceLogs` and `ResourceMetrics` in their requests.
const RESOURCES: u32 = 1;

pub(super) fn read(window: &mut Window<'_>, framing: Framing, out: &mut Out<'_>) -> Result<(), Halt> {
    loop {
        let length = match framing {
            Framing::Bare => None,
            Framing::BigEndian => match big_endian(window)? {
                Some(n) => Some(n),
                None => return end(window, out),
            },
            Framing::Varint => {
                window.ensure(VARINT_BYTES)?;
                match varint(window.bytes()) {
                    Varint::Value(n, used) => {
                        window.consume(used);
                        Some(n)
                    }
                    Varint::TooLong => return out.reject_rest(window, None, "message length of more than 10 bytes"),
                    Varint::Short => return end(window, out),
                }
            }
        };
        if let Flow::Ended = request(window, length, out)? {
            return Ok(());
        }
        if length.is_none() {
            return end(window, out);
        }
    }
}

fn big_endian(window: &mut Window<'_>) -> Result<Option<u64>, Halt> {
    window.ensure(4)?;
    let length = window.bytes().first_chunk::<4>().map(|b| u64::from(u32::from_be_bytes(*b)));
    if length.is_some() {
        window.consume(4);
    }
    Ok(length)
}

/// The end of the stream where a message length or a field should be; a part of one is cut short.
fn end(window: &mut Window<'_>, out: &mut Out<'_>) -> Result<(), Halt> {
    if window.len() == 0 {
        return out.end_of_stream(window, None);
    }
    let reason = cut_short(window);
    out.reject_rest(window, None, &reason)
}

/// Why the input ends within a message.
fn cut_short(window: &mut Window<'_>) -> String {
    window.take_failure().unwrap_or_else(|| "input ends within a protobuf message".to_owned())
}

/// Reads one request of that length, or to the end of the stream.
fn request(window: &mut Window<'_>, length: Option<u64>, out: &mut Out<'_>) -> Result<Flow, Halt> {
    let mut left = length.unwrap_or(u64::MAX);
    while left > 0 {
        let header = match stream::header(window, left)? {
            Header::End if length.is_none() => return Ok(Flow::Go),
            Header::End => return stream::ended(window, out),
            Header::Broken(reason) => {
                return stream::reject(window, left, out, &reason);
            }
            Header::Field { number: RESOURCES, bytes_field: true, header, body } => (header, body),
            Header::Field { number, header, body, .. } => {
                let whole = header as u64 + body;
                let reason = format!("field {number} is no part of an OTLP request");
                if let Flow::Ended = stream::reject(window, whole, out, &reason)? {
                    return Ok(Flow::Ended);
                }
                left -= whole;
                continue;
            }
        };
        let (header, body) = header;
        left -= header as u64 + body;
        let whole = (body <= DOCUMENT_BYTES as u64).then_some(header + body as usize);
        match whole {
            Some(n) if window.ensure(n)? => {
                let base = window.offset() + header as u64;
                message::resource(&window.bytes()[header..n], base, out)?;
                window.consume(n);
            }
            _ => {
                window.consume(header);
                if let Flow::Ended = stream::resource(window, body, out)? {
                    return Ok(Flow::Ended);
                }
            }
        }
    }
    Ok(Flow::Go)
}

fn place(base: u64, at: usize, bytes: &[u8]) -> Place<'_> {
    Place { position: Position { line: None, byte: base + at as u64 }, bytes }
}
