//! The way to the sink: counts, and turns refusals into rejects.

use super::window::Window;
use super::{BoxError, Halt, Position, Refusal, Reject, RejectClass, Sink, Summary};
use crate::model::{LogRecord, Resource, Scope, Span, SpanId};

pub(super) struct Out<'s> {
    source: &'s str,
    sink: &'s mut dyn Sink,
    pub(super) summary: Summary,
}

/// Where a record stands and what it looks like there.
pub(super) struct Place<'a> {
    pub(super) position: Position,
    pub(super) bytes: &'a [u8],
}

impl<'s> Out<'s> {
    pub(super) fn new(source: &'s str, sink: &'s mut dyn Sink) -> Self {
        Out { source, sink, summary: Summary::default() }
    }

    pub(super) fn begin_resource(&mut self, resource: &Resource<'_>) {
        self.sink.begin_resource(resource);
    }

    pub(super) fn begin_scope(&mut self, scope: &Scope<'_>) {
        self.sink.begin_scope(scope);
    }

    /// Hands over a span; `place` is asked only when the sink refuses it.
    pub(super) fn span<'p>(&mut self, span: &Span<'_>, place: impl FnOnce() -> Place<'p>) -> Result<(), Halt> {
        match self.sink.span(span) {
            Ok(()) => {
                self.summary.spans += 1;
                Ok(())
            }
            Err(refusal) => self.refused(refusal, span.span_id, place()),
        }
    }

    /// Hands over a log record; `place` is asked only when the sink refuses it.
    pub(super) fn log<'p>(&mut self, log: &LogRecord<'_>, place: impl FnOnce() -> Place<'p>) -> Result<(), Halt> {
        match self.sink.log(log) {
            Ok(()) => {
                self.summary.logs += 1;
                Ok(())
            }
            Err(refusal) => self.refused(refusal, log.span_id, place()),
        }
    }

    fn refused(&mut self, refusal: Refusal, span_id: SpanId, place: Place<'_>) -> Result<(), Halt> {
        match refusal {
            Refusal::Record(reason) => {
                let span_id = Some(span_id).filter(|id| !id.is_zero());
                self.reject(place, span_id, RejectClass::Malformed, &reason)
            }
            Refusal::Stop(e) => Err(Halt::Stop(e)),
        }
    }

    /// A log record that does not say which span it belongs to.
    pub(super) fn uncorrelated(&mut self, place: Place<'_>) -> Result<(), Halt> {
        self.reject(place, None, RejectClass::Uncorrelated, "log record without trace id or span id")
    }

    pub(super) fn malformed(&mut self, place: Place<'_>, span_id: Option<SpanId>, reason: &str) -> Result<(), Halt> {
        self.reject(place, span_id, RejectClass::Malformed, reason)
    }

    pub(super) fn reject(
        &mut self,
        place: Place<'_>,
        span_id: Option<SpanId>,
        class: RejectClass,
        reason: &str,
    ) -> Result<(), Halt> {
        match class {
            RejectClass::Uncorrelated => self.summary.uncorrelated += 1,
            RejectClass::Malformed | RejectClass::Unsupported => self.summary.rejected += 1,
        }
        let Place { position, bytes } = place;
        let reject = Reject { source: self.source, position, span_id, class, reason, bytes };
        self.sink.reject(&reject).map_err(Halt::Stop)
    }

    pub(super) fn reject_more(&mut self, bytes: &[u8]) -> Result<(), Halt> {
        self.sink.reject_more(bytes).map_err(Halt::Stop)
    }

    /// One reject for all that is left of the stream.
    pub(super) fn reject_rest(&mut self, window: &mut Window<'_>, line: Option<u64>, reason: &str) -> Result<(), Halt> {
        let position = Position { line, byte: window.offset() };
        self.malformed(Place { position, bytes: window.bytes() }, None, reason)?;
        window.consume(window.len());
        while window.fill()? {
            self.reject_more(window.bytes())?;
            window.consume(window.len());
        }
        Ok(())
    }

    /// An input without content: nothing to do, unless damage is why it looks empty.
    pub(super) fn empty(&mut self, window: &mut Window<'_>) -> Result<(), Halt> {
        self.end_of_stream(window, None)
    }

    /// At the end of the input, between two records: damage behind the last record is one reject.
    pub(super) fn end_of_stream(&mut self, window: &mut Window<'_>, line: Option<u64>) -> Result<(), Halt> {
        match window.take_failure() {
            None => Ok(()),
            Some(reason) => {
                let position = Position { line, byte: window.offset() };
                self.malformed(Place { position, bytes: window.bytes() }, None, &reason)
            }
        }
    }
}

impl From<BoxError> for Halt {
    fn from(e: BoxError) -> Self {
        Halt::Stop(e)
    }
}
