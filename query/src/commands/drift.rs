//! `spanfile drift FILE`: what differs between two sets of runs, whether it is real, and since when.

use std::collections::HashMap;
use std::io::Write;

use spanfile::drift::Settings;
use spanfile_query::{Engine, Result};
use unicode_width::UnicodeWidthStr;

use super::cells::{doubles, flags, ints, texts};
use super::drawing::{Look, Paint, cut, decimals, dollars, folded, grouped, padded, printable, time};
use super::showing::{Showing, with_files};
use super::{exit, output_error, quoted};
use crate::cli::{DriftArgs, FailOn};

/// Name under which the file of `--against` is attached.
const AGAINST: &str = "against";

pub(crate) fn run(args: &DriftArgs) -> Result<u8> {
    let against = args.against.as_deref().map(|path| (path, AGAINST));
    with_files(&args.file, against, &args.shown, async |engine, showing, out| draw(engine, args, showing, out).await)
}

/// Shows what differs between two sets of runs of what is open.
pub(crate) async fn draw(engine: &Engine, args: &DriftArgs, showing: &Showing, out: &mut impl Write) -> Result<u8> {
    let asked = Asked::of(args);
    let shown = async {
        if !showing.rows_of(engine, &asked.rows(), out).await? {
            show(engine, &asked, args.all, showing.look, out).await?;
        }
        out.flush().map_err(output_error)
    };
    // A reader that has gone away does not decide whether something drifted.
    match (shown.await, args.fail_on) {
        (Err(e), Some(_)) if e.is_broken_pipe() => {}
        (shown, _) => shown?,
    }
    match args.fail_on {
        Some(what) => gate(&Rows::read(engine, &asked).await?, what, args.require_power),
        None => Ok(exit::FINE),
    }
}

/// What is compared.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Arguments of the functions.
    arguments: String,
    agent: Option<String>,
    /// What the sides are, for people.
    sides: [String; 2],
}

impl Asked {
    /// The last 7 days and the 28 before.
    pub(super) fn usual() -> Self {
        Asked { sides: ["the 28 days before".to_owned(), "The last 7 days".to_owned()], ..Asked::default() }
    }

    fn of(args: &DriftArgs) -> Self {
        let usual = Asked::usual();
        let against = args.against.as_ref().map(|_| format!("file {AGAINST}"));
        let (baseline, current) = match (against.as_ref().or(args.baseline.as_ref()), &args.current) {
            (Some(base), None) if against.is_some() => (Some(base.clone()), Some("all".to_owned())),
            (base, current) => (base.cloned(), current.clone()),
        };
        let sides = match (&baseline, &current, &args.against) {
            (_, Some(current), Some(path)) => [path.display().to_string(), current.clone()],
            (None, None, _) => usual.sides,
            (Some(base), Some(current), _) => [base.clone(), current.clone()],
            (Some(base), None, _) => [base.clone(), "All other runs".to_owned()],
            (None, Some(current), _) if current.trim().to_lowercase().starts_with("last ") => {
                ["the 28 days before".to_owned(), current.clone()]
            }
            (None, Some(current), _) => ["all other runs".to_owned(), current.clone()],
        };
        let texts = [
            ("baseline", &baseline),
            ("current", &current),
            ("by", &args.by),
            ("lower_is_better", &args.lower_is_better),
        ];
        let mut arguments: Vec<String> =
            texts.into_iter().filter_map(|(name, v)| Some(format!("{name} => {}", quoted(v.as_ref()?)))).collect();
        arguments.extend(args.alpha.map(|alpha| format!("alpha => {alpha}")));
        arguments.extend(args.min_runs.map(|n| format!("min_runs => {n}")));
        arguments.extend(args.secondary.then(|| "secondary => true".to_owned()));
        Asked { arguments: arguments.join(", "), agent: args.agent.clone(), sides }
    }

    fn from(&self, function: &str) -> String {
        let condition = match self.agent.as_deref() {
            None => String::new(),
            Some(NO_AGENT) => " WHERE agent_name IS NULL".to_owned(),
            Some(agent) => format!(" WHERE agent_name = {}", quoted(agent)),
        };
        format!("SELECT * FROM {function}({}){condition}", self.arguments)
    }

    fn rows(&self) -> String {
        self.from("drift")
    }
}

/// A metric of an agent.
type Of = (Option<String>, Option<String>, String);

struct Row {
    of: Of,
    verdict: String,
    worse: Option<bool>,
    direction: Option<String>,
    family: String,
    kind: String,
    unit: Option<String>,
    medians: [Option<f64>; 2],
    ratio: Option<f64>,
    interval: Option<(f64, f64)>,
    runs: [i64; 2],
    change_at: Option<String>,
    p_adj: Option<f64>,
    p95: [Option<f64>; 2],
    effect: Option<f64>,
}

impl Row {
    /// Whether the level is much the same, so that it is the tail that drifted.
    fn is_of_the_tail(&self, ratio: f64) -> bool {
        let Settings { median_ratio, delta, .. } = Settings::default();
        let same = ratio <= median_ratio && ratio >= 1.0 / median_ratio && self.effect.is_none_or(|e| e.abs() < delta);
        self.verdict == "drift" && same
    }
}

struct Rows(Vec<Row>);

impl Rows {
    async fn read(engine: &Engine, asked: &Asked) -> Result<Self> {
        let mut rows = Vec::new();
        for b in engine.sql(&asked.rows()).await?.collect().await? {
            let [agent, stratum, metric, verdict, direction, family, kind, unit, change] =
                ["agent_name", "stratum", "metric", "verdict", "direction", "family", "kind", "unit", "change_at"]
                    .map(|name| texts(&b, name));
            let (agent, stratum, metric, verdict) = (agent?, stratum?, metric?, verdict?);
            let (direction, family, kind, unit, change) = (direction?, family?, kind?, unit?, change?);
            let [base, cur, ratio, lo, hi, p, p95_base, p95_cur] =
                ["base_median", "cur_median", "ratio", "ci_lo", "ci_hi", "p_adj", "p95_base", "p95_cur"]
                    .map(|name| doubles(&b, name));
            let (base, cur, ratio, lo, hi, p) = (base?, cur?, ratio?, lo?, hi?, p?);
            let (p95_base, p95_cur, effect) = (p95_base?, p95_cur?, doubles(&b, "effect")?);
            let (worse, n_base, n_cur) = (flags(&b, "worse")?, ints(&b, "n_base")?, ints(&b, "n_cur")?);
            rows.extend((0..b.num_rows()).map(|i| Row {
                of: (agent[i].clone(), stratum[i].clone(), metric[i].clone().unwrap_or_default()),
                verdict: verdict[i].clone().unwrap_or_default(),
                worse: worse[i],
                direction: direction[i].clone(),
                family: family[i].clone().unwrap_or_default(),
                kind: kind[i].clone().unwrap_or_default(),
                unit: unit[i].clone(),
                medians: [base[i], cur[i]],
                ratio: ratio[i],
                interval: lo[i].zip(hi[i]),
                runs: [n_base[i].unwrap_or(0), n_cur[i].unwrap_or(0)],
                change_at: change[i].clone(),
                p_adj: p[i],
                p95: [p95_base[i], p95_cur[i]],
                effect: effect[i],
            }));
        }
        Ok(Rows(rows))
    }

    fn of<'r>(&'r self, verdict: &'r str) -> impl Iterator<Item = &'r Row> {
        self.0.iter().filter(move |r| r.verdict == verdict)
    }

    /// Names of agents, each once.
    fn agents<'r>(rows: impl Iterator<Item = &'r Row>) -> Vec<String> {
        let mut names: Vec<String> = rows.map(|r| agent(r.of.0.as_deref())).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// How runs without an agent are shown, and asked for.
const NO_AGENT: &str = "(no agent)";

fn agent(name: Option<&str>) -> String {
    name.map_or_else(|| NO_AGENT.to_owned(), |name| cut(&printable(name), 40))
}

/// How to exit, with a line on what decided.
fn gate(rows: &Rows, what: FailOn, require_power: bool) -> Result<u8> {
    let failing = |r: &&Row| what == FailOn::Drift || r.worse == Some(true);
    let drifted = rows.of("drift").filter(failing).count();
    // What explains other metrics need not be known.
    let unsure: Vec<&Row> = rows.of("insufficient").filter(|r| r.family == "primary").collect();
    let few = match (rows.0.is_empty(), unsure.len()) {
        (true, _) => Some("there are no runs to compare".to_owned()),
        (_, 0) => None,
        (_, n) => {
            Some(format!("{n} metrics of {} have too few runs to say", Rows::agents(unsure.iter().copied()).join(", ")))
        }
    };
    if drifted > 0 {
        let worse = if what == FailOn::Worse { " for the worse" } else { "" };
        say!(
            "spanfile: {drifted} metrics drifted{worse}: {}",
            Rows::agents(rows.of("drift").filter(failing)).join(", ")
        );
        return Ok(exit::GATE);
    }
    match few {
        Some(few) if require_power => {
            say!("spanfile: {few}");
            Ok(exit::GATE)
        }
        Some(few) => {
            say!("spanfile: passed, but {few}; --require-power makes that fail");
            Ok(exit::FINE)
        }
        None => Ok(exit::FINE),
    }
}

/// What was compared in a few lines, and what drifted as a table.
pub(super) async fn show(engine: &Engine, asked: &Asked, all: bool, look: Look, out: &mut impl Write) -> Result<()> {
    let rows = Rows::read(engine, asked).await?;
    let mut write = |text: &str| out.write_all(text.as_bytes()).map_err(output_error);
    for line in summary(&rows, asked).into_iter().chain(empty_side(&rows)) {
        write(&look.paint(Paint::Total, &folded(&line, look.width, 2)))?;
    }
    let shown: Vec<&Row> = rows.0.iter().filter(|r| all || r.verdict == "drift").collect();
    if !shown.is_empty() {
        let bins = Bins::read(engine, asked).await?;
        write(&table(&shown, &bins, look))?;
    }
    if let Some(few) = too_few(&rows) {
        write(&look.paint(Paint::Doubtful, &folded(&few, look.width, 2)))?;
    }
    Ok(())
}

fn summary(rows: &Rows, asked: &Asked) -> [String; 2] {
    let [base, current] = [0, 1].map(|side| {
        let runs = rows.0.iter().filter(|r| r.of.2 == "steps").map(|r| r.runs[side]).sum::<i64>();
        format!("{} ({} agent run{})", printable(&asked.sides[side]), grouped(runs), if runs == 1 { "" } else { "s" })
    });
    let of = Rows::agents(rows.0.iter()).len();
    let drifted = Rows::agents(rows.of("drift"));
    let worse = rows.of("drift").filter(|r| r.worse == Some(true)).count();
    let found = match drifted.len() {
        0 if rows.0.is_empty() => match &asked.agent {
            Some(name) => format!("Nothing to compare: no such runs of an agent {}.", agent(Some(name))),
            None => "Nothing to compare: no such runs.".to_owned(),
        },
        0 if rows.of("no_drift").next().is_none() => "Nothing could be judged.".to_owned(),
        0 => {
            let judged = Rows::agents(rows.of("no_drift")).len();
            let agents = if judged == of { grouped(of as i64) } else { format!("{judged} of {of}") };
            format!("No drift in {agents} agent{}.", if of == 1 { "" } else { "s" })
        }
        n => {
            let (more, metrics) = (drifted.len().saturating_sub(8), rows.of("drift").count());
            let mut names: Vec<String> = drifted.into_iter().take(8).collect();
            names.extend((more > 0).then(|| format!("{more} more")));
            let names = names.join(", ");
            let metrics = format!("{worse} of {metrics} metric{}", if metrics == 1 { "" } else { "s" });
            format!("{n} of {of} agent{} drifted: {names}; {metrics} for the worse.", if of == 1 { "" } else { "s" })
        }
    };
    [format!("{current} against {base}."), found]
}

/// A side without runs is hardly what was meant.
fn empty_side(rows: &Rows) -> Option<String> {
    let has_runs = |side: usize| rows.0.iter().any(|r| r.runs[side] > 0);
    match (has_runs(0), has_runs(1)) {
        _ if rows.0.is_empty() => None,
        (false, _) => Some("The baseline has no runs.".to_owned()),
        (_, false) => Some("The current side has no runs.".to_owned()),
        _ => None,
    }
}

fn too_few(rows: &Rows) -> Option<String> {
    let mut agents: Vec<(String, [i64; 2])> = Vec::new();
    for row in rows.of("insufficient").filter(|r| r.of.2 == "steps") {
        let within = row.of.1.as_deref().map(|s| format!(" within {}", cut(&printable(s), 24))).unwrap_or_default();
        agents.push((format!("{}{within}", agent(row.of.0.as_deref())), row.runs));
    }
    let others = rows.of("insufficient").filter(|r| r.family == "primary").count();
    if others == 0 {
        return None;
    }
    let told = agents.iter().take(6).map(|(name, [base, current])| format!("{name} ({base} and {current} runs)"));
    let more = agents.len().saturating_sub(6);
    let mut told: Vec<String> = told.collect();
    told.extend((more > 0).then(|| format!("{more} more")));
    let told = if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) };
    Some(format!("Too few runs to say of {} metrics{told}.", grouped(others as i64)))
}

/// The distributions of both sides.
struct Bins(HashMap<Of, Vec<(Option<String>, f64, f64)>>);

impl Bins {
    async fn read(engine: &Engine, asked: &Asked) -> Result<Self> {
        let mut bins: HashMap<Of, Vec<_>> = HashMap::new();
        for b in engine.sql(&asked.from("drift_detail")).await?.collect().await? {
            let [agent, stratum, metric, category] =
                ["agent_name", "stratum", "metric", "category"].map(|name| texts(&b, name));
            let (agent, stratum, metric, category) = (agent?, stratum?, metric?, category?);
            let (base, current) = (doubles(&b, "base_share")?, doubles(&b, "cur_share")?);
            for i in 0..b.num_rows() {
                let of = (agent[i].clone(), stratum[i].clone(), metric[i].clone().unwrap_or_default());
                let shares = (category[i].clone(), base[i].unwrap_or(0.0), current[i].unwrap_or(0.0));
                bins.entry(of).or_default().push(shares);
            }
        }
        Ok(Bins(bins))
    }

    /// Of numbers, how many current runs lie in each tenth of the base.
    fn drawn(&self, row: &Row) -> String {
        const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let Some(bins) = self.0.get(&row.of).filter(|_| row.kind == "numeric" && row.runs[0] > 0) else {
            return String::new();
        };
        let most = bins.iter().map(|(_, _, current)| *current).fold(0.0, f64::max);
        let bar = |share: f64| BARS[((share / most * 7.0).round() as usize).min(7)];
        bins.iter().map(|(_, _, current)| if most > 0.0 { bar(*current) } else { ' ' }).collect()
    }

    /// Of mixes, what changed most.
    fn most_changed(&self, row: &Row) -> Option<String> {
        let change = |(_, base, current): &(_, f64, f64)| (current - base).abs();
        let (category, base, current) = self.0.get(&row.of)?.iter().max_by(|a, b| change(a).total_cmp(&change(b)))?;
        let name = printable(category.as_deref().unwrap_or_default());
        Some(format!("{} {:.0} → {:.0} %", cut(&name, 16), base * 100.0, current * 100.0))
    }
}

/// A value of a metric for people.
fn value(row: &Row, value: Option<f64>) -> String {
    let Some(value) = value else { return String::new() };
    match (&*row.kind, row.unit.as_deref()) {
        ("binary", _) => format!("{:.1} %", value * 100.0),
        (_, Some("ns")) => time(value.round() as i64),
        (_, Some("USD")) => {
            let pico = (value * 1e12).round() as i128;
            dollars(pico, decimals([pico].into_iter()), false)
        }
        _ if value.abs() >= 1e15 => format!("{value:.3e}"),
        _ if value.abs() >= 100.0 => grouped(value.round() as i64),
        _ if value.fract() == 0.0 => format!("{value}"),
        _ => format!("{value:.2}"),
    }
}

fn change(row: &Row, bins: &Bins) -> String {
    match (&*row.kind, row.medians, row.ratio) {
        ("binary", [Some(base), Some(current)], _) => format!("{:+.1} points", (current - base) * 100.0),
        (_, _, Some(ratio)) if row.is_of_the_tail(ratio) => {
            let [base, current] = row.p95.map(|p95| value(row, p95));
            format!("95th percentile {base} → {current}")
        }
        (_, _, Some(ratio)) => match row.interval {
            Some((lo, hi)) => format!("× {ratio:.2} [{lo:.2}–{hi:.2}]"),
            None => format!("× {ratio:.2}"),
        },
        ("categorical", ..) => bins.most_changed(row).unwrap_or_default(),
        _ => row.direction.clone().unwrap_or_default(),
    }
}

fn table(shown: &[&Row], bins: &Bins, look: Look) -> String {
    const AGENT_WIDTH: usize = 20;
    // What there is no room for is left out: the p-value, the picture, since when.
    const LEFT_OUT: [usize; 3] = [8, 7, 6];
    let by = shown.iter().any(|r| r.of.1.is_some());
    let headings = ["agent", "within", "metric", "before", "now", "change", "since", "spread now", "p"];
    let numbers = [false, false, false, true, true, false, false, false, true];
    let lines: Vec<([String; 9], Option<Paint>)> = shown
        .iter()
        .map(|r| {
            let paint = match (&*r.verdict, r.worse) {
                ("drift", Some(true)) => Some(Paint::Bad),
                ("drift", None) => Some(Paint::Doubtful),
                _ => None,
            };
            let since = r.change_at.as_deref().map(|t| t.chars().take(16).collect::<String>().replace('T', " "));
            let p = r.p_adj.map(|p| if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") });
            let verdict = if r.verdict == "insufficient" { "too few runs".to_owned() } else { change(r, bins) };
            let cells = [
                agent(r.of.0.as_deref()),
                r.of.1.as_deref().map(printable).unwrap_or_default(),
                printable(r.of.2.strip_suffix("_ns").unwrap_or(&r.of.2)),
                value(r, r.medians[0]),
                value(r, r.medians[1]),
                verdict,
                since.unwrap_or_default(),
                bins.drawn(r),
                p.unwrap_or_default(),
            ];
            (cells, paint)
        })
        .collect();
    let mut widths = headings.map(UnicodeWidthStr::width);
    for (cells, _) in &lines {
        widths.iter_mut().zip(cells).for_each(|(width, cell)| *width = (*width).max(cell.width()));
    }
    widths[0] = widths[0].min(AGENT_WIDTH);
    let mut kept = [true; 9];
    kept[1] = by;
    let total = |kept: &[bool; 9]| (0..9).filter(|i| kept[*i]).map(|i| widths[i] + 2).sum::<usize>().saturating_sub(2);
    for column in LEFT_OUT {
        if total(&kept) > look.width {
            kept[column] = false;
        }
    }
    let line = |cells: &[&str; 9]| {
        let cells = (0..9).filter(|i| kept[*i]).map(|i| padded(&cut(cells[i], widths[i]), widths[i], numbers[i]));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut out = look.paint(Paint::Heading, &line(&headings)) + "\n";
    for (cells, paint) in &lines {
        let text = line(&cells.each_ref().map(String::as_str));
        // Only the agent is coloured: where all is, nothing stands out.
        let end = cut(&cells[0], widths[0]).len().min(text.len());
        let (name, rest) = text.split_at(end);
        out += &format!("{}{rest}\n", paint.map_or_else(|| name.to_owned(), |paint| look.paint(paint, name)));
    }
    out
}
