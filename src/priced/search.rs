//! Loops at other settings than those of the file: the spans are derived anew, some traces at a time.

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};

use super::rows::for_each_batch;
use super::{Portion, PricedLoops, Pricing, loops};
use crate::batch::Columns;
use crate::cells::{Text, Trace};
use crate::derive::{BatchLogs, BatchRows, Deriver, SPAN_COLUMNS};
use crate::error::{Error, Result};
use crate::loops::Settings;
use crate::model::TraceId;
use crate::schema;
use crate::segment::Table;
use crate::segment::derived::push_loop;

/// Columns of `events` that log records are read from.
const OF_LOGS: [&str; 8] = ["trace_id", "span_id", "source", "time", "observed_time", "name", "body", "attributes"];

/// Finds and prices the loops of a portion.
pub(super) fn search(portion: &Portion, settings: &Settings, pricing: &Pricing) -> Result<PricedLoops> {
    let mut columns = vec!["trace_id"];
    columns.extend(SPAN_COLUMNS);
    let mut deriver = Deriver::with_loop_settings(settings.clone());
    let mut found = Columns::new(&schema::loops());
    for_each_batch(portion, &columns, None, |batch| {
        let traces = traces_of(batch);
        let ids: Vec<TraceId> = traces.iter().map(|(id, _)| *id).collect();
        let logs = logs_of(portion, &ids)?;
        let (rows, of_logs) = (BatchRows::new(batch), BatchLogs::new(&logs));
        let mut logs = traces_of(&logs).into_iter().peekable();
        for (trace, range) in traces {
            let spans: Vec<_> = range.map(|i| rows.row(i)).collect();
            let own = logs.next_if(|(id, _)| *id == trace).map_or(0..0, |(_, range)| range);
            let own: Vec<_> = own.map(|i| of_logs.row(i)).collect();
            for (number, l) in (1..).zip(&deriver.derive(&spans, &own).loops) {
                push_loop(&mut found, trace, number, l);
            }
        }
        Ok(())
    })?;
    loops::price_rows(portion, pricing, &found.finish())
}

/// The traces of a batch, whose rows are contiguous, and where each lies.
fn traces_of(batch: &RecordBatch) -> Vec<(TraceId, std::ops::Range<usize>)> {
    let column = Trace::of(batch, "trace_id");
    let mut traces: Vec<(TraceId, std::ops::Range<usize>)> = Vec::new();
    for row in 0..batch.num_rows() {
        let Some(trace) = column.at(row) else { continue };
        match traces.last_mut() {
            Some((last, range)) if *last == trace => range.end = row + 1,
            _ => traces.push((trace, row..row + 1)),
        }
    }
    traces
}

/// The log records of some traces, in their order.
fn logs_of(portion: &Portion, traces: &[TraceId]) -> Result<RecordBatch> {
    let mut found = Vec::new();
    let mut schema = schema::events();
    for batch in portion.read(Table::Events, &OF_LOGS, Some(traces))? {
        let batch = batch?;
        let source = Text::of(&batch, "source");
        let is_log: BooleanArray = (0..batch.num_rows()).map(|i| Some(source.at(i) == Some("log"))).collect();
        found.push(filter_record_batch(&batch, &is_log).map_err(|e| Error::Rows(e.to_string()))?);
        schema = batch.schema();
    }
    concat_batches(&schema, &found).map_err(|e| Error::Rows(e.to_string()))
}
