//! Decisions, by hand.
