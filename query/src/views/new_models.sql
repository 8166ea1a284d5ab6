-- Models that first answered an agent within the 7 days before the newest run, while it ran before: facts, not tests.
--
-- agent_name: Agent.
-- model: Model that answered, else that was asked for.
-- provider: Its provider.
-- first_seen: Start of the first run with it.
-- runs [runs]: Runs with it.
-- calls [calls]: LLM calls.
-- errors [calls]: Calls that failed.
-- earlier_runs [runs]: Runs of the agent before those 7 days, all without it.
SELECT t.agent_name, t.model, t.provider, t.first_seen, t.runs, t.calls, t.errors, a.earlier_runs
FROM (
    SELECT agent_name, coalesce(response_model, request_model) AS model, min(provider) AS provider,
           min(run_start_time) AS first_seen, count(DISTINCT trace_id) AS runs, sum(calls) AS calls,
           sum(errors) AS errors
    FROM usage
    WHERE kind = 'llm' AND coalesce(response_model, request_model) IS NOT NULL
    GROUP BY agent_name, coalesce(response_model, request_model)
    HAVING min(run_start_time) > (SELECT max(start_time) FROM runs) - INTERVAL '7 days'
) AS t
JOIN (
    SELECT agent_name, count(DISTINCT trace_id) AS earlier_runs
    FROM usage
    WHERE run_start_time <= (SELECT max(start_time) FROM runs) - INTERVAL '7 days'
    GROUP BY agent_name
) AS a ON a.agent_name IS NOT DISTINCT FROM t.agent_name
