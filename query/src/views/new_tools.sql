-- Tools that an agent first called within the 7 days before the newest run, while it ran before: facts, not tests.
--
-- agent_name: Agent.
-- tool_name: Tool.
-- first_seen: Start of the first run with it.
-- runs [runs]: Runs with it.
-- calls [calls]: Calls.
-- errors [calls]: Calls that failed.
-- earlier_runs [runs]: Runs of the agent before those 7 days, all without it.
SELECT t.agent_name, t.tool_name, t.first_seen, t.runs, t.calls, t.errors, a.earlier_runs
FROM (
    SELECT agent_name, tool_name, min(run_start_time) AS first_seen, count(DISTINCT trace_id) AS runs,
           sum(calls) AS calls, sum(errors) AS errors
    FROM usage
    WHERE kind = 'tool' AND tool_name IS NOT NULL
    GROUP BY agent_name, tool_name
    HAVING min(run_start_time) > (SELECT max(start_time) FROM runs) - INTERVAL '7 days'
) AS t
JOIN (
    SELECT agent_name, count(DISTINCT trace_id) AS earlier_runs
    FROM usage
    WHERE run_start_time <= (SELECT max(start_time) FROM runs) - INTERVAL '7 days'
    GROUP BY agent_name
) AS a ON a.agent_name IS NOT DISTINCT FROM t.agent_name
