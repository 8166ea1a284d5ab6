-- How costs compare with budgets: one row per budget and run, session, user, agent or day that it is for. A budget with a
-- name takes the place of the one that each has. What belongs to no session, user or agent is in no row of theirs.
--
-- scope: What has the budget: run, session, user, agent or day.
-- subject: Run id, session, user, agent, or the day as text.
-- day: Day, UTC, of budgets for a day: an agent's calls count when they started, a user's runs when they began.
-- name: Name in the budget; NULL when it is for each.
-- every: day when the budget is for one day; NULL when it is for all that the file holds.
-- cost_usd [USD]: Cost as far as it is known; NULL when nothing of it is.
-- cost_complete: Whether nothing is missing from cost_usd.
-- soft_usd [USD]: Above this there is a warning.
-- hard_usd [USD]: Above this the budget is broken.
-- share_of_hard: Cost over the hard limit; NULL without one.
-- state: within; over_soft; over_hard; unknown: what is known is within, and some is not known; unused: no such name.
-- unpriced_spans [spans]: Spans without a price, and model calls of which nothing is known.
-- unpriced_tokens [tokens]: Tokens without a price.
WITH limits AS (
    SELECT scope, name, every, concat(scope, ' ', coalesce(every, '')) AS what, soft_usd, hard_usd FROM budgets
),
costs AS (
    SELECT 'run ' AS what, trace_id AS subject, CAST(NULL AS DATE) AS day, cost_usd, cost_complete, unpriced_spans,
           unpriced_tokens
    FROM cost_per_run WHERE false
    UNION ALL -- where there are budgets per run
    SELECT 'run ' AS what, trace_id AS subject, CAST(NULL AS DATE) AS day, cost_usd, cost_complete, unpriced_spans,
           unpriced_tokens
    FROM cost_per_run
    UNION ALL -- where there are budgets per session
    SELECT 'session ', session_id, NULL, CAST(sum(cost_usd) AS DECIMAL(38, 12)), bool_and(cost_complete),
           sum(unpriced_spans), sum(unpriced_tokens)
    FROM cost_per_run WHERE session_id IS NOT NULL GROUP BY session_id
    UNION ALL -- where there are budgets per user
    SELECT 'user ', user_id, NULL, CAST(sum(cost_usd) AS DECIMAL(38, 12)), bool_and(cost_complete),
           sum(unpriced_spans), sum(unpriced_tokens)
    FROM cost_per_run WHERE user_id IS NOT NULL GROUP BY user_id
    UNION ALL -- where there are budgets per user day
    SELECT 'user day', user_id, CAST(start_time AS DATE), CAST(sum(cost_usd) AS DECIMAL(38, 12)), bool_and(cost_complete),
           sum(unpriced_spans), sum(unpriced_tokens)
    FROM cost_per_run WHERE user_id IS NOT NULL GROUP BY user_id, CAST(start_time AS DATE)
    UNION ALL -- where there are budgets per agent
    SELECT 'agent ', agent_name, NULL, CAST(sum(cost_usd) AS DECIMAL(38, 12)), bool_and(cost_complete),
           sum(unpriced_spans), sum(unpriced_tokens)
    FROM usage_costs WHERE agent_name IS NOT NULL GROUP BY agent_name
    UNION ALL -- where there are budgets per agent day
    SELECT 'agent day', agent_name, day, CAST(sum(cost_usd) AS DECIMAL(38, 12)), bool_and(cost_complete),
           sum(unpriced_spans), sum(unpriced_tokens)
    FROM usage_costs WHERE agent_name IS NOT NULL GROUP BY agent_name, day
    UNION ALL -- where there are budgets per day
    SELECT 'day ', CAST(day AS VARCHAR), day, CAST(sum(cost_usd) AS DECIMAL(38, 12)), bool_and(cost_complete),
           sum(unpriced_spans), sum(unpriced_tokens)
    FROM usage_costs GROUP BY day
),
-- Costs beside the budgets that name their subject; names that nothing was spent under stay, without a subject.
by_name AS (
    SELECT coalesce(c.what, n.what) AS what, c.subject, c.day, c.cost_usd, c.cost_complete, c.unpriced_spans,
           c.unpriced_tokens, n.what IS NOT NULL AS named, n.scope, n.name, n.every, n.soft_usd, n.hard_usd
    FROM (SELECT * FROM limits WHERE name IS NOT NULL) AS n
    FULL JOIN costs AS c ON n.what = c.what AND n.name = c.subject
),
compared AS (
    SELECT coalesce(b.scope, e.scope) AS scope, b.subject, b.day, b.name, CASE WHEN named THEN b.every ELSE e.every END AS every,
           b.cost_usd, b.cost_complete, CASE WHEN named THEN b.soft_usd ELSE e.soft_usd END AS soft_usd,
           CASE WHEN named THEN b.hard_usd ELSE e.hard_usd END AS hard_usd, b.unpriced_spans, b.unpriced_tokens
    FROM (SELECT * FROM limits WHERE name IS NULL) AS e
    RIGHT JOIN by_name AS b ON e.what = b.what
    WHERE b.named OR e.what IS NOT NULL
)
SELECT scope, coalesce(subject, name) AS subject, day, name, every,
       CASE WHEN subject IS NULL THEN CAST(0 AS DECIMAL(38, 12)) ELSE cost_usd END AS cost_usd, coalesce(cost_complete, true) AS cost_complete,
       soft_usd, hard_usd,
       CASE WHEN hard_usd > 0 THEN CAST(cost_usd AS DOUBLE) / CAST(hard_usd AS DOUBLE) END AS share_of_hard,
       CASE WHEN subject IS NULL THEN 'unused'
            WHEN cost_usd > hard_usd THEN 'over_hard'
            WHEN cost_usd > soft_usd THEN 'over_soft'
            WHEN NOT cost_complete THEN 'unknown'
            ELSE 'within' END AS state,
       coalesce(unpriced_spans, 0) AS unpriced_spans, coalesce(unpriced_tokens, 0) AS unpriced_tokens
FROM compared
