//! Rows as the store holds them, turned into rows as SQL shows them.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringViewArray, new_null_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use spanfile::Table;
use spanfile::schema::Column;

use super::ids::hex_array;

/// The SQL type of a stored type: ids and text are string views, the rest is as stored.
fn sql_type(stored: &DataType) -> DataType {
    match stored {
        DataType::FixedSizeBinary(_) | DataType::Utf8 => DataType::Utf8View,
        other => other.clone(),
    }
}

/// Schema of columns as SQL sees them.
pub(crate) fn sql_schema_of(columns: &[Column]) -> SchemaRef {
    let fields: Vec<Field> =
        // Nullable all: a scalar subquery without rows is NULL, which DataFusion refuses of a column that never is.
        columns.iter().map(|c| Field::new(c.name, sql_type(&c.class.data_type()), true)).collect();
    Arc::new(Schema::new(fields))
}

/// Schema of a table as SQL sees it.
pub(crate) fn sql_schema(table: Table) -> SchemaRef {
    static SCHEMAS: LazyLock<Vec<SchemaRef>> =
        LazyLock::new(|| Table::ALL.iter().map(|t| sql_schema_of(t.columns())).collect());
    Table::ALL.iter().position(|t| *t == table).map_or_else(|| sql_schema_of(table.columns()), |i| SCHEMAS[i].clone())
}

/// The type to read a stored column as, so that little is left to convert: text as views.
pub(crate) fn read_type(stored: &DataType) -> DataType {
    match stored {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        other => other.clone(),
    }
}

/// A batch with the columns of `schema`, found by name in `stored`; those that are not there are NULL.
pub(crate) fn to_sql(stored: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = schema
        .fields()
        .iter()
        .map(|f| match stored.column_by_name(f.name()) {
            Some(c) => column_to_sql(c, f.data_type()),
            None => Ok(new_null_array(f.data_type(), stored.num_rows())),
        })
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(stored.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

fn column_to_sql(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    match (column.data_type(), to) {
        (DataType::FixedSizeBinary(_), DataType::Utf8View) => hex_array(column.as_fixed_size_binary()),
        // Views onto the bytes that are there, without a copy.
        (DataType::Utf8, DataType::Utf8View) => Ok(Arc::new(StringViewArray::from(column.as_string::<i32>()))),
        (from, to) if from == to => Ok(Arc::clone(column)),
        (_, to) => Ok(cast(column, to)?),
    }
}
