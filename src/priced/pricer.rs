//! One use: its price, or why it has none.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::Pricing;
use crate::cost::{Bucket, CannotPrice, Context, Cost, Match, Rates, TierUse, Unpriced, Usage};
use crate::derive::CostBasis;
use crate::texts::Texts;

const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// When something was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Some time during a day, in days since 1970.
    Day(i32),
    /// At a moment, in nanoseconds since 1970.
    At(i64),
}

/// Calls with the same model, agent and so on; or one span.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use<'a> {
    pub(super) agent: Option<&'a str>,
    pub(super) agent_version: Option<&'a str>,
    pub(super) workflow: Option<&'a str>,
    pub(super) kind: Option<&'a str>,
    pub(super) provider: Option<&'a str>,
    pub(super) request_model: Option<&'a str>,
    pub(super) response_model: Option<&'a str>,
    pub(super) service_tier: Option<&'a str>,
    pub(super) basis: Option<CostBasis>,
    pub(super) when: When,
    /// Calls to a model, as `calls` of `usage`.
    pub(super) calls: u64,
    /// Spans whose tokens or cost count.
    pub(super) counted: u64,
    /// Calls of which nothing is known.
    pub(super) unaccounted: u64,
    pub(super) tokens: Usage,
    pub(super) total_tokens: Option<i64>,
    pub(super) max_input: Option<i64>,
    pub(super) reported: Option<i128>,
    pub(super) overflowed: bool,
}

impl Use<'_> {
    /// The day it belongs to.
    pub(super) fn day(&self) -> i32 {
        match self.when {
            When::Day(day) => day,
            When::At(t) => t.div_euclid(DAY_NS) as i32,
        }
    }

    /// Whether it has nothing that could have a price.
    pub(super) fn costs_nothing(&self) -> bool {
        self.basis.is_none() && self.unaccounted == 0
    }

    /// All tokens, as far as they are known.
    fn known_tokens(&self) -> i64 {
        let parts = || Some(self.tokens.input.unwrap_or(0).saturating_add(self.tokens.output.unwrap_or(0)));
        self.total_tokens.or_else(parts).unwrap_or(0)
    }
}

/// What applied to a use: the price, or why there was none. Few are different, so they are numbered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Applied {
    /// `provider/model` of the book.
    pub(super) price_key: Option<Arc<str>>,
    /// reported, user or bundled.
    pub(super) source: Option<&'static str>,
    pub(super) match_kind: Option<&'static str>,
    pub(super) valid_from: Option<i64>,
    /// Why there is no price.
    pub(super) why: Option<&'static str>,
    /// The book has no price for the service tier, so standard prices were taken.
    pub(super) tier_unknown: bool,
}

/// What came of a use.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    /// Number of what applied.
    pub(super) applied: u32,
    /// Pico-dollars; `None` where there is no price.
    pub(super) cost: Option<i128>,
    /// By bucket, where it was computed.
    pub(super) by_bucket: Option<Cost>,
    /// Spans without a price, and calls of which nothing is known.
    pub(super) unpriced_spans: u64,
    pub(super) unpriced_tokens: i64,
}

/// The sums of a use do not decide what it cost: its spans do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Undecided;

/// What a provider, models and a service tier lead to.
#[derive(Debug)]
struct Found {
    found: Result<Match, Unpriced>,
    tier: Option<String>,
    /// Whether these calls are priced as those of another model.
    instead: bool,
    /// Prices by day; `None` where they change within it.
    days: HashMap<i32, Option<Result<Quote, Unpriced>>, RandomState>,
}

/// Prices, and their number among what was applied.
#[derive(Debug, Clone)]
struct Quote {
    rates: Arc<Rates>,
    applied: u32,
}

/// Prices uses, and remembers what names led to.
#[derive(Debug)]
pub(super) struct Pricer<'p> {
    pricing: &'p Pricing,
    pub(super) texts: Texts,
    by_names: HashMap<[u32; 4], u32, RandomState>,
    found: Vec<Found>,
    numbers: HashMap<Applied, u32, RandomState>,
    pub(super) applied: Vec<Applied>,
}

impl<'p> Pricer<'p> {
    pub(super) fn new(pricing: &'p Pricing) -> Self {
        Pricer {
            pricing,
            texts: Texts::default(),
            by_names: HashMap::default(),
            found: Vec::new(),
            numbers: HashMap::default(),
            applied: Vec::new(),
        }
    }

    fn number(&mut self, applied: Applied) -> u32 {
        if let Some(n) = self.numbers.get(&applied) {
            return *n;
        }
        let n = self.applied.len() as u32;
        self.applied.push(applied.clone());
        self.numbers.insert(applied, n);
        n
    }

    /// Where the names of a use lead.
    fn find(&mut self, u: &Use<'_>) -> u32 {
        let names = [u.provider, u.response_model, u.request_model, u.service_tier];
        let key = names.map(|n| self.texts.number(n));
        if let Some(at) = self.by_names.get(&key) {
            return *at;
        }
        let mut found = self.pricing.book.find(u.provider, u.response_model, u.request_model);
        let mut swapped = false;
        if let Some(instead) = &self.pricing.instead {
            let named = [u.response_model, u.request_model].into_iter().flatten();
            swapped = named.into_iter().any(|n| n.to_lowercase() == instead.from)
                || found.as_ref().is_ok_and(|m| Some(m.price_key()) == instead.from_key);
            if swapped {
                found = Ok(instead.to.clone());
            }
        }
        let at = self.found.len() as u32;
        // A tier of one provider means nothing to another.
        let tier = u.service_tier.filter(|_| !swapped).map(str::to_owned);
        self.found.push(Found { found, tier, instead: swapped, days: HashMap::default() });
        self.by_names.insert(key, at);
        at
    }

    fn quote(&mut self, found: &Match, tier: Option<&str>, at: i64) -> Result<Quote, Unpriced> {
        let rates = found.rates_at(at, Context { service_tier: tier })?;
        let applied = self.number(Applied {
            price_key: Some(rates.price_key.as_str().into()),
            source: Some(rates.layer.name()),
            match_kind: Some(found.kind.name()),
            valid_from: rates.valid_from,
            why: None,
            tier_unknown: matches!(rates.tier, TierUse::NotInBook(_)),
        });
        Ok(Quote { rates: Arc::new(rates), applied })
    }

    /// The prices for what names lead to, at some time.
    fn prices(&mut self, at: u32, when: When) -> Result<Result<Quote, Unpriced>, Undecided> {
        let slot = &self.found[at as usize];
        let (found, tier) = match &slot.found {
            Ok(m) => (m.clone(), slot.tier.clone()),
            Err(e) => return Ok(Err(e.clone())),
        };
        let (day, moment) = match (self.pricing.as_of_unix_nano, when) {
            // As if all happened on one day, which is no day of its own.
            (Some(moment), _) => (i32::MIN, Some(moment)),
            (None, When::Day(day)) => (day, None),
            (None, When::At(t)) => (t.div_euclid(DAY_NS) as i32, Some(t)),
        };
        let known = match slot.days.get(&day) {
            Some(known) => known.clone(),
            None => {
                let start = moment.filter(|_| day == i32::MIN).unwrap_or_else(|| i64::from(day).saturating_mul(DAY_NS));
                let end = if day == i32::MIN { start } else { start.saturating_add(DAY_NS - 1) };
                let context = Context { service_tier: tier.as_deref() };
                let constant = found.model().constant_between(start, end, context);
                let known = constant.then(|| self.quote(&found, tier.as_deref(), start));
                self.found[at as usize].days.insert(day, known.clone());
                known
            }
        };
        match (known, moment) {
            (Some(known), _) => Ok(known),
            (None, Some(moment)) => Ok(self.quote(&found, tier.as_deref(), moment)),
            (None, None) => Err(Undecided),
        }
    }

    /// What a use contributes to the cost of its run.
    pub(super) fn price(&mut self, u: &Use<'_>) -> Result<Outcome, Undecided> {
        let basis = match (u.basis, self.reprices(u)) {
            (basis, false) => basis,
            // Tokens speak now, and what was reported only where there are none.
            (Some(CostBasis::Covered), true) => Some(CostBasis::Computed),
            (Some(CostBasis::Covering), true) => None,
            (Some(CostBasis::Reported), true) if u.counted > 1 => return Err(Undecided),
            (Some(CostBasis::Reported), true) if !u.tokens.is_empty() => Some(CostBasis::Computed),
            (basis, true) => basis,
        };
        match basis {
            Some(CostBasis::Reported | CostBasis::Covering) => Ok(self.reported(u)),
            Some(CostBasis::Computed) => self.computed(u),
            // Of some the total is known, of others the parts: sums of both mean nothing.
            Some(CostBasis::Incomplete | CostBasis::Inconsistent) if u.counted > 1 => Err(Undecided),
            Some(CostBasis::Incomplete) => Ok(self.without(u, "incomplete_usage", u.counted)),
            Some(CostBasis::Inconsistent) => Ok(self.without(u, "inconsistent_usage", u.counted)),
            Some(CostBasis::Covered | CostBasis::Superseded) | None if u.unaccounted > 0 => {
                Ok(self.without(u, "no_usage", 0))
            }
            Some(CostBasis::Covered | CostBasis::Superseded) | None => {
                let applied = self.number(Applied::default());
                Ok(Outcome { applied, cost: None, by_bucket: None, unpriced_spans: 0, unpriced_tokens: 0 })
            }
        }
    }

    /// Whether tokens count before what was reported.
    fn reprices(&mut self, u: &Use<'_>) -> bool {
        if self.pricing.as_of_unix_nano.is_some() {
            return true;
        }
        if self.pricing.instead.is_none() {
            return false;
        }
        let at = self.find(u);
        self.found[at as usize].instead
    }

    fn reported(&mut self, u: &Use<'_>) -> Outcome {
        if u.overflowed {
            return self.without(u, "overflow", u.counted);
        }
        let applied = self.number(Applied { source: Some("reported"), ..Applied::default() });
        Outcome { applied, cost: u.reported, by_bucket: None, unpriced_spans: u.unaccounted, unpriced_tokens: 0 }
    }

    fn computed(&mut self, u: &Use<'_>) -> Result<Outcome, Undecided> {
        if u.overflowed {
            return Err(Undecided);
        }
        let at = self.find(u);
        let quote = match self.prices(at, u.when)? {
            Ok(quote) => quote,
            Err(e) => return Ok(self.unpriced(u, &e)),
        };
        let priced = if u.counted == 1 {
            quote.rates.cost(&u.tokens)
        } else {
            match quote.rates.cost_of_sums(&u.tokens, 0, u.max_input.unwrap_or(0), u.counted) {
                Ok(Ok(cost)) => Ok(cost),
                Ok(Err(_)) => return Err(Undecided),
                // One call may spoil the sums of the others.
                Err(_) => return Err(Undecided),
            }
        };
        Ok(match priced {
            Ok(cost) => Outcome {
                applied: quote.applied,
                cost: Some(cost.total),
                by_bucket: Some(cost),
                unpriced_spans: u.unaccounted,
                unpriced_tokens: 0,
            },
            Err(e) => self.unpriced(u, &e),
        })
    }

    fn unpriced(&mut self, u: &Use<'_>, e: &Unpriced) -> Outcome {
        let why = match e.why {
            CannotPrice::Incomplete(_) => "incomplete_usage",
            CannotPrice::Inconsistent(_) => "inconsistent_usage",
            _ => e.why.name(),
        };
        self.outcome_without(u, why, e.price_key.as_deref(), u.counted)
    }

    /// For a use that should have been decided.
    pub(super) fn undecidable(&mut self, u: &Use<'_>) -> Outcome {
        self.without(u, "undecidable", u.counted)
    }

    fn without(&mut self, u: &Use<'_>, why: &'static str, spans: u64) -> Outcome {
        self.outcome_without(u, why, None, spans)
    }

    fn outcome_without(&mut self, u: &Use<'_>, why: &'static str, price_key: Option<&str>, spans: u64) -> Outcome {
        let applied =
            self.number(Applied { why: Some(why), price_key: price_key.map(Into::into), ..Applied::default() });
        Outcome {
            applied,
            cost: None,
            by_bucket: None,
            unpriced_spans: spans + u.unaccounted,
            unpriced_tokens: if spans > 0 { u.known_tokens() } else { 0 },
        }
    }
}

/// How many buckets costs have.
pub(super) const BUCKETS: usize = Bucket::COUNT;
