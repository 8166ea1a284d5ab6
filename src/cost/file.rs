//! Files of prices and of aliases: CSV, JSON lines, or a JSON array.
//!
//! One row per model and time; the columns are told at [`PriceFile`]. Nothing is ignored: what cannot be read stops the
//! file, with the line, the column and the reason.

mod csv_text;
mod json_text;

use std::fmt;

use super::book::{Alias, plain};
use super::date;
use super::money::format_decimal;
use super::rows::{COLUMNS, Line, PriceRow, column_scale, price_column, tier_column};
use super::usage::Bucket;
use crate::limits;

/// What a file of prices holds.
///
/// Columns of prices: `provider`, `model`, `match` (`exact`, the default, or `prefix`), `valid_from` and `valid_to` (a day
/// or a moment, UTC; the end is not part of it), `hours_utc` (`00:30:00-16:30:00`), `service_tier`, `source`,
/// `above_input_tokens`, and prices in dollars per million tokens: `input_usd_per_mtok`, `output_usd_per_mtok`,
/// `cache_read_usd_per_mtok`, `cache_write_usd_per_mtok`, `cache_write_1h_usd_per_mtok`, `reasoning_usd_per_mtok`,
/// `input_audio_usd_per_mtok`, `input_image_usd_per_mtok`, `cache_read_audio_usd_per_mtok`,
/// `cache_read_image_usd_per_mtok`, `output_audio_usd_per_mtok`, `output_image_usd_per_mtok`; and `request_usd` per call.
/// Empty is no price, 0 is one. A line with `above_input_tokens` is a tier of the line before it.
///
/// Columns of aliases: `alias`, `provider` and `model` of the book, and `for_provider` where it is an alias for calls to
/// that provider only.
///
/// ```
/// use spanfile::cost::{Context, PriceBook, PriceFile, Usage, format_usd};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = "provider,model,valid_from,input_usd_per_mtok,output_usd_per_mtok,above_input_tokens\n\
///             openai,gpt-5,2026-01-01,1.10,8.80,\n\
///             openai,gpt-5,2026-01-01,2.20,,200000\n";
/// let book = PriceFile::read(file.as_bytes())?.onto(PriceBook::bundled())?;
///
/// let rates = book.find(Some("openai"), Some("gpt-5"), None)?.rates_at(1_780_000_000_000_000_000, Context::default())?;
/// let usage = Usage { input: Some(1000), output: Some(100), ..Usage::default() };
/// assert_eq!(format_usd(rates.cost(&usage)?.total), "0.00198");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceFile {
    /// Prices.
    Rows(Vec<PriceRow>),
    /// Aliases.
    Aliases(Vec<Alias>),
}

/// Where a file of prices cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PriceFileError {
    /// Line, from 1.
    pub line: u64,
    /// Column's name, where one is to blame.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for PriceFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", {column}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceFormat {
    /// Comma-separated, with a header.
    Csv,
    /// One JSON object per line.
    JsonLines,
}

/// Most columns or keys: more than there are names for.
const MOST_COLUMNS: usize = 64;

/// One record: names of columns and values, in their order.
struct Record {
    line: u64,
    cells: Vec<(String, String)>,
}

impl PriceFile {
    /// Reads CSV or JSON; what begins with a brace or a bracket is JSON.
    ///
    /// # Errors
    ///
    /// The first thing that cannot be read.
    pub fn read(bytes: &[u8]) -> Result<PriceFile, PriceFileError> {
        let fail = |line, reason: String| PriceFileError { line, column: None, reason };
        if bytes.len() > limits::PRICE_BOOK_BYTES {
            return Err(fail(1, format!("the file is longer than {} bytes", limits::PRICE_BOOK_BYTES)));
        }
        let text = std::str::from_utf8(bytes).map_err(|e| {
            let before = &bytes[..e.valid_up_to()];
            fail(1 + before.iter().filter(|&&b| b == b'\n').count() as u64, "it is not UTF-8".to_owned())
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let records = match text.trim_start().as_bytes().first() {
            None => return Err(fail(1, "the file is empty".to_owned())),
            Some(b'{' | b'[') => json_text::records(text)?,
            Some(_) => csv_text::records(text)?,
        };
        if records.iter().any(|r| r.cells.iter().any(|(name, _)| name == "alias")) {
            return records.iter().map(alias).collect::<Result<_, _>>().map(PriceFile::Aliases);
        }
        let mut rows: Vec<PriceRow> = Vec::new();
        for record in &records {
            let mut line = Line::default();
            let fail = |column: Option<String>, reason| PriceFileError { line: record.line, column, reason };
            for (name, value) in &record.cells {
                if !line.set(name, value) {
                    return Err(fail(Some(name.clone()), "there is no such column".to_owned()));
                }
            }
            let row = line.read(rows.last_mut()).map_err(|(column, reason)| fail(Some(column), reason))?;
            if let Some(row) = row {
                rows.push(row);
            }
        }
        Ok(PriceFile::Rows(rows))
    }

    /// A book with what the file holds on top.
    ///
    /// # Errors
    ///
    /// Names that a book cannot keep; which entry of the file, from 1, and why.
    pub fn onto(self, book: &super::PriceBook) -> Result<super::PriceBook, String> {
        let added = match self {
            PriceFile::Rows(rows) => book.with_rows(rows),
            PriceFile::Aliases(aliases) => book.with_aliases(aliases),
        };
        added.map_err(|(at, reason)| format!("entry {}: {reason}", at + 1))
    }
}

fn alias(record: &Record) -> Result<Alias, PriceFileError> {
    let fail =
        |column: &str, reason: String| PriceFileError { line: record.line, column: Some(column.to_owned()), reason };
    let mut found: [Option<&str>; 4] = [None; 4];
    const NAMES: [&str; 4] = ["alias", "provider", "model", "for_provider"];
    for (name, value) in &record.cells {
        let at = NAMES.iter().position(|n| n == name);
        let at = at.ok_or_else(|| fail(name, "there is no such column".to_owned()))?;
        found[at] = Some(value.as_str()).filter(|v| !v.is_empty());
    }
    let needed = |at: usize| {
        let text = found[at].ok_or_else(|| fail(NAMES[at], "it is missing".to_owned()))?;
        plain(NAMES[at], text).map_err(|e| fail(NAMES[at], e))?;
        Ok(text.to_owned())
    };
    let for_provider = found[3].map(|_| needed(3)).transpose()?;
    Ok(Alias { alias: needed(0)?, for_provider, provider: needed(1)?, model: needed(2)? })
}

/// Writes rows so that [`PriceFile::read`] reads them again. Returned beside the text: how many facts that are not
/// applied, such as prices of web searches, have no column and are left out. The names that the book gives to bundled
/// models, beside their own, are left out too: a user's row needs none, it overlays the model by its name in the book.
///
/// # Errors
///
/// None that memory allows; the writer's are passed on.
pub fn write_rows<'r>(
    rows: impl IntoIterator<Item = &'r PriceRow>,
    format: PriceFormat,
) -> std::io::Result<(Vec<u8>, usize)> {
    let mut left_out = 0;
    let mut lines = Vec::new();
    for row in rows {
        left_out += row.facts.len();
        lines.extend(cells(row));
    }
    let columns: Vec<String> =
        COLUMNS.iter().map(|&c| c.to_owned()).chain(Bucket::ALL.into_iter().map(price_column)).collect();
    let bytes = match format {
        PriceFormat::Csv => csv_text::write(&columns, &lines)?,
        PriceFormat::JsonLines => json_text::write(&columns, &lines)?,
    };
    Ok((bytes, left_out))
}

/// See [`write_rows`].
///
/// # Errors
///
/// None that memory allows; the writer's are passed on.
pub fn write_aliases(aliases: &[Alias], format: PriceFormat) -> std::io::Result<Vec<u8>> {
    let columns = ["alias", "for_provider", "provider", "model"].map(str::to_owned);
    let lines: Vec<Vec<String>> = aliases
        .iter()
        .map(|a| vec![a.alias.clone(), a.for_provider.clone().unwrap_or_default(), a.provider.clone(), a.model.clone()])
        .collect();
    match format {
        PriceFormat::Csv => csv_text::write(&columns, &lines),
        PriceFormat::JsonLines => json_text::write(&columns, &lines),
    }
}

/// A row as lines: one, and one more for each threshold.
fn cells(row: &PriceRow) -> Vec<Vec<String>> {
    let head = [
        row.provider.clone(),
        row.model.clone(),
        row.matches.name().to_owned(),
        row.valid_from.map(date::format).unwrap_or_default(),
        row.valid_to.map(date::format).unwrap_or_default(),
        row.window.map(date::format_window).unwrap_or_default(),
        tier_column(&row.when),
        row.source.clone().unwrap_or_default(),
    ];
    let mut below = [None; Bucket::COUNT];
    row.tiers()
        .map(|(above, amounts)| {
            let changed = |b: &Bucket| {
                let price = amounts[b.index()].filter(|_| amounts[b.index()] != below[b.index()]);
                price.map(|p| format_decimal(p, column_scale(*b))).unwrap_or_default()
            };
            let prices: Vec<String> = Bucket::ALL.iter().map(changed).collect();
            below = *amounts;
            let above = above.map(|a| a.to_string()).unwrap_or_default();
            head.iter().cloned().chain([above]).chain(prices).collect()
        })
        .collect()
}
