//! Loops as blocks beside a list of spans: a line from the first of their rows to the last.

use std::collections::HashMap;

use super::drawing::{Paint, decimals, dollars, folded, grouped, printable, time};
use super::show::run::RunLoop;

/// Periods at the begin of a loop that are drawn; those between them and the last one are counted.
pub(super) const DRAWN: i64 = 2;

/// The lines of loops, side by side where loops overlap.
#[derive(Debug, Default)]
pub(super) struct Gutter {
    /// First and last row of the loops of each lane, in order.
    lanes: Vec<Vec<(usize, usize)>>,
    lane_of: HashMap<i64, usize>,
    ends: HashMap<i64, (usize, usize)>,
}

impl Gutter {
    /// For rows, each with the number of the loop that it belongs to.
    pub(super) fn new(rows: impl Iterator<Item = Option<i64>>, loops: &[RunLoop]) -> Gutter {
        let mut gutter = Gutter::default();
        for (row, number) in rows.enumerate() {
            if let Some(number) = number {
                gutter.ends.entry(number).or_insert((row, row)).1 = row;
            }
        }
        let mut placed: Vec<(usize, usize, i64)> = loops
            .iter()
            .filter_map(|l| gutter.ends.get(&l.number).map(|&(first, last)| (first, last, l.number)))
            .collect();
        placed.sort_unstable();
        for (first, last, number) in placed {
            let free = |lane: &Vec<(usize, usize)>| lane.last().is_none_or(|(_, end)| *end < first);
            let lane = gutter.lanes.iter().position(free).unwrap_or(gutter.lanes.len());
            if lane == gutter.lanes.len() {
                gutter.lanes.push(Vec::new());
            }
            gutter.lanes[lane].push((first, last));
            gutter.lane_of.insert(number, lane);
        }
        gutter
    }

    /// Columns of characters that it takes, with the space after it.
    pub(super) fn width(&self) -> usize {
        if self.lanes.is_empty() { 0 } else { self.lanes.len() + 1 }
    }

    pub(super) fn begins(&self, number: i64, row: usize) -> bool {
        self.ends.get(&number).is_some_and(|(first, _)| *first == row)
    }

    pub(super) fn ends(&self, number: i64, row: usize) -> bool {
        self.ends.get(&number).is_some_and(|(_, last)| *last == row)
    }

    /// What is beside a row: the mark of its own loop, and lines of those that go on around it.
    pub(super) fn marks(&self, row: usize, own: Option<(i64, char)>) -> String {
        let goes_on = |lane: &Vec<(usize, usize)>| {
            let begun = lane.partition_point(|(first, _)| *first <= row);
            begun > 0 && lane[begun - 1].1 >= row
        };
        let mut marks: Vec<char> = self.lanes.iter().map(|lane| if goes_on(lane) { '┊' } else { ' ' }).collect();
        if let Some((lane, mark)) = own.and_then(|(number, mark)| Some((*self.lane_of.get(&number)?, mark))) {
            marks[lane] = mark;
        }
        if !marks.is_empty() {
            marks.push(' ');
        }
        marks.into_iter().collect()
    }
}

/// The colour of a loop.
pub(super) fn paint(l: &RunLoop) -> Paint {
    match &*l.severity {
        "high" => Paint::Bad,
        "warning" => Paint::Doubtful,
        _ => Paint::Heading,
    }
}

/// What a loop is, above its rows; in lines of at most this width.
pub(super) fn title(l: &RunLoop, width: usize) -> String {
    let text = format!("loop {}, {}, {}: {}", l.number, l.kind, l.severity, l.evidence);
    folded(&printable(&text), width, 2)
}

/// What a loop wasted, below its rows.
pub(super) fn waste(l: &RunLoop) -> String {
    if l.kind == "polling" {
        return "no waste: each answer was another".to_owned();
    }
    let mut parts: Vec<String> = l.wasted_tokens.map(|n| format!("{} tokens", grouped(n))).into_iter().collect();
    let at_least = if l.cost_complete { "" } else { "at least " };
    parts.extend(l.wasted_cost_usd.map(|u| format!("{at_least}{}", dollars(u, decimals([u].into_iter()), false))));
    parts.push(time(l.wasted_ns.unwrap_or(0)));
    format!("wasted {}", parts.join(", "))
}
