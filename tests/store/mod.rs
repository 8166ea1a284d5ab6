//! The store as programs that embed it see it.

/// How much memory a test takes.
pub(crate) mod allocations;
mod basics;
/// Budgets in the log.
mod budgets;
pub(crate) mod captures;
/// Seeds and amounts.
pub(crate) mod chance;
/// kill -9 of a writing process.
mod crash;
/// Flipped bits and truncation.
mod damage;
/// Storage that fails.
mod faults;
/// Good checksums over bad content.
mod hostile;
/// Locks for storages in memory.
mod locks;
mod model;
/// Power cuts.
mod power;
/// Processes that share a file.
mod processes;
/// Expected panics without noise.
mod quiet;
pub(crate) mod rollups;
mod sample;
/// Steps that tests of interruptions share.
mod workload;
