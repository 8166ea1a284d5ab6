//! `spanfile loops FILE`: what runs did again and again, and what it wasted.

use std::io::Write;

use datafusion::arrow::array::RecordBatch;
use spanfile::loops::LoopKind;
use spanfile_query::{Engine, QueryError, Result};
use unicode_width::UnicodeWidthStr;

use super::cells::{doubles, flags, ints, texts, usd};
use super::drawing::{Look, Paint, cut, decimals, dollars, folded, grouped, padded, printable, time};
use super::showing::{Showing, with_files};
use super::{exit, output_error, quoted, run_loops};
use crate::cli::LoopsArgs;

/// How many loops the table has.
const TOP: usize = 20;

pub(crate) fn run(args: &LoopsArgs) -> Result<u8> {
    with_files(&args.file, None, &args.shown, async |engine, showing, out| draw(engine, args, showing, out).await)
}

/// Shows the loops of what is open.
pub(crate) async fn draw(engine: &Engine, args: &LoopsArgs, showing: &Showing, out: &mut impl Write) -> Result<u8> {
    if let Some(kind) = args.kind.as_deref().filter(|k| LoopKind::of_name(k).is_none()) {
        say!("spanfile: {kind} is no kind of loop; there are {}", LoopKind::ALL.map(LoopKind::as_str).join(", "));
        return Ok(exit::USAGE);
    }
    if let Some(run) = &args.run {
        run_loops::show(engine, run, &source(engine, args), showing.look, out).await?;
    } else if !showing.rows_of(engine, &all(engine, args), out).await? {
        show(engine, args, showing.look, out).await?;
    }
    Ok(exit::FINE)
}

/// Where the loops are from: the table, or the function where settings are given.
fn source(engine: &Engine, args: &LoopsArgs) -> String {
    match args.min_repeats {
        Some(n) => format!("loops(min_repeats => {n})"),
        None => engine.loops().to_owned(),
    }
}

/// Whether findings that are no loops are listed too.
fn lists_info(args: &LoopsArgs) -> bool {
    args.all || args.kind.is_some()
}

fn conditions(args: &LoopsArgs) -> String {
    let mut conditions = Vec::new();
    conditions.extend(args.kind.as_deref().map(|k| format!("kind = {}", quoted(k))));
    conditions.extend(args.agent.as_deref().map(|a| format!("agent_name = {}", quoted(a))));
    if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
}

/// Leaves out what is no loop.
const NOT_INFO: &str = "severity <> 'info'";

/// The worst first.
const ORDER: &str = "CASE severity WHEN 'high' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, wasted_cost_usd DESC NULLS LAST, \
                     wasted_tokens DESC NULLS LAST, steps DESC, trace_id, loop_number";

fn all(engine: &Engine, args: &LoopsArgs) -> String {
    let top = args.top.filter(|n| *n > 0).map(|n| format!(" LIMIT {n}")).unwrap_or_default();
    let listed = if lists_info(args) { "true" } else { NOT_INFO };
    format!("SELECT * FROM {} WHERE {} AND {listed} ORDER BY {ORDER}{top}", source(engine, args), conditions(args))
}

/// What was found in one line, and the worst as a table.
async fn show(engine: &Engine, args: &LoopsArgs, look: Look, out: &mut impl Write) -> Result<()> {
    let top = match args.top.unwrap_or(TOP) {
        0 => usize::MAX,
        n => n,
    };
    show_worst(engine, &source(engine, args), (&conditions(args), lists_info(args)), top, look, out).await
}

/// Shows the worst loops, as other verbs do too: which, and whether findings that are no loops are listed.
pub(super) async fn show_worst(
    engine: &Engine,
    from: &str,
    (conditions, lists_info): (&str, bool),
    top: usize,
    look: Look,
    out: &mut impl Write,
) -> Result<()> {
    let found = Found::read(engine, from, conditions).await?;
    let line = found.line(lists_info);
    write!(out, "{}", look.paint(Paint::Total, &folded(&line, look.width, 2))).map_err(output_error)?;
    let listed = found.loops + if lists_info { found.info } else { 0 };
    if listed == 0 {
        return Ok(());
    }
    let limit = if top == usize::MAX { String::new() } else { format!("LIMIT {top}") };
    let which = if lists_info { "true" } else { NOT_INFO };
    let sql = format!("SELECT * FROM {from} WHERE {conditions} AND {which} ORDER BY {ORDER} {limit}");
    let mut table = Table::default();
    for b in engine.sql(&sql).await?.collect().await? {
        table.add(&b)?;
    }
    write!(out, "{}", table.draw(look)).map_err(output_error)?;
    if listed > i64::try_from(top).unwrap_or(i64::MAX) {
        writeln!(out, "{} more; --top 0 shows all", grouped(listed - top as i64)).map_err(output_error)?;
    }
    Ok(())
}

/// Headings of the table, and whether a column is for numbers.
const HEADINGS: [(&str, bool); 9] = [
    ("severity", false),
    ("kind", false),
    ("agent", false),
    ("what repeats", false),
    ("steps", true),
    ("tokens", true),
    ("cost", true),
    ("time", true),
    ("run", false),
];
/// Where it says what repeats, which takes what room there is, and who.
const WHAT: usize = 3;
const AGENT: usize = 2;
/// Least and most room for what repeats, most for an agent.
const WHAT_WIDTH: [usize; 2] = [24, 60];
const AGENT_WIDTH: usize = 16;
/// Columns that are left out where there is no room, the first first: time and steps.
const LEFT_OUT: [usize; 2] = [7, 4];

/// Loops, a line each.
#[derive(Default)]
struct Table {
    rows: Vec<([String; HEADINGS.len()], Paint)>,
}

impl Table {
    fn add(&mut self, b: &RecordBatch) -> Result<()> {
        let [severity, kind, agent, repeated, run] =
            ["severity", "kind", "agent_name", "repeated", "trace_id"].map(|c| texts(b, c));
        let (severity, kind, agent, repeated, run) = (severity?, kind?, agent?, repeated?, run?);
        let (first, last, repeats) = (ints(b, "first_step")?, ints(b, "last_step")?, doubles(b, "repeats")?);
        let (tokens, ns) = (ints(b, "wasted_tokens")?, ints(b, "wasted_ns")?);
        let (usd, complete) = (usd(b, "wasted_cost_usd")?, flags(b, "cost_complete")?);
        let digits = decimals(usd.iter().flatten().copied());
        for i in 0..b.num_rows() {
            let severity = severity[i].clone().unwrap_or_default();
            let paint = match &*severity {
                "high" => Paint::Bad,
                "warning" => Paint::Doubtful,
                _ => Paint::Heading,
            };
            let times = repeats[i].map(|n| if n.fract() == 0.0 { format!("{n}") } else { format!("{n:.1}") });
            let what = names(repeated[i].as_deref().unwrap_or_default());
            let what = times.map_or_else(|| what.clone(), |times| format!("{times} × {what}"));
            let cost = usd[i].map(|u| {
                let least = if complete[i] == Some(false) { "≥ " } else { "" };
                format!("{least}{}", dollars(u, digits, false))
            });
            let span = first[i].zip(last[i]).map(|(a, b)| format!("{a}–{b}"));
            self.rows.push((
                [
                    severity,
                    kind[i].clone().unwrap_or_default().replace('_', " "),
                    printable(agent[i].as_deref().unwrap_or_default()),
                    what,
                    span.unwrap_or_default(),
                    tokens[i].map(grouped).unwrap_or_default(),
                    cost.unwrap_or_default(),
                    ns[i].map(time).unwrap_or_default(),
                    run[i].clone().unwrap_or_default().chars().take(8).collect(),
                ],
                paint,
            ));
        }
        Ok(())
    }

    fn draw(&self, look: Look) -> String {
        let headings = HEADINGS.map(|(name, _)| name.to_owned());
        let mut widths = [0; HEADINGS.len()];
        for cells in std::iter::once(&headings).chain(self.rows.iter().map(|(cells, _)| cells)) {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.width());
            }
        }
        widths[AGENT] = widths[AGENT].min(AGENT_WIDTH);
        let mut shown = [true; HEADINGS.len()];
        let room = |shown: &[bool; HEADINGS.len()]| {
            let others = (0..HEADINGS.len()).filter(|i| shown[*i] && *i != WHAT).map(|i| widths[i] + 2).sum::<usize>();
            look.width.saturating_sub(others)
        };
        for column in LEFT_OUT {
            if room(&shown) < widths[WHAT].min(WHAT_WIDTH[0]) {
                shown[column] = false;
            }
        }
        widths[WHAT] = widths[WHAT].min(room(&shown).clamp(WHAT_WIDTH[0], WHAT_WIDTH[1]));
        let line = |cells: &[String; HEADINGS.len()]| {
            let cells = cells
                .iter()
                .zip(widths)
                .zip(HEADINGS)
                .map(|((cell, width), (_, number))| padded(&cut(cell, width), width, number));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let mut out = look.paint(Paint::Heading, &line(&headings)) + "\n";
        for (cells, paint) in &self.rows {
            let text = line(cells);
            // Only the word is coloured: where all is, nothing stands out.
            let (word, rest) = text.split_at(cells[0].len().min(text.len()));
            out += &format!("{}{rest}\n", look.paint(*paint, word));
        }
        out
    }
}

/// The texts of a JSON array in one line.
pub(super) fn names(json: &str) -> String {
    match serde_json::from_str::<Vec<String>>(json) {
        Ok(names) => printable(&names.join(", ")),
        Err(_) => printable(json),
    }
}

/// What was found in all.
struct Found {
    loops: i64,
    runs: i64,
    of_runs: i64,
    tokens: Option<i64>,
    usd: Option<i128>,
    complete: bool,
    of_usd: Option<i128>,
    /// Findings that are no loops.
    info: i64,
}

impl Found {
    async fn read(engine: &Engine, from: &str, conditions: &str) -> Result<Found> {
        let loops = format!("{conditions} AND {NOT_INFO}");
        let sql = format!(
            "SELECT count(*) FILTER (WHERE {loops}) AS loops, \
             count(DISTINCT CASE WHEN {loops} THEN trace_id END) AS runs, \
             (SELECT count(*) FROM runs) AS of_runs, sum(wasted_tokens) FILTER (WHERE {loops}) AS tokens, \
             CAST(sum(wasted_cost_usd) FILTER (WHERE {loops}) AS DECIMAL(38, 12)) AS usd, \
             coalesce(bool_and(cost_complete) FILTER (WHERE {loops}), true) AS complete, \
             (SELECT CAST(sum(cost_usd) AS DECIMAL(38, 12)) FROM cost_per_run) AS of_usd, \
             count(*) FILTER (WHERE {conditions} AND severity = 'info') AS info FROM {from}"
        );
        let batches: Vec<RecordBatch> = engine.sql(&sql).await?.collect().await?;
        let mut found =
            Found { loops: 0, runs: 0, of_runs: 0, tokens: None, usd: None, complete: true, of_usd: None, info: 0 };
        for b in batches.iter().filter(|b| b.num_rows() > 0) {
            let int = |name: &str| Ok::<_, QueryError>(ints(b, name)?[0].unwrap_or(0));
            found.loops = int("loops")?;
            found.runs = int("runs")?;
            found.of_runs = int("of_runs")?;
            found.info = int("info")?;
            found.tokens = ints(b, "tokens")?[0];
            found.usd = usd(b, "usd")?[0];
            found.of_usd = usd(b, "of_usd")?[0];
            found.complete = flags(b, "complete")?[0].unwrap_or(true);
        }
        Ok(found)
    }

    fn line(&self, lists_info: bool) -> String {
        let of = |n: i64, one: &str| format!("{} {one}{}", grouped(n), if n == 1 { "" } else { "s" });
        let hidden = match self.info {
            0 => String::new(),
            n if lists_info => format!(" {} for information only, no loops.", of(n, "finding")),
            n => format!(" {} for information only (--all).", of(n, "finding")),
        };
        if self.loops == 0 {
            return format!("No loops in {}.{hidden}", of(self.of_runs, "run"));
        }
        let mut waste = Vec::new();
        waste.extend(self.tokens.map(|n| of(n, "token")));
        waste.extend(self.usd.map(|usd| {
            let at_least = if self.complete { "" } else { "at least " };
            let digits = decimals([usd].into_iter());
            let share = self
                .of_usd
                .filter(|of| *of > 0)
                .map(|of| format!(" of {} ({:.1} %)", dollars(of, digits, false), usd as f64 * 100.0 / of as f64));
            format!("{at_least}{}{}", dollars(usd, digits, false), share.unwrap_or_default())
        }));
        let waste = match waste.is_empty() {
            true => String::new(),
            false => format!("; wasted {}", waste.join(", ")),
        };
        let (loops, runs) = (of(self.loops, "loop"), grouped(self.runs));
        format!("{loops} in {runs} of {}{waste}.{hidden}", of(self.of_runs, "run"))
    }
}
