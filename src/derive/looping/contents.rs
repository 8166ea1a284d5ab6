//! What is compared of calls and LLM outputs: hashes without volatile parts, and words. Computed only for what occurs
//! often enough to be a loop; results, which are long, only in runs that would have loops if all of them were equal.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::super::canonical::{Canonicaliser, hash};
use super::super::structure::NONE;
use super::super::view::SpanRow;
use super::super::{SpanDerived, SyntheticCall};
use super::conversation::{say, values};
use super::steps::{Content, Place, arguments, call_name, result};
use crate::loops::{Settings, Step, StepKind, Words, simhash, volatile};
use crate::normalise::Kind;

/// How often each thing occurs.
type Counts<'n> = HashMap<&'n str, usize, RandomState>;

/// Contents of the rows, then of the calls without a span, as if all results were equal.
pub(super) fn of_calls(
    rows: &[SpanRow<'_>],
    spans: &[SpanDerived<'_>],
    told: &[SyntheticCall<'_>],
    settings: &Settings,
    canonical: &mut Canonicaliser,
) -> Vec<Content> {
    let is_call = |row: &SpanRow<'_>, span: &SpanDerived<'_>| span.step.is_some() && row.kind != Kind::Llm;
    let mut counts = Counts::default();
    for (row, _) in rows.iter().zip(spans).filter(|(r, s)| is_call(r, s)) {
        *counts.entry(call_name(row)).or_default() += 1;
    }
    for call in told {
        *counts.entry(&call.name).or_default() += 1;
    }
    let fewest = settings.fewest();
    let often = |name: &str| counts.get(name).is_some_and(|n| *n >= fewest);
    let mut contents = vec![Content::default(); rows.len() + told.len()];
    let mut different: HashMap<&str, Vec<u64>, RandomState> = HashMap::default();
    let ignored = &settings.ignored_keys;
    for (i, (row, span)) in rows.iter().zip(spans).enumerate().filter(|(_, (r, s))| is_call(r, s)) {
        let name = call_name(row);
        if !often(name) {
            continue;
        }
        contents[i] = Told::row(row, span).content(ignored, canonical);
        different.entry(name).or_default().extend(contents[i].k2);
    }
    for (at, call) in told.iter().enumerate().filter(|(_, call)| often(&call.name)) {
        let content = &mut contents[rows.len() + at];
        *content = Told::call(call).content(ignored, canonical);
        different.entry(&call.name).or_default().extend(content.k2);
    }
    for k2 in different.values_mut() {
        k2.sort_unstable();
        k2.dedup();
    }
    let near = |name: &str| different.get(name).is_some_and(|k2| k2.len() >= settings.near_repeats.max(2));
    let mut texts: Vec<(usize, &str)> = Vec::new();
    for (i, (row, _)) in rows.iter().zip(spans).enumerate().filter(|(_, (r, s))| is_call(r, s)) {
        texts.extend(arguments(row).filter(|_| near(call_name(row))).map(|a| (i, a)));
    }
    for (at, call) in told.iter().enumerate() {
        texts.extend(call.args.as_deref().filter(|_| near(&call.name)).map(|a| (rows.len() + at, a)));
    }
    for (i, text) in texts {
        contents[i].words = canonical.arguments(text).map(|c| words(c, ignored));
    }
    contents
}

/// Fills the results that [`of_calls`] left out.
pub(super) fn with_results(
    contents: &mut [Content],
    rows: &[SpanRow<'_>],
    spans: &[SpanDerived<'_>],
    told: &[SyntheticCall<'_>],
    canonical: &mut Canonicaliser,
) {
    let told = rows.iter().zip(spans).map(|(row, span)| Told::row(row, span)).chain(told.iter().map(Told::call));
    for (content, told) in contents.iter_mut().zip(told).filter(|(content, _)| content.r.is_some()) {
        content.r = told.result(canonical);
    }
}

/// What is recorded of a call.
struct Told<'t> {
    arguments: Option<&'t str>,
    args_hash: Option<u64>,
    result: Option<&'t str>,
    result_hash: Option<u64>,
    error: Option<&'t str>,
}

impl<'t> Told<'t> {
    fn row(row: &SpanRow<'t>, span: &SpanDerived<'t>) -> Self {
        Told {
            arguments: arguments(row),
            args_hash: span.args_hash,
            result: result(row),
            result_hash: span.result_hash,
            error: if span.failed { span.error_message.or(span.error_type) } else { None },
        }
    }

    fn call(call: &'t SyntheticCall<'_>) -> Self {
        Told {
            arguments: call.args.as_deref(),
            args_hash: call.args_hash,
            result: call.result.as_deref(),
            result_hash: call.result_hash,
            error: None,
        }
    }

    /// With one hash for all results.
    fn content(&self, ignored: &BTreeSet<String>, canonical: &mut Canonicaliser) -> Content {
        let mut content = Content { k1: self.args_hash, k2: self.args_hash, ..Content::default() };
        if let Some(text) = self.arguments {
            // Searches have no hash of their own.
            content.k1 = content.k1.or_else(|| canonical.arguments_hash(text));
            content.k2 = content.k1;
            if !ignored.is_empty() {
                content.k2 = canonical.arguments(text).map(|c| hash(&volatile::normalise(c, ignored)));
            } else if volatile::is_in(text) {
                content.k2 = canonical.arguments(text).map(|c| hash(&volatile::text(c)));
            }
        }
        content.result_bytes = self.result.or(self.error).map(|text| text.len() as u64);
        content.r = content.result_bytes.map(|_| 0);
        content
    }

    fn result(&self, canonical: &mut Canonicaliser) -> Option<u64> {
        let mut hashed = self.result_hash;
        if let Some(text) = self.result.filter(|text| hashed.is_none() || volatile::is_in(text)) {
            hashed = canonical.result(text).map(|c| hash(&volatile::text(c)));
        }
        hashed.or_else(|| self.error.map(|error| hash(&volatile::text(error))))
    }
}

/// Words of the values in canonical arguments: what a call is about.
fn words(canonical: &str, ignored: &BTreeSet<String>) -> Words {
    let mut out = String::with_capacity(canonical.len());
    if !values(canonical, &|key| ignored.contains(key), &mut out) {
        out.clear();
        out.push_str(canonical);
    }
    Words::of(&volatile::text(&out))
}

/// Fills what is compared of LLM turns without calls, where an agent has enough of them.
pub(super) fn of_outputs(rows: &[SpanRow<'_>], steps: &mut [Step], places: &[Place], settings: &Settings) {
    let mut turns: HashMap<(Arc<str>, u32), usize, RandomState> = HashMap::default();
    for step in steps.iter().filter(|s| s.kind == StepKind::Llm) {
        *turns.entry((step.agent.clone(), step.instance)).or_default() += 1;
    }
    let fewest = settings.fewest();
    if turns.values().all(|n| *n < fewest) {
        return;
    }
    let mut said = String::new();
    for (step, place) in steps.iter_mut().zip(places) {
        if step.kind != StepKind::Llm || place.turn == NONE || turns[&(step.agent.clone(), step.instance)] < fewest {
            continue;
        }
        let Some(output) = rows[place.turn as usize].output else { continue };
        said.clear();
        say(output, &mut said);
        let said = volatile::text(&said);
        step.output_hash = Some(hash(&said));
        step.words = Some(Words::of(&said));
    }
    // Texts that differ in few pairs of words share most of their words. The dear hash is for those alone that share some
    // with the turn before or after: others are no stretch of turns that say the same.
    let turns: Vec<usize> =
        (0..steps.len()).filter(|&s| steps[s].kind == StepKind::Llm && steps[s].words.is_some()).collect();
    let mut alike = vec![false; steps.len()];
    for pair in turns.windows(2) {
        if let (Some(a), Some(b)) = (&steps[pair[0]].words, &steps[pair[1]].words)
            && a.is_like(b, ALIKE)
        {
            (alike[pair[0]], alike[pair[1]]) = (true, true);
        }
    }
    for (s, step) in steps.iter_mut().enumerate().filter(|(s, _)| alike[*s]) {
        if let Some(output) = rows[places[s].turn as usize].output {
            said.clear();
            say(output, &mut said);
            step.output_simhash = simhash(&volatile::text(&said));
        }
    }
}

/// Share of words from which on the similarity hash is computed: it asks for more.
const ALIKE: f64 = 0.5;
