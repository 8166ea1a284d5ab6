//! The tree that spans form by their parent ids, whatever state the ids are in.
//!
//! Linear apart from one sort of the ids, and iterative: a chain may be as deep as the trace is long.

use super::view::SpanRow;

/// No span.
pub(super) const NONE: u32 = u32::MAX;

/// The forest of one trace, by position of the rows. Its vectors are reused from trace to trace.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Parent whose link holds, or [`NONE`].
    pub(super) parent: Vec<u32>,
    first_child: Vec<u32>,
    next_sibling: Vec<u32>,
    /// Rows in preorder: `preorder[left[i]] == i`.
    pub(super) preorder: Vec<u32>,
    pub(super) left: Vec<u32>,
    pub(super) right: Vec<u32>,
    pub(super) depth: Vec<u32>,
    pub(super) root: Vec<u32>,
    pub(super) orphan: Vec<bool>,
    pub(super) cut: Vec<bool>,
    ids: Vec<(u64, u32)>,
    walk: Vec<u32>,
}

impl Tree {
    /// Builds the forest of these rows.
    pub(super) fn build(&mut self, rows: &[SpanRow<'_>]) {
        let n = rows.len();
        for v in [&mut self.parent, &mut self.first_child, &mut self.next_sibling, &mut self.root] {
            v.clear();
            v.resize(n, NONE);
        }
        for v in [&mut self.left, &mut self.right, &mut self.depth] {
            v.clear();
            v.resize(n, 0);
        }
        for v in [&mut self.orphan, &mut self.cut] {
            v.clear();
            v.resize(n, false);
        }
        self.link(rows);
        self.cut_cycles();
        // From last to first, so that children end up in canonical order.
        let mut first_root = NONE;
        for i in (0..n as u32).rev() {
            let slot = match self.parent[i as usize] {
                NONE => &mut first_root,
                p => &mut self.first_child[p as usize],
            };
            self.next_sibling[i as usize] = std::mem::replace(slot, i);
        }
        self.number(first_root, n);
    }

    fn link(&mut self, rows: &[SpanRow<'_>]) {
        self.ids.clear();
        self.ids.extend(rows.iter().enumerate().map(|(i, r)| (u64::from_be_bytes(r.span_id.0), i as u32)));
        self.ids.sort_unstable();
        for (i, row) in rows.iter().enumerate() {
            let Some(parent) = row.parent.filter(|p| !p.is_zero()) else { continue };
            match self.position(u64::from_be_bytes(parent.0)) {
                Some(p) => self.parent[i] = p,
                None => self.orphan[i] = true,
            }
        }
    }

    /// The row with that id, the first if there are several.
    pub(super) fn position(&self, id: u64) -> Option<u32> {
        let at = self.ids.partition_point(|&(other, _)| other < id);
        self.ids.get(at).filter(|&&(found, _)| found == id).map(|&(_, i)| i)
    }

    /// Follows parents from every row. A walk that meets itself found a cycle, which is cut at its first row.
    fn cut_cycles(&mut self) {
        // `walk` says which walk came by first. Walks are numbered by the row they start from.
        self.walk.clear();
        self.walk.resize(self.parent.len(), NONE);
        for start in 0..self.parent.len() as u32 {
            let mut at = start;
            while at != NONE && self.walk[at as usize] == NONE {
                self.walk[at as usize] = start;
                at = self.parent[at as usize];
            }
            if at == NONE || self.walk[at as usize] != start {
                continue;
            }
            let (mut first, mut other) = (at, self.parent[at as usize]);
            while other != at {
                first = first.min(other);
                other = self.parent[other as usize];
            }
            self.parent[first as usize] = NONE;
            self.cut[first as usize] = true;
        }
    }

    fn number(&mut self, first_root: u32, n: usize) {
        self.preorder.clear();
        self.preorder.reserve(n);
        let mut at = first_root;
        while at != NONE {
            let i = at as usize;
            let parent = self.parent[i];
            self.left[i] = self.preorder.len() as u32;
            self.preorder.push(at);
            (self.depth[i], self.root[i]) =
                if parent == NONE { (0, at) } else { (self.depth[parent as usize] + 1, self.root[parent as usize]) };
            // Down, else to the side, else up until there is a side.
            at = self.first_child[i];
            let mut done = i;
            while at == NONE {
                self.right[done] = self.preorder.len() as u32 - 1;
                at = self.next_sibling[done];
                match self.parent[done] {
                    NONE => break,
                    p if at == NONE => done = p as usize,
                    _ => {}
                }
            }
        }
    }

    /// The children of a row, in canonical order.
    pub(super) fn children(&self, row: u32) -> impl Iterator<Item = u32> + '_ {
        self.siblings_from(self.first_child[row as usize])
    }

    fn siblings_from(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors((first != NONE).then_some(first), |&i| {
            Some(self.next_sibling[i as usize]).filter(|&next| next != NONE)
        })
    }

    /// Whether the row has no children.
    pub(super) fn is_leaf(&self, row: u32) -> bool {
        self.first_child[row as usize] == NONE
    }

    /// The part of a row's time that its children cover, overlaps counted once.
    ///
    /// A child without an end, or with an end before its start, covers nothing: how long it took is unknown.
    pub(super) fn child_time(&self, rows: &[SpanRow<'_>], row: u32) -> Option<i64> {
        let own = &rows[row as usize];
        own.duration_ns()?;
        let end = own.end_time?;
        let (mut covered, mut until) = (0, own.start_time);
        for child in self.children(row) {
            let child = &rows[child as usize];
            // Children come by start time, so `until` only grows; the covered time cannot exceed the duration.
            let from = child.start_time.max(until);
            let to = child.end_or_start().min(end);
            if to > from {
                covered += to - from;
                until = to;
            }
        }
        Some(covered)
    }
}
