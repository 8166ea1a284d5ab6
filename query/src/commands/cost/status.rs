//! How budgets stand: the lines below a chart, and the gate.

use datafusion::arrow::array::RecordBatch;
use datafusion::common::exec_datafusion_err;
use spanfile::budget::{BudgetKey, Per};
use spanfile_query::{Engine, QueryError, Result};

use super::super::cells::{flags, ints, texts, usd};
use super::super::drawing::{Look, Paint, decimals, dollars, folded, grouped, printable};
use super::chart::{amount, limit};
use super::sums::Money;
use crate::cli::FailOver;

/// How many runs, sessions and so on are named for each budget.
const NAMED: usize = 3;

/// A budget, and how what it is for stands.
#[derive(Debug)]
struct Standing {
    key: BudgetKey,
    soft: Option<i128>,
    hard: Option<i128>,
    states: Vec<(State, i64)>,
}

/// What `budget_status` says, and whether the cost is complete: over the soft limit and incomplete may be over the hard
/// one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    name: String,
    complete: bool,
}

/// Something that is not plainly within its budget.
#[derive(Debug)]
struct Finding {
    budget: BudgetKey,
    subject: String,
    state: String,
    cost: Money,
    soft: Option<i128>,
    hard: Option<i128>,
}

/// All budgets, and what stands out.
#[derive(Debug)]
pub(super) struct Standings {
    budgets: Vec<Standing>,
    findings: Vec<Finding>,
}

/// What a gate found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Passed,
    /// There is no limit that it could look at.
    NothingToCheck,
    /// Over a limit, and perhaps over one.
    Failed {
        over: i64,
        unknown: i64,
    },
}

impl Standings {
    /// Reads them from a query with the rows of `budget_status`.
    pub(super) async fn read(engine: &Engine, status: &str) -> Result<Standings> {
        let by_budget = format!(
            "SELECT scope, name, every, soft_usd, hard_usd, state, cost_complete, count(*) AS subjects FROM ({status}) \
             GROUP BY scope, name, every, soft_usd, hard_usd, state, cost_complete \
             ORDER BY scope, name NULLS FIRST, every NULLS FIRST, soft_usd, hard_usd, state, cost_complete"
        );
        let mut budgets: Vec<Standing> = Vec::new();
        for b in engine.sql(&by_budget).await?.collect().await? {
            let (what, soft, hard) = (keys(&b)?, usd(&b, "soft_usd")?, usd(&b, "hard_usd")?);
            let (states, complete, counts) = (texts(&b, "state")?, flags(&b, "cost_complete")?, ints(&b, "subjects")?);
            for i in 0..b.num_rows() {
                let state = State { name: states[i].clone().unwrap_or_default(), complete: complete[i] == Some(true) };
                let counted = (state, counts[i].unwrap_or(0));
                match budgets.last_mut().filter(|s| (&s.key, s.soft, s.hard) == (&what[i], soft[i], hard[i])) {
                    Some(s) => s.states.push(counted),
                    None => budgets.push(Standing {
                        key: what[i].clone(),
                        soft: soft[i],
                        hard: hard[i],
                        states: vec![counted],
                    }),
                }
            }
        }
        budgets.sort_by(|a, b| (&a.key, a.soft, a.hard).cmp(&(&b.key, b.soft, b.hard)));
        let findings = format!(
            "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY scope, name, every, soft_usd, hard_usd, state \
             ORDER BY cost_usd DESC, unpriced_tokens DESC, subject, day) AS place FROM ({status}) \
             WHERE state NOT IN ('within', 'unused')) WHERE place <= {NAMED} ORDER BY place"
        );
        let mut found = Vec::new();
        for b in engine.sql(&findings).await?.collect().await? {
            let (what, soft, hard) = (keys(&b)?, usd(&b, "soft_usd")?, usd(&b, "hard_usd")?);
            let (subjects, states) = (texts(&b, "subject")?, texts(&b, "state")?);
            let (scopes, days) = (texts(&b, "scope")?, texts(&b, "day")?);
            let (cost, complete) = (usd(&b, "cost_usd")?, flags(&b, "cost_complete")?);
            let (spans, tokens) = (ints(&b, "unpriced_spans")?, ints(&b, "unpriced_tokens")?);
            for i in 0..b.num_rows() {
                let subject = subjects[i].clone().unwrap_or_default();
                let subject = match (scopes[i].as_deref(), &days[i]) {
                    (Some("run"), _) => subject.chars().take(8).collect(),
                    (Some("day"), _) | (_, None) => subject,
                    (_, Some(day)) => format!("{subject} on {day}"),
                };
                let cost = Money {
                    usd: cost[i],
                    complete: complete[i] == Some(true),
                    unpriced_spans: spans[i].unwrap_or(0),
                    unpriced_tokens: tokens[i].unwrap_or(0),
                };
                let state = states[i].clone().unwrap_or_default();
                found.push(Finding { budget: what[i].clone(), subject, state, cost, soft: soft[i], hard: hard[i] });
            }
        }
        Ok(Standings { budgets, findings: found })
    }

    /// What there is to say about each budget.
    pub(super) fn lines(&self, look: Look) -> String {
        let mut out = String::new();
        for s in &self.budgets {
            let limits = [("soft", s.soft), ("hard", s.hard)];
            let limits: Vec<String> =
                limits.into_iter().filter_map(|(name, l)| Some(format!("{name} {}", limit(l?)))).collect();
            let mut states: Vec<String> = Vec::new();
            for name in ["within", "over_soft", "over_hard", "unknown", "unused"] {
                let n: i64 = s.states.iter().filter(|(state, _)| state.name == name).map(|(_, n)| n).sum();
                match (n, name) {
                    (0, _) => {}
                    (_, "unused") => states.push("not in the file".into()),
                    _ => states.push(format!("{} {}", grouped(n), name.replace('_', " "))),
                }
            }
            let line = format!("per {}: {}: {}", printable(&s.key.to_string()), limits.join(", "), states.join(", "));
            out += &folded(&line, look.width, 2);
            let mine = |f: &&Finding| (&f.budget, f.soft, f.hard) == (&s.key, s.soft, s.hard);
            for (state, paint, over) in [
                ("over_hard", Paint::Bad, s.hard),
                ("over_soft", Paint::Doubtful, s.soft),
                ("unknown", Paint::Doubtful, None),
            ] {
                for f in self.findings.iter().filter(mine).filter(|f| f.state == state) {
                    // Each amount with the digits that tell it from its limit.
                    let digits = decimals([f.cost.usd, over].into_iter().flatten());
                    let cost = match over.filter(|o| f.cost.usd.is_some_and(|u| same_digits(u, *o, digits))) {
                        Some(_) => format!("${}", spanfile::cost::format_usd(f.cost.usd.unwrap_or(0))),
                        None => amount(&f.cost, digits),
                    };
                    let line = format!("{}: {} {cost}", state.replace('_', " "), printable(&f.subject));
                    let line = folded(&line, look.width.saturating_sub(2), 4);
                    out += &format!("  {}", look.paint(paint, line.trim_end()));
                    out.push('\n');
                }
            }
        }
        out
    }

    /// Budgets with a name that nothing was spent under: perhaps a slip of the pen.
    /// Whether no budget is for anything that the file has.
    pub(super) fn are_all_unused(&self) -> bool {
        let unused = |s: &Standing| s.states.iter().all(|(state, _)| state.name == "unused");
        !self.budgets.is_empty() && self.budgets.iter().all(unused)
    }

    pub(super) fn unused(&self) -> impl Iterator<Item = &BudgetKey> {
        let unused = |s: &&Standing| s.states.iter().any(|(state, _)| state.name == "unused");
        self.budgets.iter().filter(unused).map(|s| &s.key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.budgets.is_empty()
    }

    pub(super) fn gate(&self, limit: FailOver, allow_incomplete: bool) -> Gate {
        let looked_at = |s: &&Standing| s.hard.is_some() || limit == FailOver::Soft;
        let (mut over, mut unknown, mut checked) = (0, 0, false);
        for s in self.budgets.iter().filter(looked_at) {
            checked = true;
            for (state, n) in &s.states {
                match state.name.as_str() {
                    "over_hard" => over += n,
                    "over_soft" if limit == FailOver::Soft => over += n,
                    // Complete or not says more than the state: over the soft limit is perhaps over the hard one.
                    _ if !state.complete && !allow_incomplete => unknown += n,
                    _ => {}
                }
            }
        }
        match (checked, over + unknown) {
            (false, _) => Gate::NothingToCheck,
            (true, 0) => Gate::Passed,
            (true, _) => Gate::Failed { over, unknown },
        }
    }
}

fn same_digits(a: i128, b: i128, decimals: usize) -> bool {
    dollars(a, decimals, false) == dollars(b, decimals, false)
}

/// What each row's budget is for.
fn keys(b: &RecordBatch) -> Result<Vec<BudgetKey>> {
    let (scopes, names, every) = (texts(b, "scope")?, texts(b, "name")?, texts(b, "every")?);
    let key = |i: usize| {
        let per = scopes[i].as_deref().and_then(Per::find);
        let per = per.ok_or_else(|| exec_datafusion_err!("a budget per {:?}", scopes[i]));
        let per = per.map_err(|e| QueryError::Execution(Box::new(e)))?;
        Ok(BudgetKey { per, every_day: every[i].is_some(), name: names[i].clone() })
    };
    (0..b.num_rows()).map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standings(hard: Option<i128>, states: &[(&str, bool, i64)]) -> Standings {
        let state = |&(name, complete, n): &(&str, bool, i64)| (State { name: name.to_owned(), complete }, n);
        let states = states.iter().map(state).collect();
        Standings {
            budgets: vec![Standing {
                key: BudgetKey { per: Per::Run, every_day: false, name: None },
                soft: Some(1),
                hard,
                states,
            }],
            findings: Vec::new(),
        }
    }

    #[test]
    fn a_gate_does_not_pass_what_it_does_not_know() {
        use FailOver::{Hard, Soft};
        let s = standings(Some(2), &[("within", true, 5), ("over_soft", true, 2)]);
        assert_eq!(s.gate(Hard, false), Gate::Passed);
        assert_eq!(s.gate(Soft, false), Gate::Failed { over: 2, unknown: 0 });
        // More than the soft limit is known: it may be more than the hard one.
        let s = standings(Some(2), &[("over_soft", false, 2), ("unknown", false, 1), ("over_hard", false, 1)]);
        assert_eq!(s.gate(Hard, false), Gate::Failed { over: 1, unknown: 3 });
        assert_eq!(s.gate(Hard, true), Gate::Failed { over: 1, unknown: 0 });
        assert_eq!(s.gate(Soft, false), Gate::Failed { over: 3, unknown: 1 });
        let s = standings(Some(2), &[("unknown", false, 1)]);
        assert_eq!(s.gate(Hard, true), Gate::Passed);
        let s = standings(None, &[("over_soft", true, 1)]);
        assert_eq!(s.gate(Hard, false), Gate::NothingToCheck);
    }
}
