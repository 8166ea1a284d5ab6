//! Tables of costs: no segment stores them, they are made from roll-ups and a price book.

use super::{Class::*, Column, Origin::*, col};

/// Columns about what prices a row has, shared by tables of costs.
macro_rules! money {
    () => {
        [
            col("cost_usd", Usd, true, Computed, "USD", "Cost as far as it is known; NULL when nothing of it is."),
            col("reported_cost_usd", Usd, true, Computed, "USD", "Part of cost_usd that sources reported."),
            col("cost_complete", Flag, false, Computed, "", "Whether nothing is missing from cost_usd."),
            col(
                "unpriced_spans",
                Count,
                false,
                Computed,
                "spans",
                "Spans without a price, and model calls of which nothing is known.",
            ),
            col("unpriced_tokens", Count, true, Computed, "tokens", "Tokens without a price; NULL beyond 64 bits."),
        ]
    };
}

/// Joins lists of columns.
const fn joined<const A: usize, const B: usize, const N: usize>(a: [Column; A], b: [Column; B]) -> [Column; N] {
    assert!(A + B == N);
    let mut out = [a[0]; N];
    let mut i = 0;
    while i < N {
        out[i] = if i < A { a[i] } else { b[i - A] };
        i += 1;
    }
    out
}

/// Columns of `run_costs`, one row per run.
pub static RUN_COSTS: &[Column] = &joined::<22, 5, 27>(
    [
        col("trace_id", TraceId, false, Raw, "", "Trace, and id of the run."),
        col("root_name", Label, true, Derived, "", "Name of the root span."),
        col("workflow_name", Label, true, Derived, "", "Workflow, crew or graph that ran."),
        col("agents", Label, true, Derived, "", "JSON array of the agents, in order of first work."),
        col("session_id", Key, true, Derived, "", "Session that the run belongs to."),
        col("user_id", Key, true, Derived, "", "End user."),
        col("service_name", Label, true, Derived, "", "Service that ran it."),
        col("environment", Label, true, Derived, "", "Deployment environment."),
        col("outcome", Label, false, Derived, "", "completed, failed or incomplete."),
        col("status", Label, true, Derived, "", "Status of the root span: unset, ok or error; NULL without a root."),
        col("start_time", Time, false, Derived, "", "First start of its spans."),
        col("end_time", Time, true, Derived, "", "Last end of its spans."),
        col("duration_ns", Int, true, Computed, "ns", "end_time minus start_time."),
        col("spans", Count, false, Derived, "spans", "Spans."),
        col("steps", Count, false, Derived, "steps", "LLM calls, tool calls, retrievals and handoffs."),
        col("llm_calls", Count, false, Derived, "calls", "LLM calls."),
        col("tool_calls", Count, false, Derived, "calls", "Tool calls."),
        col("errors", Count, false, Derived, "spans", "Failures, each where it began."),
        col("retries", Count, false, Derived, "steps", "Steps that repeat a failed one."),
        col("input_tokens", Count, true, Derived, "tokens", "Input tokens, cache reads and writes included."),
        col("output_tokens", Count, true, Derived, "tokens", "Output tokens, reasoning included."),
        col("total_tokens", Count, true, Derived, "tokens", "All tokens."),
    ],
    money!(),
);

const APPLIED: [Column; 5] = [
    col(
        "price_source",
        Label,
        true,
        Computed,
        "",
        "Where the cost is from: reported by the source, user or bundled prices; NULL without a cost.",
    ),
    col("price_key", Label, true, Computed, "", "Provider and model whose price applied, as in openai/gpt-5."),
    col("match_kind", Label, true, Computed, "", "How the model's name led to that price."),
    col("price_valid_from", Time, true, Computed, "", "Since when that price holds; NULL when ever since."),
    col("unpriced_reason", Label, true, Computed, "", "Why there is no cost."),
];

/// Columns of `usage_costs`, one row per day, agent, workflow, kind, model, service tier and price.
pub static USAGE_COSTS: &[Column] = &joined::<31, 5, 36>(
    joined::<14, 17, 31>(
        joined::<9, 5, 14>(
            [
                col("day", Day, false, Derived, "", "Day of the calls, UTC."),
                col("agent_name", Label, true, Derived, "", "Agent at work."),
                col("agent_version", Label, true, Derived, "", "Its version."),
                col("workflow_name", Label, true, Derived, "", "Workflow, crew or graph."),
                col("kind", Label, true, Derived, "", "Kind of the spans."),
                col("provider", Label, true, Derived, "", "Model provider."),
                col("request_model", Label, true, Derived, "", "Model that was asked for."),
                col("response_model", Label, true, Derived, "", "Model that answered."),
                col("service_tier", Label, true, Derived, "", "Provider's service tier."),
            ],
            APPLIED,
        ),
        [
            col("runs_of_agent", Count, false, Derived, "runs", "For sums by agent: runs that no other row counts."),
            col(
                "runs_of_agent_version",
                Count,
                false,
                Derived,
                "runs",
                "For sums by agent and version: runs that no other row counts.",
            ),
            col(
                "runs_of_workflow",
                Count,
                false,
                Derived,
                "runs",
                "For sums by workflow: runs that no other row counts.",
            ),
            col(
                "runs_of_model",
                Count,
                false,
                Derived,
                "runs",
                "For sums by provider and models: runs that no other row counts.",
            ),
            col("runs_of_day", Count, false, Derived, "runs", "For sums by day: runs that no other row counts."),
            col("calls", Count, false, Derived, "calls", "Calls, each once."),
            col("counted_spans", Count, false, Derived, "spans", "Spans whose tokens or reported cost count."),
            col("input_tokens", Count, true, Derived, "tokens", "Input tokens, cache reads and writes included."),
            col("output_tokens", Count, true, Derived, "tokens", "Output tokens, reasoning included."),
            col("cache_read_tokens", Count, true, Derived, "tokens", "Input tokens read from caches."),
            col("cache_write_tokens", Count, true, Derived, "tokens", "Input tokens written to caches."),
            col("cache_write_1h_tokens", Count, true, Derived, "tokens", "Part of them written for an hour."),
            col("reasoning_tokens", Count, true, Derived, "tokens", "Part of output_tokens spent on reasoning."),
            col("input_audio_tokens", Count, true, Derived, "tokens", "Part of input_tokens that is audio."),
            col("input_image_tokens", Count, true, Derived, "tokens", "Part of input_tokens that is images."),
            col("output_audio_tokens", Count, true, Derived, "tokens", "Part of output_tokens that is audio."),
            col("total_tokens", Count, true, Derived, "tokens", "All tokens."),
        ],
    ),
    money!(),
);

/// Columns of `bucket_costs`, one row per model, service tier, price and bucket of tokens.
pub static BUCKET_COSTS: &[Column] = &joined::<12, 5, 17>(
    joined::<9, 3, 12>(
        joined::<4, 5, 9>(
            [
                col("provider", Label, true, Derived, "", "Model provider."),
                col("request_model", Label, true, Derived, "", "Model that was asked for."),
                col("response_model", Label, true, Derived, "", "Model that answered."),
                col("service_tier", Label, true, Derived, "", "Provider's service tier."),
            ],
            APPLIED,
        ),
        [
            col(
                "bucket",
                Label,
                false,
                Computed,
                "",
                "What was paid for: input, cache_read, cache_write, cache_write_1h, output, reasoning and so on, which do not overlap; reported for costs that sources reported, unpriced for what has no price.",
            ),
            col("calls", Count, false, Derived, "calls", "Calls of that model, tier and price."),
            col("tokens", Count, true, Derived, "tokens", "Tokens in the bucket; calls, where it is requests."),
        ],
    ),
    money!(),
);

/// Columns of `tool_costs`, one row per tool.
pub static TOOL_COSTS: &[Column] = &joined::<6, 5, 11>(
    [
        col("tool_name", Label, true, Derived, "", "Tool; NULL for model calls that no tool call came before."),
        col("runs", Count, false, Derived, "runs", "Runs."),
        col("calls", Count, false, Derived, "calls", "Tool calls."),
        col(
            "shares",
            Count,
            false,
            Derived,
            "shares",
            "Shares in model calls: a model call is shared by the tool calls of its agent since its model call before.",
        ),
        col("llm_cost_usd", Usd, true, Computed, "USD", "Its shares of the cost of those model calls."),
        col("tool_cost_usd", Usd, true, Computed, "USD", "Cost that the tool itself reported."),
    ],
    money!(),
);

/// Columns of `cost_audit`, one row per span and reason.
pub static COST_AUDIT: &[Column] = &[
    col("trace_id", TraceId, false, Raw, "", "Trace, and id of the run."),
    col("span_id", SpanId, false, Raw, "", "Span."),
    col(
        "reason",
        Label,
        false,
        Computed,
        "",
        "Not counted: duplicate, same_response, parent_of_counted, reported_sum_of_calls, reported_cost_not_counted, paid_by_reported_cost, failed_without_usage. Not priced: no_model, unknown_provider, unknown_model, ambiguous_model, alias_without_model, no_price, not_valid_then, bucket_without_price, incomplete_usage, inconsistent_usage, no_usage and the like. In doubt: service_tier_without_price, ambiguous_convention, negative_cost, reported_zero_for_tokens.",
    ),
    col("cost_complete", Flag, false, Computed, "", "False where the cost of the run misses something because of it."),
    col(
        "unpriced_spans",
        Count,
        false,
        Computed,
        "spans",
        "1 where the span has no price, or nothing is known of the call.",
    ),
    col("unpriced_tokens", Count, false, Computed, "tokens", "Its tokens, where they have no price."),
    col("name", Label, true, Raw, "", "Name of the span."),
    col("kind", Label, true, Normalised, "", "Kind of the span."),
    col("agent_name", Label, true, Derived, "", "Agent at work."),
    col("provider", Label, true, Normalised, "", "Model provider."),
    col("request_model", Label, true, Normalised, "", "Model that was asked for."),
    col("response_model", Label, true, Normalised, "", "Model that answered."),
    col("service_tier", Label, true, Normalised, "", "Provider's service tier."),
    col("start_time", Time, false, Raw, "", "When the span started."),
    col("input_tokens", Int, true, Normalised, "tokens", "Its input tokens, counted or not."),
    col("output_tokens", Int, true, Normalised, "tokens", "Its output tokens, counted or not."),
    col("total_tokens", Int, true, Normalised, "tokens", "All its tokens, counted or not."),
    col(
        "residual_tokens",
        Int,
        true,
        Computed,
        "tokens",
        "What its total is above the counted spans below it: calls that were not recorded, perhaps.",
    ),
    col("reported_cost_usd", Usd, true, Normalised, "USD", "Cost that the span reported, counted or not."),
    col(
        "residual_cost_usd",
        Usd,
        true,
        Computed,
        "USD",
        "What the reported sum is above the cost of the counted spans below it; negative when it is less.",
    ),
    col("cost_usd", Usd, true, Computed, "USD", "What the span adds to the cost of its run; NULL when unknown."),
    col("price_key", Label, true, Computed, "", "Provider and model of the book, as far as it came."),
    col("duplicate_of", SpanId, true, Derived, "", "The span that records the same call and is counted."),
];

/// Columns of `loops` with what the waste costs: those of [`LOOPS`](super::LOOPS) but for the spans, which are in
/// [`LOOP_SPANS`].
pub static LOOP_COSTS: &[Column] = &{
    const STORED: usize = 19;
    let mut columns = [super::rollups::LOOP_NUMBER; STORED + 2];
    let mut i = 0;
    while i < STORED {
        // The cost stands between the tokens and the time.
        columns[if i < STORED - 2 { i } else { i + 2 }] = super::LOOPS[i];
        i += 1;
    }
    columns[STORED - 2] = col(
        "wasted_cost_usd",
        Usd,
        true,
        Computed,
        "USD",
        "Cost of those steps, as far as it is known; NULL when nothing of it is.",
    );
    columns[STORED - 1] = col("cost_complete", Flag, false, Computed, "", "Whether all that was wasted has a price.");
    columns
};

/// Columns of `loop_spans`: the spans of each loop.
pub static LOOP_SPANS: &[Column] = &[
    col("trace_id", TraceId, false, Raw, "", "Trace, and id of the run."),
    super::rollups::LOOP_NUMBER,
    col("repetition", Count, false, Derived, "", "Which period it belongs to, from 1; later ones are waste."),
    col("seq", Count, false, Derived, "", "Position of the span in its run, as in spans."),
    col(
        "call_index",
        Int,
        true,
        Derived,
        "",
        "Of a call that only the span's output tells of, its position there, from 0.",
    ),
];

/// Columns of `agent_runs`: what each agent did in each run.
pub static AGENT_RUNS: &[Column] = &joined::<25, 5, 30>(
    [
        col("trace_id", TraceId, false, Raw, "", "Trace, and id of the run."),
        col("agent_name", Label, true, Derived, "", "Agent at work."),
        col("agent_version", Label, true, Derived, "", "Its version; NULL where it has none, or several in one run."),
        col("workflow_name", Label, true, Derived, "", "Workflow, crew or graph; NULL where it worked in several."),
        col("root_name", Label, true, Derived, "", "Name of the root span."),
        col("session_id", Key, true, Derived, "", "Session that the run belongs to."),
        col("user_id", Key, true, Derived, "", "End user."),
        col("service_name", Label, true, Derived, "", "Service that ran it."),
        col("environment", Label, true, Derived, "", "Deployment environment."),
        col("outcome", Label, false, Derived, "", "Of the run: completed, failed or incomplete."),
        col("start_time", Time, false, Derived, "", "When the run started."),
        col("agents", Count, false, Derived, "agents", "Agents that worked in the run."),
        col("steps", Count, false, Derived, "steps", "Its LLM calls, tool calls, retrievals and handoffs."),
        col("llm_calls", Count, false, Derived, "calls", "Its LLM calls."),
        col("tool_calls", Count, false, Derived, "calls", "Its tool calls."),
        col("input_tokens", Count, true, Derived, "tokens", "Input tokens, cache reads and writes included."),
        col("output_tokens", Count, true, Derived, "tokens", "Output tokens, reasoning included."),
        col("cache_read_tokens", Count, true, Derived, "tokens", "Input tokens read from caches."),
        col("total_tokens", Count, true, Derived, "tokens", "All tokens."),
        col("duration_ns", Int, true, Derived, "ns", "Sum of the durations of its calls."),
        col("errors", Count, false, Derived, "calls", "Its calls that failed."),
        col(
            "retries",
            Count,
            true,
            Derived,
            "steps",
            "Steps that repeat a failed one; NULL where other agents worked in the run, for the run's count is of all.",
        ),
        col("loops", Count, false, Derived, "loops", "Its loops above severity info."),
        col("models", Label, true, Derived, "", "JSON object: its LLM calls by model."),
        col("tools", Label, true, Derived, "", "JSON object: its tool calls by tool."),
    ],
    money!(),
);
