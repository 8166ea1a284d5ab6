-- What agents repeat, one row per agent, kind, severity and what repeats. The costliest are the first to look at.
--
-- agent_name: Agent; NULL when several took part, or none is named.
-- kind: Kind of the loops.
-- severity: high, warning or info.
-- repeated: JSON array of what repeats: tools, models, or agents of a ping-pong.
-- runs [runs]: Runs with such a loop.
-- run_share: Their share of the runs that the agent took part in, of all runs where agent_name is NULL.
-- loops: Loops.
-- steps [steps]: Steps of the loops.
-- most_repeats: Most periods of one loop.
-- wasted_tokens [tokens]: Tokens after the first period of each.
-- wasted_cost_usd [USD]: What they cost, as far as it is known.
-- cost_complete: Whether all that was wasted has a price.
-- wasted_ns [ns]: Time after the first period of each.
-- first_seen: When the first loop began.
-- last_seen: When the last loop began.
-- example_trace_id: The run with the most steps of such a loop.
SELECT l.agent_name, kind, severity, repeated, runs,
       CAST(runs AS DOUBLE) / coalesce(a.of_agent, (SELECT count(*) FROM runs)) AS run_share,
       loops, steps, most_repeats, wasted_tokens, wasted_cost_usd, cost_complete, wasted_ns, first_seen, last_seen,
       example_trace_id
FROM (
    SELECT agent_name, kind, severity, repeated, count(DISTINCT trace_id) AS runs, count(*) AS loops,
           sum(steps) AS steps, max(repeats) AS most_repeats, sum(wasted_tokens) AS wasted_tokens,
           CAST(sum(wasted_cost_usd) AS DECIMAL(38, 12)) AS wasted_cost_usd, bool_and(cost_complete) AS cost_complete,
           sum(wasted_ns) AS wasted_ns, min(start_time) AS first_seen, max(start_time) AS last_seen,
           first_value(trace_id ORDER BY steps DESC, trace_id) AS example_trace_id
    FROM loops
    GROUP BY agent_name, kind, severity, repeated
) AS l
LEFT JOIN (
    SELECT agent_name, count(DISTINCT trace_id) AS of_agent FROM usage WHERE agent_name IS NOT NULL GROUP BY agent_name
) AS a ON a.agent_name = l.agent_name
