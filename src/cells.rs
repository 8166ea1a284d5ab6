//! Columns of record batches, value by value. A column that a batch lacks reads as NULL.

use arrow::array::{
    Array, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Int64Array,
    RecordBatch, StringArray, TimestampNanosecondArray,
};
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type, TimestampNanosecondType};

use crate::model::{SpanId, TraceId};
use crate::schema::SPAN_ID_BYTES;

/// A text column, or nothing when the batch lacks it or holds no value of it; so are the others.
pub(crate) struct Text<'a>(Option<&'a StringArray>);

impl<'a> Text<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, name: &str) -> Self {
        Text(batch.column_by_name(name).filter(|c| c.null_count() < c.len()).and_then(|c| c.as_string_opt()))
    }

    pub(crate) fn at(&self, row: usize) -> Option<&'a str> {
        self.0.filter(|c| c.is_valid(row)).map(|c| c.value(row))
    }
}

pub(crate) struct Bytes<'a>(Option<&'a BinaryArray>);

impl<'a> Bytes<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, name: &str) -> Self {
        Bytes(batch.column_by_name(name).filter(|c| c.null_count() < c.len()).and_then(|c| c.as_binary_opt()))
    }

    pub(crate) fn at(&self, row: usize) -> Option<&'a [u8]> {
        self.0.filter(|c| c.is_valid(row)).map(|c| c.value(row))
    }
}

pub(crate) struct Int<'a>(Option<&'a Int64Array>);

impl<'a> Int<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, name: &str) -> Self {
        let column = batch.column_by_name(name).filter(|c| c.null_count() < c.len());
        Int(column.and_then(|c| c.as_primitive_opt::<Int64Type>()))
    }

    pub(crate) fn at(&self, row: usize) -> Option<i64> {
        self.0.filter(|c| c.is_valid(row)).map(|c| c.value(row))
    }
}

pub(crate) struct Time<'a>(Option<&'a TimestampNanosecondArray>);

impl<'a> Time<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, name: &str) -> Self {
        let column = batch.column_by_name(name).filter(|c| c.null_count() < c.len());
        Time(column.and_then(|c| c.as_primitive_opt::<TimestampNanosecondType>()))
    }

    pub(crate) fn at(&self, row: usize) -> Option<i64> {
        self.0.filter(|c| c.is_valid(row)).map(|c| c.value(row))
    }
}

pub(crate) struct Usd<'a>(Option<&'a Decimal128Array>);

impl<'a> Usd<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, name: &str) -> Self {
        let column = batch.column_by_name(name).filter(|c| c.null_count() < c.len());
        Usd(column.and_then(|c| c.as_primitive_opt::<Decimal128Type>()))
    }

    pub(crate) fn at(&self, row: usize) -> Option<i128> {
        self.0.filter(|c| c.is_valid(row)).map(|c| c.value(row))
    }
}

pub(crate) struct Id<'a>(Option<&'a FixedSizeBinaryArray>);

impl<'a> Id<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, name: &str) -> Self {
        Id(batch.column_by_name(name).and_then(|c| c.as_fixed_size_binary_opt()))
    }

    pub(crate) fn at(&self, row: usize) -> Option<SpanId> {
        let bytes = self.0.filter(|c| c.is_valid(row))?.value(row);
        <[u8; SPAN_ID_BYTES]>::try_from(bytes).ok().map(SpanId)
    }
}

pub(crate) struct Flag<'a>(Option<&'a BooleanArray>);

impl<'a> Flag<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, name: &str) -> Self {
        Flag(batch.column_by_name(name).and_then(|c| c.as_boolean_opt()))
    }

    pub(crate) fn at(&self, row: usize) -> Option<bool> {
        self.0.filter(|c| c.is_valid(row)).map(|c| c.value(row))
    }
}

pub(crate) struct Day<'a>(Option<&'a Date32Array>);

impl<'a> Day<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, name: &str) -> Self {
        Day(batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<Date32Type>()))
    }

    pub(crate) fn at(&self, row: usize) -> Option<i32> {
        self.0.filter(|c| c.is_valid(row)).map(|c| c.value(row))
    }
}

pub(crate) struct Trace<'a>(Option<&'a FixedSizeBinaryArray>);

impl<'a> Trace<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, name: &str) -> Self {
        Trace(batch.column_by_name(name).and_then(|c| c.as_fixed_size_binary_opt()))
    }

    pub(crate) fn at(&self, row: usize) -> Option<TraceId> {
        self.0.filter(|c| c.is_valid(row))?.value(row).try_into().ok().map(TraceId)
    }
}
