//! `spanfile show --html`: the page in a real browser, as a reader's keys and clicks find it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::command::run;
use crate::data::{captured, captures_named};

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chromium-headless-shell"];

/// A browser, or nothing where there is none; on CI there must be one.
fn browser() -> Option<&'static str> {
    let found =
        BROWSERS.into_iter().find(|b| Command::new(b).arg("--version").output().is_ok_and(|o| o.status.success()));
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "none of {BROWSERS:?} is on the PATH");
        eprintln!("skipped: none of {BROWSERS:?} is on the PATH");
    }
    found
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn page(spans: &Path, run_id: &str) -> PathBuf {
    let page = spans.with_extension("html");
    let r = run(&["show", text(spans), run_id, "--html", text(&page)]);
    assert_eq!((r.err.as_str(), r.code), ("", 0), "{}", r.out);
    page
}

/// What comes before the page's own script: whoever calls, asks for or breaks something is written down.
const WATCH: &str = r##"
const seen = { alerts: 0, errors: [], refused: [], said: [] };
window.alert = () => { seen.alerts += 1; };
window.addEventListener("error", (e) => seen.errors.push(`${e.message} at ${e.lineno}:${e.colno}`));
window.addEventListener("unhandledrejection", (e) => seen.errors.push(String(e.reason)));
document.addEventListener("securitypolicyviolation", (e) => seen.refused.push(`${e.violatedDirective} ${e.blockedURI}`));
const all = (what) => [...document.querySelectorAll(what)];
const one = (what) => document.querySelector(what);
const told = (what) => one(what).textContent;
const key = (name) => (document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const find = async (words) => { one("#search").value = words; one("#search").dispatchEvent(new Event("input")); await wait(300); };
const chosen = () => all('.row[aria-selected="true"]').map((r) => r.getAttribute("aria-label")).join();
"##;

/// Opens a copy of a page, does something there, and says what that gave.
fn look(page: &Path, size: &str, act: &str) -> Option<Value> {
    let browser = browser()?;
    let html = std::fs::read_to_string(page).unwrap();
    assert_eq!(html.matches("script-src 'sha256-").count(), 1);
    let end = "const report = document.createElement(\"pre\"); report.id = \"report\"; \
               report.textContent = btoa(unescape(encodeURIComponent(JSON.stringify({ ...seen, saw, resources: \
               performance.getEntriesByType(\"resource\").length, images: document.images.length, \
               scripts: document.scripts.length })))); document.body.append(report);";
    let html = html
        .replacen("script-src '", "script-src 'nonce-watch' '", 1)
        .replacen("<body ", &format!("<script nonce=\"watch\">{WATCH}</script><body "), 1)
        .replacen(
            "</body>",
            &format!("<script nonce=\"watch\">(async () => {{ let saw = {{}}; try {{ {act} }} catch (e) {{ seen.errors.push(`${{e}}`); }} {end} }})();</script></body>"),
            1,
        );
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("page.html");
    std::fs::write(&copy, html).unwrap();
    let out = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"])
        .args(["--virtual-time-budget=20000", &format!("--window-size={size}")])
        .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
        .arg(format!("file://{}", copy.display()))
        .output()
        .unwrap();
    let (dom, log) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    let console: Vec<&str> = log.lines().filter(|l| l.contains("CONSOLE")).collect();
    assert_eq!(console, Vec::<&str>::new());
    let begin = dom.rfind("<pre id=\"report\">").unwrap_or_else(|| panic!("no report: {log}")) + 17;
    let report = dom[begin..].split('<').next().unwrap();
    let report = base64::engine::general_purpose::STANDARD.decode(report).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["errors"], json!([]));
    assert_eq!(report["refused"], json!([]));
    assert_eq!([&report["alerts"], &report["resources"], &report["images"]], [&json!(0), &json!(0), &json!(0)]);
    // Two of the page and two of this test.
    assert_eq!(report["scripts"], 4);
    Some(report["saw"].clone())
}

#[test]
fn a_reader_walks_through_a_run_with_a_loop() {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(dir.path(), "loop.spans", &captures_named(&["langgraph-openinference.loop"]));
    let page = page(&path, "last");
    let act = r##"
        saw.title = told("#title"); saw.totals = told("#totals");
        saw.rows = one("#rows").getAttribute("aria-rowcount");
        key("g"); saw.nodes = all(".node").map((n) => n.getAttribute("aria-label"));
        saw.edges = all(".edge title").map((t) => t.textContent);
        key("w"); saw.first = chosen();
        key("j"); key("j"); saw.third = chosen(); saw.where = told("#where"); saw.step = told("#replay-scroll");
        key("k"); saw.second = chosen();
        key("End"); saw.last = chosen(); one("#rows").focus(); key("Home"); saw.root = chosen();
        key("ArrowDown"); saw.row = chosen(); key("ArrowUp");
        key("Enter"); saw.folded = one("#rows").getAttribute("aria-rowcount"); saw.closed = one(".row").getAttribute("aria-expanded");
        key("ArrowRight"); saw.unfolded = one("#rows").getAttribute("aria-rowcount");
        key("g"); saw.pane = document.activeElement.id; key("r"); saw.other = document.activeElement.id; key("w");
        await find("is:loop"); saw.found = told("#found"); key("Escape");
        await find("kind:tool -lookup"); saw.none = told("#found");
        await find("A-1042"); saw.anywhere = told("#found");
        key("/"); saw.searching = document.activeElement.id; key("Escape"); saw.left = told("#found");
        saw.dark = one("#theme").textContent; one("#theme").click(); saw.light = one("#theme").textContent;
        saw.scheme = document.documentElement.style.colorScheme;
        key("?"); saw.help = one("#help").open; one("#help").close();
        all(".node").at(-1).dispatchEvent(new MouseEvent("click")); saw.picked = one("#search").value; saw.calls = told("#where"); key("Escape");
        key("Home"); one("#speed").value = "10"; one("#speed").dispatchEvent(new Event("change"));
        key("g"); key("Home"); key("p"); saw.playing = one("#play").getAttribute("aria-label"); await wait(550); key("p");
        saw.played = Number(told("#where b")); saw.paused = one("#play").getAttribute("aria-label");
        saw.gridTicks = all("#axis span").length; saw.lit = all(".node.lit").length;
        key("+"); saw.zoomed = told("#axis"); key("0"); saw.whole = told("#axis");
    "##;
    let Some(saw) = look(&page, "1400,900", act) else { return };
    assert_eq!(saw["title"], "order_agent");
    let totals = saw["totals"].as_str().unwrap();
    for part in ["steps19", "tokens3,622", "cost$0.000483", "errors0", "loops1"] {
        assert!(totals.contains(part), "{part}: {totals}");
    }
    assert_eq!(saw["nodes"].as_array().unwrap().len(), 3, "{saw}");
    assert!(saw["nodes"].to_string().contains("tool lookup_order, 9 calls"), "{saw}");
    assert_eq!(
        saw["edges"],
        json!(["order_agent → gpt-4o-mini-2024-07-18: 10 calls", "order_agent → lookup_order: 9 calls"])
    );
    let starts = |name: &str, with: &str| assert!(saw[name].as_str().unwrap().starts_with(with), "{name}: {saw}");
    starts("first", "step 1, llm, gpt-4o-mini");
    starts("third", "step 3, llm, gpt-4o-mini");
    assert_eq!(saw["where"], "3 of 19 steps");
    let step = saw["step"].as_str().unwrap();
    for part in ["repetition 2 of loop 1: exact repeat", "Input", "Where is order A-1042", "Output", "lookup_order"] {
        assert!(step.contains(part), "{part}: {step}");
    }
    starts("second", "step 2, tool, lookup_order");
    assert!(saw["second"].as_str().unwrap().contains("repetition 1 of loop 1"), "{saw}");
    starts("root", "agent, order_agent");
    assert_ne!(saw["row"], saw["root"]);
    assert_eq!([&saw["rows"], &saw["folded"], &saw["closed"], &saw["unfolded"]], ["79", "1", "false", "79"]);
    assert_eq!([&saw["pane"], &saw["other"], &saw["searching"]], ["graph-scroll", "replay-scroll", "search"]);
    assert_eq!([&saw["none"], &saw["left"]], ["0 of 79", ""]);
    assert_ne!(saw["anywhere"], "0 of 79");
    assert!(!["", "0 of 79"].contains(&saw["found"].as_str().unwrap()), "{saw}");
    assert_ne!(saw["dark"], saw["light"]);
    assert!(["dark", "light"].contains(&saw["scheme"].as_str().unwrap()));
    assert_eq!(saw["help"], true);
    assert_eq!([&saw["picked"], &saw["calls"]], ["tool:\"lookup_order\"", "1 of 9 matches"]);
    assert_eq!([&saw["playing"], &saw["paused"]], ["Pause", "Play"]);
    assert_eq!(saw["played"], 6, "five steps in half a second at ten a second");
    assert_eq!(saw["lit"], 2);
    assert_ne!(saw["zoomed"], saw["whole"]);
}

#[test]
fn handoffs_errors_and_parallel_calls_have_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let look_at = |name: &str| {
        let page = page(&captured(dir.path(), &format!("{name}.spans"), &captures_named(&[name])), "last");
        let act = r##"
            key("g"); saw.nodes = all(".node").map((n) => n.getAttribute("aria-label"));
            saw.handoffs = all(".edge.handoff title").map((t) => t.textContent);
            key("w"); saw.failed = all(".row.failed").length; saw.critical = all(".row.critical").length;
            key("e"); saw.error = told("#replay-scroll"); saw.narrow = all(".pane").filter((p) => p.offsetParent).map((p) => p.id);
            saw.beyond = document.documentElement.scrollWidth - window.innerWidth;
        "##;
        look(&page, "400,800", act)
    };
    let Some(handoff) = look_at("openai_agents-openinference.handoff") else { return };
    assert_eq!(handoff["handoffs"], json!(["triage → orders: 3 handoffs", "orders → triage: 3 handoffs"]), "{handoff}");
    assert_eq!(handoff["narrow"], json!(["waterfall"]));
    assert_eq!(handoff["beyond"], 0, "nothing is wider than the page");
    assert!(handoff["critical"].as_u64().unwrap() > 1);
    let error = look_at("langfuse-openai.toolerror").unwrap();
    assert!(error["failed"].as_u64().unwrap() > 0, "{error}");
    assert!(
        error["nodes"].to_string().contains("3 calls") && error["nodes"].to_string().contains("2 errors"),
        "{error}"
    );
}

const HOSTILE: &str = "</script><script>alert(1)</script><!--<script>\u{2028}\u{2029}\u{0}\u{1b}[31m\u{202e}txet\u{2066}🦀👩‍💻\
                       <img src=x onerror=alert(1)>\"'`${alert(1)}]]>&lt;é\u{85}";

/// A run with one agent, as OTLP JSON; every fifth call fails.
fn otlp(name: &str, calls: usize, argument: &str, result: &str) -> String {
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let span = |id: usize, parent: usize, name: &str, from: usize, to: usize, attributes: Vec<Value>| {
        json!({"traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": format!("{id:016x}"),
               "parentSpanId": if parent == 0 { String::new() } else { format!("{parent:016x}") }, "name": name,
               "startTimeUnixNano": (1_767_225_600_000_000_000_u64 + from as u64 * 1_000_000).to_string(),
               "endTimeUnixNano": (1_767_225_600_000_000_000_u64 + to as u64 * 1_000_000).to_string(),
               "attributes": attributes, "status": if id.is_multiple_of(5) { json!({"code": 2, "message": name}) } else { json!({}) }})
    };
    let mut spans = vec![span(
        1,
        0,
        name,
        0,
        calls + 1,
        vec![attribute("gen_ai.operation.name", "invoke_agent"), attribute("gen_ai.agent.name", name)],
    )];
    spans.extend((0..calls).map(|i| {
        let attributes = [
            ("gen_ai.operation.name", "execute_tool"),
            ("gen_ai.tool.name", name),
            ("gen_ai.tool.call.arguments", &format!("{{\"n\": {i}, \"is\": {}}}", json!(argument))),
            ("gen_ai.tool.call.result", &format!("{i} {result}")),
        ];
        span(i + 2, 1, name, i, i + 1, attributes.map(|(k, v)| attribute(k, v)).to_vec())
    }));
    json!({"resourceSpans": [{"scopeSpans": [{"scope": {"name": name}, "spans": spans}]}]}).to_string()
}

fn ingested(dir: &Path, otlp: &str) -> PathBuf {
    let (json, spans) = (dir.join("run.json"), dir.join("run.spans"));
    std::fs::write(&json, otlp).unwrap();
    let r = run(&["ingest", "-q", text(&spans), text(&json)]);
    assert_eq!((r.err.as_str(), r.code), ("", 0));
    spans
}

#[test]
fn texts_of_a_hostile_run_are_only_texts() {
    let dir = tempfile::tempdir().unwrap();
    let mut result = format!("{HOSTILE}\n");
    for i in 0..40_000 {
        writeln!(result, "{i} is one more line of output").unwrap();
    }
    assert!(result.len() > 1_000_000);
    let page = page(&ingested(dir.path(), &otlp(HOSTILE, 3, HOSTILE, &result)), "last");
    let act = r##"
        saw.title = told("#title"); saw.args = told('[data-part="args"] .text'); saw.result = told('[data-part="result"] .text').length;
        const more = one('[data-part="result"] .more'); saw.more = more.textContent; more.click();
        saw.all = told('[data-part="result"] .text').length; saw.end = told('[data-part="result"] .text').slice(-40);
        key("j"); key("j"); saw.at = told("#where"); saw.nodes = all(".node").length; saw.comments = [...document.documentElement.childNodes].filter((n) => n.nodeType === 8).length;
        saw.hidden = /[\u0000-\u0008\u001b\u0085\u202e\u2028\u2066]/.test(document.body.innerText);
        for (const k of ["g", "r", "w", "e", "c", "Escape", "p", "p", "t", "+", "z", "0", "Home", "End"]) key(k);
        await find("<\/script>"); saw.found = told("#found");
    "##;
    let Some(saw) = look(&page, "1800,900", act) else { return };
    let shown = "</script><script>alert(1)</script><!--<script>";
    assert!(saw["title"].as_str().unwrap().starts_with(shown), "{saw}");
    let args = saw["args"].as_str().unwrap();
    assert!(args.contains(shown) && args.contains("\"n\": 0"), "{args}");
    assert!(saw["result"].as_u64().unwrap() < 2_000 && saw["all"].as_u64().unwrap() > 1_000_000, "{saw}");
    assert!(saw["more"].as_str().unwrap().starts_with("Show all: 1,"), "{saw}");
    assert!(saw["end"].as_str().unwrap().ends_with("39999 is one more line of output"), "{saw}");
    assert_eq!((&saw["hidden"], &saw["comments"]), (&json!(false), &json!(0)));
    assert_eq!([&saw["at"], &saw["found"]], ["3 of 3 steps", "4 of 4"]);
}

#[test]
fn ten_thousand_spans_are_a_few_rows() {
    let dir = tempfile::tempdir().unwrap();
    let page = page(&ingested(dir.path(), &otlp("work", 9_999, "x", "done")), "last");
    let act = r##"
        saw.rows = one("#rows").getAttribute("aria-rowcount"); saw.drawn = all(".row").length;
        one("#rows").focus(); key("End"); await wait(100); saw.last = chosen(); saw.still = all(".row").length;
        key("r"); key("Home"); saw.first = told("#where"); for (let i = 0; i < 200; i += 1) key("j"); saw.at = told("#where");
        await find("is:error"); saw.errors = told("#found"); saw.few = all(".row").length;
        await find("9876"); saw.word = told("#found");
    "##;
    let Some(saw) = look(&page, "1400,900", act) else { return };
    assert_eq!([&saw["rows"], &saw["first"], &saw["at"]], ["10000", "1 of 9,999 steps", "201 of 9,999 steps"]);
    assert!(saw["last"].as_str().unwrap().starts_with("step 9999, tool, work"), "{saw}");
    assert_eq!([&saw["errors"], &saw["word"]], ["2,000 of 10,000", "1 of 10,000"]);
    for drawn in ["drawn", "still", "few"] {
        assert!((10..100).contains(&saw[drawn].as_u64().unwrap()), "{drawn}: {saw}");
    }
}

#[test]
fn a_page_is_whole_or_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let spans = ingested(dir.path(), &otlp("work", 2, "x", "done"));
    let html = |to: &Path| run(&["show", text(&spans), "last", "--html", text(to)]);
    let before = std::fs::read(&spans).unwrap();
    let link = dir.path().join("link.html");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&spans, &link).unwrap();
    for own in [spans.clone(), dir.path().join(".").join("run.spans"), link] {
        let r = html(&own);
        assert!(r.code == 1 && r.err.contains("would overwrite the file it shows"), "{}", r.err);
    }
    assert!(std::fs::read(&spans).unwrap() == before);
    let nowhere = dir.path().join("nowhere");
    let r = html(&nowhere.join("a.html"));
    assert!(r.code == 1 && r.err.contains("nowhere: no such folder"), "{}", r.err);
    let page = dir.path().join("a.html");
    std::fs::write(&page, "what was there").unwrap();
    assert_eq!(html(&page).code, 0);
    assert!(std::fs::read_to_string(&page).unwrap().starts_with("<!doctype html>"));
    let r = run(&["show", text(&spans), "ffff", "--html", text(&page)]);
    assert!(r.code == 1 && !r.err.is_empty(), "{}", r.err);
    assert!(std::fs::read_to_string(&page).unwrap().starts_with("<!doctype html>"), "a page that was there stays");
    let left: Vec<_> = dir.path().read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|n| n.to_string_lossy().contains("partial")), "{left:?}");
}
