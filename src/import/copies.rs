//! Sessions of Claude Code come in pieces and in copies: a file that has grown since, a session that was resumed into
//! another file. Spans of theirs with one id are one thing, and this decides between them whatever the order of files.
//!
//! Within a trace the version that reaches further wins, not the one that comes last. The same call in two traces
//! counts in the one with the smaller trace id, which is as good as any: nothing says which was first. The other gets
//! a mark that [`crate::derive`] reads. What the file holds already takes part.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampNanosecondType;
use foldhash::fast::RandomState;

use crate::derive::COUNTED_ELSEWHERE;
use crate::error::Result;
use crate::limits::TRACKED_SPANS;
use crate::model::{LogRecord, Span, SpanId, TraceId, Value};
use crate::scan::{Compare, ScanRequest, ScanValue};
use crate::segment::Table;
use crate::store::Snapshots;

/// What is known of the sessions of an import. Beyond `TRACKED_SPANS` nothing new is remembered, and the last wins.
pub(super) struct Copies {
    snapshots: Snapshots,
    /// How far each span reaches; 0 when it has no end.
    ends: HashMap<(TraceId, SpanId), u64, RandomState>,
    /// Traces whose spans in the file are among them.
    traces: HashSet<TraceId, RandomState>,
    /// Where each call counts; `None` until the file was asked.
    calls: Option<HashMap<SpanId, TraceId, RandomState>>,
}

/// What is to be done with a span.
pub(super) enum Verdict {
    /// A version that reaches further is there.
    Older,
    /// It is taken.
    Taken,
    /// It is taken, and the call of this log record does not count.
    Marked(LogRecord<'static>),
}

impl Copies {
    pub(super) fn new(snapshots: Snapshots) -> Self {
        Copies { snapshots, ends: HashMap::default(), traces: HashSet::default(), calls: None }
    }

    /// Decides about a span of a session.
    pub(super) fn judge(&mut self, span: &Span<'_>) -> Result<Verdict> {
        if self.traces.len() < TRACKED_SPANS && self.traces.insert(span.trace_id) {
            self.read_trace(span.trace_id, scope_of_sessions())?;
        }
        let key = (span.trace_id, span.span_id);
        if let Some(end) = self.ends.get_mut(&key) {
            if *end > span.end_unix_nano {
                return Ok(Verdict::Older);
            }
            *end = span.end_unix_nano;
        } else if self.ends.len() < TRACKED_SPANS {
            self.ends.insert(key, span.end_unix_nano);
        }
        if !is_call(span) {
            return Ok(Verdict::Taken);
        }
        if self.calls.is_none() {
            self.calls = Some(self.read_calls()?);
        }
        let Some(calls) = &mut self.calls else { return Ok(Verdict::Taken) };
        let loser = match calls.get_mut(&span.span_id) {
            Some(owner) if *owner == span.trace_id => return Ok(Verdict::Taken),
            Some(owner) if *owner < span.trace_id => span.trace_id,
            Some(owner) => std::mem::replace(owner, span.trace_id),
            None => {
                if calls.len() < TRACKED_SPANS {
                    calls.insert(span.span_id, span.trace_id);
                }
                return Ok(Verdict::Taken);
            }
        };
        Ok(Verdict::Marked(LogRecord {
            trace_id: loser,
            span_id: span.span_id,
            event_name: COUNTED_ELSEWHERE.into(),
            ..LogRecord::default()
        }))
    }

    fn read_trace(&mut self, trace: TraceId, scope: (String, Compare, ScanValue)) -> Result<()> {
        let (column, compare, value) = scope;
        let request = ScanRequest::new(Table::Spans)
            .columns(["span_id", "end_time"])
            .traces([trace])
            .filter(column, compare, value);
        for batch in self.snapshots.newest()?.scan(&request)? {
            let batch = batch?;
            let ids = batch.column(0).as_fixed_size_binary();
            let ends = batch.column(1).as_primitive::<TimestampNanosecondType>();
            for row in 0..batch.num_rows().min(TRACKED_SPANS.saturating_sub(self.ends.len())) {
                let end = if ends.is_valid(row) { u64::try_from(ends.value(row)).unwrap_or_default() } else { 0 };
                let known = self.ends.entry((trace, span_id(ids.value(row)))).or_default();
                *known = end.max(*known);
            }
        }
        Ok(())
    }

    /// The calls of all sessions in the file.
    fn read_calls(&self) -> Result<HashMap<SpanId, TraceId, RandomState>> {
        let mut calls: HashMap<SpanId, TraceId, RandomState> = HashMap::default();
        let (column, compare, value) = scope_of_sessions();
        let request =
            ScanRequest::new(Table::Spans).columns(["trace_id", "span_id", "kind"]).filter(column, compare, value);
        for batch in self.snapshots.newest()?.scan(&request)? {
            let batch = batch?;
            let (traces, ids) = (batch.column(0).as_fixed_size_binary(), batch.column(1).as_fixed_size_binary());
            let kinds = batch.column(2).as_string::<i32>();
            for row in (0..batch.num_rows()).filter(|&row| matches!(kinds.value(row), "llm" | "tool")) {
                let trace = crate::segment::arrivals::trace_id(traces.value(row));
                let id = span_id(ids.value(row));
                if calls.len() < TRACKED_SPANS || calls.contains_key(&id) {
                    let owner = calls.entry(id).or_insert(trace);
                    *owner = trace.min(*owner);
                }
            }
        }
        Ok(calls)
    }
}

fn scope_of_sessions() -> (String, Compare, ScanValue) {
    ("scope_name".to_owned(), Compare::Eq, ScanValue::Text(crate::ingest::claude_code::SCOPE.to_owned()))
}

fn span_id(bytes: &[u8]) -> SpanId {
    let mut id = SpanId::default();
    if bytes.len() == id.0.len() {
        id.0.copy_from_slice(bytes);
    }
    id
}

/// Whether a span is a call of a model or a tool.
fn is_call(span: &Span<'_>) -> bool {
    let operation = span.attributes.iter().find(|(key, _)| key == "gen_ai.operation.name").map(|(_, v)| v);
    matches!(operation, Some(Value::Str(word)) if word == "chat" || word == "execute_tool")
}
