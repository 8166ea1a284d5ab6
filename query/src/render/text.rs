//! Formats without a layout: CSV, tabs, Markdown, JSON, and one value per line.

use std::io::{Result, Write};

use super::RowWriter;
use super::value::{Values, write_string};

/// How values are kept apart.
enum Style {
    Csv,
    Tabs,
    Markdown,
}

/// CSV, tab-separated values and Markdown.
pub(super) struct Separated {
    names: Vec<String>,
    header: bool,
    null: Vec<u8>,
    style: Style,
    begun: bool,
    line: Vec<u8>,
    value: Vec<u8>,
}

impl Separated {
    fn new(names: Vec<String>, header: bool, null: Vec<u8>, style: Style) -> Self {
        Separated { names, header, null, style, begun: false, line: Vec::new(), value: Vec::new() }
    }

    pub(super) fn csv(names: Vec<String>, header: bool, null: Vec<u8>) -> Self {
        Self::new(names, header, null, Style::Csv)
    }

    pub(super) fn tabs(names: Vec<String>, header: bool, null: Vec<u8>) -> Self {
        Self::new(names, header, null, Style::Tabs)
    }

    pub(super) fn markdown(names: Vec<String>, header: bool, null: Vec<u8>) -> Self {
        Self::new(names, header, null, Style::Markdown)
    }

    fn begin(&mut self, out: &mut dyn Write) -> Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        // Markdown without a header is no table, so there it is always written.
        if !self.header && !matches!(self.style, Style::Markdown) {
            return Ok(());
        }
        self.line.clear();
        for (i, name) in self.names.iter().enumerate() {
            open(&self.style, i, &mut self.line);
            escape(&self.style, name.as_bytes(), Some(b""), &mut self.line);
        }
        close(&self.style, &mut self.line);
        if matches!(self.style, Style::Markdown) {
            self.line.extend(b"|---".repeat(self.names.len()));
            self.line.extend_from_slice(b"|\n");
        }
        out.write_all(&self.line)
    }
}

fn open(style: &Style, column: usize, line: &mut Vec<u8>) {
    match style {
        Style::Csv if column > 0 => line.push(b','),
        Style::Tabs if column > 0 => line.push(b'\t'),
        Style::Markdown => line.extend_from_slice(if column > 0 { b" | " } else { b"| " }),
        Style::Csv | Style::Tabs => {}
    }
}

fn close(style: &Style, line: &mut Vec<u8>) {
    line.extend_from_slice(if matches!(style, Style::Markdown) { b" |\n" } else { b"\n" });
}

/// Appends a value so that it reads back as it was. Text that is what NULL is written as (`null`, given for text) is
/// quoted in CSV.
fn escape(style: &Style, value: &[u8], null: Option<&[u8]>, line: &mut Vec<u8>) {
    match style {
        Style::Csv => {
            let special = value.iter().any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r'));
            let ambiguous = null == Some(value);
            if !special && !ambiguous {
                line.extend_from_slice(value);
                return;
            }
            line.push(b'"');
            for &b in value {
                if b == b'"' {
                    line.push(b'"');
                }
                line.push(b);
            }
            line.push(b'"');
        }
        Style::Tabs => {
            for &b in value {
                match b {
                    b'\t' => line.extend_from_slice(b"\\t"),
                    b'\n' => line.extend_from_slice(b"\\n"),
                    b'\r' => line.extend_from_slice(b"\\r"),
                    b'\\' => line.extend_from_slice(b"\\\\"),
                    _ => line.push(b),
                }
            }
        }
        Style::Markdown => {
            for &b in value {
                match b {
                    b'|' => line.extend_from_slice(b"\\|"),
                    b'\n' => line.extend_from_slice(b"<br>"),
                    b'\r' => {}
                    _ => line.push(b),
                }
            }
        }
    }
}

impl RowWriter for Separated {
    fn batch(&mut self, columns: &[Values], rows: usize, out: &mut dyn Write) -> Result<()> {
        self.begin(out)?;
        for row in 0..rows {
            self.line.clear();
            for (i, c) in columns.iter().enumerate() {
                open(&self.style, i, &mut self.line);
                if c.is_null(row) {
                    self.line.extend_from_slice(&self.null);
                } else if let Some(text) = c.text(row) {
                    escape(&self.style, text.as_bytes(), Some(&self.null), &mut self.line);
                } else {
                    self.value.clear();
                    c.write_text(row, &mut self.value);
                    escape(&self.style, &self.value, None, &mut self.line);
                }
            }
            close(&self.style, &mut self.line);
            out.write_all(&self.line)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<()> {
        self.begin(out)
    }
}

/// JSON, as one array or as one object per line.
pub(super) struct Json {
    /// `"name":` of each column.
    keys: Vec<Vec<u8>>,
    array: bool,
    written: u64,
    line: Vec<u8>,
}

impl Json {
    fn new(names: &[String], array: bool) -> Self {
        let key = |n: &String| {
            let mut k = Vec::new();
            write_string(n, &mut k);
            k.push(b':');
            k
        };
        Json { keys: names.iter().map(key).collect(), array, written: 0, line: Vec::new() }
    }

    pub(super) fn array(names: &[String]) -> Self {
        Self::new(names, true)
    }

    pub(super) fn lines(names: &[String]) -> Self {
        Self::new(names, false)
    }
}

impl RowWriter for Json {
    fn batch(&mut self, columns: &[Values], rows: usize, out: &mut dyn Write) -> Result<()> {
        for row in 0..rows {
            self.line.clear();
            match (self.array, self.written) {
                (true, 0) => self.line.push(b'['),
                (true, _) => self.line.extend_from_slice(b",\n"),
                (false, _) => {}
            }
            self.line.push(b'{');
            for (i, (key, c)) in self.keys.iter().zip(columns).enumerate() {
                if i > 0 {
                    self.line.push(b',');
                }
                self.line.extend_from_slice(key);
                c.write_json(row, &mut self.line);
            }
            self.line.push(b'}');
            if !self.array {
                self.line.push(b'\n');
            }
            self.written += 1;
            out.write_all(&self.line)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<()> {
        match (self.array, self.written) {
            (true, 0) => out.write_all(b"[]\n"),
            (true, _) => out.write_all(b"]\n"),
            (false, _) => Ok(()),
        }
    }
}

/// `name = value`, one per line, rows apart by an empty line.
pub(super) struct Lines {
    names: Vec<String>,
    width: usize,
    null: Vec<u8>,
    written: u64,
}

impl Lines {
    pub(super) fn new(names: Vec<String>, null: Vec<u8>) -> Self {
        let width = names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
        Lines { names, width, null, written: 0 }
    }
}

impl RowWriter for Lines {
    fn batch(&mut self, columns: &[Values], rows: usize, out: &mut dyn Write) -> Result<()> {
        let mut value = Vec::new();
        for row in 0..rows {
            if self.written > 0 {
                out.write_all(b"\n")?;
            }
            for (name, c) in self.names.iter().zip(columns) {
                value.clear();
                if c.is_null(row) {
                    value.extend_from_slice(&self.null);
                } else {
                    c.write_text(row, &mut value);
                }
                write!(out, "{name:>width$} = ", width = self.width)?;
                out.write_all(&value)?;
                out.write_all(b"\n")?;
            }
            self.written += 1;
        }
        Ok(())
    }

    fn finish(&mut self, _out: &mut dyn Write) -> Result<()> {
        Ok(())
    }
}
