//! From a span as it came to the columns of the schema.
//!
//! What differs between dialects is data: `dialects/` says, key by key, which column a value belongs to. Everything
//! here is common to all of them: one table look-up per attribute, the best key of each column wins (values under two
//! keys are never added), and an attribute leaves `attributes` only when a column now holds exactly its value.

mod convert;
mod dialects;
mod events;
pub mod flatten;
mod handoff;
mod kind;
mod resource;
mod row;
mod rule;
mod table;
mod usage;

pub use kind::Kind;
pub(crate) use resource::ResourceColumns;
pub(crate) use row::{Cell, Row, col};

use std::borrow::Cow;

use crate::model::{Span, StatusCode, Value};
use crate::typed_json::write_string;
use convert::Taken;
use flatten::Assembled;
use table::{Entry, TABLE, Table};

/// Reusable state of normalisation: what the current scope says, and scratch space.
#[derive(Default)]
pub(crate) struct Normaliser {
    scope_name: String,
    scope_dialect: Option<usize>,
    hits: Vec<(usize, &'static Entry)>,
    grouped: Vec<(usize, usize)>,
    claimed: Vec<bool>,
    /// Attributes that should be numbers and are none, by position.
    unreadable: Vec<usize>,
}

/// Which attribute won a column, by which rank, and whether the column holds it unchanged.
#[derive(Clone, Copy)]
struct Winner {
    rank: u16,
    attribute: u32,
    exact: bool,
}

const NOBODY: Winner = Winner { rank: u16::MAX, attribute: 0, exact: false };

impl Winner {
    /// The attribute's value, when one attribute alone won.
    fn attribute_of<'s>(&self, span: &'s Span<'_>) -> Option<&'s Value<'s>> {
        if self.rank == u16::MAX { None } else { span.attributes.get(self.attribute as usize).map(|(_, v)| v) }
    }
}

/// Dialects by position, as bits.
#[derive(Clone, Copy, Default)]
struct Dialects(u32);

impl Dialects {
    fn insert(&mut self, dialect: usize) {
        self.0 |= 1 << dialect;
    }

    fn has(self, dialect: usize) -> bool {
        self.0 & (1 << dialect) != 0
    }

    fn iter(mut self) -> impl Iterator<Item = usize> {
        std::iter::from_fn(move || {
            let next = (self.0 != 0).then(|| self.0.trailing_zeros() as usize)?;
            self.0 &= self.0 - 1;
            Some(next)
        })
    }
}

impl Normaliser {
    /// Takes note of the scope that the next spans belong to.
    pub(crate) fn begin_scope(&mut self, name: &str) {
        self.scope_name.clear();
        self.scope_name.push_str(name);
        self.scope_dialect = TABLE.dialect_of_scope(name);
    }

    /// Whether the attribute at that position of the span given last is held unchanged by a column.
    pub(crate) fn is_claimed(&self, attribute: usize) -> bool {
        self.claimed.get(attribute).copied().unwrap_or(false)
    }

    /// Fills the normalised columns of one span.
    pub(crate) fn span<'a>(&mut self, span: &'a Span<'_>, resource: &'a ResourceColumns, row: &mut Row<'a>) {
        let table: &'static Table = &TABLE;
        self.hits.clear();
        self.grouped.clear();
        self.unreadable.clear();
        self.claimed.clear();
        self.claimed.resize(span.attributes.len(), false);

        let mut dialects = Dialects::default();
        if let Some(d) = self.scope_dialect {
            dialects.insert(d);
        }
        let mut kind = (u8::MAX, Kind::Other);
        for (i, (key, value)) in span.attributes.iter().enumerate() {
            let Some(entry) = table.get(key) else {
                if let Some(group) = table.group_of(key) {
                    self.grouped.push((group, i));
                }
                continue;
            };
            if let Some((d, wanted)) = entry.marks
                && wanted.is_none_or(|word| value.as_str() == Some(word))
            {
                dialects.insert(d);
            }
            for kinds in &entry.kinds {
                if kinds.rank < kind.0
                    && let Some(k) = value.as_str().and_then(|word| kinds.of(word))
                {
                    kind = (kinds.rank, k);
                }
            }
            if let Some(group) = entry.group {
                self.grouped.push((group, i));
            }
            if !entry.rules.is_empty() {
                self.hits.push((i, entry));
            }
        }
        for named in dialects.iter().flat_map(|d| table.dialect(d).names) {
            if named.rank < kind.0 && named.matches(span) {
                kind = (named.rank, named.kind);
            }
        }
        let mut kind = kind.1;

        let mut winners = [NOBODY; col::COUNT];
        if kind == Kind::Tool && handoff::is_handoff(span) {
            kind = Kind::Handoff;
        }
        let is_whole_run = kind == Kind::Agent && kind::is_whole_run(span, &self.scope_name);
        if is_whole_run {
            kind = Kind::Workflow;
        }
        self.apply_rules(span, kind, dialects, row, &mut winners);
        self.apply_groups(span, kind, dialects, row, &mut winners);
        let details = winners[col::INPUT_TOKENS].attribute_of(span);
        let mut converted = |column: usize| winners[column].exact = false;
        if kind == Kind::Pending {
            usage::discard(row, &mut converted);
        } else {
            usage::finish(&self.scope_name, kind, details, row, &mut converted);
        }
        resource.fill(row, &mut converted);
        for winner in winners.iter().filter(|w| w.exact) {
            self.claimed[winner.attribute as usize] = true;
        }

        self.fill_unreadable(span, row);
        row.set_str(col::KIND, kind.name());
        if let Some(d) = dialects.iter().min_by_key(|&d| table.dialect_rank(d)) {
            row.set_str(col::DIALECT, table.dialect_name(d));
        }
        events::fill(span, kind, row);
        fill_error(span, row);
        fill_first_token(span, row);
        fill_names(span, kind, resource, row);
        if is_whole_run && !row.is_set(col::WORKFLOW_NAME) {
            row.set_str(col::WORKFLOW_NAME, &span.name);
        }
        if kind == Kind::Handoff {
            handoff::fill(span, row);
        }
    }

    fn apply_rules<'a>(
        &mut self,
        span: &'a Span<'_>,
        kind: Kind,
        dialects: Dialects,
        row: &mut Row<'a>,
        winners: &mut [Winner; col::COUNT],
    ) {
        for &(i, entry) in &self.hits {
            let value = &span.attributes[i].1;
            for ranked in &entry.rules {
                let rule = ranked.rule;
                let best = &mut winners[rule.column];
                if ranked.rank >= best.rank || !rule.when.holds(kind, &self.scope_name, dialects.has(ranked.dialect)) {
                    continue;
                }
                match convert::take(rule.take, value, span.start_unix_nano) {
                    Some(Taken { cell, exact }) => {
                        row.set(rule.column, cell);
                        *best = Winner { rank: ranked.rank, attribute: i as u32, exact };
                    }
                    None if rule.take.wants_number() && is_present(value) => self.unreadable.push(i),
                    None => {}
                }
            }
        }
    }

    /// Names the keys whose values are no numbers: they stay in `attributes`, and someone should know.
    fn fill_unreadable(&mut self, span: &Span<'_>, row: &mut Row<'_>) {
        if self.unreadable.is_empty() {
            return;
        }
        self.unreadable.dedup();
        let mut json = String::new();
        for &i in &self.unreadable {
            json.push(if json.is_empty() { '[' } else { ',' });
            write_string(&mut json, &span.attributes[i].0);
        }
        json.push(']');
        row.set(col::UNREADABLE, Cell::Text(Cow::Owned(json)));
    }

    fn apply_groups<'a>(
        &mut self,
        span: &'a Span<'_>,
        kind: Kind,
        dialects: Dialects,
        row: &mut Row<'a>,
        winners: &mut [Winner; col::COUNT],
    ) {
        if self.grouped.is_empty() {
            return;
        }
        // A stable sort keeps the order of the keys within each group.
        self.grouped.sort_by_key(|&(group, _)| group);
        for members in self.grouped.chunk_by(|a, b| a.0 == b.0) {
            let ranked = TABLE.group(members[0].0);
            let group = ranked.group;
            let own = dialects.has(ranked.dialect);
            if ranked.rank >= winners[group.column].rank || !group.when.holds(kind, &self.scope_name, own) {
                continue;
            }
            let keys = members.iter().map(|&(_, i)| (i, span.attributes[i].0.as_ref(), &span.attributes[i].1));
            if let Some(Assembled { json, taken }) = flatten::assemble(group.prefix, group.level, keys) {
                row.set(group.column, Cell::Text(Cow::Owned(json)));
                winners[group.column] = Winner { rank: ranked.rank, ..NOBODY };
                for i in taken {
                    self.claimed[i] = true;
                }
            }
        }
    }
}

/// Class and message of an error: the attributes, else the last exception that the span recorded when it failed.
fn fill_error<'a>(span: &'a Span<'_>, row: &mut Row<'a>) {
    if span.status != StatusCode::Error && !row.is_set(col::ERROR_TYPE) {
        return;
    }
    let exception = |key: &str| {
        let exceptions = span.events.iter().rev().filter(|e| e.name == "exception");
        exceptions.flat_map(|e| &e.attributes).find(|(k, _)| k == key).and_then(|(_, v)| present_text(v))
    };
    if !row.is_set(col::ERROR_TYPE)
        && let Some(class) = exception("exception.type")
    {
        row.set_str(col::ERROR_TYPE, class);
    }
    if span.status_message.is_empty()
        && !row.is_set(col::ERROR_MESSAGE)
        && let Some(message) = exception("exception.message")
    {
        row.set_str(col::ERROR_MESSAGE, message);
    }
}

/// Events that mark the arrival of the first token.
const FIRST_TOKEN_EVENTS: [&str; 3] =
    ["First Token Stream Event", "gen_ai.content.completion.chunk", "ai.stream.firstChunk"];

fn fill_first_token(span: &Span<'_>, row: &mut Row<'_>) {
    if row.is_set(col::TTFT_NS) || span.events.is_empty() {
        return;
    }
    let first = span
        .events
        .iter()
        .filter(|e| FIRST_TOKEN_EVENTS.contains(&e.name.as_ref()))
        .filter_map(|e| e.time_unix_nano.checked_sub(span.start_unix_nano))
        .min();
    if let Some(ns) = first.and_then(|ns| i64::try_from(ns).ok()) {
        row.set(col::TTFT_NS, Cell::Int(ns));
    }
}

/// Names that only the span's own name tells, and the version of a named agent.
fn fill_names<'a>(span: &'a Span<'_>, kind: Kind, resource: &'a ResourceColumns, row: &mut Row<'a>) {
    if kind == Kind::Agent && !row.is_set(col::AGENT_NAME) {
        let mut name = span.name.strip_prefix("invoke_agent ").unwrap_or(&span.name);
        for suffix in [".agent", ".run", "._execute_core", ".on_messages_stream"] {
            name = name.strip_suffix(suffix).unwrap_or(name);
        }
        row.set_str(col::AGENT_NAME, name);
    }
    if matches!(kind, Kind::Tool | Kind::Handoff) && !row.is_set(col::TOOL_NAME) {
        let mut name = span.name.strip_prefix("execute_tool ").unwrap_or(&span.name);
        for suffix in [".tool", ".run"] {
            name = name.strip_suffix(suffix).unwrap_or(name);
        }
        row.set_str(col::TOOL_NAME, name);
    }
    if kind == Kind::Guardrail && !row.is_set(col::POLICY_NAME) {
        row.set_str(col::POLICY_NAME, &span.name);
    }
    if row.is_set(col::AGENT_NAME) && !row.is_set(col::AGENT_VERSION) {
        row.set_str(col::AGENT_VERSION, resource.service_version());
    }
}

/// Whether a value says anything at all.
fn is_present(value: &Value<'_>) -> bool {
    match value {
        Value::Null => false,
        Value::Str(s) => !s.is_empty(),
        _ => true,
    }
}

/// The text of a value that is present: text, and not empty.
fn present_text<'a>(value: &'a Value<'_>) -> Option<&'a str> {
    value.as_str().filter(|s| !s.is_empty())
}

#[cfg(test)]
mod tests;
