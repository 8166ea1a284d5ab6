//! Sessions written for this project, in `testdata/claude_code`: what becomes of each kind of record.

use std::collections::BTreeMap;
use std::path::PathBuf;

use spanfile::Table;
use spanfile::ingest::{ingest, inputs};

use super::{Totals, import, new_store, rows_of, testdata, totals};
use crate::ingest::gather::Gather;
use crate::normalise::compare;
use crate::store::captures::contents;
use crate::stories::{Rows, story};

/// A session, its subagent, and the agent that compacted it.
fn session() -> Vec<PathBuf> {
    ["orders.jsonl", "orders/subagents/agent-a1b2c3d.jsonl", "orders/subagents/agent-acompact-77aa01.jsonl"]
        .map(testdata)
        .to_vec()
}

/// Calls of the session: the counts of the API, cached tokens apart.
fn session_totals() -> Totals {
    let mut totals = Totals::default();
    for (input, read, written_5m, written_1h, output) in [
        (3, 500, 1000, 2000, 120),
        (1, 3500, 40, 0, 60),
        (4, 3540, 0, 100, 45),
        (6, 3640, 80, 0, 70),
        (2, 900, 0, 50, 30),
        (5, 0, 300, 0, 8),
        (7, 300, 0, 0, 9),
        (3, 4000, 0, 0, 200),
    ] {
        totals += Totals {
            calls: 1,
            input: input + read + written_5m + written_1h,
            output,
            cache_read: read,
            cache_write: written_5m + written_1h,
            cache_write_1h: written_1h,
        };
    }
    totals
}

fn texts(rows: &Rows, columns: &[&str], only: impl Fn(&str) -> bool) -> Vec<Vec<String>> {
    let text = |row: &crate::stories::Row<'_>, column: &&str| row.text(column).unwrap_or_default();
    rows.each()
        .filter(|row| only(&row.text("kind").unwrap()))
        .map(|row| columns.iter().map(|column| text(&row, column)).collect())
        .collect()
}

#[test]
fn sessions_tell_their_story() {
    let mut got = String::new();
    let others = ["sidechain.jsonl", "resumed.jsonl", "forked.jsonl"].map(|f| (f, vec![testdata(f)]));
    for (name, files) in [("orders", session())].into_iter().chain(others) {
        let dir = tempfile::tempdir().unwrap();
        let store = new_store(dir.path());
        import(&store, &files);
        got += &format!("# {name}\n{}", story(&store));
        let mut events: Vec<String> = Rows::of(&store, Table::Events)
            .each()
            .map(|e| format!("event {}: {}", e.text("name").unwrap(), e.text("body").unwrap_or_default()))
            .collect();
        events.sort();
        got += &format!("{}\n", events.join("\n"));
    }
    compare("stories/claude_code.txt", &got);
}

#[test]
fn the_tree_of_a_session() {
    let dir = tempfile::tempdir().unwrap();
    let store = new_store(dir.path());
    import(&store, &session());
    assert_eq!(totals(&store), session_totals());
    let rows = rows_of(&store);
    let names: BTreeMap<String, String> =
        rows.each().map(|row| (row.text("span_id").unwrap(), row.text("name").unwrap())).collect();
    let mut tree: Vec<String> = rows
        .each()
        .map(|row| {
            let parent = row.text("parent_span_id").map(|id| names[&id].clone());
            format!("{} < {}", row.text("name").unwrap(), parent.unwrap_or_default())
        })
        .collect();
    tree.sort();
    let want = [
        "chat < turn",
        "chat claude-haiku-4-5-20251001 < invoke_agent Explore",
        "chat claude-haiku-4-5-20251001 < invoke_agent Explore",
        "chat claude-opus-4-6 < invoke_agent compact",
        "chat claude-opus-4-6 < turn",
        "chat claude-opus-4-6 < turn",
        "chat claude-opus-4-6 < turn",
        "chat claude-opus-4-6 < turn",
        "chat claude-opus-4-6 < turn",
        "execute_tool Bash < turn",
        "execute_tool Edit < turn",
        "execute_tool Glob < invoke_agent Explore",
        "execute_tool Grep < turn",
        "execute_tool Read < turn",
        "execute_tool Task < turn",
        "invoke_agent Explore < execute_tool Task",
        "invoke_agent claude-code < ",
        "invoke_agent compact < invoke_agent claude-code",
        "turn < invoke_agent claude-code",
        "turn < invoke_agent claude-code",
    ];
    assert_eq!(tree, want);
    let turns = texts(&rows, &["input", "output"], |kind| kind == "workflow");
    assert_eq!(turns[0], ["Why does test_total fail?", "total() leaves out the first price. Remove the `[1:]`."]);
    assert_eq!(turns[1], ["Fix it, as in this picture\\n[image]", ""]);
    let tools = texts(&rows, &["tool_name", "status", "error_type", "duration_ns"], |kind| kind == "tool");
    let failed: Vec<_> = tools.iter().filter(|t| t[1] == "error").map(|t| (&*t[0], &*t[2])).collect();
    assert_eq!(failed, [("Grep", "tool_error")]);
    let open: Vec<_> = tools.iter().filter(|t| t[3].is_empty()).map(|t| &*t[0]).collect();
    assert_eq!(open, ["Bash"]);
    let failed = texts(&rows, &["status", "error_type", "status_message", "input_tokens"], |kind| kind == "llm");
    let failed: Vec<_> = failed.into_iter().filter(|call| call[0] == "error").collect();
    assert_eq!(failed, [["error", "overloaded_error", "API Error: 529 Overloaded", ""]]);
}

#[test]
fn order_and_repetition_change_nothing() {
    let all = ["resumed.jsonl", "forked.jsonl", "sidechain.jsonl"].map(testdata);
    let paths: Vec<PathBuf> = session().into_iter().chain(all).collect();
    let dirs: Vec<_> = (0..paths.len()).map(|_| tempfile::tempdir().unwrap()).collect();
    let store = new_store(dirs[0].path());
    import(&store, &paths);
    let want = contents(&store);
    for (i, dir) in dirs.iter().enumerate().skip(1) {
        let mut paths = paths.clone();
        paths.rotate_left(i);
        if i % 2 == 0 {
            paths.reverse();
        }
        let store = new_store(dir.path());
        import(&store, &paths);
        let check = |got: Vec<String>| {
            for (a, b) in got.iter().zip(&want) {
                assert_eq!(a, b, "rotated by {i}");
            }
            assert_eq!(got.len(), want.len());
        };
        check(contents(&store));
        // And once more, file by file, each an import of its own.
        paths.iter().rev().for_each(|path| import(&store, std::slice::from_ref(path)));
        check(contents(&store));
        assert_eq!(store.verify().unwrap().problems, []);
    }
}

/// A copy that does not say what it is a copy of is in two runs and counts in one.
#[test]
fn a_call_in_the_files_of_two_sessions_counts_once() {
    let mut want = session_totals();
    want += Totals { calls: 1, input: 4209, output: 12, cache_read: 4000, cache_write: 200, cache_write_1h: 0 };
    let resumed = testdata("resumed.jsonl");
    for order in [[resumed.clone(), testdata("orders.jsonl")], [testdata("orders.jsonl"), resumed]] {
        for at_once in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let store = new_store(dir.path());
            import(&store, &session()[1..]);
            match at_once {
                true => import(&store, &order),
                false => order.iter().for_each(|path| import(&store, std::slice::from_ref(path))),
            }
            assert_eq!(totals(&store), want);
            let runs = Rows::of(&store, Table::Runs);
            let sum = |column: &str| runs.each().map(|run| run.int(column).unwrap()).sum::<i64>();
            // The call that failed is a call, too.
            assert_eq!((sum("llm_calls"), sum("tool_calls"), sum("errors")), (want.calls + 1, 6, 2));
            let copies = rows_of(&store).each().filter(|row| row.text("is_duplicate_of").is_some()).count();
            assert_eq!(copies, 3, "a call and its two tools");
            let usage = Rows::of(&store, Table::Usage);
            assert_eq!(usage.each().map(|row| row.int("calls_without_usage").unwrap()).sum::<i64>(), 1);
        }
    }
}

/// A copy that does say it belongs to the run of its original.
#[test]
fn copies_that_say_so_are_of_the_session_they_come_from() {
    let mut want = session_totals();
    want += Totals { calls: 1, input: 4209, output: 11, cache_read: 4000, cache_write: 200, cache_write_1h: 200 };
    let dir = tempfile::tempdir().unwrap();
    let store = new_store(dir.path());
    import(&store, &session());
    import(&store, &[testdata("forked.jsonl")]);
    assert_eq!(totals(&store), want);
    let calls: Vec<i64> = Rows::of(&store, Table::Runs).each().map(|run| run.int("llm_calls").unwrap()).collect();
    assert_eq!(calls, [9, 1]);
    assert!(rows_of(&store).each().all(|row| row.text("is_duplicate_of").is_none()));
}

#[test]
fn files_alone_are_runs_without_a_root_or_without_steps() {
    let dir = tempfile::tempdir().unwrap();
    let store = new_store(dir.path());
    import(&store, &session()[1..2]);
    let runs = Rows::of(&store, Table::Runs);
    let run = runs.each().next().unwrap();
    assert_eq!((run.int("llm_calls"), run.int("orphans")), (Some(2), Some(1)));
    assert_eq!(run.text("session_id").unwrap(), "5e551011-0000-4000-8000-00000000aaaa");
    assert_eq!(run.text("agents").unwrap(), "[\"subagent\"]");
}

#[test]
fn a_folder_of_sessions_and_otlp() {
    let folder = tempfile::tempdir().unwrap();
    let captures = testdata("..");
    for (from, to) in [
        (testdata("orders.jsonl"), "5e551011.jsonl"),
        (testdata("sidechain.jsonl"), "old.jsonl"),
        (captures.join("openai-openinference.normal.jsonl"), "spans.jsonl"),
        (captures.join("openai-otelv2.normal.pb"), "spans.pb"),
    ] {
        std::fs::copy(from, folder.path().join(to)).unwrap();
    }
    let zipped = zstd::encode_all(&*std::fs::read(testdata("forked.jsonl")).unwrap(), 3).unwrap();
    std::fs::write(folder.path().join("forked.jsonl.zst"), zipped).unwrap();
    let mut sink = Gather::default();
    for input in inputs::expand(&[folder.path().display().to_string()]).unwrap() {
        let reader = input.open(&inputs::Progress::default()).unwrap();
        assert_eq!(ingest(&input.name(), reader, &mut sink).unwrap().rejected, 0, "{}", input.name());
    }
    let batch = sink.finish().spans;
    let dialects = arrow::array::AsArray::as_string::<i32>(batch.column_by_name("dialect").unwrap());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    dialects.iter().flatten().for_each(|dialect| *counts.entry(dialect).or_default() += 1);
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), ["claude_code", "openinference", "otel gen_ai"]);
}
