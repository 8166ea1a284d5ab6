//! Inputs much larger than what may be held: everything arrives, and reading never runs far ahead of it.

use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;

use spanfile::ingest::{BoxError, Refusal, Reject, Sink, Summary, ingest};
use spanfile::limits::{DOCUMENT_BYTES, READ_BYTES};
use spanfile::model::{LogRecord, Resource, Scope, Span};

use super::requests::{request_pb, span_json, span_pb};
use crate::store::allocations::measured;

/// Makes its bytes on the fly: a head, many records, a tail.
struct Generated<F> {
    pending: Vec<u8>,
    at: usize,
    next: u64,
    count: u64,
    record: F,
    tail: Vec<u8>,
    produced: Rc<Cell<u64>>,
}

impl<F: FnMut(u64) -> Vec<u8>> Read for Generated<F> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.pending.len() {
            self.at = 0;
            self.pending = if self.next < self.count {
                self.next += 1;
                (self.record)(self.next - 1)
            } else {
                std::mem::take(&mut self.tail)
            };
        }
        let n = buf.len().min(self.pending.len() - self.at);
        buf[..n].copy_from_slice(&self.pending[self.at..self.at + n]);
        self.at += n;
        self.produced.set(self.produced.get() + n as u64);
        Ok(n)
    }
}

/// Notes how far reading is ahead of what was handed over.
struct Lag {
    record_bytes: u64,
    produced: Rc<Cell<u64>>,
    handed_over: u64,
    most: u64,
    services: Vec<String>,
    rejected: Vec<(String, usize)>,
    rejected_bytes: u64,
}

impl Sink for Lag {
    fn begin_resource(&mut self, resource: &Resource<'_>) {
        self.services.extend(resource.attributes.iter().filter_map(|(_, v)| v.as_str().map(str::to_owned)));
    }

    fn begin_scope(&mut self, _: &Scope<'_>) {}

    fn span(&mut self, _: &Span<'_>) -> Result<(), Refusal> {
        self.handed_over += self.record_bytes;
        self.most = self.most.max(self.produced.get().saturating_sub(self.handed_over));
        Ok(())
    }

    fn log(&mut self, _: &LogRecord<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn reject(&mut self, r: &Reject<'_>) -> Result<(), BoxError> {
        self.rejected.push((r.reason.to_owned(), r.bytes.len()));
        self.reject_more(r.bytes)
    }

    fn reject_more(&mut self, bytes: &[u8]) -> Result<(), BoxError> {
        self.rejected_bytes += bytes.len() as u64;
        self.handed_over += bytes.len() as u64;
        self.most = self.most.max(self.produced.get().saturating_sub(self.handed_over));
        Ok(())
    }
}

const COUNT: u64 = 150_000;

fn run(head: Vec<u8>, record: impl FnMut(u64) -> Vec<u8>, record_bytes: u64, tail: Vec<u8>) -> (Summary, Lag) {
    let produced = Rc::new(Cell::new(0));
    let reader = Generated { pending: head, at: 0, next: 0, count: COUNT, record, tail, produced: produced.clone() };
    let mut sink =
        Lag { record_bytes, produced, handed_over: 0, most: 0, services: vec![], rejected: vec![], rejected_bytes: 0 };
    let summary = ingest("huge", reader, &mut sink).unwrap();
    assert!(summary.bytes > 3 * DOCUMENT_BYTES as u64, "{summary:?}");
    assert!(sink.most < (2 * DOCUMENT_BYTES + 4 * READ_BYTES) as u64, "{} bytes ahead", sink.most);
    (summary, sink)
}

const HEAD: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"svc"}}]},"scopeSpans":[{"scope":{"name":"lib"},"spans":["#;

/// Spans of one length, so that bytes can be counted in spans.
fn fixed(n: u64) -> String {
    span_json(10_000 + n % 80_000)
}

#[test]
fn one_json_document_compact_or_over_lines() {
    for separator in [",", ",\n    "] {
        let record = |n| format!("{}{}", if n == 0 { "" } else { separator }, fixed(n)).into_bytes();
        let bytes = (fixed(0).len() + separator.len()) as u64;
        let (summary, sink) = run(HEAD.into(), record, bytes, b"]}]}]}\n".to_vec());
        assert_eq!((summary.spans, summary.rejected), (COUNT, 0), "{:?}", sink.rejected);
        assert_eq!(sink.services, ["svc"]);
    }
}

#[test]
fn a_schema_url_behind_a_huge_list_is_reported() {
    let record = |n| format!("{}{}", if n == 0 { "" } else { "," }, fixed(n)).into_bytes();
    let tail = br#"],"schemaUrl":"https://scope"}],"schemaUrl":""}]}"#.to_vec();
    let (summary, sink) = run(HEAD.into(), record, fixed(0).len() as u64 + 1, tail);
    assert_eq!((summary.spans, summary.rejected), (COUNT, 1));
    assert!(sink.rejected[0].0.contains("kept without it"), "{:?}", sink.rejected);
}

#[test]
fn a_resource_behind_a_huge_list_rejects_the_list() {
    let head = r#"{"resourceSpans":[{"scopeSpans":[{"spans":["#;
    let record = |n| format!("{}{}", if n == 0 { "" } else { "," }, fixed(n)).into_bytes();
    let tail = format!("]}}],\"resource\":{{}}}}]}}\n{HEAD}{}]}}]}}]}}\n", fixed(0)).into_bytes();
    let (summary, sink) = run(head.into(), record, fixed(0).len() as u64 + 1, tail);
    assert_eq!((summary.spans, summary.rejected), (1, 1), "{:?}", sink.rejected);
    assert!(sink.rejected[0].0.contains("before their resource"));
    assert!(sink.rejected_bytes > summary.bytes - 1000);
}

#[test]
fn a_huge_document_that_breaks_is_rejected_from_there() {
    let record = |n: u64| {
        let comma = if n == 0 { "" } else { "," };
        let broken = if n == COUNT / 2 { "]" } else { "" };
        format!("{comma}{}{broken}", fixed(n)).into_bytes()
    };
    let tail = format!("]}}]}}]}}\n{HEAD}{}]}}]}}]}}\n", fixed(0)).into_bytes();
    let (summary, sink) = run(HEAD.into(), record, fixed(0).len() as u64 + 1, tail);
    assert_eq!((summary.spans, summary.rejected), (COUNT / 2 + 2, 1), "{:?}", sink.rejected);
}

#[test]
fn a_huge_unknown_member_is_passed_over() {
    let head = r#"{"unknown":["#;
    let record = |n| format!("{}{}", if n == 0 { "" } else { "," }, fixed(n)).into_bytes();
    let tail = format!("],{}{}]}}]}}]}}\n", &HEAD[1..], fixed(0)).into_bytes();
    let produced = Rc::new(Cell::new(0));
    let reader = Generated { pending: head.into(), at: 0, next: 0, count: COUNT, record, tail, produced };
    let mut gather = super::gather::Gather::default();
    let summary = ingest("huge", reader, &mut gather).unwrap();
    assert_eq!((summary.spans, summary.rejected), (1, 0), "{:?}", gather.rejected);
}

#[test]
fn many_unknown_members_do_not_fill_the_memory() {
    // Nearly every read ends within a key.
    const KEY_BYTES: usize = 60_000;
    let key = "k".repeat(KEY_BYTES);
    let record = move |_| format!("\"{key}\":1,").into_bytes();
    let tail = format!("{}{}]}}]}}]}}\n", &HEAD[1..], fixed(0)).into_bytes();
    let produced = Rc::new(Cell::new(0));
    let reader = Generated { pending: b"{".to_vec(), at: 0, next: 0, count: 1500, record, tail, produced };
    let mut gather = super::gather::Gather::default();
    let (summary, used) = measured(|| ingest("huge", reader, &mut gather).unwrap());
    assert_eq!((summary.spans, summary.rejected), (1, 0), "{:?}", gather.rejected);
    assert!(summary.bytes > 10 * DOCUMENT_BYTES as u64 && used.peak < 5 * DOCUMENT_BYTES as u64, "{used:?}");
}

/// Tag and length of a length-delimited field.
pub(crate) fn field(number: u8, length: u64) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(length, &mut out);
    out
}

#[test]
fn one_protobuf_message() {
    let long = "long ".repeat(40);
    let span = |n: u64| {
        let mut span = span_pb(10_000 + n % 50_000);
        span.attributes.push(super::requests::attribute("long", &long));
        prost::Message::encode_to_vec(&span)
    };
    let record_bytes = span(0).len() as u64 + field(2, span(0).len() as u64).len() as u64;
    let small = request_pb(vec![span_pb(0)]);
    // What stands before the scope's spans in a small request: resource, then scope.
    let resource = {
        let at = small.windows(5).position(|w| w == b"\x0a\x03lib").unwrap();
        // Request and resource headers are two bytes each, the scope's fields four.
        small[2..at - 4].to_vec()
    };
    let scope = [&field(1, 5)[..], b"\x0a\x03lib"].concat();
    let scope_bytes = scope.len() as u64 + COUNT * record_bytes;
    let resource_bytes = resource.len() as u64 + field(2, scope_bytes).len() as u64 + scope_bytes;
    let head = [field(1, resource_bytes), resource, field(2, scope_bytes), scope].concat();
    let record = |n| {
        let s = span(n);
        [field(2, s.len() as u64), s].concat()
    };
    let (summary, sink) = run(head, record, record_bytes, small);
    assert_eq!((summary.spans, summary.rejected), (COUNT + 1, 0), "{:?}", sink.rejected);
    assert_eq!(sink.services, ["svc", "svc"]);
}
