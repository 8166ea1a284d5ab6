//! Columns that segments do not store: the difference of others that they do.

use std::fmt::{self, Display, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::kernels::arity::binary;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

/// The first operand minus the others, times as nanoseconds; NULL where any of them is.
#[derive(Debug, Clone, Eq)]
pub(crate) struct ComputedExpr {
    name: String,
    operands: Vec<Arc<dyn PhysicalExpr>>,
}

impl ComputedExpr {
    /// A column over the columns of a table's schema.
    pub(crate) fn new(name: &str, operands: &[&str], schema: &Schema) -> Result<Self> {
        let operands = operands.iter().map(|n| Ok(Arc::new(Column::new_with_schema(n, schema)?) as _));
        Ok(ComputedExpr { name: name.to_owned(), operands: operands.collect::<Result<_>>()? })
    }
}

// Not derived: deriving would move the trait objects out of their Arcs.
impl PartialEq for ComputedExpr {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.operands.eq(&other.operands)
    }
}

impl Hash for ComputedExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.operands.hash(state);
    }
}

impl Display for ComputedExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, e) in self.operands.iter().enumerate() {
            write!(f, "{}{e}", if i > 0 { " - " } else { "" })?;
        }
        Ok(())
    }
}

impl PhysicalExpr for ComputedExpr {
    fn return_field(&self, _input: &Schema) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(&self.name, DataType::Int64, true)))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let numbers = self.operands.iter().map(|e| {
            let array = e.evaluate(batch)?.into_array(batch.num_rows())?;
            Ok(cast(&array, &DataType::Int64)?)
        });
        let numbers: Vec<ArrayRef> = numbers.collect::<Result<_>>()?;
        let Some((first, others)) = numbers.split_first() else {
            return internal_err!("{} has no operands", self.name);
        };
        let mut left: Int64Array = first.as_primitive::<Int64Type>().clone();
        for other in others {
            left = binary(&left, other.as_primitive::<Int64Type>(), i64::wrapping_sub)?;
        }
        Ok(ColumnarValue::Array(Arc::new(left)))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.operands.iter().collect()
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        if children.len() != self.operands.len() {
            return internal_err!("{} has {} operands, not {}", self.name, self.operands.len(), children.len());
        }
        Ok(Arc::new(ComputedExpr { name: self.name.clone(), operands: children }))
    }

    fn fmt_sql(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, e) in self.operands.iter().enumerate() {
            write!(f, "{}", if i > 0 { " - " } else { "" })?;
            e.fmt_sql(f)?;
        }
        Ok(())
    }
}
