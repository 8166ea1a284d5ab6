//! The steps of one run, with its loops as blocks.

use std::collections::{HashMap, HashSet};
use std::io::Write;

use spanfile_query::{Engine, Result};

use super::cells::{flags, ints, texts, usd};
use super::drawing::{Look, Paint, cut, decimals, dollars, folded, grouped, padded, printable, time};
use super::loops::names;
use super::output_error;
use super::show::run::resolve;

/// Periods at the begin of a loop that are drawn; those between them and the last one are counted.
const DRAWN: i64 = 2;
/// Steps around loops that are drawn, of longer stretches without any.
const AROUND: usize = 4;
/// Widest columns.
const AGENT: usize = 16;
const KIND: usize = 9;

struct Loop {
    number: i64,
    kind: String,
    severity: String,
    evidence: String,
    tokens: Option<i64>,
    usd: Option<i128>,
    complete: bool,
    ns: i64,
    /// The last repetition.
    last: i64,
}

/// A step, or a run of an agent that is part of a loop.
struct Item {
    at: (i64, i64),
    step: Option<i64>,
    kind: String,
    agent: String,
    what: String,
    failed: bool,
    tokens: Option<i64>,
    ns: Option<i64>,
    /// Loop and repetition.
    of: Option<(i64, i64)>,
}

/// Draws a run, named by the begin of its id; loops come from the table or from a function of the same columns.
pub(super) async fn show(engine: &Engine, run: &str, loops: &str, look: Look, out: &mut impl Write) -> Result<()> {
    let run = resolve(engine, run).await?;
    let mut found = loops_of(engine, &run, loops).await?;
    let spans = loops.replacen("loops", "loop_spans", 1);
    let mut members: HashMap<(i64, i64), (i64, i64)> = HashMap::new();
    let places: HashMap<i64, usize> = found.iter().enumerate().map(|(at, l)| (l.number, at)).collect();
    let sql = format!("SELECT loop_number, repetition, seq, call_index FROM {spans} WHERE trace_id = '{run}'");
    for b in engine.sql(&sql).await?.collect().await? {
        let [number, repetition, seq, call] = [0, 1, 2, 3].map(|i| ints(&b, b.schema().field(i).name()));
        for (((number, repetition), seq), call) in number?.into_iter().zip(repetition?).zip(seq?).zip(call?) {
            let (Some(number), Some(repetition), Some(seq)) = (number, repetition, seq) else { continue };
            // Another process may have written between this statement and the one before.
            if let Some(&at) = places.get(&number) {
                found[at].last = found[at].last.max(repetition);
                members.insert((seq, call.unwrap_or(-1)), (number, repetition));
            }
        }
    }
    let items = items(engine, &run, &members).await?;
    let mut text = heading(engine, &run, look).await?;
    if found.is_empty() {
        text += "No loops.\n";
    }
    text += &draw(&items, &found, look);
    write!(out, "{text}").map_err(output_error)
}

async fn heading(engine: &Engine, run: &str, look: Look) -> Result<String> {
    let sql = format!(
        "SELECT agents, outcome, steps, total_tokens, duration_ns, cost_usd FROM cost_per_run WHERE trace_id = '{run}'"
    );
    let mut text = format!("run {run}");
    for b in engine.sql(&sql).await?.collect().await?.into_iter().filter(|b| b.num_rows() > 0) {
        let agents = texts(&b, "agents")?.remove(0).map(|a| names(&a));
        let mut parts: Vec<String> = agents.into_iter().chain(texts(&b, "outcome")?.remove(0)).collect();
        parts.extend(ints(&b, "steps")?[0].map(|n| format!("{} steps", grouped(n))));
        parts.extend(ints(&b, "total_tokens")?[0].map(|n| format!("{} tokens", grouped(n))));
        parts.extend(usd(&b, "cost_usd")?[0].map(|u| dollars(u, decimals([u].into_iter()), false)));
        parts.extend(ints(&b, "duration_ns")?[0].map(time));
        text += &format!(": {}", parts.join(", "));
    }
    Ok(look.paint(Paint::Total, &folded(&text, look.width, 2)))
}

async fn loops_of(engine: &Engine, run: &str, loops: &str) -> Result<Vec<Loop>> {
    let sql = format!(
        "SELECT loop_number, kind, severity, evidence, wasted_tokens, wasted_cost_usd, cost_complete, wasted_ns \
         FROM {loops} WHERE trace_id = '{run}' ORDER BY loop_number"
    );
    let mut found = Vec::new();
    for b in engine.sql(&sql).await?.collect().await? {
        let (numbers, ns, tokens) = (ints(&b, "loop_number")?, ints(&b, "wasted_ns")?, ints(&b, "wasted_tokens")?);
        let [kinds, severities, evidence] = ["kind", "severity", "evidence"].map(|c| texts(&b, c));
        let (mut kinds, mut severities, mut evidence) = (kinds?, severities?, evidence?);
        let (usd, complete) = (usd(&b, "wasted_cost_usd")?, flags(&b, "cost_complete")?);
        for i in 0..b.num_rows() {
            found.push(Loop {
                number: numbers[i].unwrap_or(0),
                kind: kinds[i].take().unwrap_or_default(),
                severity: severities[i].take().unwrap_or_default(),
                evidence: printable(&evidence[i].take().unwrap_or_default()),
                tokens: tokens[i],
                usd: usd[i],
                complete: complete[i].unwrap_or(false),
                ns: ns[i].unwrap_or(0),
                last: 0,
            });
        }
    }
    Ok(found)
}

async fn items(engine: &Engine, run: &str, members: &HashMap<(i64, i64), (i64, i64)>) -> Result<Vec<Item>> {
    let sql = format!(
        "SELECT seq, -1 AS call, step, kind, coalesce(run_agent, '') AS agent, \
         CASE kind WHEN 'llm' THEN coalesce(response_model, request_model, name) \
         WHEN 'handoff' THEN concat('to ', coalesce(handoff_target, name)) WHEN 'agent' THEN name \
         ELSE concat(coalesce(tool_name, name), ' ', substr(coalesce(tool_args, input, ''), 1, 200)) END AS what, failed, \
         CASE WHEN usage_counted THEN total_tokens END AS tokens, duration_ns AS ns \
         FROM spans WHERE trace_id = '{run}' AND (step IS NOT NULL OR kind = 'agent') \
         UNION ALL SELECT s.seq, c.call_index AS call, c.step, 'tool' AS kind, coalesce(c.agent_name, '') AS agent, \
         concat(c.tool_name, ' ', substr(coalesce(c.tool_args, ''), 1, 200)) AS what, false AS failed, NULL AS tokens, \
         NULL AS ns FROM synthetic_calls AS c JOIN (SELECT seq, span_id FROM spans WHERE trace_id = '{run}') AS s \
         ON s.span_id = c.span_id WHERE c.trace_id = '{run}' ORDER BY seq, call"
    );
    let mut items = Vec::new();
    for b in engine.sql(&sql).await?.collect().await? {
        let (seq, call, step) = (ints(&b, "seq")?, ints(&b, "call")?, ints(&b, "step")?);
        let (kind, agent, what) = (texts(&b, "kind")?, texts(&b, "agent")?, texts(&b, "what")?);
        let (failed, tokens, ns) = (flags(&b, "failed")?, ints(&b, "tokens")?, ints(&b, "ns")?);
        for i in 0..b.num_rows() {
            let at = (seq[i].unwrap_or(0), call[i].unwrap_or(-1));
            let of = members.get(&at).copied();
            if step[i].is_none() && of.is_none() {
                continue;
            }
            let text = |t: &Option<String>| printable(t.as_deref().unwrap_or_default());
            items.push(Item {
                at,
                step: step[i],
                kind: text(&kind[i]),
                agent: text(&agent[i]),
                what: text(&what[i]),
                failed: failed[i].unwrap_or(false),
                tokens: tokens[i],
                ns: ns[i],
                of,
            });
        }
    }
    Ok(items)
}

fn draw(items: &[Item], loops: &[Loop], look: Look) -> String {
    // Where each loop lies in the list, and in which column its line is drawn.
    let mut ends: HashMap<i64, (usize, usize)> = HashMap::new();
    for (i, item) in items.iter().enumerate() {
        if let Some((number, _)) = item.of {
            ends.entry(number).or_insert((i, i)).1 = i;
        }
    }
    let by_number: HashMap<i64, &Loop> = loops.iter().map(|l| (l.number, l)).collect();
    // First and last of the loops of each lane, in order.
    let mut lanes: Vec<Vec<(usize, usize)>> = Vec::new();
    let mut lane_of: HashMap<i64, usize> = HashMap::new();
    for l in loops {
        let Some(&(first, last)) = ends.get(&l.number) else { continue };
        let free = |lane: &Vec<(usize, usize)>| lane.last().is_none_or(|(_, end)| *end < first);
        let lane = lanes.iter().position(free).unwrap_or(lanes.len());
        if lane == lanes.len() {
            lanes.push(Vec::new());
        }
        lanes[lane].push((first, last));
        lane_of.insert(l.number, lane);
    }
    let gutter = |i: usize, own: Option<(i64, char)>| -> String {
        let goes_on = |lane: &Vec<(usize, usize)>| {
            let begun = lane.partition_point(|(first, _)| *first <= i);
            begun > 0 && lane[begun - 1].1 >= i
        };
        let mut marks: Vec<char> = lanes.iter().map(|lane| if goes_on(lane) { '┊' } else { ' ' }).collect();
        if let Some((number, mark)) = own {
            marks[lane_of[&number]] = mark;
        }
        marks.into_iter().collect()
    };
    let agents = items.iter().map(|i| i.agent.chars().count()).max().unwrap_or(0).min(AGENT);
    let hidden = hidden(items, &by_number);
    let mut counted = HashSet::new();
    let mut out = String::new();
    let mut i = 0;
    while i < items.len() {
        let item = &items[i];
        let number = item.of.map(|(number, _)| number);
        let own = number.and_then(|number| by_number.get(&number)).copied();
        if hidden[i] {
            let until = (i..items.len()).find(|&n| !hidden[n] || items[n].of.map(|o| o.0) != number);
            let until = until.unwrap_or(items.len());
            // Said once, also where steps of others lie between.
            let again = !counted.insert(number) && number.is_some();
            let text = match own {
                Some(_) if again => "…".to_owned(),
                Some(l) => format!("… {} more times", grouped(l.last - DRAWN - 1)),
                None => format!("… {} more steps", grouped((until - i) as i64)),
            };
            let tokens: i64 = items[i..until].iter().filter_map(|item| item.tokens).sum();
            let tokens = if tokens > 0 { format!(", {} tokens", grouped(tokens)) } else { String::new() };
            let steps = items[i..until].iter().filter_map(|item| item.step);
            let span = steps.clone().min().zip(steps.max()).map(|(a, b)| match a == b {
                true => format!(", step {a}"),
                false => format!(", steps {a} to {b}"),
            });
            let line = format!("{text}{}{tokens}", span.unwrap_or_default()).replace("…, ", "… ");
            out += &format!("{} {}\n", gutter(i, number.map(|n| (n, '┆'))), look.paint(Paint::Heading, &line));
            i = until;
            continue;
        }
        let paint = own.map(|l| match &*l.severity {
            "high" => Paint::Bad,
            "warning" => Paint::Doubtful,
            _ => Paint::Heading,
        });
        if let Some((l, paint)) = own.zip(paint).filter(|(l, _)| ends[&l.number].0 == i) {
            let text = format!("loop {}, {}, {}: {}", l.number, l.kind, l.severity, l.evidence);
            for (n, line) in folded(&text, look.width.saturating_sub(lanes.len() + 1), 2).lines().enumerate() {
                let mark = if n == 0 { '┌' } else { '│' };
                out += &format!("{} {}\n", gutter(i, Some((l.number, mark))), look.paint(paint, line));
            }
        }
        let begins = i == 0 || items[i - 1].of != item.of;
        let mark = match (item.of, begins) {
            (Some((number, _)), true) => Some((number, '├')),
            (Some((number, _)), false) => Some((number, '│')),
            (None, _) => None,
        };
        let step = item.step.map(|s| s.to_string()).unwrap_or_default();
        let mut end = String::new();
        if let Some(tokens) = item.tokens {
            end += &format!("  {} tokens", grouped(tokens));
        }
        if let Some(ns) = item.ns {
            end += &format!("  {}", time(ns));
        }
        let failed = if item.failed { "  failed" } else { "" };
        let begin = format!("{step:>5}  {:<KIND$} {}  ", item.kind, padded(&cut(&item.agent, agents), agents, false));
        let room =
            look.width.saturating_sub(lanes.len() + 1 + begin.chars().count() + end.chars().count() + failed.len());
        let what = cut(item.what.trim_end(), room.max(12));
        out += &format!("{} {begin}{what}{end}{}\n", gutter(i, mark), look.paint(Paint::Bad, failed));
        if let Some((l, paint)) = own.zip(paint).filter(|(l, _)| ends[&l.number].1 == i) {
            out += &format!("{} {}\n", gutter(i, Some((l.number, '└'))), look.paint(paint, &waste(l)));
        }
        i += 1;
    }
    debug_assert!(items.is_sorted_by_key(|item| item.at));
    out
}

fn waste(l: &Loop) -> String {
    if l.kind == "polling" {
        return "no waste: each answer was another".to_owned();
    }
    let mut parts: Vec<String> = l.tokens.map(|n| format!("{} tokens", grouped(n))).into_iter().collect();
    let at_least = if l.complete { "" } else { "at least " };
    parts.extend(l.usd.map(|u| format!("{at_least}{}", dollars(u, decimals([u].into_iter()), false))));
    parts.push(time(l.ns));
    format!("wasted {}", parts.join(", "))
}

/// What is counted, not drawn: periods in the middle of loops, and steps far from any.
fn hidden(items: &[Item], loops: &HashMap<i64, &Loop>) -> Vec<bool> {
    let mut hidden: Vec<bool> = items
        .iter()
        .map(|item| {
            let Some((number, repetition)) = item.of else { return false };
            let last = loops.get(&number).map_or(0, |l| l.last);
            // A single period is drawn rather than counted.
            last > DRAWN + 2 && repetition > DRAWN && repetition < last
        })
        .collect();
    let mut start = 0;
    while start < items.len() {
        let end = (start..items.len()).find(|&i| items[i].of.is_some()).unwrap_or(items.len());
        if end - start > 3 * AROUND {
            hidden[start + AROUND..end - AROUND].fill(true);
        }
        start = (end..items.len()).find(|&i| items[i].of.is_none()).unwrap_or(items.len());
    }
    hidden
}
