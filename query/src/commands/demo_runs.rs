//! Runs that the demo makes itself, to show drift in: two agents over 35 days, one of which calls tools more often, reads
//! more and fails more since its second version.

use std::fmt::Write;

use spanfile::stats::Random;

/// Midnight of 2026-01-01, UTC.
const BEGIN_NS: u64 = 1_767_225_600_000_000_000;
const DAY_NS: u64 = 86_400_000_000_000;
const DAYS: u64 = 35;
/// The day on which the second version came.
const RELEASE: u64 = 28;
const RUNS_PER_DAY: u64 = 9;

/// OTLP JSON, a request per run and line. The same each time.
pub(super) fn otlp() -> String {
    let mut random = Random::new(2026);
    let mut out = String::new();
    for day in 0..DAYS {
        for run in 0..RUNS_PER_DAY {
            for (agent, tools) in
                [("support", ["find_order", "read_policy", "web_search"]), ("invoices", ["read_pdf", "sum_up", "book"])]
            {
                let at = BEGIN_NS + day * DAY_NS + run * (DAY_NS / RUNS_PER_DAY) + random.below(3_600_000_000_000);
                let released = agent == "support" && day >= RELEASE;
                Run { random: &mut random, agent, tools, released, now: at, trace: 0 }.write(&mut out);
            }
        }
    }
    out
}

struct Run<'r> {
    random: &'r mut Random,
    agent: &'static str,
    tools: [&'static str; 3],
    released: bool,
    now: u64,
    trace: u128,
}

impl Run<'_> {
    fn write(mut self, out: &mut String) {
        self.trace = u128::from(self.random.next_u64()) << 64 | u128::from(self.random.next_u64());
        let (begin, root) = (self.now, self.id());
        let mut spans: Vec<String> = Vec::new();
        let rounds = 2 + self.random.below(3) + if self.released { 1 + self.random.below(2) } else { 0 };
        for round in 0..=rounds {
            spans.push(self.chat(root, round));
            if round < rounds {
                spans.push(self.tool(root));
            }
        }
        let failed = self.chance(if self.released { 0.2 } else { 0.05 });
        let status = if failed { r#","status":{"code":2,"message":"no answer"}"# } else { "" };
        let operation =
            attributes(&[("gen_ai.operation.name", "invoke_agent"), ("gen_ai.agent.version", self.version())]);
        spans.push(self.span(root, None, &format!("invoke_agent {}", self.agent), begin, &operation, status));
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{}]}},"scopeSpans":[{{"scope":{{"name":"spanfile.demo"}},"spans":[{}]}}]}}]}}"#,
            attributes(&[("service.name", "demo"), ("deployment.environment.name", "production")]),
            spans.join(",")
        );
    }

    fn version(&self) -> &'static str {
        if self.released { "v2" } else { "v1" }
    }

    fn id(&mut self) -> u64 {
        self.random.next_u64() | 1
    }

    fn chance(&mut self, of: f64) -> bool {
        self.random.unit() < of
    }

    /// Around a value, skewed as tokens and durations are: from about a half to about twice.
    fn around(&mut self, value: f64) -> u64 {
        let sum: f64 = (0..4).map(|_| self.random.unit()).sum();
        (value * ((sum - 2.0) * 0.6).exp2().powi(2)).round() as u64
    }

    fn chat(&mut self, root: u64, round: u64) -> String {
        let begin = self.now;
        let read = self.around((600.0 + 350.0 * round as f64) * if self.released { 1.3 } else { 1.0 });
        let written = self.around(160.0);
        self.now += self.around(1.4e9);
        let text = [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "gpt-5-mini"),
            ("gen_ai.response.model", "gpt-5-mini"),
            ("gen_ai.agent.version", self.version()),
        ];
        let tokens = [("gen_ai.usage.input_tokens", read), ("gen_ai.usage.output_tokens", written)];
        let tokens = tokens.map(|(key, n)| format!(r#"{{"key":"{key}","value":{{"intValue":"{n}"}}}}"#)).join(",");
        let id = self.id();
        self.span(id, Some(root), "chat gpt-5-mini", begin, &format!("{},{tokens}", attributes(&text)), "")
    }

    fn tool(&mut self, root: u64) -> String {
        let begin = self.now;
        // The second version searches the web where the first one read the policy.
        let at = match self.random.unit() {
            u if u < 0.5 => 0,
            _ if self.released && self.random.unit() < 0.7 => 2,
            u if u < 0.9 => 1,
            _ => 2,
        };
        self.now += self.around(0.5e9);
        let (id, tool) = (self.id(), self.tools[at]);
        let arguments = format!(r#"{{\"id\":{}}}"#, self.random.below(1_000_000));
        let text = [
            ("gen_ai.operation.name", "execute_tool"),
            ("gen_ai.tool.name", tool),
            ("gen_ai.tool.call.arguments", &arguments),
            ("gen_ai.agent.version", self.version()),
        ];
        self.span(id, Some(root), &format!("execute_tool {tool}"), begin, &attributes(&text), "")
    }

    fn span(&self, id: u64, parent: Option<u64>, name: &str, begin: u64, more: &str, status: &str) -> String {
        let parent = parent.map(|id| format!(r#","parentSpanId":"{id:016x}""#)).unwrap_or_default();
        let agent = attributes(&[("gen_ai.agent.name", self.agent)]);
        format!(
            r#"{{"traceId":"{:032x}","spanId":"{id:016x}"{parent},"name":"{name}","kind":1,"startTimeUnixNano":"{begin}","endTimeUnixNano":"{}","attributes":[{agent},{more}]{status}}}"#,
            self.trace, self.now
        )
    }
}

fn attributes(pairs: &[(&str, &str)]) -> String {
    let one = |(key, value): &(&str, &str)| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
    pairs.iter().map(one).collect::<Vec<_>>().join(",")
}
