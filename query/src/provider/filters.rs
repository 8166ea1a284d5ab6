//! What the filters of a query say about the rows to read.

use std::collections::BTreeSet;

use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};
use spanfile::model::TraceId;
use spanfile::schema::TRACE_ID_BYTES;

use super::ids::parse_hex;

const TRACE_ID: &str = "trace_id";

/// The traces that the filter admits, when it says nothing but that: `trace_id = 'x'` from either side,
/// `trace_id IN (...)`, and disjunctions of these. Text that is no trace id admits nothing.
pub(crate) fn traces_of(filter: &Expr) -> Option<BTreeSet<TraceId>> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (left.as_ref(), right.as_ref()) {
            (column, value) if is_trace_id(column) => literal(value),
            (value, column) if is_trace_id(column) => literal(value),
            _ => None,
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let mut all = traces_of(left)?;
            all.extend(traces_of(right)?);
            Some(all)
        }
        Expr::InList(list) if !list.negated && is_trace_id(&list.expr) => {
            list.list.iter().try_fold(BTreeSet::new(), |mut all, e| {
                all.extend(literal(e)?);
                Some(all)
            })
        }
        _ => None,
    }
}

fn is_trace_id(e: &Expr) -> bool {
    matches!(e, Expr::Column(c) if c.name == TRACE_ID)
}

fn literal(e: &Expr) -> Option<BTreeSet<TraceId>> {
    let Expr::Literal(value, _) = e else { return None };
    // NULL equals nothing.
    let Some(text) = value.try_as_str()? else { return Some(BTreeSet::new()) };
    let id = parse_hex(text, TRACE_ID_BYTES).and_then(|b| <[u8; TRACE_ID_BYTES]>::try_from(b).ok());
    Some(id.map(TraceId).into_iter().collect())
}

/// The traces that all filters together admit, or `None` when they do not restrict traces.
pub(crate) fn traces(filters: &[Expr]) -> Option<Vec<TraceId>> {
    let mut sets = filters.iter().filter_map(traces_of);
    let first = sets.next()?;
    Some(sets.fold(first, |a, b| a.intersection(&b).copied().collect()).into_iter().collect())
}

/// A filter on traces is answered exactly, by the trace directories. Any other is used to read less, and then
/// evaluated again on what was read.
pub(crate) fn pushdown(filter: &Expr) -> TableProviderFilterPushDown {
    if traces_of(filter).is_some() { TableProviderFilterPushDown::Exact } else { TableProviderFilterPushDown::Inexact }
}

/// Whether a filter compares an id column with a constant.
pub(crate) fn selects_id(filters: &[Expr]) -> bool {
    let is_id = |e: &Expr| matches!(e, Expr::Column(c) if c.name.ends_with("_id") && c.name.contains("span"));
    filters.iter().any(|f| match f {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            (is_id(left) && matches!(**right, Expr::Literal(..)))
                || (is_id(right) && matches!(**left, Expr::Literal(..)))
        }
        Expr::InList(l) => is_id(&l.expr) && !l.negated,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::prelude::{col, lit};

    const A: &str = "000102030405060708090a0b0c0d0e0f";
    const B: &str = "100102030405060708090a0b0c0d0e0f";

    #[test]
    fn trace_filters() {
        let id = |s: &str| s.parse::<TraceId>().unwrap();
        let set = |e: Expr| traces_of(&e).map(|s| s.into_iter().collect::<Vec<_>>());
        assert_eq!(set(col("trace_id").eq(lit(A))), Some(vec![id(A)]));
        assert_eq!(set(lit(A).eq(col("trace_id"))), Some(vec![id(A)]));
        assert_eq!(set(col("trace_id").in_list(vec![lit(B), lit(A), lit("zz")], false)), Some(vec![id(A), id(B)]));
        assert_eq!(set(col("trace_id").eq(lit(A)).or(lit(B).eq(col("trace_id")))), Some(vec![id(A), id(B)]));
        assert_eq!(set(col("trace_id").eq(lit("not hex"))), Some(vec![]));
        assert_eq!(set(col("trace_id").eq(lit(A.to_uppercase()))), Some(vec![]));
        assert_eq!(set(col("trace_id").in_list(vec![lit(A)], true)), None);
        assert_eq!(set(col("trace_id").not_eq(lit(A))), None);
        assert_eq!(set(col("span_id").eq(lit(A))), None);
        assert_eq!(set(col("trace_id").eq(col("name"))), None);
        assert_eq!(set(col("trace_id").eq(lit(A)).or(col("name").eq(lit("x")))), None);
        let both = [
            col("trace_id").in_list(vec![lit(A), lit(B)], false),
            col("trace_id").eq(lit(B)),
            col("name").eq(lit("x")),
        ];
        assert_eq!(traces(&both), Some(vec![id(B)]));
        assert_eq!(traces(&both[2..]), None);
    }
}
