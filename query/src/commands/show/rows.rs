//! A run as rows, for the formats of queries: a row per span, in the order of the tree.

use datafusion::arrow::array::RecordBatch;
use spanfile_query::Result;

use super::super::rows::Columns;
use super::run::{Run, RunSpan};

/// All that is drawn, and more; inputs and outputs only where they are wanted.
pub(super) fn rows(run: &Run, texts: bool) -> Result<RecordBatch> {
    let spans = &run.spans;
    let mut c = Columns::default();
    let all = || spans.iter();
    c.text("trace_id", all().map(|_| Some(run.id.as_str())));
    c.text("span_id", all().map(|s| Some(s.span_id.as_str())));
    c.text("parent_span_id", all().map(|s| s.parent.map(|p| spans[p].span_id.as_str())));
    c.int("depth", all().map(|s| Some(s.depth as i64)));
    c.int("seq", all().map(|s| Some(s.seq)));
    c.int("step", all().map(|s| s.step));
    c.text("kind", all().map(|s| Some(s.kind.as_str())));
    c.text("called", all().map(|s| Some(s.title())));
    c.text("name", all().map(|s| Some(s.name.as_str())));
    c.text("agent_name", all().map(|s| s.agent.as_deref()));
    c.text("provider", all().map(|s| s.provider.as_deref()));
    c.text("model", all().map(|s| s.model.as_deref()));
    c.text("tool_name", all().map(|s| s.tool.as_deref()));
    c.text("tool_call_id", all().map(|s| s.tool_call_id.as_deref()));
    c.text("status", all().map(|s| s.status.as_deref()));
    c.flag("failed", all().map(|s| (!s.synthetic()).then_some(s.failed)));
    c.text("error_type", all().map(|s| s.error_type.as_deref()));
    c.text("error_message", all().map(|s| s.status_message.as_deref()));
    c.time("start_time", all().map(|s| run.first_start.zip(s.start_ns).map(|(first, at)| first.saturating_add(at))));
    c.int("start_ns", all().map(|s| s.start_ns));
    c.int("duration_ns", all().map(|s| s.duration_ns));
    c.flag("critical", all().map(|s| Some(s.critical)));
    c.int("critical_ns", all().map(|s| s.critical_ns));
    c.int("input_tokens", all().map(|s| s.input_tokens));
    c.int("output_tokens", all().map(|s| s.output_tokens));
    c.int("total_tokens", all().map(|s| s.total_tokens));
    c.usd("cost_usd", all().map(|s| s.cost_usd))?;
    c.flag("cost_complete", all().map(|s| Some(s.cost_complete)));
    c.int("loop_number", all().map(|s| s.loop_of.map(|(number, _)| number)));
    c.int("repetition", all().map(|s| s.loop_of.map(|(_, repetition)| repetition)));
    c.flag("synthetic", all().map(|s| Some(s.synthetic())));
    c.flag("duplicate", all().map(|s| Some(s.duplicate)));
    c.flag("is_orphan", all().map(|s| Some(s.orphan)));
    c.text("tool_args", all().map(|s| s.tool_args.as_deref()));
    if texts {
        type Of = fn(&RunSpan) -> Option<&str>;
        let columns: [(&'static str, Of); 4] = [
            ("tool_result", |s| s.tool_result.as_deref()),
            ("system_prompt", |s| s.system_prompt.as_deref()),
            ("input", |s| s.input.as_deref()),
            ("output", |s| s.output.as_deref()),
        ];
        for (name, of) in columns {
            c.text(name, all().map(of));
        }
    }
    c.batch()
}
