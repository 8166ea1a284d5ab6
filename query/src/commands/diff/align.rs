//! Two lists of steps, aligned: what is the same, what changed, and what only one has.
//!
//! The alignment is a longest common subsequence, found twice: of steps that are equal with their arguments, and, between
//! those, of steps that are equal but for them. Each is Myers' O(ND) algorithm in linear memory ("An O(ND) Difference
//! Algorithm and Its Variations", 1986), of the crate `similar`; what one side lacks is taken out before, for it cannot be
//! common, and two runs that share nothing would be the slowest.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::ops::Range;

use similar::{Algorithm, DiffTag, capture_diff_slices};

use super::super::show::run::{Run, RunSpan};

/// Where a step of one run is in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    /// The same call with the same arguments.
    Same(usize, usize),
    /// The same call with others.
    Changed(usize, usize),
    OnlyA(usize),
    OnlyB(usize),
}

impl Pair {
    pub(super) fn sides(self) -> (Option<usize>, Option<usize>) {
        match self {
            Pair::Same(a, b) | Pair::Changed(a, b) => (Some(a), Some(b)),
            Pair::OnlyA(a) => (Some(a), None),
            Pair::OnlyB(b) => (None, Some(b)),
        }
    }

    pub(super) fn state(self) -> &'static str {
        match self {
            Pair::Same(..) => "same",
            Pair::Changed(..) => "changed",
            Pair::OnlyA(_) => "only_a",
            Pair::OnlyB(_) => "only_b",
        }
    }
}

/// Steps of a run in order.
pub(super) fn steps(run: &Run) -> Vec<&RunSpan> {
    let mut steps: Vec<&RunSpan> = run.spans.iter().filter(|s| s.step.is_some()).collect();
    steps.sort_by_key(|s| (s.step, s.seq, s.call));
    steps
}

/// What a step is but for its arguments: of LLM calls the agent, as another model is a change, not another step.
fn kind_of(s: &RunSpan) -> (&str, &str) {
    let kind = s.kind.as_str();
    (kind, if kind == "llm" { s.agent.as_deref().unwrap_or_default() } else { s.title() })
}

/// What it is called with.
fn arguments(s: &RunSpan) -> Option<&str> {
    match s.kind.as_str() {
        "llm" => s.model.as_deref(),
        "retrieval" => s.input.as_deref(),
        _ => s.args_hash.as_deref(),
    }
}

pub(super) fn align(a: &[&RunSpan], b: &[&RunSpan]) -> Vec<Pair> {
    // Numbers are compared faster than texts.
    let [all_a, all_b] =
        numbered(a.iter().map(|s| (kind_of(s), arguments(s))), b.iter().map(|s| (kind_of(s), arguments(s))));
    let [kinds_a, kinds_b] = numbered(a.iter().map(|s| kind_of(s)), b.iter().map(|s| kind_of(s)));
    let mut pairs = Vec::with_capacity(a.len().max(b.len()));
    let (mut at_a, mut at_b) = (0, 0);
    for (i, k) in common(&all_a, &all_b).into_iter().chain([(a.len(), b.len())]) {
        between(&kinds_a, &kinds_b, at_a..i, at_b..k, &mut pairs);
        if i < a.len() {
            pairs.push(Pair::Same(i, k));
        }
        (at_a, at_b) = (i + 1, k + 1);
    }
    pairs
}

/// Steps between two that are the same: pairs of those that are alike, and the others.
fn between(kinds_a: &[u32], kinds_b: &[u32], a: Range<usize>, b: Range<usize>, pairs: &mut Vec<Pair>) {
    let (mut at_a, mut at_b) = (a.start, b.start);
    let alike = common(&kinds_a[a.clone()], &kinds_b[b.clone()]);
    for (i, k) in alike.into_iter().map(|(i, k)| (a.start + i, b.start + k)).chain([(a.end, b.end)]) {
        pairs.extend((at_a..i).map(Pair::OnlyA));
        pairs.extend((at_b..k).map(Pair::OnlyB));
        if i < a.end {
            pairs.push(Pair::Changed(i, k));
        }
        (at_a, at_b) = (i + 1, k + 1);
    }
}

/// Each value as the number of the first that is equal.
fn numbered<T: Eq + Hash>(a: impl Iterator<Item = T>, b: impl Iterator<Item = T>) -> [Vec<u32>; 2] {
    let mut numbers: HashMap<T, u32> = HashMap::new();
    let mut number = |value: T| {
        let next = numbers.len() as u32;
        *numbers.entry(value).or_insert(next)
    };
    [a.map(&mut number).collect(), b.map(&mut number).collect()]
}

/// A longest common subsequence, as pairs of places.
fn common(a: &[u32], b: &[u32]) -> Vec<(usize, usize)> {
    let shared = |of: &[u32], with: &[u32]| -> Vec<usize> {
        let with: HashSet<u32> = with.iter().copied().collect();
        (0..of.len()).filter(|&i| with.contains(&of[i])).collect()
    };
    let (in_a, in_b) = (shared(a, b), shared(b, a));
    let values = |of: &[u32], places: &[usize]| -> Vec<u32> { places.iter().map(|&i| of[i]).collect() };
    let ops = capture_diff_slices(Algorithm::Myers, &values(a, &in_a), &values(b, &in_b));
    let equal = ops.iter().map(similar::DiffOp::as_tag_tuple).filter(|(tag, ..)| *tag == DiffTag::Equal);
    equal.flat_map(|(_, old, new)| old.zip(new)).map(|(i, k)| (in_a[i], in_b[k])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(kind: &str, name: &str, arguments: &str) -> RunSpan {
        let text = |t: &str| Some(t.to_owned());
        let mut s = RunSpan { kind: kind.into(), name: name.into(), ..RunSpan::default() };
        match kind {
            "llm" => s.model = text(arguments),
            _ => (s.tool, s.args_hash) = (text(name), text(arguments)),
        }
        s
    }

    fn aligned(a: &[RunSpan], b: &[RunSpan]) -> Vec<Pair> {
        align(&a.iter().collect::<Vec<_>>(), &b.iter().collect::<Vec<_>>())
    }

    #[test]
    fn first_what_is_equal_then_what_is_alike() {
        use Pair::{Changed, OnlyA, OnlyB, Same};
        let a = [step("llm", "", "m1"), step("tool", "find", "x"), step("tool", "find", "y"), step("llm", "", "m1")];
        let b = [step("llm", "", "m2"), step("tool", "find", "y"), step("tool", "write", "y"), step("llm", "", "m1")];
        assert_eq!(aligned(&a, &b), [Changed(0, 0), OnlyA(1), Same(2, 1), OnlyB(2), Same(3, 3)]);
        assert_eq!(aligned(&a, &[]), [OnlyA(0), OnlyA(1), OnlyA(2), OnlyA(3)]);
        assert_eq!(aligned(&[], &[]), []);
        // The tool is another: that is no change of arguments.
        assert_eq!(aligned(&a[1..2], &b[2..3]), [OnlyA(0), OnlyB(0)]);
    }

    #[test]
    fn every_step_is_there_once_and_in_order() {
        let mut seed = 1u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..200 {
            let mut some = |n: u64| -> Vec<RunSpan> {
                (0..random(n)).map(|_| step("tool", ["a", "b"][random(2) as usize], &random(3).to_string())).collect()
            };
            let (a, b) = (some(30), some(30));
            let pairs = aligned(&a, &b);
            let side = |of: fn(Pair) -> Option<usize>| pairs.iter().filter_map(|p| of(*p)).collect::<Vec<_>>();
            assert_eq!(side(|p| p.sides().0), (0..a.len()).collect::<Vec<_>>());
            assert_eq!(side(|p| p.sides().1), (0..b.len()).collect::<Vec<_>>());
            for p in &pairs {
                match *p {
                    Pair::Same(i, k) => assert!(a[i].args_hash == b[k].args_hash && a[i].tool == b[k].tool),
                    Pair::Changed(i, k) => assert!(a[i].args_hash != b[k].args_hash && a[i].tool == b[k].tool),
                    _ => {}
                }
            }
            // As long as the textbook's table says.
            let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
            for i in 0..a.len() {
                for k in 0..b.len() {
                    let same = (&a[i].tool, &a[i].args_hash) == (&b[k].tool, &b[k].args_hash);
                    table[i + 1][k + 1] = if same { table[i][k] + 1 } else { table[i][k + 1].max(table[i + 1][k]) };
                }
            }
            assert_eq!(pairs.iter().filter(|p| matches!(p, Pair::Same(..))).count(), table[a.len()][b.len()]);
        }
    }

    #[test]
    fn ten_thousand_steps_on_each_side() {
        let of = |turn: u64| -> Vec<RunSpan> {
            (0..10_000u64).map(|i| step("tool", "t", &(i.wrapping_mul(turn) % 10_007).to_string())).collect()
        };
        // The same values in another order, and nothing in common.
        assert_eq!(aligned(&of(1), &of(5003)).iter().filter_map(|p| p.sides().0).count(), 10_000);
        let others: Vec<RunSpan> = (0..10_000).map(|i| step("tool", "u", &format!("u{i}"))).collect();
        assert_eq!(aligned(&of(1), &others).len(), 20_000);
    }
}
