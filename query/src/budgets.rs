//! Costs against budgets that no file keeps.

use spanfile::budget::Budgets;
use spanfile::cost::format_usd;

use crate::views;

/// A query with the rows of the view `budget_status`, for these budgets in the place of those that the files keep.
///
/// ```
/// use spanfile::budget::Budgets;
///
/// # fn main() -> Result<(), spanfile::budget::BudgetError> {
/// let budgets = Budgets::parse("[[budget]]\nper = 'run'\nhard = 2")?;
/// let sql = spanfile_query::budget_status_sql(&budgets);
/// assert!(sql.starts_with("WITH budgets AS"));
/// # Ok(())
/// # }
/// ```
pub fn budget_status_sql(budgets: &Budgets) -> String {
    let text = |t: Option<&str>| match t {
        Some(t) => format!("'{}'", t.replace('\'', "''")),
        None => "CAST(NULL AS VARCHAR)".to_owned(),
    };
    let usd = |u: Option<i128>| {
        let amount = u.map_or_else(|| "NULL".to_owned(), |u| format!("'{}'", format_usd(u)));
        format!("CAST({amount} AS DECIMAL(38, 12))")
    };
    let rows: Vec<String> = budgets
        .iter()
        .map(|b| {
            let (name, every) = (text(b.key.name.as_deref()), text(b.key.every_day.then_some("day")));
            format!("('{}', {name}, {every}, {}, {})", b.key.per.name(), usd(b.soft), usd(b.hard))
        })
        .collect();
    let rows = match rows[..] {
        [] => "SELECT * FROM budgets WHERE false".to_owned(),
        _ => format!("SELECT * FROM (VALUES {}) AS b (scope, name, every, soft_usd, hard_usd)", rows.join(", ")),
    };
    let view = views::find("budget_status").map_or("", |v| v.text);
    format!("WITH budgets AS ({rows})\nSELECT * FROM (\n{view}\n)")
}
