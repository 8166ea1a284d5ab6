//! Prices and costs.

mod against_source;
mod files;
mod names;
mod recorded;
mod rules;
