//! What is summed by what, as SQL, and the rows that come back.

use datafusion::arrow::array::RecordBatch;
use spanfile_query::{Engine, Result};

use super::super::cells::{flags, ints, texts, usd};
use crate::cli::CostBy;

/// Counts beside a cost.
pub(super) const COUNTS: usize = 2;

/// A column of counts: heading, SQL, and whether its sum over all rows means something: a run with two models is in
/// two rows.
type Count = (&'static str, &'static str, bool);

/// A way to sum costs.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    /// What a row is, for one and for many.
    pub(super) names: [&'static str; 2],
    /// Where the rows are from.
    from: String,
    /// What a row is called.
    label: &'static str,
    /// Rows with the same name are one. Else each is its own.
    grouped: bool,
    pub(super) counts: [Count; COUNTS],
    /// A further amount: heading and SQL.
    pub(super) extra: Option<(&'static str, &'static str)>,
    /// By name, and when not all are shown, the last. Else the dearest first.
    pub(super) by_time: bool,
}

const RUNS: Count = ("runs", "runs", true);
/// Runs that are in several rows.
const RUNS_OF: Count = ("runs", "runs", false);
const CALLS: Count = ("calls", "calls", true);
const TOKENS: Count = ("tokens", "total_tokens", true);

impl Sums {
    /// What `by` asks for; `None` for budgets, which are no sums.
    pub(super) fn by(by: CostBy) -> Option<Sums> {
        let llm_calls = ("calls", "llm_calls", true);
        let (names, from, label, counts) = match by {
            CostBy::Run => (["run", "runs"], "cost_per_run", RUN, [llm_calls, TOKENS]),
            CostBy::Session => {
                (["session", "sessions"], "cost_per_session", "coalesce(session_id, '(no session)')", [RUNS, TOKENS])
            }
            CostBy::User => (["user", "users"], "cost_per_user", "coalesce(user_id, '(no user)')", [RUNS, TOKENS]),
            CostBy::Agent => (["agent", "agents"], "cost_by_agent", AGENT, [RUNS_OF, TOKENS]),
            CostBy::Version => (
                ["version", "versions"],
                "cost_by_agent_version",
                "concat(coalesce(agent_name, '(no agent)'), ' ', coalesce(agent_version, '(no version)'))",
                [RUNS_OF, TOKENS],
            ),
            CostBy::Workflow => (["workflow", "workflows"], "cost_by_workflow", WORKFLOW, [RUNS_OF, TOKENS]),
            CostBy::Model => (["model", "models"], "cost_by_model", MODEL, [CALLS, TOKENS]),
            CostBy::Tool => (
                ["tool", "tools"],
                "cost_by_tool",
                "coalesce(tool_name, '(no tool call before)')",
                [RUNS_OF, ("tool calls", "calls", true)],
            ),
            CostBy::Day => (["day", "days"], "cost_by_day", "CAST(day AS VARCHAR)", [RUNS_OF, TOKENS]),
            CostBy::Success => (
                ["workflow", "workflows"],
                "cost_per_success",
                "coalesce(workflow, '(no name)')",
                [RUNS, ("succeeded", "successful_runs", true)],
            ),
            // Calls are in each bucket that they fill.
            CostBy::Bucket => (
                ["bucket", "buckets"],
                "cost_breakdown",
                "bucket",
                [("calls", "calls", false), ("tokens", "bucket_tokens", false)],
            ),
            CostBy::Budget => return None,
        };
        let extra = (by == CostBy::Success).then_some(("per success", "cost_per_success_usd"));
        let grouped = !matches!(by, CostBy::Run | CostBy::Success);
        Some(Sums { names, from: from.to_owned(), label, grouped, counts, extra, by_time: by == CostBy::Day })
    }

    /// The same over what runs would cost at other prices; `None` where that is known only run by run.
    pub(super) fn at_other_prices(by: CostBy, runs: String) -> Option<Sums> {
        let run_count = ("runs", "1", true);
        let (names, label, counts) = match by {
            CostBy::Run => (["run", "runs"], RUN, [("calls", "llm_calls", true), TOKENS]),
            CostBy::Session => (["session", "sessions"], "coalesce(session_id, '(no session)')", [run_count, TOKENS]),
            CostBy::User => (["user", "users"], "coalesce(user_id, '(no user)')", [run_count, TOKENS]),
            CostBy::Workflow => (["workflow", "workflows"], WORKFLOW, [run_count, TOKENS]),
            _ => return None,
        };
        let extra = Some(("actual", "actual_cost_usd"));
        Some(Sums { names, from: runs, label, grouped: by != CostBy::Run, counts, extra, by_time: false })
    }

    /// Whether the further amount is what was paid in truth.
    pub(super) fn has_actual(&self) -> bool {
        self.extra.is_some_and(|(_, column)| column == "actual_cost_usd")
    }

    /// All rows with all their columns, for programs. At most `top` of them, unless that is 0.
    pub(super) fn all_columns(&self, top: usize) -> String {
        let limit = limit(top);
        match (self.by_time, self.extra) {
            (true, _) => format!("SELECT * FROM (SELECT * FROM {} ORDER BY day DESC{limit}) ORDER BY day", self.from),
            (false, _) if self.grouped && self.has_actual() => {
                let [(n1, ..), (n2, ..)] = self.counts;
                format!(
                    "SELECT label AS \"{}\", n1 AS {n1}, n2 AS {n2}, cost_usd, extra_usd AS actual_cost_usd, \
                     cost_complete, extra_complete AS actual_cost_complete, unpriced_spans, unpriced_tokens FROM ({}) \
                     ORDER BY cost_usd DESC, label{limit}",
                    self.names[0],
                    self.rows()
                )
            }
            _ => format!(
                "SELECT * FROM {} ORDER BY cost_usd DESC, unpriced_tokens DESC, {}{limit}",
                self.from, self.label
            ),
        }
    }

    /// One row for each line of the chart.
    fn rows(&self) -> String {
        let [(_, n1, _), (_, n2, _)] = self.counts;
        let extra = self.extra.map_or("NULL", |(_, sql)| sql);
        let extra_complete = if self.has_actual() { "actual_cost_complete" } else { "true" };
        let columns = format!(
            "SELECT CAST({} AS VARCHAR) AS label, {n1} AS n1, {n2} AS n2, CAST({extra} AS DECIMAL(38, 12)) AS extra_usd, \
             {extra_complete} AS extra_complete, cost_usd, cost_complete, unpriced_spans, unpriced_tokens FROM {}",
            self.label, self.from
        );
        if !self.grouped {
            return columns;
        }
        format!("SELECT label, {SUMMED} FROM ({columns}) GROUP BY label")
    }

    /// The rows of the chart, and the sum of all rows with their number.
    pub(super) async fn read(&self, engine: &Engine, top: usize) -> Result<(Vec<Row>, Row, i64)> {
        let (rows, limit) = (self.rows(), limit(top));
        let shown = match self.by_time {
            true => format!("SELECT * FROM (SELECT * FROM ({rows}) ORDER BY label DESC{limit}) ORDER BY label"),
            false => format!("SELECT * FROM ({rows}) ORDER BY cost_usd DESC, unpriced_tokens DESC, label{limit}"),
        };
        let total = format!("SELECT count(*) AS rows, 'total' AS label, {SUMMED} FROM ({rows})");
        let shown = Row::all(&engine.sql(&shown).await?.collect().await?)?;
        let total = engine.sql(&total).await?.collect().await?;
        let count = total.iter().flat_map(|b| ints(b, "rows").unwrap_or_default()).flatten().sum();
        Ok((shown, Row::all(&total)?.pop().unwrap_or_default(), count))
    }
}

const RUN: &str = "concat(substr(trace_id, 1, 8), ' ', coalesce(workflow_name, root_name, ''))";
const AGENT: &str = "coalesce(agent_name, '(no agent)')";
const WORKFLOW: &str = "coalesce(workflow_name, '(no workflow)')";
const MODEL: &str = "coalesce(provider || '/', '') || coalesce(response_model, request_model, '(no model)')";
const SUMMED: &str = "sum(n1) AS n1, sum(n2) AS n2, CAST(sum(extra_usd) AS DECIMAL(38, 12)) AS extra_usd, \
                      coalesce(bool_and(extra_complete), true) AS extra_complete, \
                      CAST(sum(cost_usd) AS DECIMAL(38, 12)) AS cost_usd, \
                      coalesce(bool_and(cost_complete), true) AS cost_complete, \
                      coalesce(sum(unpriced_spans), 0) AS unpriced_spans, \
                      coalesce(sum(unpriced_tokens), 0) AS unpriced_tokens";

fn limit(top: usize) -> String {
    if top == 0 { String::new() } else { format!(" LIMIT {top}") }
}

/// A cost, and what is missing from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Money {
    /// Pico-dollars, as far as known; `None` when nothing is.
    pub(super) usd: Option<i128>,
    pub(super) complete: bool,
    pub(super) unpriced_spans: i64,
    pub(super) unpriced_tokens: i64,
}

/// A line of the chart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) counts: [Option<i64>; COUNTS],
    pub(super) cost: Money,
    pub(super) extra: Option<i128>,
    pub(super) extra_complete: bool,
}

impl Row {
    fn all(batches: &[RecordBatch]) -> Result<Vec<Row>> {
        let mut out = Vec::new();
        for b in batches {
            let (labels, cost, extra) = (texts(b, "label")?, usd(b, "cost_usd")?, usd(b, "extra_usd")?);
            let (n1, n2) = (ints(b, "n1")?, ints(b, "n2")?);
            let (spans, tokens) = (ints(b, "unpriced_spans")?, ints(b, "unpriced_tokens")?);
            let (complete, extra_complete) = (flags(b, "cost_complete")?, flags(b, "extra_complete")?);
            for i in 0..b.num_rows() {
                out.push(Row {
                    label: labels[i].clone().unwrap_or_default(),
                    counts: [n1[i], n2[i]],
                    cost: Money {
                        usd: cost[i],
                        complete: complete[i].unwrap_or(false),
                        unpriced_spans: spans[i].unwrap_or(0),
                        unpriced_tokens: tokens[i].unwrap_or(0),
                    },
                    extra: extra[i],
                    extra_complete: extra_complete[i].unwrap_or(false),
                });
            }
        }
        Ok(out)
    }

    /// What is left of a total without these rows.
    pub(super) fn rest(total: &Row, shown: &[Row], label: String) -> Row {
        let minus = |of: fn(&Row) -> Option<i128>| {
            // What sources report has no bound, and a sum of it neither.
            let part = shown.iter().filter_map(of).fold(0, i128::saturating_add);
            of(total).map(|t| t.saturating_sub(part))
        };
        let count = |n: usize| {
            let part: i64 = shown.iter().filter_map(|r| r.counts[n]).sum();
            total.counts[n].map(|t| t - part)
        };
        let spans = total.cost.unpriced_spans - shown.iter().map(|r| r.cost.unpriced_spans).sum::<i64>();
        let tokens = total.cost.unpriced_tokens - shown.iter().map(|r| r.cost.unpriced_tokens).sum::<i64>();
        let complete = total.cost.complete || (spans == 0 && tokens == 0);
        let cost = Money { usd: minus(|r| r.cost.usd), complete, unpriced_spans: spans, unpriced_tokens: tokens };
        Row {
            label,
            counts: [count(0), count(1)],
            cost,
            extra: minus(|r| r.extra),
            extra_complete: total.extra_complete,
        }
    }
}
