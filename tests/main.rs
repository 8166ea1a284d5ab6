//! The integration tests, one binary.
//!
//! * `claude_code`: session files: calls, tools and agents, whatever the order of files and however often they come
//! * `cost`: prices of every model against the price list's own program; matching, rows of users, arbitrary bytes
//! * `derive`: what the spans of one trace say together: rules, captures, properties of arbitrary forests
//! * `drift`: verdicts by hand; false alarms where nothing changed, and what is seen where something did
//! * `ingest`: decoding and batches against an independent decoding of the same files; malformed, huge and arbitrary
//!   inputs
//! * `loops`: repetitions against an oracle, planted loops, properties of findings
//! * `normalise`: one golden file per dialect with the columns that its captures get
//! * `priced`: costs of roll-ups against the costs of single spans
//! * `stats`: tests and distances against SciPy, ruptures and Evidently; properties of any input
//! * `store`: writing, reading back, sealing, superseding, compacting; crashes, faults and damage
//! * `stories`: what happened in every capture, as golden files
//! * `tidy`: rules of style

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod claude_code;
mod cost;
mod derive;
mod drift;
mod ingest;
mod loops;
mod normalise;
mod priced;
mod stats;
mod store;
mod stories;
mod tidy;
