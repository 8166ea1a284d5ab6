-- What each session cost, one row per session; runs without one are in the row whose session_id is NULL.
--
-- session_id: Session that the runs name.
-- runs [runs]: Runs.
-- start_time: First start of a run.
-- end_time: Last end of a run.
-- llm_calls [calls]: LLM calls.
-- input_tokens [tokens]: Input tokens, cache reads and writes included.
-- output_tokens [tokens]: Output tokens, reasoning included.
-- total_tokens [tokens]: All tokens.
-- cost_usd [USD]: Cost as far as it is known; NULL when nothing of it is.
-- reported_cost_usd [USD]: Part of cost_usd that sources reported.
-- cost_complete: Whether nothing is missing from cost_usd.
-- unpriced_spans [spans]: Spans without a price, and model calls of which nothing is known.
-- unpriced_tokens [tokens]: Tokens without a price.
SELECT session_id, count(*) AS runs, min(start_time) AS start_time,
       max(end_time) AS end_time, sum(llm_calls) AS llm_calls, sum(input_tokens) AS input_tokens,
       sum(output_tokens) AS output_tokens, sum(total_tokens) AS total_tokens,
       CAST(sum(cost_usd) AS DECIMAL(38, 12)) AS cost_usd,
       CAST(sum(reported_cost_usd) AS DECIMAL(38, 12)) AS reported_cost_usd, bool_and(cost_complete) AS cost_complete,
       sum(unpriced_spans) AS unpriced_spans, sum(unpriced_tokens) AS unpriced_tokens
FROM cost_per_run
GROUP BY session_id
