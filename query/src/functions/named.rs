//! Arguments by name: `f(b => 2)` becomes `f(NULL, 2)` before a statement is planned, as functions with many optional
//! parameters want it.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Value, VisitMut, VisitorMut,
};

use crate::error::QueryError;

/// Functions whose arguments may be named, and their parameters.
const FUNCTIONS: [(&str, &[&str]); 11] = [
    ("cost_usd", &CALL),
    ("price_call", &CALL),
    ("price_match", &["model", "request_model", "provider", "service_tier", "at"]),
    ("cost_as_of", &["date"]),
    ("cost_what_if", &["model_from", "model_to"]),
    ("cost_per_success", &["success", "score", "at_least", "at_most", "by"]),
    ("loops", &spanfile::loops::SETTINGS),
    ("loop_spans", &spanfile::loops::SETTINGS),
    ("drift", &DRIFT),
    ("drift_points", &DRIFT),
    ("drift_detail", &DRIFT),
];

/// Parameters of comparisons.
const DRIFT: [&str; 7] = ["baseline", "current", "by", "alpha", "min_runs", "lower_is_better", "secondary"];

/// Parameters of functions that price one call.
pub(crate) const CALL: [&str; 14] = [
    "model",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "input_image_tokens",
    "output_audio_tokens",
    "request_model",
    "provider",
    "service_tier",
    "at",
];

/// The parameters of a function, as a usage line shows them.
pub(crate) fn usage(function: &str) -> String {
    match FUNCTIONS.iter().find(|(name, _)| *name == function) {
        Some((_, parameters)) => format!("{function}({})", parameters.join(", ")),
        None => format!("{function}(...)"),
    }
}

/// Puts the arguments of a call into the places of their parameters.
pub(crate) fn place(function: &str, args: &mut Vec<FunctionArg>) -> Result<(), String> {
    let Some((_, parameters)) = FUNCTIONS.iter().find(|(name, _)| *name == function) else { return Ok(()) };
    if args.iter().all(|a| matches!(a, FunctionArg::Unnamed(_))) {
        return Ok(());
    }
    let mut placed: Vec<Option<FunctionArgExpr>> = vec![None; parameters.len()];
    let mut named = false;
    for (i, arg) in args.drain(..).enumerate() {
        let (at, arg) = match arg {
            FunctionArg::Unnamed(_) if named => return Err("an argument without a name follows one with a name".into()),
            FunctionArg::Unnamed(arg) => (Some(i), arg),
            FunctionArg::Named { name, arg, .. } => {
                named = true;
                let wanted = name.value.to_lowercase();
                match parameters.iter().position(|p| *p == wanted) {
                    Some(at) => (Some(at), arg),
                    None => return Err(format!("there is no parameter {}; expected {}", name.value, usage(function))),
                }
            }
            FunctionArg::ExprNamed { name, .. } => return Err(format!("{name} is no name of a parameter")),
        };
        match at.and_then(|at| placed.get_mut(at)) {
            Some(slot @ None) => *slot = Some(arg),
            Some(Some(_)) => return Err("a parameter is given twice".into()),
            None => return Err(format!("too many arguments; expected {}", usage(function))),
        }
    }
    let used = placed.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    let null = || FunctionArgExpr::Expr(Expr::Value(Value::Null.into()));
    args.extend(placed.into_iter().take(used).map(|a| FunctionArg::Unnamed(a.unwrap_or_else(null))));
    Ok(())
}

/// Places the named arguments of scalar functions.
pub(crate) struct Arguments;

impl VisitorMut for Arguments {
    type Break = QueryError;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<QueryError> {
        let Expr::Function(f) = expr else { return ControlFlow::Continue(()) };
        let name = f.name.to_string().to_lowercase();
        let FunctionArguments::List(list) = &mut f.args else { return ControlFlow::Continue(()) };
        match place(&name, &mut list.args) {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => ControlFlow::Break(QueryError::sql(format!("{name}: {e}"))),
        }
    }
}

/// Places the named arguments of scalar functions in a statement.
pub(crate) fn place_in(statement: &mut DfStatement) -> Result<(), QueryError> {
    match statement {
        DfStatement::Statement(s) => match s.visit(&mut Arguments) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(e) => Err(e),
        },
        DfStatement::Explain(e) => place_in(&mut e.statement),
        _ => Ok(()),
    }
}
