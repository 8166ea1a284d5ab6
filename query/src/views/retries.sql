-- Calls that were tried again after they failed: one row per run, agent, tool and arguments.
--
-- trace_id: Trace, and id of the run.
-- agent_name: Agent at work.
-- tool_name: Tool.
-- args_hash: Hash of the arguments in canonical form.
-- attempts: How often it was called with them.
-- failures: How often it failed.
-- recovered: Whether the last attempt did not fail.
-- error_type: Class of the first error.
-- error_message: Message of the first error.
-- failed_ns [ns]: Time of the failed attempts.
-- first_step: Number of the first attempt in the run.
-- last_step: Number of the last attempt.
-- start_time: When the first attempt started.
SELECT trace_id, run_agent AS agent_name, tool_name, args_hash, count(*) AS attempts,
       count(*) FILTER (WHERE failed) AS failures, NOT last_value(failed ORDER BY step) AS recovered,
       first_value(error_type ORDER BY step) FILTER (WHERE failed) AS error_type,
       first_value(coalesce(status_message, error_message) ORDER BY step) FILTER (WHERE failed) AS error_message,
       sum(duration_ns) FILTER (WHERE failed) AS failed_ns, min(step) AS first_step, max(step) AS last_step,
       min(start_time) AS start_time
FROM spans
WHERE kind = 'tool' AND step IS NOT NULL AND args_hash IS NOT NULL
  AND trace_id IN (SELECT trace_id FROM spans WHERE kind = 'tool' AND failed)
GROUP BY trace_id, run_agent, tool_name, args_hash
HAVING count(*) > 1 AND count(*) FILTER (WHERE failed) > 0
