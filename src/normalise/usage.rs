//! Token counts in one meaning: input with cached tokens, output with reasoning tokens.

use super::convert::object;
use super::kind::Kind;
use super::{Cell, Row, col};
use crate::model::{Attributes, Value};

/// Google's agent kit counts reasoning twice in its output when the model is not Google's own.
const ADDS_REASONING_TWICE: &str = "gcp.vertex.agent";

/// Claude Code writes down what the API said, which counts cached input apart.
const COUNTS_CACHE_APART: &str = "claude_code";

/// Columns that say how much was used.
const COLUMNS: [usize; 11] = [
    col::INPUT_TOKENS,
    col::OUTPUT_TOKENS,
    col::CACHE_READ_TOKENS,
    col::CACHE_WRITE_TOKENS,
    col::CACHE_WRITE_1H_TOKENS,
    col::REASONING_TOKENS,
    col::INPUT_AUDIO_TOKENS,
    col::INPUT_IMAGE_TOKENS,
    col::OUTPUT_AUDIO_TOKENS,
    col::TOTAL_TOKENS,
    col::REPORTED_COST_USD,
];

/// Empties every usage column, for records whose usage another span reports.
pub(crate) fn discard(row: &mut Row<'_>, mut converted: impl FnMut(usize)) {
    for column in COLUMNS {
        row.set(column, Cell::Null);
        converted(column);
    }
}

/// Converts counts that the source keeps apart, and fills what follows from the others. `details` is the attribute
/// that the input count came from. Calls `converted` with every column that no longer holds what the source said.
pub(crate) fn finish(
    scope: &str,
    kind: Kind,
    details: Option<&Value<'_>>,
    row: &mut Row<'_>,
    mut converted: impl FnMut(usize),
) {
    let mut added_twice = false;
    if let (Some(output), Some(reasoning)) = (row.int(col::OUTPUT_TOKENS), row.int(col::REASONING_TOKENS))
        && scope == ADDS_REASONING_TWICE
        && (0..=output).contains(&reasoning)
        && !model(row).contains("gemini")
    {
        row.set(col::OUTPUT_TOKENS, Cell::Int(output - reasoning));
        converted(col::OUTPUT_TOKENS);
        added_twice = true;
    }
    if let Some((input, output)) = details.and_then(object).as_ref().and_then(disjoint) {
        row.set(col::INPUT_TOKENS, Cell::Int(input));
        if row.is_set(col::OUTPUT_TOKENS) {
            row.set(col::OUTPUT_TOKENS, Cell::Int(output));
        }
        row.set_str(col::USAGE_CONVENTION, "exclusive");
    } else if let Some(input) = row.int(col::INPUT_TOKENS) {
        let read = row.int(col::CACHE_READ_TOKENS).unwrap_or(0).max(0);
        let written = row.int(col::CACHE_WRITE_TOKENS).unwrap_or(0).max(0);
        // Cached tokens are a part of an inclusive input; when they exceed it, the source counted them apart.
        match read.checked_add(written) {
            Some(cached) if cached > input || scope == COUNTS_CACHE_APART => {
                if let Some(inclusive) = input.checked_add(cached) {
                    row.set(col::INPUT_TOKENS, Cell::Int(inclusive));
                    converted(col::INPUT_TOKENS);
                    row.set_str(col::USAGE_CONVENTION, "exclusive");
                }
            }
            _ => row.set_str(col::USAGE_CONVENTION, "inclusive"),
        }
    }
    if added_twice {
        row.set_str(col::USAGE_CONVENTION, "reasoning_twice");
    }
    // Embeddings put out no tokens, whether the source says so or not.
    let output = row.int(col::OUTPUT_TOKENS).or((kind == Kind::Embedding).then_some(0));
    if !row.is_set(col::TOTAL_TOKENS)
        && let (Some(input), Some(output)) = (row.int(col::INPUT_TOKENS), output)
        && let Some(total) = input.checked_add(output)
    {
        row.set(col::TOTAL_TOKENS, Cell::Int(total));
    }
}

/// Parts of the input beside `input` whose names do not begin with `input_`.
const OTHER_INPUT_PARTS: [&str; 2] = ["cache_read_input_tokens", "cache_creation_input_tokens"];

/// Whole input and output of a usage object with the keys `input` and `output` whose other keys, such as
/// `input_cache_read` and `output_reasoning`, are not parts of those two but come on top.
///
/// The total says so if there is one; otherwise only the names that Langfuse's own LangChain callback uses do.
fn disjoint(usage: &Value<'_>) -> Option<(i64, i64)> {
    let Value::Map(usage) = usage else { return None };
    let (input, output) = (count(usage, "input")?, count(usage, "output").unwrap_or(0));
    let (mut more_input, mut more_output, mut named) = (0i64, 0i64, false);
    for (key, value) in usage {
        let Value::Int(n @ 0..) = *value else { continue };
        let key = key.as_ref();
        if (key.starts_with("input_") && key != "input_tokens") || OTHER_INPUT_PARTS.contains(&key) {
            more_input = more_input.checked_add(n)?;
        } else if key.starts_with("output_") && key != "output_tokens" {
            more_output = more_output.checked_add(n)?;
        }
        named |= matches!(key, "input_cache_read" | "output_reasoning");
    }
    let (whole_input, whole_output) = (input.checked_add(more_input)?, output.checked_add(more_output)?);
    let apart = match count(usage, "total") {
        Some(total) if total == input.checked_add(output)? => false,
        Some(total) => named || total == whole_input.checked_add(whole_output)?,
        None => named,
    };
    apart.then_some((whole_input, whole_output))
}

fn count(usage: &Attributes<'_>, key: &str) -> Option<i64> {
    usage.iter().find(|(k, _)| k == key).and_then(|(_, v)| match v {
        Value::Int(n @ 0..) => Some(*n),
        _ => None,
    })
}

fn model<'r>(row: &'r Row<'_>) -> &'r str {
    row.text(col::RESPONSE_MODEL).or_else(|| row.text(col::REQUEST_MODEL)).unwrap_or_default()
}
