//! Prices in SQL: `cost_usd`, `price_call` and `price_match`, at the prices of a database's price book.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, StringArray, StringBuilder, StructArray, TimestampNanosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Int64Type, TimeUnit, TimestampNanosecondType};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use spanfile::cost::{Bucket, Context, Match, PriceBook, Rates, Unpriced, Usage};
use spanfile::schema::{USD_PRECISION, USD_SCALE};

use super::named;
use super::usd::USD;
use crate::catalog::Database;
use crate::provider::store_error;

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    /// What a call costs.
    CostUsd,
    /// That, and why.
    PriceCall,
    /// Which price a model has.
    PriceMatch,
}

/// Names of the functions.
pub(crate) const NAMES: [&str; 3] = ["cost_usd", "price_call", "price_match"];

/// Makes the functions known to a session.
pub(crate) fn register(registry: &mut dyn FunctionRegistry, database: &Arc<Database>) -> Result<()> {
    for which in [Which::CostUsd, Which::PriceCall, Which::PriceMatch] {
        let signature = Signature::user_defined(Volatility::Stable);
        let function = Priced { which, signature, database: Arc::downgrade(database) };
        registry.register_udf(Arc::new(ScalarUDF::from(function)))?;
    }
    Ok(())
}

#[derive(Debug)]
struct Priced {
    which: Which,
    signature: Signature,
    database: Weak<Database>,
}

impl PartialEq for Priced {
    fn eq(&self, other: &Self) -> bool {
        self.which == other.which && self.database.ptr_eq(&other.database)
    }
}

impl Eq for Priced {}

impl Hash for Priced {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.which.hash(state);
        self.database.as_ptr().hash(state);
    }
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

/// Buckets whose prices `price_match` shows.
const SHOWN: [(Bucket, &str); 6] = [
    (Bucket::Input, "input_usd_per_mtok"),
    (Bucket::CacheRead, "cache_read_usd_per_mtok"),
    (Bucket::CacheWrite, "cache_write_usd_per_mtok"),
    (Bucket::CacheWrite1h, "cache_write_1h_usd_per_mtok"),
    (Bucket::Output, "output_usd_per_mtok"),
    (Bucket::Reasoning, "reasoning_usd_per_mtok"),
];

impl Which {
    fn name(self) -> &'static str {
        match self {
            Which::CostUsd => "cost_usd",
            Which::PriceCall => "price_call",
            Which::PriceMatch => "price_match",
        }
    }

    fn parameters(self) -> Vec<DataType> {
        let text = || DataType::Utf8;
        match self {
            Which::CostUsd | Which::PriceCall => {
                [vec![text()], vec![DataType::Int64; named::CALL.len() - 5], vec![text(), text(), text(), time()]]
                    .concat()
            }
            Which::PriceMatch => vec![text(), text(), text(), text(), time()],
        }
    }

    fn fields(self) -> Vec<(&'static str, DataType)> {
        let text = |name| (name, DataType::Utf8);
        let applied = [text("price_source"), text("price_key"), text("match_kind"), ("price_valid_from", time())];
        let why = text("unpriced_reason");
        match self {
            Which::CostUsd => Vec::new(),
            Which::PriceCall => [("cost_usd", USD)].into_iter().chain(applied).chain([why]).collect(),
            Which::PriceMatch => applied
                .into_iter()
                .chain([("price_valid_to", time())])
                .chain(SHOWN.map(|(_, name)| (name, USD)))
                .chain([why])
                .collect(),
        }
    }

    fn result(self) -> DataType {
        match self {
            Which::CostUsd => USD,
            _ => DataType::Struct(self.fields().into_iter().map(|(n, t)| Field::new(n, t, true)).collect::<Fields>()),
        }
    }
}

impl ScalarUDFImpl for Priced {
    fn name(&self) -> &str {
        self.which.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let parameters = self.which.parameters();
        if given.is_empty() || given.len() > parameters.len() {
            return plan_err!("expected {}", named::usage(self.name()));
        }
        Ok(parameters.into_iter().take(given.len()).collect())
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(self.which.result())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(database) = self.database.upgrade() else {
            return exec_err!("{}: the file is closed", self.name());
        };
        let Some(file) = database.seen().into_iter().next() else {
            return exec_err!("{}: there is no file", self.name());
        };
        let book = file.snapshot.price_book().map_err(store_error)?;
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let rows = arrays.first().map_or(0, |a| a.len());
        let mut calls = Calls { book: &book, found: HashMap::new() };
        match self.which {
            Which::PriceMatch => calls.matches(&arrays, rows),
            Which::PriceCall | Which::CostUsd => calls.costs(&arrays, rows, self.which == Which::CostUsd),
        }
        .map(ColumnarValue::Array)
    }
}

/// Arguments by position; those that are not given are NULL.
struct Arguments<'a>(&'a [ArrayRef]);

impl<'a> Arguments<'a> {
    fn text(&self, at: usize, row: usize) -> Option<&'a str> {
        let array = self.0.get(at)?.as_string_opt::<i32>()?;
        array.is_valid(row).then(|| array.value(row))
    }

    fn int(&self, at: usize, row: usize) -> Option<i64> {
        let array = self.0.get(at)?.as_primitive_opt::<Int64Type>()?;
        array.is_valid(row).then(|| array.value(row))
    }

    fn time(&self, at: usize, row: usize) -> i64 {
        let array = self.0.get(at).and_then(|a| a.as_primitive_opt::<TimestampNanosecondType>());
        match array.filter(|a| a.is_valid(row)) {
            Some(array) => array.value(row),
            None => now_unix_nano(),
        }
    }
}

/// Without a time, prices are those of today.
fn now_unix_nano() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.ok().and_then(|d| i64::try_from(d.as_nanos()).ok()).unwrap_or_default()
}

/// Names that lead to a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Names<'a> {
    model: Option<&'a str>,
    request_model: Option<&'a str>,
    provider: Option<&'a str>,
    service_tier: Option<&'a str>,
}

/// A price that applies.
#[derive(Clone)]
struct Quote {
    kind: &'static str,
    rates: Arc<Rates>,
}

/// What names lead to, and the rates that were asked for last.
type Found = Result<(Match, Option<Quote>), Unpriced>;

/// Prices calls; what names lead to is remembered from row to row.
struct Calls<'a> {
    book: &'a PriceBook,
    found: HashMap<Names<'a>, Found>,
}

impl<'a> Calls<'a> {
    fn rates(&mut self, names: Names<'a>, at: i64) -> Result<Quote, Unpriced> {
        let book = self.book;
        let slot = self.found.entry(names).or_insert_with(|| {
            let provider = names.provider.map(str::to_lowercase);
            book.find(provider.as_deref(), names.model, names.request_model).map(|m| (m, None))
        });
        let (found, last) = slot.as_mut().map_err(|e| e.clone())?;
        let holds = |(from, to): (Option<i64>, Option<i64>)| from.is_none_or(|t| t <= at) && to.is_none_or(|t| at < t);
        if let Some(quote) = last.as_ref().filter(|q| holds(q.rates.constant)) {
            return Ok(quote.clone());
        }
        let rates = found.rates_at(at, Context { service_tier: names.service_tier })?;
        let quote = Quote { kind: found.kind.name(), rates: Arc::new(rates) };
        *last = Some(quote.clone());
        Ok(quote)
    }

    fn costs(&mut self, arrays: &'a [ArrayRef], rows: usize, only_cost: bool) -> Result<ArrayRef> {
        let args = Arguments(arrays);
        let mut out = Applied::default();
        let mut costs = Vec::with_capacity(rows);
        for row in 0..rows {
            let int = |at| args.int(at, row);
            let usage = Usage {
                input: int(1),
                output: int(2),
                cache_read: int(3),
                cache_write: int(4),
                cache_write_1h: int(5),
                reasoning: int(6),
                input_audio: int(7),
                input_image: int(8),
                output_audio: int(9),
                ..Usage::default()
            };
            let names = Names {
                model: args.text(0, row),
                request_model: args.text(10, row),
                provider: args.text(11, row),
                service_tier: args.text(12, row),
            };
            if usage.is_empty() {
                costs.push(None);
                out.push(None, None);
                continue;
            }
            let priced = self.rates(names, args.time(13, row)).and_then(|q| q.rates.cost(&usage).map(|c| (q, c)));
            match priced {
                Ok((quote, cost)) => {
                    costs.push(Some(cost.total));
                    out.push(Some(&quote), None);
                }
                Err(e) => {
                    costs.push(None);
                    out.push(None, Some(&e));
                }
            }
        }
        let costs = usd(costs)?;
        if only_cost {
            return Ok(costs);
        }
        let [source, key, kind, from, _to, why] = out.finish();
        structure(Which::PriceCall, vec![costs, source, key, kind, from, why])
    }

    fn matches(&mut self, arrays: &'a [ArrayRef], rows: usize) -> Result<ArrayRef> {
        let args = Arguments(arrays);
        let mut out = Applied::default();
        let mut prices: [Vec<Option<i128>>; SHOWN.len()] = Default::default();
        for row in 0..rows {
            let names = Names {
                model: args.text(0, row),
                request_model: args.text(1, row),
                provider: args.text(2, row),
                service_tier: args.text(3, row),
            };
            let quote = self.rates(names, args.time(4, row));
            for ((bucket, _), column) in SHOWN.iter().zip(&mut prices) {
                // 10^-18 dollars per token are 10^-12 per million.
                column.push(quote.as_ref().ok().and_then(|q| q.rates.price(*bucket, 0)));
            }
            match &quote {
                Ok(quote) => out.push(Some(quote), None),
                Err(e) => out.push(None, Some(e)),
            }
        }
        let [source, key, kind, from, to, why] = out.finish();
        let prices = prices.into_iter().map(usd).collect::<Result<Vec<_>>>()?;
        structure(Which::PriceMatch, [vec![source, key, kind, from, to], prices, vec![why]].concat())
    }
}

fn usd(values: Vec<Option<i128>>) -> Result<ArrayRef> {
    Ok(Arc::new(Decimal128Array::from(values).with_precision_and_scale(USD_PRECISION, USD_SCALE)?))
}

fn structure(which: Which, columns: Vec<ArrayRef>) -> Result<ArrayRef> {
    let DataType::Struct(fields) = which.result() else { return exec_err!("{} gives no struct", which.name()) };
    Ok(Arc::new(StructArray::try_new(fields, columns, None)?))
}

/// Columns about the price that applied.
#[derive(Default)]
struct Applied {
    source: Vec<Option<&'static str>>,
    key: StringBuilder,
    kind: Vec<Option<&'static str>>,
    from: Vec<Option<i64>>,
    to: Vec<Option<i64>>,
    why: Vec<Option<&'static str>>,
}

impl Applied {
    fn push(&mut self, quote: Option<&Quote>, why: Option<&Unpriced>) {
        let rates = quote.map(|q| &q.rates);
        self.source.push(rates.map(|r| r.layer.name()));
        self.key.append_option(rates.map(|r| r.price_key.as_str()).or_else(|| why?.price_key.as_deref()));
        self.kind.push(quote.map(|q| q.kind));
        self.from.push(rates.and_then(|r| r.valid_from));
        self.to.push(rates.and_then(|r| r.valid_to));
        self.why.push(why.map(|e| e.why.name()));
    }

    fn finish(mut self) -> [ArrayRef; 6] {
        let times = |values: Vec<Option<i64>>| -> ArrayRef {
            Arc::new(TimestampNanosecondArray::from(values).with_timezone("UTC"))
        };
        [
            Arc::new(StringArray::from(self.source)),
            Arc::new(self.key.finish()),
            Arc::new(StringArray::from(self.kind)),
            times(self.from),
            times(self.to),
            Arc::new(StringArray::from(self.why)),
        ]
    }
}
