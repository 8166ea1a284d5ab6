//! The rows that derivation reads: one span, one log record, borrowed from record batches.

use arrow::array::RecordBatch;

use crate::cells::{Id, Int, Text, Time, Usd};
use crate::model::SpanId;
use crate::normalise::Kind;

/// Token counts of one call, or sums of them. `None` is unknown, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Input, cache reads and writes included.
    pub input: Option<i64>,
    /// Output, reasoning included.
    pub output: Option<i64>,
    /// Part of the input read from the provider's cache.
    pub cache_read: Option<i64>,
    /// Part of the input written to the provider's cache, all lifetimes.
    pub cache_write: Option<i64>,
    /// Part of `cache_write` with a lifetime of one hour.
    pub cache_write_1h: Option<i64>,
    /// Part of the output spent on reasoning.
    pub reasoning: Option<i64>,
    /// Part of the input that is audio.
    pub input_audio: Option<i64>,
    /// Part of the input that is images.
    pub input_image: Option<i64>,
    /// Part of the output that is audio.
    pub output_audio: Option<i64>,
    /// Total that the source reported, else input plus output.
    pub total: Option<i64>,
}

impl Tokens {
    /// How many buckets there are.
    pub const BUCKETS: usize = 10;

    /// The buckets in the order of the fields.
    pub fn buckets(&self) -> [Option<i64>; Self::BUCKETS] {
        [
            self.input,
            self.output,
            self.cache_read,
            self.cache_write,
            self.cache_write_1h,
            self.reasoning,
            self.input_audio,
            self.input_image,
            self.output_audio,
            self.total,
        ]
    }

    pub(super) fn of_buckets(buckets: [Option<i64>; Self::BUCKETS]) -> Self {
        let [
            input,
            output,
            cache_read,
            cache_write,
            cache_write_1h,
            reasoning,
            input_audio,
            input_image,
            output_audio,
            total,
        ] = buckets;
        Tokens {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_1h,
            reasoning,
            input_audio,
            input_image,
            output_audio,
            total,
        }
    }

    /// Whether any bucket is known.
    pub fn is_known(&self) -> bool {
        self.buckets().iter().any(Option::is_some)
    }

    /// Whether any bucket says that something was used.
    pub fn is_used(&self) -> bool {
        self.buckets().iter().any(|b| b.is_some_and(|v| v != 0))
    }
}

/// What derivation reads of one span; named as the columns of `spans`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[expect(missing_docs, reason = "each field is the column of its name, and `schema` says what that means")]
pub struct SpanRow<'a> {
    pub span_id: SpanId,
    /// Column `parent_span_id`.
    pub parent: Option<SpanId>,
    pub name: &'a str,
    pub kind: Kind,
    pub start_time: i64,
    pub end_time: Option<i64>,
    pub status: Status,
    /// Column `status_message`, else `error_message`.
    pub status_message: Option<&'a str>,
    pub error_type: Option<&'a str>,
    pub service_name: Option<&'a str>,
    pub environment: Option<&'a str>,
    pub scope_name: Option<&'a str>,
    pub dialect: Option<&'a str>,
    pub session_id: Option<&'a str>,
    pub user_id: Option<&'a str>,
    pub workflow_name: Option<&'a str>,
    pub agent_name: Option<&'a str>,
    pub agent_id: Option<&'a str>,
    pub agent_version: Option<&'a str>,
    pub parent_agent: Option<&'a str>,
    pub provider: Option<&'a str>,
    pub request_model: Option<&'a str>,
    pub response_model: Option<&'a str>,
    pub service_tier: Option<&'a str>,
    /// The token columns.
    pub tokens: Tokens,
    pub usage_convention: Option<&'a str>,
    /// Column `reported_cost_usd`, in pico-dollars.
    pub reported_cost: Option<i128>,
    pub response_id: Option<&'a str>,
    pub tool_name: Option<&'a str>,
    pub tool_call_id: Option<&'a str>,
    pub tool_args: Option<&'a str>,
    pub tool_result: Option<&'a str>,
    pub input: Option<&'a str>,
    pub output: Option<&'a str>,
    pub handoff_from: Option<&'a str>,
    pub handoff_to: Option<&'a str>,
    /// Typed JSON.
    pub attributes: Option<&'a str>,
}

impl SpanRow<'_> {
    /// Time from start to end; `None` when the end is missing or before the start.
    pub fn duration_ns(&self) -> Option<i64> {
        self.end_time?.checked_sub(self.start_time).filter(|d| *d >= 0)
    }

    /// The end, or the start when the end is missing or before it.
    pub(super) fn end_or_start(&self) -> i64 {
        self.end_time.map_or(self.start_time, |end| end.max(self.start_time))
    }

    /// The model that answered, else the one that was asked for.
    pub fn model(&self) -> Option<&str> {
        self.response_model.or(self.request_model)
    }
}

/// Values of the `status` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Not set, which counts as success.
    #[default]
    Unset,
    /// Set to success.
    Ok,
    /// Failed.
    Error,
}

impl Status {
    /// The status that a word of the column stands for.
    pub fn parse(word: &str) -> Status {
        match word {
            "ok" => Status::Ok,
            "error" => Status::Error,
            _ => Status::Unset,
        }
    }

    /// The word in the column.
    pub fn name(self) -> &'static str {
        match self {
            Status::Unset => "unset",
            Status::Ok => "ok",
            Status::Error => "error",
        }
    }
}

/// What derivation reads of one log record that belongs to a span.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[expect(missing_docs, reason = "each field is the column of its name, and `schema` says what that means")]
pub struct LogRow<'a> {
    pub span_id: SpanId,
    /// Column `time`, else `observed_time`.
    pub time: Option<i64>,
    pub name: Option<&'a str>,
    pub body: Option<&'a str>,
    /// Typed JSON.
    pub attributes: Option<&'a str>,
}

macro_rules! batch_rows {
    ($($field:ident: $class:ident = $name:literal;)*) => {
        /// The columns that [`BatchRows`] looks up.
        pub(crate) const SPAN_COLUMNS: &[&str] = &[$($name),*];

        /// The columns of a batch of span rows, looked up once.
        ///
        /// A column that the batch lacks reads as NULL, so that batches with only some columns do too.
        pub struct BatchRows<'a> {
            rows: usize,
            $($field: $class<'a>,)*
        }

        impl<'a> BatchRows<'a> {
            /// Looks up the columns.
            pub fn new(batch: &'a RecordBatch) -> Self {
                BatchRows { rows: batch.num_rows(), $($field: $class::of(batch, $name),)* }
            }
        }
    };
}

batch_rows! {
    span_id: Id = "span_id";
    parent: Id = "parent_span_id";
    name: Text = "name";
    kind: Text = "kind";
    start_time: Time = "start_time";
    end_time: Time = "end_time";
    status: Text = "status";
    status_message: Text = "status_message";
    error_message: Text = "error_message";
    error_type: Text = "error_type";
    service_name: Text = "service_name";
    environment: Text = "environment";
    scope_name: Text = "scope_name";
    dialect: Text = "dialect";
    session_id: Text = "session_id";
    user_id: Text = "user_id";
    workflow_name: Text = "workflow_name";
    agent_name: Text = "agent_name";
    agent_id: Text = "agent_id";
    agent_version: Text = "agent_version";
    parent_agent: Text = "parent_agent";
    provider: Text = "provider";
    request_model: Text = "request_model";
    response_model: Text = "response_model";
    service_tier: Text = "service_tier";
    input_tokens: Int = "input_tokens";
    output_tokens: Int = "output_tokens";
    cache_read_tokens: Int = "cache_read_tokens";
    cache_write_tokens: Int = "cache_write_tokens";
    cache_write_1h_tokens: Int = "cache_write_1h_tokens";
    reasoning_tokens: Int = "reasoning_tokens";
    input_audio_tokens: Int = "input_audio_tokens";
    input_image_tokens: Int = "input_image_tokens";
    output_audio_tokens: Int = "output_audio_tokens";
    total_tokens: Int = "total_tokens";
    usage_convention: Text = "usage_convention";
    reported_cost: Usd = "reported_cost_usd";
    response_id: Text = "response_id";
    tool_name: Text = "tool_name";
    tool_call_id: Text = "tool_call_id";
    tool_args: Text = "tool_args";
    tool_result: Text = "tool_result";
    input: Text = "input";
    output: Text = "output";
    handoff_from: Text = "handoff_from";
    handoff_to: Text = "handoff_to";
    attributes: Text = "attributes";
}

impl std::fmt::Debug for BatchRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BatchRows({})", self.rows)
    }
}

impl<'a> BatchRows<'a> {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// One row. Allocates nothing.
    pub fn row(&self, row: usize) -> SpanRow<'a> {
        SpanRow {
            span_id: self.span_id.at(row).unwrap_or_default(),
            parent: self.parent.at(row),
            name: self.name.at(row).unwrap_or_default(),
            kind: self.kind.at(row).map_or(Kind::Other, Kind::parse),
            start_time: self.start_time.at(row).unwrap_or_default(),
            end_time: self.end_time.at(row),
            status: self.status.at(row).map_or(Status::Unset, Status::parse),
            status_message: self.status_message.at(row).or_else(|| self.error_message.at(row)),
            error_type: self.error_type.at(row),
            service_name: self.service_name.at(row),
            environment: self.environment.at(row),
            scope_name: self.scope_name.at(row),
            dialect: self.dialect.at(row),
            session_id: self.session_id.at(row),
            user_id: self.user_id.at(row),
            workflow_name: self.workflow_name.at(row),
            agent_name: self.agent_name.at(row),
            agent_id: self.agent_id.at(row),
            agent_version: self.agent_version.at(row),
            parent_agent: self.parent_agent.at(row),
            provider: self.provider.at(row),
            request_model: self.request_model.at(row),
            response_model: self.response_model.at(row),
            service_tier: self.service_tier.at(row),
            tokens: Tokens {
                input: self.input_tokens.at(row),
                output: self.output_tokens.at(row),
                cache_read: self.cache_read_tokens.at(row),
                cache_write: self.cache_write_tokens.at(row),
                cache_write_1h: self.cache_write_1h_tokens.at(row),
                reasoning: self.reasoning_tokens.at(row),
                input_audio: self.input_audio_tokens.at(row),
                input_image: self.input_image_tokens.at(row),
                output_audio: self.output_audio_tokens.at(row),
                total: self.total_tokens.at(row),
            },
            usage_convention: self.usage_convention.at(row),
            reported_cost: self.reported_cost.at(row),
            response_id: self.response_id.at(row),
            tool_name: self.tool_name.at(row),
            tool_call_id: self.tool_call_id.at(row),
            tool_args: self.tool_args.at(row),
            tool_result: self.tool_result.at(row),
            input: self.input.at(row),
            output: self.output.at(row),
            handoff_from: self.handoff_from.at(row),
            handoff_to: self.handoff_to.at(row),
            attributes: self.attributes.at(row),
        }
    }
}

/// The columns of a batch of log records, looked up once.
pub struct BatchLogs<'a> {
    rows: usize,
    span_id: Id<'a>,
    time: Time<'a>,
    observed_time: Time<'a>,
    name: Text<'a>,
    body: Text<'a>,
    attributes: Text<'a>,
}

impl std::fmt::Debug for BatchLogs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BatchLogs({})", self.rows)
    }
}

impl<'a> BatchLogs<'a> {
    /// Looks up the columns.
    pub fn new(batch: &'a RecordBatch) -> Self {
        BatchLogs {
            rows: batch.num_rows(),
            span_id: Id::of(batch, "span_id"),
            time: Time::of(batch, "time"),
            observed_time: Time::of(batch, "observed_time"),
            name: Text::of(batch, "name"),
            body: Text::of(batch, "body"),
            attributes: Text::of(batch, "attributes"),
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// One row. Allocates nothing.
    pub fn row(&self, row: usize) -> LogRow<'a> {
        LogRow {
            span_id: self.span_id.at(row).unwrap_or_default(),
            time: self.time.at(row).or_else(|| self.observed_time.at(row)),
            name: self.name.at(row),
            body: self.body.at(row),
            attributes: self.attributes.at(row),
        }
    }
}
