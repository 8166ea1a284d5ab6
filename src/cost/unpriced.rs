//! Why something has no cost.

use super::usage::{Bucket, Inconsistent};

/// No cost, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{why}{}", price_key.as_ref().map(|k| format!(" ({k})")).unwrap_or_default())]
pub struct Unpriced {
    /// Why.
    pub why: CannotPrice,
    /// `provider/model` of the book, when it came that far.
    pub price_key: Option<String>,
}

/// Reasons for which there is no cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CannotPrice {
    /// No model is named.
    #[error("no model is named")]
    NoModel,
    /// The provider is one that the book has no prices of: it runs models itself or sells them at prices of its own.
    #[error("the book has no prices of this provider")]
    UnknownProvider,
    /// The book does not know the model.
    #[error("the book does not know this model")]
    UnknownModel,
    /// Several providers sell a model of that name at different prices, and which one it was is not told.
    #[error("several providers sell this model at different prices")]
    AmbiguousModel,
    /// An alias of the user leads to a model that the book does not know.
    #[error("its alias leads to a model that the book does not know")]
    AliasWithoutModel,
    /// The book knows the model and no price of it.
    #[error("the book knows this model and no price of it")]
    NoPrice,
    /// The model's rows do not reach that moment.
    #[error("the rows of this model do not cover that moment")]
    NotValidThen,
    /// Tokens in a bucket that has no price.
    #[error("{} tokens have no price", .0.name())]
    BucketWithoutPrice(Bucket),
    /// A count that the price depends on was not told.
    #[error("{0} is not told")]
    Incomplete(&'static str),
    /// The usage contradicts itself.
    #[error("usage contradicts itself: {0}")]
    Inconsistent(Inconsistent),
    /// More money than the arithmetic holds.
    #[error("more money than can be counted")]
    TooLarge,
}

impl CannotPrice {
    /// A short name for columns and filters, as in `unknown_model`.
    pub fn name(&self) -> &'static str {
        match self {
            CannotPrice::NoModel => "no_model",
            CannotPrice::UnknownProvider => "unknown_provider",
            CannotPrice::UnknownModel => "unknown_model",
            CannotPrice::AmbiguousModel => "ambiguous_model",
            CannotPrice::AliasWithoutModel => "alias_without_model",
            CannotPrice::NoPrice => "no_price",
            CannotPrice::NotValidThen => "not_valid_then",
            CannotPrice::BucketWithoutPrice(_) => "bucket_without_price",
            CannotPrice::Incomplete(_) => "incomplete_usage",
            CannotPrice::Inconsistent(_) => "inconsistent_usage",
            CannotPrice::TooLarge => "too_large",
        }
    }
}

impl From<CannotPrice> for Unpriced {
    fn from(why: CannotPrice) -> Self {
        Unpriced { why, price_key: None }
    }
}
