//! Rows lined up for a terminal: columns that do not fit are left out, the least wanted first.

use unicode_width::UnicodeWidthStr;

use super::drawing::{Look, Paint, cut, padded};

/// A column: its heading, whether it holds numbers, and in which order columns are left out; 0 never is.
pub(super) type Column = (&'static str, bool, u8);

/// A table without lines.
pub(super) struct Grid<const N: usize> {
    pub(super) columns: [Column; N],
    /// The column that gives way when all are too wide.
    pub(super) flexible: usize,
    pub(super) rows: Vec<([String; N], Option<Paint>)>,
    pub(super) total: [String; N],
}

/// The flexible column is never narrower.
const NARROWEST: usize = 12;

impl<const N: usize> Grid<N> {
    pub(super) fn draw(&self, look: Look) -> String {
        let headings = self.columns.map(|(name, ..)| name.to_owned());
        let all = || std::iter::once(&headings).chain(self.rows.iter().map(|(cells, _)| cells)).chain([&self.total]);
        let mut widths = [0; N];
        for cells in all() {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.width());
            }
        }
        // A column in which nothing stands tells nothing.
        let filled = |i: usize| self.rows.iter().any(|(cells, _)| !cells[i].is_empty());
        let mut shown: [bool; N] = std::array::from_fn(filled);
        shown[self.flexible] = true;
        let others = |shown: &[bool; N]| {
            (0..N).filter(|i| shown[*i] && *i != self.flexible).map(|i| widths[i] + 2).sum::<usize>()
        };
        let wanted = widths[self.flexible].min(NARROWEST);
        while others(&shown) + wanted > look.width {
            let least = (0..N).filter(|i| shown[*i] && self.columns[*i].2 > 0).min_by_key(|i| self.columns[*i].2);
            match least {
                Some(i) => shown[i] = false,
                None => break,
            }
        }
        let room = look.width.saturating_sub(others(&shown)).max(wanted);
        widths[self.flexible] = widths[self.flexible].min(room);
        let line = |cells: &[String; N]| {
            let cell = |i: usize| padded(&cut(&cells[i], widths[i]), widths[i], self.columns[i].1);
            let line: Vec<String> = (0..N).filter(|i| shown[*i]).map(cell).collect();
            line.join("  ").trim_end().to_owned()
        };
        let mut out = look.paint(Paint::Heading, &line(&headings)) + "\n";
        for (cells, paint) in &self.rows {
            let text = line(cells);
            out += &paint.map_or_else(|| text.clone(), |paint| look.paint(paint, &text));
            out.push('\n');
        }
        out + &look.paint(Paint::Total, &line(&self.total)) + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_left_out_in_order_and_one_gives_way() {
        let text = |cells: [&str; 3]| cells.map(str::to_owned);
        let grid = Grid {
            columns: [("run", false, 0), ("what", false, 0), ("tokens", true, 1)],
            flexible: 1,
            rows: vec![(text(["ab12", "a long text that is cut", "1,200"]), None)],
            total: text(["total", "", "1,200"]),
        };
        let draw = |width| grid.draw(Look { width, colour: false });
        assert_eq!(
            draw(80),
            "run    what                     tokens\nab12   a long text that is cut   1,200\ntotal                            1,200\n"
        );
        assert_eq!(
            draw(30),
            "run    what             tokens\nab12   a long text th…   1,200\ntotal                    1,200\n"
        );
        assert_eq!(draw(20), "run    what\nab12   a long text …\ntotal\n");
    }
}
