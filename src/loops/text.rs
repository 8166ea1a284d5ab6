//! Settings by name, and as TOML.

use std::collections::BTreeSet;
use std::ops::Range;

use toml_edit::{Document, Item, TableLike, Value};

use super::{LoopKind, Settings};

/// Names of the settings, as they stand in TOML and in `loops(name => value)`.
pub const SETTINGS: [&str; 20] = [
    "min_repeats",
    "max_period",
    "compare_results",
    "exact_repeats",
    "retries",
    "cycle_periods",
    "handoff_periods",
    "monologue_turns",
    "simhash_bits",
    "stagnation_calls",
    "stagnation_result_bytes",
    "scattered_near",
    "scattered_window",
    "scattered_far",
    "near_repeats",
    "near_argument_likeness",
    "near_output_likeness",
    "polls",
    "ignored_keys",
    "allow",
];

/// A value of a setting.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingValue {
    /// A count or a share.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    Texts(Vec<String>),
}

/// Why settings cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", line.map(|n| format!("line {n}: ")).unwrap_or_default())]
pub struct SettingsError {
    /// Line of the text, from 1; `None` when no text is at fault.
    pub line: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

impl Settings {
    /// Changes one of [`SETTINGS`]. `min_repeats` stands for several: see [`Settings::with_min_repeats`].
    ///
    /// ```
    /// use spanfile::loops::{SettingValue, Settings};
    /// let mut settings = Settings::default();
    /// settings.set("max_period", &SettingValue::Number(32.0)).unwrap();
    /// settings.set("allow", &SettingValue::Texts(vec!["get_status:polling".into()])).unwrap();
    /// let wrong = settings.set("exact_repeats", &SettingValue::Number(1.0)).unwrap_err();
    /// assert_eq!(wrong, "exact_repeats is a whole number from 2 to 1000000, not 1");
    /// ```
    ///
    /// # Errors
    /// When there is no such setting, or the value is none that it can have.
    pub fn set(&mut self, name: &str, value: &SettingValue) -> Result<(), String> {
        let count = |most: usize, least: usize| match value {
            SettingValue::Number(n) if n.fract() == 0.0 && (least as f64..=most as f64).contains(n) => Ok(*n as usize),
            other => Err(format!("{name} is a whole number from {least} to {most}, not {}", shown(other))),
        };
        let times = || count(1_000_000, 2);
        let share = || match value {
            SettingValue::Number(n) if (0.0..=1.0).contains(n) => Ok(*n),
            other => Err(format!("{name} is a number from 0 to 1, not {}", shown(other))),
        };
        let texts = || match value {
            SettingValue::Texts(texts) => Ok(texts),
            other => Err(format!("{name} is a list of texts, not {}", shown(other))),
        };
        match name {
            "min_repeats" => *self = self.clone().with_min_repeats(times()?),
            "max_period" => self.max_period = count(4096, 1)?,
            "compare_results" => match value {
                SettingValue::Flag(yes) => self.compare_results = *yes,
                other => return Err(format!("{name} is true or false, not {}", shown(other))),
            },
            "exact_repeats" => self.exact_repeats = times()?,
            "retries" => self.retries = times()?,
            "cycle_periods" => self.cycle_periods = times()?,
            "handoff_periods" => self.handoff_periods = times()?,
            "monologue_turns" => self.monologue_turns = times()?,
            "simhash_bits" => self.simhash_bits = count(64, 0)? as u32,
            "stagnation_calls" => self.stagnation_calls = times()?,
            "stagnation_result_bytes" => self.stagnation_result_bytes = count(1_000_000_000, 0)? as u64,
            "scattered_near" => self.scattered_near = times()?,
            "scattered_window" => self.scattered_window = count(4096, 2)?,
            "scattered_far" => self.scattered_far = times()?,
            "near_repeats" => self.near_repeats = times()?,
            "near_argument_likeness" => self.near_argument_likeness = share()?,
            "near_output_likeness" => self.near_output_likeness = share()?,
            "polls" => self.polls = times()?,
            "ignored_keys" => self.ignored_keys = texts()?.iter().cloned().collect(),
            "allow" => texts()?.iter().try_for_each(|text| self.allow_text(text))?,
            other => return Err(format!("there is no setting {other}; there are {}", SETTINGS.join(", "))),
        }
        Ok(())
    }

    /// A tool that may do anything, or `tool:kind`.
    fn allow_text(&mut self, text: &str) -> Result<(), String> {
        match text.rsplit_once(':') {
            Some((tool, kind)) => {
                let kind = kind_of(kind.trim())?;
                // Whoever may do all may do this too.
                let kinds = self.allow.get(tool.trim());
                if kinds.is_none_or(|k| !k.is_empty()) {
                    self.allow.entry(tool.trim().to_owned()).or_default().insert(kind);
                }
            }
            None => drop(self.allow.insert(text.trim().to_owned(), BTreeSet::new())),
        }
        Ok(())
    }

    /// Reads settings from TOML: the names of [`SETTINGS`] but `allow`, and a table for each tool that is different.
    ///
    /// ```
    /// # use spanfile::loops::Settings;
    /// let settings = Settings::parse(
    ///     r#"
    ///     exact_repeats = 5
    ///     ignored_keys = ["request_id"]
    ///
    ///     [tools.get_status]
    ///     allow = ["polling", "exact_repeat"]    # or "all"
    ///
    ///     [tools.write_file]
    ///     acknowledgements = ["The file was written, and the editor was told."]
    ///     "#,
    /// )
    /// .unwrap();
    /// assert_eq!(settings.exact_repeats, 5);
    /// assert_eq!(Settings::parse("polls = 0").unwrap_err().to_string(), "line 1: polls is a whole number from 2 to 1000000, not 0");
    /// ```
    ///
    /// # Errors
    /// The first thing that is wrong, with its line. Unknown names are wrong.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let source = Source(text);
        let document = Document::parse(text).map_err(|e| source.error(e.span(), e.message()))?;
        let mut settings = Settings::default();
        // One for several must not undo what is said of each.
        let (whole, parts): (Vec<_>, Vec<_>) = document.as_table().iter().partition(|(key, _)| *key == "min_repeats");
        for (key, item) in whole.into_iter().chain(parts) {
            match (key, item.as_table_like()) {
                ("tools", Some(tools)) => {
                    for (tool, item) in tools.iter() {
                        let table = item.as_table_like();
                        let table = table.ok_or_else(|| source.error(item.span(), "a tool is a table [tools.NAME]"))?;
                        settings.tool(&source, tool, table)?;
                    }
                }
                ("allow", _) => return Err(source.error(item.span(), "allow belongs to a tool: [tools.NAME]")),
                _ => {
                    let value = source.value(key, item)?;
                    settings.set(key, &value).map_err(|reason| source.error(item.span(), reason))?;
                }
            }
        }
        Ok(settings)
    }

    fn tool(&mut self, source: &Source<'_>, tool: &str, table: &dyn TableLike) -> Result<(), SettingsError> {
        for (key, item) in table.iter() {
            match key {
                "allow" if item.as_str() == Some("all") => drop(self.allow.insert(tool.to_owned(), BTreeSet::new())),
                "allow" => {
                    for kind in source.texts(key, item)? {
                        let kind = kind_of(&kind).map_err(|reason| source.error(item.span(), reason))?;
                        self.allow.entry(tool.to_owned()).or_default().insert(kind);
                    }
                }
                "acknowledgements" => {
                    let texts = source.texts(key, item)?.into_iter().map(|text| (tool.to_owned(), text));
                    self.acknowledgement_texts.extend(texts);
                }
                other => {
                    let reason = format!("unknown key {other:?}; a tool has allow and acknowledgements");
                    return Err(source.error(item.span(), reason));
                }
            }
        }
        Ok(())
    }
}

fn kind_of(name: &str) -> Result<LoopKind, String> {
    let known = || LoopKind::ALL.map(LoopKind::as_str).join(", ");
    LoopKind::of_name(name).ok_or_else(|| format!("{name:?} is no kind of loop; there are {}", known()))
}

fn shown(value: &SettingValue) -> String {
    match value {
        SettingValue::Number(n) => n.to_string(),
        SettingValue::Flag(b) => b.to_string(),
        SettingValue::Texts(texts) => format!("{texts:?}"),
    }
}

/// A text and what is wrong in it.
struct Source<'a>(&'a str);

impl Source<'_> {
    fn error(&self, span: Option<Range<usize>>, reason: impl Into<String>) -> SettingsError {
        let before = span.and_then(|s| self.0.as_bytes().get(..s.start));
        let line = before.map(|b| 1 + b.iter().filter(|&&c| c == b'\n').count() as u64);
        SettingsError { line, reason: reason.into() }
    }

    fn value(&self, key: &str, item: &Item) -> Result<SettingValue, SettingsError> {
        Ok(match item {
            Item::Value(Value::Integer(n)) => SettingValue::Number(*n.value() as f64),
            Item::Value(Value::Float(n)) => SettingValue::Number(*n.value()),
            Item::Value(Value::Boolean(b)) => SettingValue::Flag(*b.value()),
            _ => SettingValue::Texts(self.texts(key, item)?),
        })
    }

    fn texts(&self, key: &str, item: &Item) -> Result<Vec<String>, SettingsError> {
        let wrong = || self.error(item.span(), format!("{key} is a list of texts, as in [\"a\", \"b\"]"));
        let list = item.as_array().ok_or_else(wrong)?;
        list.iter().map(|v| v.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
    }
}
