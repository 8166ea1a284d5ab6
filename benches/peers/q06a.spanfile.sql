-- Q6a drift: per agent before/after, latency avg/p50/p95 (ms) and error rate
SELECT agent_name, CASE WHEN start_time >= to_timestamp_nanos({day20}) THEN 1 ELSE 0 END AS aft, count(*) AS n,
       avg(duration_ns / 1e6) AS avg_ms,
       percentile_cont(duration_ns / 1e6, 0.5) AS p50, percentile_cont(duration_ns / 1e6, 0.95) AS p95,
       avg(CASE WHEN status = 'error' THEN 1.0 ELSE 0.0 END) AS err
FROM spans WHERE name NOT LIKE 'invoke_%' GROUP BY agent_name, CASE WHEN start_time >= to_timestamp_nanos({day20}) THEN 1 ELSE 0 END ORDER BY 1, 2
