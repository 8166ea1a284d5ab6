//! What is said of a run before its spans.

use std::collections::HashMap;

use super::super::drawing::{Look, Paint, cut, decimals, dollars, folded, grouped, printable, time};
use super::run::Run;

/// Widest list of agents.
const AGENTS: usize = 80;

/// How many kinds of work the critical path is divided into.
const SHARES: usize = 4;
/// A space where no line ends.
const TOGETHER: char = '\u{a0}';

/// The run in a line or two: who, how it ended, what it took.
pub(in super::super) fn heading(run: &Run, look: Look) -> String {
    let mut parts: Vec<String> = Vec::new();
    match run.agents.is_empty() {
        true => parts.extend(run.workflow.as_ref().or(run.name.as_ref()).map(|n| printable(n))),
        false => parts.push(cut(&printable(&run.agents.join(", ")), AGENTS)),
    }
    parts.extend(run.outcome.clone());
    parts.extend(run.duration_ns.map(time));
    parts.extend(run.steps.map(|n| count(n, "step")));
    parts.extend(run.total_tokens.map(|n| count(n, "token")));
    parts.extend(cost(run));
    parts.extend(run.errors.filter(|n| *n > 0).map(|n| count(n, "error")));
    look.paint(Paint::Total, &folded(&format!("run {}: {}", run.id, parts.join(", ")), look.width, 2))
}

/// What is good to know beside it, and why it failed.
pub(super) fn details(run: &Run, look: Look) -> String {
    let mut parts: Vec<String> = Vec::new();
    // To the second; what is below that does not help to find the run elsewhere.
    parts.extend(run.started_at.as_deref().map(|t| format!("{} UTC", t.get(..19).unwrap_or(t).replace('T', " "))));
    let named = [
        (
            "workflow ",
            &run.workflow
                .clone()
                .filter(|w| !run.agents.is_empty() && !run.agents.contains(w) && run.name.as_ref() != Some(w)),
        ),
        ("session ", &run.session_id),
        ("user ", &run.user_id),
        ("service ", &run.service),
        ("", &run.environment),
    ];
    for (what, name) in named {
        parts.extend(name.as_ref().map(|n| format!("{what}{}", printable(n))));
    }
    parts.extend(run.llm_calls.filter(|n| *n > 0).map(|n| count(n, "LLM call")));
    parts.extend(run.tool_calls.filter(|n| *n > 0).map(|n| count(n, "tool call")));
    let mut text = look.paint(Paint::Heading, &folded(&parts.join(", "), look.width, 2));
    if let Some(path) = critical(run) {
        text += &look.paint(Paint::Heading, &folded(&path, look.width, 2).replace(TOGETHER, " "));
    }
    let why = [&run.error_type, &run.error_message].into_iter().flatten().map(|t| printable(t)).collect::<Vec<_>>();
    if run.outcome.as_deref() != Some("completed") && !why.is_empty() {
        text += &look.paint(Paint::Bad, &cut(&format!("✗ {}", why.join(": ")), look.width));
        text.push('\n');
    }
    text
}

/// What the run cost, or at least.
pub(in super::super) fn cost(run: &Run) -> Option<String> {
    let digits = |usd: i128| decimals([usd].into_iter());
    match (run.cost_usd, run.cost_complete) {
        (Some(usd), true) => Some(dollars(usd, digits(usd), false)),
        (Some(usd), false) => Some(format!(
            "at least {} ({} without a price)",
            dollars(usd, digits(usd), true),
            count(run.unpriced, "call")
        )),
        (None, false) => Some(format!("cost unknown ({} without a price)", count(run.unpriced, "call"))),
        (None, true) => None,
    }
}

/// What the run waited for, the most first.
fn critical(run: &Run) -> Option<String> {
    let mut shares: HashMap<&str, i64> = HashMap::new();
    for s in &run.spans {
        *shares.entry(s.kind.as_str()).or_default() += s.critical_ns.unwrap_or(0);
    }
    let all: i64 = shares.values().sum();
    let mut shares: Vec<(&str, i64)> = shares.into_iter().filter(|(_, ns)| *ns > 0).collect();
    shares.sort_by_key(|(kind, ns)| (std::cmp::Reverse(*ns), *kind));
    let said = |(kind, ns): &(&str, i64)| {
        let percent = (i128::from(*ns) * 1000 / i128::from(all) + 5) / 10;
        let percent = if percent == 0 { "<1".to_owned() } else { percent.to_string() };
        format!("{kind} {percent}{TOGETHER}%")
    };
    let said: Vec<String> = shares.iter().take(SHARES).map(said).collect();
    (!said.is_empty()).then(|| format!("critical path (*), which decides when the run ends: {}", said.join(", ")))
}

pub(in super::super) fn count(n: i64, one: &str) -> String {
    format!("{} {one}{}", grouped(n), if n == 1 { "" } else { "s" })
}
