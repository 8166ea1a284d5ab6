-- What got worse in the last 7 days, the worst first: the drifts of drift whose direction is the wrong one.
--
-- agent_name: Agent; NULL for runs without one.
-- metric: What was measured of each run.
-- base_median: Median of the 28 days before; of rates, the share of runs.
-- cur_median: Median of the last 7 days; of rates, the share of runs.
-- unit: Unit of the medians; NULL for shares.
-- ratio: cur_median / base_median.
-- ci_lo: Lower end of the 95 % interval of the ratio.
-- ci_hi: Upper end of the 95 % interval of the ratio.
-- change_at: Start of the first run after the largest change of level.
-- n_base: Runs of the base.
-- n_cur: Runs of the last 7 days.
-- magnitude: How large it is beside the least that counts.
-- p_adj: P-value, adjusted for the other metrics of the agent.
-- note: What else to know.
SELECT agent_name, metric, base_median, cur_median, unit, ratio, ci_lo, ci_hi, change_at, n_base, n_cur, magnitude, p_adj,
       note
FROM drift
WHERE verdict = 'drift' AND worse
