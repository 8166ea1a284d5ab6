//! Calls of table functions, as the planner wants them: it takes the first word of a function's name as its name.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, Ident, ObjectName, ObjectNamePart, TableFactor, VisitMut, VisitorMut, visit_expressions,
};

use super::names;
use crate::error::{QueryError, Result};
use crate::functions::place;

/// Turns the name of each table function that is called into one word, `schema.function` included.
///
/// # Errors
/// When one of ours is asked about a column: a table function is planned once, not for each row.
pub(crate) fn name_functions(statement: &mut DfStatement) -> Result<()> {
    match statement {
        DfStatement::Statement(s) => match s.visit(&mut Calls) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(Refusal::Arguments(e)) => Err(QueryError::sql(e)),
            ControlFlow::Break(Refusal::Column(name)) => Err(QueryError::sql(format!(
                "{name} takes ids as constants, in single quotes; for every row of a table, join spans on trace_id and \
                 the range from tree_left to tree_right"
            ))),
        },
        DfStatement::Explain(e) => name_functions(&mut e.statement),
        _ => Ok(()),
    }
}

/// Why a call cannot be planned.
enum Refusal {
    /// A function that is asked about a column.
    Column(String),
    /// What is wrong with the arguments.
    Arguments(String),
}

struct Calls;

impl VisitorMut for Calls {
    type Break = Refusal;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Refusal> {
        let (name, args, quote) = match factor {
            TableFactor::Table { name, args: Some(args), .. } => (name, &mut args.args, None),
            // Of these the planner reads the name as that of a table.
            TableFactor::Function { name, args, .. } => (name, args, Some('"')),
            _ => return ControlFlow::Continue(()),
        };
        let Some(words) = name.0.iter().map(|p| p.as_ident().map(folded)).collect::<Option<Vec<_>>>() else {
            return ControlFlow::Continue(());
        };
        if let Some(last) = words.last()
            && names().any(|n| n == last)
            && args.iter().any(has_column)
        {
            return ControlFlow::Break(Refusal::Column(last.clone()));
        }
        if let Some(last) = words.last()
            && let Err(e) = place(last, args)
        {
            return ControlFlow::Break(Refusal::Arguments(format!("{last}: {e}")));
        }
        let joined = words.join(".");
        *name = ObjectName(vec![ObjectNamePart::Identifier(Ident { quote_style: quote, ..Ident::new(joined) })]);
        ControlFlow::Continue(())
    }
}

/// The name that an identifier stands for.
fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

fn has_column(arg: &FunctionArg) -> bool {
    visit_expressions(arg, |e| match e {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}
