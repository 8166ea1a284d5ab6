-- Runs that took far more steps or money than others of their agent: above the larger of the 99th percentile and
-- Q3 + 3 IQR of its runs, or above 100 steps where it has fewer than 30 runs.
--
-- trace_id: Trace, and id of the run.
-- agent_name: First agent of the run.
-- reason: steps, cost, or both.
-- steps [steps]: Steps of the run.
-- steps_limit: From which number on it is a runaway.
-- cost_usd [USD]: Cost of the run, as far as it is known.
-- cost_limit_usd [USD]: From which cost on it is a runaway; NULL where fewer than 30 runs of the agent have a cost.
-- agent_runs [runs]: Runs of the agent.
-- median_steps: Median of their steps.
-- median_cost_usd [USD]: Median of their costs.
-- loops: Loops in the run that are more than information.
-- wasted_tokens [tokens]: Tokens that those wasted.
-- start_time: When it started.
SELECT r.trace_id, r.agent_name,
       CASE WHEN r.steps > r.steps_limit AND r.cost_usd > r.cost_limit_usd THEN 'both'
            WHEN r.steps > r.steps_limit THEN 'steps' ELSE 'cost' END AS reason,
       r.steps, r.steps_limit, r.cost_usd, r.cost_limit_usd, r.agent_runs, r.median_steps, r.median_cost_usd,
       coalesce(l.loops, 0) AS loops, l.wasted_tokens, r.start_time
FROM (
    SELECT c.trace_id, c.agent_name, c.steps, c.cost_usd, c.start_time, q.agent_runs, q.median_steps,
           CAST(q.median_cost AS DECIMAL(38, 12)) AS median_cost_usd,
           CASE WHEN q.agent_runs < 30 THEN 100.0
                ELSE greatest(q.p99_steps, q.q3_steps + 3 * (q.q3_steps - q.q1_steps)) END AS steps_limit,
           CAST(CASE WHEN q.priced_runs < 30 THEN NULL
                ELSE greatest(q.p99_cost, q.q3_cost + 3 * (q.q3_cost - q.q1_cost)) END AS DECIMAL(38, 12))
               AS cost_limit_usd
    FROM (SELECT trace_id, agents->>0 AS agent_name, steps, cost_usd, start_time FROM cost_per_run) AS c
    JOIN (
        SELECT agent_name, count(*) AS agent_runs, count(cost) AS priced_runs,
               percentile_cont(0.25) WITHIN GROUP (ORDER BY steps) AS q1_steps,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY steps) AS median_steps,
               percentile_cont(0.75) WITHIN GROUP (ORDER BY steps) AS q3_steps,
               percentile_cont(0.99) WITHIN GROUP (ORDER BY steps) AS p99_steps,
               percentile_cont(0.25) WITHIN GROUP (ORDER BY cost) AS q1_cost,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY cost) AS median_cost,
               percentile_cont(0.75) WITHIN GROUP (ORDER BY cost) AS q3_cost,
               percentile_cont(0.99) WITHIN GROUP (ORDER BY cost) AS p99_cost
        FROM (SELECT agents->>0 AS agent_name, CAST(steps AS DOUBLE) AS steps, CAST(cost_usd AS DOUBLE) AS cost
              FROM cost_per_run)
        GROUP BY agent_name
    ) AS q ON q.agent_name IS NOT DISTINCT FROM c.agent_name
) AS r
LEFT JOIN (
    SELECT trace_id, count(*) AS loops, sum(wasted_tokens) AS wasted_tokens FROM loops WHERE severity <> 'info'
    GROUP BY trace_id
) AS l ON l.trace_id = r.trace_id
WHERE r.steps > r.steps_limit OR r.cost_usd > r.cost_limit_usd
