//! The verbs `cost` and `budget`, and how budgets stand.

use std::path::{Path, PathBuf};

use spanfile::budget::Budgets;
use spanfile_query::render::Format;
use spanfile_query::{Engine, EngineOptions, budget_status_sql};

use crate::command::{feed, ran, run, spanfile};
use crate::data::{Fixture, captured, captures, captures_named, rows, run_as};

/// Two runs whose every call has a price.
fn priced(dir: &Path) -> PathBuf {
    captured(
        dir,
        "priced.spans",
        &captures_named(&["openai_agents-openinference.handoff", "openai-openinference.normal"]),
    )
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_chart_fits_its_width_and_has_no_colours_in_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let path = priced(dir.path());
    let wide = run(&["cost", text(&path), "--by", "agent", "--width", "120"]);
    assert_eq!((wide.err.as_str(), wide.code), ("", 0));
    assert_eq!(
        wide.out,
        "\
agent       runs  tokens       cost
(no agent)     1     840  $0.000158  40 %  ████████████████████████████████████████
triage         1     783  $0.000139  35 %  ███████████████████████████████████▏
orders         1     579  $0.000100  25 %  █████████████████████████▎
total              2,202  $0.000396
"
    );
    let narrow = run(&["cost", text(&path), "--by", "agent", "--width=40"]);
    assert_eq!(
        narrow.out,
        "\
agent       tokens       cost
(no agent)     840  $0.000158  █████████
triage         783  $0.000139  ███████▉
orders         579  $0.000100  █████▋
total        2,202  $0.000396
"
    );
    let plain = run(&["cost", text(&path), "--by", "agent"]);
    assert!(plain.out.lines().all(|l| l.chars().count() <= 100 && !l.contains('\u{1b}')), "{}", plain.out);
    let refused = ran(spanfile(&["cost", text(&path), "--by", "agent"]).env("NO_COLOR", "1").output().unwrap());
    assert_eq!(refused.out, plain.out);
    let first = run(&["cost", text(&path), "--by", "agent", "--top", "1"]).out;
    let lines: Vec<Vec<&str>> = first.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(lines[2][..5], ["2", "other", "agents", "1,362", "$0.000239"], "{first}");
    assert_eq!(lines[3], ["total", "2,202", "$0.000396"], "{first}");
}

#[test]
fn every_way_to_sum_gives_the_same_total() {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(dir.path(), "all.spans", &captures());
    let total = |by: &str, top: &str| {
        let r = run(&["cost", text(&path), "--by", by, "--top", top]);
        assert_eq!((r.err.as_str(), r.code), ("", 0), "{by}");
        let line = r.out.lines().find(|l| l.starts_with("total ")).unwrap().to_owned();
        // Charts have as many decimals as their smallest amount needs.
        let amount = line.split_once("≥ $").unwrap().1.split(' ').next().unwrap().to_owned();
        assert!(r.out.contains("Incomplete: 1 span has no price (1 (no model))"), "{}", r.out);
        amount[..7].to_owned()
    };
    let want = total("model", "0");
    for by in ["run", "session", "user", "agent", "version", "workflow", "model", "tool", "day", "success", "bucket"] {
        for top in ["2", "0"] {
            assert_eq!(total(by, top), want, "{by} {top}");
        }
    }
}

#[test]
fn programs_get_every_digit() {
    let dir = tempfile::tempdir().unwrap();
    let path = priced(dir.path());
    let engine = Engine::open(&path, EngineOptions::default()).unwrap();
    for (by, view) in [("run", "cost_per_run"), ("model", "cost_by_model"), ("success", "cost_per_success")] {
        let sql = format!("SELECT * FROM {view} ORDER BY cost_usd DESC");
        let want = run_as(&engine, &sql, &Format::Csv).unwrap();
        assert!(want.lines().count() > 1);
        let r = run(&["cost", text(&path), "--by", by, "-csv"]);
        assert_eq!((r.out, r.code), (want, 0), "{by}");
    }
    let sum = rows(&engine, "SELECT sum(cost_usd) FROM cost_per_run");
    let r = run(&["cost", text(&path), "--by", "day", "-json"]);
    assert!(r.out.contains(&format!("\"cost_usd\":{},", sum.trim())), "{sum} {}", r.out);
    let r = run(&["cost", text(&path), "--by", "run", "--top", "1", "-csv", "-noheader"]);
    assert_eq!(r.out.lines().count(), 1);
}

#[test]
fn budgets_are_set_listed_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = priced(dir.path());
    let f = text(&path);
    let said = |args: &[&str]| {
        let r = run(args);
        (r.code, r.out, r.err)
    };
    let ok = |out: &str| (0, out.to_owned(), String::new());
    assert_eq!(
        said(&["budget", "set", f, "--per", "run", "--soft", "0.50", "--hard", "2"]),
        ok("budget per run, soft $0.5, hard $2\n")
    );
    assert_eq!(
        said(&[
            "budget",
            "set",
            f,
            "--per",
            "agent",
            "--name",
            "o'brien",
            "--every",
            "day",
            "--hard",
            "0.000000000001"
        ]),
        ok("budget per agent \"o'brien\" every day, hard $0.000000000001\n")
    );
    assert_eq!(
        said(&["budget", "list", f, "-csv"]),
        ok("scope,name,every,soft_usd,hard_usd\nrun,,,0.5,2\nagent,o'brien,day,,0.000000000001\n")
    );
    // The same again takes the place of what was there.
    assert_eq!(said(&["budget", "set", f, "--per", "run", "--soft", "1"]), ok("budget per run, soft $1\n"));
    let toml = run(&["budget", "export", f]).out;
    assert_eq!(
        toml,
        "[[budget]]\nper = \"run\"\nsoft = \"1\"\n\n[[budget]]\nper = \"agent\"\nname = \"o'brien\"\nevery = \"day\"\n\
         hard = \"0.000000000001\"\n"
    );
    assert_eq!(
        said(&["budget", "remove", f, "--per", "agent"]),
        (1, String::new(), "spanfile: there is no budget per agent\n".into())
    );
    assert_eq!(
        said(&["budget", "remove", f, "--per", "agent", "--name", "o'brien", "--every", "day"]),
        ok("budget per agent \"o'brien\" every day removed\n")
    );
    let imported = feed(&["budget", "import", f, "-"], &toml);
    assert_eq!((imported.out.as_str(), imported.code), ("2 budgets\n", 0));
    assert_eq!(run(&["budget", "export", f]).out, toml);
    for (args, message) in [
        (&["--per", "runs", "--hard", "1"][..], "run, session, user, agent, day"),
        (&["--per", "run", "--hard", "1,5"], "no decimal number"),
        (&["--per", "run", "--hard", "-1"], ""),
        (&["--per", "run"], "neither soft nor hard"),
        (&["--per", "run", "--soft", "2", "--hard", "1"], "soft is above hard: 2 and 1"),
        (&["--per", "run", "--name", "x", "--hard", "1"], "has no name"),
        (&["--per", "day", "--every", "day", "--hard", "1"], "only budgets per user or agent"),
    ] {
        let r = run(&[&["budget", "set", f], args].concat());
        assert!(r.code == 2 && r.err.contains(message), "{args:?}: {} {}", r.code, r.err);
    }
    let bad = dir.path().join("bad.toml");
    std::fs::write(&bad, "[[budget]]\nper = \"run\"\nhrad = 1\n").unwrap();
    for args in [["budget", "import", f, text(&bad)], ["cost", f, "--budgets", text(&bad)]] {
        let r = run(&args);
        let want = format!(
            "spanfile: {}: line 3: unknown key \"hrad\"; a budget has per, name, every, soft and hard\n",
            bad.display()
        );
        assert_eq!((r.code, r.err), (1, want));
    }
    assert_eq!(run(&["budget", "export", f]).out, toml, "what was refused changed nothing");
    assert_eq!(run(&["verify", f]).code, 0);
}

#[test]
fn where_budgets_stand() {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(dir.path(), "all.spans", &captures());
    let engine = Engine::open(&path, EngineOptions::default()).unwrap();
    let states = |toml: &str| {
        let sql = budget_status_sql(&Budgets::parse(toml).unwrap());
        let columns =
            "scope, coalesce(name, '-') AS name, coalesce(every, '-') AS every, state, cost_complete, count(*)";
        rows(&engine, &format!("SELECT {columns} FROM ({sql}) GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"))
    };
    let runs: usize = rows(&engine, "SELECT count(*) FROM cost_per_run WHERE cost_complete").trim().parse().unwrap();
    assert_eq!(rows(&engine, "SELECT count(*) FROM cost_per_run WHERE NOT cost_complete"), "1\n");
    // Nothing is over a limit that nothing reaches, and the one incomplete run may be.
    assert_eq!(
        states("[[budget]]\nper = 'run'\nhard = 1"),
        format!("run,-,-,unknown,false,1\nrun,-,-,within,true,{runs}\n")
    );
    // Equal is within; one pico-dollar less is over.
    let most = rows(&engine, "SELECT max(cost_usd) FROM cost_per_run WHERE cost_complete");
    let most = spanfile::cost::parse_usd(most.trim()).unwrap();
    for (limit, over) in [(most, 0), (most - 1, 1)] {
        let usd = spanfile::cost::format_usd(limit);
        let stand = states(&format!("[[budget]]\nper = 'run'\nsoft = '{usd}'\nhard = 1"));
        assert_eq!(stand.matches("over_soft,true,1").count(), over, "{stand}");
    }
    // A name takes the place of what each has; one that is nowhere is told; those without a session are in no row.
    let sessions: usize =
        rows(&engine, "SELECT count(*) FROM cost_per_session WHERE session_id IS NOT NULL").trim().parse().unwrap();
    let name =
        rows(&engine, "SELECT session_id FROM cost_per_session WHERE cost_complete AND session_id IS NOT NULL LIMIT 1");
    let stand = states(&format!(
        "[[budget]]\nper = 'session'\nhard = 1\n[[budget]]\nper = 'session'\nname = '{}'\nhard = 0\n\
         [[budget]]\nper = 'session'\nname = \"it's\"\nhard = 0\n",
        name.trim()
    ));
    assert!(stand.contains(&format!("session,{},-,over_hard,true,1\n", name.trim())), "{stand}");
    assert!(stand.contains("session,it's,-,unused,true,1\n"), "{stand}");
    let counted: usize = stand.lines().map(|l| l.rsplit(',').next().unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(counted, sessions + 1, "{stand}");
    // Days of a user or an agent add up to the user and the agent.
    for (per, column, view) in [("agent", "agent_name", "cost_by_agent"), ("user", "user_id", "cost_per_user")] {
        let sql = budget_status_sql(&Budgets::parse(&format!("[[budget]]\nper='{per}'\nevery='day'\nhard=1")).unwrap());
        let by_day =
            format!("SELECT subject, sum(cost_usd), bool_and(cost_complete) FROM ({sql}) GROUP BY 1 ORDER BY 1");
        let all = format!("SELECT {column}, cost_usd, cost_complete FROM {view} WHERE {column} IS NOT NULL ORDER BY 1");
        assert_eq!(rows(&engine, &by_day), rows(&engine, &all));
    }
    let sql = budget_status_sql(&Budgets::parse("[[budget]]\nper='day'\nhard=1").unwrap());
    let days = format!("SELECT subject, day, cost_usd FROM ({sql}) ORDER BY 1");
    assert_eq!(
        rows(&engine, &days),
        rows(&engine, "SELECT CAST(day AS VARCHAR), day, cost_usd FROM cost_by_day ORDER BY 1")
    );
    assert_eq!(rows(&engine, &budget_status_sql(&Budgets::default())), "");
    // What the file keeps stands as what is given with the call.
    let toml = "[[budget]]\nper = 'run'\nsoft = 0.0001\nhard = 0.0004\n[[budget]]\nper = 'agent'\nname = 'x'\nhard = 1";
    let budgets = Budgets::parse(toml).unwrap();
    spanfile::Store::open(&path, spanfile::Options::default())
        .unwrap()
        .writer()
        .unwrap()
        .set_budgets(&budgets)
        .unwrap();
    let order = "ORDER BY scope, subject";
    let kept = rows(&engine, &format!("SELECT * FROM budget_status {order}"));
    assert!(kept.contains("over_hard") && kept.contains("over_soft"), "{kept}");
    assert_eq!(kept, rows(&engine, &format!("SELECT * FROM ({}) {order}", budget_status_sql(&budgets))));
}

#[test]
fn a_gate_fails_over_a_limit_and_where_the_cost_is_not_known() {
    let dir = tempfile::tempdir().unwrap();
    let path = priced(dir.path());
    let toml = dir.path().join("b.toml");
    let gate = |path: &Path, budgets: &str, args: &[&str]| {
        std::fs::write(&toml, budgets).unwrap();
        let r = run(&[&["cost", text(path), "--budgets", text(&toml)], args].concat());
        (r.code, r.err)
    };
    let run_budget = "[[budget]]\nper = 'run'\nsoft = '0.000001'\nhard = 1\n";
    assert_eq!(gate(&path, run_budget, &[]), (0, String::new()));
    assert_eq!(gate(&path, run_budget, &["--fail-over"]), (0, String::new()));
    assert_eq!(gate(&path, run_budget, &["--fail-over=soft"]), (4, "spanfile: 2 over a limit\n".into()));
    let day = "[[budget]]\nper = 'day'\nhard = 0\n";
    assert_eq!(gate(&path, day, &["-csv", "--fail-over=hard", "--allow-incomplete"]).0, 4);
    let (code, err) = gate(&path, "[[budget]]\nper = 'agent'\nname = 'planer'\nhard = 1", &["--fail-over"]);
    let said = "spanfile: budget per agent \"planer\": nothing in the file has that name\n\
                spanfile: --fail-over: no budget is for anything in the file\n";
    assert_eq!((code, err.as_str()), (2, said));
    for none in ["", "[[budget]]\nper = 'run'\nsoft = 1"] {
        let (code, err) = gate(&path, none, &["--fail-over"]);
        assert!(code == 2 && err.contains("no budget has a hard limit"), "{code} {err}");
    }
    // Nothing in this file has a price.
    let f = Fixture::new();
    let (code, err) = gate(&f.path, run_budget, &["--fail-over"]);
    assert_eq!(
        (code, err.as_str()),
        (4, "spanfile: 42 may be over a hard limit: their cost is incomplete; --allow-incomplete lets them pass\n")
    );
    assert_eq!(gate(&f.path, run_budget, &["--fail-over", "--allow-incomplete"]), (0, String::new()));
    let chart = run(&["cost", text(&f.path), "--budgets", text(&toml)]).out;
    assert!(chart.contains("unknown") && chart.contains("Incomplete: ") && chart.contains("per run: "), "{chart}");
    for args in [&["--allow-incomplete"][..], &["--by", "colour"], &["--what-if", "gpt-5"], &["--fail-over=some"]] {
        assert_eq!(gate(&path, run_budget, args).0, 2, "{args:?}");
    }
}

#[test]
fn other_prices_stand_beside_what_was_paid() {
    let dir = tempfile::tempdir().unwrap();
    let path = priced(dir.path());
    let engine = Engine::open(&path, EngineOptions::default()).unwrap();
    let want = rows(&engine, "SELECT sum(cost_usd), sum(actual_cost_usd) FROM cost_what_if('gpt-4o-mini', 'gpt-4o')");
    for by in ["run", "session", "user", "workflow"] {
        let args = ["cost", text(&path), "--what-if", "gpt-4o-mini=gpt-4o", "--by", by];
        let all = run(&[&args[..], &["-jsonl"]].concat()).out;
        assert!(!all.is_empty(), "{by}");
        let sum = |column: &str| -> i128 {
            let value = |line: &str| {
                line.split_once(&format!("\"{column}\":")).unwrap().1.split(',').next().unwrap().to_owned()
            };
            all.lines().map(|l| spanfile::cost::parse_usd(&value(l)).unwrap()).sum()
        };
        let [cost, actual] = ["cost_usd", "actual_cost_usd"].map(|c| spanfile::cost::format_usd(sum(c)));
        assert_eq!(format!("{cost},{actual}"), want.trim(), "{by}");
        let chart = run(&args);
        assert!(chart.code == 0 && chart.out.starts_with(by) && chart.out.contains(" actual"), "{}", chart.out);
    }
    let dated = run(&["cost", text(&path), "--as-of", "2025-05-01"]);
    assert!(dated.code == 0 && dated.out.contains(" actual"), "{} {}", dated.out, dated.err);
    for (args, code) in [
        (&["--as-of", "May"][..], 1),
        (&["--what-if", "gpt-4o-mini=no-such-model"], 1),
        (&["--as-of", "2025-05-01", "--by", "model"], 2),
        (&["--as-of", "2025-05-01", "--fail-over"], 2),
        (&["--as-of", "2025-05-01", "--what-if", "a=b"], 2),
    ] {
        let r = run(&[&["cost", text(&path)], args].concat());
        assert!(r.code == code && !r.err.is_empty(), "{args:?} {} {}", r.code, r.err);
    }
}
