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
-- input_tokens [tokens]: Input tokens, cache reads and writes included.
-- output_tokens [tokens]: Output tokens, reasoning included.
-- cache_read_tokens [tokens]: Input tokens read from the provider's cache.
-- cache_write_tokens [tokens]: Input tokens written to the provider's cache.
-- cache_write_1h_tokens [tokens]: Part of cache_write_tokens written with a lifetime of one hour.
-- reasoning_tokens [tokens]: Part of output_tokens spent on reasoning.
-- total_tokens [tokens]: All tokens.
-- usage_counted: Whether these tokens are the ones that sums count; NULL without tokens.
-- reported_cost_usd [USD]: Cost that the source itself reported.
-- cost_counted: Whether that cost is the one that sums count; NULL without it.
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
       failed, error_type, status_message AS error_message, finish_reasons, input_tokens, output_tokens, cache_read_tokens,
       cache_write_tokens, cache_write_1h_tokens, reasoning_tokens, total_tokens, usage_counted, reported_cost_usd,
       cost_counted, temperature, max_tokens, prompt_name, prompt_version, response_id, service_name, environment,
       system_prompt, input, output
FROM spans
WHERE kind = 'llm' AND step IS NOT NULL
