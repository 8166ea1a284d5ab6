//! spanfile: the single-file trace store for AI agents.

#![forbid(unsafe_code)]

pub mod batch;
pub mod ingest;
pub mod limits;
pub mod model;
pub mod normalise;
pub mod schema;
pub mod typed_json;
