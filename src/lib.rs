//! spanfile is the single-file trace store for AI agents: what SQLite is to tables, for OpenTelemetry traces.
//!
//! A `.spans` file holds the spans, events and links of agent runs: compressed, indexed by trace, safe against crashes,
//! with a hash-chained log of all that happened to it. This crate is the store, for programs that embed it. SQL, views
//! and the `spanfile` command are in the package `spanfile-query`; nothing here depends on a query engine.
//!
//! ```
//! use std::borrow::Cow;
//! use spanfile::batch::BatchBuilder;
//! use spanfile::model::{Resource, Scope, Span, SpanId, TraceId, Value};
//! use spanfile::{Options, ScanRequest, Store, Table};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("runs.spans");
//! let store = Store::create(&path, Options::default())?;
//! let mut writer = store.writer()?;
//!
//! // Spans become rows: attributes of any known dialect land in the same columns.
//! let mut rows = BatchBuilder::new();
//! rows.begin_resource(&Resource::default());
//! rows.begin_scope(&Scope::default());
//! rows.push_span(&Span {
//!     trace_id: TraceId([7; 16]),
//!     span_id: SpanId([1; 8]),
//!     name: Cow::Borrowed("chat gpt-5-mini"),
//!     start_unix_nano: 1_767_225_600_000_000_000,
//!     end_unix_nano: 1_767_225_601_500_000_000,
//!     attributes: vec![
//!         (Cow::Borrowed("gen_ai.operation.name"), Value::from("chat")),
//!         (Cow::Borrowed("gen_ai.usage.input_tokens"), Value::from(1200)),
//!     ],
//!     ..Span::default()
//! })?;
//! writer.append(rows.finish())?;
//! writer.commit()?; // durable from here on
//!
//! let trace = store.snapshot()?.trace(TraceId([7; 16]))?.expect("it was committed");
//! assert_eq!(trace.spans.num_rows(), 1);
//! for batch in store.snapshot()?.scan(&ScanRequest::new(Table::Spans).columns(["kind", "input_tokens"]))? {
//!     println!("{:?}", batch?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The life of a span
//!
//! Bytes are decoded by [`ingest`], attributes mapped to columns by [`normalise`], rows gathered by [`batch`]. The
//! [`Writer`] commits rows to the tail, durable when [`Writer::commit`] returns, and seals whole traces into segments
//! once they are quiet; [`Importer`] does both for bulk input. A [`Snapshot`] sees the file as of one commit, and reads
//! from segments and tail alike. `FORMAT.md` describes the file, `ARCHITECTURE.md` the code.

#![forbid(unsafe_code)]

pub mod batch;
pub mod budget;
mod caught;
mod cells;
pub mod cost;
pub mod derive;
pub mod drift;
pub mod drifted;
mod error;
mod import;
pub mod ingest;
mod instant;
pub mod limits;
pub mod loops;
pub mod model;
pub mod normalise;
pub mod priced;
mod scan;
pub mod schema;
pub mod scores;
mod segment;
pub mod stats;
mod store;
mod texts;
pub mod typed_json;

pub use error::{Error, Result};
pub use import::{Importer, Rejects};
pub use scan::{Compare, Scan, ScanRequest, ScanValue, Trace};
pub use segment::Table;
pub use store::{
    Commit, CompactOptions, CompactReport, Counters, FileInfo, GroupWriter, Options, Part, Problem, Segment, Snapshot,
    Stats, Store, Tail, VerifyReport, Writer,
};
