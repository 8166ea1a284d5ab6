//! Costs as a table with bars, for people.

use unicode_width::UnicodeWidthStr;

use super::super::drawing::{Look, Paint, cut, decimals, dollars, grouped, padded, printable};
use super::sums::{COUNTS, Money, Row};

/// What a label keeps where there is little room, and how wide it gets.
const LABEL: [usize; 2] = [16, 60];
/// Widths of a bar.
const BAR: [usize; 2] = [8, 40];
const GAP: usize = 2;

/// Rows with their headings.
#[derive(Debug)]
pub(super) struct Chart<'a> {
    pub(super) heading: &'a str,
    pub(super) counts: [&'a str; COUNTS],
    pub(super) extra: Option<&'a str>,
    pub(super) rows: &'a [Row],
    /// The row that stands for many: beside it, all others would look small.
    pub(super) rest: Option<usize>,
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
            let cell = |r: &Row| match (r.extra, r.extra_complete) {
                (None, true) => String::new(),
                (usd, complete) => amount(&Money { usd, complete, ..Money::default() }, decimals),
            };
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
        let value = |i: usize| self.rows.get(i).filter(|_| self.rest != Some(i)).and_then(|r| r.cost.usd).unwrap_or(0);
        let most = (0..self.rows.len()).map(value).max().unwrap_or(0);
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
            if bar && i > 0 && i < last {
                let drawn = bar_of(value(i - 1), most, bar_width);
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

/// A cost, with a mark when something is missing from it.
pub(super) fn amount(money: &Money, decimals: usize) -> String {
    match (money.usd, money.complete) {
        (Some(usd), true) => dollars(usd, decimals, false),
        (Some(usd), false) => format!("≥ {}", dollars(usd, decimals, true)),
        (None, _) => "unknown".into(),
    }
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

#[cfg(test)]
mod tests {
    use super::super::super::drawing::USD;
    use super::*;

    fn row(label: &str, counts: [i64; 2], usd: Option<i128>, missing: i64) -> Row {
        let cost = Money { usd, complete: missing == 0, unpriced_spans: missing, unpriced_tokens: missing * 100 };
        Row { label: label.into(), counts: counts.map(Some), cost, extra: None, extra_complete: true }
    }

    fn draw(rows: &[Row], total: &Row, width: usize, colour: bool) -> String {
        let chart = Chart { heading: "model", counts: ["calls", "tokens"], extra: None, rows, rest: None, total };
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
            "\
model                     cost
anthropic/claude-o…   $8.00000  ████████
openai/gpt-5-mini\\…   $2.50000  ██▌
größe/模型            $0.00310  ▏
total                $10.50310
"
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
    fn a_row_for_many_has_no_bar() {
        let rows = [row("a", [1, 1], Some(USD), 0), row("99 other models", [1, 1], Some(9 * USD), 0)];
        let total = row("total", [2, 2], Some(10 * USD), 0);
        let chart = Chart {
            heading: "model",
            counts: ["calls", "tokens"],
            extra: None,
            rows: &rows,
            rest: Some(1),
            total: &total,
        };
        let drawn = chart.draw(Look { width: 100, colour: false });
        let lines: Vec<&str> = drawn.lines().collect();
        assert!(lines[1].ends_with(&"█".repeat(40)) && lines[2].ends_with("$9.00  90 %"), "{drawn}");
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
}
