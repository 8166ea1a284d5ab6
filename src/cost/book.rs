//! The price book: models by provider, in two layers.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::model::{Model, Row, Rule};
use super::names::canonical;
use super::rates::Layer;
use crate::limits;

/// Where the bundled rows are from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Name, as in `genai-prices`.
    pub name: String,
    /// Version.
    pub version: String,
    /// Licence, as in `MIT`. Its text is in [`PriceBook::notices`].
    pub licence: String,
}

/// A beginning that the names of a provider's models have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) prefix: String,
    pub(super) provider: String,
    /// Nobody else sells these models at prices of their own without saying so.
    pub(super) closed: bool,
}

/// Another name for a model, given by the user: a deployment, a profile, a model behind a gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alias {
    /// The name in spans. Case does not matter.
    pub alias: String,
    /// The provider in spans, when it is an alias for that provider only.
    pub for_provider: Option<String>,
    /// Provider in the book.
    pub provider: String,
    /// Model in the book, or any name that it answers to.
    pub model: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Provider {
    pub(super) id: String,
    pub(super) fallbacks: Vec<String>,
    pub(super) models: Vec<Arc<Model>>,
    /// It came with the program.
    pub(super) bundled: bool,
    pub(super) names: Names,
}

/// Models by what they answer to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) exact: HashMap<String, usize>,
    pub(super) dated: HashMap<String, usize>,
    /// Rules that look at the beginning of a name, and whether the user gave them.
    pub(super) prefixes: Vec<(Rule, usize, bool)>,
}

/// Prices of models: what came with the program, overlaid by what the user gave.
///
/// Cloning is cheap: models are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceBook {
    pub(super) source: Source,
    pub(super) notices: Vec<String>,
    pub(super) families: Vec<Family>,
    pub(super) providers: Vec<Provider>,
    pub(super) by_id: HashMap<String, usize>,
    pub(super) aliases: Vec<Alias>,
    pub(super) by_alias: HashMap<(String, Option<String>), usize>,
}

static BUNDLED: LazyLock<Arc<PriceBook>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a test reads it; it is a part of the program")]
    let book = PriceBook::decode(include_bytes!("bundled/prices.txt.zst")).expect("the bundled price book can be read");
    Arc::new(book)
});

impl PriceBook {
    /// The book that comes with the program, decoded on first use.
    pub fn bundled() -> &'static Arc<PriceBook> {
        &BUNDLED
    }

    /// A book without prices.
    pub fn empty() -> PriceBook {
        Builder::default().finish()
    }

    /// Where the bundled rows are from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Copyright and licence of the bundled rows, line by line.
    pub fn notices(&self) -> impl Iterator<Item = &str> {
        self.notices.iter().map(String::as_str)
    }

    /// All models.
    pub fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.providers.iter().flat_map(|p| &p.models)
    }

    /// Names of all providers.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(|p| p.id.as_str())
    }

    /// The model of exactly this provider and name in the book.
    pub fn model(&self, provider: &str, id: &str) -> Option<&Arc<Model>> {
        self.provider(provider)?.models.iter().find(|m| m.id == id)
    }

    /// The user's aliases.
    pub fn aliases(&self) -> &[Alias] {
        &self.aliases
    }

    pub(super) fn provider(&self, id: &str) -> Option<&Provider> {
        self.by_id.get(id).and_then(|&at| self.providers.get(at))
    }

    /// This book as parts, to build another from.
    pub(super) fn to_builder(&self) -> Builder {
        Builder {
            source: self.source.clone(),
            notices: self.notices.clone(),
            families: self.families.clone(),
            providers: self.providers.clone(),
            by_id: self.by_id.clone(),
            ids: ids(&self.providers),
            aliases: self.aliases.clone(),
            at: None,
        }
    }
}

impl Model {
    /// Whether it came with the program, whatever the user added.
    pub(super) fn of_bundled(&self) -> bool {
        !self.source.is_empty()
    }
}

/// Places of models by provider and name.
fn ids(providers: &[Provider]) -> HashMap<(usize, String), usize> {
    let models = |p: &Provider| p.models.iter().map(|m| m.id.clone()).collect::<Vec<_>>();
    (0..)
        .zip(providers)
        .flat_map(|(p, provider)| (0..).zip(models(provider)).map(move |(m, id)| ((p, id), m)))
        .collect()
}

/// A book in the making.
#[derive(Debug, Default)]
pub(super) struct Builder {
    pub(super) source: Source,
    pub(super) notices: Vec<String>,
    pub(super) families: Vec<Family>,
    providers: Vec<Provider>,
    by_id: HashMap<String, usize>,
    /// Models by provider and name.
    ids: HashMap<(usize, String), usize>,
    pub(super) aliases: Vec<Alias>,
    /// Provider, and model of it, that records are for.
    at: Option<(usize, Option<usize>)>,
}

/// Text that has a place in the book's lines.
pub(super) fn plain(what: &str, text: &str) -> Result<(), String> {
    if text.is_empty() || text.trim() != text || text.chars().any(char::is_control) {
        return Err(format!("{what} {text:?} is empty, or has blanks around it or control characters in it"));
    }
    Ok(())
}

impl Builder {
    pub(super) fn provider(&mut self, id: &str, fallbacks: &[&str], layer: Layer) -> Result<(), String> {
        plain("provider", id)?;
        let at = match self.by_id.get(id) {
            Some(_) if layer == Layer::Bundled => return Err(format!("provider {id:?} is there twice")),
            Some(&at) => at,
            None => {
                self.providers.push(Provider {
                    id: id.to_owned(),
                    fallbacks: fallbacks.iter().map(|&f| f.to_owned()).collect(),
                    models: Vec::new(),
                    bundled: layer == Layer::Bundled,
                    names: Names::default(),
                });
                self.by_id.insert(id.to_owned(), self.providers.len() - 1);
                self.providers.len() - 1
            }
        };
        self.at = Some((at, None));
        Ok(())
    }

    pub(super) fn model(&mut self, id: &str, rules: Vec<Rule>, layer: Layer) -> Result<(), String> {
        plain("model", id)?;
        let Some((provider, _)) = self.at else { return Err("a model without a provider".to_owned()) };
        let has = &mut self.providers[provider];
        let key = (provider, id.to_owned());
        let at = match self.ids.get(&key).copied() {
            Some(_) if layer == Layer::Bundled => return Err(format!("model {id:?} is there twice")),
            Some(at) => at,
            None => {
                has.models.push(Arc::new(Model {
                    provider: has.id.clone(),
                    id: id.to_owned(),
                    rules: Vec::new(),
                    user_rules: Vec::new(),
                    user: Vec::new(),
                    bundled: Vec::new(),
                    source: match layer {
                        Layer::Bundled => format!("{} {}", self.source.name, self.source.version),
                        Layer::User => String::new(),
                    },
                }));
                self.ids.insert(key, has.models.len() - 1);
                has.models.len() - 1
            }
        };
        let model = Arc::make_mut(&mut has.models[at]);
        if rules.len() + model.user_rules.len() > limits::PRICE_MODEL_ROWS {
            return Err(format!("more than {} rules of one model", limits::PRICE_MODEL_ROWS));
        }
        match layer {
            Layer::Bundled => model.rules = rules,
            Layer::User => rules.into_iter().for_each(|rule| {
                if !model.user_rules.contains(&rule) {
                    model.user_rules.push(rule);
                }
            }),
        }
        self.at = Some((provider, Some(at)));
        Ok(())
    }

    /// Adds a row to the model in hand. A user's row for the same tier, hours and beginning takes the other's place.
    pub(super) fn row(&mut self, row: Row, layer: Layer) -> Result<(), String> {
        let Some((provider, Some(model))) = self.at else { return Err("a row without a model".to_owned()) };
        if let (Some(from), Some(to)) = (row.from, row.to)
            && to <= from
        {
            return Err("it ends before it begins".to_owned());
        }
        let model = Arc::make_mut(&mut self.providers[provider].models[model]);
        if model.row_count() >= limits::PRICE_MODEL_ROWS {
            return Err(format!("more than {} rows of one model", limits::PRICE_MODEL_ROWS));
        }
        match layer {
            Layer::Bundled => model.bundled.push(row),
            Layer::User => {
                // In the order of their beginnings, so that the later one is taken where two hold.
                // Those for some hours come after those for the whole day.
                let key = |r: &Row| (r.window.is_some(), r.from, r.when.clone(), r.window);
                match model.user.binary_search_by(|r| key(r).cmp(&key(&row))) {
                    Ok(at) => model.user[at] = row,
                    Err(at) => model.user.insert(at, row),
                }
            }
        }
        Ok(())
    }

    /// Takes out all that the user gave.
    pub(super) fn drop_user(&mut self) {
        self.aliases.clear();
        self.providers.retain(|p| p.bundled);
        for provider in &mut self.providers {
            provider.models.retain(|m| m.of_bundled());
            for model in provider.models.iter_mut().filter(|m| !m.user.is_empty()) {
                let model = Arc::make_mut(model);
                model.user.clear();
                model.user_rules.clear();
            }
        }
        self.index();
    }

    fn index(&mut self) {
        self.by_id = (0..).zip(&self.providers).map(|(at, p)| (p.id.clone(), at)).collect();
        self.ids = ids(&self.providers);
    }

    pub(super) fn alias(&mut self, alias: Alias) -> Result<(), String> {
        plain("alias", &alias.alias)?;
        plain("provider", &alias.provider)?;
        plain("model", &alias.model)?;
        if let Some(provider) = &alias.for_provider {
            plain("provider", provider)?;
        }
        self.aliases.push(alias);
        Ok(())
    }

    pub(super) fn finish(mut self) -> PriceBook {
        for provider in &mut self.providers {
            provider.names = Names::of(&provider.models);
        }
        let mut by_alias = HashMap::new();
        let mut aliases: Vec<Alias> = Vec::new();
        for alias in self.aliases {
            let key = (alias.alias.to_lowercase(), alias.for_provider.as_deref().map(canonical));
            match by_alias.get(&key) {
                // The newer takes the older's place.
                Some(&at) => {
                    let at: usize = at;
                    aliases[at] = alias;
                }
                None => {
                    by_alias.insert(key, aliases.len());
                    aliases.push(alias);
                }
            }
        }
        PriceBook {
            source: self.source,
            notices: self.notices,
            families: self.families,
            providers: self.providers,
            by_id: self.by_id,
            aliases,
            by_alias,
        }
    }
}

impl Names {
    fn of(models: &[Arc<Model>]) -> Names {
        let mut names = Names::default();
        let rules = |of_user: bool| {
            models.iter().enumerate().flat_map(move |(at, m)| {
                let rules = if of_user { &m.user_rules } else { &m.rules };
                rules.iter().map(move |r| (at, r))
            })
        };
        // The first to claim a name has it, and users come before.
        for of_user in [true, false] {
            for (at, rule) in rules(of_user) {
                match rule {
                    Rule::Exact(name) => _ = names.exact.entry(name.clone()).or_insert(at),
                    Rule::Dated(name) => _ = names.dated.entry(name.clone()).or_insert(at),
                    rule => names.prefixes.push((rule.clone(), at, of_user)),
                }
            }
        }
        names
    }
}
