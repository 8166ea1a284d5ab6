//! Scores as CSV.

use std::borrow::Cow;

use csv::ByteRecord;

use super::{Field, Given, Record, ScoreReject, ScoresError, ScoresFile, field};

/// Reads all rows after the header.
pub(super) fn read(bytes: &[u8], out: &mut ScoresFile) -> Result<(), ScoresError> {
    // Rows of another length are rejects of their own, not the end of the file; the header is looked at as a row.
    let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut row = ByteRecord::new();
    let mut columns: Option<Vec<Option<Field>>> = None;
    // Reading from memory cannot fail, and rows may have any length and any bytes.
    while rows.read_byte_record(&mut row).unwrap_or(false) {
        let (line, from) = row.position().map_or((1, 0), |p| (p.line(), p.byte()));
        let raw = bytes.get(from as usize..rows.position().byte() as usize).unwrap_or_default();
        // Blank lines before a row are a part of it to the reader, and so is what is left of the line end before it.
        let blank = raw.iter().take_while(|b| matches!(b, b'\r' | b'\n')).filter(|&&b| b == b'\n').count();
        let line = line + blank as u64;
        match &columns {
            None => columns = Some(header(&row, line, out)?),
            Some(columns) => match score(&row, raw, columns) {
                Ok(record) => match record.score() {
                    Ok(score) => out.scores.push(score),
                    Err(reason) => out.rejects.push(ScoreReject { line, reason }),
                },
                Err(reason) => out.rejects.push(ScoreReject { line, reason }),
            },
        }
    }
    Ok(())
}

/// Which field each column holds.
fn header(row: &ByteRecord, line: u64, out: &mut ScoresFile) -> Result<Vec<Option<Field>>, ScoresError> {
    let mut columns = Vec::with_capacity(row.len());
    let mut names = Vec::with_capacity(row.len());
    for cell in row {
        let name = std::str::from_utf8(cell).map_err(|_| ScoresError::Header { line })?.trim();
        let meaning = field(&name.to_ascii_lowercase());
        if meaning.is_none() {
            out.ignore(name);
        }
        names.push(name);
        columns.push(meaning);
    }
    for (column, field) in super::FIELDS {
        let found = columns.iter().filter(|&&c| c == Some(field)).count();
        if found > 1 {
            return Err(ScoresError::DuplicateColumn { column, line });
        }
        if found == 0 && matches!(field, Field::TraceId | Field::Name) {
            return Err(ScoresError::MissingColumn { column, line, found: super::shown(&names.join(", ")) });
        }
    }
    Ok(columns)
}

fn score<'r>(row: &'r ByteRecord, raw: &[u8], columns: &[Option<Field>]) -> Result<Record<'r>, String> {
    // The reader takes the end of the file for the end of a quoted field, and a lone quote for text.
    if raw.iter().filter(|&&b| b == b'"').count() % 2 == 1 {
        return Err("quotes do not pair up".to_owned());
    }
    if row.len() != columns.len() {
        return Err(format!("{} fields, the header has {}", row.len(), columns.len()));
    }
    let mut record = Record::default();
    for (cell, column) in row.iter().zip(columns) {
        if let Some(field) = column {
            let text = std::str::from_utf8(cell).map_err(|_| "not UTF-8".to_owned())?;
            record.set(*field, Given::Text(Cow::Borrowed(text)));
        }
    }
    Ok(record)
}
