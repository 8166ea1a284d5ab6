//! Costs in SQL and on the command line.

use std::process::{Command, Stdio};

use crate::data::{Fixture, captured, captures, captures_named, error, rows};
use spanfile_query::{Engine, EngineOptions};

fn all(dir: &tempfile::TempDir) -> Engine {
    Engine::open(captured(dir.path(), "all.spans", &captures()), EngineOptions::default()).unwrap()
}

/// Views of costs that every priced span is in exactly once.
const WHOLE: [&str; 12] = [
    "cost_per_run",
    "cost_per_session",
    "cost_per_user",
    "cost_by_agent",
    "cost_by_agent_version",
    "cost_by_workflow",
    "cost_by_model",
    "cost_by_day",
    "cost_by_tool",
    "cost_per_success",
    "cost_breakdown",
    "cost_per_success(by => 'service_name')",
];

#[test]
fn every_view_adds_up_to_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let e = all(&dir);
    let sum = |view: &str| {
        rows(&e, &format!("select sum(cost_usd), bool_and(cost_complete), sum(unpriced_tokens) from {view}"))
    };
    let whole = sum("cost_per_run");
    assert!(!whole.starts_with(','), "something has a price: {whole}");
    for view in WHOLE {
        assert_eq!(sum(view), whole, "{view}");
        let missing = rows(&e, &format!("select sum(unpriced_spans) from {view}"));
        assert_eq!(missing, rows(&e, "select sum(unpriced_spans) from cost_per_run"), "{view}");
    }
    // Runs of one agent are counted once, however many rows tell of it.
    assert_eq!(
        rows(&e, "select agent_name, runs from cost_by_agent where agent_name is not null order by 1"),
        rows(
            &e,
            "select run_agent, count(distinct trace_id) from spans where run_agent is not null \
             and (cost_basis is not null or (kind in ('llm', 'embedding') and is_duplicate_of is null and not failed)) \
             and run_agent in (select agent_name from cost_by_agent) group by 1 order by 1"
        )
    );
    // Everything that is missing is in the audit.
    let missing = "select sum(unpriced_spans), sum(unpriced_tokens)";
    assert_eq!(
        rows(&e, &format!("{missing} from cost_audit where not cost_complete")),
        rows(&e, &format!("{missing} from cost_per_run"))
    );
    assert_eq!(
        rows(&e, "select trace_id, sum(cost_usd) from llm_calls group by 1 having sum(cost_usd) > 0 order by 1"),
        rows(
            &e,
            "select trace_id, sum(cost_usd) from steps where kind = 'llm' group by 1 having sum(cost_usd) > 0 order by 1"
        )
    );
}

#[test]
fn a_price_is_that_of_its_time() {
    let f = Fixture::new();
    let e = Engine::open(&f.path, EngineOptions::default()).unwrap();
    let o3 = "select cost_usd('o3', 1000000, 100000, at => '2025-05-15'), \
              cost_usd('o3', 1000000, 100000, at => '2025-07-15')";
    assert_eq!(rows(&e, o3), "14,2.8\n");
    let exclusive_and_inclusive = "select cost_usd('claude-sonnet-4-5', 1500, 10, 1000, 200, provider => 'anthropic', \
                                   at => '2026-01-01') = 300 * 3 / 1e6 + 1000 * 0.3 / 1e6 + 200 * 3.75 / 1e6 + 10 * 15 / 1e6";
    assert_eq!(rows(&e, exclusive_and_inclusive), "true\n");
    let matched = "select m['price_key'], m['match_kind'], m['input_usd_per_mtok'], m['unpriced_reason'] \
                   from (select price_match('claude-sonnet-4-5-20250929', provider => 'anthropic') as m)";
    assert_eq!(rows(&e, matched), "anthropic/claude-sonnet-4-5,date_stripped,3,\n");
    assert_eq!(rows(&e, "select cost_usd('nobody-knows-it', 1, 1), cost_usd(NULL, 1, 1)"), ",\n");
    let why = "select price_call('nobody-knows-it', 1, 1)['unpriced_reason'], price_call('o3', 1)['unpriced_reason']";
    assert_eq!(rows(&e, why), "unknown_model,incomplete_usage\n");
    assert!(error(&e, "select cost_usd('o3', 1, 1, tokens => 2)").contains("no parameter tokens"));
    assert!(error(&e, "select cost_usd(model => 'o3', 1)").contains("without a name"));
    assert!(error(&e, "select cost_usd('o3', 1, input_tokens => 1)").contains("twice"));
}

#[test]
fn other_prices_stand_beside_what_was_paid() {
    let dir = tempfile::tempdir().unwrap();
    let e = all(&dir);
    let actual = rows(&e, "select trace_id, cost_usd from cost_per_run order by 1");
    assert_eq!(rows(&e, "select trace_id, actual_cost_usd from cost_as_of('2026-06-01') order by 1"), actual);
    assert_eq!(rows(&e, "select trace_id, actual_cost_usd from cost_what_if('o3', 'gpt-5') order by 1"), actual);
    assert_eq!(rows(&e, "select trace_id, cost_usd from cost_what_if('o3', 'gpt-5') order by 1"), actual);
    let dearer = "select count_if(cost_usd > actual_cost_usd) > 10, count_if(cost_usd < actual_cost_usd) \
                  from cost_what_if(model_to => 'gpt-5', model_from => 'gpt-4o-mini')";
    assert_eq!(rows(&e, dearer), "true,0\n");
    assert!(error(&e, "select * from cost_what_if('o3', 'nobody-knows-it')").contains("nobody-knows-it"));
    assert!(error(&e, "select * from cost_as_of('soon')").contains("no date"));
    assert!(error(&e, "select * from cost_as_of()").contains("cost_as_of(date)"));
}

#[test]
fn success_is_what_one_says_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let e = all(&dir);
    let by = "cost_per_success(success => 'errors = 0 and outcome = ''completed''', by => 'service_name')";
    assert_eq!(
        rows(&e, &format!("select service_name, runs, successful_runs, cost_usd from {by} order by 1")),
        rows(
            &e,
            "select service_name, count(*), count_if(errors = 0 and outcome = 'completed'), sum(cost_usd) \
             from cost_per_run group by 1 order by 1"
        )
    );
    // A run without the score is neither a success nor a failure that is known.
    let scored = rows(&e, "select sum(runs), sum(unknown_runs) from cost_per_success(score => 'none', at_least => 1)");
    assert_eq!(scored, rows(&e, "select count(*), count(*) from runs"));
    for (args, said) in [
        ("success => '1) as x, (select 2'", "no condition"),
        ("success => 'true; select 1'", "no condition"),
        ("success => 'nme = 1'", "nme"),
        ("score => 'x'", "at_least or at_most"),
        ("at_least => 1", "name of a score"),
        ("by => 'trace'", "by is one of"),
    ] {
        let said_so = error(&e, &format!("select * from cost_per_success({args})"));
        assert!(said_so.contains(said), "{args}: {said_so}");
    }
}

fn spanfile(args: &[&str]) -> (String, String, i32) {
    let ran = Command::new(env!("CARGO_BIN_EXE_spanfile")).args(args).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(ran.stdout), text(ran.stderr), ran.status.code().unwrap_or(-1))
}

#[test]
fn prices_of_ones_own_change_costs_and_no_span() {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(dir.path(), "a.spans", &captures_named(&["openai-otelv2.normal"]));
    let file = path.to_str().unwrap();
    let cost =
        || spanfile(&[file, "-csv", "-noheader", "select sum(cost_usd), sum(unpriced_spans) from cost_per_run"]).0;
    let before = cost();
    let prices = dir.path().join("mine.csv");
    std::fs::write(&prices, "provider,model,input_usd_per_mtok,output_usd_per_mtok\nopenai,gpt-4o-mini,0,0\n").unwrap();
    let (out, err, code) = spanfile(&["prices", "import", file, prices.to_str().unwrap()]);
    assert_eq!((out.as_str(), err.as_str(), code), ("1 price rows imported\n", "", 0));
    assert!(cost().starts_with("0,") && cost() != before, "{}", cost());
    let mine = spanfile(&["prices", "list", file, "--user", "-csv"]).0;
    assert!(mine.contains("openai/gpt-4o-mini,user,"), "{mine}");
    // What is exported is imported again.
    let (exported, ..) = spanfile(&["prices", "export", file, "--user"]);
    std::fs::write(&prices, exported).unwrap();
    assert_eq!(spanfile(&["prices", "import", file, prices.to_str().unwrap()]).2, 0);
    assert!(cost().starts_with("0,"));
    // An update leaves the user's rows alone; there is nothing to change.
    assert_eq!(spanfile(&["prices", "diff", file, "-jsonl"]), (String::new(), String::new(), 0));
    assert_eq!(spanfile(&["prices", "update", file]).2, 0);
    assert!(cost().starts_with("0,"));
    assert_eq!(spanfile(&["verify", file]).2, 0);

    let (out, err, code) = spanfile(&["prices", "find", "o3", "--at", "2025-05-01", "-csv"]);
    assert!(err.contains("o3 is openai/o3 (exact)") && out.contains("input=10") && code == 0, "{err}{out}");
    let (_, err, code) = spanfile(&["prices", "find", "gpt-5-minni"]);
    assert!(err.contains("openai/gpt-5-mini") && code == 1, "{err}");
    std::fs::write(&prices, "provider,model,input_usd_per_mtok\nopenai,gpt-5,cheap\n").unwrap();
    let (_, err, code) = spanfile(&["prices", "import", file, prices.to_str().unwrap()]);
    assert!(err.contains("line 2, input_usd_per_mtok") && code == 1, "{err}");
    let (_, err, code) = spanfile(&["prices", "alias", file, "mine", "openai/nothing"]);
    assert!(err.contains("no model openai/nothing") && code == 1, "{err}");
    assert_eq!(spanfile(&["prices", "alias", file, "mine", "openai/gpt-5"]).2, 0);
    let known = spanfile(&[file, "-csv", "-noheader", "select price_match('mine')['match_kind']"]).0;
    assert_eq!(known, "alias\n");
}
