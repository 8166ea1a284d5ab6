//! spanfile: the single-file trace store for AI agents.

#![forbid(unsafe_code)]

pub mod batch;
mod error;
mod import;
pub mod ingest;
pub mod limits;
pub mod model;
pub mod normalise;
mod scan;
pub mod schema;
mod segment;
mod store;
pub mod typed_json;

pub use error::{Error, Result};
pub use import::{Importer, Rejects};
pub use scan::{Compare, Scan, ScanRequest, ScanValue, Trace};
pub use segment::Table;
pub use store::*;
