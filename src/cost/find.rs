//! From the names in a span to a model of the book. The order is told at [`PriceBook::find`].

use std::sync::Arc;

use super::book::{PriceBook, Provider};
use super::model::{Context, Model, Rule};
use super::names::{
    REGIONS, Seller, canonical, is_of_aws, seller, with_dashed_date, without_date, without_prefix, without_version,
};
use super::rates::Rates;
use super::unpriced::{CannotPrice, Unpriced};

/// Longest name that is looked for.
const NAME_BYTES: usize = 512;

/// Most prefixes that are taken off, as in `litellm_proxy/openrouter/openai/gpt-5`.
const PREFIXES: usize = 4;

/// How a name led to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MatchKind {
    /// The whole name.
    Exact,
    /// An alias of the user.
    Alias,
    /// After a prefix was taken off.
    PrefixStripped,
    /// After its compact date was written with dashes.
    DateRewritten,
    /// By a rule for names with some beginning.
    Rule,
    /// After the date at its end was taken off.
    DateStripped,
    /// After the `-v1:0` at its end was taken off.
    VersionStripped,
}

impl MatchKind {
    /// Name in columns, as in `date_stripped`.
    pub fn name(self) -> &'static str {
        match self {
            MatchKind::Exact => "exact",
            MatchKind::Alias => "alias",
            MatchKind::PrefixStripped => "prefix_stripped",
            MatchKind::DateRewritten => "date_rewritten",
            MatchKind::Rule => "rule",
            MatchKind::DateStripped => "date_stripped",
            MatchKind::VersionStripped => "version_stripped",
        }
    }
}

/// What told who sold the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SellerBy {
    /// The span's provider.
    Provider,
    /// The span's provider sells models of this one at the same prices. Service tiers are not applied.
    Fallback,
    /// The model's name.
    ModelName,
    /// The family of the model.
    Family,
    /// All providers of the book that have this model ask the same price.
    SamePrice,
    /// The user's alias.
    Alias,
}

impl SellerBy {
    /// Name in columns, as in `model_name`.
    pub fn name(self) -> &'static str {
        match self {
            SellerBy::Provider => "provider",
            SellerBy::Fallback => "fallback",
            SellerBy::ModelName => "model_name",
            SellerBy::Family => "family",
            SellerBy::SamePrice => "same_price",
            SellerBy::Alias => "alias",
        }
    }
}

/// A model of the book that a span's names led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    model: Arc<Model>,
    /// How the name led to it.
    pub kind: MatchKind,
    /// What told the seller.
    pub seller_by: SellerBy,
    /// The name that matched, as it was in the span.
    pub name: String,
    /// It was the name in the response, not the one in the request.
    pub from_response: bool,
}

impl Match {
    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// `provider/model` of the book.
    pub fn price_key(&self) -> String {
        self.model.price_key()
    }

    /// Prices at a moment; see [`Model::rates_at`].
    ///
    /// # Errors
    ///
    /// Without a row for that moment, or with one that tells no price.
    pub fn rates_at(&self, instant_ns: i64, context: Context<'_>) -> Result<Rates, Unpriced> {
        // Tiers are an offer of the maker's own service, not of those who resell it.
        self.model.rates(instant_ns, context, self.seller_by != SellerBy::Fallback)
    }
}

struct Found {
    model: Arc<Model>,
    kind: MatchKind,
    seller_by: SellerBy,
}

/// One name that is looked for.
#[derive(Clone, Copy)]
struct Query<'a> {
    /// Provider as in the span, lower case.
    provider: &'a str,
    /// Model, lower case.
    name: &'a str,
    /// Whether rules for beginnings may answer.
    rules: bool,
}

impl PriceBook {
    /// The model that a span's provider and models lead to.
    ///
    /// The response's model is looked for first, then the request's. Each in this order, and the first that is found is
    /// taken:
    ///
    /// 1. the whole name, as an id of the book or a name that it gives to one model;
    /// 2. the user's aliases, for the name or for what is left of it after a known prefix;
    /// 3. the whole name after known prefixes: `openai/gpt-5`, `models/gemini-...`, `anthropic.claude-...`;
    /// 4. either with its compact date written with dashes, as one gateway takes them out;
    /// 5. of two that may both answer, the one that says more of the name: a *rule* of the book by which a model answers
    ///    to all names with some beginning (the longest beginning, and the user's before bundled ones), or the whole name
    ///    before a date at its end;
    /// 6. the whole name before `-v1:0`, and before a date before that.
    ///
    /// Rules come after whole names, since those are facts about one model, and beside dates, since
    /// `gpt-4o-mini-20250101` is `gpt-4o-mini` even if a rule speaks for all that begins with `gpt-4o`. Nothing matches
    /// in the middle of a name. A region (`us.`, `eu.`) is a part of the name: it has prices of its own, and goes only
    /// where a rule says so. What Azure is asked for is a deployment, which may be called anything: no rule answers to
    /// it, and neither does anything but an alias to the profile of an application at AWS.
    ///
    /// Who sold the model is told by the provider, which falls back on those whose models it resells; else by a prefix of
    /// the model's name, else by the form of the name (only AWS writes `anthropic.claude-...`), else by its family
    /// (`claude` is Anthropic's). A family whose weights are open says nothing when a provider is named that the book
    /// does not know, and those who run models themselves have no prices here. Where several sellers remain and their
    /// prices differ, there is no match.
    ///
    /// # Errors
    ///
    /// When there is none, or none that is certain.
    pub fn find(
        &self,
        provider: Option<&str>,
        response_model: Option<&str>,
        request_model: Option<&str>,
    ) -> Result<Match, Unpriced> {
        let provider = provider.unwrap_or_default().trim().to_lowercase();
        let mut failed = CannotPrice::NoModel;
        for (given, from_response) in [(response_model, true), (request_model, false)] {
            let Some(given) = given.map(str::trim).filter(|g| !g.is_empty()) else { continue };
            if given.len() > NAME_BYTES {
                failed = most_telling(failed, CannotPrice::UnknownModel);
                continue;
            }
            let name = given.to_lowercase();
            // What Azure is asked for is a deployment, which its owner names as he likes: `gpt-4o-prod` may be anything.
            let rules = from_response || seller(&provider) != Some(Seller::Book("azure"));
            match self.look_up(Query { provider: &provider, name: &name, rules }) {
                Ok(Found { model, kind, seller_by }) => {
                    return Ok(Match { model, kind, seller_by, name: given.to_owned(), from_response });
                }
                Err(why) => failed = most_telling(failed, why),
            }
        }
        Err(failed.into())
    }

    fn look_up(&self, query: Query<'_>) -> Result<Found, CannotPrice> {
        let sold_by = match seller(query.provider) {
            Some(Seller::Book(id)) => self.provider(id),
            // A provider that only the user's rows have.
            _ => self.provider(query.provider),
        };
        if let Some(sold_by) = sold_by {
            return self.at_provider(sold_by, query).ok_or(CannotPrice::UnknownModel)?;
        }
        let named = seller(query.provider);
        if let Some(found) = self.by_alias(query.provider, query.name) {
            return found;
        }
        if named == Some(Seller::Other) {
            return Err(CannotPrice::UnknownProvider);
        }
        self.by_name(query, named)
    }

    /// At a provider that is known, then at those whose models it sells.
    fn at_provider(&self, sold_by: &Provider, query: Query<'_>) -> Option<Result<Found, CannotPrice>> {
        let forms = stripped(query.name, sold_by);
        let at = |provider: &Provider, steps: Steps| self.in_provider(provider, query, &forms, steps);
        if let Some((model, kind)) = at(sold_by, Steps::BeforeAlias) {
            return Some(Ok(Found { model, kind, seller_by: SellerBy::Provider }));
        }
        let names = std::iter::once(query.name).chain(forms.iter().copied());
        if let Some(found) = names.clone().find_map(|n| self.by_alias(query.provider, n)) {
            return Some(found);
        }
        if let Some((model, kind)) = at(sold_by, Steps::AfterAlias) {
            return Some(Ok(Found { model, kind, seller_by: SellerBy::Provider }));
        }
        sold_by.fallbacks.iter().filter_map(|f| self.provider(f)).find_map(|provider| {
            let (model, kind) = at(provider, Steps::BeforeAlias).or_else(|| at(provider, Steps::AfterAlias))?;
            Some(Ok(Found { model, kind, seller_by: SellerBy::Fallback }))
        })
    }

    /// Without a provider that the book knows: by what the model's name says.
    fn by_name(&self, query: Query<'_>, named: Option<Seller>) -> Result<Found, CannotPrice> {
        let mut name = query.name;
        let at = |id: &str, name: &str, by: SellerBy| {
            let provider = self.provider(id)?;
            let query = Query { provider: id, name, ..query };
            self.at_provider(provider, query).map(|found| {
                found
                    .map(|f| Found { seller_by: if f.seller_by == SellerBy::Provider { by } else { f.seller_by }, ..f })
            })
        };
        for _ in 0..PREFIXES {
            match without_prefix(name) {
                Some((rest, Some(Seller::Book(id)))) => {
                    // Gateways name their seller first. Elsewhere the same text may be a seller's own name of a model
                    // that others made: `google/gemma-3-27b-it`.
                    let certain = query.provider.starts_with("litellm") || self.is_own(id, rest);
                    let found = at(id, rest, SellerBy::ModelName);
                    let others = if certain { None } else { self.sold_alike(name, found.as_ref()) };
                    return others.unwrap_or_else(|| found.unwrap_or(Err(CannotPrice::UnknownModel)));
                }
                Some((_, Some(Seller::Other))) => return Err(CannotPrice::UnknownProvider),
                Some((rest, _)) if !is_of_aws(name) => name = rest,
                _ => break,
            }
        }
        if is_of_aws(name) {
            return at("aws", name, SellerBy::ModelName).unwrap_or(Err(CannotPrice::UnknownModel));
        }
        let passes_on = named == Some(Seller::PassesOn);
        let families = self.families.iter().filter(|f| f.closed || passes_on);
        let family = families.filter(|f| begins(name, &f.prefix)).max_by_key(|f| f.prefix.len());
        if let Some(found) = family.and_then(|f| at(&f.provider, name, SellerBy::Family)) {
            return found;
        }
        match self.sold_alike(name, None) {
            Some(found) if passes_on => found,
            _ if passes_on => Err(CannotPrice::UnknownModel),
            _ => Err(CannotPrice::UnknownProvider),
        }
    }

    /// Whether a model's family belongs to a provider alone.
    fn is_own(&self, provider: &str, name: &str) -> bool {
        self.families.iter().any(|f| f.closed && f.provider == provider && begins(name, &f.prefix))
    }

    /// All who have a model of that very name, if they ask the same for it. `None` if nobody has it.
    fn sold_alike(&self, name: &str, also: Option<&Result<Found, CannotPrice>>) -> Option<Result<Found, CannotPrice>> {
        let also = also.and_then(|f| f.as_ref().ok()).map(|f| f.model.clone());
        let exact = |p: &Provider| p.names.exact.get(name).map(|&at| p.models[at].clone());
        let mut sellers = also.into_iter().chain(self.providers.iter().filter_map(exact));
        let first = sellers.next()?;
        let same = |m: Arc<Model>| m.user == first.user && m.bundled == first.bundled;
        if !sellers.all(same) {
            return Some(Err(CannotPrice::AmbiguousModel));
        }
        Some(Ok(Found { model: first, kind: MatchKind::Exact, seller_by: SellerBy::SamePrice }))
    }

    fn by_alias(&self, provider: &str, name: &str) -> Option<Result<Found, CannotPrice>> {
        let asked = [Some(canonical(provider)), None];
        let at = asked.into_iter().find_map(|p| self.by_alias.get(&(name.to_owned(), p)))?;
        let alias = &self.aliases[*at];
        let (to_provider, to_model) = (canonical(&alias.provider), alias.model.to_lowercase());
        let provider = self.provider(&to_provider).or_else(|| self.provider(&alias.provider));
        let query = Query { provider: "", name: &to_model, rules: true };
        let found = provider.and_then(|p| {
            let forms = stripped(&to_model, p);
            let steps = [Steps::BeforeAlias, Steps::AfterAlias];
            steps.into_iter().find_map(|s| self.in_provider(p, query, &forms, s))
        });
        let found = found.map(|(model, _)| Found { model, kind: MatchKind::Alias, seller_by: SellerBy::Alias });
        Some(found.ok_or(CannotPrice::AliasWithoutModel))
    }

    fn in_provider(
        &self,
        provider: &Provider,
        query: Query<'_>,
        forms: &[&str],
        steps: Steps,
    ) -> Option<(Arc<Model>, MatchKind)> {
        let names = &provider.names;
        let model = |at: usize, kind: MatchKind| provider.models.get(at).map(|m| (m.clone(), kind));
        let exact = |name: &str| names.exact.get(name).copied();
        if steps == Steps::BeforeAlias {
            return exact(query.name).and_then(|at| model(at, MatchKind::Exact));
        }
        let all = || std::iter::once(query.name).chain(forms.iter().copied());
        if let Some(at) = forms.iter().find_map(|n| exact(n)) {
            return model(at, MatchKind::PrefixStripped);
        }
        if let Some(at) = all().filter_map(with_dashed_date).find_map(|n| exact(&n)) {
            return model(at, MatchKind::DateRewritten);
        }
        let dated = all().filter_map(without_date).find_map(|stem| {
            let at = names.dated.get(stem).copied().or_else(|| exact(stem))?;
            Some((false, stem.len(), at, MatchKind::DateStripped))
        });
        let rule = names.prefixes.iter().filter(|_| query.rules).filter_map(|(rule, at, of_user)| {
            let said = all().find_map(|n| rule.says(n))?;
            Some((*of_user, said, *at, MatchKind::Rule))
        });
        // The first of equals: of rules that say the same, the book's first.
        let best = dated.into_iter().chain(rule).reduce(|a, b| if (b.0, b.1) > (a.0, a.1) { b } else { a });
        if let Some((_, _, at, kind)) = best {
            return model(at, kind);
        }
        let bare = all().filter_map(without_version).find_map(|n| exact(n).or_else(|| exact(without_date(n)?)));
        bare.and_then(|at| model(at, MatchKind::VersionStripped))
    }
}

/// The user's aliases come after whole names and before all else.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Steps {
    BeforeAlias,
    AfterAlias,
}

impl Rule {
    /// How much of a name the rule says something about, if it holds for it.
    fn says(&self, name: &str) -> Option<usize> {
        let bare = |prefix: &str, name: &str| {
            let rest = name.strip_prefix(prefix)?;
            let cut = prefix.ends_with(|c: char| c.is_ascii_digit()) && rest.starts_with(|c: char| c.is_ascii_digit());
            (!cut).then_some(prefix.len())
        };
        match self {
            Rule::Exact(_) | Rule::Dated(_) => None,
            Rule::Prefix(prefix) => bare(prefix, name),
            Rule::PrefixNotSpoken(prefix) => {
                let spoken = name.split('-').skip(1).any(|segment| segment == "tts");
                if spoken { None } else { bare(prefix, name) }
            }
            Rule::PrefixThenDigit(prefix) => {
                let rest = name.strip_prefix(prefix.as_str())?;
                rest.starts_with(|c: char| c.is_ascii_digit()).then_some(prefix.len())
            }
            Rule::Regional(prefix) => bare(prefix, name).or_else(|| {
                let (region, rest) = name.split_once('.')?;
                if REGIONS.contains(&region) { bare(prefix, rest) } else { None }
            }),
        }
    }
}

/// A name after what stands before it, if that says nothing else than the provider does.
fn stripped<'n>(name: &'n str, provider: &Provider) -> Vec<&'n str> {
    let mut forms = Vec::new();
    let mut name = name;
    for _ in 0..PREFIXES {
        let Some((rest, named)) = without_prefix(name) else { break };
        let agrees = match named {
            None | Some(Seller::PassesOn) => true,
            Some(Seller::Book(id)) => id == provider.id || provider.fallbacks.iter().any(|f| f == id),
            Some(Seller::Other) => false,
        };
        if !agrees {
            break;
        }
        forms.push(rest);
        name = rest;
    }
    forms
}

/// Whether a name is of a family: the prefix, and then no more of the same word.
fn begins(name: &str, prefix: &str) -> bool {
    let in_word = |c: char| c.is_ascii_alphanumeric();
    name.strip_prefix(prefix).is_some_and(|rest| !(prefix.ends_with(in_word) && rest.starts_with(in_word)))
}

/// Of two failures, the one that says more about what could be done.
fn most_telling(a: CannotPrice, b: CannotPrice) -> CannotPrice {
    let rank = |why: &CannotPrice| match why {
        CannotPrice::AliasWithoutModel => 4,
        CannotPrice::AmbiguousModel => 3,
        CannotPrice::UnknownModel => 2,
        CannotPrice::UnknownProvider => 1,
        _ => 0,
    };
    if rank(&b) > rank(&a) { b } else { a }
}
