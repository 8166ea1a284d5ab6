//! From files to batches.

mod captures;
mod gather;
mod independent;
