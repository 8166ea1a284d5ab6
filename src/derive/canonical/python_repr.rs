//! Python's `repr` of plain values to canonical text: some frameworks record `str(arguments)`.
//!
//! Dictionaries, lists, tuples, sets, strings, numbers, `True`, `False` and `None`; anything else, such as an object
//! with its address, is not read.

use super::writer::{DEPTH, Writer};

/// Appends the canonical text of a value. `None` when the text is no `repr` of plain values, or nests too deep.
pub(super) fn write(text: &str, w: &mut Writer) -> Option<()> {
    (write_prefix(text, w)? == text.len()).then_some(())
}

/// Like [`write`] for a value at the beginning of the text; returns where the value and the space after it end.
pub(super) fn write_prefix(text: &str, w: &mut Writer) -> Option<usize> {
    let mut reader = Reader { text, at: 0 };
    reader.value(w, 0)?;
    reader.space();
    Some(reader.at)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn word(&mut self, word: &str) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        let ends = rest.get(word.len()).is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_');
        let found = rest.starts_with(word.as_bytes()) && ends;
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn value(&mut self, w: &mut Writer, depth: usize) -> Option<()> {
        self.space();
        match self.peek()? {
            b'{' if depth < DEPTH => self.braces(w, depth),
            b'[' if depth < DEPTH => self.sequence(b']', w, depth),
            b'(' if depth < DEPTH => self.sequence(b')', w, depth),
            b'\'' | b'"' => self.string(w),
            b'b' if matches!(self.text.as_bytes().get(self.at + 1), Some(b'\'' | b'"')) => {
                self.at += 1;
                self.string(w)
            }
            b'-' | b'0'..=b'9' => self.number(w),
            _ => {
                let words =
                    [("True", "true"), ("False", "false"), ("None", "null"), ("nan", "\"nan\""), ("inf", "\"inf\"")];
                let (_, canonical) = words.into_iter().find(|(word, _)| self.word(word))?;
                w.out.push_str(canonical);
                Some(())
            }
        }
    }

    /// A dictionary or a set: what follows the first value decides.
    fn braces(&mut self, w: &mut Writer, depth: usize) -> Option<()> {
        self.at += 1;
        let mut object = w.begin_object();
        let (mut is_set, mut is_dictionary) = (false, false);
        self.space();
        while self.take(b'}').is_none() {
            let from = w.begin_key(&object);
            self.value(w, depth + 1)?;
            self.space();
            let key_to = if self.take(b':').is_some() {
                is_dictionary = true;
                // Keys of other types than text become text.
                if !w.out[from..].starts_with('"') {
                    let key = w.out.split_off(from);
                    w.string(&key);
                }
                let key_to = w.begin_value();
                self.value(w, depth + 1)?;
                self.space();
                key_to
            } else {
                is_set = true;
                w.out.len()
            };
            (is_set != is_dictionary).then_some(())?;
            w.end_entry(&mut object, from, key_to);
            if self.take(b',').is_none() {
                self.take(b'}')?;
                break;
            }
            self.space();
        }
        if is_set {
            w.end_set(&object)
        } else {
            w.end_object(&object)
        }
        Some(())
    }

    /// A list or a tuple. A tuple of one ends in a comma.
    fn sequence(&mut self, end: u8, w: &mut Writer, depth: usize) -> Option<()> {
        self.at += 1;
        w.out.push('[');
        self.space();
        let mut first = true;
        while self.take(end).is_none() {
            if !first {
                w.out.push(',');
            }
            first = false;
            self.value(w, depth + 1)?;
            self.space();
            if self.take(b',').is_none() {
                self.take(end)?;
                break;
            }
            self.space();
        }
        w.out.push(']');
        Some(())
    }

    fn number(&mut self, w: &mut Writer) -> Option<()> {
        if self.text[self.at..].starts_with("-inf") {
            self.at += 4;
            w.out.push_str("\"-inf\"");
            return Some(());
        }
        let rest = &self.text[self.at..];
        let len = rest.bytes().take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e')).count();
        self.at += len;
        // What goes on as a word or with a colon, as `12px` or a time do, is no number; a colon is a key's.
        let ends = self.peek().is_none_or(|b| !b.is_ascii_alphanumeric() && b != b'_');
        (ends && w.number(&rest[..len])).then_some(())
    }

    fn string(&mut self, w: &mut Writer) -> Option<()> {
        let quote = self.peek()?;
        self.at += 1;
        w.out.push('"');
        let mut chars = self.text[self.at..].char_indices();
        while let Some((i, c)) = chars.next() {
            if c == char::from(quote) {
                self.at += i + 1;
                w.out.push('"');
                return Some(());
            }
            if c != '\\' {
                w.char(c);
                continue;
            }
            let (_, escape) = chars.next()?;
            let digits = match escape {
                'n' => ('\n', 0),
                'r' => ('\r', 0),
                't' => ('\t', 0),
                'x' => ('\0', 2),
                'u' => ('\0', 4),
                'U' => ('\0', 8),
                '\\' | '\'' | '"' => (escape, 0),
                _ => return None,
            };
            match digits {
                (c, 0) => w.char(c),
                (_, count) => {
                    let code = (0..count).try_fold(0u32, |code, _| {
                        let (_, digit) = chars.next()?;
                        Some(code << 4 | digit.to_digit(16)?)
                    })?;
                    match char::from_u32(code) {
                        Some(c) => w.char(c),
                        None if code < 0x1_0000 => w.lone_surrogate(code),
                        None => return None,
                    }
                }
            }
        }
        None
    }
}
