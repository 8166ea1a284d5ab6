//! Session files of Claude Code. What OpenTelemetry has keys for comes under those, put there by `ingest`.

use crate::normalise::col::*;
use crate::normalise::rule::{Dialect, Rule, Take, rule};

pub(crate) static DIALECT: Dialect =
    Dialect { name: "claude_code", rank: 25, scopes: &["claude_code"], rules: RULES, ..Dialect::BLANK };

static RULES: &[Rule] = &[
    // What is paid for speed is not said by the tier.
    rule("claude_code.usage.speed", SERVICE_TIER, Take::Words(&[("fast", "fast")])),
    rule("claude_code.usage.service_tier", SERVICE_TIER, Take::Text),
    rule("claude_code.costUSD", REPORTED_COST_USD, Take::Usd),
    rule("claude_code.prompt", INPUT, Take::Text),
    rule("claude_code.answer", OUTPUT, Take::Text),
];
