-- Q1 cost per run, top 20. The prices are the generator's, US dollars per million tokens.
WITH prices(model, in_price, out_price, cache_price) AS (VALUES
  ('gpt-5', 0.05, 0.2, 0.005),
  ('gpt-5-mini', 0.0775, 0.32, 0.00775),
  ('gpt-5-nano', 0.1201, 0.512, 0.01201),
  ('o4-mini', 0.1862, 0.8192, 0.01862),
  ('claude-opus-4-1', 0.2886, 1.3107, 0.02886),
  ('claude-sonnet-4-5', 0.4473, 2.0972, 0.04473),
  ('claude-haiku-4-5', 0.6934, 3.3554, 0.06934),
  ('claude-3-5-haiku', 1.0747, 5.3687, 0.10747),
  ('gemini-2.5-pro', 1.6658, 8.5899, 0.16658),
  ('gemini-2.5-flash', 2.582, 13.7439, 0.2582),
  ('gemini-2.5-flash-lite', 4.0021, 21.9902, 0.40021),
  ('mistral-large', 6.2032, 35.1844, 0.62032),
  ('mistral-small', 9.615, 56.295, 0.9615),
  ('codestral', 14.9033, 90.072, 1.49033))
SELECT s.trace_id, sum((s.input_tokens - s.cache_read_tokens) * p.in_price + s.cache_read_tokens * p.cache_price + s.output_tokens * p.out_price) / 1e6 AS cost
FROM spans s JOIN prices p ON s.request_model = p.model
GROUP BY s.trace_id ORDER BY cost DESC, s.trace_id LIMIT 20
