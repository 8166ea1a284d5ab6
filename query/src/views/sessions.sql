-- Sessions: runs joined by a session id, one row per session.
--
-- session_id: Session that the runs name.
-- users: JSON array of the end users.
-- runs [runs]: Runs.
-- completed_runs [runs]: Runs whose root ended without an error.
-- failed_runs [runs]: Runs whose root ended in an error.
-- incomplete_runs [runs]: Runs without a root, or whose root did not end.
-- start_time: First start of a run.
-- end_time: Last end of a run.
-- duration_ns [ns]: end_time minus start_time, pauses between runs included.
-- spans [spans]: Spans.
-- steps [steps]: LLM calls, tool calls, retrievals and handoffs.
-- llm_calls [calls]: LLM calls.
-- embedding_calls [calls]: Embedding calls.
-- tool_calls [calls]: Tool calls.
-- retrievals [calls]: Retrievals.
-- handoffs [handoffs]: Handoffs from agent to agent.
-- input_tokens [tokens]: Input tokens, cache reads and writes included.
-- output_tokens [tokens]: Output tokens, reasoning included.
-- cache_read_tokens [tokens]: Input tokens read from caches.
-- cache_write_tokens [tokens]: Input tokens written to caches.
-- reasoning_tokens [tokens]: Part of output_tokens spent on reasoning.
-- total_tokens [tokens]: All tokens.
-- reported_cost_usd [USD]: Cost that sources reported.
-- errors [spans]: Failures, each where it began.
-- retries [steps]: Steps that repeat a failed one.
SELECT session_id, json_names(user_id) AS users, count(*) AS runs,
       count(*) FILTER (WHERE outcome = 'completed') AS completed_runs,
       count(*) FILTER (WHERE outcome = 'failed') AS failed_runs,
       count(*) FILTER (WHERE outcome = 'incomplete') AS incomplete_runs,
       min(start_time) AS start_time, max(end_time) AS end_time,
       max(end_time)::bigint - min(start_time)::bigint AS duration_ns, sum(spans) AS spans, sum(steps) AS steps,
       sum(llm_calls) AS llm_calls, sum(embedding_calls) AS embedding_calls, sum(tool_calls) AS tool_calls,
       sum(retrievals) AS retrievals, sum(handoffs) AS handoffs, sum(input_tokens) AS input_tokens,
       sum(output_tokens) AS output_tokens, sum(cache_read_tokens) AS cache_read_tokens,
       sum(cache_write_tokens) AS cache_write_tokens, sum(reasoning_tokens) AS reasoning_tokens,
       sum(total_tokens) AS total_tokens, sum(reported_cost_usd) AS reported_cost_usd, sum(errors) AS errors,
       sum(retries) AS retries
FROM runs
WHERE session_id IS NOT NULL
GROUP BY session_id
