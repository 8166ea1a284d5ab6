use super::*;
use crate::model::{Event, Link, SpanId, TraceId};
use arrow::array::{Array, AsArray};

fn span() -> Span<'static> {
    Span {
        trace_id: TraceId([1; 16]),
        span_id: SpanId([2; 8]),
        name: "s".into(),
        start_unix_nano: 5,
        end_unix_nano: 9,
        ..Span::default()
    }
}

fn text(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let array = batch.column_by_name(column).unwrap().as_string::<i32>();
    array.is_valid(row).then(|| array.value(row).to_owned())
}

#[test]
fn columns_are_null_until_a_row_has_a_value() {
    let mut b = BatchBuilder::new();
    b.push_span(&span()).unwrap();
    b.push_span(&Span { attributes: vec![("gen_ai.request.model".into(), "m".into())], ..span() }).unwrap();
    b.push_span(&span()).unwrap();
    assert_eq!(b.spans(), 3);
    let batch = b.finish();
    assert_eq!(batch.spans.num_rows(), 3);
    assert_eq!([0, 1, 2].map(|i| text(&batch.spans, "request_model", i)), [None, Some("m".into()), None]);
    assert_eq!(text(&batch.spans, "attributes", 1), None);
    assert_eq!(b.spans(), 0);
    assert_eq!(b.finish().spans.num_rows(), 0);
}

#[test]
fn what_is_not_default_goes_under_otel_keys() {
    let mut b = BatchBuilder::new();
    b.begin_resource(&Resource {
        attributes: vec![("service.name".into(), "svc".into())],
        dropped_attributes_count: 2,
        schema_url: "https://r".into(),
    });
    b.begin_scope(&Scope {
        name: "lib".into(),
        attributes: vec![("a".into(), 1.into())],
        schema_url: "https://s".into(),
        ..Scope::default()
    });
    b.push_span(&Span { flags: 257, dropped_links_count: 3, ..span() }).unwrap();
    b.push_span(&Span { attributes: vec![("{".into(), "{".into())], ..span() }).unwrap();
    let batch = b.finish().spans;
    assert_eq!(
        text(&batch, "resource_attributes", 0).unwrap(),
        r#"{"service.name":"svc","otel.dropped_attributes_count":2,"otel.schema_url":"https://r"}"#
    );
    assert_eq!(
        text(&batch, "attributes", 0).unwrap(),
        r#"{"otel.flags":257,"otel.dropped_links_count":3,"otel.scope.attributes":{"a":1},"otel.scope.schema_url":"https://s"}"#
    );
    assert!(text(&batch, "attributes", 1).unwrap().starts_with(r#"{"{":"{","otel.scope.attributes""#));
}

#[test]
fn a_rejected_span_leaves_no_trace() {
    let mut b = BatchBuilder::new();
    let mut deep = Value::Null;
    for _ in 0..40 {
        deep = Value::Array(vec![deep]);
    }
    let cases = [
        (Span { trace_id: TraceId::default(), ..span() }, RejectReason::ZeroTraceId),
        (Span { span_id: SpanId::default(), ..span() }, RejectReason::ZeroSpanId),
        (Span { start_unix_nano: 0, ..span() }, RejectReason::NoStartTime),
        (
            Span { end_unix_nano: u64::MAX, ..span() },
            RejectReason::TimeOutOfRange { field: "end time", unix_nano: u64::MAX },
        ),
        (
            Span { events: vec![Event { time_unix_nano: 1 << 63, ..Event::default() }], ..span() },
            RejectReason::TimeOutOfRange { field: "event time", unix_nano: 1 << 63 },
        ),
        (
            Span { attributes: vec![("k".into(), deep)], ..span() },
            RejectReason::TooDeep { limit: crate::limits::VALUE_DEPTH },
        ),
    ];
    for (bad, reason) in cases {
        assert_eq!(b.push_span(&bad), Err(reason));
    }
    b.push_span(&span()).unwrap();
    assert_eq!(b.finish().spans.num_rows(), 1);
}

#[test]
fn events_and_links_travel_packed() {
    let mut b = BatchBuilder::new();
    let events = vec![
        Event { time_unix_nano: 7, name: "e".into(), attributes: vec![("k".into(), 1.5.into())], ..Event::default() },
        Event { dropped_attributes_count: 4, ..Event::default() },
    ];
    let links = vec![Link { trace_id: TraceId([3; 16]), span_id: SpanId([4; 8]), flags: 1, ..Link::default() }];
    b.push_span(&Span { events, links, ..span() }).unwrap();
    let batch = b.finish().spans;
    let bytes = |name| batch.column_by_name(name).unwrap().as_binary::<i32>().value(0).to_vec();
    let events = unpack_events(&bytes("_events")).unwrap();
    assert_eq!(events[0].attributes.as_deref(), Some(r#"{"k":1.5}"#));
    assert_eq!(events[1].attributes.as_deref(), Some(r#"{"otel.dropped_attributes_count":4}"#));
    assert_eq!((events[0].time, events[1].time, events[1].name.clone()), (Some(7), None, None));
    assert_eq!(pack_events(&events), bytes("_events"));
    let links = unpack_links(&bytes("_links")).unwrap();
    assert_eq!(links[0].attributes.as_deref(), Some(r#"{"otel.flags":1}"#));
    assert_eq!(pack_links(&links), bytes("_links"));
}
