-- Q6b drift: PSI of the tool mix per agent
WITH m AS (SELECT agent_name, tool_name, sum(CASE WHEN start_time < to_timestamp_nanos({day20}) THEN 1.0 ELSE 0.0 END) + 0.5 AS b, sum(CASE WHEN start_time >= to_timestamp_nanos({day20}) THEN 1.0 ELSE 0.0 END) + 0.5 AS a
           FROM spans WHERE tool_name <> '' GROUP BY agent_name, tool_name),
t AS (SELECT agent_name, b / sum(b) OVER (PARTITION BY agent_name) AS pb, a / sum(a) OVER (PARTITION BY agent_name) AS pa FROM m)
SELECT agent_name, sum((pa - pb) * ln(pa / pb)) AS psi FROM t GROUP BY agent_name ORDER BY psi DESC, agent_name
