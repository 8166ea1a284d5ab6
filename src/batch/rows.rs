//! Finished rows as the store takes them.

use arrow::array::{Array, RecordBatch};
use arrow::error::ArrowError;

use super::SpanBatch;
use crate::schema;

impl SpanBatch {
    /// Span rows without log records.
    pub(crate) fn of_spans(spans: RecordBatch) -> Self {
        SpanBatch { spans, logs: RecordBatch::new_empty(schema::events()) }
    }

    /// Log records without span rows.
    pub(crate) fn of_logs(logs: RecordBatch) -> Self {
        SpanBatch { spans: RecordBatch::new_empty(schema::pipeline()), logs }
    }

    /// Memory that the rows hold, about.
    pub(crate) fn bytes(&self) -> usize {
        self.spans.get_array_memory_size() + self.logs.get_array_memory_size()
    }

    /// Rows made elsewhere must have the schemas of the pipeline, to the letter, and no NULL where none belongs.
    pub(crate) fn check(&self) -> Result<(), ArrowError> {
        for (rows, schema) in [(&self.spans, schema::pipeline()), (&self.logs, schema::events())] {
            if rows.schema_ref() != &schema {
                return Err(ArrowError::SchemaError(format!(
                    "rows have the schema {}, not {schema}",
                    rows.schema_ref()
                )));
            }
            for (field, column) in schema.fields().iter().zip(rows.columns()) {
                if !field.is_nullable() && column.null_count() > 0 {
                    return Err(ArrowError::SchemaError(format!("column {} holds NULL", field.name())));
                }
            }
        }
        Ok(())
    }
}
