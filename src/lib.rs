//! spanfile: the single-file trace store for AI agents.

#![forbid(unsafe_code)]

pub mod batch;
mod caught;
mod error;
pub mod limits;
pub mod model;
mod normalise;
mod scan;
pub mod schema;
mod segment;
mod store;
mod typed_json;

pub use error::{Error, Result};
pub use scan::{Compare, Scan, ScanRequest, ScanValue, Trace};
pub use segment::Table;
pub use store::*;
