//! Which runs are compared: `last 7 days`, `version v2`, or any condition on `agent_runs`.

use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampNanosecondType};
use datafusion::common::{DataFusionError, Result, ScalarValue, plan_err};

use crate::catalog::Database;
use crate::statement;

const HOUR_NS: i64 = 3_600 * 1_000_000_000;

/// Words that name a column, and what it is.
const NAMED: [(&str, &str); 7] = [
    ("agent", "agent_name"),
    ("version", "agent_version"),
    ("environment", "environment"),
    ("workflow", "workflow_name"),
    ("service", "service_name"),
    ("user", "user_id"),
    ("session", "session_id"),
];

/// What a cohort may be, for those who wrote something else.
pub(super) const FORMS: &str = "'last 7 days', 'previous 28 days', 'since 2026-01-15', 'before 2026-01-15', \
    '2026-01-01..2026-01-15', 'version v2', 'model gpt-5', 'prompt 3', 'environment staging', 'file old', or a condition \
    on the columns of agent_runs";

/// A set of runs.
#[derive(Debug, Clone)]
pub(super) struct Cohort {
    /// The database, where another one than the function's is named.
    pub(super) file: Option<Arc<Database>>,
    pub(super) rule: Rule,
}

/// Which runs of the database belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    All,
    /// All that are not on the other side.
    Others,
    /// Runs that started so long before the newest one or later.
    Last(i64),
    /// As long before the first moment of the other side.
    Previous(i64),
    /// From a moment until before another.
    Between(Option<i64>, Option<i64>),
    /// A condition in SQL.
    Condition(String),
}

impl Cohort {
    pub(super) fn of(rule: Rule) -> Self {
        Cohort { file: None, rule }
    }

    /// What an argument says. `parameter` is its name, for errors.
    pub(super) fn parse(text: &str, parameter: &str, files: &[(String, Arc<Database>)]) -> Result<Self> {
        let text = text.trim();
        if let Some(rest) = word(text, "file") {
            let (alias, rest) = rest.split_once(':').map_or((rest, ""), |(alias, rest)| (alias.trim(), rest.trim()));
            let Some((_, database)) = files.iter().find(|(name, _)| name == alias) else {
                let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
                return plan_err!("{parameter}: no file is attached as {alias}; there are {}", names.join(", "));
            };
            let rule = if rest.is_empty() { Rule::All } else { rule(rest, parameter)? };
            return Ok(Cohort { file: Some(Arc::clone(database)), rule });
        }
        Ok(Cohort::of(rule(text, parameter)?))
    }
}

fn word<'t>(text: &'t str, first: &str) -> Option<&'t str> {
    let (word, rest) = text.split_once(char::is_whitespace)?;
    word.eq_ignore_ascii_case(first).then(|| rest.trim())
}

fn rule(text: &str, parameter: &str) -> Result<Rule> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(Rule::All);
    }
    if let Some(span) = word(text, "last").and_then(duration) {
        return Ok(Rule::Last(span));
    }
    if let Some(span) = word(text, "previous").and_then(duration) {
        return Ok(Rule::Previous(span));
    }
    if let Some(from) = word(text, "since") {
        return Ok(Rule::Between(Some(moment(from, parameter)?), None));
    }
    if let Some(until) = word(text, "before") {
        return Ok(Rule::Between(None, Some(moment(until, parameter)?)));
    }
    if let Some((from, until)) =
        text.split_once("..").filter(|(from, _)| from.starts_with(|c: char| c.is_ascii_digit()))
    {
        let (from, until) = (moment(from, parameter)?, moment(until, parameter)?);
        if from >= until {
            return plan_err!("{parameter}: {text} has no time in it; the second moment is not part of it");
        }
        return Ok(Rule::Between(Some(from), Some(until)));
    }
    if let Some(condition) = named(text) {
        return Ok(Rule::Condition(condition));
    }
    match statement::check_expression(text) {
        Ok(()) => Ok(Rule::Condition(text.to_owned())),
        Err(e) => plan_err!("{parameter} is no cohort: {e}; expected {FORMS}"),
    }
}

/// `7 days` in nanoseconds; one where no number is given.
fn duration(text: &str) -> Option<i64> {
    let (number, unit) = text.split_once(char::is_whitespace).unwrap_or(("1", text));
    let unit = match unit.trim().to_lowercase().trim_end_matches('s') {
        "hour" => HOUR_NS,
        "day" => 24 * HOUR_NS,
        "week" => 7 * 24 * HOUR_NS,
        _ => return None,
    };
    number.parse::<i64>().ok().filter(|n| *n > 0)?.checked_mul(unit)
}

/// A date or time as nanoseconds since 1970, UTC.
fn moment(text: &str, parameter: &str) -> Result<i64> {
    let text = text.trim().trim_matches('\'');
    let time = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let parsed = ScalarValue::from(text).to_array().and_then(|array| Ok(cast(&array, &time)?));
    match parsed {
        Ok(array) if !array.is_empty() && array.null_count() == 0 => {
            Ok(array.as_primitive::<TimestampNanosecondType>().value(0))
        }
        _ => plan_err!("{parameter}: {text} is no date; write it as 2026-01-15 or 2026-01-15T08:00:00Z"),
    }
}

/// `version v2` and its like as a condition.
fn named(text: &str) -> Option<String> {
    let (word, value) = text.split_once(char::is_whitespace)?;
    let value = value.trim();
    let quoted = |q: char| value.strip_prefix(q).and_then(|v| v.strip_suffix(q)).filter(|v| !v.is_empty());
    let value = match quoted('\'').map(|v| v.replace("\'\'", "\'")).or_else(|| quoted('"').map(str::to_owned)) {
        Some(quoted) => quoted,
        // Anything else is a condition that begins with a column.
        None if value.contains(|c: char| c.is_whitespace() || "=<>!();".contains(c)) => return None,
        None => value.to_owned(),
    };
    let quoted = format!("'{}'", value.replace('\'', "''"));
    let word = word.to_lowercase();
    match word.as_str() {
        "model" => Some(format!(
            "trace_id IN (SELECT trace_id FROM usage WHERE kind = 'llm' AND coalesce(response_model, request_model) = {quoted})"
        )),
        "prompt" => Some(format!("trace_id IN (SELECT trace_id FROM spans WHERE prompt_version = {quoted})")),
        word => NAMED.iter().find(|(name, _)| *name == word).map(|(_, column)| format!("{column} = {quoted}")),
    }
}

impl Rule {
    /// Whether it is about the time of the newest run.
    pub(super) fn asks_for_newest(&self) -> bool {
        matches!(self, Rule::Last(_))
    }

    /// From when until when the runs started; `None` for a rule that is not about time.
    fn window(&self, newest: i64) -> Option<(Option<i64>, Option<i64>)> {
        match self {
            // The newest run is in it.
            Rule::Last(span) => Some((Some(newest.saturating_sub(*span).saturating_add(1)), None)),
            Rule::Between(from, until) => Some((*from, *until)),
            _ => None,
        }
    }

    /// Whether no run can be in both: then none are looked for.
    pub(super) fn excludes(&self, other: &Rule) -> bool {
        matches!((self, other), (Rule::Previous(_), _) | (_, Rule::Previous(_)))
    }

    /// The condition in SQL, given the other side's rule and the start of the newest run. Of the runs that are left by the
    /// other side, all: those that it has are left out when they are read.
    pub(super) fn condition(&self, other: &Rule, newest: i64) -> Result<String> {
        let time = |(from, until): (Option<i64>, Option<i64>)| {
            let bounds = [
                from.map(|t| format!("CAST(start_time AS BIGINT) >= {t}")),
                until.map(|t| format!("CAST(start_time AS BIGINT) < {t}")),
            ];
            let bounds: Vec<String> = bounds.into_iter().flatten().collect();
            if bounds.is_empty() { "true".to_owned() } else { bounds.join(" AND ") }
        };
        Ok(match self {
            Rule::All | Rule::Others => "true".to_owned(),
            Rule::Condition(text) => format!("({text}\n)"),
            Rule::Previous(span) => match other.window(newest) {
                Some((Some(from), _)) => time((Some(from.saturating_sub(*span)), Some(from))),
                _ => return plan_err!("'previous' needs a current side that begins at a time, such as 'last 7 days'"),
            },
            Rule::Last(_) | Rule::Between(..) => time(self.window(newest).unwrap_or_default()),
        })
    }
}

/// What stands for an argument that is not given.
pub(super) fn defaults(base: Option<Cohort>, current: Option<Cohort>) -> Result<(Cohort, Cohort)> {
    const DAY_NS: i64 = 24 * HOUR_NS;
    Ok(match (base, current) {
        (Some(base), Some(current)) => (base, current),
        (None, None) => (Cohort::of(Rule::Previous(28 * DAY_NS)), Cohort::of(Rule::Last(7 * DAY_NS))),
        (None, Some(current)) => {
            let base = match (&current.file, &current.rule) {
                (Some(_), _) => Rule::All,
                (None, Rule::Last(_)) => Rule::Previous(28 * DAY_NS),
                (None, Rule::All) => {
                    return plan_err!("with all runs on the current side, none are left to compare with");
                }
                (None, _) => Rule::Others,
            };
            (Cohort::of(base), current)
        }
        (Some(base), None) => {
            let current = match (&base.file, &base.rule) {
                (Some(_), _) => Rule::All,
                (None, Rule::Previous(_)) => Rule::Last(7 * DAY_NS),
                (None, Rule::All) => {
                    return plan_err!("with all runs in the baseline, none are left to compare with it");
                }
                (None, _) => Rule::Others,
            };
            (base, Cohort::of(current))
        }
    })
}

/// An error of the store's statistics.
pub(super) fn stats_error(e: spanfile::stats::StatsError) -> DataFusionError {
    DataFusionError::External(Box::new(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * HOUR_NS;

    fn parsed(text: &str) -> Rule {
        Cohort::parse(text, "current", &[]).unwrap().rule
    }

    #[test]
    fn words_are_cohorts() {
        assert_eq!(parsed("last 7 days"), Rule::Last(7 * DAY));
        assert_eq!(parsed(" Last 1 week "), Rule::Last(7 * DAY));
        assert_eq!(parsed("previous 12 hours"), Rule::Previous(DAY / 2));
        assert_eq!(parsed("since 1970-01-02"), Rule::Between(Some(DAY), None));
        assert_eq!(parsed("1970-01-02..1970-01-02T12:00:00Z"), Rule::Between(Some(DAY), Some(DAY + DAY / 2)));
        assert_eq!(parsed("version v2"), Rule::Condition("agent_version = 'v2'".into()));
        assert_eq!(parsed("last week"), Rule::Last(7 * DAY));
        for quoted in ["version \"v2\"", "version 'v2'", "VERSION v2"] {
            assert_eq!(parsed(quoted), Rule::Condition("agent_version = 'v2'".into()));
        }
        for quoted in ["user o'neil", "user 'o''neil'"] {
            assert_eq!(parsed(quoted), Rule::Condition("user_id = 'o''neil'".into()));
        }
        assert_eq!(parsed("workflow 'two words'"), Rule::Condition("workflow_name = 'two words'".into()));
    }

    #[test]
    fn conditions_are_taken_as_they_are() {
        for text in ["agent_version = 'v2'", "cost_usd > 1 AND environment = 'x'", "steps IN (1, 2)", "version IS NULL"]
        {
            assert_eq!(parsed(text), Rule::Condition(text.into()));
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for (text, what) in [
            ("last 0 days", "no cohort"),
            ("last seven days", "no cohort"),
            ("since yesterday", "no date"),
            ("2026-02-01..2026-01-01", "no time in it"),
            ("2026-02-01..2026-02-01", "no time in it"),
            ("a = 1) OR (true", "no cohort"),
            ("file old", "no file is attached as old"),
            ("", "no cohort"),
        ] {
            let e = Cohort::parse(text, "current", &[]).unwrap_err().to_string();
            assert!(e.contains(what) && e.contains("current"), "{text}: {e}");
        }
    }

    #[test]
    fn windows_follow_the_newest_run() {
        let (base, current) = defaults(None, None).unwrap();
        let newest = 100 * DAY;
        let from = newest - 7 * DAY + 1;
        assert_eq!(
            current.rule.condition(&base.rule, newest).unwrap(),
            format!("CAST(start_time AS BIGINT) >= {from}")
        );
        let began = from - 28 * DAY;
        let expected = format!("CAST(start_time AS BIGINT) >= {began} AND CAST(start_time AS BIGINT) < {from}");
        assert_eq!(base.rule.condition(&current.rule, newest).unwrap(), expected);
        assert!(base.rule.condition(&Rule::All, newest).is_err());
    }
}
