//! Statistics of two samples as aggregates: `ks_test(x, is_current)`, `mann_whitney`, `cliffs_delta`, `psi` and
//! `js_distance`. Rows where `is_current` is false are the base; those where either argument is NULL are left out, and a
//! side without rows makes the result NULL. Results are structs, `(ks_test(x, c))['p']`.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, Int64Type};
use datafusion::common::scalar::ScalarStructBuilder;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err, internal_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use spanfile::drift::Settings;
use spanfile::stats;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Statistic {
    KsTest,
    MannWhitney,
    CliffsDelta,
    Psi,
    JsDistance,
}

impl Statistic {
    const ALL: [Self; 5] = [Self::KsTest, Self::MannWhitney, Self::CliffsDelta, Self::Psi, Self::JsDistance];

    fn name(self) -> &'static str {
        match self {
            Self::KsTest => "ks_test",
            Self::MannWhitney => "mann_whitney",
            Self::CliffsDelta => "cliffs_delta",
            Self::Psi => "psi",
            Self::JsDistance => "js_distance",
        }
    }

    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::KsTest => &["statistic", "p"],
            Self::MannWhitney => &["u", "p"],
            Self::CliffsDelta => &["delta", "ci_lo", "ci_hi"],
            Self::Psi | Self::JsDistance => &["raw", "corrected"],
        }
    }

    /// Whether it compares shares of categories too.
    fn takes_categories(self) -> bool {
        matches!(self, Self::Psi | Self::JsDistance)
    }

    fn result_type(self) -> Fields {
        self.fields().iter().map(|name| Field::new(*name, DataType::Float64, true)).collect()
    }

    fn of_numbers(self, base: &[f64], current: &[f64]) -> stats::Result<Vec<f64>> {
        let settings = Settings::default();
        Ok(match self {
            Self::KsTest => {
                let test = stats::kolmogorov_smirnov(base, current)?;
                vec![test.statistic, test.p]
            }
            Self::MannWhitney => {
                let test = stats::mann_whitney(base, current)?;
                vec![test.u, test.p]
            }
            Self::CliffsDelta => {
                let delta = stats::cliffs_delta(base, current, settings.alpha)?;
                vec![delta.delta, delta.low, delta.high]
            }
            Self::Psi | Self::JsDistance => {
                let (base, current) = stats::quantile_bins(base, current, settings.bins)?;
                self.of_counts(&base, &current)?
            }
        })
    }

    fn of_counts(self, base: &[u64], current: &[u64]) -> stats::Result<Vec<f64>> {
        let divergence = match self {
            Self::JsDistance => stats::jensen_shannon(base, current)?,
            _ => stats::psi(base, current)?,
        };
        Ok(vec![divergence.raw, divergence.corrected])
    }
}

/// One of the aggregates.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct OfSamples {
    statistic: Statistic,
    signature: Signature,
}

impl OfSamples {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let signature = || Signature::any(2, Volatility::Immutable);
        Statistic::ALL.into_iter().map(move |statistic| OfSamples { statistic, signature: signature() })
    }
}

fn is_text(t: &DataType) -> bool {
    matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

impl AggregateUDFImpl for OfSamples {
    fn name(&self) -> &'static str {
        self.statistic.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let [x, is_current] = given else { return plan_err!("expected {}(x, is_current)", self.name()) };
        let categories = is_text(x) || *x == DataType::Boolean;
        if categories && !self.statistic.takes_categories() || !categories && !x.is_numeric() && !x.is_null() {
            return plan_err!("{}(x, is_current): x is no number but {x}", self.name());
        }
        if !matches!(is_current, DataType::Boolean | DataType::Null) {
            return plan_err!("{}(x, is_current): is_current is true or false, not {is_current}", self.name());
        }
        Ok(DataType::Struct(self.statistic.result_type()))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let list =
            |name, item| Arc::new(Field::new(format_state_name(args.name, name), DataType::new_list(item, true), true));
        Ok(vec![
            list("base", DataType::Float64),
            list("current", DataType::Float64),
            list("categories", DataType::Utf8),
            list("base_counts", DataType::Int64),
            list("current_counts", DataType::Int64),
        ])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct || !args.order_bys.is_empty() {
            return plan_err!("{}(x, is_current) takes neither DISTINCT nor ORDER BY", self.name());
        }
        Ok(Box::new(Samples::new(self.statistic)))
    }
}

/// Both sides, as numbers or as counts of categories.
#[derive(Debug)]
struct Samples {
    statistic: Statistic,
    numbers: [Vec<f64>; 2],
    categories: BTreeMap<String, [u64; 2]>,
    bytes: usize,
}

impl Samples {
    fn new(statistic: Statistic) -> Self {
        Samples { statistic, numbers: [Vec::new(), Vec::new()], categories: BTreeMap::new(), bytes: 0 }
    }

    fn count(&mut self, category: &str, counts: [u64; 2]) {
        let sums = match self.categories.get_mut(category) {
            Some(sums) => sums,
            None => {
                self.bytes += category.len() + size_of::<(String, [u64; 2])>();
                self.categories.entry(category.to_owned()).or_default()
            }
        };
        sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
    }
}

impl Accumulator for Samples {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [x, is_current] = values else { return internal_err!("{} has two arguments", self.statistic.name()) };
        let is_current = cast(is_current, &DataType::Boolean)?;
        let is_current = is_current.as_boolean();
        let side = |row| is_current.is_valid(row).then(|| usize::from(is_current.value(row)));
        if is_text(x.data_type()) || *x.data_type() == DataType::Boolean {
            let x = cast(x, &DataType::Utf8View)?;
            let x = x.as_string_view();
            for row in (0..x.len()).filter(|&row| x.is_valid(row)) {
                if let Some(side) = side(row) {
                    let mut counts = [0, 0];
                    counts[side] = 1;
                    self.count(x.value(row), counts);
                }
            }
            return Ok(());
        }
        let x = cast(x, &DataType::Float64)?;
        let x: &Float64Array = x.as_primitive::<Float64Type>();
        for row in (0..x.len()).filter(|&row| x.is_valid(row)) {
            let Some(side) = side(row) else { continue };
            let value = x.value(row);
            if !value.is_finite() {
                return exec_err!("{}: {value} is no finite number", self.statistic.name());
            }
            self.numbers[side].push(value);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let found = if self.categories.is_empty() {
            let [base, current] = &self.numbers;
            let fewest = if self.statistic == Statistic::CliffsDelta { 2 } else { 1 };
            (base.len().min(current.len()) >= fewest).then(|| self.statistic.of_numbers(base, current))
        } else {
            let [base, current] = [0, 1].map(|side| self.categories.values().map(|c| c[side]).collect::<Vec<u64>>());
            let empty = |counts: &[u64]| counts.iter().all(|n| *n == 0);
            (!empty(&base) && !empty(&current)).then(|| self.statistic.of_counts(&base, &current))
        };
        let found = found.transpose().map_err(|e| DataFusionError::External(Box::new(e)))?;
        let fields = self.statistic.result_type();
        let Some(found) = found else { return Ok(ScalarStructBuilder::new_null(fields)) };
        let mut result = ScalarStructBuilder::new();
        for (field, value) in fields.iter().zip(found) {
            result = result.with_scalar(Arc::clone(field), ScalarValue::Float64(Some(value)));
        }
        result.build()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes + self.numbers.iter().map(|n| n.capacity() * size_of::<f64>()).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let numbers = |values: &mut Vec<f64>| {
            let values: Vec<ScalarValue> =
                std::mem::take(values).into_iter().map(|v| ScalarValue::Float64(Some(v))).collect();
            ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Float64))
        };
        let [base, current] = &mut self.numbers;
        let mut state = vec![numbers(base), numbers(current)];
        let categories = std::mem::take(&mut self.categories);
        let names: Vec<ScalarValue> = categories.keys().map(|c| ScalarValue::Utf8(Some(c.clone()))).collect();
        state.push(ScalarValue::List(ScalarValue::new_list_nullable(&names, &DataType::Utf8)));
        for side in 0..2 {
            let counts: Vec<ScalarValue> =
                categories.values().map(|c| ScalarValue::Int64(i64::try_from(c[side]).ok())).collect();
            state.push(ScalarValue::List(ScalarValue::new_list_nullable(&counts, &DataType::Int64)));
        }
        self.bytes = 0;
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [base, current, categories, of_base, of_current] = states else {
            return internal_err!("{} has five states", self.statistic.name());
        };
        for (side, lists) in [base, current].into_iter().enumerate() {
            for list in lists.as_list::<i32>().iter().flatten() {
                self.numbers[side].extend(list.as_primitive::<Float64Type>().iter().flatten());
            }
        }
        let counts = of_base.as_list::<i32>().iter().zip(of_current.as_list::<i32>().iter());
        for (names, (base, current)) in categories.as_list::<i32>().iter().zip(counts) {
            let (Some(names), Some(base), Some(current)) = (names, base, current) else { continue };
            let (base, current) = (base.as_primitive::<Int64Type>(), current.as_primitive::<Int64Type>());
            for (at, name) in names.as_string::<i32>().iter().enumerate() {
                let Some(name) = name else { continue };
                self.count(name, [base.value(at), current.value(at)].map(|n| u64::try_from(n).unwrap_or(0)));
            }
        }
        Ok(())
    }
}
