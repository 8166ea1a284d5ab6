//! Division of money, to the pico-dollar.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Decimal128Array};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use spanfile::schema::{USD_PRECISION, USD_SCALE};

/// The type of money.
pub(crate) const USD: DataType = DataType::Decimal128(USD_PRECISION, USD_SCALE);

/// `usd_per(money, count)`: rounded half to even; NULL where the count is zero or less.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct UsdPer {
    signature: Signature,
}

impl UsdPer {
    pub(super) fn new() -> Self {
        UsdPer { signature: Signature::exact(vec![USD, DataType::Int64], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for UsdPer {
    fn name(&self) -> &str {
        "usd_per"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(USD)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let (money, count) = (arrays[0].as_primitive::<Decimal128Type>(), arrays[1].as_primitive::<Int64Type>());
        let per: Decimal128Array = (0..money.len())
            .map(|i| {
                let valid = money.is_valid(i) && count.is_valid(i) && count.value(i) > 0;
                valid.then(|| half_to_even(money.value(i), i128::from(count.value(i))))
            })
            .collect();
        Ok(ColumnarValue::Array(Arc::new(per.with_precision_and_scale(USD_PRECISION, USD_SCALE)?)))
    }
}

fn half_to_even(money: i128, count: i128) -> i128 {
    let (whole, rest) = (money.div_euclid(count), money.rem_euclid(count));
    let up = match (rest * 2).cmp(&count) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => whole % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    whole + i128::from(up)
}

#[cfg(test)]
mod tests {
    use super::half_to_even;

    #[test]
    fn money_is_rounded_half_to_even() {
        let all = [(7, 2, 4), (5, 2, 2), (1, 3, 0), (2, 3, 1), (-1, 2, 0), (-3, 2, -2), (9, 3, 3)];
        for (money, count, per) in all {
            assert_eq!(half_to_even(money, count), per, "{money} / {count}");
        }
    }
}
