//! OTLP JSON as serde types that borrow from the text.
//!
//! What the mapping allows and is easy to miss: 64-bit numbers as strings or numbers, `null` for any absent field,
//! ids in hex of either case, special doubles as strings, unknown fields. Enums are numbers; their names are accepted
//! too.

use std::borrow::Cow;

use serde::Deserialize;

use super::number::Number;
use super::value::{AnyValue, Attrs, Id, List, Text};
use crate::ingest::{set_kind, set_status};
use crate::model::{Event, Link, LogRecord, Resource, Scope, Span, SpanId, TraceId};

/// A request or data document of any signal.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct Document<'a> {
    #[serde(borrow)]
    pub(super) resource_spans: Option<List<ResourceSpans<'a>>>,
    #[serde(borrow)]
    pub(super) resource_logs: Option<List<ResourceLogs<'a>>>,
    pub(super) resource_metrics: Option<serde::de::IgnoredAny>,
    pub(super) resource_profiles: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct ResourceSpans<'a> {
    #[serde(borrow)]
    pub(super) resource: Option<ResourceJson<'a>>,
    #[serde(borrow)]
    pub(super) scope_spans: List<ScopeSpans<'a>>,
    #[serde(borrow)]
    pub(super) schema_url: Text<'a>,
    /// What scopes were called before 2022.
    instrumentation_library_spans: Refused,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct ResourceLogs<'a> {
    #[serde(borrow)]
    pub(super) resource: Option<ResourceJson<'a>>,
    #[serde(borrow)]
    pub(super) scope_logs: List<ScopeLogs<'a>>,
    #[serde(borrow)]
    pub(super) schema_url: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct ScopeSpans<'a> {
    #[serde(borrow)]
    pub(super) scope: Option<ScopeJson<'a>>,
    #[serde(borrow)]
    pub(super) spans: List<SpanJson<'a>>,
    #[serde(borrow)]
    pub(super) schema_url: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct ScopeLogs<'a> {
    #[serde(borrow)]
    pub(super) scope: Option<ScopeJson<'a>>,
    #[serde(borrow)]
    pub(super) log_records: List<LogJson<'a>>,
    #[serde(borrow)]
    pub(super) schema_url: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct ResourceJson<'a> {
    #[serde(borrow)]
    attributes: Attrs<'a>,
    dropped_attributes_count: Number<u32>,
}

impl<'a> ResourceJson<'a> {
    pub(super) fn into_resource(self, schema_url: Cow<'a, str>) -> Resource<'a> {
        Resource {
            attributes: self.attributes.0,
            dropped_attributes_count: self.dropped_attributes_count.0,
            schema_url,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct ScopeJson<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    attributes: Attrs<'a>,
    dropped_attributes_count: Number<u32>,
}

impl<'a> ScopeJson<'a> {
    pub(super) fn into_scope(self, schema_url: Cow<'a, str>) -> Scope<'a> {
        Scope {
            name: self.name.0,
            version: self.version.0,
            attributes: self.attributes.0,
            dropped_attributes_count: self.dropped_attributes_count.0,
            schema_url,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct SpanJson<'a> {
    trace_id: Id<16>,
    span_id: Id<8>,
    parent_span_id: Id<8>,
    #[serde(borrow)]
    trace_state: Text<'a>,
    flags: Number<u32>,
    #[serde(borrow)]
    name: Text<'a>,
    kind: Kind,
    start_time_unix_nano: Number<u64>,
    end_time_unix_nano: Number<u64>,
    #[serde(borrow)]
    attributes: Attrs<'a>,
    dropped_attributes_count: Number<u32>,
    #[serde(borrow)]
    events: List<EventJson<'a>>,
    dropped_events_count: Number<u32>,
    #[serde(borrow)]
    links: List<LinkJson<'a>>,
    dropped_links_count: Number<u32>,
    #[serde(borrow)]
    status: Option<StatusJson<'a>>,
}

impl<'a> SpanJson<'a> {
    pub(super) fn into_span(self) -> Span<'a> {
        let status = self.status.unwrap_or_default();
        let mut span = Span {
            trace_id: TraceId(self.trace_id.0),
            span_id: SpanId(self.span_id.0),
            parent_span_id: Some(SpanId(self.parent_span_id.0)).filter(|p| !p.is_zero()),
            trace_state: self.trace_state.0,
            flags: self.flags.0,
            name: self.name.0,
            start_unix_nano: self.start_time_unix_nano.0,
            end_unix_nano: self.end_time_unix_nano.0,
            attributes: self.attributes.0,
            dropped_attributes_count: self.dropped_attributes_count.0,
            events: self.events.0.into_iter().map(EventJson::into_event).collect(),
            dropped_events_count: self.dropped_events_count.0,
            links: self.links.0.into_iter().map(LinkJson::into_link).collect(),
            dropped_links_count: self.dropped_links_count.0,
            status_message: status.message.0,
            ..Span::default()
        };
        set_kind(&mut span, self.kind.0);
        set_status(&mut span, status.code.0);
        span
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
struct StatusJson<'a> {
    #[serde(borrow)]
    message: Text<'a>,
    code: Code,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct EventJson<'a> {
    time_unix_nano: Number<u64>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    attributes: Attrs<'a>,
    dropped_attributes_count: Number<u32>,
}

impl<'a> EventJson<'a> {
    fn into_event(self) -> Event<'a> {
        Event {
            time_unix_nano: self.time_unix_nano.0,
            name: self.name.0,
            attributes: self.attributes.0,
            dropped_attributes_count: self.dropped_attributes_count.0,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct LinkJson<'a> {
    trace_id: Id<16>,
    span_id: Id<8>,
    #[serde(borrow)]
    trace_state: Text<'a>,
    flags: Number<u32>,
    #[serde(borrow)]
    attributes: Attrs<'a>,
    dropped_attributes_count: Number<u32>,
}

impl<'a> LinkJson<'a> {
    fn into_link(self) -> Link<'a> {
        Link {
            trace_id: TraceId(self.trace_id.0),
            span_id: SpanId(self.span_id.0),
            trace_state: self.trace_state.0,
            flags: self.flags.0,
            attributes: self.attributes.0,
            dropped_attributes_count: self.dropped_attributes_count.0,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(super) struct LogJson<'a> {
    trace_id: Id<16>,
    span_id: Id<8>,
    time_unix_nano: Number<u64>,
    observed_time_unix_nano: Number<u64>,
    severity_number: Severity,
    #[serde(borrow)]
    severity_text: Text<'a>,
    #[serde(borrow)]
    event_name: Text<'a>,
    #[serde(borrow)]
    body: AnyValue<'a>,
    #[serde(borrow)]
    attributes: Attrs<'a>,
    dropped_attributes_count: Number<u32>,
    flags: Number<u32>,
}

impl<'a> LogJson<'a> {
    /// The record; its ids are zero when it names no span.
    pub(super) fn into_log(self) -> LogRecord<'a> {
        LogRecord {
            trace_id: TraceId(self.trace_id.0),
            span_id: SpanId(self.span_id.0),
            time_unix_nano: self.time_unix_nano.0,
            observed_time_unix_nano: self.observed_time_unix_nano.0,
            severity_number: self.severity_number.0,
            severity_text: self.severity_text.0,
            event_name: self.event_name.0,
            body: self.body.0,
            attributes: self.attributes.0,
            dropped_attributes_count: self.dropped_attributes_count.0,
            flags: self.flags.0,
        }
    }
}

macro_rules! enumeration {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, [$($word:literal),*]) => {
        $(#[$doc])*
        #[derive(Default)]
        struct $name(i32);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                super::number::enumeration(d, $prefix, &[$($word),*]).map($name)
            }
        }
    };
}

enumeration!(
    /// Number of a span kind.
    Kind, "SPAN_KIND_", ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
);
enumeration!(
    /// Number of a status code.
    Code, "STATUS_CODE_", ["UNSET", "OK", "ERROR"]
);
enumeration!(
    /// Number of a severity.
    Severity,
    "SEVERITY_NUMBER_",
    [
        "UNSPECIFIED", "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4", "INFO", "INFO2",
        "INFO3", "INFO4", "WARN", "WARN2", "WARN3", "WARN4", "ERROR", "ERROR2", "ERROR3", "ERROR4", "FATAL", "FATAL2",
        "FATAL3", "FATAL4"
    ]
);

/// A member that holds spans in a form that is not read, so that it must not be skipped like an unknown one.
#[derive(Default)]
pub(super) struct Refused;

impl<'de> Deserialize<'de> for Refused {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("instrumentationLibrarySpans is not supported"))
    }
}
