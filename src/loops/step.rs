//! What an agent did, one step at a time.

use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::find::total;
use super::words::Words;
use super::{LoopKind, Settings};
use crate::model::SpanId;

/// What a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StepKind {
    /// A tool call, or several made at once: see [`compose`].
    Tool,
    /// An LLM turn that called no tool.
    Llm,
    /// Control passed to another agent.
    Handoff,
}

/// One step of a run.
///
/// Tokens, cost and time of a tool call include those of the LLM turn that asked for it, which is no step itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The agent that acted.
    pub agent: Arc<str>,
    /// Which of several runs of the agent at the same time it belongs to: each is looked at for itself.
    pub instance: u32,
    /// What it did.
    pub kind: StepKind,
    /// Tool, model, or the agent that took over.
    pub name: Arc<str>,
    /// [`key`] of kind, name and canonical arguments; `None` when no arguments were recorded.
    pub k1: Option<u64>,
    /// As `k1`, of arguments whose volatile parts were replaced: see [`super::volatile`].
    pub k2: Option<u64>,
    /// Hash of the normalised result and status; `None` when none was recorded.
    pub r: Option<u64>,
    /// Length of the result.
    pub result_bytes: Option<u64>,
    /// Whether it failed; of a composite step, whether all of its calls failed.
    pub failed: bool,
    /// Whether a user turn came before it, after the step before.
    pub barrier: bool,
    /// Start, nanoseconds since 1970.
    pub start_ns: i64,
    /// End; a step that ends before it starts took no time.
    pub end_ns: i64,
    /// The span that shows it.
    pub span_id: SpanId,
    /// Tokens used; `None` when unknown.
    pub tokens: Option<u64>,
    /// Cost in pico-dollars; `None` when unknown. A negative cost counts as unknown in sums of waste.
    pub cost_pico_usd: Option<i128>,
    /// Similarity hash of an LLM's output.
    pub output_simhash: Option<u64>,
    /// Hash of an LLM's output.
    pub output_hash: Option<u64>,
    /// Words of a call's arguments, or of an LLM's output; needed only where nearly equal steps are looked for.
    pub words: Option<Words>,
    /// An LLM turn whose input holds nothing of the turns before: one of a batch, which says nothing of the others.
    pub alone: bool,
}

impl Step {
    /// A step of which nothing more is known.
    pub fn new(agent: impl Into<Arc<str>>, kind: StepKind, name: impl Into<Arc<str>>) -> Self {
        Self {
            agent: agent.into(),
            instance: 0,
            kind,
            name: name.into(),
            k1: None,
            k2: None,
            r: None,
            result_bytes: None,
            failed: false,
            barrier: false,
            start_ns: 0,
            end_ns: 0,
            span_id: SpanId([0; 8]),
            tokens: None,
            cost_pico_usd: None,
            output_simhash: None,
            output_hash: None,
            words: None,
            alone: false,
        }
    }

    /// The result by which it is compared: of an LLM turn, its output.
    pub(super) fn outcome(&self) -> Option<u64> {
        if self.kind == StepKind::Llm { self.output_hash } else { self.r }
    }

    /// Hash of what makes two steps equal, arguments, status and result; `None` for a step that equals no other.
    pub(super) fn identity(&self, with_results: bool) -> Option<u64> {
        match self.kind {
            // The input of an LLM grows with each turn: only the output can repeat.
            StepKind::Llm if self.alone => None,
            StepKind::Llm => self.output_hash.map(|output| self.named(output, None, false)),
            // A try that failed and one that did not are two things, whatever else is compared.
            StepKind::Tool | StepKind::Handoff => {
                self.k2.map(|k2| self.named(k2, self.r.filter(|_| with_results), self.failed))
            }
        }
    }

    /// Hash of what makes two steps polls of the same; `None` for a step that polls nothing.
    pub(super) fn poll(&self, settings: &Settings) -> Option<u64> {
        // Another try after a failure is no polling.
        let polls = self.kind == StepKind::Tool
            && !self.failed
            && self.r.is_some()
            && !settings.allows(&self.name, LoopKind::Polling);
        self.k1.filter(|_| polls).map(|k1| self.named(k1, None, false))
    }

    fn named(&self, key: u64, outcome: Option<u64>, failed: bool) -> u64 {
        let mut fixed = [0; 18];
        (fixed[0], fixed[1]) = (self.kind as u8, u8::from(outcome.is_some()) | u8::from(failed) << 1);
        fixed[2..10].copy_from_slice(&key.to_le_bytes());
        fixed[10..].copy_from_slice(&outcome.unwrap_or_default().to_le_bytes());
        xxh3_64_with_seed(self.name.as_bytes(), xxh3_64(&fixed))
    }

    /// Whether it may be one of several equal calls among other steps.
    pub(super) fn scatters(&self, settings: &Settings) -> bool {
        self.kind == StepKind::Tool && self.k2.is_some() && !settings.allows(&self.name, LoopKind::Scattered)
    }
}

/// Hash of a call: kind, name and arguments as canonical JSON.
pub fn key(kind: StepKind, name: &str, canonical_arguments: &str) -> u64 {
    let mut bytes = vec![kind as u8];
    bytes.extend_from_slice(&(name.len() as u64).to_le_bytes());
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(canonical_arguments.as_bytes());
    xxh3_64(&bytes)
}

fn all(hashes: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    let bytes: Option<Vec<[u8; 8]>> = hashes.map(|h| h.map(u64::to_le_bytes)).collect();
    bytes.map(|b| xxh3_64(b.as_flattened()))
}

/// One step for tool calls that one LLM turn made in parallel, whatever their order. A hash that one of them lacks the
/// whole lacks; tokens and costs are summed where known. `None` for no calls.
pub fn compose(mut calls: Vec<Step>) -> Option<Step> {
    let barrier = calls.iter().any(|c| c.barrier);
    let first = calls.iter().min_by_key(|c| (c.start_ns, c.span_id.0))?;
    let (span_id, agent, start_ns) = (first.span_id, Arc::clone(&first.agent), first.start_ns);
    if calls.len() == 1 {
        return calls.pop();
    }
    calls.sort_by(|a, b| (&a.name, a.k2, a.k1, a.r, a.span_id.0).cmp(&(&b.name, b.k2, b.k1, b.r, b.span_id.0)));
    let names: Vec<&str> = calls.iter().map(|c| &*c.name).collect();
    let mut whole = Step::new(agent, StepKind::Tool, names.join(" + "));
    whole.k2 = all(calls.iter().map(|c| c.k2));
    whole.r = all(calls.iter().map(|c| c.r));
    // Sorted by itself: the order by K2 may differ between two composites whose K1 are equal as sets.
    let mut k1: Vec<Option<u64>> = calls.iter().map(|c| c.k1).collect();
    k1.sort_unstable();
    whole.k1 = all(k1.into_iter());
    whole.result_bytes = calls.iter().map(|c| c.result_bytes).try_fold(0u64, |sum, b| Some(sum.saturating_add(b?)));
    whole.failed = calls.iter().all(|c| c.failed);
    whole.barrier = barrier;
    whole.start_ns = start_ns;
    whole.end_ns = calls.iter().map(|c| c.end_ns).max()?;
    whole.span_id = span_id;
    whole.tokens = total(calls.iter().filter_map(|c| c.tokens), u64::checked_add);
    whole.cost_pico_usd = total(calls.iter().filter_map(|c| c.cost_pico_usd), i128::checked_add);
    Some(whole)
}
