//! Budgets as TOML.

use std::fmt::Write;
use std::ops::Range;

use toml_edit::{Document, Item, TableLike, Value};

use super::{Budget, BudgetKey, Budgets, Per};
use crate::cost::{PicoUsd, format_usd, parse_usd};
use crate::limits::BUDGETS_BYTES;

/// Why budgets cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", line.map(|n| format!("line {n}: ")).unwrap_or_default())]
pub struct BudgetError {
    /// Line of the text, from 1; `None` when no text is at fault.
    pub line: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

impl BudgetError {
    pub(super) fn without_line(reason: String) -> Self {
        BudgetError { line: None, reason }
    }
}

/// A text and what is wrong in it.
struct Source<'a>(&'a str);

impl Source<'_> {
    fn error(&self, span: Option<Range<usize>>, reason: impl Into<String>) -> BudgetError {
        let before = span.and_then(|s| self.0.as_bytes().get(..s.start));
        let line = before.map(|b| 1 + b.iter().filter(|&&c| c == b'\n').count() as u64);
        BudgetError { line, reason: reason.into() }
    }

    fn budget(&self, table: &dyn TableLike, place: Option<Range<usize>>) -> Result<Budget, BudgetError> {
        let mut per = None;
        let (mut name, mut every_day, mut soft, mut hard) = (None, false, None, None);
        for (key, item) in table.iter() {
            let here = item.span().or_else(|| place.clone());
            match key {
                "per" => {
                    let text = self.string(key, item)?;
                    let found = Per::find(&text);
                    let known = || Per::ALL.map(Per::name).join(", ");
                    let unknown = || self.error(here.clone(), format!("per is {text:?} and not one of {}", known()));
                    per = Some(found.ok_or_else(unknown)?);
                }
                "name" => name = Some(self.string(key, item)?),
                "every" => match self.string(key, item)?.as_str() {
                    "day" => every_day = true,
                    other => return Err(self.error(here, format!("every is {other:?} and not \"day\""))),
                },
                "soft" => soft = Some(self.amount(key, item)?),
                "hard" => hard = Some(self.amount(key, item)?),
                other => {
                    let reason = format!("unknown key {other:?}; a budget has per, name, every, soft and hard");
                    return Err(self.error(here, reason));
                }
            }
        }
        let per = per.ok_or_else(|| self.error(place.clone(), "per is missing: run, session, user, agent or day"))?;
        let budget = Budget { key: BudgetKey { per, every_day, name }, soft, hard };
        budget.check().map_err(|reason| self.error(place, reason))?;
        Ok(budget)
    }

    fn string(&self, key: &str, item: &Item) -> Result<String, BudgetError> {
        let text = item.as_str().map(str::to_owned);
        text.ok_or_else(|| self.error(item.span(), format!("{key} is {} and not text", item.type_name())))
    }

    /// An amount, from text or from the digits of a number as they were written.
    fn amount(&self, key: &str, item: &Item) -> Result<PicoUsd, BudgetError> {
        let text = match item {
            Item::Value(Value::String(s)) => s.value().clone(),
            Item::Value(Value::Integer(_) | Value::Float(_)) => {
                let digits = item.span().and_then(|s| self.0.get(s)).unwrap_or_default().replace('_', "");
                digits.strip_prefix('+').unwrap_or(&digits).to_owned()
            }
            _ => {
                let reason = format!("{key} is {} and not an amount such as \"2.50\"", item.type_name());
                return Err(self.error(item.span(), reason));
            }
        };
        parse_usd(&text).map_err(|reason| self.error(item.span(), format!("{key}: {reason}")))
    }
}

impl Budgets {
    /// Reads budgets from TOML: tables `[[budget]]` with the keys that the module's page tells of.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line. Unknown keys are wrong, and so are two budgets for the same.
    pub fn parse(text: &str) -> Result<Self, BudgetError> {
        if text.len() > BUDGETS_BYTES {
            return Err(BudgetError::without_line(format!(
                "budgets of {} bytes are longer than {BUDGETS_BYTES}",
                text.len()
            )));
        }
        let source = Source(text);
        let document = Document::parse(text).map_err(|e| source.error(e.span(), e.message()))?;
        let mut budgets = Budgets::default();
        for (key, item) in document.as_table() {
            let mut add = |table: &dyn TableLike, place: Option<Range<usize>>| {
                let budget = source.budget(table, place.clone())?;
                if budgets.get(&budget.key).is_some() {
                    return Err(source.error(place, format!("there are two budgets per {}", budget.key)));
                }
                budgets.set(budget)
            };
            match item {
                _ if key != "budget" => {
                    let reason = format!("unknown key {key:?}; budgets are tables [[budget]]");
                    return Err(source.error(item.span(), reason));
                }
                Item::ArrayOfTables(tables) => tables.iter().try_for_each(|t| add(t, t.span()))?,
                Item::Value(Value::Array(values)) => {
                    for value in values {
                        match value {
                            Value::InlineTable(t) => add(t, value.span())?,
                            _ => return Err(source.error(value.span(), "a budget is a table")),
                        }
                    }
                }
                _ => return Err(source.error(item.span(), "budgets are tables [[budget]], with two brackets")),
            }
        }
        Ok(budgets)
    }

    /// The budgets as TOML, which [`Budgets::parse`] reads back.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        for budget in self {
            let BudgetKey { per, every_day, name } = &budget.key;
            if !out.is_empty() {
                out.push('\n');
            }
            out += &format!("[[budget]]\nper = \"{}\"\n", per.name());
            if let Some(name) = name {
                out += "name = ";
                quote(name, &mut out);
                out.push('\n');
            }
            if *every_day {
                out += "every = \"day\"\n";
            }
            for (key, limit) in [("soft", budget.soft), ("hard", budget.hard)] {
                if let Some(limit) = limit {
                    out += &format!("{key} = \"{}\"\n", format_usd(limit));
                }
            }
        }
        out
    }
}

/// A TOML string.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Budgets::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn amounts_are_read_digit_by_digit() {
        let hard = |literal: &str| {
            let read = Budgets::parse(&format!("[[budget]]\nper = 'day'\nhard = {literal}"))?;
            Ok::<_, BudgetError>(read.iter().next().unwrap().hard.unwrap())
        };
        for (literal, pico) in [
            ("\"2.50\"", 2_500_000_000_000),
            ("2.50", 2_500_000_000_000),
            ("+1_000.5", 1_000_500_000_000_000),
            // No float between 0 and 1 has this value.
            ("0.100000000001", 100_000_000_001),
            ("123456789.123456789012", 123_456_789_123_456_789_012),
            ("1e-3", 1_000_000_000),
            ("0", 0),
        ] {
            assert_eq!(hard(literal), Ok(pico), "{literal}");
        }
        for literal in ["-1", "nan", "inf", "0x10", "1e-13", "1e12", "\"\"", "\"$2\"", "\"1,5\"", "\"two\"", "true"] {
            let e = hard(literal).unwrap_err();
            assert!(e.line == Some(3) && e.reason.starts_with("hard"), "{literal}: {e}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, said) in [
            ("[[budget]]\nper = \"run\"", "line 1: neither soft nor hard"),
            ("[[budget]]\nper = \"run\"\nsoft = 2\nhard = 1", "line 1: soft is above hard: 2 and 1"),
            ("\n\n[[budget]]\nhard = 1", "line 3: per is missing"),
            ("[[budget]]\nper = \"runs\"\nhard = 1", "line 2: per is \"runs\" and not one of run, session"),
            ("[[budget]]\nper = 1\nhard = 1", "line 2: per is integer and not text"),
            ("[[budget]]\nper = \"run\"\nhrad = 1", "line 3: unknown key \"hrad\""),
            ("[[budget]]\nper = \"run\"\nname = \"x\"\nhard = 1", "line 1: a budget per run has no name"),
            ("[[budget]]\nper = \"user\"\nname = \"\"\nhard = 1", "line 1: the name is empty"),
            ("[[budget]]\nper = \"run\"\nevery = \"day\"\nhard = 1", "line 1: every: only budgets per user or agent"),
            ("[[budget]]\nper = \"user\"\nevery = \"week\"\nhard = 1", "line 3: every is \"week\""),
            ("[budget]\nper = \"run\"\nhard = 1", "line 1: budgets are tables [[budget]]"),
            ("currency = \"USD\"", "line 1: unknown key \"currency\""),
            ("budget = [{ per = \"day\", hard = 1 },\n 2]", "line 2: a budget is a table"),
            (
                "[[budget]]\nper = \"day\"\nhard = 1\n[[budget]]\nper = \"day\"\nhard = 2",
                "line 4: there are two budgets per day",
            ),
            ("[[budget]]\nper = run", "line 2: "),
        ] {
            let e = error(text);
            assert!(e.starts_with(said), "{text}\n{e}");
        }
        assert!(error(&"#".repeat(BUDGETS_BYTES + 1)).contains("longer than"));
        // Deep nesting is an error, not the end of the stack.
        assert!(!error(&format!("budget = {}", "[".repeat(BUDGETS_BYTES / 2))).is_empty());
    }

    #[test]
    fn toml_there_and_back() {
        let text = "budget = [{ per = 'agent', name = \"a \\\"b\\\"\\\\\\n\\u007F\\u0085ü\", every = 'day', soft = 0.25 },\n\
                    { per = 'agent', hard = '7' }, { per = 'run', soft = 1, hard = 1 }]";
        let budgets = Budgets::parse(text).unwrap();
        assert_eq!(budgets.len(), 3);
        assert_eq!(Budgets::parse(&budgets.to_toml()), Ok(budgets.clone()), "{}", budgets.to_toml());
        let keys: Vec<String> = budgets.iter().map(|b| b.key.to_string()).collect();
        assert_eq!(keys[..2], ["run", "agent"]);
        assert!(keys[2].ends_with(" every day"));
        let mut fewer = budgets.clone();
        assert!(fewer.remove(&budgets.iter().next().unwrap().key));
        assert!(!fewer.remove(&budgets.iter().next().unwrap().key));
        assert_eq!(fewer.len(), 2);
        assert_eq!(Budgets::parse(""), Ok(Budgets::default()));
    }
}
