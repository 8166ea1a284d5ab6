//! From files to batches.

mod captures;
mod formats;
pub(crate) mod gather;
mod huge;
mod independent;
mod properties;
mod rejects;
mod requests;
