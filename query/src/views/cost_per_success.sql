-- What each success costs, one row per workflow: the cost of all runs, failures too, over the runs that succeeded. Here a
-- run succeeds when its outcome is completed; cost_per_success(...) takes other conditions.
--
-- workflow: Workflow, else the name of the root span.
-- runs [runs]: Runs.
-- successful_runs [runs]: Runs that succeeded.
-- success_rate: Their share.
-- cost_usd [USD]: Cost of all runs as far as it is known; NULL when nothing of it is.
-- cost_per_run_usd [USD]: Cost over runs; NULL when the cost is incomplete.
-- cost_per_success_usd [USD]: Cost over successful runs; NULL without one, and when the cost is incomplete.
-- failed_cost_usd [USD]: Part of cost_usd that runs without success cost.
-- reported_cost_usd [USD]: Part of cost_usd that sources reported.
-- cost_complete: Whether nothing is missing from cost_usd.
-- unpriced_spans [spans]: Spans without a price, and model calls of which nothing is known.
-- unpriced_tokens [tokens]: Tokens without a price.
SELECT workflow, runs, successful_runs, CAST(successful_runs AS DOUBLE) / runs AS success_rate, cost_usd,
       CASE WHEN cost_complete THEN usd_per(cost_usd, runs) END AS cost_per_run_usd,
       CASE WHEN cost_complete THEN usd_per(cost_usd, successful_runs) END AS cost_per_success_usd,
       failed_cost_usd, reported_cost_usd, cost_complete, unpriced_spans, unpriced_tokens
FROM (
    SELECT coalesce(workflow_name, root_name) AS workflow, count(*) AS runs,
           count(*) FILTER (WHERE outcome = 'completed') AS successful_runs,
           CAST(sum(cost_usd) AS DECIMAL(38, 12)) AS cost_usd,
           CAST(sum(cost_usd) FILTER (WHERE outcome <> 'completed') AS DECIMAL(38, 12)) AS failed_cost_usd,
           CAST(sum(reported_cost_usd) AS DECIMAL(38, 12)) AS reported_cost_usd,
           bool_and(cost_complete) AS cost_complete, sum(unpriced_spans) AS unpriced_spans,
           sum(unpriced_tokens) AS unpriced_tokens
    FROM cost_per_run
    GROUP BY coalesce(workflow_name, root_name)
)
