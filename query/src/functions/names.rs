//! `json_names(text)`: a JSON array of the distinct values in order, NULL when there are none.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListBuilder, StringBuilder, StringViewArray, StringViewBuilder,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue, internal_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct JsonNames {
    signature: Signature,
}

impl JsonNames {
    pub(super) fn new() -> Self {
        let text = vec![DataType::Utf8View, DataType::Utf8, DataType::LargeUtf8];
        JsonNames { signature: Signature::uniform(1, text, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for JsonNames {
    fn name(&self) -> &'static str {
        "json_names"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, "names");
        Ok(vec![Arc::new(Field::new(name, DataType::new_list(DataType::Utf8, true), true))])
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup(Names::default())))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Names::default()))
    }
}

/// The values of each group. Names repeat from group to group, so each text is kept once.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    /// Numbers of the texts, ascending. New texts have the highest number, so most insertions are at the end.
    groups: Vec<Vec<u32>>,
    bytes: usize,
}

impl Names {
    fn number(&mut self, text: &str) -> Result<u32> {
        if let Some(n) = self.numbers.get(text) {
            return Ok(*n);
        }
        let n = u32::try_from(self.texts.len()).map_err(|e| DataFusionError::External(Box::new(e)))?;
        let text: Arc<str> = text.into();
        self.bytes += text.len() + size_of::<(Arc<str>, u32)>() + size_of::<Arc<str>>();
        self.numbers.insert(Arc::clone(&text), n);
        self.texts.push(text);
        Ok(n)
    }

    fn add(&mut self, group: usize, number: u32) {
        let names = &mut self.groups[group];
        if let Err(at) = names.binary_search(&number) {
            names.insert(at, number);
            self.bytes += size_of::<u32>();
        }
    }

    fn add_all(&mut self, group: usize, values: &StringViewArray) -> Result<()> {
        for text in values.iter().flatten() {
            let n = self.number(text)?;
            self.add(group, n);
        }
        Ok(())
    }

    fn sorted(&self, names: &[u32]) -> Vec<&str> {
        let mut texts: Vec<&str> = names.iter().map(|n| self.texts[*n as usize].as_ref()).collect();
        texts.sort_unstable();
        texts
    }
}

impl GroupsAccumulator for Names {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.groups.resize_with(total.max(self.groups.len()), Vec::new);
        let values = cast(&values[0], &DataType::Utf8View)?;
        let values = values.as_string_view();
        // The same name often comes many times in a row.
        let mut last: Option<(&str, u32)> = None;
        for (i, group) in groups.iter().enumerate() {
            if values.is_null(i) || filter.is_some_and(|f| f.is_null(i) || !f.value(i)) {
                continue;
            }
            let text = values.value(i);
            let n = match last {
                Some((before, n)) if before == text => n,
                _ => self.number(text)?,
            };
            last = Some((text, n));
            self.add(*group, n);
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let groups = emit.take_needed(&mut self.groups);
        let mut out = StringViewBuilder::with_capacity(groups.len());
        for names in &groups {
            if names.is_empty() {
                out.append_null();
            } else {
                let json = serde_json::to_string(&self.sorted(names));
                out.append_value(json.map_err(|e| DataFusionError::External(Box::new(e)))?);
            }
        }
        Ok(Arc::new(out.finish()))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = emit.take_needed(&mut self.groups);
        let mut out = ListBuilder::new(StringBuilder::new());
        for names in &groups {
            for n in names {
                out.values().append_value(&self.texts[*n as usize]);
            }
            out.append(true);
        }
        Ok(vec![Arc::new(out.finish())])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.groups.resize_with(total.max(self.groups.len()), Vec::new);
        let [lists] = values else { return internal_err!("json_names has one state") };
        for (list, group) in lists.as_list::<i32>().iter().zip(groups) {
            if let Some(list) = list {
                self.add_all(*group, cast(&list, &DataType::Utf8View)?.as_string_view())?;
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = cast(&values[0], &DataType::Utf8View)?;
        let mut out = ListBuilder::new(StringBuilder::new());
        for (i, text) in values.as_string_view().iter().enumerate() {
            if let Some(text) = text
                && filter.is_none_or(|f| f.is_valid(i) && f.value(i))
            {
                out.values().append_value(text);
            }
            out.append(true);
        }
        Ok(vec![Arc::new(out.finish())])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes + self.groups.capacity() * size_of::<Vec<u32>>()
    }
}

/// The same without groups.
#[derive(Debug)]
struct OneGroup(Names);

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(values, &vec![0; values[0].len()], None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.groups.resize_with(1, Vec::new);
        ScalarValue::try_from_array(&self.0.evaluate(EmitTo::All)?, 0)
    }

    fn size(&self) -> usize {
        GroupsAccumulator::size(&self.0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.groups.resize_with(1, Vec::new);
        let state = GroupsAccumulator::state(&mut self.0, EmitTo::All)?;
        state.iter().map(|a| ScalarValue::try_from_array(a, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        GroupsAccumulator::merge_batch(&mut self.0, states, &vec![0; states[0].len()], 1)
    }
}
