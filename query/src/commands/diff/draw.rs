//! Two runs beside each other, or one under the other, as text.

use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use super::super::drawing::{Line, Look, Paint, cut, decimals, dollars, folded, grouped, padded, printable, time};
use super::super::show::heading;
use super::super::show::run::{Run, RunSpan, total};
use super::DiffOptions;
use super::align::{Pair, align, steps};
use super::changes::changes;
use super::totals::{signed, totals};

/// From how many columns on the runs are beside each other.
const BESIDE: usize = 110;
/// Of longer stretches without a difference, steps that are drawn at each end.
const AROUND: usize = 2;
/// Rows at most, and how many of them are at the begin.
const LONG: usize = 300;
const FIRST: usize = 200;
/// Differences of one step's arguments that are drawn.
const CHANGES: usize = 4;
/// How much of arguments and of values there is room for.
const ARGUMENTS: usize = 60;
const GAP: usize = 2;

struct Sides<'a> {
    a: Vec<&'a RunSpan>,
    b: Vec<&'a RunSpan>,
}

/// What is drawn: a pair, or a stretch of them that is counted.
enum Row {
    Pair(usize),
    Fold(Range<usize>),
}

/// What a pair adds to tokens, cost and time: B less A; `None` where that is not known.
#[derive(Default, Clone, Copy)]
struct Delta {
    tokens: Option<i64>,
    usd: Option<i128>,
    ns: Option<i64>,
}

pub(super) fn drawn(a: &Run, b: &Run, options: &DiffOptions, look: Look) -> String {
    let sides = Sides { a: steps(a), b: steps(b) };
    let pairs = align(&sides.a, &sides.b);
    let mut out = String::new();
    for (side, run) in [("A ", a), ("B ", b)] {
        let narrow = Look { width: look.width.saturating_sub(2), ..look };
        for (i, line) in heading(run, narrow).lines().enumerate() {
            out += &format!("{}{line}\n", if i == 0 { side } else { "  " });
        }
    }
    out += &totals(a, b, [&sides.a, &sides.b], look);
    let of = |state: &str| pairs.iter().filter(|p| p.state() == state).count() as i64;
    let counts = format!(
        "{} the same, {} changed (~), {} only in A (-), {} only in B (+)",
        grouped(of("same")),
        grouped(of("changed")),
        grouped(of("only_a")),
        grouped(of("only_b"))
    );
    out += &look.paint(Paint::Total, &folded(&format!("steps: {counts}"), look.width, 2));
    let rows = rows(&sides, &pairs, options.expand);
    let deltas: Vec<Delta> = pairs.iter().map(|p| sides.delta(*p)).collect();
    let layout = Layout::of(&sides, &pairs, &rows, &deltas, look);
    for row in &rows {
        match row {
            Row::Pair(at) => out += &layout.pair(&sides, pairs[*at], deltas[*at]),
            Row::Fold(stretch) => out += &layout.fold(&sides, &pairs[stretch.clone()], &deltas[stretch.clone()]),
        }
    }
    out
}

impl Sides<'_> {
    fn delta(&self, pair: Pair) -> Delta {
        let (a, b) = pair.sides();
        let (a, b) = (a.map(|i| self.a[i]), b.map(|i| self.b[i]));
        fn less<T: std::ops::Sub<Output = T> + Default>(a: Option<Option<T>>, b: Option<Option<T>>) -> Option<T> {
            match (a, b) {
                (Some(a), Some(b)) => Some(b? - a?),
                (Some(a), None) => Some(T::default() - a?),
                (None, b) => b?,
            }
        }
        Delta {
            tokens: less(a.map(|s| s.total_tokens), b.map(|s| s.total_tokens)),
            usd: less(a.map(|s| s.cost_usd), b.map(|s| s.cost_usd)),
            ns: less(a.map(|s| s.duration_ns), b.map(|s| s.duration_ns)),
        }
    }

    /// Whether a pair is as good as not there: the same call, which failed in both or in neither.
    fn dull(&self, pair: Pair) -> bool {
        match pair {
            Pair::Same(a, b) => self.a[a].failed == self.b[b].failed,
            _ => false,
        }
    }
}

/// Pairs with long stretches of equal ones folded; of very many the middle.
fn rows(sides: &Sides<'_>, pairs: &[Pair], expand: bool) -> Vec<Row> {
    if expand {
        return (0..pairs.len()).map(Row::Pair).collect();
    }
    let mut rows = Vec::new();
    let mut at = 0;
    while at < pairs.len() {
        let end = (at..pairs.len()).find(|&i| !sides.dull(pairs[i])).unwrap_or(pairs.len());
        if end - at > 2 * AROUND + 1 {
            rows.extend((at..at + AROUND).map(Row::Pair));
            rows.push(Row::Fold(at + AROUND..end - AROUND));
            rows.extend((end - AROUND..end).map(Row::Pair));
        } else {
            rows.extend((at..end).map(Row::Pair));
        }
        rows.extend((end < pairs.len()).then_some(Row::Pair(end)));
        at = end + 1;
    }
    if rows.len() > LONG {
        let begin = |row: &Row| match row {
            Row::Pair(at) => *at,
            Row::Fold(stretch) => stretch.start,
        };
        let from = begin(&rows[FIRST]);
        let to = begin(&rows[rows.len() - (LONG - FIRST)]);
        let last = rows.split_off(rows.len() - (LONG - FIRST));
        rows.truncate(FIRST);
        rows.push(Row::Fold(from..to));
        rows.extend(last);
    }
    rows
}

/// A step in a line.
fn said(s: &RunSpan, with_arguments: bool) -> Line {
    let mut line = Line::default();
    if s.failed {
        line.painted(Paint::Bad, "✗ ");
    }
    line.painted(Paint::Heading, &format!("{} ", printable(&s.kind)));
    line.plain(&printable(s.title()));
    if let Some(arguments) = s.tool_args.as_deref().filter(|_| with_arguments && s.kind == "tool") {
        let begin: String = arguments.chars().take(2 * ARGUMENTS).collect();
        let begin = begin.split_whitespace().collect::<Vec<_>>().join(" ");
        line.painted(Paint::Heading, &format!(" {}", cut(&printable(&begin), ARGUMENTS)));
    }
    line
}

struct Layout {
    look: Look,
    /// Digits of the numbers of steps.
    number: usize,
    /// Columns for a step; of two where the runs are beside each other.
    name: usize,
    beside: bool,
    tokens: usize,
    cost: usize,
    time: usize,
    decimals: usize,
}

impl Layout {
    fn of(sides: &Sides<'_>, pairs: &[Pair], rows: &[Row], deltas: &[Delta], look: Look) -> Layout {
        let last = |of: &[&RunSpan]| of.iter().filter_map(|s| s.step).max().unwrap_or(0).to_string().len();
        let mut layout = Layout {
            look,
            number: last(&sides.a).max(last(&sides.b)),
            name: 0,
            beside: look.width >= BESIDE,
            tokens: 0,
            cost: 0,
            time: 0,
            decimals: decimals(deltas.iter().filter_map(|d| d.usd)),
        };
        let mut widest = 0;
        for row in rows {
            let delta = match row {
                Row::Pair(at) => deltas[*at],
                Row::Fold(stretch) => sum(&deltas[stretch.clone()]),
            };
            let [tokens, cost, time] = layout.deltas(delta);
            layout.tokens = layout.tokens.max(tokens.width());
            layout.cost = layout.cost.max(cost.width());
            layout.time = layout.time.max(time.width());
            widest = widest.max(match row {
                Row::Pair(at) => {
                    let (a, b) = pairs[*at].sides();
                    let both = [a.map(|i| sides.a[i]), b.map(|i| sides.b[i])];
                    both.into_iter().flatten().map(|s| said(s, true).width()).max().unwrap_or(0)
                }
                Row::Fold(_) if layout.beside => 0,
                Row::Fold(stretch) => folded_pairs(sides, &pairs[stretch.clone()]).width(),
            });
        }
        let begin = layout.begin();
        let numbers =
            |l: &Layout| [l.tokens, l.cost, l.time].iter().filter(|w| **w > 0).map(|w| w + GAP).sum::<usize>();
        if begin + 18 + numbers(&layout) > look.width {
            layout.tokens = 0;
        }
        if begin + 18 + numbers(&layout) > look.width {
            layout.cost = 0;
        }
        let room = look.width.saturating_sub(begin + numbers(&layout));
        let room = if layout.beside { room.saturating_sub(layout.number + GAP + 1) / 2 } else { room };
        layout.name = widest.min(room).max(8);
        layout
    }

    /// Columns before the first name: the mark and the numbers of the steps.
    fn begin(&self) -> usize {
        if self.beside { 2 + self.number + 1 } else { 2 + 2 * (self.number + 1) }
    }

    fn deltas(&self, delta: Delta) -> [String; 3] {
        let of =
            |value: Option<i128>, text: &dyn Fn(i128) -> String| value.map(|v| signed(v, text)).unwrap_or_default();
        let int = |n: i128| i64::try_from(n).unwrap_or(i64::MAX);
        [
            of(delta.tokens.map(i128::from), &|n| grouped(int(n))),
            of(delta.usd, &|n| dollars(n, self.decimals, false)),
            of(delta.ns.map(i128::from), &|n| time(int(n))),
        ]
    }

    fn end(&self, delta: Delta) -> String {
        let cells = self.deltas(delta).into_iter().zip([self.tokens, self.cost, self.time]);
        let cells = cells.filter(|(_, width)| *width > 0);
        cells.map(|(text, width)| format!("{}{}", " ".repeat(GAP), padded(&text, width, true))).collect()
    }

    fn step(&self, s: Option<&RunSpan>) -> String {
        padded(&s.and_then(|s| s.step).map(|n| n.to_string()).unwrap_or_default(), self.number, true)
    }

    fn pair(&self, sides: &Sides<'_>, pair: Pair, delta: Delta) -> String {
        let (a, b) = pair.sides();
        let (a, b) = (a.map(|i| sides.a[i]), b.map(|i| sides.b[i]));
        let (mark, paint) = match pair {
            Pair::Same(..) => (' ', None),
            Pair::Changed(..) => ('~', Some(Paint::Doubtful)),
            Pair::OnlyA(_) => ('-', Some(Paint::Bad)),
            Pair::OnlyB(_) => ('+', Some(Paint::Bar)),
        };
        let mark = paint.map_or_else(|| mark.to_string(), |paint| self.look.paint(paint, &mark.to_string()));
        let only = a.is_none() || b.is_none();
        let nothing = Line::default();
        let mut out = if self.beside {
            let side =
                |s: Option<&RunSpan>| s.map_or_else(|| nothing.clone(), |s| said(s, true)).fit(self.look, self.name);
            let (name_a, name_b) = (side(a), side(b));
            format!("{mark} {} {name_a}   {} {name_b}", self.step(a), self.step(b))
        } else {
            // What changed about the arguments is said below.
            let name = b.or(a).map_or_else(
                || nothing.clone(),
                |s| said(s, only || a.is_some_and(|a| b.is_some_and(|b| self.same(a, b)))),
            );
            format!("{mark} {} {} {}", self.step(a), self.step(b), name.fit(self.look, self.name))
        };
        out += &self.end(delta);
        let mut out = out.trim_end().to_owned() + "\n";
        let (Some(a), Some(b)) = (a, b) else {
            if let Some(s) = a.or(b).filter(|s| s.failed) {
                out += &self.note(Paint::Bad, &format!("failed{}", why(s)));
            }
            return out;
        };
        // Beside each other models are seen to differ.
        if matches!(pair, Pair::Changed(..)) && !(self.beside && a.kind == "llm") {
            let all = changes(a, b);
            for c in all.iter().take(CHANGES) {
                let side = |v: &Option<String>| match v {
                    Some(v) => {
                        let begin: String = v.chars().take(2 * ARGUMENTS).collect();
                        cut(&printable(&begin), ARGUMENTS)
                    }
                    None => "(none)".to_owned(),
                };
                let line = format!("{}: {} → {}", printable(&c.path), side(&c.old), side(&c.new));
                out += &self.note(Paint::Doubtful, &line);
            }
            if all.len() > CHANGES {
                out += &self.note(Paint::Heading, &format!("… {} more", all.len() - CHANGES));
            }
        }
        if a.failed != b.failed {
            let said = if b.failed { "failed in B, not in A" } else { "failed in A, not in B" };
            out += &self.note(Paint::Bad, &format!("{said}{}", why(if b.failed { b } else { a })));
        } else if a.kind == "tool"
            && a.result_hash.is_some()
            && b.result_hash.is_some()
            && a.result_hash != b.result_hash
        {
            out += &self.note(Paint::Heading, "another result");
        }
        out
    }

    fn same(&self, a: &RunSpan, b: &RunSpan) -> bool {
        a.args_hash == b.args_hash
    }

    /// What is said below a pair.
    fn note(&self, paint: Paint, text: &str) -> String {
        let indent = self.begin() + 2;
        let text = cut(text, self.look.width.saturating_sub(indent).max(12));
        format!("{}{}\n", " ".repeat(indent), self.look.paint(paint, &text))
    }

    fn fold(&self, sides: &Sides<'_>, pairs: &[Pair], deltas: &[Delta]) -> String {
        let names = if self.beside { 2 * self.name + self.number + 4 } else { self.name };
        let text = folded_pairs(sides, pairs).fit(self.look, self.begin() - 2 + names);
        format!("{}\n", format!("  {text}{}", self.end(sum(deltas))).trim_end())
    }
}

/// How many of which state are folded, failures first: what is cut must not be them.
fn folded_pairs(sides: &Sides<'_>, pairs: &[Pair]) -> Line {
    let failed = |s: &&RunSpan| s.failed;
    let in_a = pairs.iter().filter_map(|p| p.sides().0).map(|i| sides.a[i]).filter(failed).count();
    let in_b = pairs.iter().filter_map(|p| p.sides().1).map(|i| sides.b[i]).filter(failed).count();
    let states = [("same", "the same"), ("changed", "changed"), ("only_a", "only in A"), ("only_b", "only in B")];
    let of = |state: &str| pairs.iter().filter(|p| p.state() == state).count();
    let said = states.into_iter().map(|(state, said)| (of(state), said)).filter(|(n, _)| *n > 0);
    let said: Vec<String> = said.map(|(n, said)| format!("{} {said}", grouped(n as i64))).collect();
    let mut line = Line::default();
    line.painted(Paint::Heading, "… ");
    if in_a + in_b > 0 {
        line.painted(Paint::Bad, &format!("failed {in_a} in A, {in_b} in B; "));
    }
    line.painted(Paint::Heading, &said.join(", "));
    line
}

/// Why a step failed.
fn why(s: &RunSpan) -> String {
    [&s.error_type, &s.status_message].into_iter().flatten().map(|t| format!(": {}", printable(t))).collect()
}

fn sum(deltas: &[Delta]) -> Delta {
    Delta {
        tokens: total(deltas.iter().map(|d| d.tokens)),
        usd: total(deltas.iter().map(|d| d.usd)),
        ns: total(deltas.iter().map(|d| d.ns)),
    }
}
