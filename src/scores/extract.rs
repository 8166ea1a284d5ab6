//! Evaluation results on spans and their events.
//!
//! OpenTelemetry puts one result in an event `gen_ai.evaluation.result`, or the same keys on the span itself.
//! OpenInference puts lists on the span: `evaluations.0.evaluation.name` and so on, `annotations.0.annotation.name` for
//! the same thing, and both with `trace.` or `session.` before them when the result is about more than the span; a
//! span that is one evaluation has `evaluation.name` without a list. Scores that come from files are stored in the form
//! of OpenTelemetry, with `gen_ai.evaluation.source` for who judged.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use memchr::memmem;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{Evaluation, Target};
use crate::model::{Span, Value};
use crate::typed_json::TypedJsonError;

/// Event, or log record, that is one result.
pub(crate) const RESULT_EVENT: &str = "gen_ai.evaluation.result";
const GEN_AI: &str = "gen_ai.evaluation.";
const SINGLE: &str = "evaluation.";

/// An event as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct EventText<'a> {
    /// Name.
    pub name: &'a str,
    /// When, in nanoseconds since the epoch.
    pub time_unix_nano: Option<i64>,
    /// Attributes as typed JSON.
    pub attributes: Option<&'a str>,
}

/// The results that a stored span and its events carry: first those of the attributes, then those of the events in
/// their order.
///
/// Costs a substring search when there are none.
///
/// # Errors
/// When a text that may hold a result is not typed JSON.
pub fn evaluations<'a>(
    attributes: Option<&str>,
    events: impl IntoIterator<Item = EventText<'a>>,
) -> Result<Vec<Evaluation>, TypedJsonError> {
    let mut out = Vec::new();
    if let Some(text) = attributes.filter(|text| may_hold_results(text)) {
        read_results(text)?.finish(None, &mut out);
    }
    for event in events {
        if event.name == RESULT_EVENT
            && let Some(text) = event.attributes
        {
            read_results(text)?.finish(event.time_unix_nano, &mut out);
        }
    }
    Ok(out)
}

/// The same for a span that is not stored yet.
pub fn evaluations_of_span(span: &Span<'_>) -> Vec<Evaluation> {
    let mut out = Vec::new();
    let results = |attributes: &[(Cow<'_, str>, Value<'_>)]| {
        let mut drafts = Drafts::default();
        for (key, value) in attributes {
            drafts.add(key, || Given::of(value));
        }
        drafts
    };
    results(&span.attributes).finish(None, &mut out);
    for event in span.events.iter().filter(|e| e.name == RESULT_EVENT) {
        let time = i64::try_from(event.time_unix_nano).ok().filter(|&ns| ns != 0);
        results(&event.attributes).finish(time, &mut out);
    }
    out
}

/// Whether attributes may have one of the keys; most texts are done with this.
fn may_hold_results(text: &str) -> bool {
    static WORDS: LazyLock<[memmem::Finder<'static>; 2]> =
        LazyLock::new(|| ["evaluation", "annotations."].map(memmem::Finder::new));
    WORDS.iter().any(|word| word.find(text.as_bytes()).is_some())
}

/// An attribute's value, as far as results have any.
enum Given {
    Text(String),
    Number(f64),
    Other,
}

impl Given {
    fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Str(s) => Given::Text(s.to_string()),
            Value::Int(v) => Given::Number(*v as f64),
            Value::Double(v) => Given::Number(*v),
            _ => Given::Other,
        }
    }

    fn of_json(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::String(s) => Given::Text(s),
            serde_json::Value::Number(n) => n.as_f64().map_or(Given::Other, Given::Number),
            // Doubles that are no finite numbers are objects in typed JSON.
            _ => Given::Other,
        }
    }

    fn text(self) -> Option<String> {
        match self {
            Given::Text(s) if !s.is_empty() => Some(s),
            Given::Number(v) => Some(v.to_string()),
            _ => None,
        }
    }

    fn number(self) -> Option<f64> {
        match self {
            Given::Number(v) => Some(v),
            Given::Text(s) => s.trim().parse().ok(),
            Given::Other => None,
        }
        .filter(|v| v.is_finite())
    }
}

/// Which result of a span a key belongs to. The order is that of the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    GenAi,
    Single,
    Listed { target: Target, list: &'static str, index: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    Score,
    Label,
    Explanation,
    Annotator,
}

/// Names of the two kinds of list, and of their items.
const LISTS: [(&str, &str); 2] = [("evaluations.", "evaluation."), ("annotations.", "annotation.")];

/// What a key says of which result; `None` for most keys.
fn place(key: &str) -> Option<(Place, Field)> {
    if let Some(field) = key.strip_prefix(GEN_AI) {
        let field = match field {
            "name" => Field::Name,
            "score.value" => Field::Score,
            "score.label" => Field::Label,
            "explanation" => Field::Explanation,
            "source" => Field::Annotator,
            _ => return None,
        };
        return Some((Place::GenAi, field));
    }
    if let Some(field) = key.strip_prefix(SINGLE) {
        return Some((Place::Single, listed_field(field)?));
    }
    let (target, rest) = match (key.strip_prefix("trace."), key.strip_prefix("session.")) {
        (Some(rest), _) => (Target::Trace, rest),
        (_, Some(rest)) => (Target::Session, rest),
        _ => (Target::Span, key),
    };
    let (list, item, rest) = LISTS.iter().find_map(|&(list, item)| Some((list, item, rest.strip_prefix(list)?)))?;
    let (index, rest) = rest.split_once('.')?;
    let index = index.parse().ok()?;
    // The level `evaluation.` is left out by some writers of the lists of traces and sessions.
    let field = listed_field(rest.strip_prefix(item).unwrap_or(rest))?;
    Some((Place::Listed { target, list, index }, field))
}

fn listed_field(name: &str) -> Option<Field> {
    Some(match name {
        "name" => Field::Name,
        "score" => Field::Score,
        "label" => Field::Label,
        "explanation" => Field::Explanation,
        "annotator_kind" => Field::Annotator,
        _ => return None,
    })
}

#[derive(Default)]
struct Draft {
    name: Option<Given>,
    score: Option<Given>,
    label: Option<Given>,
    explanation: Option<Given>,
    annotator: Option<Given>,
}

/// Results under construction, as their keys may come in any order.
#[derive(Default)]
struct Drafts(BTreeMap<Place, Draft>);

impl Drafts {
    /// Takes an attribute in; the first of two with one key counts.
    fn add(&mut self, key: &str, value: impl FnOnce() -> Given) {
        if let Some((place, field)) = place(key) {
            self.insert(place, field, value());
        }
    }

    fn insert(&mut self, place: Place, field: Field, value: Given) {
        let draft = self.0.entry(place).or_default();
        let slot = match field {
            Field::Name => &mut draft.name,
            Field::Score => &mut draft.score,
            Field::Label => &mut draft.label,
            Field::Explanation => &mut draft.explanation,
            Field::Annotator => &mut draft.annotator,
        };
        slot.get_or_insert(value);
    }

    /// The results that have a name and say something.
    fn finish(self, time_unix_nano: Option<i64>, out: &mut Vec<Evaluation>) {
        for (place, draft) in self.0 {
            let says_something = draft.score.is_some() || draft.label.is_some() || draft.explanation.is_some();
            let Some(name) = draft.name.and_then(Given::text).filter(|_| says_something) else { continue };
            let (target, dialect) = match place {
                Place::GenAi => (Target::Span, "otel gen_ai"),
                Place::Single => (Target::Span, "openinference"),
                Place::Listed { target, .. } => (target, "openinference"),
            };
            out.push(Evaluation {
                target,
                name,
                value: draft.score.and_then(Given::number),
                label: draft.label.and_then(Given::text),
                explanation: draft.explanation.and_then(Given::text),
                source: match draft.annotator {
                    // Given as nobody: a score from a file that does not say.
                    Some(annotator) => annotator.text().unwrap_or_default(),
                    None => dialect.to_owned(),
                },
                time_unix_nano,
            });
        }
    }
}

/// The results in attributes as typed JSON; values of other keys are skipped, not built.
fn read_results(text: &str) -> Result<Drafts, TypedJsonError> {
    let mut de = serde_json::Deserializer::from_str(text);
    let drafts = ResultsSeed.deserialize(&mut de)?;
    de.end()?;
    Ok(drafts)
}

struct ResultsSeed;

impl<'de> DeserializeSeed<'de> for ResultsSeed {
    type Value = Drafts;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ResultsSeed {
    type Value = Drafts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut drafts = Drafts::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match place(&key) {
                Some((place, field)) => drafts.insert(place, field, Given::of_json(map.next_value()?)),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(drafts)
    }
}

#[cfg(test)]
mod tests;
