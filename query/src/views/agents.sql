-- The registry of agents, one row per name and version: what is running, what it uses, and since when.
--
-- agent_name: Agent.
-- agent_version: Its version; NULL where none is recorded.
-- workflows: JSON array of the workflows it worked in.
-- models: JSON array of the models that answered it, else that it asked for.
-- tools: JSON array of the tools it called; handoffs are not among them.
-- first_seen: Start of the first run with it.
-- last_seen: Start of the last run with it.
-- runs [runs]: Runs it worked in.
-- llm_calls [calls]: LLM calls.
-- tool_calls [calls]: Tool calls.
-- calls [calls]: All calls: LLM calls, tool calls, embeddings, retrievals and so on.
-- errors [calls]: Calls that failed.
-- input_tokens [tokens]: Input tokens, cache reads and writes included.
-- output_tokens [tokens]: Output tokens, reasoning included.
-- total_tokens [tokens]: All tokens.
-- reported_cost_usd [USD]: Cost that sources reported.
SELECT agent_name, agent_version, json_names(workflow_name) AS workflows,
       json_names(coalesce(response_model, request_model)) AS models,
       json_names(tool_name) FILTER (WHERE kind = 'tool') AS tools,
       min(run_start_time) AS first_seen, max(run_start_time) AS last_seen, count(DISTINCT trace_id) AS runs,
       coalesce(sum(calls) FILTER (WHERE kind = 'llm'), 0) AS llm_calls,
       coalesce(sum(calls) FILTER (WHERE kind = 'tool'), 0) AS tool_calls, sum(calls) AS calls, sum(errors) AS errors,
       sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(total_tokens) AS total_tokens,
       sum(reported_cost_usd) AS reported_cost_usd
FROM usage
WHERE agent_name IS NOT NULL
GROUP BY agent_name, agent_version
