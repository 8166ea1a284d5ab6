//! Loops: an agent that repeats itself. Steps in, findings out; nothing here reads or writes storage, so a program can
//! ask about an agent that is still running.
//!
//! ```
//! use spanfile::loops::{LoopKind, Settings, Step, StepKind, find, key};
//!
//! let steps: Vec<Step> = (0..5)
//!     .map(|i| {
//!         let arguments = key(StepKind::Tool, "search", r#"{"q":"rust"}"#);
//!         let mut step = Step::new("agent", StepKind::Tool, "search");
//!         (step.k1, step.k2, step.r) = (Some(arguments), Some(arguments), Some(42));
//!         (step.start_ns, step.end_ns) = (i * 10, i * 10 + 10);
//!         step.tokens = Some(100);
//!         step
//!     })
//!     .collect();
//! let found = find(&steps, &Settings::default());
//! assert_eq!(found.len(), 1);
//! assert_eq!(found[0].kind, LoopKind::ExactRepeat);
//! assert_eq!(found[0].wasted_tokens, Some(400));
//! assert_eq!(found[0].wasted_ns, 40);
//! ```
//!
//! # Rules
//!
//! Steps are compared by arguments *and* results: polling gets another answer each time and is no loop. A step without
//! recorded arguments equals no other, so nothing is found by the name of a tool alone. No loop spans a user turn. Each
//! agent is looked at for itself, and each of several runs of it at the same time ([`Step::instance`]); only
//! ping-pongs are about several.
//!
//! A step belongs to one finding at most. Candidates take their steps one after the other: near repeats after other
//! loops, and those of severity info last; within that the one of most steps, then of the smallest period, then the
//! earliest, and last by the order of [`LoopKind`]. One that lost steps to another finding is reported for a part of it,
//! where that still reaches the threshold of its kind: retry storms, exact repeats, cycles and monologues for their
//! longest free stretch (the earliest of several), near repeats for all steps that are free. Candidates of other kinds
//! that lost a step are dropped. Whether a finding is confirmed is decided by the steps that are left.
//!
//! # Two forms
//!
//! [`find`] takes a whole run, [`Detector`] one step after the other, in bounded memory. The time of both is linear in the
//! number of steps; the longest period and the window of scattered calls are the factor.

mod candidates;
mod detector;
mod find;
mod kind;
mod near;
mod periods;
mod repetition;
mod runaway;
mod scattered;
mod settings;
mod step;
mod stretch;
#[cfg(test)]
mod tests;
mod text;
mod turns;
pub mod volatile;
mod words;

pub use detector::{Detector, Verdict};
pub use find::{Finding, find};
pub use kind::{LoopKind, Severity};
pub use repetition::{Repetition, repetitions};
pub use runaway::{RunawayLimit, runaway};
pub use settings::Settings;
pub use step::{Step, StepKind, compose, key};
pub use text::{SETTINGS, SettingValue, SettingsError};
pub use words::{Words, simhash};
