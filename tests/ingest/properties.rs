//! Codecs against arbitrary values and bytes.

use std::borrow::Cow;

use proptest::prelude::*;
use spanfile::batch::{PackedEvent, PackedLink, pack_events, pack_links, unpack_events, unpack_links};
use spanfile::model::{Attributes, SpanId, TraceId, Value};
use spanfile::normalise::flatten::{assemble, flatten};
use spanfile::typed_json::{read_attributes, read_value, write_attributes, write_value};

use super::gather::gather;
use super::requests::{logs_pb, request_json, request_pb, span_json, span_pb};

fn key() -> impl Strategy<Value = Cow<'static, str>> {
    prop_oneof![
        Just(Cow::Borrowed("$map")),
        Just(Cow::Borrowed("$bytes")),
        Just(Cow::Borrowed("$double")),
        Just(Cow::Borrowed("$other")),
        "[a-z.$\"\\\\\u{0}-\u{20}é]{0,6}".prop_map(Cow::Owned),
    ]
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("NaN has many forms", |v| !v.is_nan()),
        Just(-0.0),
        Just(1e300),
        Just(f64::INFINITY)
    ]
}

fn value() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        double().prop_map(Value::Double),
        any::<String>().prop_map(Value::from),
        any::<Vec<u8>>().prop_map(|b| Value::Bytes(Cow::Owned(b))),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((key(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Attributes<'static>> {
    prop::collection::vec((key(), value()), 0..6)
}

fn optional_text() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[^\u{0}]{1,300}")
}

/// Keys of one family, some of which do not fit.
fn dotted() -> impl Strategy<Value = Vec<(String, Value<'static>)>> {
    let segment = prop_oneof!["[0-3]", "[a-c]", Just("01".to_owned()), Just(String::new()), Just("$x".to_owned())];
    let key = (0..5u32, prop::collection::vec(segment, 1..4), any::<bool>())
        .prop_map(|(i, path, level)| format!("p.{i}.{}{}", if level { "message." } else { "" }, path.join(".")));
    prop::collection::vec((key, value()), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn typed_json_reads_back(attributes in attributes(), value in value()) {
        let mut text = String::new();
        write_attributes(&mut text, &attributes);
        prop_assert_eq!(read_attributes(&text).unwrap(), attributes);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        text.clear();
        write_value(&mut text, &value);
        prop_assert_eq!(read_value(&text).unwrap(), value);
    }

    #[test]
    fn packed_events_and_links_read_back(
        events in prop::collection::vec((any::<Option<i64>>(), optional_text(), optional_text()), 0..5),
        links in prop::collection::vec((any::<[u8; 16]>(), any::<[u8; 8]>(), optional_text(), optional_text()), 0..5),
    ) {
        let events: Vec<PackedEvent> =
            events.into_iter().map(|(time, name, attributes)| PackedEvent { time, name, attributes }).collect();
        prop_assert_eq!(unpack_events(&pack_events(&events)).unwrap(), events);
        let links: Vec<PackedLink> = links
            .into_iter()
            .map(|(t, s, trace_state, attributes)| PackedLink {
                linked_trace_id: TraceId(t),
                linked_span_id: SpanId(s),
                trace_state,
                attributes,
            })
            .collect();
        prop_assert_eq!(unpack_links(&pack_links(&links)).unwrap(), links);
    }

    #[test]
    fn damaged_packed_bytes_give_errors_or_rows_within_bounds(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        name in optional_text(),
        flip in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let within = |texts: usize, of: usize| texts <= of;
        for bytes in [&bytes, &[&[1], &bytes[..]].concat()] {
            if let Ok(events) = unpack_events(bytes) {
                let texts: usize = events.iter().flat_map(|e| [&e.name, &e.attributes]).flatten().map(String::len).sum();
                prop_assert!(within(texts, bytes.len()) && events.len() <= bytes.len());
            }
            if let Ok(links) = unpack_links(bytes) {
                prop_assert!(links.len() * 24 <= bytes.len());
            }
        }
        let mut packed = pack_events(&[PackedEvent { time: Some(3), name, attributes: Some("{}".into()) }]);
        let at = flip.index(packed.len());
        packed[at] ^= 1 << bit;
        let _ = unpack_events(&packed);
    }

    #[test]
    fn assembled_keys_flatten_back(keys in dotted()) {
        let given = keys.iter().enumerate().map(|(i, (k, v))| (i, k.as_str(), v));
        if let Some(assembled) = assemble("p.", "message.", given) {
            let mut back: Vec<(String, Value<'static>)> =
                flatten("p.", "message.", &assembled.json).unwrap().into_iter().map(|(k, v)| (k.into_owned(), v)).collect();
            let mut want: Vec<_> = assembled.taken.iter().map(|&i| keys[i].clone()).collect();
            prop_assert_eq!(back.len(), want.len());
            let order = |a: &(String, Value<'_>), b: &(String, Value<'_>)| a.0.cmp(&b.0);
            back.sort_by(order);
            want.sort_by(order);
            prop_assert_eq!(back, want);
        }
    }

    #[test]
    fn any_bytes_are_taken_or_rejected(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        gather(&bytes);
        gather(&[b"\x0a".as_slice(), &bytes].concat());
        gather(&[b"{\"resourceSpans\":[".as_slice(), &bytes].concat());
        gather(&[b"\x1f\x8b\x08".as_slice(), &bytes].concat());
        gather(&[b"\x28\xb5\x2f\xfd".as_slice(), &bytes].concat());
    }

    #[test]
    fn flipped_bits_cost_no_span_but_their_own_line(line in 0..3usize, at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let lines: Vec<String> = (0..3).map(|n| request_json(&[span_json(2 * n), span_json(2 * n + 1)])).collect();
        let mut flipped = lines.clone().map_bytes(line, at, bit);
        flipped.push(b'\n');
        let got = gather(&flipped);
        for n in (0..3).filter(|n| *n != line) {
            for name in [format!("s{}", 2 * n), format!("s{}", 2 * n + 1)] {
                prop_assert!(got.names.contains(&name), "{} lost {name}: {:?}", String::from_utf8_lossy(&flipped), got.rejected);
            }
        }
    }

    #[test]
    fn flipped_bits_in_protobuf_never_panic(at in any::<prop::sample::Index>(), bit in 0..8u8, cut in any::<prop::sample::Index>()) {
        let log = opentelemetry_proto::tonic::logs::v1::LogRecord {
            trace_id: vec![1; 16], span_id: vec![2; 8], time_unix_nano: 4, ..Default::default()
        };
        for mut bytes in [request_pb(vec![span_pb(0), span_pb(1)]), logs_pb(vec![log.clone(), log])] {
            let i = at.index(bytes.len());
            bytes[i] ^= 1 << bit;
            gather(&bytes);
            gather(&bytes[..cut.index(bytes.len())]);
            let framed = [&(bytes.len() as u32).to_be_bytes()[..], &bytes].concat();
            gather(&framed);
        }
    }
}

trait MapBytes {
    fn map_bytes(self, line: usize, at: prop::sample::Index, bit: u8) -> Vec<u8>;
}

impl MapBytes for Vec<String> {
    /// The lines joined, with one bit of one of them flipped.
    fn map_bytes(self, line: usize, at: prop::sample::Index, bit: u8) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = self.into_iter().map(String::into_bytes).collect();
        let i = at.index(lines[line].len());
        lines[line][i] ^= 1 << bit;
        lines.join(&b'\n')
    }
}
