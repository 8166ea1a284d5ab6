//! The integration tests, one binary.
//!
//! * `ingest`: decoding and batches against an independent decoding of the same files; malformed, huge and arbitrary
//!   inputs
//! * `normalise`: one golden file per dialect with the columns that its captures get

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod ingest;
mod normalise;
