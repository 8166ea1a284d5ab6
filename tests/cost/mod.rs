//! Prices and costs.

mod against_source;
mod rules;
