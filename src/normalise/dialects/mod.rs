//! The dialects, one file each.
//!
//! Order of the list = precedence of their keys within a column. To add one: its file, a line here, a golden test.
//!
//! Precedence of kinds is another one and written in each [`KindKey`](super::kind::KindKey): openinference 10,
//! langfuse 20, agentops 30, words that OpenTelemetry's key gets wrong 35, OpenTelemetry 40, vercel 50, traceloop 60,
//! langsmith 70, request types 80, names 200. So is the order in which they name the `dialect` column
//! (`rank`).

mod agentops;
mod claude_code;
mod google_adk;
mod langfuse;
mod langsmith;
mod logfire;
mod nemo;
mod openinference;
mod otel_gen_ai;
mod pydantic_ai;
mod traceloop;
mod vercel;

use super::rule::Dialect;

/// Every dialect, in precedence order.
pub(crate) static DIALECTS: &[&Dialect] = &[
    &otel_gen_ai::DIALECT,
    &openinference::DIALECT,
    &vercel::DIALECT,
    &pydantic_ai::DIALECT,
    &langfuse::DIALECT,
    &agentops::DIALECT,
    &logfire::DIALECT,
    &traceloop::DIALECT,
    &langsmith::DIALECT,
    &nemo::DIALECT,
    &google_adk::DIALECT,
    &claude_code::DIALECT,
];
