//! Runs of a million steps (a tenth of that in the short form), of every shape that might take more than linear time
//! or much memory.
//!
//! Nothing is asserted of either, for both depend on the machine. Times are printed; the most memory of one shape, with
//! the steps themselves (some 240 MB, and their words), is told by
//!
//! ```text
//! SPANFILE_LONG=1 SPANFILE_SHAPE=distinct /usr/bin/time -f '%U s, %M KB' target/debug/deps/main-* a_million --nocapture
//! ```

use std::sync::Arc;

use spanfile::loops::{Detector, LoopKind, Settings, Step, StepKind, Words, find, repetitions};

use super::{Random, call};

fn count() -> usize {
    if std::env::var_os("SPANFILE_LONG").is_some() { 1_000_000 } else { 100_000 }
}

fn tool(at: usize, what: usize) -> Step {
    call(at, "tool", what as u64, what as u64)
}

/// An LLM turn, or a call, with words of its own: `words` of them, the first `shared` the same in all.
fn said(at: usize, kind: StepKind, words: usize, shared: usize) -> Step {
    let mut step = tool(at, at);
    step.kind = kind;
    step.output_hash = (kind == StepKind::Llm).then_some(at as u64);
    let text: Vec<String> = (0..words).map(|w| if w < shared { w } else { at * words + w }).map(letters).collect();
    step.words = Some(Words::of(&text.join(" ")));
    step
}

/// A number as a word without digits.
fn letters(mut number: usize) -> String {
    let mut word = "w".to_owned();
    while number > 0 {
        word.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    word
}

fn of_agent(at: usize, agent: &Arc<str>, instance: u32, what: usize) -> Step {
    let mut step = tool(at, what);
    step.agent = Arc::clone(agent);
    step.instance = instance;
    step
}

/// What a piece of work returns, and the seconds of processor time that it took: the time that passed, where the system
/// does not tell.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let on_cpu = || -> Option<f64> {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(told.split(' ').next()?.parse::<f64>().ok()? / 1e9)
    };
    let (before, started) = (on_cpu(), std::time::Instant::now());
    let done = work();
    let took = on_cpu().zip(before).map_or(started.elapsed().as_secs_f64(), |(after, before)| after - before);
    (done, took)
}

/// Prints the time of both forms; returns how many findings there are of each kind that occurs.
fn told(name: &str, settings: &Settings, step: impl Fn(usize) -> Step) -> Vec<(LoopKind, usize)> {
    if std::env::var("SPANFILE_SHAPE").is_ok_and(|only| only != name) {
        return Vec::new();
    }
    let steps: Vec<Step> = (0..count()).map(step).collect();
    let (found, offline) = timed(|| find(&steps, settings));
    let mut detector = Detector::new(settings.clone());
    let (verdicts, streaming) = timed(|| steps.iter().filter_map(|step| detector.push(step)).count());
    let findings = found.len();
    println!("{name}: {findings} findings in {offline:.2} s, {verdicts} verdicts in {streaming:.2} s");
    let too_many = found.len() > Detector::MAX_CALLS;
    assert_eq!(findings > 0 && !too_many, verdicts > 0, "{name}: {findings} findings, {verdicts} verdicts");
    let of_kind = |kind| (kind, found.iter().filter(|f| f.kind == kind).count());
    LoopKind::ALL.map(of_kind).into_iter().filter(|(_, n)| *n > 0).collect()
}

/// As [`told`], of a shape whose findings are known.
fn expect(name: &str, settings: &Settings, expected: &[(LoopKind, usize)], step: impl Fn(usize) -> Step) {
    let told = told(name, settings, step);
    assert!(told == expected || told.is_empty() && std::env::var_os("SPANFILE_SHAPE").is_some(), "{name}: {told:?}");
}

#[test]
fn a_million_steps() {
    let count = count();
    let mut random = Random(4);
    let symbols: Vec<u32> = (0..count).map(|_| random.below(4) as u32).collect();
    let (repeated, took) = timed(|| repetitions(&symbols, 64).len());
    println!("repetitions of {count} random symbols: {repeated} in {took:.2} s");
    assert!(repeated > count / 10);

    let settings = Settings::default();
    let agents: Vec<Arc<str>> = (0..1000).map(|a| format!("agent {a}").into()).collect();
    let tools: Vec<Arc<str>> = (0..count / 10).map(|t| format!("tool {t}").into()).collect();
    let long: Vec<Words> = (0..17).filter_map(|at| said(at, StepKind::Llm, 200, 0).words).collect();
    expect("equal", &settings, &[(LoopKind::ExactRepeat, 1)], |at| tool(at, 0));
    expect("failing", &settings, &[(LoopKind::RetryStorm, 1)], |at| {
        let mut step = call(at, "tool", 0, at as u64);
        step.failed = true;
        step
    });
    expect("distinct", &settings, &[], |at| tool(at, at));
    expect("alternating", &settings, &[(LoopKind::Cycle, 1)], |at| tool(at, at % 2));
    expect("polling", &settings, &[(LoopKind::Polling, 1)], |at| call(at, "tool", 0, at as u64));
    expect("stagnation", &settings, &[(LoopKind::Stagnation, 1)], |at| call(at, "tool", at as u64, 0));
    // Each call again and again, with so many others between that it is no cycle.
    expect("tools", &settings, &[(LoopKind::Scattered, tools.len())], |at| {
        let mut step = call(at, "tool", 0, 0);
        step.name = Arc::clone(&tools[at % tools.len()]);
        step
    });
    let acknowledgements = (0..1000).map(|r| (format!("tool {r}"), r)).collect();
    let acknowledged = Settings { acknowledgements, ..Settings::default() };
    expect("acknowledged", &acknowledged, &[], |at| {
        let mut step = tool(at, at);
        step.name = Arc::clone(&tools[at % 1000]);
        step
    });
    expect("words", &settings, &[], |at| said(at, StepKind::Tool, 8, 0));
    // Half of the words are the same, which must be told from seven in ten.
    expect("shared words", &settings, &[], |at| said(at, StepKind::Tool, 8, 5));
    expect("nearly equal words", &settings, &[(LoopKind::NearRepeat, 1)], |at| said(at, StepKind::Tool, 8, 7));
    expect("outputs", &settings, &[], |at| said(at, StepKind::Llm, 8, 4));
    // Texts that come again just after they were forgotten.
    expect("long outputs", &settings, &[], |at| {
        let mut step = tool(at, at);
        (step.kind, step.output_hash) = (StepKind::Llm, Some(at as u64));
        step.words = Some(long[at % long.len()].clone());
        step
    });
    expect("agents", &settings, &[], |at| of_agent(at, &agents[at * at % 997], 0, at));
    expect("agents in turn", &settings, &[(LoopKind::HandoffPingPong, 1)], |at| of_agent(at, &agents[at % 50], 0, at));
    expect("instances", &settings, &[], |at| of_agent(at, &agents[0], at as u32, at));
    expect("agents that repeat", &settings, &[(LoopKind::ExactRepeat, 1000)], |at| {
        of_agent(at, &agents[at % agents.len()], 0, 0)
    });
    expect("user turns", &settings, &[], |at| {
        let mut step = tool(at, 0);
        step.barrier = true;
        step
    });
    // Between the user turns that there are none of, each call comes often enough to be one of scattered ones.
    let choice: Vec<usize> = (0..count).map(|_| random.below(4) as usize).collect();
    let random = told("random", &settings, |at| tool(at, choice[at]));
    let occurs = |kind| random.iter().any(|(k, _)| *k == kind);
    assert!(random.is_empty() || occurs(LoopKind::ExactRepeat) && occurs(LoopKind::Scattered), "{random:?}");
}
