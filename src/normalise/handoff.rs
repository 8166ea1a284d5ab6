//! Tool calls by which one agent hands over to another.

use std::borrow::Cow;

use super::convert::first_field;
use super::{Cell, Row, col, present_text};
use crate::model::{Span, Value};

/// Tool names that only ever mean a handoff.
const NAMES: [&str; 5] = [
    "handoff",
    "Delegate work to coworker",
    "Ask question to coworker",
    "delegate_work_to_coworker",
    "ask_question_to_coworker",
];
/// Beginnings of tool names that are followed by the agent that takes over.
const PREFIXES: [&str; 2] = ["transfer_to_", "handoff to "];
/// Agent kit tool whose target is in its arguments, unlike what its name looks like.
const GENERIC_TRANSFER: &str = "transfer_to_agent";
/// Where the arguments of a handoff tool name the target.
const TARGET_ARGUMENTS: [&str; 6] =
    ["to_agent", "coworker", "agent_name", "kwargs.to_agent", "kwargs.coworker", "kwargs.agent_name"];

fn tool_name<'a>(span: &'a Span<'_>) -> &'a str {
    let named = ["gen_ai.tool.name", "tool.name", "ai.toolCall.name"]
        .iter()
        .find_map(|key| span.attributes.iter().filter(|(k, _)| k == key).find_map(|(_, v)| present_text(v)));
    let name = named.unwrap_or(&span.name);
    let name = name.strip_prefix("execute_tool ").unwrap_or(name);
    name.strip_suffix(".run").unwrap_or(name)
}

/// Whether a tool span is a handoff.
pub(crate) fn is_handoff(span: &Span<'_>) -> bool {
    let name = tool_name(span);
    NAMES.contains(&name) || PREFIXES.iter().any(|p| name.len() > p.len() && name.starts_with(p))
}

/// Fills who handed over to whom.
pub(crate) fn fill<'a>(span: &'a Span<'_>, row: &mut Row<'a>) {
    let name = tool_name(span);
    let suffix = PREFIXES.iter().find_map(|p| name.strip_prefix(p)).filter(|_| name != GENERIC_TRANSFER);
    if !row.is_set(col::HANDOFF_TO) {
        let target = suffix.map(Cow::Borrowed).or_else(|| {
            let arguments = Value::Str(Cow::Borrowed(row.text(col::TOOL_ARGS)?));
            match first_field(&arguments, &TARGET_ARGUMENTS)? {
                Value::Str(s) => Some(s),
                _ => None,
            }
        });
        if let Some(target) = target {
            row.set(col::HANDOFF_TO, Cell::Text(target));
        }
    }
    // The agents SDK writes the two agents' names as input and output of the span.
    if !row.is_set(col::HANDOFF_FROM)
        && suffix.is_some()
        && suffix == row.text(col::TOOL_RESULT)
        && let Some(from) = row.text(col::TOOL_ARGS)
    {
        let from = from.to_owned();
        row.set(col::HANDOFF_FROM, Cell::Text(Cow::Owned(from)));
    }
}
