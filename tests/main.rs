//! The integration tests, one binary.
//!
//! * `ingest`: decoding, normalisation and batches against an independent decoding of the same files
//! * `tidy`: rules of style
//! * `store`: writing, reading back, sealing, superseding, compacting; crashes, faults and damage

mod ingest;
mod store;
mod tidy;
