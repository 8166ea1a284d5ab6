//! `drift(baseline => ..., current => ..., by => ...)` and its like.

use std::sync::Arc;

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::Expr;
use spanfile::drift::Settings;

use super::cohort::{self, Cohort};
use super::{DriftProvider, DriftTable, Question};
use crate::catalog::Database;
use crate::functions::{Constants, usage};
use crate::statement;

/// Names of the functions.
pub(crate) const NAMES: [&str; 3] = ["drift", "drift_points", "drift_detail"];

/// Makes the functions of a database known to the session that plans a statement. `files` are all that are attached.
pub(crate) fn register(
    session: &mut SessionState,
    schema: &str,
    database: &Arc<Database>,
    files: &[(String, Arc<Database>)],
) {
    let default = session.config_options().catalog.default_schema == schema;
    for table in DriftTable::ALL {
        let function: Arc<dyn TableFunctionImpl> =
            Arc::new(Function { table, database: Arc::clone(database), files: files.to_vec() });
        session.register_udtf(&format!("{schema}.{}", table.name()), Arc::clone(&function));
        if default {
            session.register_udtf(table.name(), function);
        }
    }
}

#[derive(Debug)]
struct Function {
    table: DriftTable,
    database: Arc<Database>,
    files: Vec<(String, Arc<Database>)>,
}

impl Function {
    fn question(&self, args: &[Expr]) -> Result<Question> {
        let given = Constants { function: self.table.name(), args };
        let cohort = |at, parameter| given.text(at)?.map(|t| Cohort::parse(t, parameter, &self.files)).transpose();
        let (base, current) = cohort::defaults(cohort(0, "baseline")?, cohort(1, "current")?)?;
        let by = given.text(2)?.map(str::to_owned);
        if let Some(by) = &by {
            // It must be one expression of its own: nothing may end the parentheses around it.
            statement::check_expression(by)
                .map_err(|e| DataFusionError::Plan(format!("by is no column or expression of agent_runs: {e}")))?;
        }
        let mut settings = Settings::default();
        if let Some(alpha) = given.number(3)? {
            if !(alpha > 0.0 && alpha < 1.0) {
                return plan_err!("alpha is between 0 and 1, not {alpha}");
            }
            settings.alpha = alpha;
        }
        if let Some(runs) = given.number(4)? {
            if !(runs >= 1.0 && runs.fract() == 0.0 && runs <= f64::from(u32::MAX)) {
                return plan_err!("min_runs is a whole number from 1 on, not {runs}");
            }
            settings.min_runs = runs as usize;
        }
        settings.secondary = match given.value(6)? {
            None => false,
            Some(ScalarValue::Boolean(Some(secondary))) => *secondary,
            Some(other) => return plan_err!("secondary is true or false, not {other}"),
        };
        let lower_is_better = given.text(5)?.unwrap_or_default();
        let lower_is_better = lower_is_better.split(',').map(|name| name.trim().to_owned()).filter(|n| !n.is_empty());
        Ok(Question { base, current, by, settings, lower_is_better: lower_is_better.collect() })
    }
}

impl TableFunctionImpl for Function {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        if args.exprs().len() > 7 {
            return plan_err!("{}: too many arguments; expected {}", self.table.name(), usage(self.table.name()));
        }
        let question = self.question(args.exprs()).map_err(|e| match e {
            DataFusionError::Plan(why) => DataFusionError::Plan(format!("{}: {why}", self.table.name())),
            other => other,
        })?;
        Ok(Arc::new(DriftProvider::new(self.table, question, Arc::clone(&self.database))))
    }
}
