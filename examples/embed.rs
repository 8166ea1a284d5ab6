//! Embeds the store in a program: records the spans of an agent run, reads them back while writing goes on.
//!
//! `cargo run --example embed -p spanfile`

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use spanfile::batch::{BatchBuilder, SpanBatch};
use spanfile::model::{Resource, Scope, Span, SpanId, TraceId, Value};
use spanfile::{Compare, Options, ScanRequest, ScanValue, Store, Table};

type AnyError = Box<dyn std::error::Error>;

/// The spans of one run: an agent that asks a model and calls a tool.
fn run(number: u64) -> Result<SpanBatch, AnyError> {
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?;
    let trace_id = TraceId((u128::from(now) << 64 | u128::from(number + 1)).to_be_bytes());
    let step = |id: u64, parent: Option<u64>, name: &'static str, attributes: &[(&'static str, Value<'static>)]| Span {
        trace_id,
        span_id: SpanId(id.to_be_bytes()),
        parent_span_id: parent.map(|p| SpanId(p.to_be_bytes())),
        name: Cow::Borrowed(name),
        start_unix_nano: now + id * 1_000_000,
        end_unix_nano: now + id * 1_000_000 + 900_000,
        attributes: attributes.iter().map(|(k, v)| (Cow::Borrowed(*k), v.clone())).collect(),
        ..Span::default()
    };
    let mut builder = BatchBuilder::new();
    builder.begin_resource(&Resource {
        attributes: vec![(Cow::Borrowed("service.name"), Value::from("order-desk"))],
        ..Resource::default()
    });
    builder.begin_scope(&Scope { name: Cow::Borrowed("embed-example"), ..Scope::default() });
    let operation = "gen_ai.operation.name";
    for span in [
        step(
            1,
            None,
            "invoke_agent triage",
            &[(operation, Value::from("invoke_agent")), ("gen_ai.agent.name", Value::from("triage"))],
        ),
        step(
            2,
            Some(1),
            "chat",
            &[
                (operation, Value::from("chat")),
                ("gen_ai.request.model", Value::from("gpt-5-mini")),
                ("gen_ai.usage.input_tokens", Value::from(1200)),
                ("gen_ai.usage.output_tokens", Value::from(85)),
            ],
        ),
        step(
            3,
            Some(1),
            "execute_tool lookup_order",
            &[(operation, Value::from("execute_tool")), ("gen_ai.tool.name", Value::from("lookup_order"))],
        ),
    ] {
        builder.push_span(&span)?;
    }
    Ok(builder.finish())
}

fn main() -> Result<(), AnyError> {
    let folder = tempfile::tempdir()?;
    let store = Store::create(folder.path().join("runs.spans"), Options::default())?;
    let mut writer = store.writer()?;
    for number in 0..3 {
        writer.append(run(number)?)?;
        let commit = writer.commit()?;
        println!("run {number}: {} spans are durable with commit {}", commit.spans, commit.version);
    }

    // A snapshot sees the file as of one commit, whatever is written meanwhile.
    let snapshot = store.snapshot()?;
    writer.append(run(3)?)?;
    writer.commit()?;
    let calls = ScanRequest::new(Table::Spans).columns(["name", "tool_name"]).filter(
        "kind",
        Compare::Eq,
        ScanValue::Text("tool".to_string()),
    );
    let mut rows = 0;
    for batch in snapshot.scan(&calls)? {
        rows += batch?.num_rows();
    }
    println!("{rows} tool calls in the snapshot, {} spans in the file", store.stats()?.spans);

    // What is quiet can be sealed into a compressed segment; everything is checked.
    writer.seal_all()?;
    let report = store.verify()?;
    println!("{} segment, {} traces, {} problems", report.segments, report.traces, report.problems.len());
    Ok(())
}
