//! Columns of small results as plain values.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use spanfile::schema::{USD_PRECISION, USD_SCALE};
use spanfile_query::{QueryError, Result};

fn column(batch: &RecordBatch, name: &str, to: &DataType) -> Result<datafusion::arrow::array::ArrayRef> {
    let column = batch.column_by_name(name).map(|c| cast(c, to));
    let missing = || datafusion::error::DataFusionError::Internal(format!("no column {name}"));
    match column {
        Some(Ok(c)) => Ok(c),
        Some(Err(e)) => Err(QueryError::Execution(Box::new(e.into()))),
        None => Err(QueryError::Execution(Box::new(missing()))),
    }
}

pub(crate) fn texts(batch: &RecordBatch, name: &str) -> Result<Vec<Option<String>>> {
    let c = column(batch, name, &DataType::Utf8)?;
    Ok(c.as_string::<i32>().iter().map(|t| t.map(str::to_owned)).collect())
}

pub(crate) fn ints(batch: &RecordBatch, name: &str) -> Result<Vec<Option<i64>>> {
    Ok(column(batch, name, &DataType::Int64)?.as_primitive::<Int64Type>().iter().collect())
}

pub(super) fn doubles(batch: &RecordBatch, name: &str) -> Result<Vec<Option<f64>>> {
    Ok(column(batch, name, &DataType::Float64)?.as_primitive::<Float64Type>().iter().collect())
}

pub(super) fn flags(batch: &RecordBatch, name: &str) -> Result<Vec<Option<bool>>> {
    Ok(column(batch, name, &DataType::Boolean)?.as_boolean().iter().collect())
}

pub(super) fn usd(batch: &RecordBatch, name: &str) -> Result<Vec<Option<i128>>> {
    let c = column(batch, name, &DataType::Decimal128(USD_PRECISION, USD_SCALE))?;
    Ok((0..c.len()).map(|i| c.is_valid(i).then(|| c.as_primitive::<Decimal128Type>().value(i))).collect())
}
