//! Names for result columns that would otherwise clash.
//!
//! DataFusion wants every column of a SELECT to have a name of its own, and takes the name of a cast from what is
//! cast: `count(*), count(*)` and `t::text, t` are refused. Analysts write such things, so a statement that is refused
//! for this gets its columns named after their text, with a number where that is taken.

use std::collections::HashSet;

use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{Expr, Ident, SelectItem, SetExpr, Statement as Sql};

/// What DataFusion says about such a statement.
const REFUSAL: &str = "unique expression names";

/// Whether an error is about names that clash.
pub(crate) fn is_clash(error: &datafusion::error::DataFusionError) -> bool {
    error.to_string().contains(REFUSAL)
}

/// The statement with a name of its own for each column of its outermost SELECT; `None` where it has none.
pub(crate) fn with_own_names(mut statement: DfStatement) -> Option<DfStatement> {
    let DfStatement::Statement(sql) = &mut statement else { return None };
    let Sql::Query(query) = sql.as_mut() else { return None };
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    // What a wildcard stands for is not known here, so every plain column beside one is taken to clash.
    let wildcard =
        select.projection.iter().any(|i| matches!(i, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    let mut taken: HashSet<String> = HashSet::new();
    for item in &mut select.projection {
        match item {
            SelectItem::ExprWithAlias { alias, .. } => {
                taken.insert(alias.value.clone());
            }
            SelectItem::UnnamedExpr(expr) => {
                let plain = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                let text = match &*expr {
                    Expr::CompoundIdentifier(parts) => {
                        parts.last().map_or_else(|| expr.to_string(), |p| p.value.clone())
                    }
                    Expr::Identifier(name) => name.value.clone(),
                    other => other.to_string(),
                };
                let mut name = text.clone();
                let mut n = u32::from(plain && wildcard);
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
    Some(statement)
}
