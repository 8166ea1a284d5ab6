//! NeMo Guardrails: rails, the actions that they run, and OpenTelemetry's keys on the model calls.

use crate::normalise::col::*;
use crate::normalise::kind::{Kind, Name, NamedKind};
use crate::normalise::rule::{Dialect, Rule, Take, VERDICTS, rule};

pub(crate) static DIALECT: Dialect = Dialect {
    name: "nemo",
    rank: 65,
    marks: &["rail.name", "rail.type", "action.name"],
    scopes: &["nemo_guardrails"],
    names: &[
        NamedKind { name: Name::Any, needs: "rail.name", rank: 200, kind: Kind::Guardrail },
        // An action is a step of a rail; what it calls has spans of its own.
        NamedKind { name: Name::Any, needs: "action.name", rank: 200, kind: Kind::Workflow },
        // The operation of a model call is the name of the task that it is made for.
        NamedKind { name: Name::Any, needs: "gen_ai.request.model", rank: 200, kind: Kind::Llm },
    ],
    rules: RULES,
    ..Dialect::BLANK
};

static RULES: &[Rule] = &[rule("rail.name", POLICY_NAME, Take::Text), rule("rail.stop", POLICY_VERDICT, VERDICTS)];
