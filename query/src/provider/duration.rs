//! `duration_ns`, which segments do not store: the difference of two times that they do.

use std::fmt::{self, Display, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Int64Array};
use datafusion::arrow::compute::kernels::arity::binary;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, TimestampNanosecondType};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use spanfile::schema::DURATION_OPERANDS;

/// End minus start, in nanoseconds; NULL where either is.
#[derive(Debug, Clone, Eq)]
pub(crate) struct DurationExpr {
    end: Arc<dyn PhysicalExpr>,
    start: Arc<dyn PhysicalExpr>,
}

impl DurationExpr {
    /// Over the columns of a table's schema.
    pub(crate) fn new(schema: &Schema) -> Result<Self> {
        let [end, start] = DURATION_OPERANDS;
        Ok(DurationExpr {
            end: Arc::new(Column::new_with_schema(end, schema)?),
            start: Arc::new(Column::new_with_schema(start, schema)?),
        })
    }
}

// Not derived: deriving would move the trait objects out of their Arcs.
impl PartialEq for DurationExpr {
    fn eq(&self, other: &Self) -> bool {
        self.end.eq(&other.end) && self.start.eq(&other.start)
    }
}

impl Hash for DurationExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.end.hash(state);
        self.start.hash(state);
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} - {}", self.end, self.start)
    }
}

impl PhysicalExpr for DurationExpr {
    fn return_field(&self, _input: &Schema) -> Result<FieldRef> {
        Ok(Arc::new(Field::new("duration_ns", DataType::Int64, true)))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let end = self.end.evaluate(batch)?.into_array(batch.num_rows())?;
        let start = self.start.evaluate(batch)?.into_array(batch.num_rows())?;
        let times =
            end.as_primitive_opt::<TimestampNanosecondType>().zip(start.as_primitive_opt::<TimestampNanosecondType>());
        let Some((end, start)) = times else {
            return internal_err!("{} or {} is not a time", self.end, self.start);
        };
        let duration: Int64Array = binary(end, start, |e, s| e.wrapping_sub(s))?;
        Ok(ColumnarValue::Array(Arc::new(duration)))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.end, &self.start]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match (children.pop(), children.pop(), children.is_empty()) {
            (Some(start), Some(end), true) => Ok(Arc::new(DurationExpr { end, start })),
            _ => internal_err!("a duration has two operands"),
        }
    }

    fn fmt_sql(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.end.fmt_sql(f)?;
        write!(f, " - ")?;
        self.start.fmt_sql(f)
    }
}
