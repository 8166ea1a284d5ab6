-- Calls to language models, one row each: spans that merely wrap a call or record it again are left out.
--
-- trace_id: Trace, and id of the run.
-- span_id: Span that records the call.
-- parent_span_id: Its parent span.
-- step: Number of the step in the run, from 1.
-- agent_name: Agent at work.
-- agent_version: Its version.
-- name: Span name.
-- provider: Model provider, lower case.
-- request_model: Model that was asked for.
-- response_model: Model that answered.
-- service_tier: Provider's service tier.
-- start_time: When the call started.
-- end_time: When it ended.
-- duration_ns [ns]: end_time minus start_time.
-- ttft_ns [ns]: Time to the first token or chunk.
-- status: unset, ok or error.
-- failed: Whether it failed, as its span or one that records the same call tells.
-- error_type: Class of the error.
-- error_message: Description that came with the status.
-- finish_reasons: JSON array of finish reasons.
-- input_tokens [tokens]: Input tokens where they count, cache reads and writes included; so are the other counts.
-- output_tokens [tokens]: Output tokens, reasoning included.
-- cache_read_tokens [tokens]: Input tokens read from the provider's cache.
-- cache_write_tokens [tokens]: Input tokens written to the provider's cache.
-- cache_write_1h_tokens [tokens]: Part of cache_write_tokens written with a lifetime of one hour.
-- reasoning_tokens [tokens]: Part of output_tokens spent on reasoning.
-- total_tokens [tokens]: All tokens.
-- usage_counted: Whether the tokens of this span count: false when a span below it has them, NULL without tokens.
-- reported_cost_usd [USD]: Cost that the source itself reported, where it counts.
-- cost_counted: Whether the cost of this span counts; NULL without it.
-- cost_basis: What the span contributes to the cost of its run: computed, reported and so on; see spans.
-- cost_usd [USD]: What it adds to the cost of its run; NULL when that is unknown, or another span pays for it.
-- price_source: reported by the source, user or bundled prices; NULL without a cost.
-- price_key: Provider and model in the price book, as in openai/gpt-5.
-- match_kind: How the model's name led to that price.
-- price_valid_from: Since when that price holds; NULL when ever since.
-- unpriced_reason: Why its tokens have no price.
-- temperature: Sampling temperature.
-- max_tokens [tokens]: Requested output limit.
-- prompt_name: Name of the prompt template.
-- prompt_version: Version of the prompt template.
-- response_id: Provider's id of the response.
-- service_name: Service that called.
-- environment: Deployment environment.
-- system_prompt: System instructions, when recorded apart from the input.
-- input: Input: messages as JSON, or text.
-- output: Output: messages as JSON, or text.
SELECT trace_id, span_id, parent_span_id, step, run_agent AS agent_name, run_agent_version AS agent_version, name,
       provider, request_model, response_model, service_tier, start_time, end_time, duration_ns, ttft_ns, status,
       failed, error_type, coalesce(status_message, error_message) AS error_message, finish_reasons,
       CASE WHEN usage_counted THEN input_tokens END AS input_tokens,
       CASE WHEN usage_counted THEN output_tokens END AS output_tokens,
       CASE WHEN usage_counted THEN cache_read_tokens END AS cache_read_tokens,
       CASE WHEN usage_counted THEN cache_write_tokens END AS cache_write_tokens,
       CASE WHEN usage_counted THEN cache_write_1h_tokens END AS cache_write_1h_tokens,
       CASE WHEN usage_counted THEN reasoning_tokens END AS reasoning_tokens,
       CASE WHEN usage_counted THEN total_tokens END AS total_tokens,
       usage_counted, CASE WHEN cost_counted THEN reported_cost_usd END AS reported_cost_usd, cost_counted,
       cost_basis,
       CASE WHEN cost_basis IN ('reported', 'covering') THEN reported_cost_usd ELSE price['cost_usd'] END AS cost_usd,
       CASE WHEN cost_basis IN ('reported', 'covering') THEN 'reported' ELSE price['price_source'] END AS price_source,
       price['price_key'] AS price_key, price['match_kind'] AS match_kind,
       price['price_valid_from'] AS price_valid_from,
       CASE WHEN cost_basis IN ('incomplete', 'inconsistent') THEN concat(cost_basis, '_usage')
            ELSE price['unpriced_reason'] END AS unpriced_reason,
       temperature, max_tokens, prompt_name, prompt_version, response_id, service_name, environment,
       system_prompt, input, output
FROM (
    SELECT *, CASE WHEN cost_basis = 'computed' THEN price_call(
               response_model, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
               cache_write_1h_tokens, reasoning_tokens, input_audio_tokens, input_image_tokens, output_audio_tokens,
               request_model, provider, service_tier, start_time) END AS price
    FROM spans
    WHERE kind = 'llm' AND step IS NOT NULL
)
