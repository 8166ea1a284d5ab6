//! Arguments of table functions: constants in the places of parameters.

use std::borrow::Borrow;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Expr;

/// The arguments of one call, and whose they are, for errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants<'a, E> {
    pub(crate) function: &'static str,
    pub(crate) args: &'a [E],
}

impl<'a, E: Borrow<Expr>> Constants<'a, E> {
    /// The argument of a parameter; NULL is none.
    pub(crate) fn value(&self, at: usize) -> Result<Option<&'a ScalarValue>> {
        match self.args.get(at).map(Borrow::borrow) {
            None => Ok(None),
            Some(Expr::Literal(value, _)) => Ok(Some(value).filter(|v| !v.is_null())),
            Some(other) => plan_err!("{} takes constants, not {other}", self.function),
        }
    }

    pub(crate) fn text(&self, at: usize) -> Result<Option<&'a str>> {
        match self.value(at)? {
            None => Ok(None),
            Some(value) => match value.try_as_str() {
                Some(Some(text)) => Ok(Some(text)),
                _ => plan_err!("{}: {value} is no text", self.function),
            },
        }
    }

    pub(crate) fn number(&self, at: usize) -> Result<Option<f64>> {
        let Some(value) = self.value(at)? else { return Ok(None) };
        match value.cast_to(&DataType::Float64) {
            Ok(ScalarValue::Float64(number)) => Ok(number),
            _ => plan_err!("{}: {value} is no number", self.function),
        }
    }
}
