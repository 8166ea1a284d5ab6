-- Failures where they began, one row each: spans that failed while no span below them did. Spans that record the same
-- call again are left out, but what they say of the failure is not.
--
-- trace_id: Trace, and id of the run.
-- span_id: Span that failed.
-- step: Number of the step in the run; NULL when the span is none.
-- agent_name: Agent at work.
-- agent_version: Its version.
-- kind: What the span did.
-- name: Span name.
-- called: What was called: the model or the tool.
-- error_type: Class of the error.
-- error_message: Description that came with the status.
-- start_time: When the span started.
-- end_time: When it ended.
-- duration_ns [ns]: end_time minus start_time.
SELECT trace_id, span_id, step, run_agent AS agent_name, run_agent_version AS agent_version, kind, name,
       coalesce(tool_name, response_model, request_model) AS called, coalesce(error_type, other_type) AS error_type,
       coalesce(status_message, other_message) AS error_message, start_time, end_time, duration_ns
FROM (
    SELECT trace_id, span_id, step, run_agent, run_agent_version, kind, name, tool_name, response_model, request_model,
           error_type, status_message, start_time, end_time, duration_ns, tree_right, is_duplicate_of,
           max(error_type) OVER (PARTITION BY trace_id, coalesce(is_duplicate_of, span_id)) AS other_type,
           max(status_message) OVER (PARTITION BY trace_id, coalesce(is_duplicate_of, span_id)) AS other_message,
           -- Failures below a span follow it in preorder without a gap, so the next one tells.
           lead(tree_left) OVER (PARTITION BY trace_id, is_duplicate_of IS NULL ORDER BY tree_left) AS next_failure
    FROM spans
    WHERE failed
) AS failures
WHERE is_duplicate_of IS NULL AND (next_failure IS NULL OR next_failure > tree_right)
