//! The one copy of the schema: every column's name, Arrow type, unit, origin, meaning and how it is stored.
//!
//! Everything else that needs a column asks here: the batch builder, the segment writer, the scan, the SQL
//! tables and their descriptions. Missing values are NULL, never `''` or `0`.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

mod drift;
mod priced;
mod rollups;
mod spans;

pub use drift::{DRIFT, DRIFT_DETAIL, DRIFT_POINTS};
pub use priced::{AGENT_RUNS, BUCKET_COSTS, COST_AUDIT, LOOP_COSTS, LOOP_SPANS, RUN_COSTS, TOOL_COSTS, USAGE_COSTS};
pub use rollups::{LOOPS, RUNS, SCORES, SYNTHETIC_CALLS, USAGE};
pub(crate) use spans::SOURCE_COLUMNS;
pub use spans::{EVENTS, LINKS, SPANS};

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
    /// Day, UTC: dictionary-encoded.
    Day,
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
            Class::Day => DataType::Date32,
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
static LOOPS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(LOOPS));
static LOOP_COSTS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(LOOP_COSTS));
static LOOP_SPANS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(LOOP_SPANS));
static RUN_COSTS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(RUN_COSTS));
static USAGE_COSTS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(USAGE_COSTS));
static BUCKET_COSTS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(BUCKET_COSTS));
static TOOL_COSTS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(TOOL_COSTS));
static AGENT_RUNS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(AGENT_RUNS));
static DRIFT_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(DRIFT));
static DRIFT_POINTS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(DRIFT_POINTS));
static DRIFT_DETAIL_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(DRIFT_DETAIL));
static COST_AUDIT_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(COST_AUDIT));
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

/// Arrow schema of `loops` as stored.
pub fn loops() -> SchemaRef {
    LOOPS_SCHEMA.clone()
}

/// Arrow schema of `loops` with costs.
pub fn loop_costs() -> SchemaRef {
    LOOP_COSTS_SCHEMA.clone()
}

/// Arrow schema of `loop_spans`.
pub fn loop_spans() -> SchemaRef {
    LOOP_SPANS_SCHEMA.clone()
}

/// Arrow schema of `agent_runs`.
pub fn agent_runs() -> SchemaRef {
    AGENT_RUNS_SCHEMA.clone()
}

/// Arrow schema of `drift`.
pub fn drift() -> SchemaRef {
    DRIFT_SCHEMA.clone()
}

/// Arrow schema of `drift_points`.
pub fn drift_points() -> SchemaRef {
    DRIFT_POINTS_SCHEMA.clone()
}

/// Arrow schema of `drift_detail`.
pub fn drift_detail() -> SchemaRef {
    DRIFT_DETAIL_SCHEMA.clone()
}

/// Arrow schema of `run_costs`.
pub fn run_costs() -> SchemaRef {
    RUN_COSTS_SCHEMA.clone()
}

/// Arrow schema of `usage_costs`.
pub fn usage_costs() -> SchemaRef {
    USAGE_COSTS_SCHEMA.clone()
}

/// Arrow schema of `bucket_costs`.
pub fn bucket_costs() -> SchemaRef {
    BUCKET_COSTS_SCHEMA.clone()
}

/// Arrow schema of `tool_costs`.
pub fn tool_costs() -> SchemaRef {
    TOOL_COSTS_SCHEMA.clone()
}

/// Arrow schema of `cost_audit`.
pub fn cost_audit() -> SchemaRef {
    COST_AUDIT_SCHEMA.clone()
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
