//! Functions that are other names for what DataFusion can do already: the optimizer replaces their calls.

use datafusion::arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::functions::datetime::expr_fn::{date_bin, to_char};
use datafusion::functions::regex::expr_fn::regexp_match;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::functions_nested::expr_fn::array_element;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility, cast,
    lit,
};

/// Which scalar function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scalar {
    TimeBucket,
    Epoch,
    EpochMs,
    EpochNs,
    Strftime,
    RegexpExtract,
}

/// A scalar function that becomes an expression of others.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Rewritten {
    which: Scalar,
    signature: Signature,
}

impl Rewritten {
    pub(super) fn all() -> Vec<Rewritten> {
        use Scalar::*;
        [TimeBucket, Epoch, EpochMs, EpochNs, Strftime, RegexpExtract]
            .into_iter()
            .map(|which| Rewritten { which, signature: Signature::user_defined(Volatility::Immutable) })
            .collect()
    }
}

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

fn is_text(t: &DataType) -> bool {
    matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null)
}

/// Instants stay as they are; dates and text become instants.
fn instant(t: &DataType) -> Option<DataType> {
    match t {
        DataType::Timestamp(..) => Some(t.clone()),
        DataType::Date32 | DataType::Date64 => Some(DataType::Timestamp(TimeUnit::Nanosecond, None)),
        t if is_text(t) => Some(DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))),
        _ => None,
    }
}

impl ScalarUDFImpl for Rewritten {
    fn name(&self) -> &str {
        match self.which {
            Scalar::TimeBucket => "time_bucket",
            Scalar::Epoch => "epoch",
            Scalar::EpochMs => "epoch_ms",
            Scalar::EpochNs => "epoch_ns",
            Scalar::Strftime => "strftime",
            Scalar::RegexpExtract => "regexp_extract",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let types = match (self.which, given) {
            (Scalar::TimeBucket, [width, time, origin @ ..]) if origin.len() <= 1 => {
                let width = (is_text(width) || matches!(width, DataType::Interval(_))).then_some(INTERVAL);
                let time = instant(time);
                let origin = origin.iter().map(|_| time.clone()).collect::<Vec<_>>();
                [vec![width, time], origin].concat().into_iter().collect()
            }
            (Scalar::Epoch | Scalar::EpochMs | Scalar::EpochNs, [time]) => instant(time).map(|t| vec![t]),
            // DuckDB's order of arguments, and SQLite's.
            (Scalar::Strftime, [time, format]) if is_text(format) && !is_text(time) => {
                instant(time).map(|t| vec![t, DataType::Utf8])
            }
            (Scalar::Strftime, [format, time]) if is_text(format) => instant(time).map(|t| vec![DataType::Utf8, t]),
            (Scalar::RegexpExtract, [text, pattern, group @ ..])
                if is_text(text) && is_text(pattern) && group.len() <= 1 =>
            {
                let group = group.iter().map(|_| DataType::Int64);
                Some([text.clone(), text.clone()].into_iter().chain(group).collect())
            }
            _ => None,
        };
        let usage = match self.which {
            Scalar::TimeBucket => "time_bucket(width, time [, origin])",
            Scalar::Epoch => "epoch(time)",
            Scalar::EpochMs => "epoch_ms(time)",
            Scalar::EpochNs => "epoch_ns(time)",
            Scalar::Strftime => "strftime(time, format)",
            Scalar::RegexpExtract => "regexp_extract(text, pattern [, group])",
        };
        match types {
            Some(t) => Ok(t),
            None => plan_err!("expected {usage}"),
        }
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(match self.which {
            Scalar::TimeBucket => given[1].clone(),
            Scalar::Epoch => DataType::Float64,
            Scalar::EpochMs | Scalar::EpochNs => DataType::Int64,
            Scalar::Strftime => DataType::Utf8,
            Scalar::RegexpExtract => given[0].clone(),
        })
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("{} is replaced before it runs", self.name())
    }

    fn simplify(&self, mut args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let since = |unit: TimeUnit, time: &Expr| -> Result<Expr> {
            let zone = match info.get_data_type(time)? {
                DataType::Timestamp(_, zone) => zone,
                _ => None,
            };
            Ok(cast(cast(time.clone(), DataType::Timestamp(unit, zone)), DataType::Int64))
        };
        let expr = match (self.which, args.as_slice()) {
            (Scalar::TimeBucket, [width, time]) => {
                // Weeks begin on Mondays, everything else at the epoch would too: 1970-01-05 was one.
                let origin = ScalarValue::TimestampNanosecond(Some(345_600_000_000_000), None);
                date_bin(width.clone(), time.clone(), cast(lit(origin), info.get_data_type(time)?))
            }
            (Scalar::TimeBucket, [width, time, origin]) => date_bin(width.clone(), time.clone(), origin.clone()),
            (Scalar::Epoch, [time]) => {
                cast(since(TimeUnit::Nanosecond, time)?, DataType::Float64) / lit(1_000_000_000.0)
            }
            (Scalar::EpochMs, [time]) => since(TimeUnit::Millisecond, time)?,
            (Scalar::EpochNs, [time]) => since(TimeUnit::Nanosecond, time)?,
            (Scalar::Strftime, [a, b]) => {
                if is_text(&info.get_data_type(a)?) {
                    to_char(b.clone(), a.clone())
                } else {
                    to_char(a.clone(), b.clone())
                }
            }
            (Scalar::RegexpExtract, [text, pattern, rest @ ..]) => {
                // One group around the whole pattern, so that group 0 is there too.
                let (open, close) =
                    (cast(lit("("), info.get_data_type(pattern)?), cast(lit(")"), info.get_data_type(pattern)?));
                let whole = cast(
                    datafusion::functions::string::expr_fn::concat(vec![open, pattern.clone(), close]),
                    info.get_data_type(text)?,
                );
                let group = rest.first().cloned().unwrap_or_else(|| lit(0_i64)) + lit(1_i64);
                array_element(regexp_match(text.clone(), whole, None), group)
            }
            _ => return Ok(ExprSimplifyResult::Original(std::mem::take(&mut args))),
        };
        // The call's type was promised; what replaces it must keep it.
        let promised = {
            let given = args.iter().map(|a| info.get_data_type(a)).collect::<Result<Vec<_>>>()?;
            self.return_type(&given)?
        };
        let same = info.get_data_type(&expr).is_ok_and(|t| t == promised);
        Ok(ExprSimplifyResult::Simplified(if same { expr } else { cast(expr, promised) }))
    }
}

/// Which aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Aggregate {
    ArgMax,
    ArgMin,
    CountIf,
}

/// An aggregate that becomes another one with a filter or an order.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct RewrittenAggregate {
    which: Aggregate,
    signature: Signature,
    aliases: Vec<String>,
}

impl RewrittenAggregate {
    pub(super) fn all() -> Vec<RewrittenAggregate> {
        let make = |which, alias: &[&str], signature| RewrittenAggregate {
            which,
            signature,
            aliases: alias.iter().map(|a| (*a).to_owned()).collect(),
        };
        let two = || Signature::any(2, Volatility::Immutable);
        vec![
            make(Aggregate::ArgMax, &["max_by"], two()),
            make(Aggregate::ArgMin, &["min_by"], two()),
            make(Aggregate::CountIf, &["countif"], Signature::exact(vec![DataType::Boolean], Volatility::Immutable)),
        ]
    }
}

impl AggregateUDFImpl for RewrittenAggregate {
    fn name(&self) -> &str {
        match self.which {
            Aggregate::ArgMax => "arg_max",
            Aggregate::ArgMin => "arg_min",
            Aggregate::CountIf => "count_if",
        }
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(match self.which {
            Aggregate::CountIf => DataType::Int64,
            Aggregate::ArgMax | Aggregate::ArgMin => given[0].clone(),
        })
    }

    fn is_nullable(&self) -> bool {
        self.which != Aggregate::CountIf
    }

    fn default_value(&self, t: &DataType) -> Result<ScalarValue> {
        match self.which {
            Aggregate::CountIf => Ok(ScalarValue::Int64(Some(0))),
            _ => ScalarValue::try_from(t),
        }
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        exec_err!("{} is replaced before it runs", self.name())
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        let which = self.which;
        Some(Box::new(move |call, _| {
            let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = call.params;
            let also = |condition: Expr| {
                Some(Box::new(match filter.clone() {
                    Some(f) => f.as_ref().clone().and(condition),
                    None => condition,
                }))
            };
            let (func, params) = match (which, args.as_slice()) {
                (Aggregate::CountIf, [condition]) => (
                    count_udaf(),
                    AggregateFunctionParams {
                        args: vec![lit(1_i64)],
                        distinct: false,
                        filter: also(condition.clone()),
                        order_by: vec![],
                        null_treatment: None,
                    },
                ),
                (Aggregate::ArgMax | Aggregate::ArgMin, [value, by]) => (
                    first_value_udaf(),
                    AggregateFunctionParams {
                        args: vec![value.clone()],
                        distinct,
                        // As in DuckDB, rows where either is NULL do not count.
                        filter: also(value.clone().is_not_null().and(by.clone().is_not_null())),
                        order_by: vec![by.clone().sort(which == Aggregate::ArgMin, false)],
                        null_treatment,
                    },
                ),
                _ => return plan_err!("unexpected arguments {args:?} {order_by:?}"),
            };
            Ok(Expr::AggregateFunction(AggregateFunction { func, params }))
        }))
    }
}
