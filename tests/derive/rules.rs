//! Each rule on rows made for it.

use spanfile::derive::{Deriver, Kind, LogRow, Outcome, SpanRow, Status, TraceDerived};

use super::{canonical_order, id, row, tokens};

fn derive<'a>(rows: &[SpanRow<'a>]) -> TraceDerived<'a> {
    Deriver::default().derive(&canonical_order(rows.to_vec()), &[])
}

fn llm<'a>(n: u64, parent: u64, start: i64, end: i64, input: i64) -> SpanRow<'a> {
    SpanRow { kind: Kind::Llm, tokens: tokens(input, 10), ..row(n, parent, start, end) }
}

fn tool<'a>(n: u64, parent: u64, start: i64, end: i64, name: &'a str) -> SpanRow<'a> {
    SpanRow { kind: Kind::Tool, tool_name: Some(name), ..row(n, parent, start, end) }
}

fn agent<'a>(n: u64, parent: u64, start: i64, end: i64, name: &'a str) -> SpanRow<'a> {
    SpanRow { kind: Kind::Agent, name, agent_name: Some(name), ..row(n, parent, start, end) }
}

fn counted(derived: &TraceDerived<'_>) -> Vec<bool> {
    derived.spans.iter().map(|s| s.usage_counted).collect()
}

fn duplicates(derived: &TraceDerived<'_>) -> Vec<Option<u64>> {
    derived.spans.iter().map(|s| s.duplicate_of.map(|d| u64::from_be_bytes(d.0))).collect()
}

#[test]
fn nothing_gives_nothing() {
    assert_eq!(derive(&[]), TraceDerived::default());
}

#[test]
fn the_deepest_usage_counts() {
    // Strands: the agent repeats its children's sum.
    let sums = SpanRow { tokens: tokens(30, 20), ..agent(1, 0, 0, 9, "a") };
    let d = derive(&[sums, llm(2, 1, 1, 2, 10), llm(3, 1, 3, 4, 20)]);
    assert_eq!(counted(&d), [false, true, true]);
    assert_eq!(d.run.as_ref().unwrap().tokens.input, Some(30));
    // Its children lost, the agent's own number is what there is.
    let d = derive(&[sums, SpanRow { tokens: tokens(0, 0), ..llm(2, 1, 1, 2, 0) }]);
    assert_eq!(counted(&d), [true, false]);
    // AutoGen: an LLM call in an LLM call. It is one call.
    let d = derive(&[llm(1, 0, 0, 9, 173), llm(2, 1, 1, 8, 173)]);
    assert_eq!((counted(&d), duplicates(&d)), (vec![false, true], vec![Some(2), None]));
    assert_eq!(d.run.unwrap().llm_calls, 1);
    // LlamaIndex, streamed: the wrapper has the usage, the inner call none. It is not a call without usage.
    let d = derive(&[llm(1, 0, 0, 9, 50), SpanRow { tokens: Default::default(), ..llm(2, 1, 1, 8, 0) }]);
    assert_eq!(counted(&d), [true, false]);
    let calls = |d: &TraceDerived<'_>| d.usage.iter().map(|u| (u.calls, u.calls_without_usage)).collect::<Vec<_>>();
    assert_eq!(calls(&d), [(0, 0), (1, 0)], "the tokens, and the call");
    // A call that says zero used nothing; one that says nothing is unknown.
    let d = derive(&[SpanRow { tokens: tokens(0, 0), ..llm(1, 0, 0, 9, 0) }]);
    assert_eq!((counted(&d), d.run.unwrap().tokens.input), (vec![true], Some(0)));
    let d = derive(&[SpanRow { tokens: Default::default(), ..llm(1, 0, 0, 9, 0) }]);
    assert_eq!((counted(&d), d.run.unwrap().tokens.input), (vec![false], None));
    assert_eq!(d.usage[0].calls_without_usage, 1);
}

#[test]
fn the_last_step_is_no_total() {
    let outer = SpanRow {
        kind: Kind::Workflow,
        name: "ai.generateText",
        dialect: Some("vercel"),
        tokens: tokens(99, 9),
        ..row(1, 0, 0, 9)
    };
    assert_eq!(counted(&derive(&[outer])), [false]);
    let embed = SpanRow { name: "ai.embed", ..outer };
    assert_eq!(counted(&derive(&[embed])), [true]);
}

#[test]
fn a_response_counts_once() {
    let respond = |n, start, input, id| SpanRow { response_id: Some(id), ..llm(n, 1, start, start + 5, input) };
    let root = row(1, 0, 0, 50);
    // Two instrumentations side by side: one call. The one that tells more stands for it.
    let detailed = SpanRow {
        tokens: spanfile::derive::Tokens { cache_read: Some(5), ..tokens(10, 10) },
        ..respond(3, 2, 10, "r")
    };
    let d = derive(&[root, respond(2, 1, 10, "r"), detailed]);
    assert_eq!(counted(&d), [false, false, true]);
    assert_eq!(d.run.unwrap().llm_calls, 1);
    // Returned again by a cache: paid for once, but two steps.
    let d = derive(&[root, respond(2, 1, 10, "r"), respond(3, 20, 10, "r")]);
    assert_eq!(counted(&d), [false, true, false]);
    assert_eq!(d.run.unwrap().llm_calls, 2);
    // Another usage or another id is another response.
    let d = derive(&[root, respond(2, 1, 10, "r"), respond(3, 2, 11, "r"), respond(4, 3, 10, "s")]);
    assert_eq!(counted(&d), [false, true, true, true]);
}

#[test]
fn cost_counts_apart_from_tokens() {
    let d = derive(&[
        SpanRow { reported_cost: Some(7), ..agent(1, 0, 0, 9, "a") },
        SpanRow { reported_cost: Some(2), ..tool(2, 1, 1, 2, "t") },
        llm(3, 1, 3, 4, 20),
    ]);
    let cost: Vec<bool> = d.spans.iter().map(|s| s.reported_cost_counted).collect();
    assert_eq!(cost, [false, true, false]);
    assert_eq!(d.run.unwrap().reported_cost, Some(2));
}

#[test]
fn sums_that_overflow_are_unknown() {
    let d = derive(&[row(1, 0, 0, 9), llm(2, 1, 1, 2, i64::MAX), llm(3, 1, 3, 4, 1)]);
    let run = d.run.unwrap();
    assert_eq!((run.tokens.input, run.tokens.output, run.overflowed), (None, Some(20), true));
}

#[test]
fn announcements_are_no_spans() {
    let pending = SpanRow {
        attributes: Some("{\"logfire.span_type\":\"pending_span\"}"),
        tokens: Default::default(),
        ..llm(3, 2, 1, 1, 0)
    };
    let d = derive(&[row(1, 0, 0, 9), llm(2, 1, 1, 8, 10), pending]);
    assert_eq!(duplicates(&d), [None, None, Some(2)]);
    assert_eq!(d.run.unwrap().llm_calls, 1);
    // The announced span never came: this is all there is of it.
    let d = derive(&[pending]);
    let run = d.run.unwrap();
    assert_eq!((run.llm_calls, run.outcome, run.orphans), (1, Outcome::Incomplete, 1));
}

#[test]
fn a_tool_in_its_wrapper_is_one_call() {
    let outer = SpanRow {
        status: Status::Ok,
        tool_args: Some("{\"sku\": \"S\"}"),
        tool_result: Some("timed out"),
        ..tool(1, 0, 0, 9, "get_quote")
    };
    let inner = SpanRow {
        status: Status::Error,
        error_type: Some("TimeoutError"),
        status_message: Some("timed out"),
        tool_call_id: Some("c"),
        ..tool(2, 1, 1, 8, "get_quote")
    };
    let d = derive(&[outer, inner]);
    assert_eq!(duplicates(&d), [None, Some(1)]);
    let run = d.run.as_ref().unwrap();
    assert_eq!((run.tool_calls, run.errors, run.outcome), (1, 1, Outcome::Failed));
    assert_eq!(run.first_error.as_ref().unwrap().error_type, Some("TimeoutError"));
    assert_eq!(d.usage[0].errors, 1);
    // A chain between them changes nothing, the agent's name in front neither.
    let chain = SpanRow { kind: Kind::Workflow, ..row(3, 1, 1, 8) };
    let d = derive(&[
        SpanRow { tool_name: Some("orders.get_quote"), ..outer },
        chain,
        SpanRow { parent: Some(id(3)), ..inner },
    ]);
    assert_eq!(d.run.unwrap().tool_calls, 1);
    // Other arguments: a tool that calls itself. An agent between: another call.
    let d = derive(&[outer, SpanRow { tool_args: Some("{\"sku\": \"T\"}"), ..inner }]);
    assert_eq!(d.run.unwrap().tool_calls, 2);
    let d = derive(&[outer, agent(3, 1, 1, 8, "a"), SpanRow { parent: Some(id(3)), ..inner }]);
    assert_eq!(d.run.unwrap().tool_calls, 2);
}

#[test]
fn parallel_calls_are_calls_of_their_own() {
    let call = |n, id| SpanRow {
        tool_call_id: id,
        tool_args: Some("{}"),
        scope_name: Some("one"),
        ..tool(n, 1, 1, 9, "ping")
    };
    let root = row(1, 0, 0, 50);
    assert_eq!(derive(&[root, call(2, None), call(3, None)]).run.unwrap().tool_calls, 2);
    // One call id, or two instrumentations with equal arguments: one call.
    assert_eq!(derive(&[root, call(2, Some("c")), call(3, Some("c"))]).run.unwrap().tool_calls, 1);
    let other = SpanRow { scope_name: Some("two"), ..call(3, None) };
    assert_eq!(derive(&[root, call(2, None), other]).run.unwrap().tool_calls, 1);
    // One call id apart in time: it was tried again.
    let again = SpanRow { start_time: 20, end_time: Some(21), ..call(3, Some("c")) };
    assert_eq!(derive(&[root, call(2, Some("c")), again]).run.unwrap().tool_calls, 2);
    // A span under the LLM call that only asks for it.
    let asked = SpanRow { parent: Some(id(4)), tool_args: None, end_time: Some(2), ..call(2, Some("c")) };
    let d = derive(&[root, llm(4, 1, 0, 9, 5), asked, again]);
    assert_eq!((d.run.as_ref().unwrap().tool_calls, duplicates(&d)[2]), (1, Some(3)));
}

#[test]
fn two_responses_are_two_calls() {
    let respond = |n, parent, id| SpanRow { response_id: Some(id), ..llm(n, parent, n as i64, 9, 5) };
    assert_eq!(derive(&[respond(1, 0, "a"), respond(2, 1, "b")]).run.unwrap().llm_calls, 2);
    assert_eq!(derive(&[respond(1, 0, "a"), respond(2, 1, "a")]).run.unwrap().llm_calls, 1);
    // A wrapper that tries again stands for the last attempt.
    let d = derive(&[llm(1, 0, 0, 9, 5), llm(2, 1, 1, 2, 5), llm(3, 1, 3, 4, 5)]);
    assert_eq!((duplicates(&d)[0], d.run.unwrap().llm_calls), (Some(3), 2));
    // A model call in a tool in a model call is no wrapping.
    let d = derive(&[llm(1, 0, 0, 9, 5), tool(2, 1, 1, 8, "ask"), llm(3, 2, 2, 7, 5)]);
    assert_eq!(d.run.unwrap().llm_calls, 2);
}

fn run_agents<'d>(derived: &'d TraceDerived<'_>) -> Vec<Option<&'d str>> {
    derived.spans.iter().map(|s| s.run_agent.as_deref()).collect()
}

#[test]
fn who_acted() {
    // Nested agents; a span's own word; a second span around one run.
    let d = derive(&[
        SpanRow { agent_version: Some("v1"), ..agent(1, 0, 0, 90, "triage") },
        agent(2, 1, 1, 80, "triage"),
        llm(3, 2, 2, 3, 1),
        tool(4, 2, 4, 70, "delegate"),
        agent(5, 4, 5, 60, "orders"),
        llm(6, 5, 6, 7, 1),
        SpanRow { agent_name: Some("billing"), ..llm(7, 5, 8, 9, 1) },
    ]);
    let (t, o) = (Some("triage"), Some("orders"));
    assert_eq!(run_agents(&d), [t, t, t, t, o, o, Some("billing")]);
    assert_eq!(
        d.spans.iter().map(|s| s.is_agent_run).collect::<Vec<_>>(),
        [true, false, false, false, true, false, false]
    );
    assert_eq!(d.spans[2].run_agent_version, Some("v1"));
    assert_eq!(d.run.unwrap().agents, ["triage", "orders", "billing"]);
    // An agent that calls itself as a tool runs again.
    let d = derive(&[agent(1, 0, 0, 90, "a"), tool(2, 1, 1, 80, "a_tool"), agent(3, 2, 2, 70, "A")]);
    assert!(d.spans[2].is_agent_run);
    // Set-up is no run.
    let d = derive(&[SpanRow { kind: Kind::AgentCreate, ..agent(1, 0, 0, 9, "a") }]);
    assert_eq!((run_agents(&d), d.run.as_ref().unwrap().agents.len()), (vec![None], 0));
}

#[test]
fn the_workflow_of_the_agents_sdk_is_no_agent() {
    let scope_name = Some("openinference.instrumentation.openai_agents");
    let chain = SpanRow { kind: Kind::Workflow, name: "order_workflow", scope_name, ..row(2, 1, 1, 80) };
    let root = SpanRow { scope_name, ..agent(1, 0, 0, 90, "order_workflow") };
    let real = SpanRow { scope_name, ..agent(3, 2, 2, 70, "order_agent") };
    let d = derive(&[root, chain, real]);
    assert_eq!(run_agents(&d), [None, None, Some("order_agent")]);
    assert_eq!(d.run.unwrap().agents, ["order_agent"]);
    // Under somebody's own root as well.
    let d = derive(&[SpanRow { parent: Some(id(9)), ..root }, chain, real]);
    assert_eq!(run_agents(&d)[0], None);
}

#[test]
fn a_graph_is_the_agent_of_its_nodes() {
    let scope_name = Some("openinference.instrumentation.langchain");
    let node = |n, parent, start| SpanRow { scope_name, ..agent(n, parent, start, start + 5, "agent") };
    let d = derive(&[
        SpanRow { scope_name, ..agent(1, 0, 0, 90, "order_agent") },
        node(2, 1, 1),
        llm(3, 2, 2, 3, 1),
        node(4, 1, 10),
    ]);
    assert_eq!(run_agents(&d), [Some("order_agent"); 4]);
    assert_eq!(d.spans.iter().filter(|s| s.is_agent_run).count(), 1);
    // A swarm: the graph is a CHAIN, and its tools node lies beside the `agent` node.
    let chain = |n, parent, start, name| SpanRow {
        kind: Kind::Workflow,
        name,
        scope_name,
        ..row(n, parent, start, start + 30)
    };
    let d = derive(&[
        chain(1, 0, 0, "swarm"),
        chain(2, 1, 1, "triage"),
        node(3, 2, 2),
        chain(4, 2, 10, "tools"),
        tool(5, 4, 11, 12, "transfer_to_orders"),
    ]);
    let t = Some("triage");
    assert_eq!(run_agents(&d), [None, t, t, t, t]);
    assert_eq!(d.run.unwrap().agents, ["triage"]);
    // A graph without a name leaves the node's.
    let d = derive(&[chain(1, 0, 0, "LangGraph"), node(2, 1, 1)]);
    assert_eq!(run_agents(&d), [None, Some("agent")]);
}

#[test]
fn an_agent_span_beside_its_work() {
    let scope_name = Some("opentelemetry.instrumentation.langchain");
    let d = derive(&[
        SpanRow { scope_name, ..agent(1, 0, 0, 90, "swarm") },
        SpanRow { scope_name, ..agent(2, 1, 1, 40, "triage") },
        SpanRow { kind: Kind::Workflow, ..row(3, 1, 2, 39) },
        llm(4, 3, 3, 4, 1),
        llm(5, 1, 50, 51, 1),
    ]);
    let (s, t) = (Some("swarm"), Some("triage"));
    assert_eq!(run_agents(&d), [s, t, t, t, s]);
}

#[test]
fn a_coworker_without_a_span() {
    let delegate = SpanRow {
        kind: Kind::Handoff,
        tool_args: Some("{\"task\": \"t\", \"coworker\": \"orders desk\"}"),
        ..tool(2, 1, 1, 8, "Delegate work to coworker")
    };
    let d = derive(&[agent(1, 0, 0, 9, "triage desk"), delegate, llm(3, 2, 2, 3, 1)]);
    assert_eq!(run_agents(&d), [Some("triage desk"), Some("triage desk"), Some("orders desk")]);
    let ends = (d.spans[1].handoff_from.as_deref(), d.spans[1].handoff_to.as_deref());
    assert_eq!(ends, (Some("triage desk"), Some("orders desk")));
}

#[test]
fn handoff_ends() {
    let hand = |n, parent, start, name| SpanRow { kind: Kind::Handoff, ..tool(n, parent, start, start + 1, name) };
    let ends = |d: &TraceDerived<'_>| -> Vec<(Option<String>, Option<String>)> {
        let own = |n: &Option<std::borrow::Cow<'_, str>>| n.as_deref().map(str::to_string);
        d.spans.iter().filter(|s| s.step.is_some()).map(|s| (own(&s.handoff_from), own(&s.handoff_to))).collect()
    };
    let some = |a: &str, b: &str| (Some(a.to_string()), Some(b.to_string()));
    // By the tool's name, spelled as the agent spells itself.
    let d = derive(&[
        row(9, 0, 0, 90),
        agent(1, 9, 1, 9, "Triage"),
        hand(2, 1, 2, "transfer_to_order_desk"),
        agent(3, 9, 10, 20, "Order Desk"),
    ]);
    assert_eq!(ends(&d), [some("Triage", "Order Desk")]);
    // By what comes next.
    let d = derive(&[
        row(9, 0, 0, 90),
        agent(1, 9, 1, 9, "triage"),
        hand(2, 1, 2, "unknown"),
        agent(3, 9, 10, 20, "orders"),
    ]);
    assert_eq!(ends(&d), [some("triage", "orders")]);
    // Without any agent span: arguments, and who was handed to before.
    let with = |n, start, tool_args| SpanRow { tool_args: Some(tool_args), ..hand(n, 9, start, "handoff") };
    let d = derive(&[
        row(9, 0, 0, 90),
        with(1, 1, "{\"kwargs\": {\"to_agent\": \"orders\", \"ctx\": \"<C object at 0x7f>\"}}"),
        with(2, 5, "{\"kwargs\": {\"to_agent\": \"triage\", \"ctx\": \"<C object at 0x80>\"}}"),
    ]);
    assert_eq!(ends(&d), [(None, Some("orders".to_string())), some("orders", "triage")]);
    // Columns come first.
    let d = derive(&[SpanRow { handoff_from: Some("a"), handoff_to: Some("b"), ..hand(1, 0, 1, "transfer_to_c") }]);
    assert_eq!(ends(&d), [some("a", "b")]);
}

#[test]
fn calls_that_only_an_output_tells() {
    let asks = |n, start, output| SpanRow { output: Some(output), ..llm(n, 1, start, start + 5, 1) };
    let answered = SpanRow {
        input: Some(r#"[{"role":"tool","tool_call_id":"c1","content":"{\"status\": \"pending\"}"}]"#),
        ..asks(
            3,
            10,
            r#"[{"role":"assistant","parts":[{"type":"tool_call","id":"c2","name":"lookup","arguments":{"b":1,"a":2}}]}]"#,
        )
    };
    let rows = [
        row(1, 0, 0, 90),
        asks(
            2,
            1,
            r#"[{"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"lookup","arguments":"{\"a\": 2, \"b\": 1}"}}]}]"#,
        ),
        answered,
    ];
    let d = derive(&rows);
    let calls: Vec<_> =
        d.calls.iter().map(|c| (c.name.as_str(), c.call_id.as_deref(), c.step, c.llm, c.time)).collect();
    assert_eq!(calls, [("lookup", Some("c1"), 2, 1, 6), ("lookup", Some("c2"), 4, 2, 15)]);
    assert_eq!(d.calls[0].args_hash, d.calls[1].args_hash);
    assert_eq!(d.calls[0].result.as_deref(), Some("{\"status\": \"pending\"}"));
    assert_eq!(d.calls[1].result, None);
    let run = d.run.unwrap();
    assert_eq!((run.tool_calls, run.steps, run.tools), (2, 4, vec!["lookup".into()]));
    // A trace with tool spans tells its calls itself.
    let mut more = rows.to_vec();
    more.push(tool(4, 1, 7, 8, "lookup"));
    assert!(derive(&more).calls.is_empty());
}

#[test]
fn every_form_of_a_request() {
    for output in [
        r#"[{"message":{"tool_calls":[{"tool_call":{"id":"c","function":{"name":"f","arguments":"{\"a\":1}"}}}]}}]"#,
        r#"{"choices":[{"message":{"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]}}]}"#,
        r#"[{"tool_calls":[{"id":"c","name":"f","arguments":"{\"a\":1}"}]}]"#,
        r#"[{"type":"function_call","call_id":"c","id":"fc_1","name":"f","arguments":"{\"a\":1}"}]"#,
        r#"[{"type":"tool_use","id":"c","name":"f","input":{"a":1}}]"#,
        r#"[{"toolCallId":"c","toolName":"f","input":"{\"a\":1}"}]"#,
        r#"{"tool_calls":[{"name":"f","args":{"a":1},"id":"c","type":"tool_call"}],"additional_kwargs":{"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":1}"}}]}}"#,
    ] {
        let d = derive(&[SpanRow { output: Some(output), ..llm(1, 0, 0, 9, 1) }]);
        assert_eq!(d.calls.len(), 1, "{output}");
        let call = &d.calls[0];
        assert_eq!((call.name.as_str(), call.call_id.as_deref()), ("f", Some("c")), "{output}");
        assert_eq!(call.args_hash, Some(spanfile::derive::hash("{\"a\":1}")), "{output}");
    }
    // Dotted keys that nothing assembled.
    let attributes =
        r#"{"gen_ai.completion.0.function_call.arguments":"{\"a\":1}","gen_ai.completion.0.function_call.name":"f"}"#;
    let output = r#"[{"role":"assistant","parts":[],"finish_reason":"tool_calls"}]"#;
    let d = derive(&[SpanRow { output: Some(output), attributes: Some(attributes), ..llm(1, 0, 0, 9, 1) }]);
    assert_eq!((d.calls.len(), d.calls[0].args_hash), (1, Some(spanfile::derive::hash("{\"a\":1}"))));
    // Text that speaks of tool calls, and JSON that is none.
    for output in ["please make a tool_call", "{\"tool_calls\":null}", "[{\"tool_calls\":[{\"id\":\"c\"}]}]"] {
        assert!(derive(&[SpanRow { output: Some(output), ..llm(1, 0, 0, 9, 1) }]).calls.is_empty(), "{output}");
    }
}

#[test]
fn requests_in_log_records() {
    let log = |span, name, body| LogRow { span_id: id(span), name: Some(name), body: Some(body), ..LogRow::default() };
    let logs = [
        log(
            1,
            "gen_ai.choice",
            r#"{"index":0,"message":{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]}}"#,
        ),
        log(2, "gen_ai.tool.message", r#"{"id":"c","content":"done"}"#),
    ];
    let d = Deriver::default().derive(&[llm(1, 0, 0, 1, 1), llm(2, 0, 2, 3, 1)], &logs);
    assert_eq!(d.calls.len(), 1);
    assert_eq!((d.calls[0].llm, d.calls[0].result.as_deref()), (0, Some("done")));
}

#[test]
fn outcomes() {
    let root = SpanRow { kind: Kind::Workflow, name: "order_run", ..row(1, 0, 0, 9) };
    let failing = SpanRow { status: Status::Error, error_type: Some("E"), ..tool(2, 1, 1, 2, "t") };
    let run = derive(&[root, failing]).run.unwrap();
    assert_eq!((run.outcome, run.errors, run.workflow_name), (Outcome::Completed, 1, Some("order_run")));
    let run = derive(&[SpanRow { status: Status::Error, ..root }, failing]).run.unwrap();
    // The failure travelled up: it counts where it began.
    assert_eq!((run.outcome, run.errors, run.first_error.unwrap().span_id), (Outcome::Failed, 1, id(2)));
    assert_eq!(derive(&[SpanRow { end_time: None, ..root }]).run.unwrap().outcome, Outcome::Incomplete);
    let run = derive(&[failing]).run.unwrap();
    assert_eq!((run.outcome, run.root_span_id, run.workflow_name, run.orphans), (Outcome::Incomplete, None, None, 1));
    // Steering is no failure.
    let steering = SpanRow { error_type: Some("langgraph.errors.ParentCommand"), ..failing };
    assert_eq!(derive(&[root, steering]).run.unwrap().errors, 0);
    assert_eq!(derive(&[llm(1, 0, 0, 9, 1)]).run.unwrap().workflow_name, None);
}

#[test]
fn names_of_a_run_are_the_roots() {
    let d = derive(&[
        SpanRow { session_id: Some("s"), ..row(1, 0, 0, 9) },
        SpanRow { session_id: Some("inner"), user_id: Some("u"), ..row(2, 1, 1, 2) },
    ]);
    let run = d.run.unwrap();
    assert_eq!((run.session_id, run.user_id), (Some("s"), Some("u")));
}

#[test]
fn retries_follow_failures() {
    let attempt = |n: u64, failed: bool| SpanRow {
        status: if failed { Status::Error } else { Status::Unset },
        ..tool(n, 100, n as i64, n as i64, "t")
    };
    let rows = [row(100, 0, 0, 90), attempt(1, true), attempt(2, true), attempt(3, false), attempt(4, false)];
    assert_eq!(derive(&rows).run.unwrap().retries, 2);
}

#[test]
fn usage_by_agent_and_model() {
    let by = |n, agent, model, input| SpanRow {
        agent_name: Some(agent),
        request_model: Some(model),
        ..llm(n, 9, n as i64, n as i64 + 2, input)
    };
    let d = derive(&[
        row(9, 0, 0, 90),
        by(1, "a", "m", 10),
        by(2, "a", "m", 30),
        by(3, "b", "m", 5),
        tool(4, 9, 5, 6, "t"),
    ]);
    let usage: Vec<_> = d
        .usage
        .iter()
        .map(|u| {
            (u.agent.as_deref(), u.kind, u.calls, u.tokens.input, u.min_input_tokens, u.max_input_tokens, u.duration_ns)
        })
        .collect();
    assert_eq!(
        usage,
        [
            (Some("a"), Kind::Llm, 2, Some(40), Some(10), Some(30), Some(4)),
            (Some("b"), Kind::Llm, 1, Some(5), Some(5), Some(5), Some(2)),
            (None, Kind::Tool, 1, None, None, None, Some(1)),
        ]
    );
    assert_eq!((d.usage[0].first_start, d.usage[0].last_start), (1, 2));
}
