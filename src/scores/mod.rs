//! What judges said about runs: evaluation results inside spans, and files of scores that come later.
//!
//! [`evaluations`] reads the results that instrumentation wrote on spans and their events. [`read_scores`] reads a file
//! of scores from somewhere else; [`BatchBuilder::push_score`](crate::batch::BatchBuilder::push_score) makes rows of
//! them.

mod extract;
mod import;

pub(crate) use extract::RESULT_EVENT;
pub use extract::{EventText, evaluations, evaluations_of_span};
pub use import::{IGNORED_NAMES, Score, ScoreReject, ScoresError, ScoresFile, read_scores};

/// What a result is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// The span that carries it.
    Span,
    /// The whole trace.
    Trace,
    /// The session that the trace belongs to.
    Session,
}

impl Target {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Target::Span => "span",
            Target::Trace => "trace",
            Target::Session => "session",
        }
    }
}

/// One evaluation result.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// What it is about.
    pub target: Target,
    /// Criterion or metric.
    pub name: String,
    /// Score; `None` when there is none, or when what was given is no finite number.
    pub value: Option<f64>,
    /// Category, such as `correct`.
    pub label: Option<String>,
    /// Why.
    pub explanation: Option<String>,
    /// Kind of judge when the source says it (`LLM`, `HUMAN`, `CODE`), else the dialect of the keys; empty when a file of
    /// scores did not say.
    pub source: String,
    /// When, in nanoseconds since the epoch; `None` when only the span's own times are known.
    pub time_unix_nano: Option<i64>,
}
