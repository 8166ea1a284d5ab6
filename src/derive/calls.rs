//! Spans that show a call which another span shows as well, and what failed.
//!
//! Wrappers doubled by a second instrumentation make 9 calls look like 18. Of the spans of one call the one that tells
//! most is kept, the others name it in `duplicate_of`; a failure that only one of them saw is the call's failure.

use memchr::memmem;

use super::structure::{NONE, Tree};
use super::view::{SpanRow, Status};
use crate::normalise::Kind;

/// Tool spans that only hold the calls of one turn.
const CONTAINERS: [&str; 3] = ["tools", "call_tool", "ToolNode"];

/// Exceptions by which a graph steers: raised to hand over or to wait for a person, recorded as errors on the way up.
const CONTROL_FLOW: [&str; 4] = ["ParentCommand", "GraphInterrupt", "NodeInterrupt", "GraphBubbleUp"];

/// Marks a record that announces a span which is still open.
const PENDING: &str = "\"logfire.span_type\":\"pending_span\"";

/// What is known of calls, by position of the rows; reused from trace to trace.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// The kept span of the same call, or [`NONE`].
    pub(super) duplicate_of: Vec<u32>,
    /// Whether the span only announces its parent, which came too.
    pub(super) echo: Vec<bool>,
    /// Whether it failed, by itself or in a duplicate.
    pub(super) failed: Vec<bool>,
    /// Which row tells the class and message of the failure, or [`NONE`].
    pub(super) error_from: Vec<u32>,
    enclosing: Vec<u32>,
    group: Vec<u32>,
    best: Vec<u32>,
    by_key: Vec<u32>,
}

/// Whether a span is a tool call in the widest sense.
pub(super) fn is_tool(kind: Kind) -> bool {
    matches!(kind, Kind::Tool | Kind::Handoff)
}

fn is_model(kind: Kind) -> bool {
    matches!(kind, Kind::Llm | Kind::Embedding)
}

fn failed(row: &SpanRow<'_>) -> bool {
    let class = row.error_type.map(|t| t.rsplit('.').next().unwrap_or(t));
    match row.status {
        Status::Error => class.is_none_or(|c| !CONTROL_FLOW.contains(&c)),
        // Some name the class of an error and leave the status alone, or set it to ok because the run goes on.
        Status::Unset | Status::Ok => class.is_some_and(|c| !CONTROL_FLOW.contains(&c)),
    }
}

fn is_pending(row: &SpanRow<'_>) -> bool {
    row.end_time.is_none_or(|end| end == row.start_time)
        && row.attributes.is_some_and(|a| memmem::find(a.as_bytes(), PENDING.as_bytes()).is_some())
}

impl Calls {
    /// Decides for every span; `args` are the hashes of canonical arguments.
    pub(super) fn decide(&mut self, rows: &[SpanRow<'_>], tree: &Tree, args: &[Option<u64>]) {
        let n = rows.len();
        for v in [&mut self.duplicate_of, &mut self.error_from, &mut self.enclosing, &mut self.best] {
            v.clear();
            v.resize(n, NONE);
        }
        self.group.clear();
        self.group.extend(0..n as u32);
        self.failed.clear();
        self.failed.extend(rows.iter().map(failed));
        for (i, failed) in self.failed.iter().enumerate() {
            if *failed {
                self.error_from[i] = i as u32;
            }
        }
        self.echo.clear();
        self.echo.extend(
            rows.iter()
                .zip(&tree.parent)
                .enumerate()
                .map(|(i, (row, &parent))| parent != NONE && tree.is_leaf(i as u32) && is_pending(row)),
        );
        self.find_enclosing(rows, tree);
        self.join_nested(rows, tree, args);
        self.join_siblings(rows, tree, args);
        self.join_by_call_id(rows);
        self.choose(rows, tree, args);
        self.model_wrappers(rows, tree);
        self.same_response(rows);
        self.containers(rows, tree);
        self.resolve(tree);
    }

    /// The nearest tool or model call around each span, seen through chains but not through agents.
    fn find_enclosing(&mut self, rows: &[SpanRow<'_>], tree: &Tree) {
        for &i in &tree.preorder {
            let parent = tree.parent[i as usize];
            if parent == NONE {
                continue;
            }
            self.enclosing[i as usize] = match rows[parent as usize].kind {
                kind if is_tool(kind) || is_model(kind) => parent,
                Kind::Agent => NONE,
                _ => self.enclosing[parent as usize],
            };
        }
    }

    /// Whether the span is inside a tool call, no agent between.
    pub(super) fn is_inside_tool(&self, rows: &[SpanRow<'_>], row: u32) -> bool {
        let around = self.enclosing[row as usize];
        around != NONE && is_tool(rows[around as usize].kind)
    }

    fn leader(&mut self, mut i: u32) -> u32 {
        while self.group[i as usize] != i {
            let next = self.group[i as usize];
            self.group[i as usize] = self.group[next as usize];
            i = next;
        }
        i
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.leader(a), self.leader(b));
        self.group[a.max(b) as usize] = a.min(b);
    }

    /// A tool span directly inside a tool span of the same tool. Arguments that differ mean a tool that calls itself.
    fn join_nested(&mut self, rows: &[SpanRow<'_>], tree: &Tree, args: &[Option<u64>]) {
        for &i in &tree.preorder {
            let around = self.enclosing[i as usize];
            if around == NONE || self.echo[i as usize] {
                continue;
            }
            let (inner, outer) = (&rows[i as usize], &rows[around as usize]);
            if is_tool(inner.kind)
                && is_tool(outer.kind)
                && same_tool(inner, outer)
                && starts_inside(inner, outer)
                && agree(args[i as usize], args[around as usize])
            {
                self.join(i, around);
            }
        }
    }

    /// Neighbours that two instrumentations recorded side by side: one inside the other's time, equal arguments.
    fn join_siblings(&mut self, rows: &[SpanRow<'_>], tree: &Tree, args: &[Option<u64>]) {
        // The last tool span seen under each parent; `best` is free until `choose`.
        for i in 0..rows.len() as u32 {
            let row = &rows[i as usize];
            let parent = tree.parent[i as usize];
            if !is_tool(row.kind) || parent == NONE || self.echo[i as usize] {
                continue;
            }
            let before = std::mem::replace(&mut self.best[parent as usize], i);
            if before == NONE {
                continue;
            }
            let other = &rows[before as usize];
            if row.scope_name != other.scope_name
                && args[i as usize].is_some()
                && args[i as usize] == args[before as usize]
                && same_tool(row, other)
                && starts_inside(row, other)
                && row.end_or_start() <= other.end_or_start()
            {
                self.join(i, before);
            }
        }
        self.best.fill(NONE);
    }

    /// Spans with one call id. Apart in time they are attempts of their own, unless the first only asked.
    fn join_by_call_id(&mut self, rows: &[SpanRow<'_>]) {
        let mut ids = std::mem::take(&mut self.by_key);
        ids.clear();
        ids.extend((0..rows.len() as u32).filter(|&i| {
            let row = &rows[i as usize];
            row.tool_call_id.is_some() && is_tool(row.kind) && !self.echo[i as usize]
        }));
        if ids.len() > 1 {
            ids.sort_unstable_by_key(|&i| (rows[i as usize].tool_call_id, i));
            for pair in ids.windows(2) {
                let (a, b) = (pair[0], pair[1]);
                let (first, second) = (&rows[a as usize], &rows[b as usize]);
                if first.tool_call_id != second.tool_call_id || !same_tool(first, second) {
                    continue;
                }
                let around = self.enclosing[a as usize];
                let only_asked = around != NONE
                    && is_model(rows[around as usize].kind)
                    && first.tool_result.is_none()
                    && !self.failed[a as usize];
                if only_asked || starts_inside(second, first) {
                    self.join(a, b);
                }
            }
        }
        self.by_key = ids;
    }

    /// Of each group keeps the span that tells most, the outermost of equals, and gives it the group's failure.
    fn choose(&mut self, rows: &[SpanRow<'_>], tree: &Tree, args: &[Option<u64>]) {
        let tells = |i: u32| {
            let row = &rows[i as usize];
            let told = [
                args[i as usize].is_some() || row.tool_args.is_some(),
                row.tool_result.is_some(),
                row.status == Status::Error,
            ];
            // What it says of the call comes first, then what helps to find it again.
            let points = told.iter().filter(|t| **t).count() * 2 + usize::from(row.tool_call_id.is_some());
            (points, std::cmp::Reverse(tree.left[i as usize]))
        };
        let mut any = false;
        for i in 0..rows.len() as u32 {
            let leader = self.leader(i);
            if leader == i {
                continue;
            }
            any = true;
            let best = &mut self.best[leader as usize];
            if *best == NONE {
                *best = leader;
            }
            if tells(i) > tells(*best) {
                *best = i;
            }
        }
        if !any {
            return;
        }
        for i in 0..rows.len() as u32 {
            let leader = self.leader(i);
            let best = self.best[leader as usize];
            if best != NONE && best != i {
                self.becomes_duplicate(i, best);
            }
        }
    }

    fn becomes_duplicate(&mut self, row: u32, of: u32) {
        self.duplicate_of[row as usize] = of;
        if self.failed[row as usize] && !self.failed[of as usize] {
            self.failed[of as usize] = true;
            self.error_from[of as usize] = self.error_from[row as usize];
        }
    }

    /// A model call around a model call of the same kind is a wrapper: the inner one went to the provider. Around
    /// several, as when it tries again, it stands for the last.
    fn model_wrappers(&mut self, rows: &[SpanRow<'_>], tree: &Tree) {
        for &i in tree.preorder.iter().rev() {
            let around = self.enclosing[i as usize];
            let kind = rows[i as usize].kind;
            if around == NONE || !is_model(kind) || kind != rows[around as usize].kind || self.echo[i as usize] {
                continue;
            }
            // Two responses are two calls, whatever holds the inner one.
            let (outer, inner) = (rows[around as usize].response_id, rows[i as usize].response_id);
            if outer.is_some() && inner.is_some() && outer != inner {
                continue;
            }
            let known = &mut self.duplicate_of[around as usize];
            if *known == NONE || *known < i {
                *known = i;
            }
        }
    }

    /// Two records of one response that overlap in time are one call seen twice. Apart in time, the second came from
    /// a cache: a step of its own.
    fn same_response(&mut self, rows: &[SpanRow<'_>]) {
        let mut ids = std::mem::take(&mut self.by_key);
        ids.clear();
        ids.extend((0..rows.len() as u32).filter(|&i| {
            let row = &rows[i as usize];
            row.response_id.is_some()
                && is_model(row.kind)
                && !self.echo[i as usize]
                && self.duplicate_of[i as usize] == NONE
        }));
        if ids.len() > 1 {
            ids.sort_unstable_by_key(|&i| (rows[i as usize].response_id, i));
            let mut kept = ids[0];
            for &i in &ids[1..] {
                let (first, second) = (&rows[kept as usize], &rows[i as usize]);
                if first.response_id == second.response_id
                    && first.kind == second.kind
                    && first.tokens.input == second.tokens.input
                    && first.tokens.output == second.tokens.output
                    && starts_inside(second, first)
                {
                    self.becomes_duplicate(i, kept);
                } else {
                    kept = i;
                }
            }
        }
        self.by_key = ids;
    }

    /// Nodes that hold a turn's tool calls, where they were recorded as tools themselves; and announcements.
    fn containers(&mut self, rows: &[SpanRow<'_>], tree: &Tree) {
        for (i, row) in rows.iter().enumerate() {
            if self.echo[i] {
                self.duplicate_of[i] = tree.parent[i];
                self.failed[i] = false;
            } else if row.kind == Kind::Tool
                && self.duplicate_of[i] == NONE
                && row.tool_name.is_some_and(|name| CONTAINERS.contains(&name))
                && let Some(inner) = tree.children(i as u32).find(|&c| {
                    is_tool(rows[c as usize].kind) && !self.echo[c as usize] && self.duplicate_of[c as usize] == NONE
                })
            {
                self.duplicate_of[i] = inner;
            }
        }
    }

    /// Makes every duplicate name a span that is none, and brings wrappers' failures there.
    ///
    /// Wrappers and containers point down, so below them all is resolved already and no chain is walked twice.
    /// Announcements point up and come last.
    fn resolve(&mut self, tree: &Tree) {
        for echoes in [false, true] {
            for &i in tree.preorder.iter().rev() {
                let mut kept = self.duplicate_of[i as usize];
                if kept == NONE || self.echo[i as usize] != echoes {
                    continue;
                }
                while self.duplicate_of[kept as usize] != NONE {
                    kept = self.duplicate_of[kept as usize];
                }
                self.duplicate_of[i as usize] = kept;
                if self.failed[i as usize] && !self.failed[kept as usize] {
                    self.failed[kept as usize] = true;
                    self.error_from[kept as usize] = self.error_from[i as usize];
                }
            }
        }
    }
}

fn agree(a: Option<u64>, b: Option<u64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

/// Whether `inner` starts within `outer`; an `outer` without an end lasts.
fn starts_inside(inner: &SpanRow<'_>, outer: &SpanRow<'_>) -> bool {
    inner.start_time >= outer.start_time && outer.end_time.is_none_or(|end| inner.start_time <= end)
}

/// Whether two spans name one tool. One may put the agent or class in front: `orders.lookup` and `lookup`.
pub(super) fn same_tool(a: &SpanRow<'_>, b: &SpanRow<'_>) -> bool {
    match (a.tool_name, b.tool_name) {
        (Some(a), Some(b)) => same_name(a, b) || qualifies(a, b) || qualifies(b, a),
        (None, None) => false,
        // An unnamed span inside or around a named one says nothing against it.
        _ => true,
    }
}

fn qualifies(long: &str, short: &str) -> bool {
    long.rsplit_once('.').is_some_and(|(_, last)| same_name(last, short))
}

/// Whether two names are equal but for case and what stands for a space.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    let plain = |c: u8| match c {
        b' ' | b'-' => b'_',
        c => c.to_ascii_lowercase(),
    };
    a == b || (a.len() == b.len() && a.bytes().map(plain).eq(b.bytes().map(plain)))
}
