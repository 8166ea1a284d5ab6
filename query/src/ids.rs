//! Ids in any case.
//!
//! SQL shows ids as lower-case hex text, and compares them as text. People paste them in upper case, too; such a
//! literal would equal nothing. So a literal that an id column is compared with is taken in lower case.

use datafusion::catalog::default_table_source::source_as_provider;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

use crate::provider::StoredTable;

/// Puts literals that are compared with id columns into lower case, anywhere in a plan. `text` is the statement.
pub(crate) fn lower_literals(text: &str, plan: LogicalPlan) -> Result<LogicalPlan> {
    // Hardly any statement has one, and looking through a plan takes time.
    let quoted = |t: &str| !t.is_empty() && is_upper_hex(t);
    if !text.split('\'').any(quoted) {
        return Ok(plan);
    }
    plan.transform_up_with_subqueries(|plan| {
        let inputs: Vec<LogicalPlan> = plan.inputs().into_iter().cloned().collect();
        // Operators refer to expressions of those below by a name that is made of the expression's text.
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|e| {
            let name = names.save(&e);
            Ok(e.transform_up(|e| lower(e, &inputs))?.update_data(|e| name.restore(e)))
        })
    })
    .data()
}

/// Hex digits with a capital among them.
fn is_upper_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit()) && text.bytes().any(|b| b.is_ascii_uppercase())
}

fn compares(op: Operator) -> bool {
    use Operator::*;
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// One expression whose columns are those of `inputs`.
fn lower(e: Expr, inputs: &[LogicalPlan]) -> Result<Transformed<Expr>> {
    let id = |e: &Expr| matches!(e, Expr::Column(c) if is_id(inputs, c));
    Ok(match e {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(op) => {
            let (l, r) = (id(&left), id(&right));
            let left = if r { Box::new(lowered(*left)) } else { left };
            let right = if l { Box::new(lowered(*right)) } else { right };
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::InList(InList { expr, list, negated }) if id(&expr) => {
            let list = list.into_iter().map(lowered).collect();
            Transformed::yes(Expr::InList(InList { expr, list, negated }))
        }
        Expr::Between(b) if id(&b.expr) => {
            let (low, high) = (Box::new(lowered(*b.low)), Box::new(lowered(*b.high)));
            Transformed::yes(Expr::Between(Between { low, high, ..b }))
        }
        e => Transformed::no(e),
    })
}

fn lowered(e: Expr) -> Expr {
    let Expr::Literal(value, metadata) = e else { return e };
    let value = match value {
        ScalarValue::Utf8(Some(t)) if is_upper_hex(&t) => ScalarValue::Utf8(Some(t.to_ascii_lowercase())),
        ScalarValue::Utf8View(Some(t)) if is_upper_hex(&t) => ScalarValue::Utf8View(Some(t.to_ascii_lowercase())),
        other => other,
    };
    Expr::Literal(value, metadata)
}

/// Whether a column of these plans comes from an id column of a file, through whatever is in between.
fn is_id(plans: &[LogicalPlan], column: &Column) -> bool {
    let has = |p: &&LogicalPlan| p.schema().index_of_column(column).is_ok();
    let Some(plan) = plans.iter().find(has) else { return false };
    let mut open = vec![(plan, column.clone())];
    while let Some((plan, column)) = open.pop() {
        let Ok(i) = plan.schema().index_of_column(&column) else { return false };
        // The column of an input that stands at the same place.
        let same =
            |input: &LogicalPlan| (i < input.schema().fields().len()).then(|| input.schema().columns()[i].clone());
        match plan {
            LogicalPlan::TableScan(scan) => {
                let provider = source_as_provider(&scan.source).ok();
                if !provider.is_some_and(|p| p.downcast_ref::<StoredTable>().is_some_and(|t| t.is_id(column.name()))) {
                    return false;
                }
            }
            LogicalPlan::Projection(p) => match p.expr[i].clone().unalias_nested().data {
                Expr::Column(c) => open.push((&p.input, c)),
                _ => return false,
            },
            LogicalPlan::Aggregate(a) => match a.group_expr.get(i).map(|e| e.clone().unalias_nested().data) {
                Some(Expr::Column(c)) => open.push((&a.input, c)),
                _ => return false,
            },
            LogicalPlan::SubqueryAlias(a) => match same(&a.input) {
                Some(c) => open.push((&a.input, c)),
                None => return false,
            },
            LogicalPlan::Union(u) => {
                for input in &u.inputs {
                    match same(input) {
                        Some(c) => open.push((input, c)),
                        None => return false,
                    }
                }
            }
            other => match other.inputs().into_iter().find(|p| p.schema().index_of_column(&column).is_ok()) {
                Some(input) => open.push((input, column)),
                None => return false,
            },
        }
    }
    true
}
