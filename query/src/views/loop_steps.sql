-- The steps of every loop with what was asked and answered: one row per span or synthetic call, LLM turns included.
--
-- trace_id: Trace, and id of the run.
-- loop_number: Number of the loop in its run, from 1.
-- loop_kind: Kind of the loop.
-- repetition: Which period the step belongs to, from 1.
-- wasted: Whether it is waste: after the first period, and no polling.
-- step: Number of the step in the run; NULL for a run of an agent.
-- kind: Kind of the span; tool for a synthetic call.
-- agent_name: Agent at work.
-- called: The tool, the model, the data source, or the agent.
-- arguments: Arguments of a call.
-- result: Result of a call; the output of an LLM turn.
-- failed: Whether it failed; NULL for a synthetic call.
-- error_message: Description of the error.
-- span_id: Span; of a synthetic call, the LLM span that asks for it.
-- start_time: When it started.
-- duration_ns [ns]: How long it took.
-- total_tokens [tokens]: Tokens, where they count.
-- synthetic: Whether no span records the call.
SELECT m.trace_id, m.loop_number, l.kind AS loop_kind, m.repetition,
       m.repetition > 1 AND l.kind <> 'polling' AS wasted, s.step, s.kind, s.run_agent AS agent_name,
       CASE s.kind
           WHEN 'llm' THEN coalesce(s.response_model, s.request_model)
           WHEN 'retrieval' THEN coalesce(s.data_source, s.name)
           WHEN 'handoff' THEN s.handoff_target
           WHEN 'agent' THEN s.run_agent
           ELSE s.tool_name
       END AS called,
       CASE s.kind WHEN 'retrieval' THEN s.input ELSE s.tool_args END AS arguments,
       CASE WHEN s.kind IN ('llm', 'retrieval') THEN s.output ELSE s.tool_result END AS result, s.failed,
       coalesce(s.status_message, s.error_message) AS error_message, s.span_id, s.start_time, s.duration_ns,
       CASE WHEN s.usage_counted THEN s.total_tokens END AS total_tokens, false AS synthetic
FROM loop_spans AS m
JOIN (SELECT trace_id, loop_number, kind FROM loops) AS l
  ON l.trace_id = m.trace_id AND l.loop_number = m.loop_number
JOIN spans AS s ON s.trace_id = m.trace_id AND s.seq = m.seq
WHERE m.call_index IS NULL
UNION ALL
SELECT m.trace_id, m.loop_number, l.kind AS loop_kind, m.repetition,
       m.repetition > 1 AND l.kind <> 'polling' AS wasted, c.step, 'tool' AS kind, c.agent_name, c.tool_name AS called,
       c.tool_args AS arguments, c.tool_result AS result, NULL AS failed, NULL AS error_message, c.span_id,
       c.time AS start_time, NULL AS duration_ns, NULL AS total_tokens, true AS synthetic
FROM loop_spans AS m
JOIN (SELECT trace_id, loop_number, kind FROM loops) AS l
  ON l.trace_id = m.trace_id AND l.loop_number = m.loop_number
JOIN (SELECT trace_id, seq, span_id FROM spans) AS s ON s.trace_id = m.trace_id AND s.seq = m.seq
JOIN synthetic_calls AS c
  ON c.trace_id = m.trace_id AND c.span_id = s.span_id AND c.call_index = m.call_index
