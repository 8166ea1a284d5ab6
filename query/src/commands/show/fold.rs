//! Which spans of a run are drawn, and which are counted.
//!
//! A run of ten spans is drawn whole; one of ten thousand would be read by nobody. So what repeats is folded first, then
//! long lists of siblings and deep levels, until few enough rows are left. What failed, was slow or stands at an end
//! stays; a row that stands for many says how many there are, what they took, and how many of them failed.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::loop_blocks::DRAWN;
use super::run::{Run, RunSpan};

/// How many rows are fine before anything but loops is folded, and after it.
const SHORT: usize = 80;
const LONG: usize = 200;
/// Siblings and levels at most, tried one after another until few enough rows are left.
const CAPS: [(usize, usize); 7] = [(80, 64), (48, 32), (24, 16), (12, 10), (8, 6), (6, 3), (4, 2)];
/// For how many levels a row knows whether more siblings follow: more are never drawn.
const LEVELS: usize = 128;
/// Longest block of siblings that is looked for.
const LONGEST_BLOCK: usize = 8;
/// Repetitions from which on a block is folded: two before and one after the fold, and enough to be worth it.
const LEAST_REPETITIONS: usize = 5;

/// What is drawn in one line.
#[derive(Debug)]
pub(super) enum Item {
    Span(usize),
    Fold(Fold),
}

/// A row of the tree.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) item: Item,
    pub(super) level: usize,
    /// Whether more siblings follow, of the nearest ancestors and, last, of the row itself.
    pub(super) more: Vec<bool>,
}

/// Spans that are counted.
#[derive(Debug)]
pub(super) struct Fold {
    /// Siblings that are left out, with all below them.
    pub(super) members: Vec<usize>,
    pub(super) sum: Sum,
    /// Whether they are what is below a span, not siblings of those drawn.
    pub(super) below: bool,
    pub(super) of_loop: Option<i64>,
}

/// What a span and all below it took.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Sum {
    pub(super) spans: usize,
    pub(super) failed: usize,
    pub(super) tokens: Option<i64>,
    pub(super) usd: Option<i128>,
    pub(super) unpriced: usize,
    /// First start and last end.
    pub(super) time: Option<(i64, i64)>,
    pub(super) critical: bool,
    /// Number of the loop that spans of it belong to, the first repetition and the last; 0 stands for several loops.
    of_loop: Option<(i64, i64, i64)>,
}

impl Sum {
    fn of(s: &RunSpan) -> Sum {
        let time = s.start_ns.filter(|_| !s.synthetic()).map(|at| (at, s.end_ns().unwrap_or(at)));
        Sum {
            spans: 1,
            failed: usize::from(s.failed),
            tokens: s.total_tokens,
            usd: s.cost_usd,
            unpriced: usize::from(!s.cost_complete),
            time,
            critical: s.critical,
            of_loop: s.loop_of.map(|(number, repetition)| (number, repetition, repetition)),
        }
    }

    fn add(&mut self, other: &Sum) {
        fn both<T>(a: Option<T>, b: Option<T>, join: impl Fn(T, T) -> T) -> Option<T> {
            match (a, b) {
                (Some(a), Some(b)) => Some(join(a, b)),
                (a, b) => a.or(b),
            }
        }
        self.spans += other.spans;
        self.failed += other.failed;
        self.tokens = both(self.tokens, other.tokens, i64::saturating_add);
        self.usd = both(self.usd, other.usd, i128::saturating_add);
        self.unpriced += other.unpriced;
        self.time = both(self.time, other.time, |a, b| (a.0.min(b.0), a.1.max(b.1)));
        self.critical |= other.critical;
        self.of_loop =
            both(self.of_loop, other.of_loop, |a, b| (if a.0 == b.0 { a.0 } else { 0 }, a.1.min(b.1), a.2.max(b.2)));
    }

    pub(super) fn duration(&self) -> Option<i64> {
        self.time.map(|(start, end)| end.saturating_sub(start))
    }
}

/// How much to fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folding {
    /// Nothing.
    Nothing,
    /// What is needed, and levels below this one.
    Needed { depth: Option<usize> },
}

/// A run with what folding it needs.
pub(super) struct Tree<'a> {
    run: &'a Run,
    children: Vec<Vec<usize>>,
    roots: Vec<usize>,
    pub(super) sums: Vec<Sum>,
    /// Numbers of what spans are: equal where kind and title are, and whether there are failures below.
    alike: Vec<u64>,
}

impl<'a> Tree<'a> {
    pub(super) fn of(run: &'a Run) -> Tree<'a> {
        let mut children = vec![Vec::new(); run.spans.len()];
        let mut roots = Vec::new();
        let mut sums: Vec<Sum> = run.spans.iter().map(Sum::of).collect();
        for (at, s) in run.spans.iter().enumerate() {
            match s.parent {
                Some(p) => children[p].push(at),
                None => roots.push(at),
            }
        }
        for at in (0..run.spans.len()).rev() {
            if let Some(p) = run.spans[at].parent {
                let sum = sums[at];
                sums[p].add(&sum);
            }
        }
        let alike = run.spans.iter().zip(&sums).map(|(s, sum)| alike(s, sum.failed > 0)).collect();
        Tree { run, children, roots, sums, alike }
    }

    /// The same spans without levels, in order of their start.
    pub(super) fn flat(run: &'a Run) -> Tree<'a> {
        let mut roots: Vec<usize> =
            (0..run.spans.len()).filter(|&at| run.spans[at].start_ns.is_some() && !run.spans[at].synthetic()).collect();
        roots.sort_by_key(|&at| (run.spans[at].start_ns, run.spans[at].seq));
        Tree {
            run,
            children: vec![Vec::new(); run.spans.len()],
            roots,
            sums: run.spans.iter().map(Sum::of).collect(),
            alike: run.spans.iter().map(|s| alike(s, s.failed)).collect(),
        }
    }

    pub(super) fn has_children(&self, at: usize) -> bool {
        !self.children[at].is_empty()
    }

    /// Whether it failed, and nothing below it did.
    pub(super) fn failed_itself(&self, at: usize) -> bool {
        self.run.spans[at].failed && self.sums[at].failed == 1
    }

    /// The rows to draw.
    pub(super) fn rows(&self, folding: Folding) -> Vec<Row> {
        let asked = match folding {
            Folding::Nothing => return self.emit(None, usize::MAX, usize::MAX),
            Folding::Needed { depth } => depth.unwrap_or(usize::MAX),
        };
        let mut rows = self.emit(Some(false), usize::MAX, asked);
        if rows.len() > SHORT {
            rows = self.emit(Some(true), usize::MAX, asked);
        }
        for (siblings, depth) in CAPS {
            if rows.len() <= LONG {
                break;
            }
            rows = self.emit(Some(true), siblings, depth.min(asked));
        }
        rows
    }

    /// Rows with loops folded, or what repeats too; at most so many siblings and levels.
    fn emit(&self, blocks: Option<bool>, siblings: usize, depth: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut path: Vec<bool> = Vec::new();
        let items = |list: &[usize]| self.items(list, blocks, siblings);
        let mut open: Vec<(usize, bool, Item)> = Vec::new();
        let push = |open: &mut Vec<(usize, bool, Item)>, level: usize, items: Vec<Item>| {
            let last = items.len().saturating_sub(1);
            open.extend(items.into_iter().enumerate().rev().map(|(i, item)| (level, i < last, item)));
        };
        push(&mut open, 0, items(&self.roots));
        while let Some((level, more, item)) = open.pop() {
            path.truncate(level);
            path.push(more);
            if let Item::Span(at) = item {
                let below = &self.children[at];
                if level >= depth && !below.is_empty() {
                    push(&mut open, level + 1, vec![self.fold(below.clone(), true)]);
                } else {
                    push(&mut open, level + 1, items(below));
                }
            }
            rows.push(Row { item, level, more: path[path.len().saturating_sub(LEVELS)..].to_vec() });
        }
        rows
    }

    /// Siblings as rows: those that are kept, and stretches of others.
    fn items(&self, list: &[usize], blocks: Option<bool>, cap: usize) -> Vec<Item> {
        let Some(blocks) = blocks else { return list.iter().map(|&at| Item::Span(at)).collect() };
        let mut kept = vec![true; list.len()];
        self.fold_loops(list, &mut kept);
        if blocks {
            self.fold_blocks(list, &mut kept);
        }
        self.fold_many(list, cap, &mut kept);
        let mut items = Vec::new();
        let mut from = 0;
        while from < list.len() {
            if kept[from] {
                items.push(Item::Span(list[from]));
                from += 1;
                continue;
            }
            let to = (from..list.len()).find(|&i| kept[i]).unwrap_or(list.len());
            // One without anything below takes no more room than its fold.
            match list[from..to] {
                [at] if !self.has_children(at) => items.push(Item::Span(at)),
                _ => items.push(self.fold(list[from..to].to_vec(), false)),
            }
            from = to;
        }
        items
    }

    fn fold(&self, members: Vec<usize>, below: bool) -> Item {
        let mut sum = Sum::default();
        for &at in &members {
            sum.add(&self.sums[at]);
        }
        let of_loop = sum.of_loop.map(|(number, ..)| number).filter(|n| *n != 0);
        Item::Fold(Fold { members, sum, below, of_loop })
    }

    /// Repetitions in the middle of a loop, and what lies between them.
    fn fold_loops(&self, list: &[usize], kept: &mut [bool]) {
        let middle = |at: usize| {
            let (number, first, last) = self.sums[at].of_loop?;
            let repetitions = self.run.loops.iter().find(|l| l.number == number)?.last;
            // A single period is drawn rather than counted.
            (repetitions > DRAWN + 2 && first > DRAWN && last < repetitions).then_some(number)
        };
        let mut before: Option<(usize, i64)> = None;
        for (i, &at) in list.iter().enumerate() {
            match middle(at) {
                Some(number) => {
                    kept[i] = false;
                    if let Some((from, n)) = before
                        && n == number
                    {
                        kept[from..i].fill(false);
                    }
                    before = Some((i, number));
                }
                // Nothing of another loop and no failure is folded away with it.
                None if self.sums[at].of_loop.is_some() || self.sums[at].failed > 0 => before = None,
                None => {}
            }
        }
    }

    /// Blocks of siblings that follow each other again and again.
    fn fold_blocks(&self, list: &[usize], kept: &mut [bool]) {
        let drawn = DRAWN as usize;
        let mut i = 0;
        while i < list.len() {
            let same = |block: usize, n: usize| {
                let (a, b) = (i + (n - 1) * block, i + n * block);
                b + block <= list.len()
                    && (0..block).all(|k| kept[b + k] && self.alike[list[a + k]] == self.alike[list[b + k]])
            };
            let repeats = |block: usize| 1 + (1..).take_while(|&n| same(block, n)).count();
            let found = (1..=LONGEST_BLOCK).map(|block| (block, repeats(block))).find(|(_, n)| *n >= LEAST_REPETITIONS);
            match found.filter(|_| kept[i]) {
                Some((block, n)) => {
                    kept[i + drawn * block..i + (n - 1) * block].fill(false);
                    i += n * block;
                }
                None => i += 1,
            }
        }
    }

    /// All but the first, the last, what failed and what took longest.
    fn fold_many(&self, list: &[usize], cap: usize, kept: &mut [bool]) {
        let mut left: Vec<usize> = (0..list.len()).filter(|&i| kept[i]).collect();
        if left.len() <= cap {
            return;
        }
        let (first, last) = (cap / 3, cap / 4);
        let mut middle = left.split_off(first);
        middle.truncate(middle.len() - last);
        middle.sort_by_key(|&i| {
            let sum = &self.sums[list[i]];
            std::cmp::Reverse((sum.failed > 0, sum.duration(), sum.tokens))
        });
        for &i in &middle[(cap - first - last).min(middle.len())..] {
            kept[i] = false;
        }
    }
}

fn alike(s: &RunSpan, failed: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&s.kind, s.title(), failed).hash(&mut hasher);
    hasher.finish()
}

/// What spans are, most first: how many of each kind and title.
pub(super) fn tally<'a>(spans: impl Iterator<Item = &'a RunSpan>) -> Vec<(usize, &'a RunSpan)> {
    let mut found: Vec<(usize, &RunSpan)> = Vec::new();
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    for s in spans {
        let at = *places.entry((s.kind.as_str(), s.title())).or_insert_with(|| {
            found.push((0, s));
            found.len() - 1
        });
        found[at].0 += 1;
    }
    found.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::show::run::RunLoop;

    fn span(parent: Option<usize>, kind: &str, name: &str) -> RunSpan {
        RunSpan { parent, kind: kind.into(), name: name.into(), cost_complete: true, ..RunSpan::default() }
    }

    fn run(spans: Vec<RunSpan>) -> Run {
        let mut run = Run { spans, ..Run::default() };
        for (i, s) in run.spans.iter_mut().enumerate() {
            s.start_ns = Some(i as i64 * 10);
            s.duration_ns = Some(5);
        }
        run
    }

    fn lines(rows: &[Row], run: &Run) -> Vec<String> {
        let line = |row: &Row| match &row.item {
            Item::Span(at) => format!("{}{}", " ".repeat(row.level), run.spans[*at].name),
            Item::Fold(f) => {
                format!("{}+{} of {}, {} failed", " ".repeat(row.level), f.members.len(), f.sum.spans, f.sum.failed)
            }
        };
        rows.iter().map(line).collect()
    }

    #[test]
    fn short_runs_are_drawn_whole() {
        let mut spans = vec![span(None, "agent", "a")];
        spans.extend((0..SHORT - 1).map(|_| span(Some(0), "tool", "t")));
        let run = run(spans);
        assert_eq!(Tree::of(&run).rows(Folding::Needed { depth: None }).len(), SHORT);
    }

    #[test]
    fn blocks_fold_and_failures_stay() {
        let mut spans = vec![span(None, "agent", "a")];
        for i in 0..100 {
            spans.push(span(Some(0), "llm", "m"));
            spans.push(RunSpan { failed: i == 50, ..span(Some(0), "tool", "t") });
        }
        let run = run(spans);
        let tree = Tree::of(&run);
        let drawn = lines(&tree.rows(Folding::Needed { depth: None }), &run);
        let turn = [" m", " t"];
        // The last turn before the one that failed, that one, and the first two after it.
        let middle = [["a"].to_vec(), [turn; 2].concat(), vec![" +94 of 94, 0 failed"], [turn; 4].concat()];
        let end = [vec![" +92 of 92, 0 failed"], turn.to_vec()];
        assert_eq!(drawn, [middle.concat(), end.concat()].concat());
        assert_eq!(tree.rows(Folding::Nothing).len(), 201);
    }

    #[test]
    fn any_run_is_a_few_hundred_rows_and_nothing_is_lost() {
        let kinds = ["llm", "tool", "other", "agent"];
        for (siblings, levels) in [(10_000, 1), (100, 2), (21, 3), (2, 12), (1, 9_999)] {
            let mut spans = vec![span(None, "agent", "root")];
            // A tree in pre-order, built with a stack.
            let mut open: Vec<(usize, usize)> = (0..siblings).map(|_| (0, 1)).collect();
            while let Some((parent, level)) = open.pop().filter(|_| spans.len() < 10_000) {
                let n = spans.len();
                let mut s = span(Some(parent), kinds[n * 7 % 4], &format!("s{}", n * n % 97));
                s.failed = n % 41 == 0;
                spans.push(s);
                if level < levels {
                    open.extend((0..siblings).map(|_| (n, level + 1)));
                }
            }
            let run = run(spans);
            let failed = run.spans.iter().filter(|s| s.failed).count();
            let tree = Tree::of(&run);
            let rows = tree.rows(Folding::Needed { depth: None });
            assert!(rows.len() <= 300, "{siblings} {levels}: {}", rows.len());
            let count = |of_span: &dyn Fn(&RunSpan) -> usize, of_sum: &dyn Fn(&Sum) -> usize| -> usize {
                rows.iter()
                    .map(|r| match &r.item {
                        Item::Span(at) => of_span(&run.spans[*at]),
                        Item::Fold(f) => of_sum(&f.sum),
                    })
                    .sum()
            };
            assert_eq!(count(&|_| 1, &|sum| sum.spans), run.spans.len());
            assert_eq!(count(&|s| usize::from(s.failed), &|sum| sum.failed), failed);
        }
    }

    #[test]
    fn middles_of_loops_fold_also_in_short_runs() {
        let mut spans = vec![span(None, "agent", "a")];
        for i in 1..=7 {
            spans.push(RunSpan { loop_of: Some((1, i)), ..span(Some(0), "tool", "t") });
            spans.push(span(Some(0), "other", "glue"));
        }
        let mut run = run(spans);
        run.loops = vec![RunLoop { number: 1, last: 7, ..RunLoop::default() }];
        let drawn = lines(&Tree::of(&run).rows(Folding::Needed { depth: None }), &run);
        assert_eq!(
            drawn,
            ["a", " t", " glue", " t", " glue", " +7 of 7, 0 failed", " glue", " t", " glue"]
                .map(str::to_owned)
                .to_vec()
        );
    }

    #[test]
    fn levels_fold_where_asked() {
        let run = run(vec![span(None, "agent", "a"), span(Some(0), "llm", "b"), span(Some(1), "tool", "c")]);
        let tree = Tree::of(&run);
        assert_eq!(lines(&tree.rows(Folding::Needed { depth: Some(1) }), &run), ["a", " b", "  +1 of 1, 0 failed"]);
        assert_eq!(lines(&tree.rows(Folding::Needed { depth: Some(0) }), &run), ["a", " +1 of 2, 0 failed"]);
    }
}
