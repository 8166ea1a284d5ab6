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
//! recorded arguments equals no other, so nothing is found by the name of a tool alone. No loop spans a user turn. A
//! step belongs to one finding at most: candidates take their steps in the order of most steps, then smallest period,
//! then earliest, those of severity info last. A repetition that lost steps to another finding is reported for its
//! longest free part when that still reaches the threshold; candidates of other kinds that lost a step are dropped.

mod candidates;
mod detector;
mod find;
mod near;
mod repetition;
mod runaway;
mod settings;
mod step;
#[cfg(test)]
mod tests;
mod text;
pub mod volatile;
mod words;

pub use detector::{Detector, Verdict};
pub use find::{Finding, LoopKind, Severity, find};
pub use repetition::{Repetition, repetitions};
pub use runaway::{RunawayLimit, runaway};
pub use settings::Settings;
pub use step::{Step, StepKind, compose, key};
pub use text::{SETTINGS, SettingValue, SettingsError};
pub use words::{Words, simhash};
