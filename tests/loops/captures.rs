//! What real frameworks' captures repeat.

use super::stored::{Stored, loops_of, opened, shared, store_of, waste_is_within_runs};

/// The loops of one scenario of one framework; `None` where there is no such capture.
fn found(framework: &str, scenario: &str) -> Option<Vec<Stored>> {
    let folder = shared("data/captures")?.join(framework);
    let names = [format!("{scenario}.jsonl"), format!("{scenario}.jsonl.gz"), format!("{scenario}.logs.jsonl")];
    let files: Vec<_> = names.iter().map(|n| folder.join(n)).filter(|p| p.exists()).collect();
    if files.is_empty() {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = store_of(dir.path(), files.iter().map(|p| opened(p)));
    waste_is_within_runs(&store);
    Some(loops_of(&store))
}

fn frameworks() -> Vec<String> {
    let Some(folder) = shared("data/captures") else { return Vec::new() };
    let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn planted_scenarios_are_found_in_every_framework() {
    let mut counts = [0; 4];
    for framework in frameworks() {
        let crewai = framework.starts_with("crewai");
        if let Some(loops) = found(&framework, "loop") {
            // CrewAI stops itself.
            let times = if crewai { 5 } else { 9 };
            let [l] = &loops[..] else { panic!("{framework}: {loops:?}") };
            assert_eq!((&*l.kind, l.period, l.steps, &*l.severity), ("exact_repeat", 1, times, "high"), "{framework}");
            assert_eq!(l.repeated, "[\"lookup_order\"]", "{framework}");
            counts[0] += 1;
        }
        if let Some(loops) = found(&framework, "abab") {
            let [l] = &loops[..] else { panic!("{framework}: {loops:?}") };
            // Of the last period CrewAI makes one call.
            let times = if crewai { 9 } else { 10 };
            assert_eq!((&*l.kind, l.period, l.steps, &*l.severity), ("cycle", 2, times, "high"), "{framework}");
            counts[1] += 1;
        }
        if let Some(loops) = found(&framework, "handoff") {
            assert!(loops.iter().any(|l| l.kind == "handoff_ping_pong" && l.period == 2), "{framework}: {loops:?}");
            counts[2] += 1;
        }
        if let Some(loops) = found(&framework, "toolerror") {
            // Two failures, then success.
            assert!(!loops.iter().any(Stored::is_loop), "{framework}: {loops:?}");
            counts[3] += 1;
        }
    }
    println!("captures with loop, abab, handoff, toolerror: {counts:?}");
    assert!(shared("data/captures").is_none() || counts.iter().all(|c| *c > 5), "{counts:?}");
}

#[test]
fn ordinary_runs_have_no_loops() {
    let mut count = 0;
    for framework in frameworks() {
        for scenario in
            ["normal", "parallel", "stream", "rag", "interrupt", "embed", "structured", "responses", "guard"]
        {
            if let Some(loops) = found(&framework, scenario) {
                assert_eq!(loops, [], "{framework} {scenario}");
                count += 1;
            }
        }
    }
    println!("{count} ordinary captures, none with a finding");
}
