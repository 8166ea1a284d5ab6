-- The registry of models, one row per provider, model asked for and model that answered.
--
-- provider: Model provider, lower case.
-- request_model: Model that was asked for.
-- response_model: Model that answered.
-- kinds: JSON array of what it was called for: llm, embedding and so on.
-- agents: JSON array of the agents that call it.
-- first_seen: Start of the first run with it.
-- last_seen: Start of the last run with it.
-- runs [runs]: Runs that call it.
-- calls [calls]: Calls, each once.
-- errors [calls]: Calls that failed.
-- calls_without_usage [calls]: Calls that recorded no tokens.
-- duration_ns [ns]: Sum of the calls' durations.
-- input_tokens [tokens]: Input tokens, cache reads and writes included.
-- output_tokens [tokens]: Output tokens, reasoning included.
-- cache_read_tokens [tokens]: Input tokens read from caches.
-- cache_write_tokens [tokens]: Input tokens written to caches.
-- reasoning_tokens [tokens]: Part of output_tokens spent on reasoning.
-- total_tokens [tokens]: All tokens.
-- reported_cost_usd [USD]: Cost that sources reported.
SELECT provider, request_model, response_model, json_names(kind) AS kinds, json_names(agent_name) AS agents,
       min(run_start_time) AS first_seen, max(run_start_time) AS last_seen, count(DISTINCT trace_id) AS runs,
       sum(calls) AS calls, sum(errors) AS errors, sum(calls_without_usage) AS calls_without_usage,
       sum(duration_ns) AS duration_ns, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
       sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_tokens) AS cache_write_tokens,
       sum(reasoning_tokens) AS reasoning_tokens, sum(total_tokens) AS total_tokens,
       sum(reported_cost_usd) AS reported_cost_usd
FROM usage
WHERE request_model IS NOT NULL OR response_model IS NOT NULL
GROUP BY provider, request_model, response_model
