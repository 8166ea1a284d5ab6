//! The verbs `show` and `diff`: runs that one looks at.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use spanfile_query::{Engine, EngineOptions};
use unicode_width::UnicodeWidthStr;

use crate::command::{feed, ran, run, spanfile};
use crate::data::{Fixture, Span, T0, captured, captures, captures_named, file, rows, traces};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Without line ends: words may be on another line where an id is longer.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn handoffs(dir: &Path) -> PathBuf {
    captured(dir, "handoff.spans", &captures_named(&["openai_agents-openinference.handoff"]))
}

/// A span as OTLP has it: its number, that of its parent, start and end in milliseconds.
struct Made<'a> {
    id: u32,
    parent: Option<u32>,
    name: &'a str,
    ms: (u64, u64),
    attributes: Value,
    error: Option<&'a str>,
}

impl<'a> Made<'a> {
    fn new(id: u32, parent: Option<u32>, name: &'a str, ms: (u64, u64), attributes: Value) -> Self {
        Made { id, parent, name, ms, attributes, error: None }
    }
}

/// A file with these spans as the run of this number, through the binary.
fn made(path: &Path, run_number: u32, spans: &[Made<'_>]) {
    let at = |ms: u64| (T0 as u64 + ms * 1_000_000).to_string();
    let attributes = |v: &Value| -> Vec<Value> {
        let value = |v: &Value| match v {
            Value::Number(n) => json!({"intValue": n.to_string()}),
            v => json!({"stringValue": v.as_str().unwrap()}),
        };
        v.as_object().unwrap().iter().map(|(k, v)| json!({"key": k, "value": value(v)})).collect()
    };
    let spans: Vec<Value> = spans
        .iter()
        .map(|s| {
            let mut span = json!({
                "traceId": format!("{run_number:032x}"), "spanId": format!("{:016x}", s.id), "name": s.name,
                "startTimeUnixNano": at(s.ms.0), "endTimeUnixNano": at(s.ms.1), "attributes": attributes(&s.attributes),
            });
            if let Some(p) = s.parent {
                span["parentSpanId"] = format!("{p:016x}").into();
            }
            if let Some(e) = s.error {
                span["status"] = json!({"code": 2, "message": e});
            }
            span
        })
        .collect();
    let otlp = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
    let done = feed(&["ingest", text(path), "-", "-q"], &otlp.to_string());
    assert_eq!(done.code, 0, "{}", done.err);
}

fn tool(name: &str, arguments: &str) -> Value {
    json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, "gen_ai.tool.call.arguments": arguments})
}

fn agent(name: &str) -> Value {
    json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name})
}

fn chat(model: &str, input: u32) -> Value {
    json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": input, "gen_ai.usage.output_tokens": 10})
}

#[test]
fn a_run_as_a_tree() {
    let dir = tempfile::tempdir().unwrap();
    let path = handoffs(dir.path());
    let wide = run(&["show", text(&path), "last", "--width", "80"]);
    assert_eq!((wide.err.as_str(), wide.code), ("", 0));
    assert_eq!(wide.out, include_str!("golden/show_80.txt"));
    let narrow = run(&["show", text(&path), "last", "--width", "40"]);
    assert_eq!(narrow.out, include_str!("golden/show_40.txt"));
    // Where nothing else is said, a pipe gets 100 columns and no colours.
    let plain = run(&["show", text(&path), "last"]).out;
    assert!(plain.lines().all(|l| l.width() <= 100 && !l.contains('\u{1b}')), "{plain}");
    let refused = ran(spanfile(&["show", text(&path), "last"]).env("NO_COLOR", "1").output().unwrap());
    assert_eq!(refused.out, plain);
    for width in [40, 59, 60, 100, 250] {
        let drawn = run(&["show", text(&path), "last", "--width", &width.to_string()]).out;
        assert!(drawn.lines().all(|l| l.width() <= width), "{width}: {drawn}");
        assert_eq!(drawn.contains('█'), width >= 60, "{drawn}");
    }
}

#[test]
fn every_capture_fits_and_costs_what_its_run_costs() {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(dir.path(), "all.spans", &captures());
    let engine = Engine::open(&path, EngineOptions::default()).unwrap();
    let runs =
        rows(&engine, "SELECT trace_id, spans, cost_usd, cost_complete FROM cost_per_run ORDER BY spans DESC LIMIT 12");
    for line in runs.lines() {
        let [id, spans, usd, complete]: [&str; 4] = line.split(',').collect::<Vec<_>>().try_into().unwrap();
        let drawn = run(&["show", text(&path), id, "--width", "72", "--io"]);
        assert_eq!((drawn.err.as_str(), drawn.code), ("", 0));
        assert!(drawn.out.lines().all(|l| l.width() <= 72), "{}", drawn.out);
        let json = run(&["show", text(&path), id, "-json"]).out;
        let all: Vec<Value> = serde_json::from_str(&json).unwrap();
        let recorded: Vec<&Value> = all.iter().filter(|s| s["synthetic"] == false).collect();
        assert_eq!(recorded.len().to_string(), spans);
        let pico = |v: &Value| v.as_f64().map_or(0, |usd| (usd * 1e12).round() as i64);
        let sum: i64 = all.iter().map(|s| pico(&s["cost_usd"])).sum();
        assert_eq!(sum, (usd.parse::<f64>().unwrap() * 1e12).round() as i64, "{id}");
        assert_eq!((!words(&drawn.out).contains("without a price")).to_string(), complete, "{id}");
        // The path is as long as the run, if nothing in it stands alone.
        let critical: i64 = all.iter().filter_map(|s| s["critical_ns"].as_i64()).sum();
        let end = |s: &Value| Some(s["start_ns"].as_i64()? + s["duration_ns"].as_i64()?);
        let last = recorded.iter().filter_map(|s| end(s)).max().unwrap();
        assert!(critical <= last && critical > 0, "{id}: {critical} of {last}");
    }
}

#[test]
fn which_run_is_meant() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.spans");
    made(&path, 0xab01, &[Made::new(1, None, "first", (0, 500), json!({}))]);
    made(&path, 0xab02, &[Made::new(1, None, "second", (1000, 1100), json!({}))]);
    made(&path, 0xab0003, &[Made::new(1, None, "third", (500, 550), chat("gpt-4o-mini", 1000))]);
    let shown = |word: &str| run(&["show", text(&path), word]);
    for (word, name) in [("last", "second"), ("slowest", "first"), ("dearest", "gpt-4o-mini")] {
        let r = shown(word);
        assert!(r.code == 0 && r.out.contains(name), "{word}: {}{}", r.out, r.err);
    }
    let ambiguous = shown("00");
    assert_eq!((ambiguous.out.as_str(), ambiguous.code), ("", 1));
    for part in ["several runs have ids that begin with 00", "0000ab01 first", "0000ab02 second", "third"] {
        assert!(ambiguous.err.contains(part), "{}", ambiguous.err);
    }
    for word in ["", "zz", "1234", "'; --", "00%"] {
        let r = shown(word);
        assert!(r.code == 1 && r.err.contains("no run has an id that begins with"), "{word}: {}", r.err);
    }
    assert_eq!(run(&["show", text(&path)]).code, 2);
    assert_eq!(run(&["show", text(&path), "last", "--depth", "x"]).code, 2);
    assert_eq!(run(&["show", text(&dir.path().join("none.spans")), "last"]).code, 1);
    let no_cost = dir.path().join("b.spans");
    made(&no_cost, 1, &[Made::new(1, None, "x", (0, 1), chat("no-such-model-at-all", 5))]);
    let r = run(&["show", text(&no_cost), "dearest"]);
    assert!(r.code == 1 && r.err.contains("no run has a known cost"), "{}", r.err);
    let drawn = words(&run(&["show", text(&no_cost), "last"]).out);
    assert!(drawn.contains("cost unknown (1 call without a price)") && drawn.contains("no price"), "{drawn}");
}

#[test]
fn text_of_any_kind_lines_up_and_moves_no_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.spans");
    let spans = [
        Made::new(1, None, "調査エージェント", (0, 100), agent("調査エージェント")),
        Made::new(
            2,
            Some(1),
            "x",
            (0, 40),
            tool("検索🔎工具", "{\"q\": \"東京の天気は？ 東京の天気は？ 東京の天気は？\"}"),
        ),
        Made {
            error: Some("\u{1b}]0;title\u{7}\n\u{202e}gnp.exe"),
            ..Made::new(3, Some(1), "\u{1b}[2Jevil\r\n\u{9b}31m", (40, 70), json!({}))
        },
        Made::new(4, Some(1), "❤️ héllo 👩‍👩‍👧‍👦", (70, 100), json!({})),
    ];
    made(&path, 7, &spans);
    for args in
        [&["--width", "100"][..], &["--width", "44"], &["--waterfall", "--width", "70"], &["--io", "--width", "60"]]
    {
        let r = run(&[&["show", text(&path), "last"], args].concat());
        assert_eq!((r.err.as_str(), r.code), ("", 0));
        assert!(!r.out.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{:?}", r.out);
        assert!(r.out.lines().all(|l| l.width() <= args[args.len() - 1].parse().unwrap()), "{}", r.out);
        // The column of times ends in the same place on each line that has one.
        let ends: Vec<usize> = r.out.lines().filter_map(|l| Some(l[..l.find(" ms *")?].width())).collect();
        assert!(ends.len() >= 3 && ends.windows(2).all(|w| w[0] == w[1]), "{ends:?} {}", r.out);
    }
    let r = run(&["show", text(&path), "last"]);
    assert!(r.out.contains("\\u{1b}[2Jevil") && r.out.contains("✗ \\u{1b}]0;title"), "{}", r.out);
    let d = run(&["diff", text(&path), "last", "last"]);
    assert!(d.code == 0 && !d.out.chars().any(|c| c.is_control() && c != '\n'), "{:?}", d.out);
}

#[test]
fn ten_thousand_spans_are_a_few_hundred_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.spans");
    let mut spans = vec![Made::new(1, None, "root", (0, 1_000_000), agent("planner"))];
    for turn in 0..2_500u32 {
        let (id, from) = (2 + 4 * turn, u64::from(turn) * 400);
        let arguments = ["{\"q\": 1}", "{\"q\": 2}", "{\"q\": 3}"];
        spans.push(Made::new(id, Some(1), "turn", (from, from + 390), json!({})));
        spans.push(Made::new(id + 1, Some(id), "chat", (from, from + 200), chat("gpt-4o-mini", 100 + turn)));
        for k in 0..2 {
            let name = ["search", "fetch"][k as usize];
            let mut s = Made::new(
                id + 2 + k,
                Some(id),
                "t",
                (from + 200, from + 300),
                tool(name, arguments[turn as usize % 3]),
            );
            s.error = (turn % 500 == 77 && k == 1).then_some("timed out");
            spans.push(s);
        }
    }
    made(&path, 9, &spans);
    let drawn = run(&["show", text(&path), "last", "--width", "100"]);
    assert_eq!((drawn.err.as_str(), drawn.code), ("", 0));
    let lines: Vec<&str> = drawn.out.lines().collect();
    assert!(lines.len() <= 300, "{}", lines.len());
    // Every failure is drawn or counted.
    let failures: usize = lines
        .iter()
        .map(|l| match l.split_once(" failed of ") {
            Some((n, _)) => n.rsplit(' ').next().unwrap().replace(',', "").parse().unwrap(),
            None => usize::from(l.contains("✗ tool")),
        })
        .sum();
    assert_eq!(failures, 5, "{}", drawn.out);
    assert!(lines.last().unwrap().contains(" of 10,001 spans folded; --expand shows all"), "{}", drawn.out);
    let all = run(&["show", text(&path), "last", "--expand"]).out;
    assert_eq!(all.lines().filter(|l| l.contains("tool search")).count(), 2_500);
    let waterfall = run(&["show", text(&path), "last", "--waterfall"]).out;
    assert!((20..300).contains(&waterfall.lines().count()), "{}", waterfall.lines().count());
    let same = run(&["diff", text(&path), "last", "last"]).out;
    assert!(same.contains("steps: 7,500 the same, 0 changed"), "{same}");
    assert!(same.contains("… failed 5 in A, 5 in B; 7,496 the same"), "{same}");
}

#[test]
fn a_run_in_the_tail_and_one_of_several_files() {
    let f = Fixture::new();
    let id = Span::trace_hex(41);
    let tail = run(&["show", text(&f.path), &id, "--width", "80"]);
    assert_eq!((tail.err.as_str(), tail.code), ("", 0));
    assert!(
        tail.out.contains(&format!("run {id}:")) && tail.out.contains("├") && tail.out.contains("└"),
        "{}",
        tail.out
    );
    file(f.dir.path(), "b.spans", &[traces(50..53, 8)], false);
    let both = format!("{}/*.spans", f.dir.path().display());
    let other = Span::trace_hex(51);
    let shown = run(&["show", &both, &other[..9], "--width", "80"]);
    assert!(shown.code == 0 && shown.out.contains(&other), "{}{}", shown.out, shown.err);
    let apart = run(&["diff", text(&f.path), &id[..9], &other[..9], "--against", text(&f.dir.path().join("b.spans"))]);
    let together = run(&["diff", &both, &id[..9], &other[..9]]);
    assert_eq!((apart.code, apart.out.as_str()), (0, together.out.as_str()), "{}", apart.err);
    let missing = run(&["diff", text(&f.path), &id[..9], &other[..9]]);
    assert!(missing.code == 1 && missing.err.contains("no run has an id"), "{}", missing.err);
}

#[test]
fn inputs_levels_and_formats() {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(dir.path(), "a.spans", &captures_named(&["langgraph-openinference.loop"]));
    let shown = |args: &[&str]| run(&[&["show", text(&path), "last", "--width", "90"], args].concat()).out;
    let begin = shown(&["--io"]);
    assert!(
        begin.contains("in  ") && begin.contains("more characters") && begin.contains("earlier message"),
        "{begin}"
    );
    let full = shown(&["--io=full", "--expand"]);
    assert!(full.len() > 3 * begin.len() && !full.contains("more characters"), "{}", full.len());
    let roots = shown(&["--depth", "0"]);
    assert!(roots.contains("… 78 spans below"), "{roots}");
    let loops = shown(&[]);
    assert!(loops.contains("┌ loop 1, exact_repeat, high") && loops.contains("└ wasted 2,892 tokens"), "{loops}");
    let csv = shown(&["-csv"]);
    assert!(csv.starts_with("trace_id,span_id,parent_span_id,") && csv.lines().count() == 80, "{csv}");
    assert!(!csv.lines().next().unwrap().contains("system_prompt"));
    assert!(shown(&["-csv", "--io"]).lines().next().unwrap().ends_with("tool_result,system_prompt,input,output"));
    let parquet = dir.path().join("run.parquet");
    let written = run(&["show", text(&path), "last", "-parquet", text(&parquet)]);
    assert!(written.err.ends_with("run.parquet: 79 rows\n") && parquet.is_file(), "{}", written.err);
}

#[test]
fn two_runs_step_by_step() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.spans");
    let step = |id: u32, attributes: Value| {
        let at = u64::from(id) * 100;
        Made::new(id, Some(1), "step", (at, at + 50), attributes)
    };
    let root = || Made::new(1, None, "invoke_agent desk", (0, 2_000), agent("desk"));
    let mut a = vec![root()];
    a.push(step(2, chat("gpt-4o", 100)));
    a.push(step(3, tool("find", r#"{"city": "Lindale", "days": 3, "near": [1, 2]}"#)));
    a.extend((4..12).map(|i| step(i, tool("page", &format!("{{\"page\": {i}}}")))));
    a.push(step(12, tool("notify", "{}")));
    let mut b = vec![root()];
    b.push(step(2, chat("gpt-4o-mini", 90)));
    b.push(step(3, tool("find", r#"{"city": "Ashford", "near": [1, 5], "days": 3}"#)));
    b.extend((4..12).map(|i| step(i, tool("page", &format!("{{\"page\": {i}}}")))));
    b.push(Made { error: Some("no such order"), ..step(12, tool("cancel", "{}")) });
    made(&path, 0xa000, &a);
    made(&path, 0xb000, &b);
    let (ida, idb) = (format!("{:032x}", 0xa000), format!("{:032x}", 0xb000));
    let drawn =
        |width: &str, more: &[&str]| run(&[&["diff", text(&path), &ida, &idb, "--width", width], more].concat());
    let narrow = drawn("72", &[]);
    assert_eq!((narrow.err.as_str(), narrow.code), ("", 0));
    assert_eq!(narrow.out, include_str!("golden/diff_72.txt"));
    assert_eq!(drawn("120", &[]).out, include_str!("golden/diff_120.txt"));
    for width in ["40", "60", "109", "250"] {
        let out = drawn(width, &["--expand"]).out;
        assert!(out.lines().all(|l| l.width() <= width.parse().unwrap()) && !out.contains("… 4"), "{out}");
    }
    let rows: Vec<Value> = serde_json::from_str(&drawn("80", &["-json"]).out).unwrap();
    let states: Vec<&str> = rows.iter().map(|r| r["state"].as_str().unwrap()).collect();
    assert_eq!(states, [&["changed"; 2][..], &["same"; 8], &["only_a", "only_b"]].concat());
    assert_eq!(
        serde_json::from_str::<Value>(rows[1]["changes"].as_str().unwrap()).unwrap(),
        json!([{"path": "$.city", "a": "Lindale", "b": "Ashford"}, {"path": "$.near[1]", "a": "2", "b": "5"}])
    );
    assert_eq!(rows[11]["failed_b"], true);
    assert_eq!(run(&["diff", text(&path), &ida]).code, 2);
}
