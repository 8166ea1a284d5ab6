//! Prices as CSV.

use super::{MOST_COLUMNS, PriceFileError, Record};
use crate::limits;

/// All rows after the header, with their columns' names. Blank lines are passed over.
pub(super) fn records(text: &str) -> Result<Vec<Record>, PriceFileError> {
    let fail = |line, reason: String| PriceFileError { line, column: None, reason };
    // The reader takes the end of the file for the end of a quoted field.
    if text.bytes().filter(|&b| b == b'"').count() % 2 == 1 {
        let last = text.rfind('"').unwrap_or(0);
        let line = 1 + text[..last].bytes().filter(|&b| b == b'\n').count() as u64;
        return Err(fail(line, "quotes do not pair up".to_owned()));
    }
    let mut rows =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let mut header: Option<Vec<String>> = None;
    let mut records = Vec::new();
    for row in rows.records() {
        let row = row.map_err(|e| fail(e.position().map_or(1, csv::Position::line), e.to_string()))?;
        // Blank lines before a row are a part of it to the reader, and so is what is left of the line end before it.
        let (from, line) = row.position().map_or((0, 1), |p| (p.byte() as usize, p.line()));
        let blank = text.as_bytes().iter().skip(from).take_while(|b| matches!(b, b'\r' | b'\n'));
        let line = line + blank.filter(|&&b| b == b'\n').count() as u64;
        if row.len() > MOST_COLUMNS || records.len() >= limits::PRICE_FILE_ROWS {
            return Err(fail(line, "too many columns or rows".to_owned()));
        }
        let Some(columns) = &header else {
            let names: Vec<String> = row.iter().map(|n| n.to_ascii_lowercase()).collect();
            for (at, name) in names.iter().enumerate() {
                let column = Some(name.clone());
                if name.is_empty() {
                    return Err(fail(line, format!("column {} has no name", at + 1)));
                }
                if names[..at].contains(name) {
                    return Err(PriceFileError { line, column, reason: "it is there twice".to_owned() });
                }
            }
            header = Some(names);
            continue;
        };
        if row.len() != columns.len() {
            return Err(fail(line, format!("{} fields, the header has {}", row.len(), columns.len())));
        }
        let cells = columns.iter().cloned().zip(row.iter().map(str::to_owned)).collect();
        records.push(Record { line, cells });
    }
    Ok(records)
}

/// A header and lines.
pub(super) fn write(columns: &[String], lines: &[Vec<String>]) -> std::io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns)?;
    for line in lines {
        writer.write_record(line)?;
    }
    writer.into_inner().map_err(|e| std::io::Error::other(e.to_string()))
}
