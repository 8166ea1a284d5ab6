//! The forms in which the same spans may come.

use std::io::Write;

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use spanfile::limits::VALUE_DEPTH;

use super::gather::{Gathered, gather};
use super::requests::{logs_pb, metrics_pb, request_json, request_pb, span_json, span_pb, text};

fn names(n: u64) -> Vec<String> {
    (0..n).map(|i| format!("s{i}")).collect()
}

fn clean(got: Gathered, spans: u64) -> Gathered {
    assert_eq!(got.rejected, []);
    assert_eq!(got.names, names(spans));
    got
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn zstd_frame(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

#[test]
fn json_in_every_layout() {
    let a = request_json(&[span_json(0), span_json(1)]);
    let b = request_json(&[span_json(2)]);
    let pretty =
        |s: &str| serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(s).unwrap()).unwrap();
    let want = clean(gather(format!("{a}\n{b}\n").as_bytes()), 3);
    for layout in [
        format!("{a}\n{b}"),
        format!("{a}\r\n\r\n  {b}\r\n"),
        format!("{a}{b}"),
        format!("{a} {b}\n\n"),
        format!("\u{feff}{a}\n{b}"),
        format!("{}\n{}\n", pretty(&a), pretty(&b)),
        format!("{}{b}", pretty(&a)),
        format!("{}\n{b}\n{{}}\n", pretty(&a)),
    ] {
        let got = clean(gather(layout.as_bytes()), 3);
        assert_eq!(got.summary.bytes, layout.len() as u64);
        assert_eq!(got.batch.spans, want.batch.spans, "{layout}");
    }
}

/// Looking for a line again behind each document would take hours.
#[test]
fn many_documents_on_one_line_take_time_in_proportion() {
    let one = request_json(&[span_json(0)]);
    let got = gather(format!("{one}{}{one}", "{}".repeat(1 << 20)).as_bytes());
    assert_eq!((got.names.len(), got.rejected.len()), (2, 0), "{:?}", got.rejected);
}

#[test]
fn members_may_come_in_any_order() {
    let span = span_json(0);
    let line = format!(
        r#"{{"resourceSpans":[{{"schemaUrl":"r","scopeSpans":[{{"spans":[{span}],"schemaUrl":"s","scope":{{"name":"lib"}}}}],"resource":{{"attributes":[{{"value":{{"stringValue":"svc"}},"key":"service.name"}}]}}}}],"unknown":[1,{{}}]}}"#
    );
    let got = clean(gather(line.as_bytes()), 1);
    let want = format!("{}\n", line.replace(r#""unknown""#, "\n\"unknown\""));
    assert_eq!(clean(gather(want.as_bytes()), 1).batch.spans, got.batch.spans);
    let row = format!("{:?}", got.batch.spans);
    assert!(row.contains("svc") && row.contains("otel.schema_url") && row.contains("otel.scope.schema_url"), "{row}");
}

#[test]
fn protobuf_in_every_framing() {
    let a = request_pb(vec![span_pb(0), span_pb(1)]);
    let b = request_pb(vec![span_pb(2)]);
    let want = clean(gather(format!("{}\n", request_json(&[span_json(0), span_json(1), span_json(2)])).as_bytes()), 3);
    let framed = |m: &[u8]| [&(m.len() as u32).to_be_bytes()[..], m].concat();
    let delimited = |m: &[u8]| {
        let mut out = Vec::new();
        prost::encoding::encode_varint(m.len() as u64, &mut out);
        [&out[..], m].concat()
    };
    for bytes in [
        [&a[..], &b[..]].concat(),
        [framed(&a), framed(&[]), framed(&b)].concat(),
        [delimited(&a), delimited(&[]), delimited(&b)].concat(),
    ] {
        let got = clean(gather(&bytes), 3);
        assert_eq!(got.summary.bytes, bytes.len() as u64);
        assert_eq!(got.batch.spans, want.batch.spans);
    }
}

#[test]
fn compressed_in_every_way() {
    let a = request_json(&[span_json(0)]) + "\n";
    let b = request_json(&[span_json(1)]) + "\n";
    let pb = request_pb(vec![span_pb(0), span_pb(1)]);
    let framed_zstd = |m: &[u8]| {
        let z = zstd_frame(m);
        [&(z.len() as u32).to_be_bytes()[..], &z].concat()
    };
    let skippable = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    for bytes in [
        gzip((a.clone() + &b).as_bytes()),
        [gzip(a.as_bytes()), gzip(b.as_bytes())].concat(),
        [zstd_frame(a.as_bytes()), zstd_frame(b.as_bytes())].concat(),
        [skippable, zstd_frame(&pb)].concat(),
        gzip(&pb),
        [framed_zstd(a.as_bytes()), framed_zstd(b.as_bytes())].concat(),
        [framed_zstd(&request_pb(vec![span_pb(0)])), framed_zstd(&request_pb(vec![span_pb(1)]))].concat(),
    ] {
        clean(gather(&bytes), 2);
    }
}

#[test]
fn nothing_is_nothing() {
    for bytes in [&b""[..], b"\n \n", b"{}", b"{\"resourceSpans\":[]}", b"{\"resourceSpans\":null}\n", b"\x0a\x00"] {
        clean(gather(bytes), 0);
    }
    clean(gather(&gzip(b"")), 0);
    clean(gather(&zstd_frame(b"")), 0);
}

#[test]
fn signals_are_told_apart_by_their_records() {
    let log = LogRecord {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        time_unix_nano: 5,
        body: text("hello"),
        ..LogRecord::default()
    };
    let uncorrelated = LogRecord { trace_id: vec![], span_id: vec![], ..log.clone() };
    let bytes = [logs_pb(vec![log.clone(), uncorrelated]), request_pb(vec![span_pb(0)]), metrics_pb()].concat();
    let got = gather(&bytes);
    assert_eq!((got.summary.spans, got.summary.logs), (1, 1));
    let reasons: Vec<&str> = got.rejected.iter().map(|r| r.reason.as_str()).collect();
    assert_eq!(reasons, ["log record without trace id or span id", "OTLP metrics: only traces and logs are stored"]);
    let json = format!(
        "{}\n{}\n{}\n",
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"01010101010101010101010101010101","spanId":"0202020202020202","timeUnixNano":"5","body":{"stringValue":"hello"}},{"body":{}}]}]}]}"#,
        request_json(&[span_json(0)]),
        r#"{"resourceMetrics":[]}"#
    );
    let got = gather(json.as_bytes());
    assert_eq!((got.summary.spans, got.summary.logs), (1, 1));
    assert_eq!((got.summary.rejected, got.summary.uncorrelated), (1, 1));
}

#[test]
fn values_of_every_type_survive_the_json_mapping() {
    let span = span_json(0).replace(
        r#""attributes":["#,
        concat!(
            r#""kind":"SPAN_KIND_CLIENT","status":{"code":"STATUS_CODE_ERROR","message":null},"events":null,"flags":256,"#,
            r#""attributes":[{"key":"i","value":{"intValue":"-9223372036854775808"}},{"key":"j","value":{"intValue":7}},"#,
            r#"{"key":"d","value":{"doubleValue":0.1}},{"key":"e","value":{"doubleValue":"NaN"}},{"key":"f","value":{"doubleValue":3}},"#,
            r#"{"key":"b","value":{"bytesValue":"_-8"}},{"key":"n","value":{}},{"key":"m","value":{"stringValue":null}},{"key":"o"},"#,
            r#"{"key":"l","value":{"arrayValue":{"values":[{"boolValue":true},{"arrayValue":{}}]}}},"#,
            r#"{"key":"k2","value":{"kvlistValue":{"values":[{"key":"x","value":{"intValue":1}}]}}},"#
        ),
    );
    let got = clean(gather(request_json(&[span]).as_bytes()), 1);
    let row = format!("{:?}", got.batch.spans.column_by_name("attributes").unwrap());
    for entry in [
        r#""i":-9223372036854775808"#,
        r#""j":7"#,
        r#""d":0.1"#,
        r#""e":{"$double":"NaN"}"#,
        r#""f":3.0"#,
        r#""b":{"$bytes":"/+8="}"#,
        r#""n":null,"m":null,"o":null"#,
        r#""l":[true,[]]"#,
        r#""k2":{"x":1}"#,
        r#""otel.flags":256"#,
    ] {
        assert!(row.replace("\\\"", "\"").contains(entry), "{entry} in {row}");
    }
    let row = format!("{:?}", got.batch.spans);
    assert!(row.contains("client") && row.contains("error"));
}

#[test]
fn numbers_of_unknown_kinds_are_kept() {
    let json = span_json(0).replace("\"name\"", "\"kind\":9,\"status\":{\"code\":7},\"name\"");
    let mut pb = span_pb(0);
    pb.kind = 9;
    pb.status = Some(opentelemetry_proto::tonic::trace::v1::Status { code: 7, ..Default::default() });
    let a = clean(gather(request_json(&[json]).as_bytes()), 1);
    let b = clean(gather(&request_pb(vec![pb])), 1);
    assert_eq!(a.batch.spans, b.batch.spans);
    let row = format!("{:?}", a.batch.spans.column_by_name("attributes").unwrap()).replace("\\\"", "\"");
    assert!(row.contains(r#""otel.kind":9,"otel.status_code":7"#), "{row}");
}

#[test]
fn values_nest_as_deep_in_json_as_in_protobuf() {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, KeyValueList, any_value};
    for (depth, taken) in [(VALUE_DEPTH, true), (VALUE_DEPTH + 1, false)] {
        let mut json = "{}".to_owned();
        let mut pb = AnyValue::default();
        for _ in 0..depth {
            json = format!(r#"{{"kvlistValue":{{"values":[{{"key":"k","value":{json}}}]}}}}"#);
            let pair = KeyValue { key: "k".to_owned(), value: Some(pb), ..KeyValue::default() };
            pb = AnyValue { value: Some(any_value::Value::KvlistValue(KeyValueList { values: vec![pair] })) };
        }
        let event = format!(r#""events":[{{"name":"e","attributes":[{{"key":"deep","value":{json}}}]}}],"name""#);
        let json = request_json(&[span_json(0).replace("\"name\"", &event)]);
        let mut span = span_pb(0);
        span.events.push(opentelemetry_proto::tonic::trace::v1::span::Event {
            name: "e".to_owned(),
            attributes: vec![KeyValue { key: "deep".to_owned(), value: Some(pb), ..KeyValue::default() }],
            ..Default::default()
        });
        let a = gather(json.as_bytes());
        let b = gather(&request_pb(vec![span]));
        assert_eq!((a.names.len(), b.names.len()), (usize::from(taken), usize::from(taken)), "{:?}", a.rejected);
        assert_eq!(a.batch.spans, b.batch.spans);
    }
}
