//! The store as programs that embed it see it.

mod basics;
/// Seeds and amounts.
mod chance;
/// kill -9 of a writing process.
mod crash;
/// Storage that fails.
mod faults;
mod model;
/// Power cuts.
mod power;
mod sample;
/// Steps that tests of interruptions share.
mod workload;
