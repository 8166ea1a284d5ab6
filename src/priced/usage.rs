//! Uses as `usage` holds them, those of a trace together.

use arrow::array::RecordBatch;

use super::Portion;
use super::pricer::{Pricer, Use, When};
use super::rows::{Tokens, of_kind};
use super::sums::Sums;
use crate::cells::{Day, Flag, Int, Text, Trace, Usd};
use crate::derive::CostBasis;
use crate::error::Result;
use crate::model::TraceId;
use crate::segment::Table;

/// Columns of `usage` that a use is made of.
pub(super) const OF_USAGE: [&str; 27] = [
    "trace_id",
    "agent_name",
    "agent_version",
    "workflow_name",
    "kind",
    "provider",
    "request_model",
    "response_model",
    "service_tier",
    "cost_basis",
    "day",
    "calls",
    "unaccounted_calls",
    "counted_spans",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "input_image_tokens",
    "output_audio_tokens",
    "total_tokens",
    "max_input_tokens",
    "reported_cost_usd",
    "overflowed",
];

fn count(column: &Int<'_>, row: usize) -> u64 {
    column.at(row).and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
}

/// The uses of a batch with the columns [`OF_USAGE`], with their traces and row numbers.
pub(super) fn uses_of(batch: &RecordBatch) -> impl Iterator<Item = (usize, TraceId, Use<'_>)> {
    let trace = Trace::of(batch, "trace_id");
    let tokens = Tokens::of(batch);
    let texts = [
        "agent_name",
        "agent_version",
        "workflow_name",
        "kind",
        "provider",
        "request_model",
        "response_model",
        "service_tier",
        "cost_basis",
    ]
    .map(|name| Text::of(batch, name));
    let (day, reported) = (Day::of(batch, "day"), Usd::of(batch, "reported_cost_usd"));
    let ints = ["calls", "unaccounted_calls", "counted_spans", "max_input_tokens"].map(|name| Int::of(batch, name));
    let overflowed = Flag::of(batch, "overflowed");
    (0..batch.num_rows()).filter_map(move |row| {
        let [agent, version, workflow, kind, provider, request, response, tier, basis] = &texts;
        let [calls, unaccounted, counted, max_input] = &ints;
        let used = Use {
            agent: agent.at(row),
            agent_version: version.at(row),
            workflow: workflow.at(row),
            kind: kind.at(row),
            provider: provider.at(row),
            request_model: request.at(row),
            response_model: response.at(row),
            service_tier: tier.at(row),
            basis: basis.at(row).and_then(CostBasis::of_name),
            when: When::Day(day.at(row).unwrap_or_default()),
            calls: count(calls, row),
            counted: match (basis.at(row), counted.at(row)) {
                (None, _) => 0,
                (_, None) => count(calls, row),
                (_, Some(n)) => u64::try_from(n).unwrap_or(0),
            },
            unaccounted: count(unaccounted, row),
            tokens: of_kind(tokens.at(row), kind.at(row)),
            total_tokens: tokens.total.at(row),
            max_input: max_input.at(row),
            reported: reported.at(row),
            overflowed: overflowed.at(row).unwrap_or(false),
        };
        Some((row, trace.at(row)?, used))
    })
}

/// Prices the rows of `usage`; returns the traces, sorted, whose sums do not decide what they cost.
pub(super) fn price(portion: &Portion, pricer: &mut Pricer<'_>, sums: &mut Sums) -> Result<Vec<TraceId>> {
    let mut undecided = Vec::new();
    // A trace's rows are contiguous, and may be cut by the end of a batch: what was priced of it waits for its rest.
    let mut open: Option<TraceId> = None;
    let mut spoiled = false;
    for batch in portion.read(Table::Usage, &OF_USAGE, None)? {
        for (_, id, used) in uses_of(&batch?) {
            if Some(id) != open {
                sums.end_trace(!spoiled);
                (open, spoiled) = (Some(id), false);
            }
            // Tools that nobody has to pay for are most of the rows.
            if spoiled || used.costs_nothing() {
                continue;
            }
            match pricer.price(&used) {
                Ok(outcome) => sums.add(id, &used, &outcome, pricer),
                Err(_) => {
                    undecided.push(id);
                    spoiled = true;
                }
            }
        }
    }
    sums.end_trace(!spoiled);
    undecided.sort_unstable();
    Ok(undecided)
}
