//! Tables for people: columns lined up, folded to the terminal, NULL told apart from text.

use std::io::{Result, Write};

use unicode_width::UnicodeWidthChar;

use super::value::Values;
use super::{RenderOptions, RowWriter};

/// Widths are chosen after this many rows; rows after them fold to fit.
const SAMPLE_ROWS: usize = 1000;
/// A column is never folded to less than this.
const MIN_WIDTH: usize = 6;

/// What a table is drawn with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Borders {
    /// `+-|`
    Ascii,
    /// Box characters.
    Box,
}

impl Borders {
    /// Left end, line, crossing and right end of the top, middle and bottom rule.
    fn rule(self, which: usize) -> [char; 4] {
        match self {
            Borders::Ascii => ['+', '-', '+', '+'],
            Borders::Box => [['┌', '─', '┬', '┐'], ['├', '─', '┼', '┤'], ['└', '─', '┴', '┘']][which],
        }
    }

    fn bar(self) -> char {
        match self {
            Borders::Ascii => '|',
            Borders::Box => '│',
        }
    }
}

/// One value: its lines, and whether it is a number.
struct Cell {
    lines: Vec<String>,
    number: bool,
}

impl Cell {
    fn width(&self) -> usize {
        self.lines.iter().map(|l| width(l)).max().unwrap_or(0)
    }
}

fn width(s: &str) -> usize {
    s.chars().map(|c| c.width().unwrap_or(0)).sum()
}

pub(super) struct Table {
    names: Vec<String>,
    borders: Borders,
    header: bool,
    null: Vec<u8>,
    fold_to: Option<usize>,
    /// Rows waiting for the widths.
    waiting: Vec<Vec<Cell>>,
    widths: Option<Vec<usize>>,
}

impl Table {
    pub(super) fn new(names: Vec<String>, borders: Borders, options: &RenderOptions, null: Vec<u8>) -> Self {
        let fold_to = options.width;
        Table { names, borders, header: options.header, null, fold_to, waiting: Vec::new(), widths: None }
    }

    fn cell(&self, column: &Values, row: usize) -> Cell {
        let mut value = Vec::new();
        let null = column.is_null(row);
        if null {
            value.extend_from_slice(&self.null);
        } else {
            column.write_text(row, &mut value);
        }
        Cell { lines: printable(&String::from_utf8_lossy(&value)), number: !null && column.is_number() }
    }

    /// Writes the head once the widths can be chosen, and what was waiting.
    fn begin(&mut self, out: &mut dyn Write) -> Result<()> {
        if self.widths.is_some() {
            return Ok(());
        }
        let head: Vec<Cell> = self.names.iter().map(|n| Cell { lines: printable(n), number: false }).collect();
        let mut widths: Vec<usize> = head.iter().map(Cell::width).collect();
        for row in &self.waiting {
            for (w, c) in widths.iter_mut().zip(row) {
                *w = (*w).max(c.width());
            }
        }
        if let Some(total) = self.fold_to {
            // Two spaces and a bar around each column, one bar at the end.
            shrink(&mut widths, total.saturating_sub(3 * self.names.len() + 1));
        }
        self.rule(0, &widths, out)?;
        if self.header {
            self.row(&head, &widths, out)?;
            self.rule(1, &widths, out)?;
        }
        for row in std::mem::take(&mut self.waiting) {
            self.row(&row, &widths, out)?;
        }
        self.widths = Some(widths);
        Ok(())
    }

    fn rule(&self, which: usize, widths: &[usize], out: &mut dyn Write) -> Result<()> {
        let [left, line, cross, right] = self.borders.rule(which);
        let mut text = String::from(left);
        for (i, w) in widths.iter().enumerate() {
            if i > 0 {
                text.push(cross);
            }
            text.extend(std::iter::repeat_n(line, w + 2));
        }
        text.push(right);
        text.push('\n');
        out.write_all(text.as_bytes())
    }

    fn row(&self, cells: &[Cell], widths: &[usize], out: &mut dyn Write) -> Result<()> {
        let folded: Vec<Vec<String>> =
            cells.iter().zip(widths).map(|(c, w)| c.lines.iter().flat_map(|l| fold(l, *w)).collect()).collect();
        let height = folded.iter().map(Vec::len).max().unwrap_or(1);
        let bar = self.borders.bar();
        let mut text = String::new();
        for i in 0..height {
            for ((lines, cell), w) in folded.iter().zip(cells).zip(widths) {
                let line = lines.get(i).map_or("", String::as_str);
                let space = " ".repeat(w.saturating_sub(width(line)));
                text.push(bar);
                text.push(' ');
                if cell.number {
                    text.push_str(&space);
                    text.push_str(line);
                } else {
                    text.push_str(line);
                    text.push_str(&space);
                }
                text.push(' ');
            }
            text.push(bar);
            text.push('\n');
        }
        out.write_all(text.as_bytes())
    }
}

impl RowWriter for Table {
    fn batch(&mut self, columns: &[Values], rows: usize, out: &mut dyn Write) -> Result<()> {
        for row in 0..rows {
            let cells: Vec<Cell> = columns.iter().map(|c| self.cell(c, row)).collect();
            match self.widths.take() {
                Some(widths) => {
                    self.row(&cells, &widths, out)?;
                    self.widths = Some(widths);
                }
                None => {
                    self.waiting.push(cells);
                    if self.waiting.len() >= SAMPLE_ROWS {
                        self.begin(out)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<()> {
        self.begin(out)?;
        let widths = self.widths.take().unwrap_or_default();
        self.rule(2, &widths, out)
    }
}

/// Lines of a value without anything that a terminal would act on: traces hold text from anywhere.
fn printable(text: &str) -> Vec<String> {
    let clean = |line: &str| {
        let mut out = String::with_capacity(line.len());
        for c in line.chars() {
            match c {
                '\t' => out.push_str("    "),
                '\r' => {}
                c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
                c => out.push(c),
            }
        }
        out
    };
    let lines: Vec<String> = text.split('\n').map(clean).collect();
    if lines.is_empty() { vec![String::new()] } else { lines }
}

/// Narrows the widest columns until all fit, or all are as narrow as they may be.
fn shrink(widths: &mut [usize], total: usize) {
    let mut over = widths.iter().sum::<usize>().saturating_sub(total);
    while over > 0 {
        let Some(&widest) = widths.iter().max() else { return };
        let next = widths.iter().copied().filter(|w| *w < widest).max().unwrap_or(0).max(MIN_WIDTH);
        if widest <= next {
            return;
        }
        let many = widths.iter().filter(|w| **w == widest).count();
        // Down to the next width, or just as far as is needed.
        let step = (widest - next).min(over.div_ceil(many));
        for w in widths.iter_mut().filter(|w| **w == widest) {
            *w -= step;
        }
        over = over.saturating_sub(step * many);
    }
}

/// Cuts a line into pieces of at most this width, at a space where there is one in the last third.
fn fold(line: &str, max: usize) -> Vec<String> {
    if max == 0 || width(line) <= max {
        return vec![line.to_owned()];
    }
    let mut out = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let mut used = 0;
        let mut end = rest.len();
        let mut space = None;
        for (i, c) in rest.char_indices() {
            let w = c.width().unwrap_or(0);
            if used + w > max && i > 0 {
                end = i;
                break;
            }
            if c == ' ' && used * 3 >= max * 2 {
                space = Some(i);
            }
            used += w;
        }
        let cut = if end == rest.len() { end } else { space.filter(|s| *s > 0).unwrap_or(end) };
        out.push(rest[..cut].to_owned());
        rest = rest[cut..].strip_prefix(' ').unwrap_or(&rest[cut..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_and_shrinking() {
        assert_eq!(fold("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(fold("abc def ghi", 8), ["abc def", "ghi"]);
        assert_eq!(fold("日本語", 4), ["日本", "語"]);
        assert_eq!(fold("", 4), [""]);
        let mut w = [3, 50, 40, 10];
        shrink(&mut w, 60);
        assert_eq!((w.iter().sum::<usize>() <= 60, w[0], w[3]), (true, 3, 10));
        let mut w = [3, 50];
        shrink(&mut w, 2);
        assert_eq!(w, [3, MIN_WIDTH]);
    }

    #[test]
    fn terminals_see_no_control_characters() {
        assert_eq!(printable("a\u{1b}[31mb\nc\td\r"), ["a\\u{1b}[31mb", "c    d"]);
    }
}
