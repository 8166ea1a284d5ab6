-- Calls that were made again and again and got other answers: no loops, but worth a look where they cost much.
--
-- trace_id: Trace, and id of the run.
-- loop_number: Number among the loops of the run, from 1.
-- agent_name: Agent at work.
-- repeated: JSON array of the tools.
-- period: Calls that repeat.
-- calls [steps]: How many calls there were.
-- repeats: How many periods.
-- first_step: Number of the first call in the run.
-- last_step: Number of the last call.
-- first_span_id: Span of the first call.
-- last_span_id: Span of the last call.
-- start_time: When it began.
-- evidence: What was seen, in one sentence.
SELECT trace_id, loop_number, agent_name, repeated, period, steps AS calls, repeats, first_step, last_step,
       first_span_id, last_span_id, start_time, evidence
FROM loops
WHERE kind = 'polling'
