//! All captures of the frameworks that only some have a golden file for, by what the stub model and the tools did.
//!
//! The captures lie beside the repository, in `../shared`; without them the test says so and passes.

use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int64Type};
use spanfile::scores::evaluations;

use crate::ingest::gather::gather;

/// One capture: calls of the model with their tokens as the model reported them, and the steps around them.
struct Capture {
    name: &'static str,
    /// Calls, input, output, cached and reasoning tokens.
    model: [i64; 5],
    /// Agents, tool calls, tool calls without a result (they failed, or the framework does not say), handoffs.
    steps: [usize; 4],
    /// Reported cost in pico-dollars.
    cost: i128,
}

const fn capture(name: &'static str, model: [i64; 5], steps: [usize; 4], cost: i128) -> Capture {
    Capture { name, model, steps, cost }
}

static CAPTURES: &[Capture] = &[
    capture("langfuse-openai/loop", [10, 2845, 347, 2432, 240], [1, 9, 0, 0], 0),
    capture("langfuse-openai/normal", [4, 640, 145, 448, 96], [1, 3, 0, 0], 0),
    capture("langfuse-openai/toolerror", [4, 614, 131, 448, 96], [1, 3, 2, 0], 0),
    capture("langfuse-sdk/loop", [9, 1512, 252, 576, 72], [1, 10, 1, 0], 270000000),
    capture("langfuse-sdk/normal", [3, 495, 84, 192, 24], [1, 4, 1, 0], 90000000),
    capture("agentops-agents/handoff", [7, 1127, 226, 896, 168], [7, 0, 0, 6], 0),
    capture("agentops-agents/loop", [10, 3765, 347, 3392, 240], [1, 9, 0, 0], 0),
    capture("agentops-agents/normal", [4, 908, 145, 640, 96], [1, 3, 0, 0], 0),
    capture("agentops-agents/toolerror", [4, 894, 131, 640, 96], [1, 3, 0, 0], 0),
    capture("openai_agents-logfire/normal", [4, 908, 145, 640, 96], [1, 3, 0, 0], 175200000),
    capture("pydantic_ai-native-v2/abab", [11, 3745, 372, 3328, 264], [1, 10, 0, 0], 535350000),
    capture("pydantic_ai-native-v2/handoff", [7, 572, 256, 320, 168], [4, 3, 0, 0], 215400000),
    capture("pydantic_ai-native-v2/loop", [10, 3392, 347, 2944, 240], [1, 9, 0, 0], 496200000),
    capture("pydantic_ai-native-v2/normal", [4, 837, 145, 640, 96], [1, 3, 0, 0], 164550000),
    capture("pydantic_ai-native-v2/toolerror", [4, 818, 131, 512, 96], [1, 3, 0, 0], 162900000),
    capture("pydantic_ai-native-v5/abab", [11, 3745, 372, 3328, 264], [1, 10, 0, 0], 535350000),
    capture("pydantic_ai-native-v5/handoff", [7, 572, 256, 320, 168], [4, 3, 0, 0], 215400000),
    capture("pydantic_ai-native-v5/loop", [10, 3392, 347, 2944, 240], [1, 9, 0, 0], 496200000),
    capture("pydantic_ai-native-v5/normal", [4, 837, 145, 640, 96], [1, 3, 0, 0], 164550000),
    capture("pydantic_ai-native-v5/stream", [1, 157, 38, 0, 24], [1, 0, 0, 0], 46350000),
    capture("pydantic_ai-native-v5/toolerror", [4, 818, 131, 512, 96], [1, 3, 0, 0], 162900000),
    capture("vercel_ai5-native/abab", [11, 3609, 372, 0, 0], [0, 10, 0, 0], 0),
    capture("vercel_ai5-native/loop", [10, 3165, 347, 0, 0], [0, 9, 0, 0], 0),
    capture("vercel_ai5-native/normal", [4, 838, 145, 0, 0], [0, 3, 0, 0], 0),
    capture("vercel_ai5-native/stream", [1, 166, 38, 0, 24], [0, 0, 0, 0], 0),
    capture("vercel_ai5-native/structured", [1, 58, 32, 0, 0], [0, 0, 0, 0], 0),
    capture("vercel_ai5-native/toolerror", [4, 824, 131, 0, 0], [0, 3, 2, 0], 0),
];

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("shared/data/captures");
    folder.is_dir().then_some(folder)
}

struct Rows<'a>(&'a RecordBatch);

impl Rows<'_> {
    fn text(&self, column: &str, row: usize) -> Option<&str> {
        let array = self.0.column_by_name(column).unwrap().as_string::<i32>();
        array.is_valid(row).then(|| array.value(row))
    }

    fn sum(&self, column: &str, rows: &[usize]) -> i64 {
        let array = self.0.column_by_name(column).unwrap().as_primitive::<Int64Type>();
        rows.iter().filter(|&&r| array.is_valid(r)).map(|&r| array.value(r)).sum()
    }

    fn cost(&self, rows: &[usize]) -> i128 {
        let array = self.0.column_by_name("reported_cost_usd").unwrap().as_primitive::<Decimal128Type>();
        rows.iter().filter(|&&r| array.is_valid(r)).map(|&r| array.value(r)).sum()
    }

    fn of_kind(&self, kind: &str) -> Vec<usize> {
        (0..self.0.num_rows()).filter(|&r| self.text("kind", r) == Some(kind)).collect()
    }

    fn all_have(&self, columns: &[&str], rows: &[usize], capture: &str) {
        for column in columns {
            for &row in rows {
                let array = self.0.column_by_name(column).unwrap();
                assert!(array.is_valid(row), "{capture}: row {row} has no {column}");
            }
        }
    }
}

/// Frameworks whose spans do not say who the provider is.
const WITHOUT_PROVIDER: [&str; 3] = ["langfuse-openai/", "langfuse-sdk/", "agentops-agents/"];

fn check(capture: &Capture, batch: &RecordBatch) {
    let (rows, name) = (Rows(batch), capture.name);
    let model = rows.of_kind("llm");
    let tokens = ["input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens"];
    let got: Vec<i64> = std::iter::once(model.len() as i64).chain(tokens.iter().map(|c| rows.sum(c, &model))).collect();
    assert_eq!(got, capture.model, "{name}");
    assert_eq!(rows.cost(&model), capture.cost, "{name}");
    let always = ["request_model", "response_model", "input", "output", "total_tokens", "usage_convention", "dialect"];
    rows.all_have(&always, &model, name);
    if !WITHOUT_PROVIDER.iter().any(|p| name.starts_with(p)) {
        rows.all_have(&["provider"], &model, name);
        assert!(model.iter().all(|&r| rows.text("provider", r) == Some("openai")), "{name}");
    }

    let (agents, tools, handoffs) = (rows.of_kind("agent"), rows.of_kind("tool"), rows.of_kind("handoff"));
    rows.all_have(&["agent_name"], &agents, name);
    rows.all_have(&["tool_name", "tool_args"], &tools, name);
    rows.all_have(&["handoff_from", "handoff_to"], &handoffs, name);
    let silent = tools.iter().filter(|&&r| rows.text("tool_result", r).is_none()).count();
    assert_eq!([agents.len(), tools.len(), silent, handoffs.len()], capture.steps, "{name}");
    for &row in &tools {
        let tool = rows.text("tool_name", row).unwrap();
        assert!(!tool.contains(['{', ' ', ':']), "{name}: {tool} is a template or a sentence");
    }
    for row in 0..batch.num_rows() {
        assert!(rows.text("input", row) != Some("") && rows.text("output", row) != Some(""), "{name}");
        // No framework here writes evaluation results on spans, and what it does write is none by mistake.
        assert_eq!(evaluations(rows.text("attributes", row), []).unwrap(), [], "{name}");
    }
}

#[test]
fn every_capture_says_what_model_and_tools_did() {
    let Some(folder) = folder() else {
        eprintln!("skipped: no ../shared/data/captures");
        return;
    };
    for capture in CAPTURES {
        for format in ["jsonl", "pb"] {
            let bytes = std::fs::read(folder.join(format!("{}.{format}", capture.name))).unwrap();
            let got = gather(&bytes);
            assert_eq!(got.rejected, []);
            check(capture, &got.batch.spans);
        }
    }
}
