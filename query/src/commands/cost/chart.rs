//! Costs as a table with bars, for people.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::sums::{COUNTS, Money, Row};

/// Pico-dollars in a dollar.
const USD: i128 = 1_000_000_000_000;
/// Decimals of an amount at most; what is smaller than they tell is said to be smaller.
const MOST_DECIMALS: usize = 6;
/// What a label keeps where there is little room, and how wide it gets.
const LABEL: [usize; 2] = [16, 60];
/// Widths of a bar.
const BAR: [usize; 2] = [8, 40];
const GAP: usize = 2;

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) width: usize,
    pub(super) colour: bool,
}

/// Colours of parts of the text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Paint {
    Bar,
    Heading,
    Total,
    Bad,
    Doubtful,
}

impl Look {
    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        if !self.colour || text.trim().is_empty() {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Bar => "36",
            Paint::Heading => "2",
            Paint::Total => "1",
            Paint::Bad => "31",
            Paint::Doubtful => "33",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Rows with their headings.
#[derive(Debug)]
pub(super) struct Chart<'a> {
    pub(super) heading: &'a str,
    pub(super) counts: [&'a str; COUNTS],
    pub(super) extra: Option<&'a str>,
    pub(super) rows: &'a [Row],
    /// The sum of all rows; counts that have no sum are left out.
    pub(super) total: &'a Row,
}

/// A column: its heading, its cells and whether there must be room for it.
struct Column {
    cells: Vec<String>,
    width: usize,
    /// The smaller, the earlier it is left out.
    worth: usize,
}

impl Column {
    fn new(heading: &str, cells: impl Iterator<Item = String>, worth: usize) -> Self {
        let cells: Vec<String> = std::iter::once(heading.to_owned()).chain(cells).collect();
        let width = cells.iter().map(|c| c.width()).max().unwrap_or(0);
        Column { cells, width, worth }
    }
}

/// A column that is never left out.
const NEEDED: usize = usize::MAX;

impl Chart<'_> {
    /// The lines, each with its end.
    pub(super) fn draw(&self, look: Look) -> String {
        let lines = || self.rows.iter().chain([self.total]);
        let amounts = || lines().flat_map(|r| [r.cost.usd, r.extra]).flatten();
        let decimals = decimals(amounts());
        let labels = Column::new(self.heading, lines().map(|r| printable(&r.label)), NEEDED);
        let mut columns: Vec<Column> = (0..COUNTS)
            .map(|n| Column::new(self.counts[n], lines().map(|r| r.counts[n].map(grouped).unwrap_or_default()), n + 2))
            .filter(|c| c.cells[1..].iter().any(|c| !c.is_empty()))
            .collect();
        columns.push(Column::new("cost", lines().map(|r| amount(&r.cost, decimals)), NEEDED));
        if let Some(extra) = self.extra {
            let cell = |r: &Row| r.extra.map(|usd| dollars(usd, decimals, false)).unwrap_or_default();
            columns.push(Column::new(extra, lines().map(cell), 4));
        }
        // A share of what is known would pass for a share of all.
        if self.total.cost.complete
            && let Some(total) = self.total.cost.usd.filter(|t| *t > 0)
        {
            let shares = self.rows.iter().map(|r| share(r.cost.usd.unwrap_or(0), total)).chain([String::new()]);
            columns.push(Column::new("", shares, 1));
        }
        let bar = fit(&mut columns, labels.width, look.width);
        let taken: usize = columns.iter().map(|c| c.width + GAP).sum::<usize>() + if bar { BAR[0] + GAP } else { 0 };
        let label_width = labels.width.min(look.width.saturating_sub(taken).max(1)).min(LABEL[1]);
        let bar_width = (look.width + BAR[0]).saturating_sub(taken + label_width).min(BAR[1]);
        let most = self.rows.iter().filter_map(|r| r.cost.usd).max().unwrap_or(0);
        let mut out = String::new();
        let last = self.rows.len() + 1;
        for i in 0..=last {
            let mut line = padded(&cut(&labels.cells[i], label_width), label_width, false);
            for c in &columns {
                line += &" ".repeat(GAP);
                line += &padded(&c.cells[i], c.width, true);
            }
            let mut line = match i {
                0 => look.paint(Paint::Heading, line.trim_end()),
                i if i == last => look.paint(Paint::Total, line.trim_end()),
                _ => line,
            };
            if let (true, Some(row)) = (bar && i > 0, self.rows.get(i.wrapping_sub(1))) {
                let drawn = bar_of(row.cost.usd.unwrap_or(0), most, bar_width);
                line += &format!("{}{}", " ".repeat(GAP), look.paint(Paint::Bar, &drawn));
            }
            out += line.trim_end();
            out.push('\n');
        }
        out
    }
}

/// Leaves out what there is no room for; says whether there is room for bars.
fn fit(columns: &mut Vec<Column>, label: usize, width: usize) -> bool {
    let needed = |columns: &[Column]| label.min(LABEL[0]) + columns.iter().map(|c| c.width + GAP).sum::<usize>();
    while needed(columns) + GAP + BAR[0] > width {
        let least = (0..columns.len()).min_by_key(|&i| columns[i].worth).filter(|&i| columns[i].worth != NEEDED);
        match least {
            Some(i) => drop(columns.remove(i)),
            None => return false,
        }
    }
    true
}

/// As many decimals as the smallest amount needs to be told.
pub(super) fn decimals(amounts: impl Iterator<Item = i128>) -> usize {
    let Some(least) = amounts.map(i128::abs).filter(|a| *a > 0).min() else { return 2 };
    let (mut zeros, mut scaled) = (0, least.saturating_mul(10));
    while scaled < USD && zeros < MOST_DECIMALS {
        (zeros, scaled) = (zeros + 1, scaled * 10);
    }
    // Two decimals tell ten cents and more; below that, three digits.
    if zeros == 0 { 2 } else { (zeros + 3).min(MOST_DECIMALS) }
}

/// A cost, with a mark when something is missing from it.
pub(super) fn amount(money: &Money, decimals: usize) -> String {
    match (money.usd, money.complete) {
        (Some(usd), true) => dollars(usd, decimals, false),
        (Some(usd), false) => format!("≥ {}", dollars(usd, decimals, true)),
        (None, _) => "unknown".into(),
    }
}

/// Pico-dollars as `$1,234.50`: rounded half to even, or down.
pub(super) fn dollars(usd: i128, decimals: usize, down: bool) -> String {
    let unit = 10i128.pow(12 - decimals.min(12) as u32);
    let (sign, size) = if usd < 0 { ("-", -usd) } else { ("", usd) };
    let (mut whole, rest) = (size / unit, size % unit);
    let half = (rest * 2).cmp(&unit);
    if !down && (half.is_gt() || (half.is_eq() && whole % 2 == 1)) {
        whole += 1;
    }
    if whole == 0 && size > 0 && !down {
        return format!("<$0.{:0>decimals$}", 1);
    }
    let digits = format!("{whole:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let point = if decimals == 0 { "" } else { "." };
    format!("{sign}${}{point}{fraction}", with_commas(whole))
}

/// A limit as it was set: at least two decimals.
pub(super) fn limit(usd: i128) -> String {
    let mut decimals = 12;
    while decimals > 2 && usd % 10i128.pow(13 - decimals as u32) == 0 {
        decimals -= 1;
    }
    dollars(usd, decimals, false)
}

fn share(part: i128, of: i128) -> String {
    match (part.saturating_mul(1000) / of + 5) / 10 {
        0 if part > 0 => "<1 %".into(),
        percent => format!("{percent} %"),
    }
}

pub(super) fn grouped(n: i64) -> String {
    format!("{}{}", if n < 0 { "-" } else { "" }, super::super::grouped(n.unsigned_abs()))
}

fn with_commas(digits: &str) -> String {
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

fn bar_of(value: i128, most: i128, width: usize) -> String {
    const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    if value <= 0 || most <= 0 {
        return String::new();
    }
    let eighths = value.saturating_mul(8 * width as i128) / most;
    let eighths = usize::try_from(eighths).unwrap_or(0).clamp(1, 8 * width);
    let mut bar = "█".repeat(eighths / 8);
    if let Some(rest) = (eighths % 8).checked_sub(1) {
        bar.push(EIGHTHS[rest]);
    }
    bar
}

/// Without what a terminal would act on: traces hold text from anywhere.
pub(super) fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] }).collect()
}

fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut room = width.saturating_sub(1);
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if w > room {
            break;
        }
        room -= w;
        out.push(c);
    }
    out + "…"
}

fn padded(text: &str, width: usize, right: bool) -> String {
    let space = " ".repeat(width.saturating_sub(text.width()));
    if right { space + text } else { text.to_owned() + &space }
}

/// A text in lines of at most this width, those after the first indented.
pub(super) fn folded(text: &str, width: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut room = width;
    for word in text.split(' ') {
        let w = word.width();
        if !out.is_empty() && w + 1 > room {
            out += &format!("\n{}", " ".repeat(indent));
            room = width.saturating_sub(indent);
        } else if !out.is_empty() {
            out.push(' ');
            room -= 1;
        }
        out += word;
        room = room.saturating_sub(w);
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label: &str, counts: [i64; 2], usd: Option<i128>, missing: i64) -> Row {
        let cost = Money { usd, complete: missing == 0, unpriced_spans: missing, unpriced_tokens: missing * 100 };
        Row { label: label.into(), counts: counts.map(Some), cost, extra: None }
    }

    fn draw(rows: &[Row], total: &Row, width: usize, colour: bool) -> String {
        let chart = Chart { heading: "model", counts: ["calls", "tokens"], extra: None, rows, total };
        chart.draw(Look { width, colour })
    }

    fn sample() -> (Vec<Row>, Row) {
        let rows = vec![
            row("anthropic/claude-opus-4-5", [12, 123_456], Some(8 * USD), 0),
            row("openai/gpt-5-mini\u{1b}[2J", [1_340, 900_000], Some(USD * 2 + USD / 2), 0),
            row("größe/模型", [1, 10], Some(3_100_000_000), 0),
        ];
        let total = row("total", [1_353, 1_023_466], Some(10 * USD + USD / 2 + 3_100_000_000), 0);
        (rows, total)
    }

    #[test]
    fn wide_and_narrow() {
        let (rows, total) = sample();
        let wide = "\
model                         calls     tokens      cost
anthropic/claude-opus-4-5        12    123,456  $8.00000  76 %  ████████████████████████████████████████
openai/gpt-5-mini\\u{1b}[2J   1,340    900,000  $2.50000  24 %  ████████████▌
größe/模型                        1         10  $0.00310  <1 %  ▏
total                         1,353  1,023,466  $10.50310
";
        let drawn = draw(&rows, &total, 120, false);
        assert_eq!(drawn.lines().count(), 5);
        assert!(drawn.lines().all(|l| l.width() <= 120 && l == l.trim_end()), "{drawn}");
        let squeezed = |t: &str| t.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(squeezed(&drawn), squeezed(wide), "{drawn}");
        let narrow = draw(&rows, &total, 40, false);
        assert_eq!(
            narrow,
            "model                   cost\n\
             anthropic/claud…    $8.00000  ████████\n\
             openai/gpt-5-mi…    $2.50000  ██▌\n\
             größe/模型          $0.00310  ▏\n\
             total              $10.50310\n"
                .replace("                   cost", "                        cost")
                .lines()
                .map(|l| l.to_owned() + "\n")
                .collect::<String>(),
            "{narrow}"
        );
        for width in 1..140 {
            let lines = draw(&rows, &total, width, false);
            // Money is never cut, however narrow it gets.
            assert!(
                lines.contains("$10.50310") && (width < 20 || lines.lines().all(|l| l.width() <= width)),
                "{lines}"
            );
        }
        assert!(!draw(&rows, &total, 80, false).contains('\u{1b}'));
        assert!(draw(&rows, &total, 80, true).contains("\u{1b}[36m████"));
        assert!(!draw(&rows, &total, 80, true).contains("\u{1b}[2J"));
    }

    #[test]
    fn incomplete_costs_do_not_look_complete() {
        let rows = [row("a", [1, 1], Some(USD + 999_900_000_000), 3), row("b", [1, 1], None, 2)];
        let drawn = draw(&rows, &row("total", [2, 2], Some(USD + 999_900_000_000), 5), 80, false);
        // Rounded down: at least $2.00 would not be true.
        assert_eq!(drawn.matches("≥ $1.99").count(), 2, "{drawn}");
        assert!(drawn.contains("unknown") && !drawn.contains('%'), "{drawn}");
    }

    #[test]
    fn amounts_have_the_digits_they_need() {
        let of = |amounts: &[i128]| decimals(amounts.iter().copied());
        assert_eq!(of(&[]), 2);
        assert_eq!(of(&[0, 12 * USD]), 2);
        assert_eq!(of(&[USD / 10]), 2);
        assert_eq!(of(&[USD / 100 * 9]), 4);
        assert_eq!(of(&[123_000_000, USD]), 6);
        assert_eq!(of(&[1]), 6);
        assert_eq!(dollars(1, 6, false), "<$0.000001");
        assert_eq!(dollars(0, 2, false), "$0.00");
        assert_eq!(dollars(1_234_567 * USD + 5_000_000_000, 2, false), "$1,234,567.00");
        assert_eq!(dollars(15_000_000_000, 2, false), "$0.02");
        assert_eq!(dollars(-15_000_000_000, 2, false), "-$0.02");
        assert_eq!(limit(2 * USD), "$2.00");
        assert_eq!(limit(1_500_000_000), "$0.0015");
        assert_eq!(limit(1), "$0.000000000001");
    }

    #[test]
    fn lines_fold_between_words() {
        assert_eq!(folded("one two three", 8, 2), "one two\n  three\n");
        assert_eq!(folded("abcdefghij k", 4, 1), "abcdefghij\n k\n");
    }
}
