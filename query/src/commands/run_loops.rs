//! The steps of one run, with its loops as blocks.

use std::collections::{HashMap, HashSet};
use std::io::Write;

use spanfile_query::{Engine, Result};

use super::drawing::{Look, Paint, cut, grouped, padded, printable, time};
use super::loop_blocks::{DRAWN, Gutter, paint, title, waste};
use super::output_error;
use super::show::heading;
use super::show::run::{Run, RunLoop, RunSpan, Texts, load, resolve};

/// Steps around loops that are drawn, of longer stretches without any.
const AROUND: usize = 4;
/// Widest columns.
const AGENT: usize = 16;
const KIND: usize = 9;
/// How much of a call's arguments is looked at.
const ARGUMENTS: usize = 200;

/// A step, or a run of an agent that is part of a loop.
struct Item<'a> {
    span: &'a RunSpan,
    agent: String,
    what: String,
    /// Loop and repetition.
    of: Option<(i64, i64)>,
}

impl<'a> Item<'a> {
    fn of(span: &'a RunSpan) -> Item<'a> {
        let what = match span.kind.as_str() {
            "llm" | "agent" => span.title().to_owned(),
            "handoff" => format!("to {}", span.title()),
            _ => {
                let arguments = span.tool_args.as_deref().unwrap_or_default().chars().take(ARGUMENTS);
                format!("{} {}", span.tool.as_deref().unwrap_or(&span.name), arguments.collect::<String>())
            }
        };
        Item {
            span,
            agent: printable(span.agent.as_deref().unwrap_or_default()),
            what: printable(&what),
            of: span.loop_of,
        }
    }
}

/// Draws a run, named by the begin of its id; loops come from the table or from a function of the same columns.
pub(super) async fn show(engine: &Engine, run: &str, loops: &str, look: Look, out: &mut impl Write) -> Result<()> {
    let id = resolve(engine, run).await?;
    let run = load(engine, &id, Texts::Arguments, loops).await?;
    let mut text = heading(&run, look);
    if run.loops.is_empty() {
        text += "No loops.\n";
    }
    text += &draw(&items(&run), &run.loops, look);
    write!(out, "{text}").map_err(output_error)
}

/// Steps and agents' runs in order of their start.
fn items(run: &Run) -> Vec<Item<'_>> {
    let wanted = |s: &&RunSpan| s.step.is_some() || s.kind == "agent" && s.loop_of.is_some();
    let mut spans: Vec<&RunSpan> = run.spans.iter().filter(wanted).collect();
    spans.sort_by_key(|s| (s.seq, s.call));
    spans.into_iter().map(Item::of).collect()
}

fn draw(items: &[Item<'_>], loops: &[RunLoop], look: Look) -> String {
    let by_number: HashMap<i64, &RunLoop> = loops.iter().map(|l| (l.number, l)).collect();
    let gutter = Gutter::new(items.iter().map(|item| item.of.map(|(number, _)| number)), loops);
    let agents = items.iter().map(|i| i.agent.chars().count()).max().unwrap_or(0).min(AGENT);
    let hidden = hidden(items, &by_number);
    let mut counted = HashSet::new();
    let mut out = String::new();
    let mut i = 0;
    while i < items.len() {
        let item = &items[i];
        let number = item.of.map(|(number, _)| number);
        let own = number.and_then(|number| by_number.get(&number)).copied();
        let beside = |mark: char| gutter.marks(i, own.map(|l| (l.number, mark)));
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
            let tokens: i64 = items[i..until].iter().filter_map(|item| item.span.total_tokens).sum();
            let tokens = if tokens > 0 { format!(", {} tokens", grouped(tokens)) } else { String::new() };
            let steps = items[i..until].iter().filter_map(|item| item.span.step);
            let span = steps.clone().min().zip(steps.max()).map(|(a, b)| match a == b {
                true => format!(", step {a}"),
                false => format!(", steps {a} to {b}"),
            });
            let line = format!("{text}{}{tokens}", span.unwrap_or_default()).replace("…, ", "… ");
            out += &format!("{}{}\n", beside('┆'), look.paint(Paint::Heading, &line));
            i = until;
            continue;
        }
        if let Some(l) = own.filter(|l| gutter.begins(l.number, i)) {
            for (n, line) in title(l, look.width.saturating_sub(gutter.width())).lines().enumerate() {
                out += &format!("{}{}\n", beside(if n == 0 { '┌' } else { '│' }), look.paint(paint(l), line));
            }
        }
        let begins = i == 0 || items[i - 1].of != item.of;
        let step = item.span.step.map(|s| s.to_string()).unwrap_or_default();
        let mut end = String::new();
        if let Some(tokens) = item.span.total_tokens {
            end += &format!("  {} tokens", grouped(tokens));
        }
        if let Some(ns) = item.span.duration_ns {
            end += &format!("  {}", time(ns));
        }
        let failed = if item.span.failed { "  failed" } else { "" };
        let begin =
            format!("{step:>5}  {:<KIND$} {}  ", item.span.kind, padded(&cut(&item.agent, agents), agents, false));
        let room =
            look.width.saturating_sub(gutter.width() + begin.chars().count() + end.chars().count() + failed.len());
        let what = cut(item.what.trim_end(), room.max(12));
        let mark = if begins { '├' } else { '│' };
        out += &format!("{}{begin}{what}{end}{}\n", beside(mark), look.paint(Paint::Bad, failed));
        if let Some(l) = own.filter(|l| gutter.ends(l.number, i)) {
            out += &format!("{}{}\n", beside('└'), look.paint(paint(l), &waste(l)));
        }
        i += 1;
    }
    out
}

/// What is counted, not drawn: periods in the middle of loops, and steps far from any.
fn hidden(items: &[Item<'_>], loops: &HashMap<i64, &RunLoop>) -> Vec<bool> {
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
