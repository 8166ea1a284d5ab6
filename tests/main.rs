//! The integration tests, one binary.
//!
//! * `ingest`: decoding, normalisation and batches against an independent decoding of the same files
//! * `store`: writing, reading back, sealing, superseding, compacting; crashes, faults and damage
//! * `tidy`: rules of style

mod ingest;
mod store;
mod tidy;
