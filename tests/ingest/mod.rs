//! From files to batches.

mod captures;
mod formats;
mod gather;
mod huge;
mod independent;
mod properties;
mod rejects;
mod requests;
