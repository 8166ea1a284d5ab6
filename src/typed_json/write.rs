//! Writes values as typed JSON.

use std::borrow::Cow;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{BYTES, DOUBLE, MAP};
use crate::model::Value;

/// Appends a JSON object with the attributes.
pub fn write_attributes(out: &mut String, attributes: &[(Cow<'_, str>, Value<'_>)]) {
    out.push('{');
    for (i, (key, value)) in attributes.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_entry(out, key, value);
    }
    out.push('}');
}

/// Appends `"key":value`.
pub fn write_entry(out: &mut String, key: &str, value: &Value<'_>) {
    write_string(out, key);
    out.push(':');
    write_value(out, value);
}

/// Appends one value.
pub fn write_value(out: &mut String, value: &Value<'_>) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Int(v) => write_display(out, format_args!("{v}")),
        Value::Double(v) => write_double(out, *v),
        Value::Str(s) => write_string(out, s),
        Value::Bytes(b) => {
            out.push_str("{\"");
            out.push_str(BYTES);
            out.push_str("\":\"");
            STANDARD.encode_string(b, out);
            out.push_str("\"}");
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            if let [(key, _)] = entries.as_slice()
                && key.starts_with('$')
            {
                out.push_str("{\"");
                out.push_str(MAP);
                out.push_str("\":");
                write_attributes(out, entries);
                out.push('}');
            } else {
                write_attributes(out, entries);
            }
        }
    }
}

fn write_double(out: &mut String, v: f64) {
    if v.is_finite() {
        // Debug formatting is the shortest text that reads back to the same double, and always has `.` or `e`.
        write_display(out, format_args!("{v:?}"));
    } else {
        let word = if v.is_nan() {
            "NaN"
        } else if v > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        write_display(out, format_args!("{{\"{DOUBLE}\":\"{word}\"}}"));
    }
}

fn write_display(out: &mut String, args: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(args);
}

const fn escapes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 0x20 {
        table[i] = b'u';
        i += 1;
    }
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table[8] = b'b';
    table[12] = b'f';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
}

static ESCAPES: [u8; 256] = escapes();

/// Appends a JSON string, escaping only what JSON asks for.
pub fn write_string(out: &mut String, s: &str) {
    out.push('"');
    let bytes = s.as_bytes();
    let mut from = 0;
    for (i, &b) in bytes.iter().enumerate() {
        let escape = ESCAPES[b as usize];
        if escape == 0 {
            continue;
        }
        // Escaped bytes are ASCII, so both ends are character boundaries.
        out.push_str(&s[from..i]);
        out.push('\\');
        if escape == b'u' {
            write_display(out, format_args!("u{b:04x}"));
        } else {
            out.push(char::from(escape));
        }
        from = i + 1;
    }
    out.push_str(&s[from..]);
    out.push('"');
}
