//! Budgets: what a run, session, user, agent or day may cost.
//!
//! ```
//! use spanfile::budget::{Budgets, Per};
//! use spanfile::cost::format_usd;
//!
//! # fn main() -> Result<(), spanfile::budget::BudgetError> {
//! let budgets = Budgets::parse(r#"
//!     [[budget]]
//!     per = "run"
//!     soft = "0.50"
//!     hard = 2
//!
//!     [[budget]]
//!     per = "agent"
//!     name = "planner"
//!     every = "day"
//!     hard = 5.25
//! "#)?;
//! let planner = budgets.iter().find(|b| b.key.per == Per::Agent).expect("it is there");
//! assert_eq!(planner.hard.map(format_usd).as_deref(), Some("5.25"));
//! # Ok(())
//! # }
//! ```
//!
//! | key | means |
//! |---|---|
//! | `per` | `run`, `session`, `user`, `agent` or `day`: each of them has the budget; a day is all that was spent on it, UTC |
//! | `name` | only this session, user or agent; it takes the place of the budget that each one has |
//! | `every` | `"day"`: for a user or an agent, the budget is for one day (UTC) and not for all that the file holds |
//! | `soft` | USD above which there is a warning |
//! | `hard` | USD above which the budget is broken |
//!
//! A budget has a soft limit, a hard one, or both. Amounts are decimal text or numbers, read digit by digit and never as
//! floats. An amount that equals its limit is within it.
//!
//! Nothing here knows of stores or SQL: what costs are compared with budgets says the view `budget_status`.

mod text;

use std::fmt;

use crate::cost::PicoUsd;

pub use text::BudgetError;

/// What has a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Per {
    /// Each run.
    Run,
    /// Each session.
    Session,
    /// Each end user.
    User,
    /// Each agent.
    Agent,
    /// Each day, UTC, whoever spends.
    Day,
}

impl Per {
    /// All of them.
    pub const ALL: [Per; 5] = [Per::Run, Per::Session, Per::User, Per::Agent, Per::Day];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Per::Run => "run",
            Per::Session => "session",
            Per::User => "user",
            Per::Agent => "agent",
            Per::Day => "day",
        }
    }

    /// The one of that name.
    pub fn find(name: &str) -> Option<Per> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}

/// What a budget is for. There is one budget for each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BudgetKey {
    /// What has it.
    pub per: Per,
    /// Whether it is for one day.
    pub every_day: bool,
    /// The one session, user or agent that has it; `None` for each.
    pub name: Option<String>,
}

/// `agent "planner" every day`
impl fmt::Display for BudgetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.per.name())?;
        if let Some(name) = &self.name {
            write!(f, " {name:?}")?;
        }
        f.write_str(if self.every_day { " every day" } else { "" })
    }
}

/// A budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// What it is for.
    pub key: BudgetKey,
    /// Above this there is a warning.
    pub soft: Option<PicoUsd>,
    /// Above this it is broken.
    pub hard: Option<PicoUsd>,
}

impl Budget {
    fn check(&self) -> Result<(), String> {
        let BudgetKey { per, every_day, name } = &self.key;
        if name.is_some() && matches!(per, Per::Run | Per::Day) {
            return Err(format!("a budget per {} has no name: it is for each", per.name()));
        }
        if name.as_ref().is_some_and(String::is_empty) {
            return Err("the name is empty; without one the budget is for each".into());
        }
        if *every_day && !matches!(per, Per::User | Per::Agent) {
            return Err(format!("every: only budgets per user or agent are for a day, not those per {}", per.name()));
        }
        match (self.soft, self.hard) {
            (None, None) => Err("neither soft nor hard says what may be spent".into()),
            (Some(soft), Some(hard)) if soft > hard => Err(format!(
                "soft is above hard: {} and {}",
                crate::cost::format_usd(soft),
                crate::cost::format_usd(hard)
            )),
            (Some(amount), _) | (_, Some(amount)) if amount < 0 => Err("a limit is below zero".into()),
            _ => Ok(()),
        }
    }
}

/// Budgets, one for each key, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Budgets(Vec<Budget>);

impl Budgets {
    /// Adds a budget, or puts it in the place of the one with the same key.
    ///
    /// # Errors
    /// When it makes no sense: without a limit, soft above hard, a name where there is none.
    pub fn set(&mut self, budget: Budget) -> Result<(), BudgetError> {
        budget.check().map_err(BudgetError::without_line)?;
        match self.0.binary_search_by(|b| b.key.cmp(&budget.key)) {
            Ok(at) => self.0[at] = budget,
            Err(at) => self.0.insert(at, budget),
        }
        Ok(())
    }

    /// Takes a budget out; says whether it was there.
    pub fn remove(&mut self, key: &BudgetKey) -> bool {
        match self.0.binary_search_by(|b| b.key.cmp(key)) {
            Ok(at) => {
                self.0.remove(at);
                true
            }
            Err(_) => false,
        }
    }

    /// The budget for a key.
    pub fn get(&self, key: &BudgetKey) -> Option<&Budget> {
        self.0.binary_search_by(|b| b.key.cmp(key)).ok().map(|at| &self.0[at])
    }

    /// The budgets.
    pub fn iter(&self) -> std::slice::Iter<'_, Budget> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Budgets {
    type Item = &'a Budget;
    type IntoIter = std::slice::Iter<'a, Budget>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
