//! One model of the book: the names it answers to and its dated rows.

use super::rates::{Fact, Layer, Prices, Rates, TierUse};
use super::unpriced::{CannotPrice, Unpriced};

pub(super) const SECOND_NS: i64 = 1_000_000_000;
pub(super) const DAY_NS: i64 = 86_400 * SECOND_NS;

/// An anchored rule by which a model answers to a name. All text is lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Rule {
    /// The whole name.
    Exact(String),
    /// Starts with it; a prefix that ends in a digit is not followed by another.
    Prefix(String),
    /// Likewise, and no segment `-tts`.
    PrefixNotSpoken(String),
    /// Starts with it, and a digit follows.
    PrefixThenDigit(String),
    /// As `Prefix`, also after a region and a dot.
    Regional(String),
    /// The name, then a date.
    Dated(String),
}

/// A price during some time, for some hours or for some tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// First moment, nanoseconds since the epoch.
    pub(super) from: Option<i64>,
    /// First moment after it. Bundled rows have none: the next row takes over.
    pub(super) to: Option<i64>,
    /// Seconds since midnight UTC: from, up to; over midnight when the second is smaller.
    pub(super) window: Option<(u32, u32)>,
    /// Which calls it is for when not for all: key and value, as in `service_tier`, `flex`.
    pub(super) when: Option<(String, String)>,
    pub(super) prices: Prices,
    pub(super) facts: Vec<Fact>,
    /// Where it is from; `None` is the book's own source.
    pub(super) source: Option<String>,
}

impl Row {
    fn is_active(&self, instant: i64) -> bool {
        let second = (instant.rem_euclid(DAY_NS) / SECOND_NS) as u32;
        self.from.is_none_or(|from| instant >= from)
            && self.to.is_none_or(|to| instant < to)
            && self.window.is_none_or(|(from, to)| match from <= to {
                true => from <= second && second < to,
                false => second >= from || second < to,
            })
    }

    fn is_for(&self, asked: &[(&str, &str)]) -> bool {
        self.when.as_ref().is_some_and(|(k, v)| asked.iter().any(|(key, value)| key == k && value == v))
    }
}

/// A model of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    pub(super) provider: String,
    pub(super) id: String,
    pub(super) rules: Vec<Rule>,
    pub(super) user_rules: Vec<Rule>,
    pub(super) user: Vec<Row>,
    pub(super) bundled: Vec<Row>,
    /// Of the bundled rows.
    pub(super) source: String,
}

/// What else than the moment decides a price.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Service tier as the provider or the source wrote it.
    pub service_tier: Option<&'a str>,
}

/// Service tiers that cost what is in the price list.
const STANDARD: [&str; 8] = ["", "default", "standard", "standard_only", "auto", "on_demand", "on-demand", "none"];

/// Whether a service tier, in lower case, is the one that prices are listed for.
pub(super) fn is_standard(tier: &str) -> bool {
    STANDARD.contains(&tier)
}

/// What a service tier asks for in the words of the book.
fn asked(tier: &str) -> Vec<(&'static str, &str)> {
    match tier {
        "batch" | "batches" => vec![("processing", "batch"), ("service_tier", "batch")],
        // OpenAI's tier and Anthropic's mode have the same name; no model has both.
        "fast" => vec![("service_tier", "fast"), ("speed", "fast")],
        tier => vec![("service_tier", tier)],
    }
}

/// Which rows hold at a moment.
#[derive(PartialEq, Eq)]
struct Held<'a> {
    base: Option<&'a Row>,
    variants: Vec<&'a Row>,
    layer: Layer,
}

impl Model {
    /// Provider's name in the book.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The model's name in the book.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `provider/model`.
    pub fn price_key(&self) -> String {
        format!("{}/{}", self.provider, self.id)
    }

    /// Prices at a moment, nanoseconds since the epoch.
    ///
    /// A user's row that is valid then is taken before bundled ones, and takes their place wholly: bundled tiers do not
    /// apply under it. Later rows are taken before earlier ones. Before the first bundled row, that row holds too, as
    /// in its source; a user's row holds only while it says so.
    ///
    /// # Errors
    ///
    /// Without a row for that moment, or with one that tells no price.
    pub fn rates_at(&self, instant_ns: i64, context: Context<'_>) -> Result<Rates, Unpriced> {
        self.rates(instant_ns, context, true)
    }

    pub(super) fn rates(&self, instant: i64, context: Context<'_>, variants: bool) -> Result<Rates, Unpriced> {
        let fail = |why| Unpriced { why, price_key: Some(self.price_key()) };
        let tier = context.service_tier.unwrap_or_default().trim().to_ascii_lowercase();
        let is_standard = is_standard(&tier);
        let asked = if is_standard { Vec::new() } else { asked(&tier) };
        let held = self.held(instant, if variants { &asked } else { &[] });
        let Some(base) = held.base else { return Err(fail(CannotPrice::NotValidThen)) };
        // The first variant that tells a price has the say, so it goes on top.
        let mut prices = base.prices.clone();
        for variant in held.variants.iter().rev() {
            prices = prices.overlaid(&variant.prices);
        }
        if prices.is_empty() {
            return Err(fail(CannotPrice::NoPrice));
        }
        let first = held.variants.iter().find_map(|v| v.when.as_ref());
        let mut facts: Vec<Fact> = base.facts.clone();
        for variant in held.variants.iter().rev() {
            facts.retain(|f| variant.facts.iter().all(|v| v.unit != f.unit));
            facts.extend(variant.facts.iter().cloned());
        }
        Ok(Rates {
            prices,
            facts,
            price_key: self.price_key(),
            layer: held.layer,
            source: base.source.clone().unwrap_or_else(|| self.source.clone()),
            valid_from: base.from,
            valid_to: self.end_of(base, held.layer),
            window: base.window,
            tier: match (is_standard, first) {
                (true, _) => TierUse::Standard,
                (false, Some((key, value))) => TierUse::Variant(format!("{key}:{value}")),
                (false, None) => TierUse::NotInBook(tier),
            },
            constant: self.constant_around(instant),
        })
    }

    /// Its dated rows, of both layers.
    pub fn row_count(&self) -> usize {
        self.user.len() + self.bundled.len()
    }

    fn rows(&self, layer: Layer) -> &[Row] {
        match layer {
            Layer::User => &self.user,
            Layer::Bundled => &self.bundled,
        }
    }

    fn held(&self, instant: i64, asked: &[(&str, &str)]) -> Held<'_> {
        let last = |rows: &'_ [Row]| rows.iter().rposition(|r| r.when.is_none() && r.is_active(instant));
        let (layer, base) = match last(&self.user) {
            Some(at) => (Layer::User, self.user.get(at)),
            None => {
                let standard = || self.bundled.iter().find(|r| r.when.is_none());
                (Layer::Bundled, last(&self.bundled).and_then(|at| self.bundled.get(at)).or_else(standard))
            }
        };
        let mut variants: Vec<&Row> =
            self.rows(layer).iter().filter(|r| r.is_for(asked) && r.is_active(instant)).collect();
        // Rows of a tier alone, given by the user over a model whose standard rows are bundled.
        if layer == Layer::Bundled {
            let of_user = self.user.iter().filter(|r| r.is_for(asked) && r.is_active(instant));
            let of_user: Vec<&Row> = of_user.rev().collect();
            variants = of_user.into_iter().chain(variants).collect();
        } else {
            variants.reverse();
        }
        Held { base, variants, layer }
    }

    /// When a row ends: where it says so, or where a later row of the same layer takes over.
    fn end_of(&self, row: &Row, layer: Layer) -> Option<i64> {
        let rows = self.rows(layer);
        let at = rows.iter().position(|r| std::ptr::eq(r, row)).unwrap_or(rows.len());
        let after = rows.iter().skip(at + 1).filter(|r| r.when.is_none() && r.window.is_none());
        let start = row.from.unwrap_or(i64::MIN);
        after.filter_map(|r| r.from).filter(|&from| from > start).chain(row.to).min()
    }

    /// Whether the same prices hold at every moment from `t0` up to and including `t1`.
    pub fn constant_between(&self, t0: i64, t1: i64, context: Context<'_>) -> bool {
        let tier = context.service_tier.unwrap_or_default().trim().to_ascii_lowercase();
        let asked = if is_standard(&tier) { Vec::new() } else { asked(&tier) };
        let at_start = self.held(t0, &asked);
        self.changes(t0, t1).into_iter().all(|t| self.held(t, &asked) == at_start)
    }

    /// The last moment up to this one, and the first after it, at which another row may begin to hold.
    fn constant_around(&self, instant: i64) -> (Option<i64>, Option<i64>) {
        let rows = || self.user.iter().chain(&self.bundled);
        let ends = || rows().flat_map(|r| [r.from, r.to]).flatten();
        let seconds = || rows().filter_map(|r| r.window).flat_map(|(from, to)| [from, to]);
        let time = |second: u32| i64::from(second) * SECOND_NS;
        let since = |second: u32| (instant.rem_euclid(DAY_NS) - time(second)).rem_euclid(DAY_NS);
        let before = seconds().filter_map(|s| instant.checked_sub(since(s)));
        let after = seconds().filter_map(|s| instant.checked_add(DAY_NS - since(s)));
        (ends().filter(|&t| t <= instant).chain(before).max(), ends().filter(|&t| t > instant).chain(after).min())
    }

    /// Moments after `t0` up to `t1` at which other rows may begin to hold.
    fn changes(&self, t0: i64, t1: i64) -> Vec<i64> {
        let rows = || self.user.iter().chain(&self.bundled);
        let mut starts: Vec<i64> =
            rows().flat_map(|r| [r.from, r.to]).flatten().filter(|&t| t0 < t && t <= t1).collect();
        let dates: Vec<i64> = starts.iter().copied().chain([t0]).collect();
        for (from, to) in rows().filter_map(|r| r.window) {
            // Between two dates every day is like the first: its windows begin and end once each.
            for date in &dates {
                for second in [from, to] {
                    let offset = (i64::from(second) * SECOND_NS - date.rem_euclid(DAY_NS)).rem_euclid(DAY_NS);
                    starts.extend(date.checked_add(offset).filter(|&t| t0 < t && t <= t1));
                }
            }
        }
        starts
    }
}
