//! Rows as Parquet: one writer per part, settings per class of column.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::Table;
use super::arrivals::project;
use crate::limits::{PAGE_ROWS, ROW_GROUP_ROWS, TEXT_PAGE_BYTES, WRITE_BATCH_ROWS};
use crate::schema::{Class, Origin};

/// zstd level of segments sealed while data comes in, which compaction writes anew: level 3 makes them 9 % smaller and
/// takes 5 to 14 % more of an ingest's CPU.
pub(crate) const INGEST_LEVEL: i32 = 1;
/// zstd level of segments made by compaction.
pub(crate) const ARCHIVE_LEVEL: i32 = 12;

/// Writes the rows of one part, in order.
pub(crate) struct PartWriter {
    schema: SchemaRef,
    writer: ArrowWriter<Vec<u8>>,
    rows: u64,
}

impl PartWriter {
    /// A writer for a table's part with the columns for which `used` says yes. A column that is left out is NULL in
    /// every row, which costs nothing to store and nothing to read.
    pub(crate) fn new(table: Table, used: impl Fn(usize) -> bool, level: i32) -> Result<Self, ParquetError> {
        let full = table.schema();
        let stored = |i: usize| {
            let c = &table.columns()[i];
            c.origin != Origin::Computed && (!c.nullable || used(i))
        };
        let fields: Vec<_> =
            full.fields().iter().enumerate().filter(|(i, _)| stored(*i)).map(|(_, f)| f.clone()).collect();
        let schema = Arc::new(Schema::new(fields));
        let options =
            ArrowWriterOptions::new().with_properties(properties(table, level)?).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), schema.clone(), options)?;
        Ok(PartWriter { schema, writer, rows: 0 })
    }

    /// Columns that are written.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Appends rows; columns are taken by name.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(&project(batch, &self.schema)?)
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The finished part.
    pub(crate) fn finish(self) -> Result<Vec<u8>, ParquetError> {
        self.writer.into_inner()
    }
}

fn properties(table: Table, level: i32) -> Result<WriterProperties, ParquetError> {
    let mut p = WriterProperties::builder()
        .set_created_by(concat!("spanfile ", env!("CARGO_PKG_VERSION")).to_string())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(level)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(WRITE_BATCH_ROWS)
        .set_statistics_truncate_length(Some(64))
        .set_column_index_truncate_length(Some(32));
    for c in table.columns() {
        let path = ColumnPath::from(c.name);
        p = match c.class {
            Class::Text | Class::Json => p
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
                .set_column_data_page_size_limit(path.clone(), TEXT_PAGE_BYTES)
                .set_column_statistics_enabled(path, EnabledStatistics::None),
            // Almost every value is new: a dictionary would be written, outgrown and thrown away.
            Class::SpanId | Class::Hash | Class::Time | Class::Int | Class::Double | Class::Usd | Class::Flag => {
                let p = p.set_column_dictionary_enabled(path.clone(), false);
                // Random ids: minimum and maximum of a page exclude nothing.
                if matches!(c.class, Class::SpanId | Class::Hash) {
                    p.set_column_statistics_enabled(path, EnabledStatistics::None)
                } else {
                    p
                }
            }
            Class::TraceId | Class::Label | Class::Key | Class::Count | Class::Day => p,
        };
    }
    Ok(p.build())
}
