//! What a terminal must not obey.

use std::io::{Result, Write};

/// Passes text on; for a terminal, with control characters as `\u001b`, which JSON reads back as what it was. Line ends
/// and tabs stay. Callers write whole characters at a time, as text formats do.
pub(super) struct Shown<'a> {
    out: &'a mut dyn Write,
    terminal: bool,
}

impl<'a> Shown<'a> {
    pub(super) fn new(out: &'a mut dyn Write, terminal: bool) -> Self {
        Shown { out, terminal }
    }
}

impl Write for Shown<'_> {
    fn write(&mut self, text: &[u8]) -> Result<usize> {
        if !self.terminal {
            return self.out.write(text);
        }
        // What has been passed on reaches to `from`.
        let mut from = 0;
        let mut i = 0;
        while i < text.len() {
            let (code, bytes) = match (text[i], text.get(i + 1)) {
                (b'\n' | b'\t', _) => (None, 1),
                (c @ (0..0x20 | 0x7f), _) => (Some(c), 1),
                // U+0080 to U+009F: to some terminals the second of them is what ESC [ is.
                (0xc2, Some(&c @ 0x80..0xa0)) => (Some(c), 2),
                _ => (None, 1),
            };
            if let Some(code) = code {
                self.out.write_all(&text[from..i])?;
                write!(self.out, "\\u{code:04x}")?;
                from = i + bytes;
            }
            i += bytes;
        }
        self.out.write_all(&text[from..])?;
        Ok(text.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(text: &str, terminal: bool) -> String {
        let mut out = Vec::new();
        Shown::new(&mut out, terminal).write_all(text.as_bytes()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn control_characters_are_seen_and_not_obeyed() {
        let text = "a\u{1b}[2J\tb\r\n\u{9b}31m\u{7f}\u{a0}é日\u{1b}";
        assert_eq!(through(text, true), "a\\u001b[2J\tb\\u000d\n\\u009b31m\\u007f\u{a0}é日\\u001b");
        assert_eq!(through(text, false), text);
    }
}
