-- What is odd about spans, one row per span and problem: none of it is lost or mended, all of it is worth knowing.
--
-- trace_id: Trace, and id of the run.
-- span_id: Span; NULL where the run as a whole is meant.
-- problem: end_before_start, no_end, orphan (its parent is not there), cycle (following parents led back), unreadable (a number that is none) or overflow (a sum beyond 64 bits, which is NULL).
-- detail: What there is to say: the parent, the keys, the time.
SELECT trace_id, span_id, 'end_before_start' AS problem, 'by ' || -duration_ns || ' ns' AS detail
FROM spans WHERE duration_ns < 0
UNION ALL
SELECT trace_id, span_id, 'no_end' AS problem, NULL AS detail FROM spans WHERE end_time IS NULL
UNION ALL
SELECT trace_id, span_id, 'orphan' AS problem, 'parent ' || parent_span_id AS detail FROM spans WHERE is_orphan
UNION ALL
SELECT trace_id, span_id, 'cycle' AS problem, 'parent ' || parent_span_id AS detail FROM spans WHERE is_cycle
UNION ALL
SELECT trace_id, span_id, 'unreadable' AS problem, unreadable AS detail FROM spans WHERE unreadable IS NOT NULL
UNION ALL
SELECT trace_id, NULL AS span_id, 'overflow' AS problem, NULL AS detail FROM runs WHERE overflowed
