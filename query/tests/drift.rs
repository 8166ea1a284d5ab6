//! Drift: the tables, the functions for other sides, the aggregates and the verb, on the runs that the demo makes.

use std::path::{Path, PathBuf};

use spanfile::stats;
use spanfile_query::{Engine, EngineOptions};

use crate::command::{Ran, ran, spanfile};
use crate::data::{captured, captures_named, error, rows};

/// What the demo makes: `support` changed on day 28 of 35, `invoices` did not.
fn demo(dir: &Path) -> (PathBuf, Ran) {
    let shown = ran(spanfile(&["demo"]).current_dir(dir).output().unwrap());
    (dir.join("demo-drift.spans"), shown)
}

fn engine(path: &Path) -> Engine {
    Engine::open(path, EngineOptions::default()).unwrap()
}

#[test]
fn the_demo_shows_the_agent_that_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, shown) = demo(dir.path());
    assert_eq!(shown.code, 0, "{}", shown.err);
    for said in ["The last 7 days (128 agent runs)", "1 of 2 agents drifted: support", "× 2.14", "2026-01-29", "▁"] {
        assert!(shown.out.contains(said), "{said}: {}", shown.out);
    }
    let e = engine(&path);
    assert_eq!(rows(&e, "SELECT DISTINCT agent_name FROM drift WHERE verdict = 'drift'"), "support\n");
    let day = "abs(CAST(change_at AS BIGINT) - CAST(TIMESTAMP '2026-01-29' AS BIGINT)) < 43200000000000";
    assert_eq!(rows(&e, &format!("SELECT DISTINCT {day} FROM regressions WHERE unit IS NOT NULL")), "true\n");
    assert_eq!(
        rows(&e, "SELECT count(*) FROM regressions"),
        rows(&e, "SELECT count(*) FROM drift WHERE verdict = 'drift' AND worse")
    );
    let worst = rows(&e, "SELECT metric FROM regressions");
    for metric in ["cost_usd", "input_tokens", "steps", "tool_calls", "duration_ns"] {
        assert!(worst.contains(metric), "{metric}: {worst}");
    }
    assert!(rows(&e, "SELECT metric FROM drift WHERE verdict = 'drift' AND worse IS NULL").contains("tool_mix"));
    // The worst first.
    let order = rows(&e, "SELECT magnitude FROM drift WHERE verdict = 'drift' AND worse");
    let order: Vec<f64> = order.lines().map(|l| l.parse().unwrap()).collect();
    assert!(order.len() > 4 && order.is_sorted_by(|a, b| a >= b), "{order:?}");
    // Said once more on the same file, which stays as it is.
    let (_, again) = demo(dir.path());
    assert_eq!(again.out.split("What changed").nth(1), shown.out.split("What changed").nth(1));
}

#[test]
fn sides_in_words_and_in_sql_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = demo(dir.path());
    let e = engine(&path);
    let all = |call: &str| rows(&e, &format!("SELECT * FROM {call}"));
    let usual = all("drift");
    assert_eq!(all("drift()"), usual);
    assert_eq!(all("drift(current => 'last 7 days')"), usual);
    assert_eq!(all("drift('previous 28 days', 'last 1 week')"), usual);
    let versions = all("drift(baseline => 'version v1', current => 'version v2')");
    assert_eq!(all("drift(current => 'version v2', baseline => 'agent_version = ''v1''')"), versions);
    // All other runs are the other side.
    assert_eq!(all("drift(current => 'version v2')"), versions);
    assert_eq!(all("drift(baseline => 'agent_version <> ''v2''')"), versions);
    // The agent that has no second version has nothing to compare.
    assert_eq!(
        rows(
            &e,
            "SELECT DISTINCT agent_name, verdict FROM drift(current => 'version v2') WHERE verdict <> 'no_drift' ORDER BY 1"
        ),
        "invoices,insufficient\nsupport,drift\n"
    );
    let times = "'2026-01-01..2026-01-29'";
    assert_eq!(
        all(&format!("drift(baseline => {times}, current => 'since 2026-01-29')")),
        all("drift(baseline => 'before 2026-01-29')")
    );
}

#[test]
fn sides_may_look_into_other_tables() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = demo(dir.path());
    let e = engine(&path);
    // All runs called the model, so none are left; and none had a prompt with a version.
    let told =
        |call: &str| rows(&e, &format!("SELECT DISTINCT verdict, n_base, n_cur FROM {call} WHERE metric = 'steps'"));
    assert_eq!(told("drift(current => 'model gpt-5-mini')"), "insufficient,0,315\n");
    assert_eq!(told("drift(current => 'prompt 3')"), "insufficient,315,0\n");
    let second = "trace_id IN (SELECT trace_id FROM agent_runs WHERE agent_version = ''v2'')";
    assert_eq!(
        rows(&e, &format!("SELECT * FROM drift(current => '{second}')")),
        rows(&e, "SELECT * FROM drift(current => 'version v2')")
    );
    assert_eq!(rows(&e, "SELECT DISTINCT verdict FROM drift(by => 'trace_id')"), "insufficient\n");
}

#[test]
fn sides_that_make_no_sense_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = demo(dir.path());
    let e = engine(&path);
    for (call, said) in [
        ("drift(current => 'last month')", "current is no cohort"),
        ("drift(baseline => 'since tomorrow')", "tomorrow is no date"),
        ("drift(current => 'nme = 1')", "drift: current: there is no column nme in agent_runs"),
        ("drift(by => 'nme')", "drift: by: there is no column nme in agent_runs"),
        ("drift(baseline => 'count(*) > 1')", "drift: baseline: "),
        ("drift(lower_is_better => 'nothing')", "there is no score nothing"),
        ("drift(baseline => 'all')", "none are left"),
        ("drift(baseline => 'previous 7 days', current => 'version v2')", "begins at a time"),
        ("drift(current => 'file old')", "no file is attached as old"),
        ("drift(by => 'a, b')", "by is no column"),
        ("drift(alpha => 2)", "alpha is between 0 and 1"),
        ("drift(min_runs => 0)", "min_runs is a whole number"),
        ("drift(secondary => 1)", "secondary is true or false"),
        ("drift(basis => 'x')", "there is no parameter basis"),
        ("drift('a', 'b', 'c', 0.1, 1, 'd', true, 1)", "too many arguments"),
    ] {
        let e = error(&e, &format!("SELECT * FROM {call}"));
        assert!(e.contains(said), "{call}: {e}");
    }
    let both = error(&e, "SELECT * FROM drift(baseline => 'version v1', current => 'since 2026-01-02')");
    assert!(both.contains("both in the baseline and on the current side"), "{both}");
}

#[test]
fn strata_files_and_secondary_metrics() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = demo(dir.path());
    let e = engine(&path);
    let by = "SELECT DISTINCT stratum FROM drift(by => 'outcome') ORDER BY 1";
    assert_eq!(rows(&e, by), "completed\nfailed\n");
    assert_eq!(
        rows(
            &e,
            "SELECT DISTINCT stratum FROM drift(by => 'CASE WHEN steps > 8 THEN ''long'' ELSE ''short'' END') ORDER BY 1"
        ),
        "long\nshort\n"
    );
    let secondary = "SELECT metric FROM drift(secondary => true) WHERE agent_name = 'support' \
                     AND family = 'secondary' AND verdict = 'drift'";
    assert!(rows(&e, secondary).contains("version_mix\n"));
    assert_eq!(rows(&e, "SELECT count(*) FROM drift WHERE family = 'secondary'"), "0\n");
    // The same file under another name has the same runs, which no statistic can tell apart.
    e.attach(std::slice::from_ref(&path), "old").unwrap();
    let apart = rows(&e, "SELECT verdict, count(*) FROM drift(baseline => 'file old') GROUP BY verdict");
    assert_eq!(apart, "no_drift,24\n");
    let versions = rows(&e, "SELECT * FROM drift(current => 'version v2', baseline => 'version v1')");
    assert_eq!(
        rows(&e, "SELECT * FROM old.drift(current => 'version v2', baseline => 'file main: version v1')"),
        versions
    );
}

#[test]
fn points_and_bins_tell_what_is_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = demo(dir.path());
    let e = engine(&path);
    assert_eq!(
        rows(&e, "SELECT DISTINCT agent_name, change_at::DATE FROM drift_points WHERE after > before * 1.2"),
        "support,2026-01-29\n"
    );
    assert_eq!(
        rows(
            &e,
            "SELECT DISTINCT round(sum(base_share), 9), round(sum(cur_share), 9) FROM drift_detail GROUP BY agent_name, metric"
        ),
        "1.0,1.0\n"
    );
    let tools = "SELECT category, cur_share > base_share FROM drift_detail WHERE agent_name = 'support' AND metric = 'tool_mix' AND category <> 'find_order' ORDER BY 1";
    assert_eq!(rows(&e, tools), "read_policy,false\nweb_search,true\n");
    assert_eq!(rows(&e, "SELECT * FROM new_tools"), "");
    assert_eq!(rows(&e, "SELECT * FROM new_models"), "");
}

#[test]
fn agent_runs_sum_up_to_runs() {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(
        dir.path(),
        "all.spans",
        &captures_named(&["openai_agents-openinference.handoff", "langgraph-openinference.loop"]),
    );
    let e = engine(&path);
    let sums = "sum(llm_calls), sum(tool_calls), sum(input_tokens), sum(output_tokens), sum(cost_usd)";
    assert_eq!(
        rows(&e, &format!("SELECT trace_id, {sums} FROM agent_runs GROUP BY trace_id ORDER BY 1")),
        rows(&e, &format!("SELECT trace_id, {sums} FROM cost_per_run GROUP BY trace_id ORDER BY 1"))
    );
    assert!(rows(&e, "SELECT max(agents) FROM agent_runs").trim().parse::<u32>().unwrap() > 1);
    assert_eq!(rows(&e, "SELECT DISTINCT retries IS NULL FROM agent_runs WHERE agents > 1"), "true\n");
    assert_eq!(
        rows(&e, "SELECT sum(loops) FROM agent_runs WHERE agents = 1"),
        rows(
            &e,
            "SELECT count(*) FROM loops WHERE severity <> 'info' AND trace_id IN (SELECT trace_id FROM agent_runs WHERE agents = 1)"
        )
    );
}

#[test]
fn aggregates_are_those_of_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = demo(dir.path());
    let e = engine(&path);
    let of = |current: bool| -> Vec<f64> {
        let sql =
            format!("SELECT input_tokens FROM agent_runs WHERE (agent_version = 'v2') = {current} ORDER BY start_time");
        rows(&e, &sql).lines().map(|l| l.parse().unwrap()).collect()
    };
    let (base, current) = (of(false), of(true));
    let ask = |aggregate: &str, field: &str| -> f64 {
        let sql = format!("SELECT ({aggregate}(input_tokens, agent_version = 'v2'))['{field}'] FROM agent_runs");
        rows(&e, &sql).trim().parse().unwrap()
    };
    let ks = stats::kolmogorov_smirnov(&base, &current).unwrap();
    assert_eq!((ask("ks_test", "statistic"), ask("ks_test", "p")), (ks.statistic, ks.p));
    let level = stats::mann_whitney(&base, &current).unwrap();
    assert_eq!((ask("mann_whitney", "u"), ask("mann_whitney", "p")), (level.u, level.p));
    let delta = stats::cliffs_delta(&base, &current, 0.05).unwrap();
    assert_eq!((ask("cliffs_delta", "delta"), ask("cliffs_delta", "ci_lo")), (delta.delta, delta.low));
    let (binned_base, binned_current) = stats::quantile_bins(&base, &current, 10).unwrap();
    let psi = stats::psi(&binned_base, &binned_current).unwrap();
    assert_eq!((ask("psi", "raw"), ask("psi", "corrected")), (psi.raw, psi.corrected));
    let js = stats::jensen_shannon(&binned_base, &binned_current).unwrap();
    assert_eq!(ask("js_distance", "raw"), js.raw);
    let tools = "SELECT (psi(tool_name, a.agent_version = 'v2'))['raw'] > 0.25 FROM tool_calls t JOIN agent_runs a USING (trace_id)";
    assert_eq!(rows(&e, tools), "true\n");
    // Groups, and those that have one side only.
    let grouped = "SELECT agent_name, (ks_test(steps, agent_version = 'v2'))['p'] IS NULL FROM agent_runs GROUP BY agent_name ORDER BY 1";
    assert_eq!(rows(&e, grouped), "invoices,true\nsupport,false\n");
    assert_eq!(
        rows(&e, "SELECT ks_test(x, c) IS NULL FROM (VALUES (1, true), (NULL, false), (2, NULL)) t(x, c)"),
        "true\n"
    );
    for (call, said) in [
        ("ks_test(DISTINCT steps, true)", "takes neither DISTINCT nor ORDER BY"),
        ("psi(steps, true ORDER BY steps)", "takes neither DISTINCT nor ORDER BY"),
        ("changepoints(DISTINCT steps ORDER BY steps)", "takes no DISTINCT"),
        ("ks_test(agent_name, true)", "x is no number"),
        ("psi(steps, steps)", "is_current is true or false"),
        ("ks_test(CAST('NaN' AS DOUBLE), true)", "NaN is no finite number"),
        ("changepoints(steps)", "ORDER BY is missing"),
        ("changepoints(agent_name ORDER BY start_time)", "x is no number"),
    ] {
        let e = error(&e, &format!("SELECT {call} FROM agent_runs"));
        assert!(e.contains(said), "{call}: {e}");
    }
}

#[test]
fn changepoints_follow_the_order_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = demo(dir.path());
    let e = engine(&path);
    let series: Vec<f64> =
        rows(&e, "SELECT input_tokens FROM agent_runs WHERE agent_name = 'support' ORDER BY start_time, input_tokens")
            .lines()
            .map(|l| l.parse().unwrap())
            .collect();
    let found = stats::level_changes(&series, 20, 3.0).unwrap().at;
    assert_eq!(found.len(), 1);
    let told = format!("[{}]", found[0] + 1);
    let of = |order: &str| {
        rows(
            &e,
            &format!("SELECT changepoints(input_tokens ORDER BY {order}) FROM agent_runs WHERE agent_name = 'support'"),
        )
    };
    assert_eq!(of("start_time").trim(), told);
    let back = format!("[{}]", series.len() - found[0] + 1);
    assert_eq!(of("start_time DESC").trim(), back);
    assert_eq!(
        rows(
            &e,
            "SELECT agent_name, changepoints(input_tokens ORDER BY start_time) FROM agent_runs GROUP BY agent_name ORDER BY 1"
        ),
        format!("invoices,[]\nsupport,{told}\n")
    );
}

#[test]
fn the_verb_and_its_gate() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = demo(dir.path());
    let path = path.to_str().unwrap();
    let run = |args: &[&str]| ran(spanfile(&[&["drift", path], args].concat()).output().unwrap());
    let plain = run(&[]);
    assert_eq!((plain.code, plain.err.as_str()), (0, ""));
    assert!(plain.out.contains("1 of 2 agents drifted: support"), "{}", plain.out);
    for width in ["40", "80", "120"] {
        let drawn = run(&["--width", width, "--all"]);
        assert!(drawn.out.lines().count() > 20, "{}", drawn.out);
    }
    let gated = run(&["--fail-on", "drift"]);
    assert_eq!(gated.code, 4);
    assert!(gated.err.contains("metrics drifted: support"), "{}", gated.err);
    assert_eq!(run(&["--fail-on", "worse"]).code, 4);
    let fine = run(&["--fail-on", "drift", "--agent", "invoices"]);
    assert_eq!((fine.code, fine.err.as_str()), (0, ""), "{}", fine.out);
    // Too few runs are said, and fail where that is asked for.
    let few = ["--current", "last 1 day", "--agent", "invoices", "--fail-on", "drift"];
    let told = run(&few);
    assert_eq!(told.code, 0);
    assert!(told.err.contains("too few runs to say; --require-power makes that fail"), "{}", told.err);
    assert_eq!(run(&[&few[..], &["--require-power"]].concat()).code, 4);
    let nobody = run(&["--agent", "nobody", "--fail-on", "drift", "--require-power"]);
    assert_eq!(nobody.code, 4);
    assert!(nobody.out.contains("no such runs of an agent nobody"), "{}", nobody.out);
    let typo = run(&["--current", "version v9"]);
    assert!(typo.out.contains("Nothing could be judged") && typo.out.contains("The current side has no runs."));
    assert_eq!(run(&["--alpha", "2"]).code, 2);
    let json = run(&["--json", "--agent", "support"]);
    let rows: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert!(rows.as_array().unwrap().iter().any(|r| r["verdict"] == "drift" && r["metric"] == "cost_usd"));
    let against = run(&["--against", path]);
    assert!(against.out.contains("No drift in 2 agents"), "{}", against.out);
    assert_eq!(run(&["--current", "nonsense words"]).code, 1);
    assert_eq!(run(&["--require-power"]).code, 2);
}
