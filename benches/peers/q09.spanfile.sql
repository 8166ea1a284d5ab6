-- Q9 JSON extract filter on attributes
SELECT tool_name, count(*) AS n, avg(duration_ns / 1e6) AS ms FROM spans
WHERE attributes->>'app.customer_tier' = 'enterprise' AND json_get_int(attributes, 'app.retry_count') >= 1 GROUP BY tool_name ORDER BY n DESC, tool_name
