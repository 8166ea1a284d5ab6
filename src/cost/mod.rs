//! What model calls cost: a book of dated prices, and arithmetic that an accountant would accept.
//!
//! ```
//! use spanfile::cost::{Context, PriceBook, Usage, format_usd};
//!
//! # fn main() -> Result<(), spanfile::cost::Unpriced> {
//! let book = PriceBook::bundled();
//! let found = book.find(Some("openai"), Some("o3-2025-04-16"), Some("o3"))?;
//!
//! let usage = Usage { input: Some(1_000_000), output: Some(100_000), ..Usage::default() };
//! let may = 1_746_057_600_000_000_000; // 2025-05-01, in nanoseconds
//! let july = 1_751_328_000_000_000_000;
//! let cost_in = |month| found.rates_at(month, Context::default())?.cost(&usage);
//! assert_eq!(format_usd(cost_in(may)?.total), "14");
//! assert_eq!(format_usd(cost_in(july)?.total), "2.8");
//! # Ok(())
//! # }
//! ```
//!
//! # From a span to its cost
//!
//! [`PriceBook::find`] leads from a span's provider and models to a [`Model`] of the book, or says why there is none. [`Match::rates_at`] gives the [`Rates`] at the moment the span began.
//! [`Rates::cost`] splits the [`Usage`] into [`Bucket`]s that do not overlap and prices each.
//!
//! What has no certain price has none: [`Unpriced`] says why, and nothing is clamped, guessed or taken for zero.
//!
//! * A part that has no price of its own is priced with the whole it is in: cache reads as input, writes for an hour as
//!   writes, reasoning as output. An explicit zero is a price. A row without prices is none.
//! * Thresholds are cliffs: above one, all tokens of the call take the higher price.
//! * A call whose input or output is not told is incomplete, not free, unless the model charges nothing for it.
//! * Amounts are integers, 10^-18 dollars until each bucket is rounded, once and half to even, to 10^-12. A total is the
//!   sum of its buckets.
//!
//! # Layers
//!
//! The bundled rows come from a public list (see [`PriceBook::source`]); nothing is fetched. A user's rows overlay them
//! model by model: a row for `openai/gpt-4o` takes the place of the bundled rows while it is valid, under all names that
//! lead to that model. [`PriceBook::encode`] keeps both layers together, so that a file prices the same everywhere.
//!
//! Nothing here knows of stores, files of spans or SQL.

mod book;
mod date;
mod file;
mod find;
mod model;
mod money;
mod names;
mod rates;
mod rows;
mod text;
mod unpriced;
mod usage;

pub use book::{Alias, PriceBook, Source};
pub use date::{format as format_moment, parse as parse_moment};
pub use file::{PriceFile, PriceFileError, PriceFormat, write_aliases, write_rows};
pub use find::{Match, MatchKind, SellerBy};
pub use model::{Context, Model};
pub use money::{AttoUsd, PicoUsd, format_usd, parse_usd};
pub use rates::{Cost, Fact, Layer, NotFromSums, Rates, TierUse};
pub use rows::{PriceRow, RowChange, RowMatch};
pub use text::BookError;
pub use unpriced::{CannotPrice, Unpriced};
pub use usage::{Bucket, Inconsistent, Usage};
