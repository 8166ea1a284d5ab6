//! The one copy of the schema: every column's name, Arrow type, unit, origin, meaning and how it is stored.
//!
//! Everything else that needs a column asks here: the batch builder, the segment writer, the scan, the SQL
//! tables and their descriptions. Missing values are NULL, never `''` or `0`.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

mod rollups;

pub use rollups::{RUNS, SCORES, SYNTHETIC_CALLS, USAGE};

/// Bytes in a trace id.
pub const TRACE_ID_BYTES: usize = 16;
/// Bytes in a span id.
pub const SPAN_ID_BYTES: usize = 8;
/// Precision of money columns.
pub const USD_PRECISION: u8 = 38;
/// Scale of money columns: pico-dollars.
pub const USD_SCALE: i8 = 12;

/// Where a column's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Taken from the OTLP span as it is.
    Raw,
    /// Mapped from attributes by the dialect tables in `normalise`.
    Normalised,
    /// Derived from all spans of the trace when they are sealed, or read before that.
    Derived,
    /// Computed from other columns of the same row when it is read; segments do not store it.
    Computed,
}

impl Origin {
    /// The word used in `information_schema` comments and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Raw => "raw",
            Origin::Normalised => "normalised",
            Origin::Derived => "derived",
            Origin::Computed => "computed",
        }
    }
}

/// What a column holds; decides its Arrow type and how Parquet stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 16-byte trace id; hex text in SQL. No dictionary: it does not repeat enough to pay.
    TraceId,
    /// 8-byte span id; hex text in SQL.
    SpanId,
    /// Instant, nanoseconds since the epoch, UTC.
    Time,
    /// 64-bit integer.
    Int,
    /// 64-bit integer with few distinct values: dictionary-encoded.
    Count,
    /// True or false.
    Flag,
    /// 64-bit hash; hex text in SQL.
    Hash,
    /// 64-bit float.
    Double,
    /// Money in US dollars, `Decimal128(38, 12)`.
    Usd,
    /// Short text with few distinct values: dictionary-encoded, with statistics.
    Label,
    /// Short text with many distinct values (ids): statistics, no dictionary.
    Key,
    /// Long text: no dictionary, no statistics, small pages.
    Text,
    /// Long text that holds one JSON document.
    Json,
}

impl Class {
    /// The Arrow type of a column of this class, as stored.
    pub fn data_type(self) -> DataType {
        match self {
            Class::TraceId => DataType::FixedSizeBinary(TRACE_ID_BYTES as i32),
            Class::SpanId | Class::Hash => DataType::FixedSizeBinary(SPAN_ID_BYTES as i32),
            Class::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            Class::Int | Class::Count => DataType::Int64,
            Class::Flag => DataType::Boolean,
            Class::Double => DataType::Float64,
            Class::Usd => DataType::Decimal128(USD_PRECISION, USD_SCALE),
            Class::Label | Class::Key | Class::Text | Class::Json => DataType::Utf8,
        }
    }

    /// Whether values are wide text whose statistics would only cost space.
    pub fn is_wide(self) -> bool {
        matches!(self, Class::Text | Class::Json)
    }

    /// Whether the column holds bytes that SQL shows as hex text.
    pub fn is_id(self) -> bool {
        matches!(self, Class::TraceId | Class::SpanId | Class::Hash)
    }
}

/// One column of one table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Name in files and in SQL.
    pub name: &'static str,
    /// What it holds.
    pub class: Class,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Raw, normalised, derived or computed.
    pub origin: Origin,
    /// Unit of the value, or `""`.
    pub unit: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
}

impl Column {
    fn field(&self) -> Field {
        Field::new(self.name, self.class.data_type(), self.nullable)
    }
}

const fn col(
    name: &'static str,
    class: Class,
    nullable: bool,
    origin: Origin,
    unit: &'static str,
    meaning: &'static str,
) -> Column {
    Column { name, class, nullable, origin, unit, meaning }
}

/// Columns of `spans`, one row per span.
pub static SPANS: &[Column] = {
    use Class::*;
    use Origin::*;
    &[
        col("trace_id", TraceId, false, Raw, "", "Trace the span belongs to; also the run id in version 1."),
        col("span_id", SpanId, false, Raw, "", "Id of the span, unique within its trace."),
        col("parent_span_id", SpanId, true, Raw, "", "Id of the parent span; NULL at a root."),
        col("trace_state", Label, true, Raw, "", "W3C trace state."),
        col("name", Label, true, Raw, "", "Span name as the instrumentation gave it."),
        col(
            "kind",
            Label,
            false,
            Normalised,
            "",
            "What the span did: agent, workflow, llm, embedding, tool, retrieval, reranker, guardrail, evaluator, handoff, approval, agent_create or other.",
        ),
        col(
            "otel_kind",
            Label,
            true,
            Raw,
            "",
            "OpenTelemetry span kind: internal, server, client, producer or consumer; NULL when unspecified.",
        ),
        col("start_time", Time, false, Raw, "", "When the span started."),
        col("end_time", Time, true, Raw, "", "When the span ended; NULL when it was not recorded."),
        col("duration_ns", Int, true, Computed, "ns", "end_time minus start_time."),
        col("status", Label, false, Raw, "", "unset, ok or error."),
        col("status_message", Text, true, Raw, "", "Description that came with the status."),
        col("error_type", Label, true, Normalised, "", "Class of the error, when the span failed."),
        col(
            "error_message",
            Text,
            true,
            Normalised,
            "",
            "What went wrong, where the status does not say it: the exception's message or an attribute.",
        ),
        col("service_name", Label, true, Normalised, "", "Resource attribute service.name."),
        col("service_version", Label, true, Normalised, "", "Resource attribute service.version."),
        col("environment", Label, true, Normalised, "", "Deployment environment."),
        col("scope_name", Label, true, Raw, "", "Instrumentation scope name."),
        col("scope_version", Label, true, Raw, "", "Instrumentation scope version."),
        col("dialect", Label, true, Normalised, "", "Attribute dialect that was recognised; NULL when none was."),
        col("session_id", Key, true, Normalised, "", "Conversation or session the run belongs to."),
        col("user_id", Key, true, Normalised, "", "End user."),
        col("workflow_name", Label, true, Normalised, "", "Workflow, crew or graph name."),
        col("agent_name", Label, true, Normalised, "", "Agent that the span itself names."),
        col("agent_id", Key, true, Normalised, "", "Id of the agent."),
        col("agent_version", Label, true, Normalised, "", "Version of the agent."),
        col("parent_agent", Label, true, Normalised, "", "Agent that called or handed off to this one."),
        col("provider", Label, true, Normalised, "", "Model provider, lower case."),
        col("request_model", Label, true, Normalised, "", "Model that was asked for."),
        col("response_model", Label, true, Normalised, "", "Model that answered."),
        col("service_tier", Label, true, Normalised, "", "Provider's service tier."),
        col(
            "finish_reasons",
            Label,
            true,
            Normalised,
            "",
            "JSON array of finish reasons, normalised: stop, length, tool_calls, content_filter, error, ...",
        ),
        col("temperature", Double, true, Normalised, "", "Sampling temperature."),
        col("max_tokens", Int, true, Normalised, "tokens", "Requested output limit."),
        col("ttft_ns", Int, true, Normalised, "ns", "Time to the first token or chunk."),
        col("input_tokens", Int, true, Normalised, "tokens", "Input tokens, cache reads and writes included."),
        col("output_tokens", Int, true, Normalised, "tokens", "Output tokens, reasoning included."),
        col("cache_read_tokens", Int, true, Normalised, "tokens", "Input tokens read from the provider's cache."),
        col(
            "cache_write_tokens",
            Int,
            true,
            Normalised,
            "tokens",
            "Input tokens written to the provider's cache, all lifetimes.",
        ),
        col(
            "cache_write_1h_tokens",
            Int,
            true,
            Normalised,
            "tokens",
            "Part of cache_write_tokens written with a lifetime of one hour.",
        ),
        col("reasoning_tokens", Int, true, Normalised, "tokens", "Part of output_tokens spent on reasoning."),
        col("total_tokens", Int, true, Normalised, "tokens", "Total that the source reported, else input plus output."),
        col(
            "usage_convention",
            Label,
            true,
            Normalised,
            "",
            "How the source counted: inclusive; exclusive, when cached input was apart; reasoning_twice, when output held reasoning twice. Counts are converted to inclusive.",
        ),
        col("reported_cost_usd", Usd, true, Normalised, "USD", "Cost that the source itself reported."),
        col("response_id", Key, true, Normalised, "", "Provider's id of the response."),
        col("tool_name", Label, true, Normalised, "", "Tool that was called."),
        col("tool_type", Label, true, Normalised, "", "Type of the tool, such as function."),
        col("tool_call_id", Key, true, Normalised, "", "Id of the tool call."),
        col("tool_args", Text, true, Normalised, "", "Arguments of the tool call."),
        col("tool_result", Text, true, Normalised, "", "Result of the tool call."),
        col("input", Text, true, Normalised, "", "Input: messages as JSON, or text."),
        col("output", Text, true, Normalised, "", "Output: messages as JSON, or text."),
        col("system_prompt", Text, true, Normalised, "", "System instructions, when recorded apart from the input."),
        col("prompt_name", Label, true, Normalised, "", "Name of the prompt template."),
        col("prompt_version", Label, true, Normalised, "", "Version of the prompt template."),
        col("data_source", Label, true, Normalised, "", "Data source of a retrieval."),
        col("documents", Json, true, Normalised, "", "Retrieved documents as a JSON array."),
        col("handoff_from", Label, true, Normalised, "", "Agent that handed off."),
        col("handoff_to", Label, true, Normalised, "", "Agent that took over."),
        col("approval_decision", Label, true, Normalised, "", "Decision of a human approval."),
        col("policy_name", Label, true, Normalised, "", "Guardrail or policy that was applied."),
        col("policy_verdict", Label, true, Normalised, "", "Verdict of the guardrail or policy."),
        col(
            "unreadable",
            Label,
            true,
            Normalised,
            "",
            "JSON array of attribute keys that should hold a number and do not; they stay in attributes.",
        ),
        col(
            "attributes",
            Json,
            true,
            Raw,
            "",
            "Every attribute that no column took over unchanged, as a typed JSON object.",
        ),
        col("resource_attributes", Label, true, Raw, "", "All resource attributes, as a typed JSON object."),
        // Derived from here on: see SOURCE_COLUMNS.
        col(
            "root_span_id",
            SpanId,
            false,
            Derived,
            "",
            "Root of the tree that the span is in: itself at a root or orphan.",
        ),
        col("depth", Count, false, Derived, "", "Steps from the root of its tree; 0 at a root or orphan."),
        col("seq", Count, false, Derived, "", "Position in the run by start time and span id, from 0."),
        col(
            "step",
            Count,
            true,
            Derived,
            "",
            "Number of the step (LLM call, tool call, retrieval or handoff) in the run, from 1; NULL when it is none, or a duplicate.",
        ),
        col(
            "tree_left",
            Count,
            false,
            Derived,
            "",
            "Position in the run's trees, parents first: a span's descendants have tree_left above its own, up to its tree_right.",
        ),
        col(
            "tree_right",
            Count,
            false,
            Derived,
            "",
            "tree_left of the span's last descendant; its own tree_left when it has none.",
        ),
        col(
            "run_agent",
            Label,
            true,
            Derived,
            "",
            "Agent at work: the nearest agent among the span and its ancestors.",
        ),
        col("run_agent_version", Label, true, Derived, "", "Version of that agent."),
        col(
            "is_agent_run",
            Flag,
            true,
            Derived,
            "",
            "Of agent spans: whether the span is one run of the agent, not a step of it or a second span around the same run.",
        ),
        col(
            "usage_counted",
            Flag,
            true,
            Derived,
            "",
            "Whether the span's tokens count: it has some and no descendant has; NULL without tokens.",
        ),
        col(
            "cost_counted",
            Flag,
            true,
            Derived,
            "",
            "Whether reported_cost_usd counts, by the same rule; NULL without it.",
        ),
        col(
            "args_hash",
            Hash,
            true,
            Derived,
            "",
            "Hash of the tool's arguments in canonical form, without the framework's wrapping.",
        ),
        col("result_hash", Hash, true, Derived, "", "Hash of the tool's result in canonical form."),
        col(
            "child_time_ns",
            Int,
            true,
            Derived,
            "ns",
            "Part of the span's time during which children ran; NULL when its duration is not known.",
        ),
        col("self_time_ns", Int, true, Computed, "ns", "duration_ns minus child_time_ns."),
        col("is_orphan", Flag, false, Derived, "", "Whether the span names a parent that is not there."),
        col(
            "is_cycle",
            Flag,
            false,
            Derived,
            "",
            "Whether following parents led back to the span; its link to the parent is left out of account.",
        ),
        col(
            "is_duplicate_of",
            SpanId,
            true,
            Derived,
            "",
            "The span that records the same tool or LLM call, and counts; its own id when that span is in another trace.",
        ),
        col(
            "failed",
            Flag,
            false,
            Derived,
            "",
            "Whether it failed: it says so, or a span that records the same call does; a framework's control flow is no failure.",
        ),
        col("handoff_source", Label, true, Derived, "", "Agent that handed off: handoff_from, else as the run tells."),
        col("handoff_target", Label, true, Derived, "", "Agent that took over: handoff_to, else as the run tells."),
    ]
};

/// How many columns of `spans` come with the span; those after them are derived from the whole trace.
pub(crate) const SOURCE_COLUMNS: usize = {
    let mut n = 0;
    while !matches!(SPANS[n].origin, Origin::Derived) {
        n += 1;
    }
    n
};

/// Columns of `events`: what happened during a span, span events and correlated log records alike.
pub static EVENTS: &[Column] = {
    use Class::*;
    use Origin::*;
    &[
        col("trace_id", TraceId, false, Raw, "", "Trace of the span."),
        col("span_id", SpanId, false, Raw, "", "Span that the event belongs to."),
        col("event_index", Int, true, Raw, "", "Position among the span's own events; NULL for a log record."),
        col("time", Time, true, Raw, "", "When it happened."),
        col("observed_time", Time, true, Raw, "", "When a log record was observed."),
        col("name", Label, true, Raw, "", "Event name."),
        col(
            "source",
            Label,
            false,
            Raw,
            "",
            "span for a span event, log for a log record that carried the span's ids.",
        ),
        col("severity_number", Int, true, Raw, "", "Severity of a log record."),
        col("severity_text", Label, true, Raw, "", "Severity of a log record, as text."),
        col("body", Text, true, Raw, "", "Body of a log record: text, or JSON for structured bodies."),
        col("attributes", Json, true, Raw, "", "Attributes of the event as a typed JSON object."),
        col("scope_name", Label, true, Raw, "", "Instrumentation scope of a log record."),
        col("resource_attributes", Label, true, Raw, "", "Resource attributes of a log record."),
    ]
};

/// Columns of `links`: references from a span to other spans.
pub static LINKS: &[Column] = {
    use Class::*;
    use Origin::*;
    &[
        col("trace_id", TraceId, false, Raw, "", "Trace of the span that holds the link."),
        col("span_id", SpanId, false, Raw, "", "Span that holds the link."),
        col("link_index", Int, false, Raw, "", "Position among the span's links."),
        col("linked_trace_id", TraceId, false, Raw, "", "Trace that is linked to."),
        col("linked_span_id", SpanId, false, Raw, "", "Span that is linked to."),
        col("trace_state", Label, true, Raw, "", "W3C trace state of the link."),
        col("attributes", Json, true, Raw, "", "Attributes of the link as a typed JSON object."),
    ]
};

/// Name of the pipeline-only column that carries a span's events until sealing moves them to their own part.
pub const PACKED_EVENTS: &str = "_events";
/// Name of the pipeline-only column that carries a span's links until sealing moves them to their own part.
pub const PACKED_LINKS: &str = "_links";

fn schema_of(columns: &[Column]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(Column::field).collect::<Vec<_>>()))
}

static SPANS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(SPANS));
static ARRIVING_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(&SPANS[..SOURCE_COLUMNS]));
static EVENTS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(EVENTS));
static LINKS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(LINKS));
static RUNS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(RUNS));
static USAGE_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(USAGE));
static SYNTHETIC_CALLS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(SYNTHETIC_CALLS));
static SCORES_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(SCORES));
static PIPELINE_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields: Vec<Field> = SPANS[..SOURCE_COLUMNS].iter().map(Column::field).collect();
    fields.push(Field::new(PACKED_EVENTS, DataType::Binary, true));
    fields.push(Field::new(PACKED_LINKS, DataType::Binary, true));
    Arc::new(Schema::new(fields))
});

/// Arrow schema of `spans`.
pub fn spans() -> SchemaRef {
    SPANS_SCHEMA.clone()
}

/// Arrow schema of what comes with a span: `spans` without what is derived from the whole trace.
pub(crate) fn arriving() -> SchemaRef {
    ARRIVING_SCHEMA.clone()
}

/// Arrow schema of `events`.
pub fn events() -> SchemaRef {
    EVENTS_SCHEMA.clone()
}

/// Arrow schema of `links`.
pub fn links() -> SchemaRef {
    LINKS_SCHEMA.clone()
}

/// Arrow schema of `runs`.
pub fn runs() -> SchemaRef {
    RUNS_SCHEMA.clone()
}

/// Arrow schema of `usage`.
pub fn usage() -> SchemaRef {
    USAGE_SCHEMA.clone()
}

/// Arrow schema of `synthetic_calls`.
pub fn synthetic_calls() -> SchemaRef {
    SYNTHETIC_CALLS_SCHEMA.clone()
}

/// Arrow schema of `scores`.
pub fn scores() -> SchemaRef {
    SCORES_SCHEMA.clone()
}

/// Arrow schema of span rows on their way to a segment: `spans` without what is derived, and the packed events and
/// links.
pub fn pipeline() -> SchemaRef {
    PIPELINE_SCHEMA.clone()
}

/// What a column is computed from, if it is an [`Origin::Computed`] one: the first column minus the others; NULL where
/// any of them is.
pub fn operands(columns: &'static [Column], name: &str) -> Option<&'static [&'static str]> {
    find(columns, name).filter(|(_, c)| c.origin == Origin::Computed)?;
    match name {
        "duration_ns" => Some(&["end_time", "start_time"]),
        "self_time_ns" => Some(&["end_time", "start_time", "child_time_ns"]),
        _ => None,
    }
}

/// The column of that name in a table's column list, with its position.
pub fn find(columns: &'static [Column], name: &str) -> Option<(usize, &'static Column)> {
    columns.iter().enumerate().find(|(_, c)| c.name == name)
}
