//! What is wrong is rejected alone, verbatim, and at its exact place; its neighbours are kept.

use opentelemetry_proto::tonic::trace::v1::Span;
use spanfile::ingest::{Position, RejectClass};
use spanfile::limits::{DOCUMENT_BYTES, RECORD_BYTES};

use super::gather::{Gathered, Rejected, gather};
use super::requests::{request_json, request_pb, span_json, span_pb};

/// The one reject, which must be these bytes at their place.
#[track_caller]
fn only(got: &Gathered, input: &[u8], line: Option<u64>, bytes: &[u8], reason: &str) {
    assert_eq!(got.rejected.len(), 1, "{:?}", got.rejected);
    let r = &got.rejected[0];
    assert!(r.reason.contains(reason), "{:?} does not say {reason:?}", r.reason);
    assert_eq!(r.bytes, bytes, "{:?}", String::from_utf8_lossy(&r.bytes));
    let at = r.position.byte as usize;
    assert_eq!(&input[at..at + bytes.len()], bytes, "not at byte {at}");
    assert_eq!(r.position.line, line);
    if let Some(line) = line {
        assert_eq!(line, 1 + input[..at].iter().filter(|b| **b == b'\n').count() as u64);
    }
    assert_eq!(r.class, RejectClass::Malformed);
}

/// Faults that one span can have, in JSON.
fn bad_spans() -> Vec<(String, &'static str)> {
    let good = span_json(7);
    let id = format!("{:032x}", 8);
    vec![
        (good.replace(&id, ""), "trace id is all zeros"),
        (good.replace(&id, &"0".repeat(32)), "trace id is all zeros"),
        (good.replace(&id, "abc"), "id \"abc\" is not 32 hex digits"),
        (good.replace(&id, &"g".repeat(32)), "is not 32 hex digits"),
        (good.replace(&format!("\"spanId\":\"{:016x}\"", 8), "\"spanId\":\"\""), "span id is all zeros"),
        (good.replace("\"1007\"", "0"), "no start time"),
        (good.replace("\"1007\"", "\"18446744073709551615\""), "beyond the year 2262"),
        (good.replace("\"1007\"", "-5"), "unsigned integer"),
        (good.replace("\"1007\"", "\"noon\""), "unsigned integer"),
        (good.replace("\"name\":\"s7\"", "\"name\":7"), "expected a string"),
        (good.replace("\"name\":\"s7\"", "\"name\":\"s7\",\"kind\":\"CLOUD\""), "SPAN_KIND_INTERNAL"),
        (good.replace("{\"stringValue\"", "{\"boolValue\":true,\"stringValue\""), "two types"),
        (good.replace("\\\"quoted", "\\ud800 quoted"), "escape"),
        (good.replace("\"attributes\":[", "\"attributes\":[3,"), "key and value"),
        (good.replace("\"name\":\"s7\"", "\"name\":xyz"), "expected"),
        ("17".to_owned(), "invalid type"),
    ]
}

#[test]
fn a_bad_span_is_rejected_alone() {
    for (bad, reason) in bad_spans() {
        let line = request_json(&[span_json(0), bad.clone(), span_json(1)]);
        for input in [
            format!("{}\n{line}\n{}\n", request_json(&[span_json(10)]), request_json(&[span_json(11)])),
            format!(
                "{}\n{}\n{}",
                request_json(&[span_json(10)]),
                line.replace(",\"scopeSpans", "\n,\n\"scopeSpans"),
                request_json(&[span_json(11)])
            ),
        ] {
            let got = gather(input.as_bytes());
            let line = if input.contains("\n,\n") { 4 } else { 2 };
            only(&got, input.as_bytes(), Some(line), bad.as_bytes(), reason);
            assert_eq!(got.names, ["s10", "s0", "s1", "s11"], "{reason}");
        }
    }
}

#[test]
fn a_bad_span_is_named_where_it_can_be() {
    let bad = span_json(7).replace("\"1007\"", "[]");
    let got = gather(request_json(&[bad]).as_bytes());
    assert_eq!(got.rejected[0].span_id.map(|id| id.to_string()).as_deref(), Some("0000000000000008"));
    assert!(got.rejected[0].reason.ends_with(")"), "{}", got.rejected[0].reason);
    let bad = Span { start_time_unix_nano: 0, ..span_pb(7) };
    let got = gather(&request_pb(vec![bad]));
    assert_eq!(got.rejected[0].span_id.map(|id| id.to_string()).as_deref(), Some("0000000000000008"));
}

#[test]
fn invalid_text_in_json_costs_one_span() {
    let mut input = format!("{}\n", request_json(&[span_json(0), span_json(7), span_json(1)])).into_bytes();
    let at = input.windows(4).position(|w| w == b"\"s7\"").unwrap();
    input[at + 1] = 0xff;
    let got = gather(&input);
    let mut bad = span_json(7).into_bytes();
    let at = bad.windows(4).position(|w| w == b"\"s7\"").unwrap();
    bad[at + 1] = 0xff;
    only(&got, &input, Some(1), &bad, "unicode");
    assert_eq!(got.names, ["s0", "s1"]);
}

#[test]
fn a_broken_line_costs_no_other_line() {
    let good = |n| request_json(&[span_json(n)]);
    for broken in
        ["garbage", "{", "[1,2", "\"resourceSpans\"", "{\"resourceSpans\":[}", "}", "{\"resourceSpans\" [", "nul"]
    {
        let input = format!("{}\n{broken}\n{}\n", good(0), good(1));
        let got = gather(input.as_bytes());
        // An open bracket may go on to the line end.
        let bytes = got.rejected[0].bytes.clone();
        assert_eq!(String::from_utf8(bytes.clone()).unwrap().trim_end_matches('\n'), broken);
        only(&got, input.as_bytes(), Some(2), &bytes, "");
        assert_eq!(got.names, ["s0", "s1"], "{broken}");
    }
    let unknown = format!("{}\n{{\"foo\":1}}\n{}\n", good(0), good(1));
    let got = gather(unknown.as_bytes());
    only(&got, unknown.as_bytes(), Some(2), b"{\"foo\":1}", "neither resourceSpans nor resourceLogs");
    assert_eq!(got.names, ["s0", "s1"]);
}

#[test]
fn a_cut_line_keeps_its_whole_spans_and_every_other_line() {
    let line = request_json(&[span_json(0), span_json(1)]);
    let first_span_end = line.find(",{\"traceId\":\"00000000000000000000000000000002").unwrap();
    for cut in 1..line.len() {
        for (end, after) in [("", ""), ("\n", "next"), ("\n\n", "next")] {
            let next = request_json(&[span_json(2)]);
            let input = format!("{}{end}{}", &line[..cut], if after.is_empty() { "" } else { &next });
            let got = gather(input.as_bytes());
            let mut want = Vec::new();
            if cut >= first_span_end {
                want.push("s0");
            }
            if line[cut..].len() <= "]}]}]}".len() {
                want.push("s1");
            }
            if !after.is_empty() {
                want.push("s2");
            }
            assert_eq!(got.names, want, "{input}");
            assert_eq!(got.rejected.len(), 1, "{input} {:?}", got.rejected);
            let r = &got.rejected[0];
            assert_eq!(r.position.line, Some(1));
            let from = r.position.byte as usize;
            assert_eq!(&input.as_bytes()[from..from + r.bytes.len()], &r.bytes[..]);
            // Nothing between what was kept and the next line is left out of the reject.
            assert!(from + r.bytes.len() >= cut, "{input}: {r:?}");
        }
    }
}

#[test]
fn a_cut_pretty_document_ends_where_the_next_begins() {
    let pretty = |n: u64| {
        let value: serde_json::Value = serde_json::from_str(&request_json(&[span_json(n), span_json(n + 1)])).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    };
    let whole = pretty(0);
    let lines: Vec<&str> = whole.lines().collect();
    for keep in 1..lines.len() {
        let input = format!("{}\n{}\n", lines[..keep].join("\n"), pretty(5));
        let got = gather(input.as_bytes());
        assert!(got.names.ends_with(&["s5".to_owned(), "s6".to_owned()]), "{input} {:?} {:?}", got.names, got.rejected);
        assert_eq!(got.rejected.len(), 1, "{input} {:?}", got.rejected);
    }
}

#[test]
fn a_bad_header_costs_what_it_heads() {
    let bad = request_json(&[span_json(0)]).replace("\"key\":\"service.name\"", "\"key\":5");
    let input = format!("{bad}\n{}\n", request_json(&[span_json(1)]));
    let got = gather(input.as_bytes());
    let element = &bad[bad.find('[').unwrap() + 1..bad.len() - 2];
    only(&got, input.as_bytes(), Some(1), element.as_bytes(), "resource: ");
    assert_eq!(got.names, ["s1"]);
    let bad = request_json(&[span_json(0)]).replace("{\"name\":\"lib\"}", "{\"name\":[]}");
    let got = gather(bad.as_bytes());
    assert!(got.rejected[0].reason.starts_with("scope: "));
    let old = request_json(&[span_json(0)]).replace("scopeSpans", "instrumentationLibrarySpans");
    let got = gather(old.as_bytes());
    assert!(got.rejected[0].reason.contains("instrumentationLibrarySpans"), "{:?}", got.rejected);
}

#[test]
fn a_bad_span_in_protobuf_is_rejected_alone() {
    let good = span_pb(7);
    for (bad, reason) in [
        (Span { trace_id: vec![1; 5], ..good.clone() }, "trace_id has 5 bytes, not 16"),
        (Span { trace_id: vec![], ..good.clone() }, "trace id is all zeros"),
        (Span { span_id: vec![0; 8], ..good.clone() }, "span id is all zeros"),
        (Span { parent_span_id: vec![1; 7], ..good.clone() }, "parent_span_id has 7 bytes, not 8"),
        (Span { start_time_unix_nano: u64::MAX, ..good.clone() }, "beyond the year 2262"),
    ] {
        let encoded = prost::Message::encode_to_vec(&bad);
        let input = request_pb(vec![span_pb(0), bad, span_pb(1)]);
        let got = gather(&input);
        only(&got, &input, None, &encoded, reason);
        assert_eq!(got.names, ["s0", "s1"]);
    }
    // Text that is no UTF-8, made by hand because the types do not allow it.
    let mut input = request_pb(vec![span_pb(0), span_pb(7), span_pb(1)]);
    let at = input.windows(2).position(|w| w == b"s7").unwrap();
    input[at] = 0xff;
    let mut encoded = prost::Message::encode_to_vec(&good);
    let name = encoded.windows(2).position(|w| w == b"s7").unwrap();
    encoded[name] = 0xff;
    let got = gather(&input);
    only(&got, &input, None, &encoded, "name is not UTF-8");
    assert!(got.rejected[0].reason.ends_with(&format!("(byte {})", at + 2)), "{}", got.rejected[0].reason);
    assert_eq!(got.names, ["s0", "s1"]);
}

#[test]
fn cut_protobuf_keeps_what_was_whole() {
    let input = request_pb(vec![span_pb(0), span_pb(1)]);
    let span = prost::Message::encoded_len(&span_pb(1));
    // Header of the second span: tag and length.
    let second = input.len() - span - 2;
    for cut in 3..input.len() {
        let got = gather(&input[..cut]);
        let want: &[&str] = if cut < second { &[] } else { &["s0"] };
        assert_eq!(got.names, want, "cut at {cut}");
        assert_eq!(got.rejected.len(), 1);
        let Rejected { position, reason, bytes, .. } = &got.rejected[0];
        assert!(reason.contains("ends within a protobuf message") || cut < 10, "{reason}");
        assert_eq!(position.byte as usize + bytes.len(), cut);
        if cut >= second {
            assert_eq!(*position, Position { line: None, byte: second as u64 });
        }
    }
    // Within the header of a second message that follows without framing.
    for rest in [&[0x0a][..], &[0x0a, 0x80], &[0x8a, 0x80]] {
        let cut = [&input, rest].concat();
        let got = gather(&cut);
        assert_eq!(got.names, ["s0", "s1"]);
        only(&got, &cut, None, rest, "ends within a protobuf message");
    }
    let framed = [&(input.len() as u32).to_be_bytes()[..], &input, &[0, 0]].concat();
    let got = gather(&framed);
    assert_eq!((got.names.len(), got.rejected.len()), (2, 1));
    assert_eq!(got.rejected[0].bytes, [0, 0]);
}

#[test]
fn a_strange_field_in_a_request_is_not_lost() {
    let strange = [0x1a, 3, 1, 2, 3];
    let input = [&request_pb(vec![span_pb(0)])[..], &strange, &request_pb(vec![span_pb(1)])].concat();
    let got = gather(&input);
    only(&got, &input, None, &strange, "field 3 is no part of an OTLP request");
    assert_eq!(got.names, ["s0", "s1"]);
}

#[test]
fn damaged_compression_keeps_what_came_before() {
    const COUNT: u64 = 10_000;
    let lines: String = (0..COUNT).map(|n| request_json(&[span_json(n)]) + "\n").collect();
    let pb: Vec<u8> = (0..COUNT).flat_map(|n| request_pb(vec![span_pb(n)])).collect();
    for plain in [lines.as_bytes(), &pb] {
        let gzip = {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut out, plain).unwrap();
            out.finish().unwrap()
        };
        let zstd = zstd::encode_all(plain, 1).unwrap();
        for (name, whole) in [("gzip", gzip), ("zstd", zstd)] {
            let got = gather(&whole[..whole.len() / 2]);
            assert_eq!(got.rejected.len(), 1, "{name}");
            let r = &got.rejected[0];
            assert!(r.reason.contains(name) && r.reason.contains("cut short"), "{}", r.reason);
            assert!(!got.names.is_empty() && (got.names.len() as u64) < COUNT);
            let want: Vec<String> = (0..got.names.len()).map(|n| format!("s{n}")).collect();
            assert_eq!(got.names, want);
            let at = r.position.byte as usize;
            assert_eq!(&plain[at..at + r.bytes.len()], &r.bytes[..], "{name}");
            assert_eq!(at + r.bytes.len(), got.summary.bytes as usize);

            let mut garbage = whole.clone();
            garbage.extend_from_slice(b"not compressed");
            let got = gather(&garbage);
            assert_eq!((got.names.len(), got.rejected.len()), (COUNT as usize, 1), "{name}: {:?}", got.rejected);
            assert!(got.rejected[0].reason.contains("damaged"), "{}", got.rejected[0].reason);
            assert_eq!(got.rejected[0].position.byte, plain.len() as u64);
        }
    }
}

#[test]
fn what_is_no_otlp_at_all_is_one_reject() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let got = gather(png);
    only(&got, png, None, png, "neither OTLP JSON nor OTLP protobuf");
}

#[test]
fn a_read_error_is_an_error() {
    struct Fails;
    impl std::io::Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk on fire"))
        }
    }
    let whole = zstd::encode_all(request_json(&[span_json(0)]).as_bytes(), 1).unwrap();
    for reader in [
        Box::new(Fails) as Box<dyn std::io::Read>,
        Box::new(std::io::Read::chain(&b"{\"resourceSpans\":"[..], Fails)),
        Box::new(std::io::Read::chain(&whole[..whole.len() - 3], Fails)),
    ] {
        let mut sink = super::gather::Gather::default();
        let error = spanfile::ingest::ingest("file.jsonl", reader, &mut sink).unwrap_err().to_string();
        assert!(error.contains("file.jsonl") && error.contains("disk on fire"), "{error}");
        assert_eq!(sink.rejected, []);
    }
}

#[test]
fn many_empty_values_do_not_fill_the_memory() {
    let values = spanfile::limits::RECORD_VALUES + 1;
    let mut pb = prost::Message::encode_to_vec(&span_pb(7));
    pb.extend([0x4a, 0x00].repeat(values));
    let scope = [super::huge::field(2, pb.len() as u64), pb].concat();
    let resource = [super::huge::field(2, scope.len() as u64), scope].concat();
    let request = [super::huge::field(1, resource.len() as u64), resource].concat();
    let json = span_json(7).replace("\"attributes\":[", &format!("\"attributes\":[{}", "{      },".repeat(values)));
    let json = request_json(&[json]).into_bytes();
    for (bad, good) in [(request, request_pb(vec![span_pb(0)])), (json, request_json(&[span_json(0)]).into_bytes())] {
        let got = gather(&[bad, good].concat());
        assert_eq!(got.names, ["s0"]);
        assert_eq!(got.rejected.len(), 1);
        assert!(got.rejected[0].reason.contains("values in one record"), "{}", got.rejected[0].reason);
        assert_eq!(got.rejected[0].span_id.map(|id| id.to_string()).as_deref(), Some("0000000000000008"));
    }
}

#[test]
fn numbers_without_end_and_words_that_mean_nothing_are_rejected() {
    let digits = "1".repeat(3 * DOCUMENT_BYTES);
    let good = request_json(&[span_json(0)]);
    for key in ["resourceMetrics", "unknown"] {
        let bad = format!("{{\"{key}\":{digits}}}");
        let input = format!("{bad}\n{good}\n");
        let got = gather(input.as_bytes());
        assert_eq!(got.names, ["s0"], "{key}");
        // A member that is rejected as such begins at its value.
        let from = if key == "unknown" { 0 } else { bad.find('1').unwrap() };
        only(&got, input.as_bytes(), Some(1), &bad.as_bytes()[from..], "number without end");
    }
    let input = format!("{{\"resourceSpans\":nonsense}}\n{good}\n");
    let got = gather(input.as_bytes());
    assert_eq!((got.names.len(), got.rejected.len()), (1, 1), "{:?}", got.rejected);
}

#[test]
fn a_resource_in_endless_pieces_is_rejected() {
    // Resource fields of 1 MiB each, in a message that is too long to be held.
    let piece = [super::huge::field(1, 1 << 20), vec![0x1a; 1 << 20]].concat();
    let pieces = RECORD_BYTES / (1 << 20) + 2;
    let length = (piece.len() * pieces) as u64;
    let head = super::huge::field(1, length);
    let input = [&head[..], &piece.repeat(pieces), &request_pb(vec![span_pb(0)])].concat();
    let got = gather(&input);
    assert_eq!(got.names, ["s0"]);
    assert_eq!(got.rejected.len(), 1);
    assert!(got.rejected[0].reason.contains("resource or schema URL of more than"), "{}", got.rejected[0].reason);
}
