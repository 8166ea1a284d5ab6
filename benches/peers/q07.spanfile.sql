-- Q7 slowest 20 spans in one hour
SELECT trace_id, span_id, name, duration_ns AS dur FROM spans
WHERE start_time >= to_timestamp_nanos({q7_t0}) AND start_time < to_timestamp_nanos({q7_t1}) ORDER BY dur DESC, span_id LIMIT 20
