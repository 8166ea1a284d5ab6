-- Q3 one trace, all columns (run for 10 ids). The peers have every attribute that has no column of theirs in
-- one JSON text; here some of these have a column, so the text is put together again in the generator's order.
SELECT trace_id, span_id, parent_span_id, epoch_ns(start_time) AS start_time, epoch_ns(end_time) AS end_time,
       CASE otel_kind WHEN 'internal' THEN 1 WHEN 'server' THEN 2 WHEN 'client' THEN 3 WHEN 'producer' THEN 4 WHEN 'consumer' THEN 5 ELSE 0 END AS kind,
       name, CASE status WHEN 'ok' THEN 1 WHEN 'error' THEN 2 ELSE 0 END AS status, service_name, agent_name, agent_version,
       request_model AS model, provider, tool_name, tool_args, tool_result, input, output, input_tokens, output_tokens, cache_read_tokens,
       session_id, error_type,
       '{' || concat_ws(',',
         '"app.customer_tier":' || json_get_json(attributes, 'app.customer_tier'),
         '"app.region":' || json_get_json(attributes, 'app.region'),
         '"app.handoff":' || json_get_json(attributes, 'app.handoff'),
         '"gen_ai.data_source.id":' || coalesce(json_get_json(attributes, 'gen_ai.data_source.id'), '"' || data_source || '"'),
         '"app.top_k":' || json_get_json(attributes, 'app.top_k'),
         '"app.retry_count":' || json_get_json(attributes, 'app.retry_count'),
         '"gen_ai.tool.call.id":' || coalesce(json_get_json(attributes, 'gen_ai.tool.call.id'), '"' || tool_call_id || '"'),
         '"gen_ai.tool.type":' || coalesce(json_get_json(attributes, 'gen_ai.tool.type'), '"' || tool_type || '"'),
         '"gen_ai.request.temperature":' || coalesce(json_get_json(attributes, 'gen_ai.request.temperature'), temperature::varchar),
         '"gen_ai.request.max_tokens":' || coalesce(json_get_json(attributes, 'gen_ai.request.max_tokens'), max_tokens::varchar),
         '"gen_ai.response.id":' || coalesce(json_get_json(attributes, 'gen_ai.response.id'), '"' || response_id || '"'),
         '"gen_ai.response.finish_reasons":' || json_get_json(attributes, 'gen_ai.response.finish_reasons'),
         '"server.address":' || json_get_json(attributes, 'server.address'),
         '"http.response.status_code":' || json_get_json(attributes, 'http.response.status_code'),
         '"gen_ai.operation.name":' || json_get_json(attributes, 'gen_ai.operation.name')) || '}' AS attributes
FROM spans WHERE trace_id = '{trace_id}' ORDER BY start_time, span_id
