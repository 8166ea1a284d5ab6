//! Tells the format by the first bytes.
//!
//! OTLP messages of every signal begin alike: field 1 (`0a`), a length, then a nested message that begins with field
//! 1 or 2. That is checked two levels deep, so the forms in which messages follow each other can be told apart.

use std::io;

use super::claude_code;
use super::window::Window;

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Nothing but white space.
    Empty,
    /// JSON documents or JSON lines.
    Json,
    /// Lines of a session file of Claude Code.
    ClaudeCode,
    /// Protobuf messages.
    Proto(Framing),
    /// None of these.
    Unknown,
}

/// How protobuf messages follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// One message, or several with nothing between them, which protobuf reads as one.
    Bare,
    /// Each with its length before it, four bytes, big endian: the collector's file exporter.
    BigEndian,
    /// Each with its length before it as varint: protobuf's delimited form.
    Varint,
}

/// How much of the input is looked at.
const HEAD_BYTES: usize = 4096;

/// How much of text: what comes first in a line may be long.
const LINES_BYTES: usize = 64 << 10;

/// Tells the format.
pub(super) fn format(window: &mut Window<'_>) -> io::Result<Format> {
    window.ensure(HEAD_BYTES)?;
    let head = window.bytes();
    let format = of(&head[..head.len().min(HEAD_BYTES)]);
    if format != Format::Json {
        return Ok(format);
    }
    window.ensure(LINES_BYTES)?;
    let head = window.bytes();
    let head = &head[..head.len().min(LINES_BYTES)];
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    Ok(if claude_code::begins(text) { Format::ClaudeCode } else { Format::Json })
}

fn of(head: &[u8]) -> Format {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = text.trim_ascii_start();
    if text.is_empty() {
        return Format::Empty;
    }
    if begins_json_object(text) {
        return Format::Json;
    }
    if begins_message(head, None) {
        return Format::Proto(Framing::Bare);
    }
    if let Some((length, rest)) = head.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        // Zeros alone are what a crashed disk leaves, not empty messages.
        let empty = length == 0 && rest.iter().any(|b| *b != 0);
        if empty || begins_message(rest, Some(length)) {
            return Format::Proto(Framing::BigEndian);
        }
    }
    if let Some((length, rest)) = varint(head)
        && length > 0
        && begins_message(rest, usize::try_from(length).ok())
    {
        return Format::Proto(Framing::Varint);
    }
    // Text that does not look like OTLP, or no longer: read as lines, each of which will say what is wrong with it.
    let control = |b: &&u8| **b < 0x20 && !matches!(**b, b'\n' | b'\r' | b'\t');
    let binary = head.iter().filter(control).count() * CONTROL_RATIO > head.len();
    if text[0] == b'{' || !binary { Format::Json } else { Format::Unknown }
}

/// A damaged text may have a control byte here and there; binary data has one in ten.
const CONTROL_RATIO: usize = 32;

/// An opening brace, then a key or a closing brace. Protobuf cannot look like that: `{` as a length is 123, and a
/// message of that length does not begin with a quote.
fn begins_json_object(text: &[u8]) -> bool {
    match text.strip_prefix(b"{").map(<[u8]>::trim_ascii_start) {
        Some([b'"', rest @ ..]) => rest.first().is_none_or(|b| (0x20..0x7f).contains(b)),
        Some([b'}', ..]) => true,
        _ => false,
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (i, &b) in bytes.iter().take(5).enumerate() {
        value |= u64::from(b & 0x7f) << (7 * i);
        if b < 0x80 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}

/// Whether a message with a first field like that of an export request begins here, within `limit` bytes.
fn begins_message(bytes: &[u8], limit: Option<usize>) -> bool {
    let Some(bytes) = bytes.strip_prefix(b"\x0a") else { return false };
    let Some((length, inner)) = varint(bytes) else { return false };
    let header = 1 + (bytes.len() - inner.len()) as u64;
    if limit.is_some_and(|limit| header + length > limit as u64) {
        return false;
    }
    match inner {
        [] => true,
        _ if length == 0 => matches!(inner[0], 0x0a | 0x12) || limit.is_some(),
        [0x0a | 0x12 | 0x1a, rest @ ..] => {
            // The nested field fits into what holds it.
            varint(rest).is_none_or(|(nested, after)| (rest.len() - after.len()) as u64 + 1 + nested <= length)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_told_by_its_first_bytes() {
        let message = [0x0a, 7, 0x0a, 2, 0x0a, 0, 0x12, 1, 0];
        let delimited = [&[9u8][..], &message].concat();
        let framed = [&[0, 0, 0, 9][..], &message].concat();
        for (bytes, want) in [
            (&b""[..], Format::Empty),
            (b" \n\t", Format::Empty),
            (b"{}", Format::Json),
            (b"\n {\n  \"resourceSpans\": [", Format::Json),
            (b"\xef\xbb\xbf{\"resourceSpans\":[]}", Format::Json),
            (b"hello\n{\"resourceSpans\":[]}", Format::Json),
            (b"\x89PNG\r\n\x1a\n", Format::Unknown),
            (b"\x00\x01\x02", Format::Unknown),
            (b"{\x02resourceSpans\":[]}\n", Format::Json),
            (&message, Format::Proto(Framing::Bare)),
            (b"\x0a\x00", Format::Proto(Framing::Bare)),
            (&framed, Format::Proto(Framing::BigEndian)),
            (&delimited, Format::Proto(Framing::Varint)),
        ] {
            assert_eq!(of(bytes), want, "{bytes:x?}");
        }
        // A delimited message of 10 bytes looks like a bare one, but for what is in it.
        let ten = [10u8, 0x0a, 8, 0x0a, 2, 0x0a, 0, 0x12, 2, 0x0a, 0];
        assert_eq!(of(&ten), Format::Proto(Framing::Varint));
        // A delimited message of 123 bytes begins like pretty JSON.
        let mut looks_pretty = vec![b'{', b'\n', 121, 0x0a, 100];
        looks_pretty.resize(124, 0);
        assert_eq!(of(&looks_pretty), Format::Proto(Framing::Varint));
    }
}
