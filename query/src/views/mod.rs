//! Views: the tables that analysts ask first, as SQL over the stored ones.
//!
//! Each is one file. It begins with comment lines that describe it:
//!
//! ```sql
//! -- What a row is, in one or more lines.
//! --
//! -- column: What it means.
//! -- other_column [unit]: What it means.
//! SELECT ...
//! ```
//!
//! with one line per column of the result, in its order; a test holds that. The rest is a query without `ORDER BY`.
//! Views are planned where a statement names them, over what that statement sees, and become part of its plan: their
//! columns are read only where they are used, and conditions reach the stored tables.

use std::sync::OnceLock;

use datafusion::common::{DataFusionError, Result};
use datafusion::sql::parser::{DFParserBuilder, Statement};

use crate::dialect::SpanfileDialect;

/// One view.
#[derive(Debug)]
pub(crate) struct View {
    /// Name in SQL.
    pub(crate) name: &'static str,
    /// Its file.
    pub(crate) text: &'static str,
    statement: OnceLock<Statement>,
}

/// What a view's file says about a column.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) name: &'static str,
    /// Unit of the value, or `""`.
    pub(crate) unit: &'static str,
    pub(crate) meaning: &'static str,
}

const fn view(name: &'static str, text: &'static str) -> View {
    View { name, text, statement: OnceLock::new() }
}

/// All views.
pub(crate) static VIEWS: [View; 29] = [
    view("sessions", include_str!("sessions.sql")),
    view("steps", include_str!("steps.sql")),
    view("llm_calls", include_str!("llm_calls.sql")),
    view("tool_calls", include_str!("tool_calls.sql")),
    view("handoffs", include_str!("handoffs.sql")),
    view("errors", include_str!("errors.sql")),
    view("agents", include_str!("agents.sql")),
    view("tools", include_str!("tools.sql")),
    view("models", include_str!("models.sql")),
    view("diagnostics", include_str!("diagnostics.sql")),
    view("cost_per_session", include_str!("cost_per_session.sql")),
    view("cost_per_user", include_str!("cost_per_user.sql")),
    view("cost_by_agent", include_str!("cost_by_agent.sql")),
    view("cost_by_agent_version", include_str!("cost_by_agent_version.sql")),
    view("cost_by_workflow", include_str!("cost_by_workflow.sql")),
    view("cost_by_model", include_str!("cost_by_model.sql")),
    view("cost_by_tool", include_str!("cost_by_tool.sql")),
    view("cost_by_day", include_str!("cost_by_day.sql")),
    view("cost_per_success", include_str!("cost_per_success.sql")),
    view("cost_breakdown", include_str!("cost_breakdown.sql")),
    view("budget_status", include_str!("budget_status.sql")),
    view("loop_summary", include_str!("loop_summary.sql")),
    view("loop_steps", include_str!("loop_steps.sql")),
    view("runaways", include_str!("runaways.sql")),
    view("retries", include_str!("retries.sql")),
    view("polling", include_str!("polling.sql")),
    view("regressions", include_str!("regressions.sql")),
    view("new_tools", include_str!("new_tools.sql")),
    view("new_models", include_str!("new_models.sql")),
];

/// The view of that name.
pub(crate) fn find(name: &str) -> Option<&'static View> {
    VIEWS.iter().find(|v| v.name == name)
}

/// What begins a branch of a union that is not always needed.
const BRANCH: &str = "UNION ALL -- where there are budgets per ";

fn parse(name: &str, text: &str) -> Result<Statement> {
    let mut parser = DFParserBuilder::new(text).with_dialect(&SpanfileDialect).build()?;
    let parsed = parser.parse_statements()?.pop_front();
    parsed.ok_or_else(|| DataFusionError::Plan(format!("the view {name} is empty")))
}

impl View {
    /// The parsed query; parsing is done once.
    pub(crate) fn statement(&self) -> Result<Statement> {
        if let Some(s) = self.statement.get() {
            return Ok(s.clone());
        }
        let parsed = parse(self.name, self.text)?;
        Ok(self.statement.get_or_init(|| parsed).clone())
    }

    /// The query with only those branches of its unions that `wanted` says yes to. A branch begins with a line
    /// `UNION ALL -- where there are budgets per ...`, and what they are per is asked; others are always there.
    pub(crate) fn statement_where(&self, wanted: impl Fn(&str) -> bool) -> Result<Statement> {
        let mut kept = true;
        let mut text = String::new();
        for line in self.text.lines() {
            if let Some(what) = line.trim_start().strip_prefix(BRANCH) {
                kept = wanted(what.trim());
            } else if line.starts_with(')') {
                kept = true;
            }
            if kept {
                text.push_str(line);
                text.push('\n');
            }
        }
        parse(self.name, &text)
    }

    fn head(&self) -> impl Iterator<Item = &'static str> {
        self.text.lines().map_while(|l| l.strip_prefix("--")).map(str::trim)
    }

    /// What a row is.
    pub(crate) fn meaning(&self) -> String {
        self.head().take_while(|l| !l.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// What its columns mean, in their order.
    pub(crate) fn columns(&self) -> Vec<Described> {
        let lines = self.head().skip_while(|l| !l.is_empty()).filter(|l| !l.is_empty());
        lines
            .filter_map(|l| {
                let (name, meaning) = l.split_once(':')?;
                let (name, unit) = match name.split_once(" [") {
                    Some((name, unit)) => (name, unit.trim_end_matches(']')),
                    None => (name, ""),
                };
                Some(Described { name, unit, meaning: meaning.trim() })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, EngineOptions};

    #[test]
    fn every_column_is_described_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("empty.spans");
        drop(spanfile::Store::create(&path, spanfile::Options::default()).unwrap());
        let engine = Engine::open(&path, EngineOptions::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        for view in &VIEWS {
            let query = runtime.block_on(engine.sql(&format!("SELECT * FROM {}", view.name))).unwrap();
            let schema = query.schema();
            let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            let described = view.columns();
            assert_eq!(described.iter().map(|d| d.name).collect::<Vec<_>>(), names, "{}", view.name);
            for d in &described {
                assert!(d.meaning.ends_with('.') && d.meaning.starts_with(|c: char| !c.is_whitespace()), "{d:?}");
                assert_eq!(d.unit.is_empty(), !unit_is_expected(d.name), "{}: {d:?}", view.name);
            }
            assert!(view.meaning().ends_with('.'), "{}", view.name);
        }
    }

    /// Columns that count or measure say in what.
    fn unit_is_expected(name: &str) -> bool {
        ["_ns", "_tokens", "_usd", "_calls", "_runs", "_spans"].iter().any(|end| name.ends_with(end))
            || ["runs", "calls", "errors", "retries", "spans", "steps", "retrievals", "handoffs", "calls_without_usage"]
                .contains(&name)
    }
}
