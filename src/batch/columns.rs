//! Arrow builders for a table of which most columns are NULL in most rows.
//!
//! A column is touched only by rows that have a value for it: the NULLs before that value are added in one go when it
//! comes, or when the batch ends.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, FixedSizeBinaryBuilder, Float64Builder,
    Int64Builder, StringBuilder, TimestampNanosecondBuilder, new_null_array,
};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;

use crate::normalise::Cell;

pub(crate) struct Columns {
    schema: SchemaRef,
    columns: Vec<Column>,
    /// Finished rows; the row being written comes after them.
    rows: usize,
    /// Text bytes of the row being written.
    row_bytes: usize,
}

struct Column {
    data_type: DataType,
    builder: Builder,
    /// Rows that the builder holds, NULLs included.
    len: usize,
    /// Rows and bytes of text that the last batch had: the next will have about as many, and need not grow there.
    last: (usize, usize),
}

enum Builder {
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Id(FixedSizeBinaryBuilder),
    Int(Int64Builder),
    Time(TimestampNanosecondBuilder),
    Double(Float64Builder),
    Usd(Decimal128Builder),
    Flag(BooleanBuilder),
    Day(Date32Builder),
}

impl Builder {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::FixedSizeBinary(width) => Builder::Id(FixedSizeBinaryBuilder::new(*width)),
            DataType::Binary => Builder::Bytes(BinaryBuilder::new()),
            DataType::Int64 => Builder::Int(Int64Builder::new()),
            DataType::Timestamp(..) => {
                Builder::Time(TimestampNanosecondBuilder::new().with_data_type(data_type.clone()))
            }
            DataType::Float64 => Builder::Double(Float64Builder::new()),
            DataType::Decimal128(..) => Builder::Usd(Decimal128Builder::new().with_data_type(data_type.clone())),
            DataType::Boolean => Builder::Flag(BooleanBuilder::new()),
            DataType::Date32 => Builder::Day(Date32Builder::new()),
            // Every other class of the schema is text.
            _ => Builder::Text(StringBuilder::new()),
        }
    }

    fn nulls(&mut self, n: usize) {
        match self {
            Builder::Text(b) => b.append_nulls(n),
            Builder::Bytes(b) => b.append_nulls(n),
            Builder::Id(b) => b.append_nulls(n),
            Builder::Int(b) => b.append_nulls(n),
            Builder::Time(b) => b.append_nulls(n),
            Builder::Double(b) => b.append_nulls(n),
            Builder::Usd(b) => b.append_nulls(n),
            Builder::Flag(b) => b.append_nulls(n),
            Builder::Day(b) => b.append_nulls(n),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Builder::Text(b) => Arc::new(b.finish()),
            Builder::Bytes(b) => Arc::new(b.finish()),
            Builder::Id(b) => Arc::new(b.finish()),
            Builder::Int(b) => Arc::new(b.finish()),
            Builder::Time(b) => Arc::new(b.finish()),
            Builder::Double(b) => Arc::new(b.finish()),
            Builder::Usd(b) => Arc::new(b.finish()),
            Builder::Flag(b) => Arc::new(b.finish()),
            Builder::Day(b) => Arc::new(b.finish()),
        }
    }
}

impl Column {
    /// Makes room for as much text as the last batch had and an eighth more.
    fn make_room(&mut self) {
        let (rows, bytes) = self.last;
        if let Builder::Text(b) = &mut self.builder {
            *b = StringBuilder::with_capacity(rows, bytes + bytes / 8);
        }
    }

    fn pad(&mut self, rows: usize) {
        if self.len < rows {
            self.builder.nulls(rows - self.len);
            self.len = rows;
        }
    }

    fn finish(&mut self, rows: usize) -> ArrayRef {
        if self.len == 0 {
            return new_null_array(&self.data_type, rows);
        }
        self.pad(rows);
        self.len = 0;
        if let Builder::Text(b) = &self.builder {
            self.last = (rows, b.values_slice().len());
        }
        self.builder.finish()
    }
}

impl Columns {
    pub(crate) fn new(schema: &SchemaRef) -> Self {
        let columns = schema
            .fields()
            .iter()
            .map(|f| Column {
                data_type: f.data_type().clone(),
                builder: Builder::new(f.data_type()),
                len: 0,
                last: (0, 0),
            })
            .collect();
        Columns { schema: schema.clone(), columns, rows: 0, row_bytes: 0 }
    }

    /// How many columns there are.
    pub(crate) fn len(&self) -> usize {
        self.columns.len()
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Memory apart from text: offsets, validity and fixed-width values.
    pub(crate) fn fixed_bytes(&self) -> usize {
        self.rows * self.columns.len() * 5
    }

    /// The builder of a column, with NULLs up to the row being written.
    fn at(&mut self, column: usize) -> &mut Builder {
        let c = &mut self.columns[column];
        if c.len == 0 {
            c.make_room();
        }
        c.pad(self.rows);
        c.len = self.rows + 1;
        &mut c.builder
    }

    /// Sets text; empty text is NULL.
    pub(crate) fn text(&mut self, column: usize, text: &str) {
        if text.is_empty() {
            return;
        }
        self.row_bytes += text.len();
        if let Builder::Text(b) = self.at(column) {
            b.append_value(text);
        }
    }

    pub(crate) fn bytes(&mut self, column: usize, bytes: &[u8]) {
        self.row_bytes += bytes.len();
        if let Builder::Bytes(b) = self.at(column) {
            b.append_value(bytes);
        }
    }

    pub(crate) fn id(&mut self, column: usize, id: &[u8]) {
        if let Builder::Id(b) = self.at(column) {
            // The only error is a wrong width, and widths are part of the id types.
            let appended = b.append_value(id);
            debug_assert!(appended.is_ok());
        }
    }

    /// Sets an integer or a time.
    pub(crate) fn int(&mut self, column: usize, v: i64) {
        match self.at(column) {
            Builder::Int(b) => b.append_value(v),
            Builder::Time(b) => b.append_value(v),
            _ => {}
        }
    }

    pub(crate) fn flag(&mut self, column: usize, v: bool) {
        if let Builder::Flag(b) = self.at(column) {
            b.append_value(v);
        }
    }

    /// Sets a day, in days since 1970.
    pub(crate) fn day(&mut self, column: usize, v: i32) {
        if let Builder::Day(b) = self.at(column) {
            b.append_value(v);
        }
    }

    pub(crate) fn double(&mut self, column: usize, v: f64) {
        if let Builder::Double(b) = self.at(column) {
            b.append_value(v);
        }
    }

    /// Sets money, in pico-dollars.
    pub(crate) fn usd(&mut self, column: usize, v: i128) {
        if let Builder::Usd(b) = self.at(column) {
            b.append_value(v);
        }
    }

    pub(crate) fn cell(&mut self, column: usize, cell: &Cell<'_>) {
        match cell {
            Cell::Null => {}
            Cell::Text(s) => self.text(column, s),
            Cell::Int(v) => self.int(column, *v),
            Cell::Double(v) => self.double(column, *v),
            Cell::Usd(v) => self.usd(column, (*v).into()),
        }
    }

    /// Ends the row being written; how many bytes of text it has.
    pub(crate) fn end_row(&mut self) -> usize {
        self.rows += 1;
        std::mem::take(&mut self.row_bytes)
    }

    pub(crate) fn finish(&mut self) -> RecordBatch {
        let rows = std::mem::take(&mut self.rows);
        let arrays = self.columns.iter_mut().map(|c| c.finish(rows)).collect();
        #[expect(clippy::expect_used, reason = "the builders were made from this schema and padded to one length")]
        RecordBatch::try_new(self.schema.clone(), arrays).expect("columns fit the schema they were built from")
    }
}
