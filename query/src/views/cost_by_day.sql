-- What each day cost, one row per day on which model calls started.
--
-- day: Day, UTC.
-- runs [runs]: Runs.
-- calls [calls]: Model calls and other calls that cost something, each once.
-- input_tokens [tokens]: Input tokens, cache reads and writes included.
-- output_tokens [tokens]: Output tokens, reasoning included.
-- cache_read_tokens [tokens]: Input tokens read from caches.
-- cache_write_tokens [tokens]: Input tokens written to caches.
-- reasoning_tokens [tokens]: Part of output_tokens spent on reasoning.
-- total_tokens [tokens]: All tokens.
-- cost_usd [USD]: Cost as far as it is known; NULL when nothing of it is.
-- reported_cost_usd [USD]: Part of cost_usd that sources reported.
-- cost_complete: Whether nothing is missing from cost_usd.
-- unpriced_spans [spans]: Spans without a price, and model calls of which nothing is known.
-- unpriced_tokens [tokens]: Tokens without a price.
SELECT day, sum(runs_of_day) AS runs, sum(calls) AS calls,
       sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
       sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_tokens) AS cache_write_tokens,
       sum(reasoning_tokens) AS reasoning_tokens, sum(total_tokens) AS total_tokens,
       CAST(sum(cost_usd) AS DECIMAL(38, 12)) AS cost_usd,
       CAST(sum(reported_cost_usd) AS DECIMAL(38, 12)) AS reported_cost_usd, bool_and(cost_complete) AS cost_complete,
       sum(unpriced_spans) AS unpriced_spans, sum(unpriced_tokens) AS unpriced_tokens
FROM usage_costs
GROUP BY day
