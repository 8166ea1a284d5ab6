//! The tree of a run with its waterfall, as text.

use unicode_width::UnicodeWidthStr;

use super::super::drawing::{Line, Look, Paint, decimals, dollars, grouped, padded, printable, time};
use super::super::loop_blocks::{self, Gutter};
use super::fold::{Fold, Folding, Item, Row, Tree, tally};
use super::heading::{count, details, heading};
use super::messages;
use super::run::{Run, RunSpan};
use super::waterfall::Scale;
use super::{Io, ShowOptions};

/// From how many columns on there is a waterfall.
const WATERFALL: usize = 60;
/// Least and most columns of the waterfall, and its share of what numbers leave, in percent.
const BAR: [usize; 2] = [10, 120];
const SHARE: usize = 40;
/// Least columns for what a span is, before numbers are left out for it.
const NAME: usize = 18;
/// How much of a call's arguments there is room for.
const ARGUMENTS: usize = 60;
const GAP: usize = 2;

/// What stands in a row.
struct Cells {
    name: Line,
    tokens: String,
    /// Whether tokens and cost are those of spans below.
    sums: bool,
    cost: String,
    time: String,
    bar: Option<(i64, i64)>,
    folded: bool,
    critical: bool,
    failed: bool,
}

struct Layout {
    name: usize,
    tokens: usize,
    cost: usize,
    time: usize,
    scale: Option<Scale>,
}

/// The run: its heading, and its spans as a tree or in order of their start.
pub(super) fn drawn(run: &Run, options: &ShowOptions, look: Look) -> String {
    let tree = if options.waterfall { Tree::flat(run) } else { Tree::of(run) };
    let folding = if options.expand { Folding::Nothing } else { Folding::Needed { depth: options.depth } };
    let rows = tree.rows(folding);
    let loop_of = |row: &Row| match &row.item {
        Item::Span(at) => run.spans[*at].loop_of.map(|(number, _)| number),
        Item::Fold(fold) => fold.of_loop,
    };
    let gutter = match options.waterfall {
        true => Gutter::default(),
        false => Gutter::new(rows.iter().map(loop_of), &run.loops),
    };
    let digits = decimals(run.spans.iter().filter_map(|s| s.cost_usd));
    let deepest = rows.iter().map(|r| r.level).max().unwrap_or(0);
    let room = look.width.saturating_sub(gutter.width());
    let indent = if deepest * 2 > room / 4 { 1 } else { 2 };
    let prefix = Prefix { indent, most: (room / 3).max(6) };
    let cells: Vec<Cells> = rows
        .iter()
        .map(|row| match &row.item {
            Item::Span(at) => of_span(run, &tree, *at, row, digits, prefix),
            Item::Fold(fold) => of_fold(run, fold, row, digits, prefix),
        })
        .collect();
    let layout = Layout::of(run, &cells, room, look.width >= WATERFALL, options.waterfall);
    let mut out = heading(run, look) + &details(run, look);
    out += &format!("{}{}\n", " ".repeat(gutter.width()), look.paint(Paint::Heading, layout.heading().trim_end()));
    for (i, (row, cells)) in rows.iter().zip(&cells).enumerate() {
        let of = loop_of(row).filter(|_| !options.waterfall);
        let of = of.and_then(|number| run.loops.iter().find(|l| l.number == number));
        let beside = |mark: char| gutter.marks(i, of.map(|l| (l.number, mark)));
        if let Some(l) = of.filter(|l| gutter.begins(l.number, i)) {
            for (n, line) in loop_blocks::title(l, room).lines().enumerate() {
                let text = look.paint(loop_blocks::paint(l), line);
                out += &format!("{}{text}\n", beside(if n == 0 { '┌' } else { '│' }));
            }
        }
        let mark = match (&row.item, i.checked_sub(1).map(|before| repetition(run, &rows[before]))) {
            (Item::Fold(_), _) => '┆',
            (_, Some(before)) if before == repetition(run, row) => '│',
            _ => '├',
        };
        out += &beside(mark);
        out += layout.line(cells, look).trim_end();
        out.push('\n');
        if let Item::Span(at) = row.item {
            let goes_on = rows.get(i + 1).is_some_and(|next| next.level > row.level);
            let below = below(run, &tree, at, options, look, room.saturating_sub(row.level * indent + 4));
            for line in below {
                out += &beside('│');
                out += &look.paint(Paint::Heading, &prefix.below(row, goes_on));
                out += &line;
                out.push('\n');
            }
        }
        if let Some(l) = of.filter(|l| gutter.ends(l.number, i)) {
            out += &format!("{}{}\n", beside('└'), look.paint(loop_blocks::paint(l), &loop_blocks::waste(l)));
        }
    }
    let hidden: usize = rows.iter().map(|r| if let Item::Fold(f) = &r.item { f.sum.spans } else { 0 }).sum();
    if hidden > 0 {
        let text = format!(
            "{} of {} folded; --expand shows all",
            grouped(hidden as i64),
            count(run.spans.len() as i64, "span")
        );
        out += &look.paint(Paint::Heading, &text);
        out.push('\n');
    }
    out
}

/// The loop and the repetition that a row is of.
fn repetition(run: &Run, row: &Row) -> Option<(i64, i64)> {
    match row.item {
        Item::Span(at) => run.spans[at].loop_of,
        Item::Fold(_) => None,
    }
}

/// Lines of the tree before a name.
#[derive(Clone, Copy)]
struct Prefix {
    indent: usize,
    /// Columns at most; what is further left gives way.
    most: usize,
}

impl Prefix {
    fn of(self, row: &Row) -> String {
        self.lines(row, |more| if more { '├' } else { '└' })
    }

    /// Before what is said below a row.
    fn below(self, row: &Row, has_children: bool) -> String {
        let mut text = self.lines(row, |more| if more { '│' } else { ' ' });
        text.push(if has_children { '│' } else { ' ' });
        text.push(' ');
        text
    }

    fn lines(self, row: &Row, own: impl Fn(bool) -> char) -> String {
        let levels = row.level.min(row.more.len());
        let flags = &row.more[row.more.len() - levels..];
        let mut marks: Vec<char> = Vec::new();
        for (i, &more) in flags.iter().enumerate() {
            marks.push(if i + 1 == flags.len() {
                own(more)
            } else if more {
                '│'
            } else {
                ' '
            });
            marks.extend((1..self.indent).map(|_| ' '));
        }
        if marks.len() > self.most || row.level > levels {
            let from = marks.len().saturating_sub(self.most - 1);
            return std::iter::once('…').chain(marks[from..].iter().copied()).collect();
        }
        marks.into_iter().collect()
    }
}

/// A kind in few letters; what has none says nothing.
fn short(s: &RunSpan) -> &str {
    match s.kind.as_str() {
        "workflow" => "flow",
        "embedding" => "embed",
        "retrieval" => "search",
        "agent_create" => "create",
        "tool" if s.synthetic() => "call",
        "other" => "",
        kind => kind,
    }
}

fn of_span(run: &Run, tree: &Tree<'_>, at: usize, row: &Row, digits: usize, prefix: Prefix) -> Cells {
    let (s, sum) = (&run.spans[at], &tree.sums[at]);
    let mut name = Line::default();
    name.painted(Paint::Heading, &prefix.of(row));
    if s.failed {
        name.painted(Paint::Bad, "✗ ");
    }
    let kind = short(s);
    if !kind.is_empty() {
        name.painted(Paint::Heading, &format!("{} ", printable(kind)));
    }
    let title = printable(s.title());
    let paint = if s.kind == "agent" || row.level == 0 { Some(Paint::Total) } else { None };
    match paint {
        Some(paint) => name.painted(paint, &title),
        None => name.plain(&title),
    }
    // Elsewhere the agent stands above.
    let above = s.parent.and_then(|p| run.spans[p].agent.as_deref());
    let several = above.is_some() || run.agents.len() > 1;
    if let Some(agent) = s.agent.as_deref().filter(|a| s.kind != "agent" && above != Some(*a) && several) {
        name.painted(Paint::Heading, &format!(" by {}", printable(agent)));
    }
    if s.duplicate {
        name.painted(Paint::Heading, " (recorded twice)");
    }
    if s.orphan {
        name.painted(Paint::Doubtful, " (its parent is missing)");
    }
    if let Some(arguments) = s.tool_args.as_deref().filter(|_| s.kind == "tool") {
        // Only so much of it can be drawn.
        let begin: String = arguments.chars().take(2 * ARGUMENTS).collect();
        let begin = begin.split_whitespace().collect::<Vec<_>>().join(" ");
        name.painted(Paint::Heading, &format!(" {}", super::super::drawing::cut(&printable(&begin), ARGUMENTS)));
    }
    // Sums where one looks for them: at agents and at roots.
    let sums = s.total_tokens.is_none() && (s.kind == "agent" || row.level == 0) && tree.has_children(at);
    let (tokens, usd, unpriced) = match sums {
        true => (sum.tokens, sum.usd, sum.unpriced),
        false => (s.total_tokens, s.cost_usd, usize::from(!s.cost_complete)),
    };
    Cells {
        name,
        tokens: tokens.map(|n| format!("{}{}", if sums { "Σ" } else { "" }, grouped(n))).unwrap_or_default(),
        sums,
        cost: amount(usd, unpriced, digits),
        time: s.duration_ns.map(time).unwrap_or_default(),
        bar: s.start_ns.filter(|_| !s.synthetic()).map(|from| (from, s.end_ns().unwrap_or(from))),
        folded: false,
        critical: s.critical,
        failed: s.failed,
    }
}

fn of_fold(run: &Run, fold: &Fold, row: &Row, digits: usize, prefix: Prefix) -> Cells {
    let sum = &fold.sum;
    let mut name = Line::default();
    name.painted(Paint::Heading, &prefix.of(row));
    name.painted(Paint::Heading, "… ");
    // Failures before all else: what is cut must not be them.
    if sum.failed > 0 {
        name.painted(Paint::Bad, &format!("{} failed of ", grouped(sum.failed as i64)));
    }
    let below = if fold.below { " below" } else { "" };
    name.painted(Paint::Heading, &format!("{}{below}", count(sum.spans as i64, "span")));
    let what = tally(fold.members.iter().map(|&at| &run.spans[at]));
    let what = what.iter().map(|(n, s)| {
        let times = if *n > 1 { format!("{} × ", grouped(*n as i64)) } else { String::new() };
        format!("{times}{} {}", printable(short(s)), printable(s.title())).trim().to_owned()
    });
    name.painted(Paint::Heading, &format!(": {}", what.take(6).collect::<Vec<_>>().join(", ")));
    Cells {
        name,
        tokens: sum.tokens.map(|n| format!("Σ{}", grouped(n))).unwrap_or_default(),
        sums: true,
        cost: amount(sum.usd, sum.unpriced, digits),
        time: sum.duration().map(time).unwrap_or_default(),
        bar: sum.time,
        folded: true,
        critical: sum.critical,
        failed: sum.failed > 0,
    }
}

fn amount(usd: Option<i128>, unpriced: usize, digits: usize) -> String {
    match (usd, unpriced) {
        (Some(usd), 0) => dollars(usd, digits, false),
        (Some(usd), _) => format!("≥{}", dollars(usd, digits, true)),
        (None, 0) => String::new(),
        (None, _) => "no price".to_owned(),
    }
}

/// What is said below a span: why it failed, and what went in and out.
fn below(run: &Run, tree: &Tree<'_>, at: usize, options: &ShowOptions, look: Look, room: usize) -> Vec<String> {
    let s = &run.spans[at];
    let room = room.max(16);
    let mut out = Vec::new();
    if tree.failed_itself(at) {
        let why: Vec<String> = [&s.error_type, &s.status_message].into_iter().flatten().map(|t| printable(t)).collect();
        if !why.is_empty() {
            out.push(look.paint(Paint::Bad, &super::super::drawing::cut(&format!("✗ {}", why.join(": ")), room)));
        }
    }
    // What wraps a step repeats its texts.
    let wraps = s.step.is_none() && s.parent.is_some() && tree.has_children(at);
    if options.io == Io::No || options.io == Io::Begin && wraps {
        return out;
    }
    // A call's input and output repeat its arguments and result as the framework wrapped them.
    let (input, output) = match s.kind.as_str() {
        "tool" => (s.tool_args.as_ref().or(s.input.as_ref()), s.tool_result.as_ref().or(s.output.as_ref())),
        _ => (s.input.as_ref(), s.output.as_ref()),
    };
    for (label, text) in [("system ", s.system_prompt.as_ref()), ("in  ", input), ("out ", output)] {
        let Some(text) = text else { continue };
        let lines = messages::lines(text, room.saturating_sub(label.width()), options.io == Io::Full);
        for (i, line) in lines.iter().enumerate() {
            let label = if i == 0 { label.to_owned() } else { " ".repeat(label.width()) };
            out.push(look.paint(Paint::Heading, &label) + line);
        }
    }
    out
}

impl Layout {
    fn of(run: &Run, cells: &[Cells], width: usize, bars: bool, waterfall: bool) -> Layout {
        let widest = |of: &dyn for<'c> Fn(&'c Cells) -> &'c str| cells.iter().map(|c| of(c).width()).max().unwrap_or(0);
        let headed = |width: usize, heading: &str| if width == 0 { 0 } else { width.max(heading.width()) };
        let mut layout = Layout {
            name: 0,
            tokens: headed(widest(&|c| &c.tokens), "tokens"),
            cost: headed(widest(&|c| &c.cost), "cost"),
            // With the mark of the critical path.
            time: headed(widest(&|c| &c.time), "time") + 2,
            scale: None,
        };
        if waterfall {
            (layout.tokens, layout.cost) = (0, 0);
        }
        let (tokens, cost) = (layout.tokens, layout.cost);
        for (tokens, cost) in [(tokens, cost), (0, cost), (tokens, 0), (0, 0)] {
            (layout.tokens, layout.cost) = (tokens, cost);
            if layout.numbers() + NAME <= width {
                break;
            }
        }
        let room = width.saturating_sub(layout.numbers());
        let wanted = cells.iter().map(|c| c.name.width()).max().unwrap_or(0).max("span".len());
        let total_ns = run.spans.iter().filter_map(RunSpan::end_ns).max().unwrap_or(0);
        if bars && total_ns > 0 {
            let share = if waterfall { 100 - SHARE } else { SHARE };
            let least = (room * share / 100).max(BAR[0]);
            let name = wanted.min(room.saturating_sub(least + GAP)).max(NAME);
            let bar = room.saturating_sub(name + GAP).min(BAR[1]);
            layout.scale = Some(Scale { total_ns, width: bar });
            // What the bar does not take, names may have.
            layout.name = wanted.min(room.saturating_sub(bar + GAP)).max(NAME);
        } else {
            layout.name = wanted.min(room).max(1);
        }
        layout
    }

    /// Columns of the numbers, with the gaps before them.
    fn numbers(&self) -> usize {
        [self.tokens, self.cost, self.time].into_iter().filter(|w| *w > 0).map(|w| w + GAP).sum()
    }

    fn heading(&self) -> String {
        let mut line = padded("span", self.name, false);
        for (width, heading) in [(self.tokens, "tokens"), (self.cost, "cost"), (self.time - 2, "time")] {
            if width > 0 {
                line += &format!("{}{}", " ".repeat(GAP), padded(heading, width, true));
            }
        }
        line += "  ";
        if let Some(scale) = self.scale {
            let end = time(scale.total_ns);
            let between = scale.width.saturating_sub(end.width() + 1);
            line += &format!("{}0{}{end}", " ".repeat(GAP), " ".repeat(between));
        }
        line
    }

    fn line(&self, cells: &Cells, look: Look) -> String {
        let gap = " ".repeat(GAP);
        let mut line = cells.name.fit(look, self.name);
        for (width, text) in [(self.tokens, &cells.tokens), (self.cost, &cells.cost)] {
            if width > 0 {
                let text = padded(text, width, true);
                line += &format!("{gap}{}", if cells.sums { look.paint(Paint::Heading, &text) } else { text });
            }
        }
        line += &format!("{gap}{}", padded(&cells.time, self.time - 2, true));
        line += &look.paint(Paint::Doubtful, if cells.critical { " *" } else { "  " });
        if let (Some(scale), Some((start, end))) = (self.scale, cells.bar) {
            let bar = if cells.folded { scale.dashes(start, end) } else { scale.bar(start, end) };
            let paint = match (cells.failed, cells.critical) {
                (true, _) => Paint::Bad,
                (false, true) => Paint::Doubtful,
                (false, false) => Paint::Bar,
            };
            line += &format!("{gap}{}", look.paint(paint, &bar));
        }
        line
    }
}
