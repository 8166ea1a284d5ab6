//! Who handed over to whom.
//!
//! The target is what the span says: its own columns, the end of the tool's name, an argument. Where it says nothing
//! the next run of an agent tells. The source is what the span says, else the agent that acted, else the agent that
//! was handed to or ran last before it.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::agents::Agents;
use super::calls::same_name;
use super::canonical::Canonicaliser;
use super::structure::NONE;
use super::view::SpanRow;
use crate::normalise::Kind;

/// Tools by which an agent has a coworker do something and waits for it.
pub(super) const DELEGATIONS: [&str; 2] = ["Delegate work to coworker", "Ask question to coworker"];

/// Beginnings of tool names that are followed by the agent that takes over.
const PREFIXES: [&str; 2] = ["transfer_to_", "handoff to "];
/// A tool whose target is in its arguments, unlike what its name looks like.
const GENERIC_TRANSFER: &str = "transfer_to_agent";
/// Arguments that name the target.
const TARGET_ARGUMENTS: [&str; 3] = ["to_agent", "coworker", "agent_name"];

/// The target that the span itself tells.
pub(super) fn told_target<'a>(row: &SpanRow<'a>, canonical: &mut Canonicaliser) -> Option<Cow<'a, str>> {
    let suffix = || {
        let name = row.tool_name.unwrap_or(row.name);
        let suffix = PREFIXES.iter().find_map(|p| name.strip_prefix(p));
        suffix.filter(|s| !s.is_empty() && name != GENERIC_TRANSFER)
    };
    row.handoff_to
        .or_else(suffix)
        .map(Cow::Borrowed)
        .or_else(|| canonical.argument(row.tool_args?, &TARGET_ARGUMENTS).map(Cow::Owned))
}

/// Source and target of one handoff.
#[derive(Debug, Clone)]
pub(super) struct Ends<'a> {
    pub(super) row: u32,
    pub(super) from: Option<Cow<'a, str>>,
    pub(super) to: Option<Cow<'a, str>>,
}

/// Finds source and target of every handoff that is no duplicate, in order of the rows.
pub(super) fn decide<'a>(
    rows: &[SpanRow<'a>],
    agents: &Agents,
    duplicate_of: &[u32],
    canonical: &mut Canonicaliser,
) -> Vec<Ends<'a>> {
    if !rows.iter().any(|r| r.kind == Kind::Handoff) {
        return Vec::new();
    }
    // Agents by their plain names, so that `transfer_to_order_desk` leads to the agent `Order Desk`.
    let mut spelling: HashMap<String, Cow<'a, str>, RandomState> = HashMap::default();
    let mut next_run = vec![NONE; rows.len()];
    let mut next = NONE;
    for i in (0..rows.len()).rev() {
        next_run[i] = next;
        if agents.is_run[i] {
            next = i as u32;
            if let Some(name) = agents.actor[i].name(rows, canonical) {
                // Going backwards, the first spelling is the one that stays.
                spelling.insert(plain(&name), name);
            }
        }
    }
    let as_given = |name: Cow<'a, str>| spelling.get(&plain(&name)).cloned().unwrap_or(name);
    let mut ends = Vec::new();
    let mut last: Option<Cow<'a, str>> = None;
    for (i, row) in rows.iter().enumerate() {
        if agents.is_run[i] {
            last = agents.actor[i].name(rows, canonical);
        }
        if row.kind != Kind::Handoff || duplicate_of[i] != NONE {
            continue;
        }
        let from = row
            .handoff_from
            .map(Cow::Borrowed)
            .or_else(|| agents.actor[i].name(rows, canonical))
            .or_else(|| last.clone())
            .map(as_given);
        let to = match told_target(row, canonical) {
            Some(to) => Some(as_given(to)),
            None if next_run[i] == NONE => None,
            None => agents.actor[next_run[i] as usize]
                .name(rows, canonical)
                .filter(|to| from.as_ref().is_none_or(|from| !same_name(from, to))),
        };
        if to.is_some() {
            last.clone_from(&to);
        }
        ends.push(Ends { row: i as u32, from, to });
    }
    ends
}

/// A name without what spellings differ in.
fn plain(name: &str) -> String {
    name.chars().map(|c| if matches!(c, ' ' | '-') { '_' } else { c.to_ascii_lowercase() }).collect()
}
