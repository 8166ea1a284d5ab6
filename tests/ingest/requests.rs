//! Small requests to take apart.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span};
use prost::Message;

/// A span's JSON, named `s<n>`.
pub(crate) fn span_json(n: u64) -> String {
    format!(
        r#"{{"traceId":"{:032x}","spanId":"{:016x}","name":"s{n}","startTimeUnixNano":"{}","endTimeUnixNano":{},"attributes":[{{"key":"k","value":{{"stringValue":"a \"quoted\" {{brace"}}}}]}}"#,
        n + 1,
        n + 1,
        1_000 + n,
        2_000 + n
    )
}

/// A request with these spans, on one line.
pub(crate) fn request_json(spans: &[String]) -> String {
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"svc"}}}}]}},"scopeSpans":[{{"scope":{{"name":"lib"}},"spans":[{}]}}]}}]}}"#,
        spans.join(",")
    )
}

pub(crate) fn text(s: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(any_value::Value::StringValue(s.to_owned())) })
}

pub(crate) fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: text(value), ..KeyValue::default() }
}

/// The same span as `span_json`.
pub(crate) fn span_pb(n: u64) -> Span {
    Span {
        trace_id: u128::from(n + 1).to_be_bytes().to_vec(),
        span_id: (n + 1).to_be_bytes().to_vec(),
        name: format!("s{n}"),
        kind: span::SpanKind::Unspecified as i32,
        start_time_unix_nano: 1_000 + n,
        end_time_unix_nano: 2_000 + n,
        attributes: vec![attribute("k", "a \"quoted\" {brace")],
        ..Span::default()
    }
}

fn resource() -> Option<Resource> {
    Some(Resource { attributes: vec![attribute("service.name", "svc")], ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "lib".to_owned(), ..InstrumentationScope::default() })
}

/// The same request as `request_json`.
pub(crate) fn request_pb(spans: Vec<Span>) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource: resource(), scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

pub(crate) fn logs_pb(log_records: Vec<LogRecord>) -> Vec<u8> {
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource: resource(), scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

pub(crate) fn metrics_pb() -> Vec<u8> {
    let point = NumberDataPoint { value: Some(number_data_point::Value::AsInt(3)), ..NumberDataPoint::default() };
    // A name of 16 bytes and a description of 8 look like the ids of a span.
    let metric = Metric {
        name: "sixteen.bytes.ok".to_owned(),
        description: "8 bytes.".to_owned(),
        data: Some(metric::Data::Gauge(Gauge { data_points: vec![point] })),
        ..Metric::default()
    };
    let histogram = Metric {
        name: "sixteen.bytes.ok".to_owned(),
        data: Some(metric::Data::Sum(opentelemetry_proto::tonic::metrics::v1::Sum::default())),
        ..Metric::default()
    };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![histogram, metric], ..ScopeMetrics::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { resource: resource(), scope_metrics, ..ResourceMetrics::default() }],
    }
    .encode_to_vec()
}
