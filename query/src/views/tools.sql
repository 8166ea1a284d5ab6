-- The registry of tools, one row per name: who calls it, how often, how long it takes and how often it fails.
--
-- tool_name: Tool.
-- agents: JSON array of the agents that call it.
-- first_seen: Start of the first run with it.
-- last_seen: Start of the last run with it.
-- runs [runs]: Runs that call it.
-- calls [calls]: Calls, each once; those that only LLM outputs tell of included.
-- errors [calls]: Calls that failed.
-- duration_ns [ns]: Sum of the calls' durations.
SELECT tool_name, json_names(agent_name) AS agents, min(run_start_time) AS first_seen,
       max(run_start_time) AS last_seen, count(DISTINCT trace_id) AS runs, sum(calls) AS calls, sum(errors) AS errors,
       sum(duration_ns) AS duration_ns
FROM usage
WHERE kind = 'tool' AND tool_name IS NOT NULL
GROUP BY tool_name
