//! JSON text to canonical text.

use memchr::memchr2;

use super::writer::{DEPTH, Writer};

/// Appends the canonical text of a JSON document. `None` when the text is none, or nests too deep; what was written by
/// then is of no use.
pub(super) fn write(text: &str, w: &mut Writer) -> Option<()> {
    let mut reader = Reader { text, at: 0 };
    reader.value(w, 0)?;
    reader.space();
    (reader.at == text.len()).then_some(())
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

    fn word(&mut self, word: &str, w: &mut Writer) -> Option<()> {
        self.text.as_bytes()[self.at..].starts_with(word.as_bytes()).then(|| {
            self.at += word.len();
            w.out.push_str(word);
        })
    }

    fn value(&mut self, w: &mut Writer, depth: usize) -> Option<()> {
        self.space();
        match self.peek()? {
            b'"' => self.string(w),
            b'{' if depth < DEPTH => self.object(w, depth),
            b'[' if depth < DEPTH => self.array(w, depth),
            b't' => self.word("true", w),
            b'f' => self.word("false", w),
            b'n' => self.word("null", w),
            b'-' | b'0'..=b'9' => self.number(w),
            _ => None,
        }
    }

    fn object(&mut self, w: &mut Writer, depth: usize) -> Option<()> {
        self.at += 1;
        let mut object = w.begin_object();
        self.space();
        if self.take(b'}').is_none() {
            loop {
                self.space();
                let from = w.begin_key(&object);
                (self.peek()? == b'"').then_some(())?;
                self.string(w)?;
                let key_to = w.begin_value();
                self.space();
                self.take(b':')?;
                self.value(w, depth + 1)?;
                w.end_entry(&mut object, from, key_to);
                self.space();
                match self.take(b',') {
                    Some(()) => {}
                    None => break self.take(b'}')?,
                }
            }
        }
        w.end_object(&object);
        Some(())
    }

    fn array(&mut self, w: &mut Writer, depth: usize) -> Option<()> {
        self.at += 1;
        w.out.push('[');
        self.space();
        if self.take(b']').is_none() {
            loop {
                self.value(w, depth + 1)?;
                self.space();
                match self.take(b',') {
                    Some(()) => w.out.push(','),
                    None => break self.take(b']')?,
                }
            }
        }
        w.out.push(']');
        Some(())
    }

    fn number(&mut self, w: &mut Writer) -> Option<()> {
        let rest = &self.text[self.at..];
        let len = rest.bytes().take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        let token = &rest[..len];
        let digits = token.strip_prefix('-').unwrap_or(token).as_bytes();
        let leads = digits.first()? == &b'0' && digits.get(1).is_some_and(u8::is_ascii_digit);
        let starts_well = digits.first()?.is_ascii_digit() && !leads;
        self.at += len;
        (starts_well && w.number(token)).then_some(())
    }

    fn string(&mut self, w: &mut Writer) -> Option<()> {
        let from = self.at + 1;
        let rest = &self.text.as_bytes()[from..];
        let stop = memchr2(b'"', b'\\', rest)?;
        if rest[stop] == b'"' && !rest[..stop].iter().any(|b| *b < b' ') {
            // The usual case: the text is canonical as it stands.
            w.out.push_str(&self.text[from - 1..=from + stop]);
            self.at = from + stop + 1;
            return Some(());
        }
        self.at = from;
        w.out.push('"');
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let stop = memchr2(b'"', b'\\', rest)?;
            for c in self.text[self.at..self.at + stop].chars() {
                w.char(c);
            }
            self.at += stop + 1;
            if rest[stop] == b'"' {
                w.out.push('"');
                return Some(());
            }
            self.escape(w)?;
        }
    }

    fn escape(&mut self, w: &mut Writer) -> Option<()> {
        let c = self.peek()?;
        self.at += 1;
        match c {
            b'"' | b'\\' | b'/' => w.char(char::from(c)),
            b'n' => w.char('\n'),
            b'r' => w.char('\r'),
            b't' => w.char('\t'),
            b'b' => w.char('\u{8}'),
            b'f' => w.char('\u{c}'),
            b'u' => {
                let unit = self.unit()?;
                let low = (0xd800..0xdc00).contains(&unit).then(|| self.low_half()).flatten();
                match (low, char::from_u32(unit)) {
                    (Some(low), _) => w.char(char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?),
                    (None, Some(c)) => w.char(c),
                    (None, None) => w.lone_surrogate(unit),
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
        u32::from_str_radix(digits, 16).ok()
    }

    /// The second half of a surrogate pair, if that is what follows.
    fn low_half(&mut self) -> Option<u32> {
        let before = self.at;
        if self.text.as_bytes()[self.at..].starts_with(b"\\u") {
            self.at += 2;
            if let Some(unit) = self.unit().filter(|u| (0xdc00..0xe000).contains(u)) {
                return Some(unit);
            }
        }
        self.at = before;
        None
    }
}
