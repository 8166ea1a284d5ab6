//! Rows as text: tables, CSV, JSON; and as Parquet files.
//!
//! Everything streams: a result of any size is written in bounded memory. A table looks at its first rows to
//! choose the widths of its columns and keeps them.

mod parquet;
mod partial;
mod table;
mod terminal;
mod text;
mod value;

use std::io::Write;
use std::path::{Path, PathBuf};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;

use crate::error::{QueryError, Result};

pub use partial::{PartialFile, holds_spans};
use table::Borders;
use terminal::Shown;
use value::Values;

/// How to write rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Format {
    /// A table drawn with `+`, `-` and `|`.
    #[default]
    Table,
    /// A table drawn with box characters.
    Box,
    /// A Markdown table.
    Markdown,
    /// Comma-separated values, RFC 4180.
    Csv,
    /// Values separated by tabs; tabs, line ends and backslashes in values are escaped.
    Tabs,
    /// One JSON array of objects.
    Json,
    /// One JSON object per line.
    Jsonl,
    /// One `column = value` per line.
    Line,
    /// A Parquet file.
    Parquet(PathBuf),
}

/// Details of the text formats.
#[derive(Debug, Clone)]
pub struct RenderOptions {
    /// Whether to write the names of the columns; JSON and Parquet always have them.
    pub header: bool,
    /// What to write for NULL; `None` takes the format's usual: `NULL` in tables, nothing in CSV.
    pub null_text: Option<String>,
    /// Fold tables to this many columns of characters. Where that is too few for all columns of the result, those in
    /// the middle are left out, and a line below the table says so.
    pub width: Option<usize>,
    /// Widths of the first columns of tables; 0 for as wide as their values.
    pub column_widths: Vec<usize>,
    /// Lines of a table's value at most; what is left out is marked with `…`.
    pub value_lines: Option<usize>,
    /// Whether a terminal shows the output. Control characters in values are then written as escapes, in every text
    /// format: traces hold text from anywhere, and a terminal would obey it. Elsewhere values stay as they are.
    pub terminal: bool,
}

impl Default for RenderOptions {
    fn default() -> Self {
        RenderOptions {
            header: true,
            null_text: None,
            width: None,
            column_widths: Vec::new(),
            value_lines: None,
            terminal: false,
        }
    }
}

/// Writes rows in one format, batch by batch.
trait RowWriter {
    fn batch(&mut self, columns: &[Values], rows: usize, out: &mut dyn Write) -> std::io::Result<()>;
    fn finish(&mut self, out: &mut dyn Write) -> std::io::Result<()>;
}

/// Writes all rows of a stream and flushes. Returns how many there were.
///
/// # Errors
/// When the query fails, or the output cannot be written; a reader that has gone away is among these, see
/// [`QueryError::is_broken_pipe`].
pub async fn render(
    mut rows: SendableRecordBatchStream,
    format: &Format,
    options: &RenderOptions,
    out: &mut dyn Write,
) -> Result<u64> {
    let schema = rows.schema();
    if let Format::Parquet(path) = format {
        return parquet::write(rows, path).await;
    }
    let mut shown = Shown::new(out, options.terminal);
    let out: &mut dyn Write = &mut shown;
    let mut writer = row_writer(&schema, format, options);
    let mut count = 0;
    while let Some(batch) = rows.try_next().await.map_err(crate::diagnose::execution)? {
        count += batch.num_rows() as u64;
        let columns = values(&batch)?;
        writer.batch(&columns, batch.num_rows(), out).map_err(output_error)?;
    }
    writer.finish(out).and_then(|()| out.flush()).map_err(output_error)?;
    Ok(count)
}

/// Writes batches that are at hand, as [`render`] does.
///
/// # Errors
/// When the output cannot be written.
pub fn render_batches(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    format: &Format,
    options: &RenderOptions,
    out: &mut dyn Write,
) -> Result<()> {
    if let Format::Parquet(path) = format {
        return parquet::write_batches(schema, batches, path);
    }
    let mut shown = Shown::new(out, options.terminal);
    let out: &mut dyn Write = &mut shown;
    let mut writer = row_writer(schema, format, options);
    for b in batches {
        writer.batch(&values(b)?, b.num_rows(), out).map_err(output_error)?;
    }
    writer.finish(out).and_then(|()| out.flush()).map_err(output_error)
}

fn output_error(e: std::io::Error) -> QueryError {
    QueryError::io(Path::new("output"), e)
}

fn values(batch: &RecordBatch) -> Result<Vec<Values>> {
    let all: std::result::Result<Vec<_>, _> = batch.columns().iter().map(Values::new).collect();
    all.map_err(|e| crate::diagnose::execution(e.into()))
}

fn row_writer(schema: &SchemaRef, format: &Format, options: &RenderOptions) -> Box<dyn RowWriter> {
    let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let null = |usual: &str| options.null_text.clone().unwrap_or_else(|| usual.to_owned()).into_bytes();
    match format {
        Format::Table => Box::new(table::Table::new(names, Borders::Ascii, options, null("NULL"))),
        Format::Box => Box::new(table::Table::new(names, Borders::Box, options, null("NULL"))),
        Format::Markdown => Box::new(text::Separated::markdown(names, options.header, null("NULL"))),
        Format::Csv => Box::new(text::Separated::csv(names, options.header, null(""))),
        Format::Tabs => Box::new(text::Separated::tabs(names, options.header, null("\\N"))),
        Format::Line => Box::new(text::Lines::new(names, null("NULL"))),
        Format::Json => Box::new(text::Json::array(&names)),
        Format::Jsonl | Format::Parquet(_) => Box::new(text::Json::lines(&names)),
    }
}
