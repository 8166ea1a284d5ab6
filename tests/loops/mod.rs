//! Loops: repetitions and findings against oracles that share nothing with the code, planted loops, runs of a million
//! steps, properties of findings, real captures, labelled runs.

mod captures;
mod findings;
mod labelled;
mod million;
mod oracle;
mod planted;
mod properties;
mod runs;
mod stored;

use spanfile::loops::{Step, StepKind, key};
use spanfile::model::SpanId;

/// A deterministic source of numbers (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// A tool call at a position of the run: it takes one second, and 10 tokens.
fn call(at: usize, tool: &str, argument: u64, result: u64) -> Step {
    let mut step = Step::new("agent", StepKind::Tool, tool);
    let hash = key(StepKind::Tool, tool, &argument.to_string());
    (step.k1, step.k2, step.r, step.result_bytes) = (Some(hash), Some(hash), Some(result), Some(64));
    (step.start_ns, step.end_ns) = (at as i64 * 1_000_000_000, (at as i64 + 1) * 1_000_000_000);
    (step.tokens, step.cost_pico_usd) = (Some(10), Some(1_000));
    step.span_id = SpanId((at as u64 + 1).to_be_bytes());
    step
}
