//! spanfile: the single-file trace store for AI agents.

#![forbid(unsafe_code)]

pub mod model;
pub mod schema;
