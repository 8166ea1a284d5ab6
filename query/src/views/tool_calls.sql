-- Tool calls, one row each: those that spans record, without repeats, and those that only LLM outputs tell of.
--
-- trace_id: Trace, and id of the run.
-- span_id: Span that records the call; of a synthetic one, the LLM span that asks for it.
-- step: Number of the step in the run, from 1.
-- agent_name: Agent at work.
-- agent_version: Its version.
-- tool_name: Tool.
-- tool_call_id: Id of the call.
-- tool_args: Arguments.
-- tool_result: Result.
-- args_hash: Hash of the arguments in canonical form: equal for equal arguments.
-- result_hash: Hash of the result in canonical form.
-- start_time: When the call started; of a synthetic one, when it was asked for.
-- end_time: When it ended.
-- duration_ns [ns]: end_time minus start_time.
-- status: unset, ok or error; NULL for a synthetic call.
-- failed: Whether it failed, as its span or one that records the same call tells; NULL for a synthetic call.
-- error_type: Class of the error.
-- error_message: Description that came with the status.
-- synthetic: Whether no span records the call.
SELECT trace_id, span_id, step, run_agent AS agent_name, run_agent_version AS agent_version, tool_name, tool_call_id,
       tool_args, tool_result, args_hash, result_hash, start_time, end_time, duration_ns, status, failed,
       error_type, coalesce(status_message, error_message) AS error_message, false AS synthetic
FROM spans
WHERE kind = 'tool' AND step IS NOT NULL
UNION ALL
SELECT trace_id, span_id, step, agent_name, agent_version, tool_name, tool_call_id, tool_args, tool_result, args_hash,
       result_hash, time AS start_time, NULL AS end_time, NULL AS duration_ns, NULL AS status, NULL AS failed, NULL AS error_type,
       NULL AS error_message, true AS synthetic
FROM synthetic_calls
