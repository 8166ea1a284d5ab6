//! Spans made up for tests, small and predictable.

use std::borrow::Cow;

use spanfile::batch::{BatchBuilder, SpanBatch};
use spanfile::model::{Event, Link, LogRecord, Resource, Scope, Span, SpanId, StatusCode, TraceId, Value};

pub(crate) const T0: u64 = 1_767_225_600_000_000_000;

pub(crate) fn trace_id(n: u64) -> TraceId {
    // Spread over the id space, as random ids are.
    let a = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    TraceId((u128::from(a) << 64 | u128::from(n + 1)).to_be_bytes())
}

pub(crate) fn span_id(n: u64) -> SpanId {
    SpanId((n + 1).wrapping_mul(0x2545_F491_4F6C_DD1D).to_be_bytes())
}

/// What a test span is made of. `content` stands for everything that may differ under the same ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Sample {
    pub(crate) trace: u64,
    pub(crate) span: u64,
    pub(crate) content: u32,
}

impl Sample {
    pub(crate) fn start(&self) -> u64 {
        T0 + self.trace * 1_000_000_000 + self.span * 1_000_000
    }

    pub(crate) fn span(&self) -> Span<'static> {
        let mut span = Span {
            trace_id: trace_id(self.trace),
            span_id: span_id(self.span),
            parent_span_id: (self.span > 0).then(|| span_id((self.span - 1) / 2)),
            name: Cow::Owned(format!("step {}", self.span)),
            start_unix_nano: self.start(),
            end_unix_nano: self.start() + 500_000 + u64::from(self.content),
            attributes: vec![
                (Cow::Borrowed("test.content"), Value::Int(i64::from(self.content))),
                (
                    Cow::Borrowed("gen_ai.input.messages"),
                    Value::from(format!("[{{\"role\":\"user\",\"n\":{}}}]", self.span)),
                ),
            ],
            ..Span::default()
        };
        self.play_a_part(&mut span);
        for i in 0..u64::from(self.content % 3) {
            span.events.push(Event {
                time_unix_nano: self.start() + i,
                name: Cow::Owned(format!("event {i}")),
                attributes: vec![(Cow::Borrowed("content"), Value::Int(i64::from(self.content)))],
                ..Event::default()
            });
        }
        if self.content % 4 == 1 {
            span.links.push(Link { trace_id: trace_id(self.trace + 1), span_id: span_id(0), ..Link::default() });
        }
        span
    }
}

impl Sample {
    /// An agent at the root; below it LLM calls with tokens, tool calls that may fail, and others.
    fn play_a_part(&self, span: &mut Span<'static>) {
        let mut set = |key: &'static str, value: Value<'static>| span.attributes.push((Cow::Borrowed(key), value));
        let content = i64::from(self.content);
        match (self.span, self.content % 4) {
            (0, _) => {
                set("gen_ai.operation.name", Value::from("invoke_agent"));
                set("gen_ai.agent.name", Value::from(format!("agent {}", self.trace % 3)));
                set("gen_ai.conversation.id", Value::from(format!("session {}", self.trace / 2)));
            }
            (_, 0 | 1) => {
                set("gen_ai.operation.name", Value::from("chat"));
                set("gen_ai.response.model", Value::from(format!("model {}", content % 2)));
                set("gen_ai.usage.input_tokens", Value::Int(100 + content));
                set("gen_ai.usage.output_tokens", Value::Int(10));
            }
            (_, 2) => {
                set("gen_ai.operation.name", Value::from("execute_tool"));
                set("gen_ai.tool.name", Value::from("search"));
                set("gen_ai.tool.call.arguments", Value::from(format!("{{\"q\":{}}}", content % 3)));
                if self.content > 4 {
                    span.status = StatusCode::Error;
                }
            }
            _ => {}
        }
    }
}

/// A log record that belongs to a span, or to one that never comes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Log {
    pub(crate) trace: u64,
    pub(crate) span: u64,
    pub(crate) text: u32,
}

impl Log {
    pub(crate) fn record(&self) -> LogRecord<'static> {
        LogRecord {
            trace_id: trace_id(self.trace),
            span_id: span_id(self.span),
            time_unix_nano: T0 + u64::from(self.text % 2),
            observed_time_unix_nano: 0,
            severity_number: 9,
            severity_text: Cow::Borrowed("INFO"),
            event_name: Cow::Borrowed("note"),
            body: Value::from(format!("text {}", self.text)),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            flags: 0,
        }
    }
}

pub(crate) fn batch(spans: &[Sample], logs: &[Log]) -> SpanBatch {
    let mut builder = BatchBuilder::new();
    builder.begin_resource(&Resource {
        attributes: vec![(Cow::Borrowed("service.name"), Value::from("test"))],
        ..Resource::default()
    });
    builder.begin_scope(&Scope { name: Cow::Borrowed("tests"), ..Scope::default() });
    for s in spans {
        builder.push_span(&s.span()).expect("a sample is a good span");
    }
    for l in logs {
        builder.push_log(&l.record()).expect("a sample is a good log record");
    }
    builder.finish()
}

/// A whole trace of so many spans.
pub(crate) fn trace(trace: u64, spans: u64) -> Vec<Sample> {
    (0..spans).map(|span| Sample { trace, span, content: (trace + span) as u32 % 7 }).collect()
}
