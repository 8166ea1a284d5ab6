//! Two runs as rows, for the formats of queries: a row per step or pair of steps.

use datafusion::arrow::array::RecordBatch;
use serde_json::{Value, json};
use spanfile_query::Result;

use super::super::rows::Columns;
use super::super::show::run::RunSpan;
use super::align::Pair;
use super::changes::changes;

pub(super) fn rows(a: &[&RunSpan], b: &[&RunSpan], pairs: &[Pair]) -> Result<RecordBatch> {
    let sides: Vec<(Option<&RunSpan>, Option<&RunSpan>)> =
        pairs.iter().map(|p| p.sides()).map(|(i, k)| (i.map(|i| a[i]), k.map(|k| b[k]))).collect();
    // What both have in common, from whichever there is.
    let any = |(a, b): &(Option<&'_ RunSpan>, Option<&'_ RunSpan>)| a.or(*b).map(|s| (s.kind.clone(), s.agent.clone()));
    let shared: Vec<_> = sides.iter().map(any).collect();
    let changed: Vec<Option<String>> = pairs
        .iter()
        .map(|p| match *p {
            Pair::Changed(i, k) => {
                let all = changes(a[i], b[k]).into_iter().map(|c| json!({"path": c.path, "a": c.old, "b": c.new}));
                Some(Value::Array(all.collect()).to_string())
            }
            _ => None,
        })
        .collect();
    let mut c = Columns::default();
    c.text("state", pairs.iter().map(|p| Some(p.state())));
    c.text("kind", shared.iter().map(|s| s.as_ref().map(|(kind, _)| kind.as_str())));
    c.text("agent_name", shared.iter().map(|s| s.as_ref().and_then(|(_, agent)| agent.as_deref())));
    let in_a = || sides.iter().map(|(a, _)| *a);
    let in_b = || sides.iter().map(|(_, b)| *b);
    c.int("step_a", in_a().map(|s| s?.step));
    c.int("step_b", in_b().map(|s| s?.step));
    c.text("span_id_a", in_a().map(|s| Some(s?.span_id.as_str())));
    c.text("span_id_b", in_b().map(|s| Some(s?.span_id.as_str())));
    c.text("called_a", in_a().map(|s| Some(s?.title())));
    c.text("called_b", in_b().map(|s| Some(s?.title())));
    c.text("changes", changed.iter().map(Option::as_deref));
    c.flag(
        "same_result",
        sides.iter().map(|(a, b)| Some(a.as_ref()?.result_hash.as_ref()? == b.as_ref()?.result_hash.as_ref()?)),
    );
    let failed = |s: Option<&RunSpan>| s.filter(|s| !s.synthetic()).map(|s| s.failed);
    c.flag("failed_a", in_a().map(failed));
    c.flag("failed_b", in_b().map(failed));
    c.int("duration_ns_a", in_a().map(|s| s?.duration_ns));
    c.int("duration_ns_b", in_b().map(|s| s?.duration_ns));
    c.int("total_tokens_a", in_a().map(|s| s?.total_tokens));
    c.int("total_tokens_b", in_b().map(|s| s?.total_tokens));
    c.usd("cost_usd_a", in_a().map(|s| s?.cost_usd))?;
    c.usd("cost_usd_b", in_b().map(|s| s?.cost_usd))?;
    c.batch()
}
