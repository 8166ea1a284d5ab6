//! The command without a terminal: scripts, options, formats, exit codes.

use std::process::Stdio;

use crate::command::{feed, ran, run, spanfile};
use crate::data::Fixture;

#[test]
fn statements_of_all_kinds_of_input_and_an_error_among_them() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    let script = "select 1 as a;\nselect * from nowhere;\nselect 2 as b;\n";
    let expected = "a\n1\nb\n2\n";
    let file = f.dir.path().join("script.sql");
    std::fs::write(&file, script).unwrap();
    let file = file.to_str().unwrap();
    for (r, place) in [
        (feed(&[path, "-csv"], script), "stdin:2:15: "),
        (run(&[path, "-csv", "-f", file]), &*format!("{file}:2:15: ")),
        (feed(&[path, "-csv", "-f", "-"], script), "stdin:2:15: "),
        (run(&[path, "-csv", script]), "2:15: "),
        (run(&[path, "-csv", "-c", script]), "2:15: "),
        (run(&[path, "-csv", &format!(".read {file}")]), &*format!("{file}:2:15: ")),
    ] {
        assert_eq!((r.out.as_str(), r.code), (expected, 1), "{place}");
        let wanted =
            format!("spanfile: {place}there is no table nowhere\n  select * from nowhere\n                ^\n");
        assert_eq!(r.err, wanted);
    }
    for r in [
        feed(&[path, "-csv", "-bail"], script),
        run(&[path, "-csv", "-bail", "-f", file]),
        run(&[path, "-csv", "-bail", &format!(".read {file}")]),
        feed(&[path, "-csv"], &format!(".bail on\n{script}")),
    ] {
        assert_eq!((r.out.as_str(), r.code), ("a\n1\n", 1), "{}", r.err);
    }
}

#[test]
fn every_format_by_option_and_by_command() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    let sql = "select 1 as n, 'a \"b\", 日本' as t, null as x, 1.50 as d, [1, 2] as l, \
               timestamp '2026-01-02T03:04:05.000000006' as at;";
    for (mode, golden) in [
        (
            "table",
            "+---+-------------+------+-----+-------+-------------------------------+\n| n | t           | x    | d   | l     | at                            |\n+---+-------------+------+-----+-------+-------------------------------+\n| 1 | a \"b\", 日本 | NULL | 1.5 | [1,2] | 2026-01-02T03:04:05.000000006 |\n+---+-------------+------+-----+-------+-------------------------------+\n",
        ),
        (
            "markdown",
            "| n | t | x | d | l | at |\n|---|---|---|---|---|---|\n| 1 | a \"b\", 日本 | NULL | 1.5 | [1,2] | 2026-01-02T03:04:05.000000006 |\n",
        ),
        ("csv", "n,t,x,d,l,at\n1,\"a \"\"b\"\", 日本\",,1.5,\"[1,2]\",2026-01-02T03:04:05.000000006\n"),
        ("tabs", "n\tt\tx\td\tl\tat\n1\ta \"b\", 日本\t\\N\t1.5\t[1,2]\t2026-01-02T03:04:05.000000006\n"),
        (
            "json",
            "[{\"n\":1,\"t\":\"a \\\"b\\\", 日本\",\"x\":null,\"d\":1.5,\"l\":[1,2],\"at\":\"2026-01-02T03:04:05.000000006\"}]\n",
        ),
        (
            "jsonl",
            "{\"n\":1,\"t\":\"a \\\"b\\\", 日本\",\"x\":null,\"d\":1.5,\"l\":[1,2],\"at\":\"2026-01-02T03:04:05.000000006\"}\n",
        ),
        ("line", " n = 1\n t = a \"b\", 日本\n x = NULL\n d = 1.5\n l = [1,2]\nat = 2026-01-02T03:04:05.000000006\n\n"),
    ] {
        let r = run(&[path, &format!("-{mode}"), sql]);
        assert_eq!((r.out.trim_end(), r.err.as_str(), r.code), (golden.trim_end(), "", 0), "{mode}");
        assert_eq!(feed(&[path], &format!(".mode {mode}\n{sql}")).out, r.out, "{mode}");
    }
    let boxed = run(&[path, "-box", "select 1 as a"]).out;
    assert_eq!(boxed, "┌───┐\n│ a │\n├───┤\n│ 1 │\n└───┘\n");
    assert_eq!(run(&[path, "-json", "select 1 as a where false"]).out, "[]\n");
}

#[test]
fn exit_codes() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    for (args, code) in [
        (vec![path, "select 1"], 0),
        (vec![path, "select nonsense"], 1),
        (vec!["no/such.spans", "select 1"], 1),
        (vec![path, "-nonsense"], 2),
        (vec![path, "-init", "no/such", "select 1"], 1),
        (vec![path, ".exit 9"], 9),
        (vec![path, ".nonsense"], 1),
        (vec![path, ".mode nonsense"], 1),
        (vec![path, ".read no/such.sql"], 1),
        (vec![path, "select nonsense", ".exit 0"], 0),
        (vec![path, "select nonsense", ".quit"], 1),
        (vec!["cost", path], 0),
        (vec!["cost", path, "--fail-over"], 2),
        (vec!["loops", path, "--kind", "nonsense"], 2),
        (vec!["runs", path, "--by", "nonsense"], 2),
    ] {
        let r = run(&args);
        assert_eq!(r.code, code, "{args:?}: {}{}", r.out, r.err);
        // What went wrong is said, whatever the code.
        assert_eq!(
            r.err.is_empty(),
            matches!(code, 0 | 9) && !args.contains(&"select nonsense"),
            "{args:?}: {}",
            r.err
        );
    }
}

#[test]
fn what_is_odd_is_said() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    let r = run(&["shwo", path]);
    assert_eq!((r.err.as_str(), r.code), ("spanfile: shwo is no file; did you mean the verb show?\n", 2));
    // A terminal would obey what errors quote.
    let r = run(&[path, "select cast('a' || chr(27) || '[2J' as int)"]);
    assert!(!r.err.contains('\u{1b}') && r.err.contains("\\u{1b}[2J") && r.code == 1, "{:?}", r.err);
    let out = f.dir.path().join("two.parquet");
    let r = run(&[path, "-parquet", out.to_str().unwrap(), "select 1", "select 2"]);
    assert!(r.err.contains("a Parquet file holds one result") && r.code == 1, "{}", r.err);
    // A statement that failed has written nothing.
    let one = f.dir.path().join("one.parquet");
    let r = run(&[path, "-parquet", one.to_str().unwrap(), "select nonsense", "select 2"]);
    assert!(r.err.contains("1 rows") && one.exists() && r.code == 1, "{}", r.err);
    // Who reads a result may have seen enough of it; the script goes on.
    let many = "select a.* from spans a cross join spans b;";
    let r = feed(&[path, "-csv"], &format!(".once |head -n 1 >&2\n{many}\nselect 1 as a;\n"));
    assert_eq!((r.out.as_str(), r.code), ("a\n1\n", 0), "{}", r.err);
    // The next result is one, also where it is that of a command.
    let listed = f.dir.path().join("listed.json");
    let r = feed(&[path, "-csv"], &format!(".once {}\n.tables links\nselect 1 as a;\n", listed.display()));
    assert_eq!(r.out, "a\n1\n", "{}", r.err);
    assert_eq!(std::fs::read_to_string(&listed).unwrap(), "links\n");
    assert!(run(&[path, ".output x.parquet"]).err.contains(".once writes it"));
    assert!(run(&[path, "--threads", "100000", "select 1"]).err.contains("at most 512"));
    // Nobody writes to this pipe, and nobody should wait for it.
    let pipe = f.dir.path().join("pipe.spans");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(run(&[pipe.to_str().unwrap(), "select 1"]).err.contains("not a regular file"));
    // What is open stays what it is, wherever one goes.
    let folder = f.dir.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let name = f.path.file_name().unwrap().to_str().unwrap();
    let input = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/openai-openinference.normal.jsonl");
    let script = format!(".cd folder\n.import {input}\nselect count(*) > 330 as more from spans;\n");
    let r = ran(spanfile(&[name, "-csv", &script]).current_dir(f.dir.path()).output().unwrap());
    assert_eq!((r.out.as_str(), r.code), ("more\ntrue\n", 0), "{}", r.err);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    let r = feed(&[path, "-csv"], "\u{feff}select 1 as a;\n  .print indented\n");
    assert_eq!((r.out.as_str(), r.code), ("a\n1\nindented\n", 0), "{}", r.err);
}

#[test]
fn options_and_commands_set_the_same() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    let init = f.dir.path().join("init");
    std::fs::write(&init, ".mode csv\n.headers off\n.nullvalue none\n").unwrap();
    let init = init.to_str().unwrap();
    for args in [
        vec![path, "-csv", "-noheader", "-nullvalue", "none", "select 1, null"],
        vec![path, "-init", init, "select 1, null"],
        vec![path, ".mode csv\n.headers off\n.nullvalue none\nselect 1, null;"],
    ] {
        assert_eq!(run(&args).out, "1,none\n", "{args:?}");
    }
    let r = feed(&[path, "-csv", "-echo"], "select 1 as a;\n.mode json\nselect 2 as b;\n");
    assert_eq!(r.out, "select 1 as a;\na\n1\n.mode json\nselect 2 as b;\n[{\"b\":2}]\n");
    // Nobody's habits change what a script gives.
    let home = f.dir.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join(".spanfilerc"), ".mode json\n").unwrap();
    let r = ran(spanfile(&[path, "-csv", "select 1 as a"]).env("HOME", &home).output().unwrap());
    assert_eq!(r.out, "a\n1\n");
    let show = run(&[path, ".width 3 0\n.maxrows 7\n.show"]).out;
    assert!(show.contains("   maxrows: 7\n") && show.contains("     width: 3 0\n"), "{show}");
}

#[test]
fn commands_tell_of_the_catalog() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    let tables = run(&[path, ".tables"]).out;
    assert!(tables.lines().any(|l| l == "spans") && tables.lines().any(|l| l == "cost_per_run"), "{tables}");
    assert_eq!(run(&[path, ".tables %_calls"]).out, "synthetic_calls\nllm_calls\ntool_calls\n");
    let views = run(&[path, ".views llm"]).out;
    assert!(views.starts_with("llm_calls  "), "{views}");
    let columns = run(&[path, "-csv", ".describe links"]).out;
    assert!(
        columns.starts_with("column_name,data_type,unit,comment\n") && columns.contains("\ntrace_id,text,"),
        "{columns}"
    );
    assert!(run(&[path, ".describe spanz"]).err.contains("did you mean spans?"));
    let schema = run(&[path, ".schema"]).out;
    assert!(schema.contains("CREATE TABLE spans (\n  trace_id text, -- "), "{schema}");
    assert!(schema.contains("CREATE VIEW llm_calls AS\n-- "), "{schema}");
    // Whoever pastes a view's text gets the view.
    let view = run(&[path, ".schema tools"]).out;
    let (_, definition) = view.split_once(" AS\n").unwrap();
    assert_eq!(run(&[path, "-csv", definition]).out, run(&[path, "-csv", "select * from tools"]).out);
    assert!(run(&[path, ".functions descend"]).out.contains("descendants(span_id [, trace_id])"));
    let plan = run(&[path, "select count(*) from runs; select 1", ".explain"]);
    assert_eq!(plan.code, 0, "{}", plan.err);
    assert!(run(&[path, ".explain select count(*) from runs;"]).out.contains("ProjectionExec"));
    assert!(run(&[path, ".version"]).out.contains("format "));
    for (line, wrong) in [
        (".describe", "expected .describe NAME, as in: .describe spans"),
        (".maxrows many", "expected .maxrows N"),
        (".run", ""),
        (".read", "expected .read FILE"),
        (".timer perhaps", "expected .timer on|off"),
        (".close nothing", "nothing cannot be closed"),
        (".run zzz", "no run has an id that begins with zzz"),
        (".loops --nonsense", "unknown option --nonsense"),
        (".tables 'open", "no table or view"),
        (".cost nonsense", "invalid value 'nonsense' for '--by <WHAT>'"),
    ] {
        let r = run(&[path, line]);
        assert!(r.err.contains(wrong), "{line}: {}", r.err);
        assert_eq!(r.code, i32::from(!wrong.is_empty()), "{line}: {}", r.err);
    }
}

#[test]
fn help_is_about_what_was_asked() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    let all = run(&[path, ".help"]).out;
    for name in
        ".help .tables .schema .views .describe .mode .once .output .read .import .maxrows .maxwidth .width .nullvalue .timer \
         .explain .show .open .close .databases .cost .loops .drift .runs .run .waterfall .agents .tools .prices .history .pager \
         .progress .shell .cd .version .quit .exit"
            .split_whitespace()
    {
        assert!(all.lines().any(|l| l.split(' ').next() == Some(name)), "{name} is not in:\n{all}");
    }
    let drift = run(&[path, ".help .drift"]).out;
    assert!(drift.contains("example: .drift") && drift.contains("--baseline"), "{drift}");
    assert!(run(&[path, ".help csv"]).out.contains(".mode"));
    let r = run(&[path, ".help nonsense"]);
    assert!(r.err.contains("no command is about nonsense") && r.code == 1);
}

#[test]
fn verbs_in_the_shell_are_the_verbs_of_the_command_line() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    for (verb, options) in [
        ("runs", "--top 3 --by slowest"),
        ("agents", ""),
        ("tools", "--top 2"),
        ("cost", "--by run --top 3"),
        ("loops", "--all"),
        ("drift", ""),
        ("runs", "-csv --top 2"),
    ] {
        let mut args = vec![verb, path];
        args.extend(options.split_whitespace());
        let alone = run(&args);
        let inside = run(&[path, &format!(".{verb} {options}")]);
        assert_eq!((&inside.out, inside.code), (&alone.out, alone.code), "{verb} {options}: {}", inside.err);
        assert!(alone.out.lines().count() > 0, "{verb}");
    }
    assert_eq!(run(&[path, ".cost run --top 3"]).out, run(&["cost", path, "--by", "run", "--top", "3"]).out);
    // Where rows are set, rows are given.
    assert!(run(&[path, "-jsonl", ".runs --top 1"]).out.starts_with("{\"trace_id\":"));
    let runs = run(&["runs", path, "--width", "40"]).out;
    assert!(runs.lines().all(|l| l.chars().count() <= 40), "{runs}");
    assert!(runs.contains("22 more runs; --top 0 shows all"), "{runs}");
}

#[test]
fn a_million_rows_take_little_memory() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    // 330 * 330 * 10 rows.
    let sql = "select a.trace_id, a.span_id, b.name, b.attributes from spans a cross join spans b \
               cross join (values (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) c";
    let child = spanfile(&[path, "-jsonl", sql, ".once rss", ".shell grep VmHWM /proc/$PPID/status >&2"])
        .current_dir(f.dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let r = ran(child.wait_with_output().unwrap());
    assert_eq!(r.out.lines().count(), 1_089_000, "{}", r.err);
    if !cfg!(target_os = "linux") {
        return;
    }
    let peak: u64 = r.err.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(peak < 200 * 1024, "peak {peak} kB");
}

#[test]
fn colours_only_for_terminals_and_results_only_on_stdout() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    for args in [vec![path, ".runs"], vec!["runs", path], vec![path, ".run last"], vec![path, "select 1"]] {
        let r = ran(spanfile(&args).env("CLICOLOR_FORCE", "1").output().unwrap());
        assert!(!r.out.contains('\u{1b}') && r.err.is_empty() && r.code == 0, "{args:?}: {}", r.err);
    }
    let r = feed(&[path, "-csv"], "select 1 as a;\n");
    assert_eq!((r.out.as_str(), r.err.as_str()), ("a\n1\n", ""), "no banner and no prompt");
}

#[test]
fn tables_are_exported_whole() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    let out = f.dir.path().join("out/tables");
    let dir = out.to_str().unwrap();
    let r = run(&["export", path, dir]);
    assert_eq!((r.out.as_str(), r.code), ("", 0), "{}", r.err);
    assert!(r.err.contains("spans.parquet: 330 rows") && r.err.contains("runs.parquet: 42 rows"), "{}", r.err);
    assert!(std::fs::read(out.join("spans.parquet")).unwrap().starts_with(b"PAR1"));
    let r = run(&["export", path, dir, "--table", "runs", "--table", "cost_by_day", "--format", "jsonl"]);
    assert_eq!(r.code, 0, "{}", r.err);
    let rows = std::fs::read_to_string(out.join("runs.jsonl")).unwrap();
    // Rows of a table have no order.
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&rows), sorted(&run(&[path, "-jsonl", "select * from runs"]).out));
    let left: Vec<String> =
        std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| !name.contains("partial")) && left.len() == 10, "{left:?}");
    let r = run(&["export", path, dir, "--table", "runz"]);
    assert_eq!((r.err.as_str(), r.code), ("spanfile: there is no table runz; did you mean runs?\n", 2));
    assert_eq!(run(&["export", path, path]).code, 1, "a file is no folder");
}
