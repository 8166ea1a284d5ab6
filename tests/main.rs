//! The one integration test binary. Each module is a topic.

/// Writing, reading back, sealing, superseding, compacting.
mod store;
