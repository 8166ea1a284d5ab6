//! The budgets of a file: their text is in the log, whose chain vouches for it.

use std::sync::{Arc, OnceLock};

use super::format::LogBody;
use super::snapshot::Snapshot;
use super::writer::Writer;
use crate::budget::Budgets;
use crate::error::{Error, Result};
use crate::limits::BUDGETS_BYTES;

/// The newest budgets that the log tells of.
#[derive(Debug, Clone)]
pub(super) struct BudgetsDesc {
    sequence: u64,
    text: Arc<str>,
    /// What the text says, once it was asked for.
    read: Arc<OnceLock<Arc<Budgets>>>,
}

impl BudgetsDesc {
    pub(super) fn new(sequence: u64, text: String) -> Self {
        BudgetsDesc { sequence, text: text.into(), read: Arc::default() }
    }
}

impl Writer {
    /// Keeps budgets in the file, in the place of those that it has. Durable when it returns.
    ///
    /// # Errors
    /// [`Error::Limit`] for too many, and what can go wrong writing.
    pub fn set_budgets(&mut self, budgets: &Budgets) -> Result<()> {
        let text = budgets.to_toml();
        if text.len() > BUDGETS_BYTES {
            return Err(Error::Limit {
                path: self.path().to_path_buf(),
                what: "size of the budgets in bytes",
                found: text.len() as u64,
                limit: BUDGETS_BYTES as u64,
                hint: "",
            });
        }
        self.transaction(|change| change.log(LogBody::Budgets { text }))
    }
}

impl Snapshot {
    /// The budgets that the file keeps.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when they cannot be read.
    pub fn budgets(&self) -> Result<Arc<Budgets>> {
        let Some(desc) = &self.state().budgets else { return Ok(Arc::default()) };
        if let Some(budgets) = desc.read.get() {
            return Ok(budgets.clone());
        }
        let place = || format!("log[{}]", desc.sequence);
        let budgets = Budgets::parse(&desc.text)
            .map_err(|e| Error::corrupt(self.file().path(), place(), format!("budgets: {e}")))?;
        Ok(desc.read.get_or_init(|| Arc::new(budgets)).clone())
    }
}
