//! From files to batches.

mod captures;
mod independent;
mod gather;
