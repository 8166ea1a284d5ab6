-- Handoffs from agent to agent, one row each.
--
-- trace_id: Trace, and id of the run.
-- span_id: Span that records the handoff.
-- step: Number of the step in the run, from 1.
-- handoff_from: Agent that handed off.
-- handoff_to: Agent that took over.
-- name: Span name.
-- start_time: When it started.
-- end_time: When it ended.
-- duration_ns [ns]: end_time minus start_time.
-- status: unset, ok or error.
-- failed: Whether it failed, as its span or one that records the same call tells.
-- error_type: Class of the error.
-- error_message: Description that came with the status.
SELECT trace_id, span_id, step, handoff_source AS handoff_from, handoff_target AS handoff_to, name, start_time,
       end_time, duration_ns, status, failed, error_type, coalesce(status_message, error_message) AS error_message
FROM spans
WHERE kind = 'handoff' AND step IS NOT NULL
