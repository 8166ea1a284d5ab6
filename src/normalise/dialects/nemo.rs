//! NeMo Guardrails: rails, the actions that they run, and OpenTelemetry's keys on the model calls.

use crate::normalise::col::*;
use crate::normalise::kind::{Kind, KindKey, PRESENT};
use crate::normalise::rule::{Dialect, Rule, Take, rule};

pub(crate) static DIALECT: Dialect = Dialect {
    name: "nemo",
    rank: 65,
    marks: &["rail.name", "rail.type", "action.name"],
    scopes: &["nemo_guardrails"],
    kinds: &[
        KindKey { key: "rail.name", rank: 90, words: &[(PRESENT, Kind::Guardrail)] },
        // An action is a step of a rail; what it calls has spans of its own.
        KindKey { key: "action.name", rank: 91, words: &[(PRESENT, Kind::Workflow)] },
    ],
    rules: RULES,
    groups: &[],
    fallbacks: &[],
};

static RULES: &[Rule] = &[
    rule("rail.name", POLICY_NAME, Take::Text),
    rule("rail.stop", POLICY_VERDICT, Take::Words(&[("true", "block"), ("false", "allow")])),
];
