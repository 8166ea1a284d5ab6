//! Rows that a verb has computed, written in the formats of queries.

use std::io::Write;
use std::sync::Arc;

use datafusion::arrow::array::TimestampNanosecondArray;
use datafusion::arrow::array::{ArrayRef, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringArray};
use spanfile::schema::{USD_PRECISION, USD_SCALE};
use spanfile_query::render::{Format, RenderOptions, render_batches};
use spanfile_query::{QueryError, Result};

use super::query::parquet_path;

/// Columns by name, in order.
#[derive(Default)]
pub(super) struct Columns(Vec<(&'static str, ArrayRef)>);

impl Columns {
    pub(super) fn text<'a>(&mut self, name: &'static str, cells: impl Iterator<Item = Option<&'a str>>) {
        self.0.push((name, Arc::new(cells.collect::<StringArray>())));
    }

    pub(super) fn int(&mut self, name: &'static str, cells: impl Iterator<Item = Option<i64>>) {
        self.0.push((name, Arc::new(cells.collect::<Int64Array>())));
    }

    pub(super) fn flag(&mut self, name: &'static str, cells: impl Iterator<Item = Option<bool>>) {
        self.0.push((name, Arc::new(cells.collect::<BooleanArray>())));
    }

    /// Nanoseconds since 1970.
    pub(super) fn time(&mut self, name: &'static str, cells: impl Iterator<Item = Option<i64>>) {
        self.0.push((name, Arc::new(cells.collect::<TimestampNanosecondArray>().with_timezone("UTC"))));
    }

    /// Pico-dollars.
    pub(super) fn usd(&mut self, name: &'static str, cells: impl Iterator<Item = Option<i128>>) -> Result<()> {
        let cells = cells.collect::<Decimal128Array>().with_precision_and_scale(USD_PRECISION, USD_SCALE);
        self.0.push((name, Arc::new(cells.map_err(execution)?)));
        Ok(())
    }

    pub(super) fn batch(self) -> Result<RecordBatch> {
        // Nullable, all of them: what a column is must not hang on its cells.
        RecordBatch::try_from_iter_with_nullable(self.0.into_iter().map(|(name, cells)| (name, cells, true)))
            .map_err(execution)
    }
}

fn execution(e: datafusion::arrow::error::ArrowError) -> QueryError {
    QueryError::Execution(Box::new(e.into()))
}

/// Writes rows; says on stderr how many a Parquet file got.
pub(super) fn write_rows(
    rows: &RecordBatch,
    format: &Format,
    options: &RenderOptions,
    out: &mut dyn Write,
) -> Result<()> {
    render_batches(&rows.schema(), std::slice::from_ref(rows), format, options, out)?;
    if let Some(path) = parquet_path(format) {
        say!("{}: {} rows", path.display(), rows.num_rows());
    }
    Ok(())
}
