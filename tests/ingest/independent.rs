//! Decoders that share nothing with the crate's own: prost types for protobuf, a walk over `serde_json::Value` for
//! JSON. Both give the same plain model, attributes as the crate's values.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use prost::Message;
use serde_json::Value as Json;
use spanfile::model::{Attributes, Value};

type Attrs = Attributes<'static>;

/// Trace id, span id, trace state, attributes, flags.
pub(crate) type PlainLink = (Vec<u8>, Vec<u8>, String, Attrs, u32);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlainSpan {
    pub(crate) trace_id: Vec<u8>,
    pub(crate) span_id: Vec<u8>,
    pub(crate) parent: Vec<u8>,
    pub(crate) trace_state: String,
    pub(crate) flags: u32,
    pub(crate) name: String,
    pub(crate) kind: i64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) attributes: Attrs,
    pub(crate) events: Vec<(u64, String, Attrs)>,
    pub(crate) links: Vec<PlainLink>,
    pub(crate) dropped: [u32; 3],
    pub(crate) status: i64,
    pub(crate) status_message: String,
    pub(crate) scope_name: String,
    pub(crate) scope_version: String,
    pub(crate) scope_attributes: Attrs,
    pub(crate) scope_schema_url: String,
    pub(crate) resource: Attrs,
    pub(crate) resource_schema_url: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlainLog {
    pub(crate) trace_id: Vec<u8>,
    pub(crate) span_id: Vec<u8>,
    pub(crate) time: u64,
    pub(crate) observed: u64,
    pub(crate) severity: i64,
    pub(crate) severity_text: String,
    pub(crate) event_name: String,
    pub(crate) body: Value<'static>,
    pub(crate) attributes: Attrs,
    pub(crate) resource: Attrs,
}

pub(crate) mod pb {
    use super::*;
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

    fn value(v: Option<AnyValue>) -> Value<'static> {
        match v.and_then(|v| v.value) {
            None => Value::Null,
            Some(any_value::Value::StringValue(s)) => Value::Str(Cow::Owned(s)),
            Some(any_value::Value::BoolValue(b)) => Value::Bool(b),
            Some(any_value::Value::IntValue(i)) => Value::Int(i),
            Some(any_value::Value::DoubleValue(d)) => Value::Double(d),
            Some(any_value::Value::BytesValue(b)) => Value::Bytes(Cow::Owned(b)),
            Some(any_value::Value::ArrayValue(a)) => {
                Value::Array(a.values.into_iter().map(|v| value(Some(v))).collect())
            }
            Some(any_value::Value::KvlistValue(l)) => Value::Map(attributes(l.values)),
            #[allow(unreachable_patterns, reason = "newer versions of the types may have more")]
            Some(other) => panic!("{other:?}"),
        }
    }

    fn attributes(list: Vec<KeyValue>) -> Attrs {
        list.into_iter().map(|kv| (Cow::Owned(kv.key), value(kv.value))).collect()
    }

    pub(crate) fn spans(bytes: &[u8]) -> Vec<PlainSpan> {
        let request = ExportTraceServiceRequest::decode(bytes).unwrap();
        let mut out = Vec::new();
        for rs in request.resource_spans {
            let resource = attributes(rs.resource.unwrap_or_default().attributes);
            for ss in rs.scope_spans {
                let scope = ss.scope.unwrap_or_default();
                for s in ss.spans {
                    let status = s.status.unwrap_or_default();
                    out.push(PlainSpan {
                        trace_id: s.trace_id,
                        span_id: s.span_id,
                        parent: s.parent_span_id,
                        trace_state: s.trace_state,
                        flags: s.flags,
                        name: s.name,
                        kind: s.kind.into(),
                        start: s.start_time_unix_nano,
                        end: s.end_time_unix_nano,
                        attributes: attributes(s.attributes),
                        events: s
                            .events
                            .into_iter()
                            .map(|e| (e.time_unix_nano, e.name, attributes(e.attributes)))
                            .collect(),
                        links: s
                            .links
                            .into_iter()
                            .map(|l| (l.trace_id, l.span_id, l.trace_state, attributes(l.attributes), l.flags))
                            .collect(),
                        dropped: [s.dropped_attributes_count, s.dropped_events_count, s.dropped_links_count],
                        status: status.code.into(),
                        status_message: status.message,
                        scope_name: scope.name.clone(),
                        scope_version: scope.version.clone(),
                        scope_attributes: attributes(scope.attributes.clone()),
                        scope_schema_url: ss.schema_url.clone(),
                        resource: resource.clone(),
                        resource_schema_url: rs.schema_url.clone(),
                    });
                }
            }
        }
        out
    }

    pub(crate) fn logs(bytes: &[u8]) -> Vec<PlainLog> {
        let request = ExportLogsServiceRequest::decode(bytes).unwrap();
        let mut out = Vec::new();
        for rl in request.resource_logs {
            let resource = attributes(rl.resource.unwrap_or_default().attributes);
            for l in rl.scope_logs.into_iter().flat_map(|sl| sl.log_records) {
                out.push(PlainLog {
                    trace_id: l.trace_id,
                    span_id: l.span_id,
                    time: l.time_unix_nano,
                    observed: l.observed_time_unix_nano,
                    severity: l.severity_number.into(),
                    severity_text: l.severity_text,
                    event_name: l.event_name,
                    body: value(l.body),
                    attributes: attributes(l.attributes),
                    resource: resource.clone(),
                });
            }
        }
        out
    }
}

pub(crate) mod json {
    use super::*;

    fn documents(bytes: &[u8]) -> Vec<Json> {
        serde_json::Deserializer::from_slice(bytes).into_iter().map(Result::unwrap).collect()
    }

    fn items<'j>(j: &'j Json, key: &str) -> impl Iterator<Item = &'j Json> {
        j[key].as_array().into_iter().flatten()
    }

    fn text(j: &Json) -> String {
        j.as_str().unwrap_or_default().to_owned()
    }

    fn int(j: &Json) -> u64 {
        j.as_u64().or_else(|| j.as_str().map(|s| s.parse().unwrap())).unwrap_or_default()
    }

    fn hex(j: &Json) -> Vec<u8> {
        let s = text(j);
        (0..s.len() / 2).map(|i| u8::from_str_radix(&s[2 * i..2 * i + 2], 16).unwrap()).collect()
    }

    fn value(j: &Json) -> Value<'static> {
        let Some((kind, v)) = j.as_object().and_then(|o| o.iter().next()) else { return Value::Null };
        match kind.as_str() {
            "stringValue" => Value::Str(Cow::Owned(text(v))),
            "boolValue" => Value::Bool(v.as_bool().unwrap()),
            "intValue" => Value::Int(v.as_i64().unwrap_or_else(|| v.as_str().unwrap().parse().unwrap())),
            "doubleValue" => Value::Double(v.as_f64().unwrap_or_else(|| v.as_str().unwrap().parse().unwrap())),
            "arrayValue" => Value::Array(items(v, "values").map(value).collect()),
            "kvlistValue" => Value::Map(attributes(v, "values")),
            other => panic!("{other}"),
        }
    }

    fn attributes(j: &Json, key: &str) -> Attrs {
        items(j, key).map(|kv| (Cow::Owned(text(&kv["key"])), value(&kv["value"]))).collect()
    }

    pub(crate) fn spans(bytes: &[u8]) -> Vec<PlainSpan> {
        let mut out = Vec::new();
        for document in documents(bytes) {
            for rs in items(&document, "resourceSpans") {
                for ss in items(rs, "scopeSpans") {
                    for s in items(ss, "spans") {
                        out.push(PlainSpan {
                            trace_id: hex(&s["traceId"]),
                            span_id: hex(&s["spanId"]),
                            parent: hex(&s["parentSpanId"]),
                            trace_state: text(&s["traceState"]),
                            flags: int(&s["flags"]) as u32,
                            name: text(&s["name"]),
                            kind: int(&s["kind"]) as i64,
                            start: int(&s["startTimeUnixNano"]),
                            end: int(&s["endTimeUnixNano"]),
                            attributes: attributes(s, "attributes"),
                            events: items(s, "events")
                                .map(|e| (int(&e["timeUnixNano"]), text(&e["name"]), attributes(e, "attributes")))
                                .collect(),
                            links: items(s, "links")
                                .map(|l| {
                                    let state = text(&l["traceState"]);
                                    let flags = int(&l["flags"]) as u32;
                                    (hex(&l["traceId"]), hex(&l["spanId"]), state, attributes(l, "attributes"), flags)
                                })
                                .collect(),
                            dropped: ["droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"]
                                .map(|k| int(&s[k]) as u32),
                            status: int(&s["status"]["code"]) as i64,
                            status_message: text(&s["status"]["message"]),
                            scope_name: text(&ss["scope"]["name"]),
                            scope_version: text(&ss["scope"]["version"]),
                            scope_attributes: attributes(&ss["scope"], "attributes"),
                            scope_schema_url: text(&ss["schemaUrl"]),
                            resource: attributes(&rs["resource"], "attributes"),
                            resource_schema_url: text(&rs["schemaUrl"]),
                        });
                    }
                }
            }
        }
        out
    }

    pub(crate) fn logs(bytes: &[u8]) -> Vec<PlainLog> {
        let mut out = Vec::new();
        for document in documents(bytes) {
            for rl in items(&document, "resourceLogs") {
                for l in items(rl, "scopeLogs").flat_map(|sl| items(sl, "logRecords")) {
                    out.push(PlainLog {
                        trace_id: hex(&l["traceId"]),
                        span_id: hex(&l["spanId"]),
                        time: int(&l["timeUnixNano"]),
                        observed: int(&l["observedTimeUnixNano"]),
                        severity: int(&l["severityNumber"]) as i64,
                        severity_text: text(&l["severityText"]),
                        event_name: text(&l["eventName"]),
                        body: value(&l["body"]),
                        attributes: attributes(l, "attributes"),
                        resource: attributes(&rl["resource"], "attributes"),
                    });
                }
            }
        }
        out
    }
}
