//! Prices at one moment, and what a usage costs at them.

use super::money::{ATTO_PER_PICO, AttoUsd, PicoUsd, round_to_pico};
use super::unpriced::{CannotPrice, Unpriced};
use super::usage::{Apart, Bucket, Counts, Usage};

/// Price per bucket; `None` where the source tells none.
pub(super) type Amounts = [Option<AttoUsd>; Bucket::COUNT];

/// Prices with tiers. The first tier has no threshold and is always there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prices {
    pub(super) tiers: Vec<Tier>,
}

/// Prices above a threshold. What a tier does not tell it has from the tier below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tier {
    /// Applies where a call has more input tokens than this; -1 for the first.
    pub(super) above: i64,
    pub(super) amounts: Amounts,
}

impl Prices {
    pub(super) fn flat(amounts: Amounts) -> Prices {
        Prices { tiers: vec![Tier { above: -1, amounts }] }
    }

    /// Sets prices above `above`, which must be higher than any threshold before.
    pub(super) fn push_tier(&mut self, above: i64, told: Amounts) {
        let mut amounts = self.tiers.last().map_or([None; Bucket::COUNT], |t| t.amounts);
        for (has, tells) in amounts.iter_mut().zip(told) {
            *has = tells.or(*has);
        }
        self.tiers.push(Tier { above, amounts });
    }

    /// Nothing is told at all: no price, as opposed to a price of zero.
    pub(super) fn is_empty(&self) -> bool {
        self.tiers.iter().all(|t| t.amounts.iter().all(Option::is_none))
    }

    fn at(&self, input: i64) -> &Amounts {
        // A cliff: above the threshold every token of the call takes the higher price.
        self.tiers.iter().rev().find(|t| input > t.above).map_or(&self.tiers[0].amounts, |t| &t.amounts)
    }

    /// These prices, with those that `over` tells in their place.
    pub(super) fn overlaid(&self, over: &Prices) -> Prices {
        let mut thresholds: Vec<i64> = self.tiers.iter().chain(&over.tiers).map(|t| t.above).collect();
        thresholds.sort_unstable();
        thresholds.dedup();
        let tiers = thresholds.into_iter().map(|above| {
            let input = above.saturating_add(1);
            let mut amounts = *self.at(input);
            for (has, tells) in amounts.iter_mut().zip(over.at(input)) {
                *has = tells.or(*has);
            }
            Tier { above, amounts }
        });
        Prices { tiers: tiers.collect() }
    }
}

/// Which rows a price came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Rows that the user gave.
    User,
    /// Rows that came with the program.
    Bundled,
}

impl Layer {
    /// `user` or `bundled`.
    pub fn name(self) -> &'static str {
        match self {
            Layer::User => "user",
            Layer::Bundled => "bundled",
        }
    }
}

/// What the service tier of a call did to its price.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TierUse {
    /// None was named, or the standard one.
    Standard,
    /// The book has prices for it, as in `service_tier:flex`.
    Variant(String),
    /// The book has no price of this tier for the model at that time: standard prices were taken. An audit lists it.
    NotInBook(String),
}

/// A fact of the book that no column of a span counts, such as a price per web search: shown, never applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Name in the source, as in `web_searches_kcount`.
    pub unit: String,
    /// Dollars, as decimal text.
    pub usd: String,
}

/// The prices of one model at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    pub(super) prices: Prices,
    pub(super) facts: Vec<Fact>,
    /// `provider/model` of the book.
    pub price_key: String,
    /// User's row or bundled one.
    pub layer: Layer,
    /// Where the row is from, as in `genai-prices 0.2.3`.
    pub source: String,
    /// First moment of the row, nanoseconds since the epoch; `None` where the row has no beginning.
    pub valid_from: Option<i64>,
    /// First moment after the row; `None` where no end is known.
    pub valid_to: Option<i64>,
    /// Hours of the day (UTC) that the row is for, in seconds since midnight: from, up to.
    pub window: Option<(u32, u32)>,
    /// What the service tier did.
    pub tier: TierUse,
    /// Moments between which these rates hold without a change, whatever row is responsible: the first of them, and the
    /// first after them. Within, [`Match::rates_at`](super::Match::rates_at) gives equal rates for the same context.
    pub constant: (Option<i64>, Option<i64>),
}

/// What a usage costs. The total is the sum of the buckets, each rounded once, half to even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Pico-dollars.
    pub total: PicoUsd,
    /// Pico-dollars per bucket, in the order of [`Bucket::ALL`].
    pub buckets: [PicoUsd; Bucket::COUNT],
    /// Tokens per bucket, and calls in that of requests.
    pub counts: [i64; Bucket::COUNT],
}

impl Cost {
    /// Pico-dollars of one bucket.
    pub fn bucket(&self, bucket: Bucket) -> PicoUsd {
        self.buckets[bucket.index()]
    }
}

/// Why sums of several calls do not say what the calls cost together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotFromSums {
    /// Some calls may be above a threshold and others not.
    Tiers,
    /// A price has so many decimals that costs of single calls are rounded.
    Rounding,
}

impl Rates {
    /// Input tokens above which all tokens of a call take other prices, ascending.
    pub fn thresholds(&self) -> impl Iterator<Item = i64> + '_ {
        self.prices.tiers.iter().skip(1).map(|t| t.above)
    }

    /// Price of a bucket for a call with this many input tokens, after it fell to its parent's where it has none.
    pub fn price(&self, bucket: Bucket, input: i64) -> Option<AttoUsd> {
        effective(self.prices.at(input), bucket)
    }

    /// Facts of the row that no column counts.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Whether every cost of a single call is a whole number of pico-dollars before it is rounded. Then the cost of sums
    /// is the sum of costs, to the last digit.
    pub fn is_exact(&self) -> bool {
        self.prices.tiers.iter().all(|t| t.amounts.iter().flatten().all(|a| a % ATTO_PER_PICO == 0))
    }

    /// What one call costs.
    ///
    /// # Errors
    ///
    /// Usage that contradicts itself, a whole that is not told, tokens in a bucket that has no price.
    pub fn cost(&self, usage: &Usage) -> Result<Cost, Unpriced> {
        let amounts = match (usage.input, self.prices.tiers.len()) {
            (Some(input), _) => self.prices.at(input),
            (None, 1) => &self.prices.tiers[0].amounts,
            (None, _) => return Err(self.fail(CannotPrice::Incomplete("input_tokens"))),
        };
        self.price_counts(amounts, usage, 1)
    }

    /// What `calls` calls cost together, given the sums of their usages and the smallest and largest input of any.
    /// Per-call fees need their number. Calls that were inconsistent must not be in the sums: there it cannot be seen.
    ///
    /// # Errors
    ///
    /// As [`Rates::cost`]; the inner error says why sums are not enough and calls must be priced one by one.
    pub fn cost_of_sums(
        &self,
        sums: &Usage,
        min_input: i64,
        max_input: i64,
        calls: u64,
    ) -> Result<Result<Cost, NotFromSums>, Unpriced> {
        let (low, high) = (self.prices.at(min_input), self.prices.at(max_input));
        if low != high {
            return Ok(Err(NotFromSums::Tiers));
        }
        if calls > 1 && !self.is_exact() {
            return Ok(Err(NotFromSums::Rounding));
        }
        self.price_counts(low, sums, calls).map(Ok)
    }

    fn fail(&self, why: CannotPrice) -> Unpriced {
        Unpriced { why, price_key: Some(self.price_key.clone()) }
    }

    fn price_counts(&self, amounts: &Amounts, usage: &Usage, calls: u64) -> Result<Cost, Unpriced> {
        if self.prices.is_empty() {
            return Err(self.fail(CannotPrice::NoPrice));
        }
        let has = |b: Bucket| amounts[b.index()].is_some();
        let apart = Apart {
            audio: has(Bucket::InputAudio),
            image: has(Bucket::InputImage),
            read: has(Bucket::CacheRead),
            write: has(Bucket::CacheWrite) || has(Bucket::CacheWrite1h),
        };
        let counts: Counts = usage.counts(apart).map_err(|why| self.fail(CannotPrice::Inconsistent(why)))?;
        // What a model charges nothing for need not be known; a model without a price for output has none.
        for (told, bucket, name) in
            [(usage.input, Bucket::Input, "input_tokens"), (usage.output, Bucket::Output, "output_tokens")]
        {
            if told.is_none() && amounts[bucket.index()].is_some_and(|a| a != 0) {
                return Err(self.fail(CannotPrice::Incomplete(name)));
            }
        }
        if usage.is_empty() && amounts[Bucket::Input.index()].is_none() && amounts[Bucket::Output.index()].is_none() {
            return Err(self.fail(CannotPrice::Incomplete("input_tokens")));
        }
        let mut cost = Cost { total: 0, buckets: [0; Bucket::COUNT], counts };
        cost.counts[Bucket::Requests.index()] = i64::try_from(calls).unwrap_or(i64::MAX);
        for bucket in Bucket::ALL {
            let count = match bucket {
                Bucket::Requests => i128::from(calls),
                _ => i128::from(counts[bucket.index()]),
            };
            let price = match effective(amounts, bucket) {
                Some(price) => price,
                None if count == 0 || bucket == Bucket::Requests => continue,
                None => return Err(self.fail(CannotPrice::BucketWithoutPrice(bucket))),
            };
            let pico = price.checked_mul(count).map(round_to_pico).ok_or_else(|| self.fail(CannotPrice::TooLarge))?;
            cost.buckets[bucket.index()] = pico;
            cost.total = cost.total.checked_add(pico).ok_or_else(|| self.fail(CannotPrice::TooLarge))?;
        }
        Ok(cost)
    }
}

/// The price of a bucket, else of what it is a part of.
fn effective(amounts: &Amounts, bucket: Bucket) -> Option<AttoUsd> {
    let own = |b: Bucket| amounts[b.index()];
    let cached = |kind: Bucket| match (own(bucket), own(Bucket::CacheRead), own(kind)) {
        (Some(price), ..) => Some(price),
        (None, Some(price), None) | (None, None, Some(price)) => Some(price),
        (None, None, None) => own(Bucket::Input),
        // Part of two priced wholes, and neither price is said to be its own.
        (None, Some(_), Some(_)) => None,
    };
    match bucket {
        Bucket::Input | Bucket::Output | Bucket::Requests => own(bucket),
        Bucket::CacheRead | Bucket::CacheWrite | Bucket::InputAudio | Bucket::InputImage => {
            own(bucket).or(own(Bucket::Input))
        }
        Bucket::CacheWrite1h => own(bucket).or(own(Bucket::CacheWrite)).or(own(Bucket::Input)),
        Bucket::CacheReadAudio => cached(Bucket::InputAudio),
        Bucket::CacheReadImage => cached(Bucket::InputImage),
        Bucket::Reasoning | Bucket::OutputAudio | Bucket::OutputImage => own(bucket).or(own(Bucket::Output)),
    }
}
