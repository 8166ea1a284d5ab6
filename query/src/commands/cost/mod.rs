//! `spanfile cost FILE`: what was spent, by whom and on what, and whether budgets hold.
//!
//! | module | does |
//! |---|---|
//! | `sums` | SQL over the views of costs, and its rows |
//! | `chart` | rows as a table with bars |
//! | `status` | how budgets stand, and the gate |

mod chart;
mod status;
mod sums;

use std::io::Write;

use spanfile_query::render::render;
use spanfile_query::{Engine, Result, budget_status_sql};

use super::cells::{ints, texts};
use super::drawing::{self, Look, Paint, folded, grouped};
use super::query::output;
use super::showing::{Showing, with_files};
use super::{exit, output_error, quoted};
use crate::cli::{CostArgs, CostBy, FailOver};
use chart::Chart;
use status::{Gate, Standings};
use sums::{Money, Row, Sums};

/// How many rows a chart has.
const TOP: usize = 20;
/// Budgets that the file keeps.
const STATUS: &str = "SELECT * FROM budget_status";

pub(crate) fn run(args: &CostArgs) -> Result<u8> {
    with_files(&args.file, None, &args.shown, async |engine, showing, out| draw(engine, args, showing, out).await)
}

/// Shows what the runs of what is open cost.
pub(crate) async fn draw(engine: &Engine, args: &CostArgs, showing: &Showing, out: &mut impl Write) -> Result<u8> {
    let Some((sums, at_other_prices)) = sums(args) else { return Ok(exit::USAGE) };
    let budgets = args.budgets.as_deref().map(super::budget::read).transpose()?;
    let status = budgets.as_ref().map_or_else(|| STATUS.to_owned(), budget_status_sql);
    let shown = async {
        let rows = sums.as_ref().map_or_else(
            || {
                format!(
                    "SELECT * FROM ({status}) ORDER BY scope, name NULLS FIRST, every, share_of_hard DESC, subject, day"
                )
            },
            |s| s.all_columns(args.top.unwrap_or(0)),
        );
        match &sums {
            Some(sums) if showing.rows.is_none() => {
                show(engine, sums, args.top.unwrap_or(TOP), showing.look, out).await?;
                if !at_other_prices {
                    show_budgets(engine, &status, showing.look, out).await?;
                }
            }
            None if showing.rows.is_none() => {
                let (format, options) = output(&args.shown.output);
                render(engine.sql(&rows).await?.stream()?, &format, &options, out).await?;
            }
            _ => drop(showing.rows_of(engine, &rows, out).await?),
        }
        out.flush().map_err(output_error)
    };
    // A reader that has gone away does not decide whether budgets hold.
    match (shown.await, args.fail_over) {
        (Err(e), Some(_)) if e.is_broken_pipe() => {}
        (shown, _) => shown?,
    }
    match args.fail_over {
        Some(limit) => gate(engine, &status, limit, args.allow_incomplete).await,
        None => Ok(exit::FINE),
    }
}

/// What is asked for, and whether it is about other prices; no sums for budgets. `None` when the options make no sense
/// together, which has been said then.
fn sums(args: &CostArgs) -> Option<(Option<Sums>, bool)> {
    let runs = match (&args.as_of, &args.what_if) {
        (Some(day), _) => format!("cost_as_of({})", quoted(day)),
        (None, Some(models)) => match models.split_once('=') {
            Some((from, to)) if !from.is_empty() && !to.is_empty() => {
                format!("cost_what_if({}, {})", quoted(from), quoted(to))
            }
            _ => {
                say!("spanfile: --what-if {models}: expected MODEL=MODEL, as in gpt-5=gpt-5-mini");
                return None;
            }
        },
        (None, None) => return Some((Sums::by(args.by.unwrap_or(CostBy::Model)), false)),
    };
    let sums = Sums::at_other_prices(args.by.unwrap_or(CostBy::Run), runs);
    if sums.is_none() {
        say!("spanfile: --as-of and --what-if go with --by run, session, user or workflow");
    }
    sums.map(|s| (Some(s), true))
}

/// Draws the chart of one question, as other verbs show it too. Says whether nothing is missing from its total.
pub(super) async fn show_by(engine: &Engine, by: CostBy, top: usize, out: &mut impl Write) -> Result<bool> {
    match Sums::by(by) {
        Some(sums) => show(engine, &sums, top, Look::of(None), out).await,
        None => Ok(true),
    }
}

async fn show(engine: &Engine, sums: &Sums, top: usize, look: Look, out: &mut impl Write) -> Result<bool> {
    let (mut rows, mut total, count) = sums.read(engine, top).await?;
    let mut rest_at = None;
    let more = count - i64::try_from(rows.len()).unwrap_or(count);
    if more > 0 {
        let age = if sums.by_time { "earlier" } else { "other" };
        let label = format!("{} {age} {}", grouped(more), sums.names[usize::from(more > 1)]);
        let mut rest = Row::rest(&total, &rows, label);
        without_sums(sums, &mut rest);
        let at = if sums.by_time { 0 } else { rows.len() };
        rows.insert(at, rest);
        rest_at = Some(at);
    }
    without_sums(sums, &mut total);
    let chart = Chart {
        heading: sums.names[0],
        counts: [sums.counts[0].0, sums.counts[1].0],
        extra: sums.extra.map(|(heading, _)| heading),
        rows: &rows,
        rest: rest_at,
        total: &total,
    };
    write!(out, "{}", chart.draw(look)).map_err(output_error)?;
    if !total.cost.complete {
        let line = missing(engine, &total.cost, !sums.has_actual()).await?;
        writeln!(out, "{}", look.paint(Paint::Doubtful, folded(&line, look.width, 2).trim_end()))
            .map_err(output_error)?;
    }
    Ok(total.cost.complete)
}

/// Takes out what means nothing when added up.
fn without_sums(sums: &Sums, row: &mut Row) {
    for (n, (_, _, additive)) in sums.counts.iter().enumerate() {
        if !additive {
            row.counts[n] = None;
        }
    }
    if !sums.has_actual() {
        row.extra = None;
    }
}

/// What is missing from a total; of which models most of it is and where to read more, when it is what was paid.
async fn missing(engine: &Engine, cost: &Money, actual: bool) -> Result<String> {
    const MODELS: usize = 3;
    let sql = format!(
        "SELECT coalesce(response_model, request_model, '(no model)') AS model, CAST(sum(unpriced_spans) AS BIGINT) AS n \
         FROM usage_costs WHERE unpriced_spans > 0 GROUP BY 1 ORDER BY n DESC, model LIMIT {MODELS}"
    );
    let mut models = Vec::new();
    let batches = if actual { engine.sql(&sql).await?.collect().await? } else { Vec::new() };
    for b in batches {
        for (model, n) in texts(&b, "model")?.into_iter().zip(ints(&b, "n")?) {
            models.push(format!("{} {}", grouped(n.unwrap_or(0)), drawing::printable(&model.unwrap_or_default())));
        }
    }
    // A span that several tools share is in the row of each.
    let (mut unpriced_spans, mut unpriced_tokens) = (cost.unpriced_spans, cost.unpriced_tokens);
    if actual {
        let sql = "SELECT sum(unpriced_spans) AS s, sum(unpriced_tokens) AS t FROM cost_per_run";
        for b in engine.sql(sql).await?.collect().await? {
            unpriced_spans = ints(&b, "s")?.into_iter().flatten().sum();
            unpriced_tokens = ints(&b, "t")?.into_iter().flatten().sum();
        }
    }
    let spans = match unpriced_spans {
        1 => "1 span".to_owned(),
        n => format!("{} spans", grouped(n)),
    };
    let tokens = match unpriced_tokens {
        0 => String::new(),
        n => format!(" with {} tokens", grouped(n)),
    };
    let have = if unpriced_spans == 1 { "has" } else { "have" };
    let of = match models.len() {
        0 => String::new(),
        _ => format!(" ({})", models.join(", ")),
    };
    let why = if actual { "; the table cost_audit says why" } else { "" };
    Ok(format!("Incomplete: {spans}{tokens} {have} no price{of}{why}."))
}

async fn show_budgets(engine: &Engine, status: &str, look: Look, out: &mut impl Write) -> Result<()> {
    let standings = Standings::read(engine, status).await?;
    if standings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", look.paint(Paint::Heading, "budgets")).map_err(output_error)?;
    write!(out, "{}", standings.lines(look)).map_err(output_error)
}

async fn gate(engine: &Engine, status: &str, limit: FailOver, allow_incomplete: bool) -> Result<u8> {
    let standings = Standings::read(engine, status).await?;
    let which = match limit {
        FailOver::Soft => "a limit",
        FailOver::Hard => "a hard limit",
    };
    for what in standings.unused() {
        say!("spanfile: budget per {what}: nothing in the file has that name");
    }
    if standings.are_all_unused() {
        say!("spanfile: --fail-over: no budget is for anything in the file");
        return Ok(exit::USAGE);
    }
    match standings.gate(limit, allow_incomplete) {
        Gate::Passed => Ok(exit::FINE),
        Gate::NothingToCheck => {
            say!("spanfile: --fail-over: no budget has {which}; set one with spanfile budget set, or give --budgets");
            Ok(exit::USAGE)
        }
        Gate::Failed { over, unknown } => {
            if over > 0 {
                say!("spanfile: {} over {which}", grouped(over));
            }
            if unknown > 0 {
                say!(
                    "spanfile: {} may be over {which}: their cost is incomplete; --allow-incomplete lets them pass",
                    grouped(unknown)
                );
            }
            Ok(exit::GATE)
        }
    }
}
