-- What happened in each run, one row per step: LLM calls, tool calls (synthetic ones too), retrievals and handoffs.
--
-- trace_id: Trace, and id of the run.
-- step: Number of the step in the run, from 1.
-- kind: llm, tool, retrieval or handoff.
-- agent_name: Agent at work.
-- agent_version: Its version.
-- called: What was called: the model, the tool, the data source, or the agent that took over.
-- span_id: Span that records the step; of a synthetic tool call, the LLM span that asks for it.
-- start_time: When it started; of a synthetic tool call, when it was asked for.
-- end_time: When it ended.
-- duration_ns [ns]: end_time minus start_time.
-- input_tokens [tokens]: Input tokens, where they count.
-- output_tokens [tokens]: Output tokens, where they count.
-- total_tokens [tokens]: All tokens, where they count.
-- cost_usd [USD]: What its span adds to the cost of the run; NULL when that is nothing or unknown.
-- status: unset, ok or error; NULL for a synthetic tool call.
-- failed: Whether it failed, as its span or one that records the same call tells; NULL for a synthetic call.
-- error_type: Class of the error.
-- args_hash: Hash of a tool's arguments in canonical form.
-- result_hash: Hash of a tool's result in canonical form.
-- synthetic: Whether no span records the step.
SELECT trace_id, step, kind, run_agent AS agent_name, run_agent_version AS agent_version,
       CASE kind
           WHEN 'llm' THEN coalesce(response_model, request_model)
           WHEN 'retrieval' THEN coalesce(data_source, name)
           WHEN 'handoff' THEN handoff_target
           ELSE tool_name
       END AS called,
       span_id, start_time, end_time, duration_ns,
       CASE WHEN usage_counted THEN input_tokens END AS input_tokens,
       CASE WHEN usage_counted THEN output_tokens END AS output_tokens,
       CASE WHEN usage_counted THEN total_tokens END AS total_tokens,
       CASE
           WHEN cost_basis IN ('reported', 'covering') THEN reported_cost_usd
           WHEN cost_basis = 'computed' THEN cost_usd(
               response_model, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
               cache_write_1h_tokens, reasoning_tokens, input_audio_tokens, input_image_tokens, output_audio_tokens,
               request_model, provider, service_tier, start_time)
       END AS cost_usd,
       status, failed, error_type, args_hash, result_hash, false AS synthetic
FROM spans
WHERE step IS NOT NULL
UNION ALL
SELECT trace_id, step, 'tool' AS kind, agent_name, agent_version, tool_name AS called, span_id, time AS start_time,
       NULL AS end_time, NULL AS duration_ns, NULL AS input_tokens, NULL AS output_tokens, NULL AS total_tokens,
       NULL AS cost_usd, NULL AS status, NULL AS failed, NULL AS error_type, args_hash, result_hash, true AS synthetic
FROM synthetic_calls
