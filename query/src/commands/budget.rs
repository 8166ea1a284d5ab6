//! `spanfile budget ...`: budgets that a file keeps.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use spanfile::budget::{Budget, BudgetKey, Budgets};
use spanfile::cost::format_usd;
use spanfile::limits::BUDGETS_BYTES;
use spanfile::{Options, Store};
use spanfile_query::render::render;
use spanfile_query::{Engine, EngineOptions, QueryError, Result};

use super::query::{output, runtime};
use super::{exit, output_error, store_error};
use crate::cli::{BudgetArgs, BudgetKeyArgs, BudgetVerb, OutputArgs};

pub(crate) fn run(args: &BudgetArgs) -> Result<u8> {
    match &args.verb {
        BudgetVerb::Set { file, key, soft, hard } => set(file, Budget { key: key_of(key), soft: *soft, hard: *hard }),
        BudgetVerb::Remove { file, key } => remove(file, &key_of(key)),
        BudgetVerb::List { file, output } => list(file, output),
        BudgetVerb::Import { file, budgets } => {
            let budgets = read(budgets)?;
            change(file, exit::FAILED, |kept| {
                *kept = budgets;
                Ok(format!("{} budgets", kept.len()))
            })
        }
        BudgetVerb::Export { file } => {
            let toml = kept(file)?.to_toml();
            std::io::stdout().lock().write_all(toml.as_bytes()).map_err(output_error)?;
            Ok(exit::FINE)
        }
    }
}

fn key_of(args: &BudgetKeyArgs) -> BudgetKey {
    BudgetKey { per: args.per, every_day: args.every.is_some(), name: args.name.clone() }
}

fn set(file: &Path, budget: Budget) -> Result<u8> {
    let limit = |name: &str, usd: Option<i128>| usd.map(|u| format!(", {name} ${}", format_usd(u))).unwrap_or_default();
    let said = format!("budget per {}{}{}", budget.key, limit("soft", budget.soft), limit("hard", budget.hard));
    change(file, exit::USAGE, |kept| {
        kept.set(budget).map_err(|e| e.to_string())?;
        Ok(said)
    })
}

fn remove(file: &Path, key: &BudgetKey) -> Result<u8> {
    change(file, exit::FAILED, |kept| match kept.remove(key) {
        true => Ok(format!("budget per {key} removed")),
        false => Err(format!("there is no budget per {key}")),
    })
}

/// Changes the budgets of a file and says what was done. A change that is refused changes nothing, and exits so.
fn change(
    path: &Path,
    refused: u8,
    change: impl FnOnce(&mut Budgets) -> std::result::Result<String, String>,
) -> Result<u8> {
    let failed = |e| store_error(path, e);
    let store = Store::open(path, Options::default()).map_err(failed)?;
    let kept = store.snapshot().and_then(|s| s.budgets()).map_err(failed)?;
    let mut budgets = Budgets::clone(&kept);
    let said = match change(&mut budgets) {
        Ok(said) => said,
        Err(reason) => {
            say!("spanfile: {reason}");
            return Ok(refused);
        }
    };
    store.writer().and_then(|mut w| w.set_budgets(&budgets)).map_err(failed)?;
    writeln!(std::io::stdout().lock(), "{said}").map_err(output_error)?;
    Ok(exit::FINE)
}

fn kept(path: &Path) -> Result<Arc<Budgets>> {
    let store = Store::open_read_only(path, Options::default());
    store.and_then(|s| s.snapshot()?.budgets()).map_err(|e| store_error(path, e))
}

fn list(path: &Path, args: &OutputArgs) -> Result<u8> {
    let runtime = runtime(None)?;
    let engine = Engine::open(path, EngineOptions::default())?;
    let (format, options) = output(args);
    let mut out = std::io::stdout().lock();
    runtime.block_on(async {
        let query = engine.sql("SELECT * FROM budgets").await?;
        render(query.stream()?, &format, &options, &mut out).await
    })?;
    Ok(exit::FINE)
}

/// Reads budgets from a TOML file, or from stdin.
pub(super) fn read(path: &Path) -> Result<Budgets> {
    let io = |source| QueryError::Io { path: path.to_path_buf(), source };
    let mut text = String::new();
    // One byte more than is allowed tells a file that is too long.
    let most = BUDGETS_BYTES as u64 + 1;
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(most).read_to_string(&mut text).map_err(io)?;
    } else {
        std::fs::File::open(path).map_err(io)?.take(most).read_to_string(&mut text).map_err(io)?;
    }
    Budgets::parse(&text).map_err(|e| io(std::io::Error::new(std::io::ErrorKind::InvalidData, e)))
}
