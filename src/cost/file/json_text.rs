//! Prices as JSON: an array of objects, or objects one after the other.
//!
//! Objects are flat, so they are read token by token: numbers stay the text that they are, and no price goes through a
//! float.

use std::fmt::Write;

use super::{MOST_COLUMNS, PriceFileError, Record};
use crate::limits;

struct Tokens<'t> {
    text: &'t str,
    at: usize,
    line: u64,
}

/// All objects, with their keys and values.
pub(super) fn records(text: &str) -> Result<Vec<Record>, PriceFileError> {
    let mut tokens = Tokens { text, at: 0, line: 1 };
    let mut records = Vec::new();
    let is_array = tokens.take(b'[');
    while let Some(byte) = tokens.peek() {
        match byte {
            b'{' if records.len() < limits::PRICE_FILE_ROWS => records.push(object(&mut tokens)?),
            b'{' => return Err(tokens.fail(None, &format!("more than {} rows", limits::PRICE_FILE_ROWS))),
            b']' if is_array => break,
            _ => return Err(tokens.fail(None, "expected an object")),
        }
        if is_array && !tokens.take(b',') {
            break;
        }
    }
    if is_array && !tokens.take(b']') {
        return Err(tokens.fail(None, "expected a comma, or a bracket that ends the array"));
    }
    match tokens.peek() {
        None => Ok(records),
        Some(_) => Err(tokens.fail(None, "there is more after the end")),
    }
}

fn object(tokens: &mut Tokens<'_>) -> Result<Record, PriceFileError> {
    tokens.take(b'{');
    let mut record = Record { line: tokens.line, cells: Vec::new() };
    if tokens.take(b'}') {
        return Ok(record);
    }
    loop {
        if tokens.peek() != Some(b'"') {
            return Err(tokens.fail(None, "expected a key"));
        }
        let key = tokens.string()?;
        if record.cells.len() >= MOST_COLUMNS {
            return Err(tokens.fail(Some(key), "too many keys"));
        }
        if record.cells.iter().any(|(k, _)| *k == key) {
            return Err(tokens.fail(Some(key), "it is there twice"));
        }
        if !tokens.take(b':') {
            return Err(tokens.fail(Some(key), "expected a colon"));
        }
        let value = match tokens.peek() {
            Some(b'"') => tokens.string()?,
            Some(b'-' | b'0'..=b'9') => tokens.word(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)).to_owned(),
            Some(b'n') if tokens.word(|b| b.is_ascii_alphabetic()) == "null" => String::new(),
            _ => return Err(tokens.fail(Some(key), "it is neither text, a number nor null")),
        };
        record.cells.push((key, value));
        if tokens.take(b'}') {
            return Ok(record);
        }
        if !tokens.take(b',') {
            return Err(tokens.fail(None, "expected a comma, or a brace that ends the object"));
        }
    }
}

impl<'t> Tokens<'t> {
    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at).filter(|b| b.is_ascii_whitespace()) {
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, is_of_it: impl Fn(u8) -> bool) -> &'t str {
        let rest = &self.text[self.at..];
        let length = rest.bytes().take_while(|&b| is_of_it(b)).count();
        self.at += length;
        &rest[..length]
    }

    fn string(&mut self) -> Result<String, PriceFileError> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut end = start + 1;
        while bytes.get(end).is_some_and(|&b| b != b'"') {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let token = self.text.get(start..=end).ok_or_else(|| self.fail(None, "text without an end"))?;
        let text = serde_json::from_str(token).map_err(|e| self.fail(None, &format!("no JSON text: {e}")))?;
        self.at = end + 1;
        Ok(text)
    }

    fn fail(&self, column: Option<String>, reason: &str) -> PriceFileError {
        PriceFileError { line: self.line, column, reason: reason.to_owned() }
    }
}

/// One object per line; empty values are left out, and prices and thresholds are numbers.
pub(super) fn write(columns: &[String], lines: &[Vec<String>]) -> std::io::Result<Vec<u8>> {
    let mut out = String::new();
    for line in lines {
        let mut comma = "{";
        for (column, value) in columns.iter().zip(line).filter(|(_, v)| !v.is_empty()) {
            let is_number =
                column.ends_with("_usd_per_mtok") || column == "request_usd" || column == "above_input_tokens";
            let value = if is_number { value.clone() } else { serde_json::to_string(value)? };
            write!(out, "{comma}\"{column}\":{value}").map_err(std::io::Error::other)?;
            comma = ",";
        }
        out.push_str("}\n");
    }
    Ok(out.into_bytes())
}
