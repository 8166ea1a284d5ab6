//! The price book as text, and compressed for a file.
//!
//! One record per line, fields apart by tabs:
//!
//! ```text
//! spanfile-prices  1
//! source    NAME  VERSION  LICENCE
//! notice    a line of the licence
//! family    PREFIX  PROVIDER  closed|open
//! provider  NAME  FALLBACK...
//! model     NAME  RULE...                    of the provider before it
//! row       PRICES  KEY=VALUE...             of the model before it
//! user                                       rows from here on are the user's
//! alias     ALIAS  ASKED-PROVIDER  PROVIDER  MODEL
//! ```
//!
//! Prices are `input=2.5 output=10 +web_searches_kcount=10 >200000 input=5`: dollars per million tokens (calls: per
//! thousand), facts that are not applied, then what changes above a threshold. Keys of a row are `from`, `to`,
//! `window`, `when` and `source`. A rule is a sign and a text: `=` the whole name, `^` a prefix, `!` a prefix without a
//! segment `-tts`, `#` a prefix and a digit, `~` a prefix after a region or none, `@` a name and a date; a lone `=` is
//! the model's own name.

use std::io::Read;

use super::book::{Alias, Builder, Family, PriceBook, Source};
use super::date;
use super::model::{Row, Rule};
use super::money::{format_decimal, parse_decimal};
use super::rates::{Amounts, Fact, Layer, Prices};
use super::usage::Bucket;
use crate::limits;

const FIRST: &str = "spanfile-prices\t1";

/// A price book that cannot be read: where and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// The compressed form is damaged or too large.
    #[error("price book: {0}")]
    Compressed(String),
    /// A line of the text.
    #[error("price book, line {line}: {reason}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl PriceBook {
    /// The whole book in a form that [`PriceBook::decode`] reads: what came with the program, the user's rows, aliases.
    /// Equal books have equal bytes.
    ///
    /// # Errors
    ///
    /// When the book is too large to be read again, or the compressor fails.
    pub fn encode(&self) -> std::io::Result<Vec<u8>> {
        let text = self.to_text();
        check_size(&text).map_err(std::io::Error::other)?;
        zstd::bulk::compress(text.as_bytes(), 12)
    }

    /// Reads what [`PriceBook::encode`] wrote.
    ///
    /// # Errors
    ///
    /// Anything else, with the line; memory is bounded whatever the bytes say.
    pub fn decode(bytes: &[u8]) -> Result<PriceBook, BookError> {
        let fail = |e: std::io::Error| BookError::Compressed(e.to_string());
        let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(fail)?;
        decoder.window_log_max(limits::ZSTD_WINDOW_LOG).map_err(fail)?;
        let mut text = String::new();
        decoder.take(limits::PRICE_BOOK_BYTES as u64 + 1).read_to_string(&mut text).map_err(fail)?;
        PriceBook::from_text(&text)
    }

    /// BLAKE3 of the book's text: books with the same hash price the same.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(self.to_text().as_bytes()).as_bytes()
    }

    pub(super) fn from_text(text: &str) -> Result<PriceBook, BookError> {
        check_size(text)?;
        let mut builder = Builder::default();
        let mut lines = (1..).zip(text.lines());
        let first = lines.next().map(|(_, l)| l);
        if first != Some(FIRST) {
            return Err(BookError::Line { line: 1, reason: format!("expected {FIRST:?}") });
        }
        let mut layer = Layer::Bundled;
        for (line, text) in lines {
            record(text, &mut layer, &mut builder).map_err(|reason| BookError::Line { line, reason })?;
        }
        Ok(builder.finish())
    }

    pub(super) fn to_text(&self) -> String {
        let mut out = vec![FIRST.to_owned()];
        let source = &self.source;
        out.push(format!("source\t{}\t{}\t{}", source.name, source.version, source.licence));
        out.extend(self.notices.iter().map(|n| format!("notice\t{n}")));
        for family in &self.families {
            let kind = if family.closed { "closed" } else { "open" };
            out.push(format!("family\t{}\t{}\t{kind}", family.prefix, family.provider));
        }
        for layer in [Layer::Bundled, Layer::User] {
            let of_user = layer == Layer::User;
            if of_user {
                out.push("user".to_owned());
            }
            for provider in &self.providers {
                let mut named = false;
                let mut name = |out: &mut Vec<String>| {
                    if !std::mem::replace(&mut named, true) {
                        let fallbacks = if of_user { &[][..] } else { &provider.fallbacks };
                        out.push([&["provider".to_owned(), provider.id.clone()], fallbacks].concat().join("\t"));
                    }
                };
                if !of_user && provider.bundled {
                    name(&mut out);
                }
                for model in &provider.models {
                    let (rules, rows) = match layer {
                        Layer::Bundled => (&model.rules, &model.bundled),
                        Layer::User => (&model.user_rules, &model.user),
                    };
                    if rows.is_empty() && (of_user || !model.of_bundled()) {
                        continue;
                    }
                    name(&mut out);
                    let rules = rules.iter().map(|r| rule_text(r, &model.id));
                    out.push(
                        ["model".to_owned(), model.id.clone()].into_iter().chain(rules).collect::<Vec<_>>().join("\t"),
                    );
                    out.extend(rows.iter().map(row_text));
                }
            }
        }
        for alias in &self.aliases {
            let asked = alias.for_provider.as_deref().unwrap_or_default();
            out.push(format!("alias\t{}\t{asked}\t{}\t{}", alias.alias, alias.provider, alias.model));
        }
        out.push(String::new());
        out.join("\n")
    }
}

fn check_size(text: &str) -> Result<(), BookError> {
    let fields = text.bytes().filter(u8::is_ascii_whitespace).count();
    if text.len() > limits::PRICE_BOOK_BYTES || fields > limits::PRICE_BOOK_FIELDS {
        let (bytes, most) = (limits::PRICE_BOOK_BYTES, limits::PRICE_BOOK_FIELDS);
        return Err(BookError::Compressed(format!("more than {bytes} bytes or {most} fields")));
    }
    Ok(())
}

fn record(text: &str, layer: &mut Layer, builder: &mut Builder) -> Result<(), String> {
    let fields: Vec<&str> = text.split('\t').collect();
    match (fields[0], &fields[1..]) {
        ("source", [name, version, licence]) => {
            builder.source =
                Source { name: (*name).to_owned(), version: (*version).to_owned(), licence: (*licence).to_owned() };
        }
        ("notice", [line]) => builder.notices.push((*line).to_owned()),
        ("family", [prefix, provider, kind @ ("closed" | "open")]) => builder.families.push(Family {
            prefix: (*prefix).to_owned(),
            provider: (*provider).to_owned(),
            closed: *kind == "closed",
        }),
        ("provider", [name, fallbacks @ ..]) => builder.provider(name, fallbacks, *layer)?,
        ("model", [name, rules @ ..]) => {
            let rules = rules.iter().map(|r| parse_rule(r, name)).collect::<Result<_, _>>()?;
            builder.model(name, rules, *layer)?;
        }
        ("row", [prices, keys @ ..]) => builder.row(parse_row(prices, keys)?, *layer)?,
        ("user", []) => *layer = Layer::User,
        ("alias", [alias, asked, provider, model]) => builder.alias(Alias {
            alias: (*alias).to_owned(),
            for_provider: (!asked.is_empty()).then(|| (*asked).to_owned()),
            provider: (*provider).to_owned(),
            model: (*model).to_owned(),
        })?,
        (tag, rest) => {
            let tag: String = tag.chars().take(20).collect();
            return Err(format!("no such record: {tag:?} with {} fields", rest.len()));
        }
    }
    Ok(())
}

fn parse_rule(text: &str, id: &str) -> Result<Rule, String> {
    let mut chars = text.chars();
    let sign = chars.next();
    let rest = chars.as_str();
    if text == "=" {
        return Ok(Rule::Exact(id.to_lowercase()));
    }
    if rest.is_empty() {
        return Err(format!("{text:?} is no rule"));
    }
    let rest = rest.to_lowercase();
    match sign {
        Some('=') => Ok(Rule::Exact(rest)),
        Some('^') => Ok(Rule::Prefix(rest)),
        Some('!') => Ok(Rule::PrefixNotSpoken(rest)),
        Some('#') => Ok(Rule::PrefixThenDigit(rest)),
        Some('~') => Ok(Rule::Regional(rest)),
        Some('@') => Ok(Rule::Dated(rest)),
        _ => Err(format!("{text:?} is no rule")),
    }
}

fn rule_text(rule: &Rule, id: &str) -> String {
    match rule {
        Rule::Exact(name) if *name == id.to_lowercase() => "=".to_owned(),
        Rule::Exact(name) => format!("={name}"),
        Rule::Prefix(name) => format!("^{name}"),
        Rule::PrefixNotSpoken(name) => format!("!{name}"),
        Rule::PrefixThenDigit(name) => format!("#{name}"),
        Rule::Regional(name) => format!("~{name}"),
        Rule::Dated(name) => format!("@{name}"),
    }
}

fn parse_row(prices: &str, keys: &[&str]) -> Result<Row, String> {
    let (prices, facts) = parse_prices(prices)?;
    let mut row = Row { from: None, to: None, window: None, when: None, prices, facts, source: None };
    for key in keys {
        let (key, value) = key.split_once('=').ok_or_else(|| format!("{key:?} is no key and value"))?;
        match key {
            "from" => row.from = Some(date::parse(value)?),
            "to" => row.to = Some(date::parse(value)?),
            "window" => row.window = Some(date::parse_window(value)?),
            "when" => {
                let (what, which) = value.split_once(':').ok_or_else(|| format!("{value:?} is no condition"))?;
                row.when = Some((what.to_owned(), which.to_owned()));
            }
            "source" => row.source = Some(value.to_owned()),
            _ => return Err(format!("no such key: {key:?}")),
        }
    }
    Ok(row)
}

fn parse_prices(text: &str) -> Result<(Prices, Vec<Fact>), String> {
    let mut tiers: Vec<(i64, Amounts)> = vec![(-1, [None; Bucket::COUNT])];
    let mut facts: Vec<Fact> = Vec::new();
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        if let Some(above) = word.strip_prefix('>') {
            let above = above.parse::<i64>().ok().filter(|&a| a >= 0 && a > tiers.last().map_or(-1, |t| t.0));
            tiers.push((above.ok_or_else(|| format!("{word:?} is no higher threshold"))?, [None; Bucket::COUNT]));
            if tiers.len() > limits::PRICE_TIERS {
                return Err(format!("more than {} tiers", limits::PRICE_TIERS));
            }
            continue;
        }
        let (name, price) = word.split_once('=').ok_or_else(|| format!("{word:?} is no price"))?;
        if let Some(unit) = name.strip_prefix('+') {
            parse_decimal(price, 12)?;
            facts.push(Fact { unit: unit.to_owned(), usd: price.to_owned() });
            continue;
        }
        let bucket = Bucket::by_name(name).ok_or_else(|| format!("no such unit: {name:?}"))?;
        let price = parse_decimal(price, bucket.scale())?;
        let told = tiers.last_mut().map(|t| &mut t.1[bucket.index()]);
        if told.is_some_and(|t| t.replace(price).is_some()) {
            return Err(format!("{name} is there twice"));
        }
    }
    let mut tiers = tiers.into_iter();
    let mut prices = Prices::flat(tiers.next().map_or([None; Bucket::COUNT], |t| t.1));
    tiers.for_each(|(above, told)| prices.push_tier(above, told));
    Ok((prices, facts))
}

pub(super) fn prices_text(prices: &Prices, facts: &[Fact]) -> String {
    let mut words = Vec::new();
    let mut below: Amounts = [None; Bucket::COUNT];
    for tier in &prices.tiers {
        if tier.above >= 0 {
            words.push(format!(">{}", tier.above));
        }
        for bucket in Bucket::ALL {
            let price = tier.amounts[bucket.index()];
            if let Some(price) = price.filter(|_| price != below[bucket.index()]) {
                words.push(format!("{}={}", bucket.name(), format_decimal(price, bucket.scale())));
            }
        }
        if tier.above < 0 {
            words.extend(facts.iter().map(|f| format!("+{}={}", f.unit, f.usd)));
        }
        below = tier.amounts;
    }
    words.join(" ")
}

fn row_text(row: &Row) -> String {
    let mut fields = vec!["row".to_owned(), prices_text(&row.prices, &row.facts)];
    fields.extend(row.from.map(|t| format!("from={}", date::format(t))));
    fields.extend(row.to.map(|t| format!("to={}", date::format(t))));
    fields.extend(row.window.map(|w| format!("window={}", date::format_window(w))));
    fields.extend(row.when.as_ref().map(|(k, v)| format!("when={k}:{v}")));
    fields.extend(row.source.as_ref().map(|s| format!("source={s}")));
    fields.join("\t")
}
