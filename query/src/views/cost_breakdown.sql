-- What was paid for, one row per model, price and bucket of tokens. Buckets do not overlap; costs that sources reported
-- and what has no price have rows of their own, so that the sum over the rows is the sum over the runs.
--
-- provider: Model provider, lower case.
-- request_model: Model that was asked for.
-- response_model: Model that answered.
-- service_tier: Provider's service tier.
-- price_source: reported by the source, user or bundled prices; NULL without a cost.
-- price_key: Provider and model in the price book.
-- match_kind: How the model's name led to that price.
-- price_valid_from: Since when that price holds; NULL when ever since.
-- unpriced_reason: Why there is no cost.
-- bucket: input, cache_read, cache_write, cache_write_1h, output, reasoning and so on; reported; unpriced.
-- calls [calls]: Calls of that model at that price.
-- bucket_tokens [tokens]: Tokens in the bucket; calls, where it is requests.
-- cost_usd [USD]: What the bucket cost; NULL when that is unknown.
-- cost_complete: Whether nothing is missing from cost_usd.
-- unpriced_spans [spans]: Spans without a price, and model calls of which nothing is known.
-- unpriced_tokens [tokens]: Tokens without a price.
SELECT provider, request_model, response_model, service_tier, price_source, price_key, match_kind, price_valid_from,
       unpriced_reason, bucket, sum(calls) AS calls, sum(tokens) AS bucket_tokens,
       CAST(sum(cost_usd) AS DECIMAL(38, 12)) AS cost_usd, bool_and(cost_complete) AS cost_complete,
       sum(unpriced_spans) AS unpriced_spans, sum(unpriced_tokens) AS unpriced_tokens
FROM bucket_costs
GROUP BY provider, request_model, response_model, service_tier, price_source, price_key, match_kind, price_valid_from,
         unpriced_reason, bucket
