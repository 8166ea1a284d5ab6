//! Text for terminals: amounts, counts, what fits into a width, colours.

use std::io::IsTerminal;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::query::terminal_width;

/// How wide output is without a terminal.
const WIDTH: usize = 100;
/// Pico-dollars in a dollar.
pub(super) const USD: i128 = 1_000_000_000_000;
/// Decimals of an amount at most; what is smaller than they tell is said to be smaller.
const MOST_DECIMALS: usize = 6;

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) width: usize,
    pub(crate) colour: bool,
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

impl Look {
    /// For stdout: this width or the terminal's, with colours where they are wanted.
    pub(crate) fn of(width: Option<usize>) -> Look {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        let colour = std::io::stdout().is_terminal() && !refused && !dumb;
        Look { width: width.or(terminal_width()).unwrap_or(WIDTH), colour }
    }
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

pub(super) fn grouped(n: i64) -> String {
    format!("{}{}", if n < 0 { "-" } else { "" }, super::grouped(n.unsigned_abs()))
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

/// Without what a terminal would act on: traces hold text from anywhere.
pub(crate) fn printable(text: &str) -> String {
    // Marks that turn the direction of what follows are no control characters.
    let turns = |c: char| matches!(c, '\u{61c}' | '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let escaped = |c: char| c.escape_unicode().collect::<Vec<_>>();
    text.chars().flat_map(|c| if c.is_control() || turns(c) { escaped(c) } else { vec![c] }).collect()
}

/// A drawing as the terminal can show it: in ASCII where its locale says that it has nothing else.
pub(super) fn for_terminal(text: &str) -> std::borrow::Cow<'_, str> {
    let named =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|v| std::env::var(v).ok().filter(|v| !v.is_empty()));
    // Where nothing is said, as in most containers, terminals know UTF-8.
    let other = named.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        !locale.contains("utf-8") && !locale.contains("utf8")
    });
    match other && std::io::stdout().is_terminal() {
        true => ascii(text).into(),
        false => text.into(),
    }
}

/// Character by character, so that columns stay where they are.
fn ascii(text: &str) -> String {
    let plain = |c: char| match c {
        '│' | '┊' | '┆' | '▏' | '▕' => '|',
        '├' | '┌' | '└' => '+',
        '┄' | '–' => '-',
        '█' | '▉' | '▊' | '▋' | '▌' | '▍' | '▐' => '#',
        '▎' => '|',
        '…' => '~',
        '→' => '>',
        '×' | '✗' => 'x',
        '≥' => '>',
        'Σ' => '=',
        'µ' => 'u',
        c => c,
    };
    text.chars().map(plain).collect()
}

/// The same of a text of several lines, which keeps them.
pub(crate) fn without_controls(text: &str) -> String {
    let line = |line: &str| line.split('\t').map(printable).collect::<Vec<_>>().join("\t");
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// As much of a text as fits.
pub(crate) fn cut(text: &str, width: usize) -> String {
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
    // A mark may make the character before it wider.
    while out.width() >= width && out.pop().is_some() {}
    out + "…"
}

/// A text in several colours.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Vec<(Option<Paint>, String)>);

impl Line {
    pub(super) fn plain(&mut self, text: &str) {
        self.0.push((None, text.to_owned()));
    }

    pub(super) fn painted(&mut self, paint: Paint, text: &str) {
        self.0.push((Some(paint), text.to_owned()));
    }

    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.width()).sum()
    }

    /// As much of it as fits, and space up to this width.
    pub(super) fn fit(&self, look: Look, width: usize) -> String {
        let mut out = String::new();
        let (mut room, mut rest) = (width, self.width());
        for (paint, text) in &self.0 {
            // Where more follows than fits, this part ends with the sign for it if the next would have no room.
            rest -= text.width();
            let text =
                if rest > 0 && text.width() >= room { cut(&format!("{text}……"), room) } else { cut(text, room) };
            room -= text.width().min(room);
            out += &paint.map_or_else(|| text.clone(), |paint| look.paint(paint, &text));
            if room == 0 {
                break;
            }
        }
        out + &" ".repeat(room)
    }
}

pub(super) fn padded(text: &str, width: usize, right: bool) -> String {
    let space = " ".repeat(width.saturating_sub(text.width()));
    if right { space + text } else { text.to_owned() + &space }
}

/// A text in lines of at most this width, those after the first indented.
pub(crate) fn folded(text: &str, width: usize, indent: usize) -> String {
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

/// Names in columns from the top to the bottom, as many as fit.
pub(crate) fn in_columns(names: &[String], width: usize) -> String {
    let widest = names.iter().map(|n| n.width()).max().unwrap_or(0) + 2;
    let columns = ((width + 2) / widest).max(1);
    let rows = names.len().div_ceil(columns).max(1);
    let mut out = String::new();
    for row in 0..rows.min(names.len()) {
        let line: String = names.iter().skip(row).step_by(rows).map(|n| padded(n, widest, false)).collect();
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// Nanoseconds for people.
pub(super) fn time(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let n = ns.unsigned_abs();
    let text = if (1..1_000).contains(&n) {
        format!("{n} ns")
    } else if n < 1_000_000 {
        format!("{:.0} µs", n as f64 / 1e3)
    } else if n < 1_000_000_000 {
        format!("{:.0} ms", n as f64 / 1e6)
    } else if n < 60_000_000_000 {
        format!("{:.1} s", n as f64 / 1e9)
    } else {
        format!("{}:{:02} min", n / 60_000_000_000, n / 1_000_000_000 % 60)
    };
    sign.to_owned() + &text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_sign_and_a_unit() {
        assert_eq!([0, 500, 1_500, 2_000_000, -3_000_000_000].map(time), ["0 µs", "500 ns", "2 µs", "2 ms", "-3.0 s"]);
        assert_eq!(time(-90_000_000_000), "-1:30 min");
    }

    #[test]
    fn texts_are_folded() {
        assert_eq!(folded("one two three", 8, 2), "one two\n  three\n");
        assert_eq!(folded("abcdefghij k", 4, 1), "abcdefghij\n k\n");
    }

    #[test]
    fn what_is_cut_fits() {
        // The sign that makes the heart an emoji makes it wider, too.
        for text in ["\u{2764}\u{fe0f}\u{2764}\u{fe0f}\u{2764}\u{fe0f}", "検索工具", "plain text"] {
            for width in 1..8 {
                assert!(cut(text, width).width() <= width, "{text} {width}");
            }
        }
        let mut line = Line::default();
        line.plain("検索 ");
        line.painted(Paint::Heading, "工具");
        let plain = Look { width: 80, colour: false };
        assert_eq!(line.fit(plain, 12), "検索 工具   ");
        assert_eq!(line.fit(plain, 8), "検索 工…");
        assert_eq!(line.fit(plain, 5), "検索…");
        assert_eq!(line.fit(Look { colour: true, ..plain }, 9), "検索 \u{1b}[2m工具\u{1b}[0m");
    }

    #[test]
    fn ascii_keeps_columns() {
        let drawn = "├ ✗ llm m…  Σ1  ≥$2  3 µs *  ▕█▋┄";
        assert!(ascii(drawn).is_ascii() && ascii(drawn).width() == drawn.width(), "{}", ascii(drawn));
    }
}
