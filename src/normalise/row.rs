//! One row of normalised columns, by position in `schema::SPANS`.

use std::borrow::Cow;

use crate::schema::SPANS;

/// A value of one column.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Cell<'a> {
    /// NULL.
    #[default]
    Null,
    /// Text of any text column.
    Text(Cow<'a, str>),
    /// Integer.
    Int(i64),
    /// Float.
    Double(f64),
    /// Pico-dollars: the unscaled value of a money column.
    Usd(Pico),
}

/// An `i128` in two halves, so that a cell needs no 16-byte alignment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pico {
    high: i64,
    low: u64,
}

impl From<i128> for Pico {
    fn from(v: i128) -> Self {
        Pico { high: (v >> 64) as i64, low: v as u64 }
    }
}

impl From<Pico> for i128 {
    fn from(p: Pico) -> i128 {
        i128::from(p.high) << 64 | i128::from(p.low)
    }
}

/// The normalised columns of one span; raw columns stay unset.
pub(crate) struct Row<'a> {
    cells: [Cell<'a>; col::COUNT],
}

impl<'a> Row<'a> {
    pub(crate) fn new() -> Self {
        Row { cells: [const { Cell::Null }; col::COUNT] }
    }

    pub(crate) fn cells(&self) -> &[Cell<'a>; col::COUNT] {
        &self.cells
    }

    pub(crate) fn set(&mut self, column: usize, cell: Cell<'a>) {
        self.cells[column] = cell;
    }

    /// Sets text; empty text leaves the column NULL.
    pub(crate) fn set_str(&mut self, column: usize, text: &'a str) {
        if !text.is_empty() {
            self.cells[column] = Cell::Text(Cow::Borrowed(text));
        }
    }

    pub(crate) fn is_set(&self, column: usize) -> bool {
        self.cells[column] != Cell::Null
    }

    pub(crate) fn int(&self, column: usize) -> Option<i64> {
        match self.cells[column] {
            Cell::Int(v) => Some(v),
            _ => None,
        }
    }

    pub(crate) fn text(&self, column: usize) -> Option<&str> {
        match &self.cells[column] {
            Cell::Text(s) => Some(s),
            _ => None,
        }
    }
}

/// Position of a column of `spans`; a name that the schema lacks does not compile.
const fn position(name: &str) -> usize {
    let mut i = 0;
    while i < SPANS.len() {
        if same(SPANS[i].name.as_bytes(), name.as_bytes()) {
            return i;
        }
        i += 1;
    }
    panic!("no such column in the schema")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Positions of the columns of `spans`.
pub(crate) mod col {
    use super::position;

    /// How many columns come with a span.
    pub(crate) const COUNT: usize = crate::schema::SOURCE_COLUMNS;

    macro_rules! positions {
        ($($constant:ident = $name:literal;)*) => {
            $(pub(crate) const $constant: usize = position($name);)*
        };
    }

    positions! {
        TRACE_ID = "trace_id";
        SPAN_ID = "span_id";
        PARENT_SPAN_ID = "parent_span_id";
        TRACE_STATE = "trace_state";
        NAME = "name";
        KIND = "kind";
        OTEL_KIND = "otel_kind";
        START_TIME = "start_time";
        END_TIME = "end_time";
        DURATION_NS = "duration_ns";
        STATUS = "status";
        STATUS_MESSAGE = "status_message";
        ERROR_TYPE = "error_type";
        ERROR_MESSAGE = "error_message";
        SERVICE_NAME = "service_name";
        SERVICE_VERSION = "service_version";
        ENVIRONMENT = "environment";
        SCOPE_NAME = "scope_name";
        SCOPE_VERSION = "scope_version";
        DIALECT = "dialect";
        SESSION_ID = "session_id";
        USER_ID = "user_id";
        WORKFLOW_NAME = "workflow_name";
        AGENT_NAME = "agent_name";
        AGENT_ID = "agent_id";
        AGENT_VERSION = "agent_version";
        PARENT_AGENT = "parent_agent";
        PROVIDER = "provider";
        REQUEST_MODEL = "request_model";
        RESPONSE_MODEL = "response_model";
        SERVICE_TIER = "service_tier";
        FINISH_REASONS = "finish_reasons";
        TEMPERATURE = "temperature";
        MAX_TOKENS = "max_tokens";
        TTFT_NS = "ttft_ns";
        INPUT_TOKENS = "input_tokens";
        OUTPUT_TOKENS = "output_tokens";
        CACHE_READ_TOKENS = "cache_read_tokens";
        CACHE_WRITE_TOKENS = "cache_write_tokens";
        CACHE_WRITE_1H_TOKENS = "cache_write_1h_tokens";
        REASONING_TOKENS = "reasoning_tokens";
        INPUT_AUDIO_TOKENS = "input_audio_tokens";
        INPUT_IMAGE_TOKENS = "input_image_tokens";
        OUTPUT_AUDIO_TOKENS = "output_audio_tokens";
        TOTAL_TOKENS = "total_tokens";
        USAGE_CONVENTION = "usage_convention";
        REPORTED_COST_USD = "reported_cost_usd";
        RESPONSE_ID = "response_id";
        TOOL_NAME = "tool_name";
        TOOL_TYPE = "tool_type";
        TOOL_CALL_ID = "tool_call_id";
        TOOL_ARGS = "tool_args";
        TOOL_RESULT = "tool_result";
        INPUT = "input";
        OUTPUT = "output";
        SYSTEM_PROMPT = "system_prompt";
        PROMPT_NAME = "prompt_name";
        PROMPT_VERSION = "prompt_version";
        DATA_SOURCE = "data_source";
        DOCUMENTS = "documents";
        HANDOFF_FROM = "handoff_from";
        HANDOFF_TO = "handoff_to";
        POLICY_NAME = "policy_name";
        POLICY_VERDICT = "policy_verdict";
        UNREADABLE = "unreadable";
        ATTRIBUTES = "attributes";
        RESOURCE_ATTRIBUTES = "resource_attributes";
    }
}
