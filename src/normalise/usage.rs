//! Token counts in one meaning: input with cached tokens, output with reasoning tokens.

use super::kind::Kind;
use super::{Cell, Row, col};

/// Google's agent kit counts reasoning twice in its output when the model is not Google's own.
const ADDS_REASONING_TWICE: &str = "gcp.vertex.agent";

/// Converts counts that the source keeps apart, and fills what follows from the others. Calls `converted` with every
/// column that no longer holds what the source said.
pub(crate) fn finish(scope: &str, kind: Kind, row: &mut Row<'_>, mut converted: impl FnMut(usize)) {
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
    if let Some(input) = row.int(col::INPUT_TOKENS) {
        let read = row.int(col::CACHE_READ_TOKENS).unwrap_or(0).max(0);
        let written = row.int(col::CACHE_WRITE_TOKENS).unwrap_or(0).max(0);
        // Cached tokens are a part of an inclusive input; when they exceed it, the source counted them apart.
        match read.checked_add(written) {
            Some(cached) if cached > input => {
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

fn model<'r>(row: &'r Row<'_>) -> &'r str {
    row.text(col::RESPONSE_MODEL).or_else(|| row.text(col::REQUEST_MODEL)).unwrap_or_default()
}
