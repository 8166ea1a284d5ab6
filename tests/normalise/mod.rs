//! The columns that captures of each dialect get, against golden files.
//!
//! Run with `SPANFILE_BLESS=1` to write the golden files anew, and read the difference before committing it.

use std::fmt::Write;
use std::path::Path;

use arrow::array::Array;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use spanfile::schema::{Origin, SPANS};

use crate::ingest::gather::gather;

mod captures;
mod frameworks;
mod invariants;

/// Longest value that is written out; of longer ones beginning and length.
const SHOWN_CHARS: usize = 100;

fn describe(capture: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let got = gather(&std::fs::read(folder.join(capture)).unwrap());
    assert_eq!(got.rejected, []);
    let batch = got.batch.spans;
    let options = FormatOptions::default();
    let mut out = format!("# {capture}\n");
    for row in 0..batch.num_rows() {
        writeln!(out, "{}", got.names[row]).unwrap();
        for (column, array) in SPANS.iter().zip(batch.columns()) {
            if column.origin != Origin::Normalised || array.is_null(row) {
                continue;
            }
            let text = ArrayFormatter::try_new(array, &options).unwrap().value(row).to_string().replace('\n', "\\n");
            let chars = text.chars().count();
            if chars > SHOWN_CHARS {
                let shown: String = text.chars().take(SHOWN_CHARS).collect();
                writeln!(out, "  {} = {shown}... ({chars})", column.name).unwrap();
            } else {
                writeln!(out, "  {} = {text}", column.name).unwrap();
            }
        }
    }
    out
}

fn golden(name: &str, captures: &[&str]) {
    compare(name, &captures.iter().map(|c| describe(c)).collect::<String>());
}

/// Compares with a golden file, or writes it.
pub(crate) fn compare(name: &str, got: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden").join(name);
    if std::env::var_os("SPANFILE_BLESS").is_some() {
        std::fs::write(&path, got).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    for (n, (got, want)) in got.lines().zip(want.lines()).enumerate() {
        assert_eq!(got, want, "{name}, line {}", n + 1);
    }
    assert_eq!(got.lines().count(), want.lines().count(), "{name}");
}

#[test]
fn otel_gen_ai() {
    golden("otel_gen_ai.txt", &["openai-otelv2.normal.jsonl", "litellm-native.normal.jsonl"]);
}

#[test]
fn claude_code() {
    let files = ["orders.jsonl", "orders/subagents/agent-a1b2c3d.jsonl", "sidechain.jsonl"];
    golden("claude_code.txt", &files.map(|f| format!("claude_code/{f}")).each_ref().map(String::as_str));
}

#[test]
fn openinference() {
    golden(
        "openinference.txt",
        &[
            "openai-openinference.normal.jsonl",
            "openai-openinference.embed.jsonl",
            "openai_agents-openinference.handoff.jsonl",
            "crewai-openinference.normal.jsonl",
            "langgraph-openinference.rag.jsonl",
            "langgraph-openinference.stream.jsonl",
            "langgraph-openinference.parallel.json",
        ],
    );
}

#[test]
fn langfuse() {
    golden("langfuse.txt", &["langfuse-openai.toolerror.jsonl.zst", "langfuse-sdk.normal.jsonl.zst"]);
}

#[test]
fn agentops() {
    golden("agentops.txt", &["agentops-agents.normal.jsonl.zst", "agentops-agents.handoff.jsonl.zst"]);
}

#[test]
fn logfire() {
    golden("logfire.txt", &["openai_agents-logfire.normal.jsonl.zst"]);
}

#[test]
fn pydantic_ai() {
    golden(
        "pydantic_ai.txt",
        &[
            "pydantic_ai-native-v2.normal.jsonl.zst",
            "pydantic_ai-native-v5.handoff.jsonl.zst",
            "pydantic_ai-native-v5.stream.jsonl.zst",
        ],
    );
}

#[test]
fn vercel() {
    golden(
        "vercel.txt",
        &[
            "vercel_ai5-native.toolerror.jsonl.zst",
            "vercel_ai5-native.stream.jsonl.zst",
            "vercel_ai5-native.structured.jsonl.zst",
        ],
    );
}
