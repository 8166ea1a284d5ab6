//! What two runs took in all, and which tools and models took more or less.

use std::collections::HashMap;

use unicode_width::UnicodeWidthStr;

use super::super::drawing::{Look, Paint, cut, decimals, dollars, grouped, padded, printable, time};
use super::super::show::run::{Run, RunSpan, total};

/// How many tools and models are listed.
const LISTED: usize = 8;
/// Widest name of one, and least room for what a figure is.
const NAME: usize = 40;
const LEAST: usize = 13;
const GAP: usize = 2;

/// A number of each side as text, and the change between them.
struct Figure {
    what: String,
    a: String,
    b: String,
    change: String,
    worse: bool,
}

/// The table of totals, then who gained and lost.
pub(super) fn totals(a: &Run, b: &Run, steps: [&[&RunSpan]; 2], look: Look) -> String {
    let mut out = String::new();
    let mut figures = Vec::new();
    let counts: [(&str, Option<i64>, Option<i64>); 6] = [
        ("steps", a.steps, b.steps),
        ("LLM calls", a.llm_calls, b.llm_calls),
        ("tool calls", a.tool_calls, b.tool_calls),
        ("errors", a.errors, b.errors),
        ("input tokens", a.input_tokens, b.input_tokens),
        ("output tokens", a.output_tokens, b.output_tokens),
    ];
    for (what, a, b) in counts.into_iter().filter(|(_, a, b)| a.unwrap_or(0) != 0 || b.unwrap_or(0) != 0) {
        figures.push(figure(what, (a, b), (true, true), &|n| grouped(n)));
    }
    let digits = decimals([a.cost_usd, b.cost_usd].into_iter().flatten());
    if a.cost_usd.is_some() || b.cost_usd.is_some() {
        figures.push(figure("cost", (a.cost_usd, b.cost_usd), (a.cost_complete, b.cost_complete), &|usd| {
            dollars(usd, digits, false)
        }));
    }
    figures.push(figure("time", (a.duration_ns, b.duration_ns), (true, true), &|ns| time(ns)));
    out += &table(&figures, Kept::Sides, look);
    let gains = gains(steps);
    if !gains.is_empty() {
        out += &look.paint(Paint::Heading, "where it went, the most first");
        out.push('\n');
        out += &table(&gains, Kept::Change, look);
    }
    out
}

/// A row of the table; with what is not complete on a side, there is no telling the change.
fn figure<T>(
    what: &str,
    (a, b): (Option<T>, Option<T>),
    (all_a, all_b): (bool, bool),
    text: &dyn Fn(T) -> String,
) -> Figure
where
    T: Copy + Into<i128> + TryFrom<i128>,
{
    let side = |value: Option<T>, complete: bool| match (value, complete) {
        (Some(v), true) => text(v),
        (Some(v), false) => format!("≥ {}", text(v)),
        (None, _) => String::new(),
    };
    let mut worse = false;
    let change = match (a, b) {
        (Some(a), Some(b)) if all_a && all_b => {
            let (a, b): (i128, i128) = (a.into(), b.into());
            worse = b > a;
            signed(b - a, text) + &percent(a, b)
        }
        _ => String::new(),
    };
    Figure { what: what.to_owned(), a: side(a, all_a), b: side(b, all_b), change, worse }
}

/// A change with its sign; nothing where there is none.
pub(super) fn signed<T: TryFrom<i128>>(change: i128, text: &dyn Fn(T) -> String) -> String {
    let Ok(size) = T::try_from(change.saturating_abs()) else { return String::new() };
    match change {
        0 => String::new(),
        1.. => format!("+{}", text(size)),
        _ => format!("-{}", text(size)),
    }
}

fn percent(a: i128, b: i128) -> String {
    if a <= 0 || a == b {
        return String::new();
    }
    let percent = (b - a).saturating_mul(1000) / a;
    let rounded = (percent + 5 * percent.signum()) / 10;
    format!(" ({}{} %)", if rounded > 0 { "+" } else { "" }, rounded)
}

/// What a table keeps where there is no room for all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Sides,
    Change,
}

fn table(figures: &[Figure], kept: Kept, look: Look) -> String {
    // The sides and the change, each as wide as it must be.
    let cells = |f: &Figure| [f.a.clone(), f.b.clone(), f.change.clone()];
    let mut widths = ["A", "B", "change"].map(UnicodeWidthStr::width);
    for f in figures {
        for (width, cell) in widths.iter_mut().zip(cells(f)) {
            *width = (*width).max(cell.width());
        }
    }
    let all: usize = widths.iter().map(|w| w + GAP).sum();
    let shown = match (all + LEAST > look.width, kept) {
        (false, _) => [true; 3],
        (true, Kept::Sides) => [true, true, false],
        (true, Kept::Change) => [false, false, true],
    };
    let taken: usize = widths.iter().zip(shown).filter(|(_, shown)| *shown).map(|(w, _)| w + GAP).sum();
    let what = figures.iter().map(|f| f.what.width()).max().unwrap_or(0).max(LEAST);
    let what = what.min(look.width.saturating_sub(taken).max(LEAST));
    let line = |name: &str, cells: [String; 3], paint: Option<Paint>| {
        let mut line = padded(&cut(name, what), what, false);
        for (i, (cell, width)) in cells.iter().zip(widths).enumerate().filter(|(i, _)| shown[*i]) {
            let cell = padded(cell, width, true);
            line += &" ".repeat(GAP);
            line += &paint.filter(|_| i == 2).map_or_else(|| cell.clone(), |paint| look.paint(paint, &cell));
        }
        line.trim_end().to_owned()
    };
    let headings = ["A", "B", "change"].map(str::to_owned);
    let mut out = look.paint(Paint::Heading, &line("", headings, None)) + "\n";
    for f in figures {
        out += &line(&f.what, cells(f), f.worse.then_some(Paint::Doubtful));
        out.push('\n');
    }
    out
}

#[derive(Default, Clone, Copy)]
struct Side {
    calls: i64,
    ns: Option<i64>,
    usd: Option<i128>,
    complete: bool,
}

impl Side {
    fn add(&mut self, s: &RunSpan) {
        self.complete = (self.calls == 0 || self.complete) && s.cost_complete;
        self.calls += 1;
        self.ns = total([self.ns, s.duration_ns].into_iter());
        self.usd = total([self.usd, s.cost_usd].into_iter());
    }
}

/// Tools and models by how much their time changed, or their cost, whichever is the larger part of the run.
fn gains(steps: [&[&RunSpan]; 2]) -> Vec<Figure> {
    let mut sides: HashMap<(&str, &str), [Side; 2]> = HashMap::new();
    for (side, steps) in steps.into_iter().enumerate() {
        for s in steps {
            sides.entry((s.kind.as_str(), s.title())).or_default()[side].add(s);
        }
    }
    let ns = |[a, b]: &[Side; 2]| i128::from(b.ns.unwrap_or(0)) - i128::from(a.ns.unwrap_or(0));
    let usd = |[a, b]: &[Side; 2]| b.usd.unwrap_or(0) - a.usd.unwrap_or(0);
    let all_ns: i128 = sides.values().map(|s| ns(s).abs()).sum::<i128>().max(1);
    let all_usd: i128 = sides.values().map(|s| usd(s).abs()).sum::<i128>().max(1);
    let weight = |s: &[Side; 2]| ns(s).abs() as f64 / all_ns as f64 + usd(s).abs() as f64 / all_usd as f64;
    let mut listed: Vec<_> = sides.into_iter().filter(|(_, s)| weight(s) > 0.0 || s[0].calls != s[1].calls).collect();
    listed.sort_by(|x, y| weight(&y.1).total_cmp(&weight(&x.1)).then_with(|| x.0.cmp(&y.0)));
    listed.truncate(LISTED);
    let digits = decimals(listed.iter().flat_map(|(_, s)| [s[0].usd, s[1].usd]).flatten());
    let said = |s: &Side| {
        let mut parts = vec![grouped(s.calls)];
        parts.extend(s.ns.map(time));
        if s.calls == 0 { "–".to_owned() } else { parts.join(" in ") }
    };
    listed
        .into_iter()
        .map(|((kind, title), sides)| {
            let mut change = vec![signed::<i64>(ns(&sides), &|n| time(n))];
            let complete = sides.iter().all(|s| s.calls == 0 || s.complete);
            if complete && sides.iter().any(|s| s.usd.is_some()) {
                change.push(signed::<i128>(usd(&sides), &|n| dollars(n, digits, false)));
            }
            change.retain(|c| !c.is_empty());
            Figure {
                what: cut(&printable(&format!("{kind} {title}")), NAME),
                a: said(&sides[0]),
                b: said(&sides[1]),
                change: change.join(", "),
                worse: ns(&sides) > 0 || usd(&sides) > 0,
            }
        })
        .collect()
}
