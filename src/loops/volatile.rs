//! Parts of arguments that differ between equal calls: ids, times, addresses, temporary files.
//!
//! ```
//! use std::collections::BTreeSet;
//! use spanfile::loops::volatile::normalise;
//! let ignored = BTreeSet::from(["request_id".to_string()]);
//! let a = r#"{"at":"2026-01-02T03:04:05Z","q":"rust","request_id":17}"#;
//! assert_eq!(normalise(a, &ignored), r#"{"at":"<time>","q":"rust"}"#);
//! ```

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

/// Replaces the volatile parts of arguments in canonical JSON, and leaves out the keys in `ignored` wherever they are.
/// Text that is no JSON, or nested deeper than the JSON parser allows, is treated as one piece of text. Numbers stay:
/// whether one is a time or a page cannot be told.
pub fn normalise(canonical: &str, ignored: &BTreeSet<String>) -> String {
    match serde_json::from_str::<Value>(canonical) {
        Ok(mut value) => {
            clean(&mut value, ignored);
            value.to_string()
        }
        Err(_) => text(canonical).into_owned(),
    }
}

/// The parser bounds the depth at 128.
fn clean(value: &mut Value, ignored: &BTreeSet<String>) {
    match value {
        Value::String(s) => {
            if let Cow::Owned(cleaned) = text(s) {
                *s = cleaned;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|v| clean(v, ignored)),
        Value::Object(fields) => {
            fields.retain(|k, _| !ignored.contains(k));
            fields.values_mut().for_each(|v| clean(v, ignored));
        }
        _ => {}
    }
}

/// Whether a text has volatile parts: faster than replacing them.
pub fn is_in(input: &str) -> bool {
    may_hold(input.as_bytes()) && next(input.as_bytes(), 0).is_some()
}

/// Replaces the volatile parts of a text.
pub fn text(input: &str) -> Cow<'_, str> {
    let bytes = input.as_bytes();
    let first = if may_hold(bytes) { next(bytes, 0) } else { None };
    let Some(mut found) = first else { return Cow::Borrowed(input) };
    let mut out = String::with_capacity(input.len());
    let mut copied = 0;
    loop {
        out.push_str(&input[copied..found.start]);
        out.push_str(found.name);
        copied = found.end;
        match next(bytes, copied) {
            Some(another) => found = another,
            None => break,
        }
    }
    out.push_str(&input[copied..]);
    Cow::Owned(out)
}

/// A volatile part, in bytes.
struct Part {
    start: usize,
    end: usize,
    name: &'static str,
}

/// All volatile parts hold a digit, but for paths. Whole blocks are looked at in a few instructions.
fn may_hold(text: &[u8]) -> bool {
    let digits = text.chunks(64).any(|block| block.iter().fold(false, |any, b| any | b.is_ascii_digit()));
    digits || memchr::memmem::find(text, b"tmp/").is_some() || memchr::memmem::find(text, b"/var/").is_some()
}

/// The first volatile part from a place on.
fn next(text: &[u8], from: usize) -> Option<Part> {
    // Only where a word begins, so that parts of longer words stay.
    let mut before = from.checked_sub(1).map_or(0, |at| BYTES[usize::from(text[at])]);
    for (start, &b) in text.iter().enumerate().skip(from) {
        let byte = BYTES[usize::from(b)];
        if byte & BEGINS != 0
            && before & WORD == 0
            && let Some((length, name)) = volatile(&text[start..])
        {
            return Some(Part { start, end: start + length, name });
        }
        before = byte;
    }
    None
}

/// Part of a word.
const WORD: u8 = 1;
/// What is volatile begins with a digit, a hex digit or a slash.
const BEGINS: u8 = 2;
/// What each byte is.
static BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut b = 0u8;
    loop {
        let begins = b.is_ascii_hexdigit() || b == b'/';
        bytes[b as usize] = if is_word(b) { WORD } else { 0 } | if begins { BEGINS } else { 0 };
        if b == u8::MAX {
            break bytes;
        }
        b += 1;
    }
};

const fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80
}

/// Length and name of the volatile part that a text begins with. All of them are ASCII.
fn volatile(text: &[u8]) -> Option<(usize, &'static str)> {
    let ends = |length: usize| text.get(length).is_none_or(|&b| !is_word(b));
    let named = |length: Option<usize>, name| length.map(|n| (n, name));
    let found = match text.first()? {
        b'/' => named(temporary(text), "<tmp>"),
        b'0'..=b'9' => named(uuid(text), "<uuid>")
            .or_else(|| named(time(text), "<time>"))
            .or_else(|| named(address(text), "<address>"))
            .or_else(|| named(duration(text), "<duration>")),
        _ => named(uuid(text), "<uuid>"),
    }?;
    ends(found.0).then_some(found)
}

/// `d` stands for a digit, `x` for a hex digit, anything else for itself.
fn shaped(text: &[u8], shape: &str) -> bool {
    text.len() >= shape.len()
        && text.iter().zip(shape.bytes()).all(|(b, s)| match s {
            b'd' => b.is_ascii_digit(),
            b'x' => b.is_ascii_hexdigit(),
            s => *b == s,
        })
}

fn uuid(text: &[u8]) -> Option<usize> {
    shaped(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx").then_some(36)
}

/// A date with a time of day: a date alone is what a question may be about.
fn time(text: &[u8]) -> Option<usize> {
    let date = shaped(text, "dddd-dd-dd") && matches!(text.get(10), Some(b'T' | b't' | b' '));
    if !date || !shaped(&text[11..], "dd:dd") {
        return None;
    }
    let mut at = 16;
    if shaped(&text[at..], ":dd") {
        at += 3;
        if matches!(text.get(at), Some(b'.' | b',')) && text.get(at + 1).is_some_and(u8::is_ascii_digit) {
            at += 1 + digits(&text[at + 1..]);
        }
    }
    if matches!(text.get(at), Some(b'Z' | b'z')) {
        at += 1;
    } else if matches!(text.get(at), Some(b'+' | b'-')) {
        if shaped(&text[at + 1..], "dd:dd") {
            at += 6;
        } else if shaped(&text[at + 1..], "dddd") {
            at += 5;
        }
    }
    Some(at)
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// As in the default representation of objects; shorter ones are colours and constants.
fn address(text: &[u8]) -> Option<usize> {
    let length = text.strip_prefix(b"0x")?.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    (6..=16).contains(&length).then_some(length + 2)
}

fn temporary(text: &[u8]) -> Option<usize> {
    let folders: [&[u8]; 4] = [b"/tmp/", b"/var/tmp/", b"/var/folders/", b"/private/var/folders/"];
    let folder = folders.iter().find(|f| text.starts_with(f))?;
    let in_path = |b: &u8| b.is_ascii_alphanumeric() || b"_-./+~@".contains(b);
    let length = text[folder.len()..].iter().take_while(|b| in_path(b)).count();
    (length > 0).then_some(folder.len() + length)
}

/// A decimal number with a unit of less than a minute, as in measured times: `10s` may be a parameter.
fn duration(text: &[u8]) -> Option<usize> {
    let whole = digits(text);
    if whole == 0 || text.get(whole) != Some(&b'.') {
        return None;
    }
    let fraction = digits(&text[whole + 1..]);
    let number = whole + 1 + fraction;
    let rest = &text[number..];
    let space = usize::from(rest.first() == Some(&b' '));
    let units = ["seconds", "secs", "sec", "ms", "us", "ns", "s"];
    let unit = units.iter().find(|u| rest[space..].starts_with(u.as_bytes()))?;
    (fraction > 0).then_some(number + space + unit.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volatile_parts_are_replaced() {
        for (given, expected) in [
            ("id 123e4567-e89b-12d3-a456-426614174000.", "id <uuid>."),
            ("at 2026-01-02 03:04, 2026-01-02T03:04:05.678+01:00!", "at <time>, <time>!"),
            ("<Foo object at 0x7f3a2b1c>", "<Foo object at <address>>"),
            ("open /tmp/tmpab12/x.py now", "open <tmp> now"),
            ("took 1.25 s, 3.5ms", "took <duration>, <duration>"),
            ("é2026-01-02T03:04", "é2026-01-02T03:04"),
        ] {
            assert_eq!(text(given), expected);
        }
    }

    #[test]
    fn what_a_call_is_about_stays() {
        for given in
            ["2026-01-02", "#0xfff", "page 3", "10s", "/data/tmp/x", "1.5", "v1.2.3", "xx0x1234567", "/tmp/", "٣.٤s"]
        {
            assert_eq!(text(given), given);
        }
    }

    #[test]
    fn ignored_keys_are_left_out_at_any_depth() {
        let ignored = BTreeSet::from(["id".to_string()]);
        assert_eq!(normalise(r#"{"a":[{"id":1,"q":"x"}],"id":2}"#, &ignored), r#"{"a":[{"q":"x"}]}"#);
        let deep = "[".repeat(100_000);
        assert_eq!(normalise(&deep, &ignored), deep);
    }
}
