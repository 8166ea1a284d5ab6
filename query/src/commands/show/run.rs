//! A run as one reads it: its spans as a tree, what each took, and what repeats.
//!
//! What draws a run, compares two or writes one as a page reads it from here. A handful of statements load it, all of
//! them by the run's id; the spans are scanned once.

use std::collections::HashMap;

use spanfile_query::{Engine, Result};

use super::critical::{Timed, critical_path};
use super::stored::{calls_of, header, loops_of, members_of, spans_of};
pub(crate) use super::which::resolve;

/// Which texts of a run to load: they are most of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Texts {
    /// None.
    No,
    /// Arguments of calls.
    Arguments,
    /// Arguments, results, inputs, outputs and instructions.
    All,
}

/// A run.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) id: String,
    /// Name of its root.
    pub(crate) name: Option<String>,
    pub(crate) agents: Vec<String>,
    pub(crate) workflow: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) outcome: Option<String>,
    /// Class and text of what made it fail.
    pub(crate) error_type: Option<String>,
    pub(crate) error_message: Option<String>,
    /// Nanoseconds since 1970.
    pub(crate) started: Option<i64>,
    /// The same in UTC, RFC 3339.
    pub(crate) started_at: Option<String>,
    /// What the starts of the spans count from, nanoseconds since 1970.
    pub(crate) first_start: Option<i64>,
    pub(crate) duration_ns: Option<i64>,
    pub(crate) steps: Option<i64>,
    pub(crate) llm_calls: Option<i64>,
    pub(crate) tool_calls: Option<i64>,
    pub(crate) errors: Option<i64>,
    pub(crate) input_tokens: Option<i64>,
    pub(crate) output_tokens: Option<i64>,
    pub(crate) total_tokens: Option<i64>,
    /// Sum over the spans, which is what `cost_per_run` has; NULL when nothing of it is known.
    pub(crate) cost_usd: Option<i128>,
    pub(crate) cost_complete: bool,
    /// Calls whose cost is not known.
    pub(crate) unpriced: i64,
    /// Parents before their children, these in order of their start.
    pub(crate) spans: Vec<RunSpan>,
    pub(crate) loops: Vec<RunLoop>,
}

/// A span, or a tool call that no span records and the output of an LLM call tells of.
#[derive(Debug, Default, Clone)]
pub(crate) struct RunSpan {
    /// Position by start; a synthetic call has that of the LLM call that asks for it.
    pub(crate) seq: i64,
    /// Of synthetic calls: which of those that the LLM call asks for.
    pub(crate) call: Option<i64>,
    pub(crate) span_id: String,
    /// Index of the parent; `None` at roots and orphans.
    pub(crate) parent: Option<usize>,
    pub(crate) depth: usize,
    /// Whether it names a parent that is not there.
    pub(crate) orphan: bool,
    /// Whether it records what another span records too.
    pub(crate) duplicate: bool,
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Agent at work.
    pub(crate) agent: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) tool: Option<String>,
    pub(crate) tool_call_id: Option<String>,
    /// Agent that took over.
    pub(crate) handoff: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) status_message: Option<String>,
    pub(crate) failed: bool,
    pub(crate) error_type: Option<String>,
    /// Since the first start of the run.
    pub(crate) start_ns: Option<i64>,
    pub(crate) duration_ns: Option<i64>,
    /// Tokens where they count.
    pub(crate) input_tokens: Option<i64>,
    pub(crate) output_tokens: Option<i64>,
    pub(crate) total_tokens: Option<i64>,
    /// What it adds to the cost of the run.
    pub(crate) cost_usd: Option<i128>,
    /// Whether that is all: false where its tokens have no price.
    pub(crate) cost_complete: bool,
    pub(crate) step: Option<i64>,
    /// Number of the loop, and which repetition, from 1.
    pub(crate) loop_of: Option<(i64, i64)>,
    /// Whether it is on the critical path, and how much of that is its own, not that of spans below.
    pub(crate) critical: bool,
    pub(crate) critical_ns: Option<i64>,
    /// Hash of a tool's arguments in canonical form, and of the result.
    pub(crate) args_hash: Option<String>,
    pub(crate) result_hash: Option<String>,
    pub(crate) input: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) tool_args: Option<String>,
    pub(crate) tool_result: Option<String>,
    pub(crate) system_prompt: Option<String>,
}

impl RunSpan {
    /// What it is to a reader: the model, the tool, the agent that takes over, or its name.
    pub(crate) fn title(&self) -> &str {
        let told = match self.kind.as_str() {
            "llm" | "embedding" => self.model.as_deref(),
            "tool" => self.tool.as_deref(),
            "agent" => self.agent.as_deref(),
            "handoff" => self.handoff.as_deref(),
            _ => None,
        };
        told.unwrap_or(&self.name)
    }

    /// Whether only the output of an LLM call tells of it.
    pub(crate) fn synthetic(&self) -> bool {
        self.call.is_some()
    }

    pub(crate) fn end_ns(&self) -> Option<i64> {
        Some(self.start_ns?.saturating_add(self.duration_ns?))
    }
}

/// A loop of a run.
#[derive(Debug, Default, Clone)]
pub(crate) struct RunLoop {
    pub(crate) number: i64,
    pub(crate) kind: String,
    pub(crate) severity: String,
    pub(crate) evidence: String,
    pub(crate) wasted_tokens: Option<i64>,
    pub(crate) wasted_cost_usd: Option<i128>,
    pub(crate) cost_complete: bool,
    pub(crate) wasted_ns: Option<i64>,
    /// The last repetition.
    pub(crate) last: i64,
}

/// Loads a run by its full id. Loops come from the table `loops`, or from a function of that name and its arguments.
pub(crate) async fn load(engine: &Engine, id: &str, wanted: Texts, loops_from: &str) -> Result<Run> {
    let (mut run, unaccounted) = header(engine, id).await?;
    let mut spans = spans_of(engine, id, wanted).await?;
    spans.extend(calls_of(engine, id, wanted).await?);
    run.loops = loops_of(engine, id, loops_from).await?;
    if !run.loops.is_empty() {
        let members = members_of(engine, id, loops_from, &mut run.loops).await?;
        for s in &mut spans {
            s.1.loop_of = members.get(&(s.1.seq, s.1.call.unwrap_or(-1))).copied();
        }
    }
    run.spans = in_tree_order(spans);
    let first = run.spans.iter().filter_map(|s| s.start_ns).min();
    run.first_start = first;
    for s in &mut run.spans {
        s.start_ns = s.start_ns.zip(first).map(|(at, first)| at.saturating_sub(first));
    }
    let timed: Vec<Timed> = run
        .spans
        .iter()
        .map(|s| Timed {
            parent: s.parent,
            // When a call was asked for says nothing of when it ran.
            start: s.start_ns.filter(|_| !s.synthetic()),
            end: s.end_ns(),
        })
        .collect();
    for (s, own) in run.spans.iter_mut().zip(critical_path(&timed)) {
        s.critical = own.is_some();
        s.critical_ns = own;
    }
    run.cost_usd = total(run.spans.iter().map(|s| s.cost_usd));
    run.unpriced = unaccounted + run.spans.iter().filter(|s| !s.cost_complete).count() as i64;
    run.cost_complete = run.unpriced == 0;
    Ok(run)
}

/// The sum of what is known; `None` when nothing is.
pub(crate) fn total<T: Copy + std::ops::Add<Output = T>>(parts: impl Iterator<Item = Option<T>>) -> Option<T> {
    parts.flatten().reduce(|a, b| a + b)
}

/// Spans with their parents' ids, parents first and siblings by their start.
///
/// Parents are looked up, not read from the nested set: that is one file's, and of several files each may have a part.
fn in_tree_order(mut spans: Vec<(Option<String>, RunSpan)>) -> Vec<RunSpan> {
    let by_id: HashMap<String, i64> =
        spans.iter().filter(|(_, s)| !s.synthetic()).map(|(_, s)| (s.span_id.clone(), s.seq)).collect();
    for (parent, s) in spans.iter_mut().filter(|(_, s)| s.synthetic()) {
        s.seq = parent.as_ref().and_then(|p| by_id.get(p)).copied().unwrap_or(0);
    }
    spans.sort_by(|(_, a), (_, b)| (a.seq, a.call, &a.span_id).cmp(&(b.seq, b.call, &b.span_id)));
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (at, (_, s)) in spans.iter().enumerate().filter(|(_, (_, s))| !s.synthetic()) {
        places.entry(&s.span_id).or_insert(at);
    }
    let parents: Vec<Option<usize>> = spans
        .iter()
        .enumerate()
        .map(|(at, (parent, _))| places.get(parent.as_deref()?).copied().filter(|p| *p != at))
        .collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    for (at, parent) in parents.iter().enumerate() {
        if let Some(p) = parent {
            children[*p].push(at);
        }
    }
    let mut rest: Vec<Option<RunSpan>> = spans.into_iter().map(|(_, s)| Some(s)).collect();
    let mut out: Vec<RunSpan> = Vec::with_capacity(rest.len());
    let roots = (0..rest.len()).filter(|&at| parents[at].is_none());
    // Files that each hold a part of a trace may make a circle that none of them has: what no root leads to is a root.
    for root in roots.chain(0..rest.len()).collect::<Vec<_>>() {
        let mut open = vec![(root, None)];
        while let Some((at, parent)) = open.pop() {
            let Some(mut s) = rest[at].take() else { continue };
            s.parent = parent;
            s.depth = parent.map_or(0, |p: usize| out[p].depth + 1);
            let place = out.len();
            out.push(s);
            open.extend(children[at].iter().rev().map(|&child| (child, Some(place))));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(seq: i64, id: &str, parent: Option<&str>) -> (Option<String>, RunSpan) {
        (parent.map(str::to_owned), RunSpan { seq, span_id: id.to_owned(), ..RunSpan::default() })
    }

    fn order(spans: Vec<(Option<String>, RunSpan)>) -> String {
        let line = |s: RunSpan| format!("{}{}{}", " ".repeat(s.depth), s.span_id, s.call.map_or("", |_| "*"));
        in_tree_order(spans).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn parents_come_first() {
        let mut call = span(0, "c", Some("c"));
        call.1.call = Some(0);
        let spans = vec![
            span(3, "d", Some("a")),
            span(0, "a", None),
            span(2, "c", Some("b")),
            call,
            span(1, "b", Some("a")),
            span(4, "o", Some("gone")),
        ];
        assert_eq!(order(spans), "a\n b\n  c\n   c*\n d\no");
    }

    #[test]
    fn circles_of_several_files_are_cut_and_lose_nothing() {
        let spans = vec![span(0, "a", Some("b")), span(1, "b", Some("a")), span(2, "s", Some("s")), span(3, "r", None)];
        assert_eq!(order(spans), "s\nr\na\n b");
    }

    #[test]
    fn sums_of_what_is_known() {
        assert_eq!(total([None, Some(2), Some(3)].into_iter()), Some(5));
        assert_eq!(total::<i64>([None, None].into_iter()), None);
    }
}
