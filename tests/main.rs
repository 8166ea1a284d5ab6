//! The integration tests, one binary.
//!
//! * `ingest`: decoding, normalisation and batches against an independent decoding of the same files

mod ingest;
