//! `spanfile runs`, `agents` and `tools`: what there is, the newest or worst first, with totals.

use std::io::Write;

use spanfile_query::{Engine, Result};

use super::cells::{doubles, flags, ints, texts, usd};
use super::drawing::{Look, Paint, decimals, dollars, grouped, printable, time};
use super::grid::Grid;
use super::loops::names;
use super::showing::{Showing, with_files};
use super::{exit, output_error, quoted};
use crate::cli::{ListArgs, RunsArgs, RunsBy};

/// How many rows there are.
const TOP: usize = 20;
/// Hex digits of an id that tell a run from others.
const ID_DIGITS: usize = 8;

pub(crate) fn run_runs(args: &RunsArgs) -> Result<u8> {
    with_files(&args.file, None, &args.shown, async |engine, showing, out| runs(engine, args, showing, out).await)
}

pub(crate) fn run_agents(args: &ListArgs) -> Result<u8> {
    with_files(&args.file, None, &args.shown, async |engine, showing, out| agents(engine, args, showing, out).await)
}

pub(crate) fn run_tools(args: &ListArgs) -> Result<u8> {
    with_files(&args.file, None, &args.shown, async |engine, showing, out| tools(engine, args, showing, out).await)
}

/// ` LIMIT n`: as many rows as are wanted, all for 0.
fn limit(top: Option<usize>, usual: usize) -> String {
    match top.unwrap_or(usual) {
        0 => String::new(),
        n => format!(" LIMIT {n}"),
    }
}

fn count(n: Option<i64>) -> String {
    n.map(grouped).unwrap_or_default()
}

fn money(usd: Option<i128>, complete: Option<bool>, digits: usize) -> String {
    let least = if complete == Some(false) { "≥ " } else { "" };
    usd.map(|u| format!("{least}{}", dollars(u, digits, false))).unwrap_or_default()
}

fn text(value: Option<&String>) -> String {
    printable(value.map(String::as_str).unwrap_or_default())
}

/// Says how many rows are left out.
fn more(shown: usize, all: i64, what: &str, look: Look, out: &mut impl Write) -> Result<()> {
    let left = all - i64::try_from(shown).unwrap_or(all);
    if left > 0 {
        let line = format!("{} more {what}; --top 0 shows all", grouped(left));
        writeln!(out, "{}", look.paint(Paint::Heading, &line)).map_err(output_error)?;
    }
    Ok(())
}

/// Lists runs.
pub(crate) async fn runs(engine: &Engine, args: &RunsArgs, showing: &Showing, out: &mut impl Write) -> Result<u8> {
    let mut conditions = vec!["true".to_owned()];
    let of_agent = |a| format!("trace_id IN (SELECT trace_id FROM usage WHERE agent_name = {})", quoted(a));
    conditions.extend(args.agent.as_deref().map(of_agent));
    conditions.extend(args.outcome.as_deref().map(|o| format!("outcome = {}", quoted(o))));
    let order = match args.by {
        RunsBy::Newest => "start_time DESC NULLS LAST",
        RunsBy::Dearest => "cost_usd DESC NULLS LAST",
        RunsBy::Slowest => "duration_ns DESC NULLS LAST",
        RunsBy::Failed => "errors DESC NULLS LAST, start_time DESC NULLS LAST",
    };
    let from = format!("cost_per_run WHERE {}", conditions.join(" AND "));
    let rows = format!("SELECT * FROM {from} ORDER BY {order}, trace_id");
    if showing.rows_of(engine, &(rows.clone() + &limit(args.top, 0)), out).await? {
        return Ok(exit::FINE);
    }
    let sql = format!(
        "SELECT r.*, to_char(r.start_time, '%Y-%m-%d %H:%M') AS started, \
         (SELECT count(*) FROM loops AS l WHERE l.trace_id = r.trace_id AND severity <> 'info') AS loops \
         FROM ({rows}{}) AS r ORDER BY {order}, trace_id",
        limit(args.top, TOP)
    );
    let sums = format!(
        "SELECT count(*) AS runs, sum(steps) AS steps, sum(total_tokens) AS total_tokens, sum(cost_usd) AS cost_usd, \
         bool_and(cost_complete) AS cost_complete, sum(errors) AS errors, sum(duration_ns) AS duration_ns FROM {from}"
    );
    let mut grid = Grid {
        columns: [
            ("run", false, 0),
            ("started (UTC)", false, 3),
            ("agents", false, 0),
            ("outcome", false, 2),
            ("steps", true, 1),
            ("errors", true, 4),
            ("loops", true, 5),
            ("tokens", true, 7),
            ("cost", true, 9),
            ("time", true, 8),
        ],
        flexible: 2,
        rows: Vec::new(),
        total: Default::default(),
    };
    for b in engine.sql(&sql).await?.collect().await? {
        let [ids, started, agents, roots, outcomes] =
            ["trace_id", "started", "agents", "root_name", "outcome"].map(|c| texts(&b, c));
        let (ids, started, agents, roots, outcomes) = (ids?, started?, agents?, roots?, outcomes?);
        let [steps, errors, loops, tokens, ns] =
            ["steps", "errors", "loops", "total_tokens", "duration_ns"].map(|c| ints(&b, c));
        let (steps, errors, loops, tokens, ns) = (steps?, errors?, loops?, tokens?, ns?);
        let (usd, complete) = (usd(&b, "cost_usd")?, flags(&b, "cost_complete")?);
        let digits = decimals(usd.iter().flatten().copied());
        for i in 0..b.num_rows() {
            let who = agents[i].as_deref().map(names).filter(|n| !n.is_empty());
            let bad = outcomes[i].as_deref() == Some("failed");
            grid.rows.push((
                [
                    text(ids[i].as_ref()),
                    text(started[i].as_ref()),
                    who.unwrap_or_else(|| text(roots[i].as_ref())),
                    text(outcomes[i].as_ref()),
                    count(steps[i]),
                    count(errors[i].filter(|n| *n > 0)),
                    count(loops[i].filter(|n| *n > 0)),
                    count(tokens[i]),
                    money(usd[i], complete[i], digits),
                    ns[i].map(time).unwrap_or_default(),
                ],
                bad.then_some(Paint::Bad),
            ));
        }
    }
    shorten(grid.rows.iter_mut().map(|(cells, _)| &mut cells[0]));
    let mut all = 0;
    for b in engine.sql(&sums).await?.collect().await?.iter().filter(|b| b.num_rows() > 0) {
        let sum = |c: &str| ints(b, c).map(|values| values[0]);
        all = sum("runs")?.unwrap_or(0);
        let (usd, complete) = (usd(b, "cost_usd")?[0], flags(b, "cost_complete")?[0]);
        let what = if all == 1 { "run" } else { "runs" };
        grid.total = [
            "total".to_owned(),
            String::new(),
            format!("{} {what}", grouped(all)),
            String::new(),
            count(sum("steps")?),
            count(sum("errors")?.filter(|n| *n > 0)),
            String::new(),
            count(sum("total_tokens")?),
            money(usd, complete, decimals(usd.into_iter())),
            sum("duration_ns")?.map(time).unwrap_or_default(),
        ];
    }
    if all == 0 {
        writeln!(out, "No runs.").map_err(output_error)?;
        return Ok(exit::FINE);
    }
    write!(out, "{}", grid.draw(showing.look)).map_err(output_error)?;
    more(grid.rows.len(), all, "runs", showing.look, out)?;
    Ok(exit::FINE)
}

/// As much of each id as tells it from the others.
fn shorten<'a>(ids: impl Iterator<Item = &'a mut String>) {
    let mut ids: Vec<&mut String> = ids.collect();
    let mut sorted: Vec<String> = ids.iter().map(|id| (**id).clone()).collect();
    sorted.sort();
    sorted.dedup();
    let shared = sorted.windows(2).map(|w| w[0].bytes().zip(w[1].bytes()).take_while(|(a, b)| a == b).count() + 1);
    let told = shared.max().unwrap_or(0).max(ID_DIGITS);
    ids.iter_mut().for_each(|id| id.truncate(told));
}

const AGENTS: &str = "SELECT c.agent_name, a.versions, c.runs, a.llm_calls, a.tool_calls, a.errors, c.total_tokens, \
     c.cost_usd, c.cost_complete, a.last_seen, to_char(a.last_seen, '%Y-%m-%d %H:%M') AS seen FROM cost_by_agent AS c LEFT JOIN \
     (SELECT agent_name, count(DISTINCT agent_version) AS versions, sum(llm_calls) AS llm_calls, \
     sum(tool_calls) AS tool_calls, sum(errors) AS errors, max(last_seen) AS last_seen FROM agents GROUP BY agent_name) AS a \
     ON (a.agent_name IS NOT DISTINCT FROM c.agent_name)";

/// Lists agents, the dearest first.
pub(crate) async fn agents(engine: &Engine, args: &ListArgs, showing: &Showing, out: &mut impl Write) -> Result<u8> {
    let rows = format!("{AGENTS} ORDER BY c.cost_usd DESC NULLS LAST, c.total_tokens DESC NULLS LAST, c.agent_name");
    if showing.rows_of(engine, &(rows.clone() + &limit(args.top, 0)), out).await? {
        return Ok(exit::FINE);
    }
    let mut grid = Grid {
        columns: [
            ("agent", false, 0),
            ("versions", true, 1),
            ("runs", true, 5),
            ("LLM calls", true, 3),
            ("tool calls", true, 4),
            ("errors", true, 6),
            ("tokens", true, 7),
            ("cost", true, 8),
            ("last seen (UTC)", false, 2),
        ],
        flexible: 0,
        rows: Vec::new(),
        total: Default::default(),
    };
    for b in engine.sql(&(rows + &limit(args.top, TOP))).await?.collect().await? {
        let (agents, seen) = (texts(&b, "agent_name")?, texts(&b, "seen")?);
        let columns = ["versions", "runs", "llm_calls", "tool_calls", "errors", "total_tokens"].map(|c| ints(&b, c));
        let [versions, runs, llm, tools, errors, tokens] = columns;
        let (versions, runs, llm, tools, errors, tokens) = (versions?, runs?, llm?, tools?, errors?, tokens?);
        let (usd, complete) = (usd(&b, "cost_usd")?, flags(&b, "cost_complete")?);
        let digits = decimals(usd.iter().flatten().copied());
        for i in 0..b.num_rows() {
            grid.rows.push((
                [
                    agents[i].as_ref().map_or_else(|| "(no agent)".to_owned(), |a| printable(a)),
                    count(versions[i].filter(|n| *n > 0)),
                    count(runs[i]),
                    count(llm[i]),
                    count(tools[i]),
                    count(errors[i].filter(|n| *n > 0)),
                    count(tokens[i]),
                    money(usd[i], complete[i], digits),
                    text(seen[i].as_ref()),
                ],
                None,
            ));
        }
    }
    // Runs of several agents are counted once here.
    let sums = "SELECT count(*) AS agents, (SELECT count(*) FROM runs) AS runs, sum(c.llm_calls) AS llm_calls, \
                sum(c.tool_calls) AS tool_calls, sum(c.errors) AS errors, sum(c.total_tokens) AS total_tokens, \
                sum(c.cost_usd) AS cost_usd, bool_and(c.cost_complete) AS cost_complete FROM";
    let mut all = 0;
    for b in engine.sql(&format!("{sums} ({AGENTS}) AS c")).await?.collect().await?.iter().filter(|b| b.num_rows() > 0)
    {
        let sum = |c: &str| ints(b, c).map(|values| values[0]);
        all = sum("agents")?.unwrap_or(0);
        let (usd, complete) = (usd(b, "cost_usd")?[0], flags(b, "cost_complete")?[0]);
        grid.total = [
            "total".to_owned(),
            String::new(),
            count(sum("runs")?),
            count(sum("llm_calls")?),
            count(sum("tool_calls")?),
            count(sum("errors")?.filter(|n| *n > 0)),
            count(sum("total_tokens")?),
            money(usd, complete, decimals(usd.into_iter())),
            String::new(),
        ];
    }
    finish(&grid, all, "agents", showing.look, out)
}

const TOOLS: &str = "SELECT tool_name, agents, runs, calls, errors, errors / CAST(nullif(calls, 0) AS DOUBLE) AS error_rate, \
     duration_ns, duration_ns / nullif(calls, 0) AS mean_ns, last_seen FROM tools";

/// Lists tools, those that fail most first.
pub(crate) async fn tools(engine: &Engine, args: &ListArgs, showing: &Showing, out: &mut impl Write) -> Result<u8> {
    let rows = format!("{TOOLS} ORDER BY errors DESC NULLS LAST, calls DESC, tool_name");
    if showing.rows_of(engine, &(rows.clone() + &limit(args.top, 0)), out).await? {
        return Ok(exit::FINE);
    }
    let mut grid = Grid {
        columns: [
            ("tool", false, 0),
            ("runs", true, 2),
            ("calls", true, 6),
            ("failed", true, 7),
            ("rate", true, 5),
            ("mean time", true, 4),
            ("time", true, 3),
            ("agents", false, 1),
        ],
        flexible: 0,
        rows: Vec::new(),
        total: Default::default(),
    };
    for b in engine.sql(&(rows + &limit(args.top, TOP))).await?.collect().await? {
        let (tools, agents, rates) = (texts(&b, "tool_name")?, texts(&b, "agents")?, doubles(&b, "error_rate")?);
        let [runs, calls, errors, ns, mean] =
            ["runs", "calls", "errors", "duration_ns", "mean_ns"].map(|c| ints(&b, c));
        let (runs, calls, errors, ns, mean) = (runs?, calls?, errors?, ns?, mean?);
        for i in 0..b.num_rows() {
            let failed = errors[i].filter(|n| *n > 0);
            grid.rows.push((
                [
                    tools[i].as_ref().map_or_else(|| "(no name)".to_owned(), |t| printable(t)),
                    count(runs[i]),
                    count(calls[i]),
                    count(failed),
                    failed.and(rates[i]).map(|r| format!("{:.1}%", r * 100.0)).unwrap_or_default(),
                    mean[i].map(time).unwrap_or_default(),
                    ns[i].map(time).unwrap_or_default(),
                    names(agents[i].as_deref().unwrap_or_default()),
                ],
                None,
            ));
        }
    }
    let sums = "SELECT count(*) AS tools, sum(calls) AS calls, sum(errors) AS errors, sum(duration_ns) AS duration_ns, \
                sum(errors) / CAST(nullif(sum(calls), 0) AS DOUBLE) AS error_rate, \
                sum(duration_ns) / nullif(sum(calls), 0) AS mean_ns FROM tools";
    let mut all = 0;
    for b in engine.sql(sums).await?.collect().await?.iter().filter(|b| b.num_rows() > 0) {
        let sum = |c: &str| ints(b, c).map(|values| values[0]);
        all = sum("tools")?.unwrap_or(0);
        let failed = sum("errors")?.filter(|n| *n > 0);
        let rate = failed.and(doubles(b, "error_rate")?[0]);
        grid.total = [
            "total".to_owned(),
            String::new(),
            count(sum("calls")?),
            count(failed),
            rate.map(|r| format!("{:.1}%", r * 100.0)).unwrap_or_default(),
            sum("mean_ns")?.map(time).unwrap_or_default(),
            sum("duration_ns")?.map(time).unwrap_or_default(),
            String::new(),
        ];
    }
    finish(&grid, all, "tools", showing.look, out)
}

fn finish<const N: usize>(grid: &Grid<N>, all: i64, what: &str, look: Look, out: &mut impl Write) -> Result<u8> {
    if all == 0 {
        writeln!(out, "No {what}.").map_err(output_error)?;
        return Ok(exit::FINE);
    }
    write!(out, "{}", grid.draw(look)).map_err(output_error)?;
    more(grid.rows.len(), all, what, look, out)?;
    Ok(exit::FINE)
}
