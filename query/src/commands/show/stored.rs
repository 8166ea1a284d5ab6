//! What a file holds of one run, statement by statement.

use std::collections::HashMap;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::DataType;
use spanfile_query::{Engine, QueryError, Result};

use super::super::cells::{flags, ints, texts, usd};
use super::run::{Run, RunLoop, RunSpan, Texts};

/// What the roll-up says of the run, and how many calls have neither tokens nor a cost.
pub(super) async fn header(engine: &Engine, id: &str) -> Result<(Run, i64)> {
    let sql = format!(
        "SELECT *, (SELECT coalesce(sum(unaccounted_calls), 0) FROM usage WHERE trace_id = '{id}') AS unaccounted \
         FROM runs WHERE trace_id = '{id}' LIMIT 1"
    );
    let mut run = Run { id: id.to_owned(), ..Run::default() };
    let mut unaccounted = 0;
    for b in engine.sql(&sql).await?.collect().await?.into_iter().filter(|b| b.num_rows() > 0) {
        let text = |name: &str| Ok::<_, QueryError>(texts(&b, name)?.swap_remove(0));
        let int = |name: &str| Ok::<_, QueryError>(ints(&b, name)?[0]);
        run.name = text("root_name")?;
        let agents = text("agents")?.unwrap_or_default();
        run.agents = serde_json::from_str(&agents).unwrap_or_default();
        run.workflow = text("workflow_name")?;
        run.session_id = text("session_id")?;
        run.user_id = text("user_id")?;
        run.service = text("service_name")?;
        run.environment = text("environment")?;
        run.outcome = text("outcome")?;
        run.error_type = text("error_type")?;
        run.error_message = text("error_message")?;
        run.started = int("start_time")?;
        run.started_at = text("start_time")?;
        run.duration_ns = int("duration_ns")?;
        run.steps = int("steps")?;
        run.llm_calls = int("llm_calls")?;
        run.tool_calls = int("tool_calls")?;
        run.errors = int("errors")?;
        run.input_tokens = int("input_tokens")?;
        run.output_tokens = int("output_tokens")?;
        run.total_tokens = int("total_tokens")?;
        unaccounted = int("unaccounted")?.unwrap_or(0);
    }
    Ok((run, unaccounted))
}

/// Spans with the id of the parent, which is left out where following parents would lead back.
pub(super) async fn spans_of(engine: &Engine, id: &str, wanted: Texts) -> Result<Vec<(Option<String>, RunSpan)>> {
    let text_columns = match wanted {
        Texts::No => "",
        Texts::Arguments => ", coalesce(tool_args, CASE kind WHEN 'tool' THEN input END) AS tool_args",
        Texts::All => {
            ", input, coalesce(output, CASE kind WHEN 'retrieval' THEN documents END) AS output, tool_args, tool_result, \
             system_prompt"
        }
    };
    let sql = format!(
        "SELECT seq, span_id, CASE WHEN is_cycle THEN NULL ELSE parent_span_id END AS parent, is_orphan, \
         is_duplicate_of IS NOT NULL AS duplicate, name, kind, run_agent, provider, \
         coalesce(response_model, request_model) AS model, tool_name, tool_call_id, handoff_target, status, \
         coalesce(status_message, error_message) AS status_message, failed, error_type, start_time, duration_ns, \
         CASE WHEN usage_counted THEN input_tokens END AS input_tokens, \
         CASE WHEN usage_counted THEN output_tokens END AS output_tokens, \
         CASE WHEN usage_counted THEN total_tokens END AS total_tokens, cost_basis, \
         CASE WHEN cost_basis IN ('reported', 'covering') THEN reported_cost_usd WHEN cost_basis = 'computed' THEN \
         cost_usd(response_model, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, \
         cache_write_1h_tokens, reasoning_tokens, input_audio_tokens, input_image_tokens, output_audio_tokens, \
         request_model, provider, service_tier, start_time) END AS cost, step, args_hash, result_hash{text_columns} \
         FROM spans WHERE trace_id = '{id}'"
    );
    let mut found = Vec::new();
    for b in engine.sql(&sql).await?.collect().await? {
        let rows = b.num_rows();
        let mut t = TextColumns::of(&b)?;
        let (seq, start, duration) = (ints(&b, "seq")?, ints(&b, "start_time")?, ints(&b, "duration_ns")?);
        let [input, output, total] = ["input_tokens", "output_tokens", "total_tokens"].map(|c| ints(&b, c));
        let (input, output, total, step) = (input?, output?, total?, ints(&b, "step")?);
        let [orphan, duplicate, failed] = ["is_orphan", "duplicate", "failed"].map(|c| flags(&b, c));
        let (orphan, duplicate, failed, cost) = (orphan?, duplicate?, failed?, usd(&b, "cost")?);
        for i in 0..rows {
            let basis = t.take("cost_basis", i);
            let cost_complete = match basis.as_deref() {
                Some("incomplete" | "inconsistent") => false,
                Some("computed") => cost[i].is_some(),
                _ => true,
            };
            let span = RunSpan {
                seq: seq[i].unwrap_or(0),
                span_id: t.take("span_id", i).unwrap_or_default(),
                orphan: orphan[i].unwrap_or(false),
                duplicate: duplicate[i].unwrap_or(false),
                name: t.take("name", i).unwrap_or_default(),
                kind: t.take("kind", i).unwrap_or_else(|| "other".to_owned()),
                agent: t.take("run_agent", i),
                provider: t.take("provider", i),
                model: t.take("model", i),
                tool: t.take("tool_name", i),
                tool_call_id: t.take("tool_call_id", i),
                handoff: t.take("handoff_target", i),
                status: t.take("status", i),
                status_message: t.take("status_message", i),
                failed: failed[i].unwrap_or(false),
                error_type: t.take("error_type", i),
                start_ns: start[i],
                duration_ns: duration[i],
                input_tokens: input[i],
                output_tokens: output[i],
                total_tokens: total[i],
                cost_usd: cost[i],
                cost_complete,
                step: step[i],
                args_hash: t.take("args_hash", i),
                result_hash: t.take("result_hash", i),
                input: t.take("input", i),
                output: t.take("output", i),
                tool_args: t.take("tool_args", i),
                tool_result: t.take("tool_result", i),
                system_prompt: t.take("system_prompt", i),
                ..RunSpan::default()
            };
            found.push((t.take("parent", i), span));
        }
    }
    Ok(found)
}

/// The columns of a batch that are texts.
struct TextColumns(HashMap<String, Vec<Option<String>>>);

impl TextColumns {
    fn of(b: &RecordBatch) -> Result<Self> {
        let schema = b.schema();
        let named = schema.fields().iter().filter(|f| {
            matches!(
                f.data_type(),
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..)
            )
        });
        named.map(|f| Ok((f.name().clone(), texts(b, f.name())?))).collect::<Result<_>>().map(TextColumns)
    }

    /// A cell, which is not there a second time; `None` also where the statement has no such column.
    fn take(&mut self, column: &str, row: usize) -> Option<String> {
        self.0.get_mut(column)?.get_mut(row)?.take()
    }
}

/// Calls that no span records, below the spans that tell of them.
pub(super) async fn calls_of(engine: &Engine, id: &str, wanted: Texts) -> Result<Vec<(Option<String>, RunSpan)>> {
    let result = if wanted == Texts::All { "tool_result" } else { "CAST(NULL AS VARCHAR)" };
    let arguments = if wanted == Texts::No { "CAST(NULL AS VARCHAR)" } else { "tool_args" };
    let sql = format!(
        "SELECT span_id, call_index, step, time, agent_name, tool_name, tool_call_id, {arguments} AS tool_args, \
         {result} AS tool_result, args_hash, result_hash FROM synthetic_calls WHERE trace_id = '{id}'"
    );
    let mut found = Vec::new();
    for b in engine.sql(&sql).await?.collect().await? {
        let mut t = TextColumns::of(&b)?;
        let (call, step, time) = (ints(&b, "call_index")?, ints(&b, "step")?, ints(&b, "time")?);
        for i in 0..b.num_rows() {
            let span_id = t.take("span_id", i).unwrap_or_default();
            let tool = t.take("tool_name", i);
            let span = RunSpan {
                call: Some(call[i].unwrap_or(0)),
                span_id: span_id.clone(),
                name: tool.clone().unwrap_or_default(),
                kind: "tool".to_owned(),
                agent: t.take("agent_name", i),
                tool,
                tool_call_id: t.take("tool_call_id", i),
                start_ns: time[i],
                cost_complete: true,
                step: step[i],
                args_hash: t.take("args_hash", i),
                result_hash: t.take("result_hash", i),
                tool_args: t.take("tool_args", i),
                tool_result: t.take("tool_result", i),
                ..RunSpan::default()
            };
            found.push((Some(span_id), span));
        }
    }
    Ok(found)
}

/// Loops, from the table or from a function of its columns.
pub(super) async fn loops_of(engine: &Engine, id: &str, from: &str) -> Result<Vec<RunLoop>> {
    // Without costs the table is read as it is stored; most runs have no loops.
    let any = format!("SELECT loop_number FROM {from} WHERE trace_id = '{id}' LIMIT 1");
    if engine.sql(&any).await?.collect().await?.iter().all(|b| b.num_rows() == 0) {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT loop_number, kind, severity, evidence, wasted_tokens, wasted_cost_usd, cost_complete, wasted_ns \
         FROM {from} WHERE trace_id = '{id}' ORDER BY loop_number"
    );
    let mut found = Vec::new();
    for b in engine.sql(&sql).await?.collect().await? {
        let mut t = TextColumns::of(&b)?;
        let (numbers, ns, tokens) = (ints(&b, "loop_number")?, ints(&b, "wasted_ns")?, ints(&b, "wasted_tokens")?);
        let (usd, complete) = (usd(&b, "wasted_cost_usd")?, flags(&b, "cost_complete")?);
        for i in 0..b.num_rows() {
            found.push(RunLoop {
                number: numbers[i].unwrap_or(0),
                kind: t.take("kind", i).unwrap_or_default(),
                severity: t.take("severity", i).unwrap_or_default(),
                evidence: t.take("evidence", i).unwrap_or_default(),
                wasted_tokens: tokens[i],
                wasted_cost_usd: usd[i],
                cost_complete: complete[i].unwrap_or(false),
                wasted_ns: ns[i],
                last: 0,
            });
        }
    }
    Ok(found)
}

/// Which loop and repetition spans and calls are of, by their `seq` and the index of the call, -1 for a span.
pub(super) async fn members_of(
    engine: &Engine,
    id: &str,
    from: &str,
    loops: &mut [RunLoop],
) -> Result<HashMap<(i64, i64), (i64, i64)>> {
    let places: HashMap<i64, usize> = loops.iter().enumerate().map(|(at, l)| (l.number, at)).collect();
    let from = from.replacen("loops", "loop_spans", 1);
    let sql = format!("SELECT loop_number, repetition, seq, call_index FROM {from} WHERE trace_id = '{id}'");
    let mut members = HashMap::new();
    for b in engine.sql(&sql).await?.collect().await? {
        let [number, repetition, seq, call] =
            ["loop_number", "repetition", "seq", "call_index"].map(|name| ints(&b, name));
        for (((number, repetition), seq), call) in number?.into_iter().zip(repetition?).zip(seq?).zip(call?) {
            let (Some(number), Some(repetition), Some(seq)) = (number, repetition, seq) else { continue };
            // Another process may have written between this statement and the one before.
            if let Some(&at) = places.get(&number) {
                loops[at].last = loops[at].last.max(repetition);
                members.insert((seq, call.unwrap_or(-1)), (number, repetition));
            }
        }
    }
    Ok(members)
}
