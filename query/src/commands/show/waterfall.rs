//! Bars that say when a span ran.

/// The time of a run, drawn over some columns of characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) total_ns: i64,
    pub(super) width: usize,
}

impl Scale {
    /// In eighths of a character.
    fn eighths(self, ns: i64) -> usize {
        let all = (self.width * 8) as i128;
        let at = i128::from(ns.max(0)) * all / i128::from(self.total_ns.max(1));
        usize::try_from(at.min(all)).unwrap_or(0)
    }

    /// Where a bar begins and ends, in eighths: never empty, and never outside.
    fn ends(self, start: i64, end: i64) -> (usize, usize) {
        let all = self.width * 8;
        let from = self.eighths(start).min(all.saturating_sub(1));
        (from, self.eighths(end).clamp(from + 1, all.max(from + 1)))
    }

    /// A bar with the space before it. Blocks in eighths grow from the left only; at the begin there is a half.
    pub(super) fn bar(self, start: i64, end: i64) -> String {
        const LEFT: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
        let (from, to) = self.ends(start, end);
        let mut bar = " ".repeat(from / 8);
        for cell in from / 8..to.div_ceil(8) {
            let (begin, end) = (from.saturating_sub(cell * 8).min(8), (to - cell * 8).min(8));
            bar.push(match (begin, end) {
                (0, end) => LEFT[end],
                (7, _) => '▕',
                (4.., _) => '▐',
                // Something short that is not at the begin of its character.
                (_, ..8) => LEFT[(end - begin).max(1)],
                _ => '█',
            });
        }
        bar
    }

    /// The bar of what is folded.
    pub(super) fn dashes(self, start: i64, end: i64) -> String {
        let (from, to) = self.ends(start, end);
        format!("{}{}", " ".repeat(from / 8), "┄".repeat(to.div_ceil(8) - from / 8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_what_they_show() {
        let scale = Scale { total_ns: 800, width: 10 };
        assert_eq!(scale.bar(0, 800), "██████████");
        assert_eq!(scale.bar(0, 10), "▏");
        assert_eq!(scale.bar(80, 250), " ██▏");
        assert_eq!(scale.bar(40, 160), "▐█");
        assert_eq!(scale.bar(800, 800), "         ▕");
        assert_eq!(scale.bar(100, 100), " ▏");
        assert_eq!(scale.dashes(170, 410), "  ┄┄┄┄");
        // Nothing is known of how long it took.
        assert_eq!(Scale { total_ns: 0, width: 4 }.bar(0, 0), "▏");
        for start in 0..800 {
            for end in start..800 {
                let cells = scale.bar(start, end).chars().count();
                assert!((1..=10).contains(&cells), "{start} {end}");
            }
        }
    }
}
