//! Prices and costs.

mod against_source;
mod files;
mod names;
mod rules;
mod trail;
