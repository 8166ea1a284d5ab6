//! What loops cost, and the spans that they are made of.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use foldhash::fast::RandomState;

use super::pricer::Pricer;
use super::rows::{decided, for_each_trace};
use super::{Portion, PricedLoops, Pricing};
use crate::batch::{Columns, RowWriter};
use crate::cells::{Int, Text, Trace};
use crate::error::{Error, Result};
use crate::model::TraceId;
use crate::schema;
use crate::segment::Table;
use crate::segment::arrivals::project;
use crate::segment::derived::beside;

/// What the waste of one loop costs.
#[derive(Debug, Clone, Copy)]
struct Waste {
    cost: Option<i128>,
    complete: bool,
}

/// Prices the loops that a portion keeps, span by span.
pub(super) fn price(portion: &Portion, pricing: &Pricing) -> Result<PricedLoops> {
    let names: Vec<&str> = schema::LOOPS.iter().map(|c| c.name).collect();
    let batches: Vec<RecordBatch> = portion.read(Table::Loops, &names, None)?.collect::<Result<_>>()?;
    let rows = concat_batches(&schema::loops(), &batches).map_err(rows_error)?;
    price_rows(portion, pricing, &rows)
}

/// Prices loops of a portion that were found, as rows of [`LOOPS`](schema::LOOPS).
pub(super) fn price_rows(portion: &Portion, pricing: &Pricing, rows: &RecordBatch) -> Result<PricedLoops> {
    let wasted = wasted(rows)?;
    let mut waste: Vec<Waste> = vec![Waste { cost: None, complete: true }; rows.num_rows()];
    let mut pricer = Pricer::new(pricing);
    if !wasted.is_empty() {
        let mut traces: Vec<TraceId> = wasted.keys().copied().collect();
        traces.sort_unstable();
        for_each_trace(portion, Some(&traces), |trace, spans| {
            for (row, positions) in wasted.get(&trace).into_iter().flatten() {
                let waste = &mut waste[*row];
                // Positions count all spans of the trace, in the order in which they come here.
                for span in positions.iter().filter_map(|p| spans.get(*p)) {
                    let outcome = decided(&mut pricer, &span.used);
                    waste.complete &= outcome.unpriced_spans == 0;
                    // Negative costs, which sources should not report, save nothing that was wasted.
                    let cost = outcome.cost.filter(|c| *c >= 0);
                    waste.cost = match (waste.cost, cost) {
                        (Some(a), Some(b)) => Some(a.saturating_add(b)),
                        (a, b) => a.or(b),
                    };
                }
            }
        })?;
    }
    Ok(PricedLoops { loops: with_costs(rows, &waste)?, spans: spans(rows)? })
}

/// Which spans are wasted: by trace, the row of each loop and the positions of its spans.
type Wasted = HashMap<TraceId, Vec<(usize, Vec<usize>)>, RandomState>;

fn wasted(rows: &RecordBatch) -> Result<Wasted> {
    let (trace, spans) = (Trace::of(rows, "trace_id"), Text::of(rows, "wasted_spans"));
    let mut found = Wasted::default();
    for row in 0..rows.num_rows() {
        if let (Some(trace), Some(text)) = (trace.at(row), spans.at(row)) {
            let positions = serde_json::from_str(text).map_err(|e| malformed("wasted_spans", &e))?;
            found.entry(trace).or_default().push((row, positions));
        }
    }
    Ok(found)
}

fn rows_error(e: ArrowError) -> Error {
    Error::Rows(e.to_string())
}

fn malformed(column: &str, e: &serde_json::Error) -> Error {
    Error::Rows(format!("the column {column} of loops is not the JSON that it should be: {e}"))
}

/// A span of a period, as [`RunLoop::periods_json`](crate::derive::RunLoop::periods_json) writes it.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Member {
    Span(i64),
    Call(String),
}

impl Member {
    fn place(&self) -> Option<(i64, Option<i64>)> {
        match self {
            Member::Span(seq) => Some((*seq, None)),
            Member::Call(text) => {
                let (seq, call) = text.split_once('.')?;
                Some((seq.parse().ok()?, Some(call.parse().ok()?)))
            }
        }
    }
}

/// The loops with the columns of what they cost.
fn with_costs(rows: &RecordBatch, waste: &[Waste]) -> Result<RecordBatch> {
    let priced = |name: &str| matches!(name, "wasted_cost_usd" | "cost_complete");
    let schema = schema::loop_costs();
    let fields: Vec<_> = schema.fields().iter().filter(|f| priced(f.name())).cloned().collect();
    let mut costs = Columns::new(&Arc::new(Schema::new(fields)));
    for waste in waste {
        let mut w = RowWriter::new(&mut costs);
        w.usd(waste.cost);
        w.flag(Some(waste.complete));
        w.end();
    }
    beside(rows, &costs.finish()).and_then(|all| project(&all, &schema)).map_err(rows_error)
}

/// The spans of the loops.
fn spans(rows: &RecordBatch) -> Result<RecordBatch> {
    let mut spans = Columns::new(&schema::loop_spans());
    let (trace, number) = (Trace::of(rows, "trace_id"), Int::of(rows, "loop_number"));
    let periods = Text::of(rows, "periods");
    for row in 0..rows.num_rows() {
        let (Some(trace), Some(text)) = (trace.at(row), periods.at(row)) else { continue };
        let parsed: Vec<Vec<Member>> = serde_json::from_str(text).map_err(|e| malformed("periods", &e))?;
        for (repetition, members) in (1u64..).zip(&parsed) {
            for (seq, call_index) in members.iter().filter_map(Member::place) {
                let mut w = RowWriter::new(&mut spans);
                w.id(Some(&trace.0));
                w.int(number.at(row));
                w.count(repetition);
                w.int(Some(seq));
                w.int(call_index);
                w.end();
            }
        }
    }
    Ok(spans.finish())
}
