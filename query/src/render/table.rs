//! Tables for people: columns lined up, folded to the terminal, NULL told apart from text.

use std::io::{Result, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::value::Values;
use super::{RenderOptions, RowWriter};

/// Widths are chosen after this many rows; rows after them fold to fit.
const SAMPLE_ROWS: usize = 1000;
/// A column is never folded to less than this.
const MIN_WIDTH: usize = 6;
/// Where columns are left out, the others are folded to no less than this.
const READABLE_WIDTH: usize = 14;

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
    /// Widths of the first columns; 0 for as wide as their values.
    fixed: Vec<usize>,
    value_lines: usize,
    /// Rows waiting for the widths.
    waiting: Vec<Vec<Cell>>,
    layout: Option<Layout>,
}

/// Which columns are shown, and how wide.
struct Layout {
    /// Columns and their widths; `None` stands for those that are left out.
    columns: Vec<(Option<usize>, usize)>,
    hidden: usize,
}

/// Stands for columns that are left out.
const GAP: &str = "…";

impl Layout {
    /// Narrows columns to a total width, and leaves out those in the middle where that is not enough.
    fn new(mut widths: Vec<usize>, total: Option<usize>) -> Self {
        let all = |widths: Vec<usize>| Layout {
            columns: widths.into_iter().enumerate().map(|(i, w)| (Some(i), w)).collect(),
            hidden: 0,
        };
        let Some(total) = total else { return all(widths) };
        // Two spaces and a bar around each column, one bar at the end.
        let room = total.saturating_sub(3 * widths.len() + 1);
        if widths.iter().map(|w| (*w).min(MIN_WIDTH)).sum::<usize>() <= room {
            shrink(&mut widths, room);
            return all(widths);
        }
        // From both ends, two in front for one at the back, as long as they are readable.
        let mut room = total.saturating_sub(1 + 3 + GAP.width());
        let (mut front, mut back) = (0, widths.len());
        loop {
            let next = if front <= 2 * (widths.len() - back) { front } else { back - 1 };
            let wants = widths[next].min(READABLE_WIDTH) + 3;
            if front + 1 >= back || (wants > room && front > 0) {
                break;
            }
            room = room.saturating_sub(wants);
            if next == front { front += 1 } else { back -= 1 }
        }
        let shown: Vec<usize> = (0..front).chain(back..widths.len()).collect();
        let mut narrowed: Vec<usize> = shown.iter().map(|i| widths[*i]).collect();
        shrink(&mut narrowed, total.saturating_sub(1 + 3 + GAP.width() + 3 * shown.len()));
        let mut columns: Vec<(Option<usize>, usize)> = shown.iter().zip(narrowed).map(|(i, w)| (Some(*i), w)).collect();
        columns.insert(front, (None, GAP.width()));
        Layout { columns, hidden: back - front }
    }
}

impl Table {
    pub(super) fn new(names: Vec<String>, borders: Borders, options: &RenderOptions, null: Vec<u8>) -> Self {
        Table {
            names,
            borders,
            header: options.header,
            null,
            fold_to: options.width,
            fixed: options.column_widths.clone(),
            value_lines: options.value_lines.unwrap_or(usize::MAX),
            waiting: Vec::new(),
            layout: None,
        }
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
        if self.layout.is_some() {
            return Ok(());
        }
        let head: Vec<Cell> = self.names.iter().map(|n| Cell { lines: printable(n), number: false }).collect();
        let mut widths: Vec<usize> = head.iter().map(Cell::width).collect();
        for row in &self.waiting {
            for (w, c) in widths.iter_mut().zip(row) {
                *w = (*w).max(c.width());
            }
        }
        for (w, fixed) in widths.iter_mut().zip(&self.fixed).filter(|(_, fixed)| **fixed > 0) {
            *w = *fixed;
        }
        let layout = Layout::new(widths, self.fold_to);
        self.rule(0, &layout, out)?;
        if self.header {
            self.row(&head, &layout, out)?;
            self.rule(1, &layout, out)?;
        }
        for row in std::mem::take(&mut self.waiting) {
            self.row(&row, &layout, out)?;
        }
        self.layout = Some(layout);
        Ok(())
    }

    fn rule(&self, which: usize, layout: &Layout, out: &mut dyn Write) -> Result<()> {
        let [left, line, cross, right] = self.borders.rule(which);
        let mut text = String::from(left);
        for (i, (_, w)) in layout.columns.iter().enumerate() {
            if i > 0 {
                text.push(cross);
            }
            text.extend(std::iter::repeat_n(line, w + 2));
        }
        text.push(right);
        text.push('\n');
        out.write_all(text.as_bytes())
    }

    fn row(&self, cells: &[Cell], layout: &Layout, out: &mut dyn Write) -> Result<()> {
        let lines = |(i, w): &(Option<usize>, usize)| match i {
            Some(i) => {
                let mut lines: Vec<String> = cells[*i].lines.iter().flat_map(|l| fold(l, *w)).collect();
                if lines.len() > self.value_lines {
                    lines.truncate(self.value_lines);
                    if let Some(last) = lines.last_mut() {
                        mark(last, *w);
                    }
                }
                lines
            }
            None => vec![GAP.to_owned()],
        };
        let folded: Vec<Vec<String>> = layout.columns.iter().map(lines).collect();
        let height = folded.iter().map(Vec::len).max().unwrap_or(1);
        let bar = self.borders.bar();
        let mut text = String::new();
        for i in 0..height {
            for (lines, (column, w)) in folded.iter().zip(&layout.columns) {
                let line = lines.get(i).map_or("", String::as_str);
                let space = " ".repeat(w.saturating_sub(width(line)));
                text.push(bar);
                text.push(' ');
                if column.is_some_and(|c| cells[c].number) {
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
            match self.layout.take() {
                Some(layout) => {
                    self.row(&cells, &layout, out)?;
                    self.layout = Some(layout);
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
        let Some(layout) = self.layout.take() else { return Ok(()) };
        self.rule(2, &layout, out)?;
        if layout.hidden > 0 {
            let all = self.names.len();
            writeln!(out, "{} of {all} columns not shown; line mode shows all", layout.hidden)?;
        }
        Ok(())
    }
}

/// Ends a line with a sign that more would follow.
fn mark(line: &mut String, max: usize) {
    while width(line) + 1 > max && line.pop().is_some() {}
    line.push('…');
}

/// Marks that turn the direction of what follows: they are no control characters, and move text all the same.
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Lines of a value without anything that a terminal would act on: traces hold text from anywhere.
fn printable(text: &str) -> Vec<String> {
    let clean = |line: &str| {
        let mut out = String::with_capacity(line.len());
        for c in line.chars() {
            match c {
                '\t' => out.push_str("    "),
                '\r' => {}
                c if c.is_control() || turns(c) => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
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
        let mut line = "日本語".to_owned();
        mark(&mut line, 5);
        assert_eq!(line, "日本…");
    }

    #[test]
    fn columns_that_do_not_fit_are_left_out_in_the_middle() {
        let shown = |widths: &[usize], total| Layout::new(widths.to_vec(), Some(total));
        assert_eq!(shown(&[10, 10, 10], 40).hidden, 0);
        let all = shown(&[30, 30, 30], 40);
        assert_eq!((all.hidden, all.columns.iter().map(|c| c.1 + 3).sum::<usize>() + 1), (0, 40));
        for total in [20, 40, 80, 120] {
            let layout = shown(&[32, 16, 20, 7, 9, 30, 30, 12, 4, 4, 200, 6, 20, 30, 8, 8, 8, 8, 8, 8], total);
            let drawn = layout.columns.iter().map(|c| c.1 + 3).sum::<usize>() + 1;
            assert_eq!(layout.hidden + layout.columns.len() - 1, 20, "{total}");
            assert!(drawn <= total, "{drawn} of {total}");
            assert_eq!(layout.columns[0].0, Some(0));
        }
    }

    #[test]
    fn terminals_see_no_control_characters() {
        assert_eq!(printable("a\u{1b}[31mb\nc\td\r"), ["a\\u{1b}[31mb", "c    d"]);
    }
}
