//! `spanfile demo`: the bundled captures in a file, and what SQL says about them.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use spanfile::Rejects;
use spanfile::ingest::{BoxError, Reject};
use spanfile_query::render::{Format, RenderOptions, render};
use spanfile_query::{Engine, EngineOptions, QueryError, Result};

use super::drawing::Look;
use super::query::{runtime, terminal_width};
use super::{exit, output_error};
use crate::cli::{CostBy, DemoArgs};

/// What the demo shows: a heading and the SQL behind it.
const SECTIONS: [(&str, &str); 6] = [
    (
        "Runs",
        "SELECT substr(trace_id, 1, 8) AS run, coalesce(agents, workflow_name) AS agents, outcome, steps, llm_calls,
       tool_calls, total_tokens AS tokens, errors, round(duration_ns / 1e9, 2) AS seconds
FROM runs ORDER BY start_time, trace_id LIMIT 12",
    ),
    (
        "Spans by kind, and the tokens that count",
        "SELECT kind, count(*) AS spans, count(DISTINCT trace_id) AS runs,
       sum(input_tokens) FILTER (WHERE usage_counted) AS input_tokens,
       sum(output_tokens) FILTER (WHERE usage_counted) AS output_tokens
FROM spans GROUP BY kind ORDER BY spans DESC, kind",
    ),
    (
        "Agents and what they use",
        "SELECT agent_name AS agent, models, tools, runs, calls, total_tokens AS tokens, errors
FROM agents ORDER BY tokens DESC, agent LIMIT 12",
    ),
    (
        "Tool calls",
        "SELECT agent_name AS agent, tool_name AS tool, count(*) AS calls, count(DISTINCT args_hash) AS different_args,
       count(*) FILTER (WHERE failed) AS errors, round(avg(duration_ns) / 1e6, 2) AS avg_ms
FROM tool_calls GROUP BY agent_name, tool_name ORDER BY calls DESC, agent, tool LIMIT 12",
    ),
    (
        "Slowest steps",
        "SELECT substr(trace_id, 1, 8) AS run, step, kind, agent_name AS agent, called,
       round(duration_ns / 1e6, 2) AS ms
FROM steps ORDER BY duration_ns DESC, run, step LIMIT 5",
    ),
    (
        "Errors, where they began",
        "SELECT substr(trace_id, 1, 8) AS run, step, kind, called, error_type, substr(error_message, 1, 60) AS message
FROM errors ORDER BY start_time, span_id LIMIT 8",
    ),
];

/// The costs that it shows first: a heading, what they are summed by, and how many rows.
const COSTS: [(&str, CostBy, usize); 2] =
    [("What runs cost, the dearest first", CostBy::Run, 5), ("What models cost", CostBy::Model, 8)];

pub(crate) fn run(args: &DemoArgs) -> Result<u8> {
    let path = match &args.file {
        Some(path) => path.clone(),
        None => ingest_captures()?,
    };
    show(&path)?;
    if args.file.is_none() {
        show_drift()?;
    }
    Ok(exit::FINE)
}

/// Captures of real agent frameworks that come with the program.
const CAPTURES: [(&str, &[u8]); 7] = [
    ("langgraph-openinference.loop", include_bytes!("../../../testdata/langgraph-openinference.loop.pb.gz")),
    ("langgraph-openinference.rag", include_bytes!("../../../testdata/langgraph-openinference.rag.pb")),
    ("openai_agents-openinference.handoff", include_bytes!("../../../testdata/openai_agents-openinference.handoff.pb")),
    ("crewai-openinference.normal", include_bytes!("../../../testdata/crewai-openinference.normal.jsonl")),
    ("langfuse-openai.toolerror", include_bytes!("../../../testdata/langfuse-openai.toolerror.jsonl.zst")),
    ("openai-otelv2.normal", include_bytes!("../../../testdata/openai-otelv2.normal.pb")),
    ("openai-otelv2.normal.logs", include_bytes!("../../../testdata/openai-otelv2.normal.logs.pb")),
];

/// Where the demo writes, in the working directory.
const DEMO_FILE: &str = "demo.spans";

/// Writes the bundled captures into a file and says where it is. Ingesting is idempotent: a file that is there from
/// an earlier demo stays as it is.
fn ingest_captures() -> Result<PathBuf> {
    let path = PathBuf::from(DEMO_FILE);
    let summary = super::ingest::into_file(&path, NoRejects, |importer, summary| {
        for (name, bytes) in CAPTURES {
            let one = spanfile::ingest::ingest(name, bytes, importer)
                .map_err(|e| QueryError::Io { path: name.into(), source: std::io::Error::other(e) })?;
            summary.spans += one.spans;
            summary.logs += one.logs;
        }
        Ok(None)
    })?;
    println!(
        "{} captures with {} spans and {} log records are in {}",
        CAPTURES.len(),
        summary.spans,
        summary.logs,
        path.display()
    );
    Ok(path)
}

/// Where the runs go that the demo makes itself.
const DRIFT_FILE: &str = "demo-drift.spans";

/// Shows what changed between runs that the demo makes.
fn show_drift() -> Result<()> {
    let path = PathBuf::from(DRIFT_FILE);
    let summary = super::ingest::into_file(&path, NoRejects, |importer, summary| {
        let runs = super::demo_runs::otlp();
        let one = spanfile::ingest::ingest("demo runs", runs.as_bytes(), importer)
            .map_err(|e| QueryError::Io { path: DRIFT_FILE.into(), source: std::io::Error::other(e) })?;
        summary.spans += one.spans;
        Ok(None)
    })?;
    let runtime = runtime(None)?;
    let engine = Engine::open(&path, EngineOptions::default())?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let made =
        format!("{} spans of 35 days, made up for this demo, are in {DRIFT_FILE}", super::grouped(summary.spans));
    writeln!(out, "\nWhat changed: {made}").map_err(output_error)?;
    runtime.block_on(super::drift::show(&engine, &super::drift::Asked::usual(), false, Look::of(None), &mut out))?;
    out.flush().map_err(output_error)
}

/// The captures are good; a bad one would be our own mistake.
struct NoRejects;

impl Rejects for NoRejects {
    fn reject(&mut self, reject: &Reject<'_>) -> std::result::Result<(), BoxError> {
        Err(format!("{}: {}: {}", reject.source, reject.position, reject.reason).into())
    }

    fn more(&mut self, _bytes: &[u8]) -> std::result::Result<(), BoxError> {
        Ok(())
    }
}

fn show(path: &Path) -> Result<()> {
    let runtime = runtime(None)?;
    let engine = Engine::open(path, EngineOptions::default())?;
    let options = RenderOptions { width: terminal_width(), ..RenderOptions::default() };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut complete = true;
    for (heading, by, top) in COSTS {
        writeln!(out, "\n{heading}").map_err(output_error)?;
        complete &= runtime.block_on(super::cost::show_by(&engine, by, top, &mut out))?;
    }
    if complete {
        writeln!(out, "Every call has a price: nothing is missing from these totals.").map_err(output_error)?;
    }
    writeln!(out, "\nWhat agents did again and again").map_err(output_error)?;
    let loops = super::loops::show_worst(&engine, "loops", ("true", false), 5, Look::of(None), &mut out);
    runtime.block_on(loops)?;
    for (heading, sql) in SECTIONS {
        writeln!(out, "\n{heading}").map_err(output_error)?;
        runtime.block_on(async {
            let query = engine.sql(sql).await?;
            render(query.stream()?, &Format::Table, &options, &mut out).await
        })?;
    }
    writeln!(
        out,
        "\nNow try: spanfile {} \"SELECT step, kind, called, duration_ns FROM steps ORDER BY trace_id, step\"",
        path.display()
    )
    .map_err(output_error)?;
    out.flush().map_err(output_error)
}
