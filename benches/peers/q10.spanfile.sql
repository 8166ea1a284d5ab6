-- Q10 count and time bounds, from statistics alone
SELECT count(*) AS n, epoch_ns(min(start_time)) AS t0, epoch_ns(max(end_time)) AS t1 FROM spans
