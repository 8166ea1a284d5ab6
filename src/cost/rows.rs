//! Prices as rows, as users write and read them: listing, adding, comparing.

use std::collections::BTreeMap;

use super::book::{Alias, PriceBook, plain};
use super::date;
use super::model::{Row, Rule, is_standard};
use super::money::AttoUsd;
use super::names::canonical;
use super::rates::{Amounts, Fact, Layer, Prices};
use super::text::prices_text;
use super::usage::Bucket;

/// What a user's row answers to, beside the names that the book has for its model already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowMatch {
    /// The model's whole name.
    Exact,
    /// All names that begin so.
    Prefix,
}

impl RowMatch {
    /// `exact` or `prefix`.
    pub fn name(self) -> &'static str {
        match self {
            RowMatch::Exact => "exact",
            RowMatch::Prefix => "prefix",
        }
    }
}

/// The prices of one model during one time, for one tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceRow {
    /// Provider's name in the book.
    pub provider: String,
    /// Model's name in the book.
    pub model: String,
    /// What it answers to.
    pub matches: RowMatch,
    /// Whose row it is.
    pub layer: Layer,
    /// First moment, nanoseconds since the epoch; `None` has no beginning.
    pub valid_from: Option<i64>,
    /// First moment after it; `None` has no end, or ends where the next row begins.
    pub valid_to: Option<i64>,
    /// Hours of the day in UTC, in seconds since midnight: from, up to.
    pub window: Option<(u32, u32)>,
    /// The calls it is for, when not for all: `service_tier` and `flex`, `processing` and `batch`.
    pub when: Option<(String, String)>,
    /// Where the prices are from.
    pub source: Option<String>,
    pub(super) prices: Prices,
    pub(super) facts: Vec<Fact>,
}

impl PriceRow {
    /// Thresholds, `None` for none, with the price of each bucket above it; no price at all is `None`.
    pub fn tiers(&self) -> impl Iterator<Item = (Option<i64>, &[Option<AttoUsd>; Bucket::COUNT])> {
        self.prices.tiers.iter().map(|t| ((t.above >= 0).then_some(t.above), &t.amounts))
    }

    /// Facts of the row that are not applied.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// All prices in one line, as in `input=2.5 output=10 >200000 input=5`: dollars per million tokens.
    pub fn prices_text(&self) -> String {
        prices_text(&self.prices, &self.facts)
    }

    /// What makes a row the same row in another book.
    fn key(&self) -> RowKey {
        RowKey {
            provider: self.provider.clone(),
            model: self.model.clone(),
            when: self.when.clone(),
            window: self.window,
            valid_from: self.valid_from,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct RowKey {
    provider: String,
    model: String,
    when: Option<(String, String)>,
    window: Option<(u32, u32)>,
    valid_from: Option<i64>,
}

/// A difference between two books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowChange {
    /// The new book has it, the old one not.
    Added(PriceRow),
    /// The old book has it, the new one not.
    Removed(PriceRow),
    /// Both have it, with other prices or another end.
    Changed {
        /// In the old book.
        old: Box<PriceRow>,
        /// In the new book.
        new: Box<PriceRow>,
    },
}

impl PriceBook {
    /// All rows: provider by provider, model by model, bundled ones before the user's.
    pub fn rows(&self) -> impl Iterator<Item = PriceRow> + '_ {
        self.models().flat_map(|model| {
            let is_prefix = model.user_rules.iter().any(|r| matches!(r, Rule::Prefix(_)));
            let row = move |row: &Row, layer: Layer| PriceRow {
                provider: model.provider.clone(),
                model: model.id.clone(),
                matches: if is_prefix && layer == Layer::User { RowMatch::Prefix } else { RowMatch::Exact },
                layer,
                valid_from: row.from,
                valid_to: row.to,
                window: row.window,
                when: row.when.clone(),
                source: row.source.clone().or_else(|| (layer == Layer::Bundled).then(|| model.source.clone())),
                prices: row.prices.clone(),
                facts: row.facts.clone(),
            };
            let bundled = model.bundled.iter().map(move |r| row(r, Layer::Bundled));
            bundled.chain(model.user.iter().map(move |r| row(r, Layer::User)))
        })
    }

    /// This book with more rows of the user. A row for the same provider, model, tier, hours and beginning as one of
    /// the user's before takes its place; `layer` is not looked at.
    ///
    /// # Errors
    ///
    /// A row that ends before it begins, or whose names cannot be kept; its place in the input, from 0, and why.
    pub fn with_rows(&self, rows: impl IntoIterator<Item = PriceRow>) -> Result<PriceBook, (usize, String)> {
        let mut builder = self.to_builder();
        for (at, row) in rows.into_iter().enumerate() {
            let add = || {
                for (what, text) in [("source", row.source.as_deref())]
                    .into_iter()
                    .chain(row.when.iter().flat_map(|(k, v)| [("condition", Some(k.as_str())), ("tier", Some(v))]))
                {
                    text.map_or(Ok(()), |t| plain(what, t))?;
                }
                builder.provider(&row.provider, &[], Layer::User)?;
                let name = row.model.to_lowercase();
                let mut rules = vec![Rule::Exact(name.clone())];
                if row.matches == RowMatch::Prefix {
                    rules.push(Rule::Prefix(name.clone()));
                }
                // A row is for the model that the book has, however the user wrote it.
                let known = self.provider(&row.provider).and_then(|p| p.models.get(*p.names.exact.get(&name)?));
                let id = known.map(|m| m.id.as_str()).filter(|id| id.to_lowercase() == name).unwrap_or(&row.model);
                builder.model(id, rules, Layer::User)?;
                let row = Row {
                    from: row.valid_from,
                    to: row.valid_to,
                    window: row.window,
                    when: row.when,
                    prices: row.prices,
                    facts: row.facts,
                    source: row.source,
                };
                builder.row(row, Layer::User)
            };
            add().map_err(|reason| (at, reason))?;
        }
        Ok(builder.finish())
    }

    /// This book with more aliases. One for the same name and provider as another before takes its place.
    ///
    /// # Errors
    ///
    /// An alias whose names cannot be kept; its place in the input, from 0, and why.
    pub fn with_aliases(&self, aliases: impl IntoIterator<Item = Alias>) -> Result<PriceBook, (usize, String)> {
        let mut builder = self.to_builder();
        for (at, alias) in aliases.into_iter().enumerate() {
            builder.alias(alias).map_err(|reason| (at, reason))?;
        }
        Ok(builder.finish())
    }

    /// Another book's bundled rows under this book's rows and aliases of the user: what an update does.
    ///
    /// # Errors
    ///
    /// When the two do not go together; why.
    pub fn rebased(&self, bundled: &PriceBook) -> Result<PriceBook, String> {
        let of_user = self.rows().filter(|r| r.layer == Layer::User);
        let fail = |(_, reason)| reason;
        let mut bare = bundled.clone();
        if bare.rows().any(|r| r.layer == Layer::User) || !bare.aliases.is_empty() {
            bare = bundled.without_user();
        }
        bare.with_rows(of_user).map_err(fail)?.with_aliases(self.aliases.iter().cloned()).map_err(fail)
    }

    /// What came with the program alone.
    pub fn without_user(&self) -> PriceBook {
        let mut builder = self.to_builder();
        builder.drop_user();
        builder.finish()
    }

    /// What another book has more, less, or otherwise; in the order of names.
    pub fn diff(&self, newer: &PriceBook) -> Vec<RowChange> {
        let keyed = |book: &PriceBook| -> BTreeMap<(RowKey, &'static str), PriceRow> {
            book.rows().map(|r| ((r.key(), r.layer.name()), r)).collect()
        };
        let (old, mut new) = (keyed(self), keyed(newer));
        let mut changes = BTreeMap::new();
        for (key, was) in old {
            let change = match new.remove(&key) {
                None => RowChange::Removed(was),
                Some(is) if is.prices == was.prices && is.facts == was.facts && is.valid_to == was.valid_to => continue,
                Some(is) => RowChange::Changed { old: Box::new(was), new: Box::new(is) },
            };
            changes.insert(key, change);
        }
        changes.extend(new.into_iter().map(|(key, is)| (key, RowChange::Added(is))));
        changes.into_values().collect()
    }
}

/// Names of the columns of a file of prices that are no price.
pub(super) const COLUMNS: [&str; 9] = [
    "provider",
    "model",
    "match",
    "valid_from",
    "valid_to",
    "hours_utc",
    "service_tier",
    "source",
    "above_input_tokens",
];

/// The column of a bucket's price, as in `cache_read_usd_per_mtok`.
pub(super) fn price_column(bucket: Bucket) -> String {
    match bucket {
        Bucket::Requests => "request_usd".to_owned(),
        bucket => format!("{}_usd_per_mtok", bucket.name()),
    }
}

/// Decimals between a column's unit and an atto-dollar: a call's price is told per call, not per thousand.
pub(super) fn column_scale(bucket: Bucket) -> u32 {
    match bucket {
        Bucket::Requests => 18,
        bucket => bucket.scale(),
    }
}

/// A service tier as the column has it: the book's other conditions with their name before.
pub(super) fn tier_column(when: &Option<(String, String)>) -> String {
    match when {
        None => String::new(),
        Some((key, value)) if key == "service_tier" => value.clone(),
        Some((key, value)) if key == "processing" && value == "batch" => value.clone(),
        Some((key, value)) => format!("{key}:{value}"),
    }
}

/// See [`tier_column`].
pub(super) fn tier_of_column(text: &str) -> Option<(String, String)> {
    match text.split_once(':') {
        _ if is_standard(&text.to_lowercase()) => None,
        Some((key, value)) => Some((key.to_owned(), value.to_owned())),
        None if text == "batch" => Some(("processing".to_owned(), text.to_owned())),
        None => Some(("service_tier".to_owned(), text.to_lowercase())),
    }
}

/// One line of a file of prices: a row, or a tier of the row before it.
#[derive(Debug, Default)]
pub(super) struct Line<'t> {
    pub(super) provider: Option<&'t str>,
    pub(super) model: Option<&'t str>,
    pub(super) matches: Option<&'t str>,
    pub(super) valid_from: Option<&'t str>,
    pub(super) valid_to: Option<&'t str>,
    pub(super) window: Option<&'t str>,
    pub(super) tier: Option<&'t str>,
    pub(super) source: Option<&'t str>,
    pub(super) above: Option<&'t str>,
    pub(super) prices: [Option<&'t str>; Bucket::COUNT],
}

impl<'t> Line<'t> {
    /// Puts a value into the column of that name; `false` if there is none.
    pub(super) fn set(&mut self, column: &str, value: &'t str) -> bool {
        let field = match column {
            "provider" => &mut self.provider,
            "model" => &mut self.model,
            "match" => &mut self.matches,
            "valid_from" => &mut self.valid_from,
            "valid_to" => &mut self.valid_to,
            "hours_utc" => &mut self.window,
            "service_tier" => &mut self.tier,
            "source" => &mut self.source,
            "above_input_tokens" => &mut self.above,
            column => match Bucket::ALL.into_iter().find(|&b| price_column(b) == column) {
                Some(bucket) => &mut self.prices[bucket.index()],
                None => return false,
            },
        };
        *field = Some(value).filter(|v| !v.is_empty());
        true
    }

    fn amounts(&self) -> Result<Amounts, (String, String)> {
        let mut amounts = [None; Bucket::COUNT];
        for bucket in Bucket::ALL {
            if let Some(text) = self.prices[bucket.index()] {
                let price = super::money::parse_decimal(text, column_scale(bucket));
                amounts[bucket.index()] = Some(price.map_err(|e| (price_column(bucket), e))?);
            }
        }
        Ok(amounts)
    }

    /// The row that the line begins, or its tier added to `last`. Errors name the column.
    pub(super) fn read(&self, last: Option<&mut PriceRow>) -> Result<Option<PriceRow>, (String, String)> {
        let at = |column: &'static str| move |reason: String| (column.to_owned(), reason);
        let needed = |value: Option<&'t str>, column: &'static str| {
            let text = value.ok_or_else(|| (column.to_owned(), "it is missing".to_owned()))?;
            plain(column, text).map_err(at(column))?;
            Ok::<_, (String, String)>(text.to_owned())
        };
        let row = PriceRow {
            provider: canonical(&needed(self.provider, "provider")?),
            model: needed(self.model, "model")?,
            matches: match self.matches {
                None | Some("exact") => RowMatch::Exact,
                Some("prefix") => RowMatch::Prefix,
                Some(other) => return Err(("match".to_owned(), format!("{other:?} is neither exact nor prefix"))),
            },
            layer: Layer::User,
            valid_from: self.valid_from.map(date::parse).transpose().map_err(at("valid_from"))?,
            valid_to: self.valid_to.map(date::parse).transpose().map_err(at("valid_to"))?,
            window: self.window.map(date::parse_window).transpose().map_err(at("hours_utc"))?,
            when: self.tier.and_then(tier_of_column),
            source: self.source.map(str::to_owned),
            prices: Prices::flat(self.amounts()?),
            facts: Vec::new(),
        };
        if let (Some(from), Some(to)) = (row.valid_from, row.valid_to)
            && to <= from
        {
            return Err(("valid_to".to_owned(), "it is not after valid_from".to_owned()));
        }
        if let Some(source) = &row.source {
            plain("source", source).map_err(at("source"))?;
        }
        let Some(above) = self.above else { return Ok(Some(row)) };
        let above: i64 = above
            .parse()
            .ok()
            .filter(|&a| a >= 0)
            .ok_or_else(|| ("above_input_tokens".to_owned(), format!("{above:?} is no number of tokens")))?;
        let wrong = |reason: &str| Err(("above_input_tokens".to_owned(), reason.to_owned()));
        let Some(last) = last else { return wrong("it goes on with the row before, and there is none") };
        let same = last.key() == row.key() && last.valid_to == row.valid_to && last.matches == row.matches;
        if !same {
            return wrong(
                "the row before is of another model, time or tier; it must be the same row without a threshold",
            );
        }
        if last.prices.tiers.last().is_none_or(|t| t.above >= above) {
            return wrong("thresholds must ascend");
        }
        if last.prices.tiers.len() >= crate::limits::PRICE_TIERS {
            return wrong("too many tiers");
        }
        last.prices.push_tier(above, row.prices.tiers[0].amounts);
        Ok(None)
    }
}
