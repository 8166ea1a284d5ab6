//! Rows on their way to the store: spans normalised and gathered into Arrow record batches.

mod columns;
mod packed;
mod reject;
mod row_writer;
mod rows;

pub use packed::{PackError, PackedEvent, PackedLink, pack_events, pack_links, unpack_events, unpack_links};
pub use reject::RejectReason;

use std::borrow::Cow;

use arrow::record_batch::RecordBatch;

use crate::limits::{BATCH_TEXT_BYTES, ROW_TEXT_BYTES};
use crate::model::{LogRecord, Resource, Scope, Span, SpanKind, StatusCode, Value};
use crate::normalise::{Normaliser, ResourceColumns, Row, col};
use crate::schema::{self, EVENTS, SOURCE_COLUMNS};
use crate::scores::{RESULT_EVENT, Score};
use crate::typed_json::{write_attributes, write_entry, write_value};
pub(crate) use columns::Columns;
use packed::Packer;
use reject::{optional_time, text_bound, time};
pub(crate) use row_writer::RowWriter;

/// Finished rows.
#[derive(Debug, Clone)]
pub struct SpanBatch {
    /// Spans, with [`schema::pipeline`] as schema.
    pub spans: RecordBatch,
    /// Log records as events, with [`schema::events`] as schema; `source` is `log`, `event_index` NULL.
    pub logs: RecordBatch,
}

/// Gathers spans and log records into batches.
///
/// Call [`begin_resource`](Self::begin_resource) and [`begin_scope`](Self::begin_scope) before the spans they hold;
/// both stay in force across [`finish`](Self::finish).
pub struct BatchBuilder {
    normaliser: Normaliser,
    resource: ResourceColumns,
    /// Text of the `resource_attributes` column, empty for NULL.
    resource_json: String,
    scope_name: String,
    scope_version: String,
    /// What the scope adds to every span's attributes, as JSON entries with a comma before each.
    scope_entries: String,
    spans: Columns,
    logs: Columns,
    packer: Packer,
    text: String,
    text_bytes: usize,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

// Positions behind the schema's own columns in the pipeline schema.
const PACKED_EVENTS: usize = SOURCE_COLUMNS;
const PACKED_LINKS: usize = SOURCE_COLUMNS + 1;

impl BatchBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        BatchBuilder {
            normaliser: Normaliser::default(),
            resource: ResourceColumns::default(),
            resource_json: String::new(),
            scope_name: String::new(),
            scope_version: String::new(),
            scope_entries: String::new(),
            spans: Columns::new(&schema::pipeline()),
            logs: Columns::new(&schema::events()),
            packer: Packer::default(),
            text: String::new(),
            text_bytes: 0,
        }
    }

    /// The spans and log records that follow belong to this resource, and to no scope until one begins.
    pub fn begin_resource(&mut self, resource: &Resource<'_>) {
        self.resource = ResourceColumns::new(resource);
        let mut extra = Vec::new();
        if resource.dropped_attributes_count > 0 {
            extra.push(("otel.dropped_attributes_count", int(resource.dropped_attributes_count)));
        }
        if !resource.schema_url.is_empty() {
            extra.push(("otel.schema_url", Value::Str(Cow::Borrowed(&resource.schema_url))));
        }
        let out = &mut self.resource_json;
        out.clear();
        if !resource.attributes.is_empty() || !extra.is_empty() {
            write_attributes(out, &resource.attributes);
            out.pop();
            for (key, value) in &extra {
                separate(out);
                write_entry(out, key, value);
            }
            out.push('}');
        }
        self.begin_scope(&Scope::default());
    }

    /// The spans and log records that follow come from this instrumentation scope.
    pub fn begin_scope(&mut self, scope: &Scope<'_>) {
        self.normaliser.begin_scope(&scope.name);
        self.scope_name.clear();
        self.scope_name.push_str(&scope.name);
        self.scope_version.clear();
        self.scope_version.push_str(&scope.version);
        let out = &mut self.scope_entries;
        out.clear();
        if !scope.attributes.is_empty() {
            out.push_str(",\"otel.scope.attributes\":");
            write_attributes(out, &scope.attributes);
        }
        if scope.dropped_attributes_count > 0 {
            out.push(',');
            write_entry(out, "otel.scope.dropped_attributes_count", &int(scope.dropped_attributes_count));
        }
        if !scope.schema_url.is_empty() {
            out.push(',');
            write_entry(out, "otel.scope.schema_url", &Value::Str(Cow::Borrowed(&scope.schema_url)));
        }
    }

    /// Adds one span.
    ///
    /// # Errors
    /// The reason why this span cannot be stored; the builder is as it was before.
    pub fn push_span(&mut self, span: &Span<'_>) -> Result<(), RejectReason> {
        if span.trace_id.is_zero() {
            return Err(RejectReason::ZeroTraceId);
        }
        if span.span_id.is_zero() {
            return Err(RejectReason::ZeroSpanId);
        }
        if span.start_unix_nano == 0 {
            return Err(RejectReason::NoStartTime);
        }
        let start = time("start time", span.start_unix_nano)?;
        let end = optional_time("end time", span.end_unix_nano)?;
        for event in &span.events {
            optional_time("event time", event.time_unix_nano)?;
        }
        let bound = reject::span_text_bound(span)?;
        self.check_room(bound)?;

        let mut row = Row::new();
        self.normaliser.span(span, &self.resource, &mut row);

        let to = &mut self.spans;
        to.id(col::TRACE_ID, &span.trace_id.0);
        to.id(col::SPAN_ID, &span.span_id.0);
        if let Some(parent) = span.parent_span_id.filter(|p| !p.is_zero()) {
            to.id(col::PARENT_SPAN_ID, &parent.0);
        }
        to.text(col::TRACE_STATE, &span.trace_state);
        to.text(col::NAME, &span.name);
        to.text(col::OTEL_KIND, otel_kind(span.kind));
        to.int(col::START_TIME, start);
        if let Some(end) = end {
            to.int(col::END_TIME, end);
            // Both lie in 0..2^63, so the difference cannot overflow.
            to.int(col::DURATION_NS, end - start);
        }
        to.text(col::STATUS, status(span.status));
        to.text(col::STATUS_MESSAGE, &span.status_message);
        to.text(col::SCOPE_NAME, &self.scope_name);
        to.text(col::SCOPE_VERSION, &self.scope_version);
        to.text(col::RESOURCE_ATTRIBUTES, &self.resource_json);
        for (column, cell) in row.cells().iter().enumerate() {
            to.cell(column, cell);
        }
        self.attributes_of_span(span);
        let packer = &mut self.packer;
        if !span.events.is_empty() {
            self.spans.bytes(PACKED_EVENTS, packer.events(&span.events));
        }
        if !span.links.is_empty() {
            self.spans.bytes(PACKED_LINKS, packer.links(&span.links));
        }
        self.text_bytes += self.spans.end_row();
        Ok(())
    }

    /// Adds one log record as an event of its span.
    ///
    /// # Errors
    /// The reason why this record cannot be stored; the builder is as it was before.
    pub fn push_log(&mut self, log: &LogRecord<'_>) -> Result<(), RejectReason> {
        if log.trace_id.is_zero() {
            return Err(RejectReason::ZeroTraceId);
        }
        if log.span_id.is_zero() {
            return Err(RejectReason::ZeroSpanId);
        }
        self.push_event(log)
    }

    /// Adds a score, as the log record that OpenTelemetry has for it. One that is about a whole trace belongs to no
    /// span: its span id is zero.
    ///
    /// # Errors
    /// As [`push_log`](Self::push_log), and for a time before 1970.
    pub fn push_score(&mut self, score: &Score) -> Result<(), RejectReason> {
        if score.trace_id.is_zero() {
            return Err(RejectReason::ZeroTraceId);
        }
        let text = |s: &str| Value::Str(Cow::Owned(s.to_owned()));
        let attributes = [
            ("gen_ai.evaluation.name", Some(text(&score.name))),
            ("gen_ai.evaluation.score.value", score.value.map(Value::Double)),
            ("gen_ai.evaluation.score.label", score.label.as_deref().map(text)),
            ("gen_ai.evaluation.explanation", score.explanation.as_deref().map(text)),
            ("gen_ai.evaluation.source", Some(score.source.as_deref().map_or(Value::Null, text))),
        ];
        let unix_nano = score.time_unix_nano.unwrap_or_default();
        let time_unix_nano =
            u64::try_from(unix_nano).map_err(|_| RejectReason::TimeBeforeEpoch { field: "time", unix_nano })?;
        self.push_event(&LogRecord {
            trace_id: score.trace_id,
            span_id: score.span_id.unwrap_or_default(),
            event_name: Cow::Borrowed(RESULT_EVENT),
            time_unix_nano,
            attributes: attributes.into_iter().filter_map(|(k, v)| Some((Cow::Borrowed(k), v?))).collect(),
            ..LogRecord::default()
        })
    }

    /// Adds a log record of our own making: it says nothing of the resource and scope that the spans around it are of.
    ///
    /// # Errors
    /// As [`push_log`](Self::push_log).
    pub(crate) fn push_own_log(&mut self, log: &LogRecord<'_>) -> Result<(), RejectReason> {
        let texts = |b: &mut Self| {
            [&mut b.resource_json, &mut b.scope_name, &mut b.scope_version, &mut b.scope_entries].map(std::mem::take)
        };
        let around = texts(self);
        let pushed = self.push_log(log);
        [self.resource_json, self.scope_name, self.scope_version, self.scope_entries] = around;
        pushed
    }

    fn push_event(&mut self, log: &LogRecord<'_>) -> Result<(), RejectReason> {
        let time = optional_time("time", log.time_unix_nano)?;
        let observed = optional_time("observed time", log.observed_time_unix_nano)?;
        self.check_room(reject::log_text_bound(log)?)?;

        let to = &mut self.logs;
        to.id(event_col::TRACE_ID, &log.trace_id.0);
        to.id(event_col::SPAN_ID, &log.span_id.0);
        if let Some(time) = time {
            to.int(event_col::TIME, time);
        }
        if let Some(observed) = observed {
            to.int(event_col::OBSERVED_TIME, observed);
        }
        to.text(event_col::NAME, &log.event_name);
        to.text(event_col::SOURCE, "log");
        if log.severity_number != 0 {
            to.int(event_col::SEVERITY_NUMBER, i64::from(log.severity_number));
        }
        to.text(event_col::SEVERITY_TEXT, &log.severity_text);
        match &log.body {
            Value::Null => {}
            Value::Str(s) => to.text(event_col::BODY, s),
            other => {
                self.text.clear();
                write_value(&mut self.text, other);
                to.text(event_col::BODY, &self.text);
            }
        }
        to.text(event_col::SCOPE_NAME, &self.scope_name);
        to.text(event_col::RESOURCE_ATTRIBUTES, &self.resource_json);

        let out = &mut self.text;
        out.clear();
        out.push('{');
        for (key, value) in &log.attributes {
            separate(out);
            write_entry(out, key, value);
        }
        count(out, "otel.dropped_attributes_count", log.dropped_attributes_count);
        count(out, "otel.flags", log.flags);
        if !self.scope_version.is_empty() {
            separate(out);
            write_entry(out, "otel.scope.version", &Value::Str(Cow::Borrowed(&self.scope_version)));
        }
        close(out, &self.scope_entries);
        self.logs.text(event_col::ATTRIBUTES, &self.text);
        self.text_bytes += self.logs.end_row();
        Ok(())
    }

    /// Spans gathered so far.
    pub fn spans(&self) -> usize {
        self.spans.rows()
    }

    /// Log records gathered so far.
    pub fn logs(&self) -> usize {
        self.logs.rows()
    }

    /// Memory of the rows gathered so far, in bytes, roughly.
    pub fn bytes(&self) -> usize {
        self.text_bytes + self.spans.fixed_bytes() + self.logs.fixed_bytes()
    }

    /// Hands over what was gathered and starts anew, under the same resource and scope.
    pub fn finish(&mut self) -> SpanBatch {
        self.text_bytes = 0;
        SpanBatch { spans: self.spans.finish(), logs: self.logs.finish() }
    }

    fn check_room(&self, bound: usize) -> Result<(), RejectReason> {
        let bound = bound.saturating_add(text_bound(self.resource_json.len() + self.scope_entries.len()));
        if bound > ROW_TEXT_BYTES {
            return Err(RejectReason::TooLarge { limit_bytes: ROW_TEXT_BYTES });
        }
        if self.text_bytes > BATCH_TEXT_BYTES {
            return Err(RejectReason::BatchFull);
        }
        Ok(())
    }

    fn attributes_of_span(&mut self, span: &Span<'_>) {
        let out = &mut self.text;
        out.clear();
        out.push('{');
        for (i, (key, value)) in span.attributes.iter().enumerate() {
            if !self.normaliser.is_claimed(i) {
                separate(out);
                write_entry(out, key, value);
            }
        }
        count(out, "otel.flags", span.flags);
        count(out, "otel.dropped_attributes_count", span.dropped_attributes_count);
        count(out, "otel.dropped_events_count", span.dropped_events_count);
        count(out, "otel.dropped_links_count", span.dropped_links_count);
        close(out, &self.scope_entries);
        self.spans.text(col::ATTRIBUTES, &self.text);
    }
}

fn int(v: u32) -> Value<'static> {
    Value::Int(i64::from(v))
}

/// Puts a comma unless the object has just been opened.
fn separate(out: &mut String) {
    if !out.ends_with('{') || out.len() > 1 {
        out.push(',');
    }
}

fn count(out: &mut String, key: &str, v: u32) {
    if v != 0 {
        separate(out);
        write_entry(out, key, &int(v));
    }
}

/// Adds the scope's entries and closes the object; an object without entries becomes empty text, which is NULL.
fn close(out: &mut String, scope_entries: &str) {
    out.push_str(if out.len() > 1 { scope_entries } else { scope_entries.strip_prefix(',').unwrap_or_default() });
    if out.len() > 1 {
        out.push('}');
    } else {
        out.clear();
    }
}

fn otel_kind(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "",
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    }
}

fn status(status: StatusCode) -> &'static str {
    match status {
        StatusCode::Unset => "unset",
        StatusCode::Ok => "ok",
        StatusCode::Error => "error",
    }
}

/// Positions of the columns of `events`.
mod event_col {
    pub(super) const TRACE_ID: usize = 0;
    pub(super) const SPAN_ID: usize = 1;
    pub(super) const TIME: usize = 3;
    pub(super) const OBSERVED_TIME: usize = 4;
    pub(super) const NAME: usize = 5;
    pub(super) const SOURCE: usize = 6;
    pub(super) const SEVERITY_NUMBER: usize = 7;
    pub(super) const SEVERITY_TEXT: usize = 8;
    pub(super) const BODY: usize = 9;
    pub(super) const ATTRIBUTES: usize = 10;
    pub(super) const SCOPE_NAME: usize = 11;
    pub(super) const RESOURCE_ATTRIBUTES: usize = 12;
}

// The positions above are written out because they are few; the schema must not move under them.
const _: () = assert!(EVENTS.len() == event_col::RESOURCE_ATTRIBUTES + 1);

#[cfg(test)]
mod tests;
