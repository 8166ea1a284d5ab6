//! Names of result columns.
//!
//! A column without an alias is named after its text, as in other SQL shells: DataFusion would show `Int64(1)` for `1`
//! and `sum(spans.x)` for `sum(x)`. It also wants every column of a SELECT to have a name of its own, and refuses
//! `count(*), count(*)`; analysts write such things, so what clashes gets a number.
//!
//! Only the outermost SELECT is touched: what a subquery calls its columns is what the query around it refers to.

use std::collections::HashSet;

use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, Select, SelectItem, SetExpr, Statement as Sql};

/// What DataFusion says about names that clash.
const REFUSAL: &str = "unique expression names";

/// Expressions that nest deeper than this keep the planner's name: writing out their text takes stack.
const DEPTH_MAX: usize = 256;

/// Which columns get names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// Expressions.
    Expressions,
    /// Expressions, and plain columns whose name may be taken.
    All,
}

/// Whether an error is about names that clash.
pub(crate) fn is_clash(error: &datafusion::error::DataFusionError) -> bool {
    error.to_string().contains(REFUSAL)
}

/// The statement with names for the columns of its outermost SELECT; `None` where there is nothing to name.
pub(crate) fn named(statement: &DfStatement, which: Name) -> Option<DfStatement> {
    let select = match statement {
        DfStatement::Statement(sql) => match sql.as_ref() {
            Sql::Query(query) => outermost(query)?,
            _ => return None,
        },
        _ => return None,
    };
    if !select.projection.iter().any(|i| matches!(i, SelectItem::UnnamedExpr(e) if is_wanted(e, which))) {
        return None;
    }
    let mut statement = statement.clone();
    if let DfStatement::Statement(sql) = &mut statement
        && let Sql::Query(query) = sql.as_mut()
        && let Some(select) = outermost_mut(query)
    {
        name(select, which);
    }
    Some(statement)
}

/// The SELECT that names the result's columns: of several that a UNION puts together, the first.
fn outermost(query: &Query) -> Option<&Select> {
    // What follows a pipe operator refers to columns by name.
    if !query.pipe_operators.is_empty() {
        return None;
    }
    let mut body = query.body.as_ref();
    loop {
        body = match body {
            SetExpr::Select(select) => return Some(select),
            SetExpr::SetOperation { left, .. } => left,
            _ => return None,
        }
    }
}

fn outermost_mut(query: &mut Query) -> Option<&mut Select> {
    let mut body = query.body.as_mut();
    loop {
        body = match body {
            SetExpr::Select(select) => return Some(select),
            SetExpr::SetOperation { left, .. } => left,
            _ => return None,
        }
    }
}

/// Whether the expression is a column, which has a name.
fn is_plain(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

/// Whether expressions hang from one another at their left beyond [`DEPTH_MAX`]; elsewhere the parser has a limit.
fn is_deep(mut expr: &Expr) -> bool {
    for _ in 0..DEPTH_MAX {
        expr = match expr {
            Expr::BinaryOp { left, .. } => left,
            Expr::Nested(e)
            | Expr::Cast { expr: e, .. }
            | Expr::IsNull(e)
            | Expr::IsNotNull(e)
            | Expr::IsTrue(e)
            | Expr::IsNotTrue(e)
            | Expr::IsFalse(e)
            | Expr::IsNotFalse(e)
            | Expr::IsUnknown(e)
            | Expr::IsNotUnknown(e)
            | Expr::IsDistinctFrom(e, _)
            | Expr::IsNotDistinctFrom(e, _)
            | Expr::InList { expr: e, .. }
            | Expr::InSubquery { expr: e, .. }
            | Expr::Between { expr: e, .. }
            | Expr::Like { expr: e, .. }
            | Expr::ILike { expr: e, .. }
            | Expr::SimilarTo { expr: e, .. }
            | Expr::RLike { expr: e, .. }
            | Expr::AtTimeZone { timestamp: e, .. }
            | Expr::Collate { expr: e, .. }
            | Expr::CompoundFieldAccess { root: e, .. } => e,
            _ => return false,
        };
    }
    true
}

fn is_wanted(expr: &Expr, which: Name) -> bool {
    (which == Name::All || !is_plain(expr)) && !is_deep(expr)
}

fn name(select: &mut Select, which: Name) {
    // What a wildcard stands for is not known here, so every plain column beside one is taken to clash.
    let wildcard =
        select.projection.iter().any(|i| matches!(i, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    let mut taken: HashSet<String> = HashSet::new();
    for item in &mut select.projection {
        match item {
            SelectItem::ExprWithAlias { alias, .. } => {
                taken.insert(alias.value.clone());
            }
            SelectItem::UnnamedExpr(expr) if is_wanted(expr, which) => {
                let text = match &*expr {
                    Expr::CompoundIdentifier(parts) => {
                        parts.last().map_or_else(|| expr.to_string(), |p| p.value.clone())
                    }
                    Expr::Identifier(name) => name.value.clone(),
                    other => other.to_string(),
                };
                let mut name = text.clone();
                let mut n = u32::from(is_plain(expr) && wildcard);
                while n > 0 && name == text || !taken.insert(name.clone()) {
                    n = n.max(1);
                    name = format!("{text}:{n}");
                    n += 1;
                }
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', name) };
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::parse;

    #[test]
    fn deep_expressions_keep_their_name() {
        let sum = |n| parse(&format!("select 1{}", " + 1".repeat(n))).unwrap();
        assert!(named(&sum(DEPTH_MAX / 2), Name::All).is_some());
        assert!(named(&sum(DEPTH_MAX), Name::All).is_none());
    }
}
