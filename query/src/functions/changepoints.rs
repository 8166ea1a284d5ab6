//! `changepoints(x ORDER BY t)`: where the level of a series changes, as the positions, from 1, of the first values after
//! each change, among those that are not NULL.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::{SortOptions, cast};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err, internal_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use spanfile::drift::Settings;
use spanfile::stats::level_changes;

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Changepoints {
    signature: Signature,
}

impl Changepoints {
    pub(super) fn new() -> Self {
        Changepoints { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Changepoints {
    fn name(&self) -> &'static str {
        "changepoints"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given {
            [x] if x.is_numeric() || x.is_null() => Ok(DataType::new_list(DataType::Int64, true)),
            [x] => plan_err!("changepoints(x ORDER BY t): x is no number but {x}"),
            _ => plan_err!("expected changepoints(x ORDER BY t)"),
        }
    }

    /// Values are sorted here, with their keys beside them: their order on arrival means nothing.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Beneficial
    }

    fn with_beneficial_ordering(self: Arc<Self>, _beneficial: bool) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(Some(self))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let list =
            |name, item| Arc::new(Field::new(format_state_name(args.name, name), DataType::new_list(item, true), true));
        Ok(vec![list("values", DataType::Float64), list("keys", DataType::Binary)])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!("changepoints(x ORDER BY t) takes no DISTINCT");
        }
        if args.order_bys.is_empty() {
            return plan_err!("changepoints(x ORDER BY t) needs the order: ORDER BY is missing");
        }
        let field = |by: &datafusion::physical_expr::PhysicalSortExpr| {
            let SortOptions { descending, nulls_first } = by.options;
            let options = SortOptions { descending, nulls_first };
            Ok(SortField::new_with_options(by.expr.data_type(args.schema)?, options))
        };
        let fields = args.order_bys.iter().map(field).collect::<Result<_>>()?;
        Ok(Box::new(Series { keys: RowConverter::new(fields)?, values: Vec::new(), bytes: 0 }))
    }
}

/// Values with what they are ordered by, as bytes that compare alike.
#[derive(Debug)]
struct Series {
    keys: RowConverter,
    values: Vec<(Box<[u8]>, f64)>,
    bytes: usize,
}

impl Series {
    fn push(&mut self, key: &[u8], value: f64) {
        self.bytes += key.len();
        self.values.push((key.into(), value));
    }
}

impl Accumulator for Series {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let Some((x, by)) = columns.split_first() else { return internal_err!("changepoints has an argument") };
        let x = cast(x, &DataType::Float64)?;
        let x = x.as_primitive::<Float64Type>();
        let keys = self.keys.convert_columns(by)?;
        for row in (0..x.len()).filter(|&row| x.is_valid(row)) {
            if !x.value(row).is_finite() {
                return exec_err!("changepoints: {} is no finite number", x.value(row));
            }
            self.push(keys.row(row).as_ref(), x.value(row));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        // Values of one moment in ascending order, whatever order they came in.
        self.values.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let series: Vec<f64> = self.values.iter().map(|(_, value)| *value).collect();
        let Settings { change_min_runs, change_penalty, .. } = Settings::default();
        let found = level_changes(&series, change_min_runs, change_penalty)
            .map_err(|e| DataFusionError::External(Box::new(e)))?;
        let positions: Vec<ScalarValue> =
            found.at.into_iter().map(|at| ScalarValue::Int64(i64::try_from(at + 1).ok())).collect();
        Ok(ScalarValue::List(ScalarValue::new_list_nullable(&positions, &DataType::Int64)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes + self.values.capacity() * size_of::<(Box<[u8]>, f64)>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (keys, values): (Vec<_>, Vec<_>) = std::mem::take(&mut self.values)
            .into_iter()
            .map(|(key, value)| (ScalarValue::Binary(Some(key.into_vec())), ScalarValue::Float64(Some(value))))
            .unzip();
        self.bytes = 0;
        Ok(vec![
            ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Float64)),
            ScalarValue::List(ScalarValue::new_list_nullable(&keys, &DataType::Binary)),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, keys] = states else { return internal_err!("changepoints has two states") };
        for (values, keys) in values.as_list::<i32>().iter().zip(keys.as_list::<i32>().iter()) {
            let (Some(values), Some(keys)) = (values, keys) else { continue };
            let (values, keys) = (values.as_primitive::<Float64Type>(), keys.as_binary::<i32>());
            for row in 0..values.len() {
                self.push(keys.value(row), values.value(row));
            }
        }
        Ok(())
    }
}
