//! Rows of `agent_runs` as runs to compare.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Formatter;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use spanfile::drift::{Facts, Runs, Side};

/// Columns that a comparison needs; `stratum` is put beside them.
pub(super) const COLUMNS: &str = "trace_id, agent_name, agent_version, outcome, start_time, steps, llm_calls, \
    tool_calls, input_tokens, output_tokens, cache_read_tokens, cost_usd, cost_complete, duration_ns, errors, retries, \
    loops, models, tools";

/// What was judged of a run, and the mean of what it was given.
pub(super) type Scores = HashMap<Box<str>, Vec<(Arc<str>, f64)>>;

struct Columns(RecordBatch);

impl Columns {
    fn cast(&self, name: &str, to: &DataType) -> Result<ArrayRef> {
        let column = self.0.column_by_name(name).ok_or_else(|| exec_datafusion_err!("the column {name} is missing"))?;
        Ok(cast(column, to)?)
    }

    fn text(&self, name: &str) -> Result<StringViewArray> {
        Ok(self.cast(name, &DataType::Utf8View)?.as_string_view().clone())
    }

    fn int(&self, name: &str) -> Result<Int64Array> {
        Ok(self.cast(name, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
    }

    fn double(&self, name: &str) -> Result<Float64Array> {
        Ok(self.cast(name, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
    }

    fn flag(&self, name: &str) -> Result<BooleanArray> {
        Ok(self.cast(name, &DataType::Boolean)?.as_boolean().clone())
    }
}

fn at(values: &StringViewArray, row: usize) -> Option<&str> {
    values.is_valid(row).then(|| values.value(row))
}

fn int(values: &Int64Array, row: usize) -> Option<i64> {
    values.is_valid(row).then(|| values.value(row))
}

/// What only the steps of a run tell of an agent.
#[derive(Debug, Default)]
pub(super) struct Details {
    ttft_ns: (f64, u64),
    pairs: HashMap<(Arc<str>, Arc<str>), u64>,
    reasons: HashMap<String, u64>,
    last_tool: Option<Arc<str>>,
}

/// By run and agent.
pub(super) type Detailed = HashMap<(Box<str>, Option<Box<str>>), Details>;

/// Adds LLM and tool calls, those of a run in order.
pub(super) fn add_steps(
    batch: RecordBatch,
    tools: &mut HashMap<String, Arc<str>>,
    details: &mut Detailed,
) -> Result<()> {
    let c = Columns(batch);
    let [trace, agent, tool, reasons] =
        ["trace_id", "run_agent", "tool_name", "finish_reasons"].map(|name| c.text(name));
    let (trace, agent, tool, reasons) = (trace?, agent?, tool?, reasons?);
    let ttft = c.double("ttft_ns")?;
    for row in 0..c.0.num_rows() {
        let Some(trace) = at(&trace, row) else { continue };
        let of = details.entry((trace.into(), at(&agent, row).map(Into::into))).or_default();
        if let Some(tool) = at(&tool, row) {
            let tool = Arc::clone(tools.entry(tool.to_owned()).or_insert_with(|| tool.into()));
            if let Some(before) = of.last_tool.replace(Arc::clone(&tool)) {
                *of.pairs.entry((before, tool)).or_default() += 1;
            }
        }
        if ttft.is_valid(row) {
            of.ttft_ns = (of.ttft_ns.0 + ttft.value(row), of.ttft_ns.1 + 1);
        }
        if let Some(list) = at(&reasons, row) {
            let list: Vec<String> = serde_json::from_str(list).map_err(|e| DataFusionError::External(Box::new(e)))?;
            list.into_iter().for_each(|reason| *of.reasons.entry(reason).or_default() += 1);
        }
    }
    Ok(())
}

impl Details {
    fn ttft_ns(&self) -> Option<f64> {
        (self.ttft_ns.1 > 0).then(|| self.ttft_ns.0 / self.ttft_ns.1 as f64)
    }

    fn pairs(&self) -> Vec<(Cow<'_, str>, u64)> {
        self.pairs.iter().map(|((a, b), n)| (Cow::Owned(format!("{a} > {b}")), *n)).collect()
    }

    fn reasons(&self) -> Vec<(Cow<'_, str>, u64)> {
        self.reasons.iter().map(|(reason, n)| (Cow::Borrowed(reason.as_str()), *n)).collect()
    }
}

/// Which runs were read, so that none is on both sides.
#[derive(Debug, Default)]
pub(super) struct Seen {
    agents: HashMap<String, u32>,
    runs: HashSet<(u128, u32)>,
}

/// What to do with runs that the other side has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    /// There are none, or they are other runs for being in another file.
    Ignored,
    /// This is the side that is read first.
    Remembered,
    /// They are counted, and refused.
    Counted,
    /// They are left out.
    LeftOut,
}

impl Seen {
    /// Whether the run is new.
    fn see(&mut self, trace: Option<&str>, agent: Option<&str>) -> bool {
        let Some(trace) = trace.and_then(|t| u128::from_str_radix(t, 16).ok()) else { return true };
        let next = self.agents.len() as u32 + 1;
        let agent = match agent {
            None => 0,
            Some(name) => match self.agents.get(name) {
                Some(number) => *number,
                None => *self.agents.entry(name.to_owned()).or_insert(next),
            },
        };
        self.runs.insert((trace, agent))
    }
}

/// How the rows of a side are taken.
pub(super) struct Taken<'t> {
    pub(super) side: Side,
    pub(super) scores: &'t Scores,
    /// What secondary metrics need; nothing where they are not wanted.
    pub(super) details: Option<&'t Detailed>,
    pub(super) other: Other,
    pub(super) seen: &'t mut Seen,
}

/// Adds the rows of a batch; returns how many are on both sides.
pub(super) fn add(batch: RecordBatch, taken: &mut Taken<'_>, runs: &mut Runs) -> Result<usize> {
    let Taken { side, scores, details, .. } = *taken;
    let c = Columns(batch);
    let [trace, agent, version, outcome, models, tools, stratum] =
        ["trace_id", "agent_name", "agent_version", "outcome", "models", "tools", "stratum"].map(|name| c.text(name));
    let (trace, agent, version, outcome) = (trace?, agent?, version?, outcome?);
    let (models, tools, stratum) = (models?, tools?, stratum?);
    let [start, errors, retries, loops, input, output, cached, llm] =
        ["start_time", "errors", "retries", "loops", "input_tokens", "output_tokens", "cache_read_tokens", "llm_calls"]
            .map(|name| c.int(name));
    let (start, errors, retries, loops) = (start?, errors?, retries?, loops?);
    let (input, output, cached, llm) = (input?, output?, cached?, llm?);
    let [steps, tool_calls, duration, cost] =
        ["steps", "tool_calls", "duration_ns", "cost_usd"].map(|name| c.double(name));
    let (steps, tool_calls, duration, cost) = (steps?, tool_calls?, duration?, cost?);
    let complete = c.flag("cost_complete")?;
    let mut both = 0;
    for row in 0..c.0.num_rows() {
        let yes = |flags: &BooleanArray| flags.is_valid(row) && flags.value(row);
        if taken.other != Other::Ignored && !taken.seen.see(at(&trace, row), at(&agent, row)) {
            match taken.other {
                Other::LeftOut => continue,
                // A run that several files hold is there as often as they do.
                Other::Remembered => {}
                _ => {
                    both += 1;
                    continue;
                }
            }
        }
        let Some(start_time) = int(&start, row) else { continue };
        let double = |values: &Float64Array| values.is_valid(row).then(|| values.value(row));
        let number = |values: &Int64Array| int(values, row).map(|n| n as f64);
        let share = |part: Option<f64>, of: Option<f64>| Some(part? / of.filter(|of| *of > 0.0)?);
        let any = |values: &Int64Array| int(values, row).map(|n| n > 0);
        let detail = match (details, at(&trace, row)) {
            (Some(details), Some(trace)) => details.get(&(trace.into(), at(&agent, row).map(Into::into))),
            _ => None,
        };
        runs.push(&Facts {
            side,
            agent: at(&agent, row),
            stratum: at(&stratum, row),
            start_time,
            numbers: [
                double(&steps),
                number(&llm),
                double(&tool_calls),
                number(&input),
                number(&output),
                // Part of a cost is no cost.
                double(&cost).filter(|_| yes(&complete)),
                double(&duration),
                share(number(&output), number(&llm)),
                share(number(&cached), number(&input)),
                detail.and_then(Details::ttft_ns),
            ],
            flags: [
                any(&errors),
                any(&retries),
                any(&loops),
                match at(&outcome, row) {
                    Some("completed") => Some(true),
                    Some("failed") => Some(false),
                    _ => None,
                },
            ],
            mixes: [
                counts(at(&tools, row))?,
                counts(at(&models, row).filter(|_| details.is_some()))?,
                detail.map(Details::pairs).unwrap_or_default(),
                detail.map(Details::reasons).unwrap_or_default(),
            ],
            version: at(&version, row),
            scores: at(&trace, row).and_then(|id| scores.get(id)).map_or(&[][..], Vec::as_slice),
        });
    }
    Ok(both)
}

/// Adds scores: trace, what was judged, and the value.
pub(super) fn add_scores(batch: RecordBatch, names: &mut HashMap<String, Arc<str>>, scores: &mut Scores) -> Result<()> {
    let c = Columns(batch);
    let (trace, name, value) = (c.text("trace_id")?, c.text("name")?, c.double("value")?);
    for row in 0..c.0.num_rows() {
        // What is no number was not judged.
        let value = value.is_valid(row).then(|| value.value(row)).filter(|v| v.is_finite());
        if let (Some(trace), Some(name), Some(value)) = (at(&trace, row), at(&name, row), value) {
            let name = names.entry(name.to_owned()).or_insert_with(|| name.into());
            scores.entry(trace.into()).or_default().push((Arc::clone(name), value));
        }
    }
    Ok(())
}

/// Refuses sides that share runs.
pub(super) fn check(both: usize) -> Result<()> {
    match both {
        0 => Ok(()),
        n => exec_err!(
            "{n} runs are both in the baseline and on the current side; a run that is compared with itself says nothing"
        ),
    }
}

/// `{"name":times}`.
fn counts(json: Option<&str>) -> Result<Vec<(Cow<'_, str>, u64)>> {
    let Some(json) = json else { return Ok(Vec::new()) };
    match serde_json::from_str::<Counts<'_>>(json) {
        Ok(counts) => Ok(counts.0),
        Err(e) => Err(DataFusionError::External(Box::new(e))),
    }
}

struct Counts<'a>(Vec<(Cow<'a, str>, u64)>);

impl<'de: 'a, 'a> Deserialize<'de> for Counts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vec<(Cow<'de, str>, u64)>;

            fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of counts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((Name(name), count)) = map.next_entry()? {
                    entries.push((name, count));
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Entries).map(Counts)
    }
}

/// A key, borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
