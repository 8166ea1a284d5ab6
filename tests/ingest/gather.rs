//! A sink that keeps what it gets.

use spanfile::batch::{BatchBuilder, SpanBatch};
use spanfile::ingest::{BoxError, Position, Refusal, Reject, RejectClass, Sink, Summary, ingest};
use spanfile::model::{LogRecord, Resource, Scope, Span, SpanId};

/// A reject, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) position: Position,
    pub(crate) span_id: Option<SpanId>,
    pub(crate) class: RejectClass,
    pub(crate) reason: String,
    pub(crate) bytes: Vec<u8>,
}

/// Builds one batch of everything.
#[derive(Default)]
pub(crate) struct Gather {
    builder: BatchBuilder,
    pub(crate) names: Vec<String>,
    pub(crate) rejected: Vec<Rejected>,
}

impl Gather {
    /// The batch of everything so far.
    pub(crate) fn finish(mut self) -> SpanBatch {
        self.builder.finish()
    }
}

impl Sink for Gather {
    fn begin_resource(&mut self, resource: &Resource<'_>) {
        self.builder.begin_resource(resource);
    }

    fn begin_scope(&mut self, scope: &Scope<'_>) {
        self.builder.begin_scope(scope);
    }

    fn span(&mut self, span: &Span<'_>) -> Result<(), Refusal> {
        self.builder.push_span(span).map_err(|e| Refusal::Record(e.to_string()))?;
        self.names.push(span.name.to_string());
        Ok(())
    }

    fn log(&mut self, log: &LogRecord<'_>) -> Result<(), Refusal> {
        self.builder.push_log(log).map_err(|e| Refusal::Record(e.to_string()))
    }

    fn reject(&mut self, r: &Reject<'_>) -> Result<(), BoxError> {
        self.rejected.push(Rejected {
            position: r.position,
            span_id: r.span_id,
            class: r.class,
            reason: r.reason.to_owned(),
            bytes: r.bytes.to_vec(),
        });
        Ok(())
    }

    fn reject_more(&mut self, bytes: &[u8]) -> Result<(), BoxError> {
        self.rejected.last_mut().unwrap().bytes.extend_from_slice(bytes);
        Ok(())
    }
}

/// What one input gave.
pub(crate) struct Gathered {
    pub(crate) summary: Summary,
    pub(crate) batch: SpanBatch,
    pub(crate) names: Vec<String>,
    pub(crate) rejected: Vec<Rejected>,
}

/// Ingests bytes.
pub(crate) fn gather(bytes: &[u8]) -> Gathered {
    let mut sink = Gather::default();
    let summary = ingest("test", bytes, &mut sink).unwrap();
    let Gather { mut builder, names, rejected } = sink;
    assert_eq!((summary.rejected + summary.uncorrelated) as usize, rejected.len());
    assert_eq!(summary.spans as usize, builder.spans());
    assert_eq!(summary.logs as usize, builder.logs());
    Gathered { summary, batch: builder.finish(), names, rejected }
}
