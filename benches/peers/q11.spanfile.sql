-- Q11 span tree of one trace: depth, self time
WITH RECURSIVE t AS (SELECT span_id, parent_span_id, name, start_time, duration_ns AS dur FROM spans WHERE trace_id = '{tree_trace}'),
c AS (SELECT parent_span_id AS pid, sum(dur) AS cd FROM t GROUP BY parent_span_id),
tree AS (SELECT span_id, name, start_time, dur, 0 AS depth FROM t WHERE parent_span_id IS NULL
         UNION ALL SELECT t.span_id, t.name, t.start_time, t.dur, tree.depth + 1 FROM t JOIN tree ON t.parent_span_id = tree.span_id)
SELECT tree.span_id, tree.name, tree.depth, tree.dur, tree.dur - coalesce(c.cd, 0) AS self_time FROM tree LEFT JOIN c ON c.pid = tree.span_id ORDER BY tree.start_time, tree.span_id
