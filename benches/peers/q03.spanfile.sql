-- Q3 one trace, all columns (run for 10 ids). The peers have every attribute that has no column of theirs in one JSON
-- text; here some of these have a column, so they are put back where the generator has them: before the first of the
-- keys that follow them.
SELECT trace_id, span_id, parent_span_id, epoch_ns(start_time) AS start_time, epoch_ns(end_time) AS end_time,
       CASE otel_kind WHEN 'internal' THEN 1 WHEN 'server' THEN 2 WHEN 'client' THEN 3 WHEN 'producer' THEN 4 WHEN 'consumer' THEN 5 ELSE 0 END AS kind,
       name, CASE status WHEN 'ok' THEN 1 WHEN 'error' THEN 2 ELSE 0 END AS status, service_name, agent_name, agent_version,
       request_model AS model, provider, tool_name, tool_args, tool_result, input, output, input_tokens, output_tokens, cache_read_tokens,
       session_id, error_type,
       regexp_replace(attributes, '(,"app.top_k"|,"gen_ai.response.finish_reasons"|,"http.response.status_code"|,"gen_ai.operation.name")', concat(
         ',"gen_ai.data_source.id":"' || data_source || '"',
         ',"gen_ai.tool.call.id":"' || tool_call_id || '"',
         ',"gen_ai.tool.type":"' || tool_type || '"',
         ',"gen_ai.request.temperature":' || temperature::varchar,
         ',"gen_ai.request.max_tokens":' || max_tokens::varchar,
         ',"gen_ai.response.id":"' || response_id || '"', '$1')) AS attributes
FROM spans WHERE trace_id = '{trace_id}' ORDER BY start_time, span_id
