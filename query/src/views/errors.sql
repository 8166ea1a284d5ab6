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
SELECT s.trace_id AS trace_id, s.span_id AS span_id, s.step AS step, s.run_agent AS agent_name,
       s.run_agent_version AS agent_version, s.kind AS kind, s.name AS name,
       coalesce(s.tool_name, s.response_model, s.request_model) AS called,
       coalesce(s.error_type, d.error_type) AS error_type, coalesce(s.status_message, s.error_message, d.status_message) AS error_message,
       s.start_time AS start_time, s.end_time AS end_time, s.duration_ns AS duration_ns
FROM (
    SELECT trace_id, is_duplicate_of, max(error_type) AS error_type, max(coalesce(status_message, error_message)) AS status_message
    FROM spans
    WHERE failed AND is_duplicate_of IS NOT NULL
    GROUP BY trace_id, is_duplicate_of
) AS d
RIGHT JOIN ((
    -- Only ids and places are sorted: rows with text would take much memory.
    -- Failures below a span follow it in preorder without a gap, so the next one tells.
    SELECT trace_id, span_id
    FROM spans
    WHERE failed AND is_duplicate_of IS NULL
    QUALIFY coalesce(lead(tree_left) OVER (PARTITION BY trace_id ORDER BY tree_left) > tree_right, true)
) AS f
RIGHT SEMI JOIN spans AS s ON s.trace_id = f.trace_id AND s.span_id = f.span_id)
ON d.trace_id = s.trace_id AND d.is_duplicate_of = s.span_id
WHERE s.failed
