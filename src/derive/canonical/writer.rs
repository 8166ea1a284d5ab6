//! Writes canonical text in one pass, without a tree: a value is written where it is met, and an object whose keys
//! turn out unsorted is put in order afterwards.

use std::fmt::Write;

use crate::typed_json::write_string;

/// Deepest nesting that is read as a document; deeper text counts as plain text.
pub(super) const DEPTH: usize = 64;

/// Keys without which there is no wrapping.
const MARKS: [&str; 6] = ["\"content\"", "\"data\"", "\"input_str\"", "\"inputs\"", "\"kwargs\"", "\"output\""];

/// Canonical text under way.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) out: String,
    /// Whether the outermost object has a key that a wrapping may be recognised by.
    pub(super) has_mark: bool,
    entries: Vec<Entry>,
    sorted: String,
}

/// An entry of an object, or an item of a set, within `out`.
#[derive(Debug, Clone, Copy)]
struct Entry {
    from: usize,
    key_to: usize,
    to: usize,
}

/// An object under way.
#[derive(Debug)]
pub(super) struct Object {
    /// Where it begins in `out`, and which entries are its own.
    from: usize,
    first: usize,
    in_order: bool,
}

impl Writer {
    pub(super) fn clear(&mut self) {
        self.out.clear();
        self.entries.clear();
        self.has_mark = false;
    }

    pub(super) fn begin_object(&mut self) -> Object {
        let from = self.out.len();
        self.out.push('{');
        Object { from, first: self.entries.len(), in_order: true }
    }

    /// Where the next key is to be written.
    pub(super) fn begin_key(&mut self, object: &Object) -> usize {
        if self.entries.len() > object.first {
            self.out.push(',');
        }
        self.out.len()
    }

    /// The key is written, its value comes next.
    pub(super) fn begin_value(&mut self) -> usize {
        let key_to = self.out.len();
        self.out.push(':');
        key_to
    }

    pub(super) fn end_entry(&mut self, object: &mut Object, from: usize, key_to: usize) {
        if self.entries.len() > object.first
            && let Some(last) = self.entries.last()
        {
            object.in_order &= self.out.as_bytes()[last.from..last.key_to] < self.out.as_bytes()[from..key_to];
        }
        if object.from == 0 {
            self.has_mark |= MARKS.contains(&&self.out[from..key_to]);
        }
        self.entries.push(Entry { from, key_to, to: self.out.len() });
    }

    /// Ends the object: keys sorted, of equal keys the last one kept.
    pub(super) fn end_object(&mut self, object: &Object) {
        if !object.in_order {
            self.sort(object, true);
        }
        self.entries.truncate(object.first);
        self.out.push('}');
    }

    /// Ends what began as an object and has turned out to be a set: its items sorted, each once.
    pub(super) fn end_set(&mut self, object: &Object) {
        self.sort(object, false);
        self.entries.truncate(object.first);
        self.out.replace_range(object.from..=object.from, "[");
        self.out.push(']');
    }

    fn sort(&mut self, object: &Object, last_wins: bool) {
        let out = self.out.as_bytes();
        let entries = &mut self.entries[object.first..];
        entries.sort_by(|a, b| out[a.from..a.key_to].cmp(&out[b.from..b.key_to]));
        self.sorted.clear();
        for (i, entry) in entries.iter().enumerate() {
            let key = &out[entry.from..entry.key_to];
            let again = |other: Option<&Entry>| other.is_some_and(|o| &out[o.from..o.key_to] == key);
            // The sort is stable, so the last of equal keys is the last that was written.
            if again(entries.get(i + 1)) && (last_wins || entry.to == entry.key_to) {
                continue;
            }
            if !self.sorted.is_empty() {
                self.sorted.push(',');
            }
            self.sorted.push_str(&self.out[entry.from..entry.to]);
        }
        self.out.truncate(object.from + 1);
        self.out.push_str(&self.sorted);
    }

    /// Text as a JSON string.
    pub(super) fn string(&mut self, text: &str) {
        write_string(&mut self.out, text);
    }

    /// One character within a string.
    pub(super) fn char(&mut self, c: char) {
        match c {
            '"' => self.out.push_str("\\\""),
            '\\' => self.out.push_str("\\\\"),
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            '\u{8}' => self.out.push_str("\\b"),
            '\u{c}' => self.out.push_str("\\f"),
            c if c < ' ' => self.format(format_args!("\\u{:04x}", u32::from(c))),
            c => self.out.push(c),
        }
    }

    /// A UTF-16 unit that is no character: half of a pair.
    pub(super) fn lone_surrogate(&mut self, unit: u32) {
        self.format(format_args!("\\u{unit:04x}"));
    }

    /// A number as ECMAScript writes it, so that `1`, `1.0` and `1e0` are one; integers keep all their digits, since
    /// ids are often longer than what a double holds. `false` when the text is no number.
    pub(super) fn number(&mut self, text: &str) -> bool {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            let significant = digits.trim_start_matches('0');
            match significant.is_empty() {
                true => self.out.push('0'),
                false => {
                    self.out.push_str(&text[..text.len() - digits.len()]);
                    self.out.push_str(significant);
                }
            }
            return true;
        }
        let Ok(value) = text.parse::<f64>() else { return false };
        let size = value.abs();
        if value == 0.0 && !digits.bytes().take_while(|b| !matches!(b, b'e' | b'E')).any(|b| (b'1'..=b'9').contains(&b))
        {
            self.out.push('0');
        } else if !value.is_finite() || value == 0.0 {
            // Beyond the range of doubles: the text is all there is.
            self.string(text);
        } else if (1e-6..1e21).contains(&size) {
            self.format(format_args!("{value}"));
        } else {
            let from = self.out.len();
            self.format(format_args!("{value:e}"));
            if size >= 1.0
                && let Some(e) = self.out[from..].find('e')
            {
                self.out.insert(from + e + 1, '+');
            }
        }
        true
    }

    fn format(&mut self, args: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.out.write_fmt(args);
    }
}
