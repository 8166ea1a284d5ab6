//! Two sets of runs, agent by agent.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;
use spanfile::drift::{Agents, Drift, Facts, Family, Runs, Settings, Side, Verdict, worst_first};
use spanfile::stats::Random;

use super::normal;

const DAY: i64 = 86_400 * 1_000_000_000;

fn facts(side: Side, agent: Option<&'static str>, start_time: i64) -> Facts<'static> {
    Facts {
        side,
        agent,
        stratum: None,
        start_time,
        numbers: [None; 10],
        flags: [None; 4],
        mixes: [const { Vec::new() }; 4],
        version: None,
        scores: &[],
    }
}

fn compared(agents: &Agents, settings: &Settings) -> Vec<Drift> {
    let mut found: Vec<Drift> = (0..agents.len()).flat_map(|at| agents.compare(at, settings).unwrap()).collect();
    worst_first(&mut found, settings);
    found
}

/// 30 days of two agents, 10 runs a day; from day 20 on, runs of `b` take longer and call another tool.
fn planted() -> Agents {
    let mut random = Random::new(11);
    let mut runs = Runs::default();
    for i in 0..300 {
        let (time, after) = (i * DAY / 10, i >= 200);
        let side = if i >= 230 { Side::Current } else { Side::Base };
        for agent in ["a", "b"] {
            let changed = after && agent == "b";
            let mut run = facts(side, Some(agent), time);
            let mut lognormal = |median: f64| Some((median.ln() + 0.5 * normal(&mut random)).exp());
            run.numbers[5] = lognormal(0.01);
            run.numbers[6] = lognormal(if changed { 3.2e9 } else { 2e9 });
            run.flags[0] = Some(random.unit() < 0.1);
            let tool = if changed && random.unit() < 0.5 { "c" } else { ["a", "b"][random.below(2) as usize] };
            run.mixes[0] = vec![(Cow::Borrowed(tool), 1 + random.below(4)), (Cow::Borrowed("d"), 1)];
            runs.push(&run);
        }
    }
    runs.by_agent()
}

#[test]
fn the_agent_that_changed_is_named_with_the_day() {
    let found = compared(&planted(), &Settings::default());
    let drifted: Vec<(&str, &str)> = found
        .iter()
        .filter(|d| d.row.verdict == Verdict::Drift)
        .map(|d| (d.agent.as_deref().unwrap(), &*d.metric))
        .collect();
    assert_eq!(drifted, [("b", "duration_ns"), ("b", "tool_mix")]);
    for drift in &found[..2] {
        let off = (drift.change_time.unwrap() - 20 * DAY).abs();
        assert!(off < DAY / 2, "{}: {} days off", drift.metric, off as f64 / DAY as f64);
    }
    assert_eq!((found[0].row.worse, found[1].row.worse), (Some(true), None));
    // Metrics that no run has are not there; others of both agents are.
    assert_eq!(found.len(), 8);
    assert!(found.iter().all(|d| d.family == Family::Primary && d.row.n_base == 230 && d.row.n_cur == 70));
}

#[test]
fn points_tell_the_levels_before_and_after() {
    let agents = planted();
    let points = agents.points(1, &Settings::default()).unwrap();
    assert!(agents.points(0, &Settings::default()).unwrap().is_empty());
    let [point] = &points[..] else { panic!("{points:?}") };
    assert_eq!((&*point.metric, point.unit, point.n_before + point.n_after), ("duration_ns", "ns", 300));
    assert!((point.change_time - 20 * DAY).abs() < DAY / 2);
    assert!(point.after / point.before > 1.3, "{point:?}");
}

#[test]
fn shares_of_bins_sum_up() {
    let agents = planted();
    let bins = agents.detail(1, &Settings::default()).unwrap();
    for metric in ["cost_usd", "duration_ns", "error_rate", "tool_mix"] {
        let of: Vec<_> = bins.iter().filter(|b| &*b.metric == metric).collect();
        let sum = |share: fn(&&spanfile::drift::Bin) -> Option<f64>| of.iter().filter_map(share).sum::<f64>();
        assert!((sum(|b| b.base_share) - 1.0).abs() < 1e-12 && (sum(|b| b.current_share) - 1.0).abs() < 1e-12);
        assert_eq!(of.iter().map(|b| b.number).collect::<Vec<_>>(), (1..=of.len()).collect::<Vec<_>>());
    }
    let tenths: Vec<_> = bins.iter().filter(|b| &*b.metric == "duration_ns").collect();
    assert!(tenths.len() == 10 && tenths.iter().all(|b| b.base == 23));
    assert_eq!((tenths[0].above, tenths[9].up_to), (None, None));
    assert_eq!(tenths[0].up_to, tenths[1].above);
    let tools: Vec<_> = bins.iter().filter(|b| &*b.metric == "tool_mix").map(|b| b.category.as_deref()).collect();
    assert_eq!(tools, [Some("a"), Some("b"), Some("c"), Some("d")]);
}

#[test]
fn a_change_of_the_mix_of_tasks_is_no_change_within_tasks() {
    let mut random = Random::new(5);
    let runs = |stratified: bool, random: &mut Random| {
        let mut runs = Runs::default();
        for i in 0..800 {
            let side = if i >= 400 { Side::Current } else { Side::Base };
            // Long tasks become the rule.
            let long = random.unit() < if side == Side::Base { 0.3 } else { 0.7 };
            let mut run = facts(side, None, i);
            run.stratum = stratified.then_some(if long { "long" } else { "short" });
            run.numbers[0] = Some((if long { 3.0 } else { 1.5 } + 0.4 * normal(random)).exp().round());
            runs.push(&run);
        }
        compared(&runs.by_agent(), &Settings::default())
    };
    let together = runs(false, &mut random);
    assert_eq!((together.len(), together[0].row.verdict), (1, Verdict::Drift));
    let apart = runs(true, &mut random);
    assert_eq!(apart.iter().map(|d| d.stratum.as_deref()).collect::<Vec<_>>().len(), 2);
    assert!(apart.iter().all(|d| d.row.verdict == Verdict::NoDrift && d.agent.is_none()), "{apart:?}");
}

#[test]
fn scores_are_metrics_of_their_own() {
    let names: [Arc<str>; 2] = ["solved".into(), "toxicity".into()];
    let mut runs = Runs::new(["toxicity".to_owned()]);
    let mut random = Random::new(3);
    for i in 0..400 {
        let side = if i >= 200 { Side::Current } else { Side::Base };
        let current = side == Side::Current;
        let solved = f64::from(u8::from(random.unit() < if current { 0.6 } else { 0.9 }));
        let toxicity = random.unit() * if current { 0.2 } else { 0.5 };
        let scores = [(Arc::clone(&names[0]), solved), (Arc::clone(&names[1]), toxicity)];
        runs.push(&Facts { scores: &scores[..if i % 4 == 0 { 1 } else { 2 }], ..facts(side, Some("x"), i) });
    }
    let found = compared(&runs.by_agent(), &Settings::default());
    let told: Vec<_> = found.iter().map(|d| (&*d.metric, d.row.effect_name, d.row.worse, d.row.n_cur)).collect();
    assert_eq!(
        told,
        [("score:solved", "difference", Some(true), 200), ("score:toxicity", "cliffs_delta", Some(false), 150)]
    );
}

#[test]
fn secondary_metrics_are_asked_for() {
    let mut runs = Runs::default();
    for i in 0..200 {
        let side = if i >= 100 { Side::Current } else { Side::Base };
        let mut run = facts(side, Some("x"), i);
        run.version = Some(if side == Side::Base { "v1" } else { "v2" });
        run.numbers[7] = Some((i % 10) as f64);
        run.numbers[1] = Some((i % 10) as f64);
        runs.push(&run);
    }
    let agents = runs.by_agent();
    let names = |secondary| {
        let settings = Settings { secondary, ..Settings::default() };
        let found = compared(&agents, &settings);
        found.iter().map(|d| (d.metric.to_string(), d.row.verdict)).collect::<Vec<_>>()
    };
    assert_eq!(names(false), [("llm_calls".to_owned(), Verdict::NoDrift)]);
    let all = names(true);
    assert_eq!(all[0], ("version_mix".to_owned(), Verdict::Drift));
    assert_eq!(all.len(), 3);
}

#[test]
fn a_side_without_runs_is_insufficient() {
    let mut runs = Runs::default();
    for i in 0..50 {
        let mut run = facts(Side::Base, Some("x"), i);
        run.numbers[0] = Some(i as f64);
        run.flags[0] = Some(i % 2 == 0);
        run.mixes[0] = vec![(Cow::Borrowed("t"), 1)];
        runs.push(&run);
    }
    let found = compared(&runs.by_agent(), &Settings::default());
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|d| d.row.verdict == Verdict::Insufficient && d.row.n_cur == 0 && d.row.p.is_none()));
    assert!(Runs::default().by_agent().is_empty());
}

/// tau-bench: each task was tried four times by the same agent. One trial is no other's baseline.
#[test]
fn trials_of_the_same_tasks_do_not_differ() {
    let path = "../shared/data/tau-bench/historical_trajectories/gpt-4o-airline.json";
    let Ok(bytes) = std::fs::read(path) else {
        eprintln!("skipped: {path} is not there");
        return;
    };
    let runs: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
    let reward: Arc<str> = "reward".into();
    let mut pairs = 0;
    for (base, current) in (0..4).flat_map(|a| (a + 1..4).map(move |b| (a, b))) {
        let mut both = Runs::default();
        for run in runs.iter().filter(|r| [base, current].contains(&r["trial"].as_i64().unwrap())) {
            let side = if run["trial"] == base { Side::Base } else { Side::Current };
            let messages = run["traj"].as_array().unwrap();
            let calls = messages.iter().flat_map(|m| m["tool_calls"].as_array().into_iter().flatten());
            let tools: Vec<&str> = calls.filter_map(|c| c["function"]["name"].as_str()).collect();
            let turns = messages.iter().filter(|m| m["role"] == "assistant").count();
            let failed = messages
                .iter()
                .any(|m| m["role"] == "tool" && m["content"].as_str().is_some_and(|c| c.starts_with("Error")));
            let scores = [(Arc::clone(&reward), run["reward"].as_f64().unwrap())];
            let task = run["task_id"].as_i64().unwrap();
            let mut facts = Facts { scores: &scores, ..facts(side, Some("airline"), task) };
            let count = |n: usize| Some(n as f64);
            (facts.numbers[0], facts.numbers[1]) = (count(turns + tools.len()), count(turns));
            facts.numbers[2] = count(tools.len());
            facts.flags[0] = Some(failed);
            facts.mixes[0] = tools.into_iter().map(|t| (Cow::Borrowed(t), 1)).collect();
            both.push(&facts);
        }
        let found = compared(&both.by_agent(), &Settings::default());
        assert_eq!(found.len(), 6);
        for drift in &found {
            println!("trial {base} and {current}, {}: p {:.3}", drift.metric, drift.row.p.unwrap());
            assert_eq!(drift.row.verdict, Verdict::NoDrift, "{base} {current}: {drift:?}");
        }
        pairs += 1;
    }
    assert_eq!(pairs, 6);
}
