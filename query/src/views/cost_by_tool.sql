-- What each tool cost, one row per tool: the model calls that read its results, and what it reported itself. The cost of
-- a model call is divided evenly among the tool calls that its agent made since its model call before; where there were
-- none, it is in the row whose tool_name is NULL. So the sum over the rows is the sum over the runs.
--
-- tool_name: Tool; NULL for model calls that no tool call came before.
-- runs [runs]: Runs.
-- calls [calls]: Tool calls.
-- shares: Shares in model calls: one per tool call that a model call read the result of.
-- llm_cost_usd [USD]: Its shares of the cost of model calls.
-- tool_cost_usd [USD]: Cost that the tool itself reported.
-- cost_usd [USD]: Both together as far as they are known; NULL when nothing is.
-- reported_cost_usd [USD]: Part of cost_usd that sources reported.
-- cost_complete: Whether nothing is missing from cost_usd.
-- unpriced_spans [spans]: Spans without a price; one that several tools share counts for each.
-- unpriced_tokens [tokens]: Tokens without a price; those that several tools share count for each.
SELECT tool_name, sum(runs) AS runs, sum(calls) AS calls, sum(shares) AS shares,
       CAST(sum(llm_cost_usd) AS DECIMAL(38, 12)) AS llm_cost_usd,
       CAST(sum(tool_cost_usd) AS DECIMAL(38, 12)) AS tool_cost_usd,
       CAST(sum(cost_usd) AS DECIMAL(38, 12)) AS cost_usd,
       CAST(sum(reported_cost_usd) AS DECIMAL(38, 12)) AS reported_cost_usd, bool_and(cost_complete) AS cost_complete,
       sum(unpriced_spans) AS unpriced_spans, sum(unpriced_tokens) AS unpriced_tokens
FROM tool_costs
GROUP BY tool_name
