//! The binary, as people and programs run it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use crate::data::{Fixture, Span, file, traces};

pub(crate) fn spanfile(args: &[&str]) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_spanfile"));
    c.args(args).stdin(Stdio::null());
    c
}

pub(crate) struct Ran {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

pub(crate) fn ran(o: Output) -> Ran {
    Ran {
        out: String::from_utf8(o.stdout).unwrap(),
        err: String::from_utf8(o.stderr).unwrap(),
        code: o.status.code().unwrap_or(-1),
    }
}

pub(crate) fn run(args: &[&str]) -> Ran {
    ran(spanfile(args).output().unwrap())
}

pub(crate) fn feed(args: &[&str], stdin: &str) -> Ran {
    let mut child = spanfile(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    ran(child.wait_with_output().unwrap())
}

#[test]
fn sql_as_an_argument() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    let r = run(&[path, "SELECT kind, count(*) AS n FROM spans GROUP BY kind ORDER BY kind", "-csv"]);
    assert_eq!((r.out.as_str(), r.err.as_str(), r.code), ("kind,n\nllm,165\ntool,82\nworkflow,83\n", "", 0));
    for args in [["--csv", "-noheader"], ["-csv", "--noheader"]] {
        let r = run(&[path, args[0], args[1], "-c", "SELECT 1", "-c", "SELECT 2;"]);
        assert_eq!((r.out.as_str(), r.code), ("1\n2\n", 0));
    }
    let r = run(&["query", path, "-json", "-nullvalue", "-", "SELECT NULL AS x WHERE false"]);
    assert_eq!((r.out.as_str(), r.code), ("[]\n", 0));
    let r = run(&[path, "-csv", "-nullvalue", "none", "SELECT NULL AS x"]);
    assert_eq!(r.out, "x\nnone\n");
}

#[test]
fn errors_go_to_stderr_with_the_right_code() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    let r = run(&[path, "-csv", "SELECT nme FROM spans", "SELECT 1 AS a"]);
    assert_eq!((r.out.as_str(), r.code), ("a\n1\n", 1));
    assert_eq!(
        r.err,
        "spanfile: 1:8: there is no column nme; did you mean name?\n  SELECT nme FROM spans\n         ^\n"
    );
    let r = run(&[path, "-csv", "-bail", "SELECT nme FROM spans; SELECT 1 AS a"]);
    assert_eq!((r.out.as_str(), r.code), ("", 1));
    let r = run(&[path, "-jsn", "SELECT 1"]);
    assert_eq!((r.err.as_str(), r.code), ("spanfile: unknown option --jsn; did you mean --json?\n", 2));
    assert_eq!(run(&[path, "-json", "-csv", "SELECT 1"]).code, 2);
    assert_eq!(run(&[]).code, 2);
    let r = run(&["no/such.spans", "SELECT 1"]);
    assert!(r.err.contains("no/such.spans") && r.code == 1, "{}", r.err);
    let r = run(&["no/such*.spans", "SELECT 1"]);
    assert_eq!((r.err.as_str(), r.code), ("spanfile: no/such*.spans: no such file\n", 1));
    let r = run(&[path, "DELETE FROM spans"]);
    assert!(r.err.contains("read-only") && r.code == 1, "{}", r.err);
    assert_eq!(run(&["--version"]).code, 0);
    assert_eq!(run(&["--help"]).code, 0);
}

#[test]
fn statements_and_commands_on_stdin() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    let script = "select 1 as a; select ';' as b -- not here;\n;\n.print \"two words\"\n\nselect\n 3 as c;.print no\n;\n.exit 7\nselect 4;\n";
    let r = feed(&[path, "-csv", "-batch"], script);
    assert_eq!(r.out, "a\n1\nb\n;\ntwo words\nc\n3\n");
    assert!(r.err.contains("stdin:6") || r.err.contains("stdin:"), "{}", r.err);
    assert_eq!(r.code, 7);
    let r = feed(&[path, "-csv"], "select 1 as a;\n\nselect\n  nme from spans;\nselect 2 as b");
    assert_eq!(r.out, "a\n1\nb\n2\n", "the last statement needs no semicolon");
    assert!(r.err.starts_with("spanfile: stdin:4:3: there is no column nme"), "{}", r.err);
    assert_eq!(r.code, 1);
    let r = feed(&[path], ".tables\n.nonsense\n.quit\nselect 1;");
    assert!(r.out.starts_with("spans\n") && r.err.contains(".nonsense") && r.code == 1);
    let sql = f.dir.path().join("x.sql");
    std::fs::write(&sql, "select 'multi\nline' as x;\nselect 2 as y;").unwrap();
    let r = run(&[path, "-csv", "-f", sql.to_str().unwrap()]);
    assert_eq!((r.out.as_str(), r.code), ("x\n\"multi\nline\"\ny\n2\n", 0));
}

#[test]
fn a_program_on_pipes_gets_each_result_at_once() {
    let f = Fixture::new();
    let mut child = spanfile(&[f.path.to_str().unwrap(), "-json", "-batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for i in 0..3 {
        write!(stdin, "select count(*) as n, {i} as i\nfrom spans;\n.print @@end@@\n").unwrap();
        stdin.flush().unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), format!("[{{\"n\":330,\"i\":{i}}}]"));
        assert_eq!(lines.next().unwrap().unwrap(), "@@end@@");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn several_files() {
    let f = Fixture::new();
    let b = file(f.dir.path(), "b.spans", &[traces(100..110, 3)], false);
    let (path, b) = (f.path.to_str().unwrap(), b.to_str().unwrap());
    let sql = "select count(*) n from b.spans";
    for attach in [vec!["-attach", b, "AS", "b"], vec!["--attach", &format!("{b}=b")]] {
        let r = run(&[&[path, "-csv", "-c", sql], attach.as_slice()].concat());
        assert_eq!((r.out.as_str(), r.code), ("n\n30\n", 0), "{}", r.err);
    }
    let pattern = f.dir.path().join("*.spans");
    let r = run(&[pattern.to_str().unwrap(), "-csv", "select count(*) n from spans"]);
    assert_eq!(r.out, "n\n360\n");
    assert_eq!(run(&[path, "--attach", "x", "-c", "select 1"]).code, 2);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let f = Fixture::new();
    let mut child = spanfile(&[f.path.to_str().unwrap(), "-csv", "select a.* from spans a cross join spans b"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("trace_id,span_id"));
    let r = ran(child.wait_with_output().unwrap());
    assert_eq!((r.err.as_str(), r.code), ("", 0));
}

#[test]
fn parquet_out_and_info() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    let out = f.dir.path().join("out.parquet");
    let r = run(&[path, "-parquet", out.to_str().unwrap(), "select * from spans"]);
    assert_eq!((r.out.as_str(), r.code), ("", 0), "{}", r.err);
    assert!(r.err.contains("330 rows"), "{}", r.err);
    assert!(out.exists());
    let r = run(&["info", path]);
    assert!(r.out.contains("spans           330\n") && r.code == 0, "{}", r.out);
    assert_eq!(run(&["info", "no/such.spans"]).code, 1);
    let r = run(&["demo", path]);
    assert!(r.out.contains("Tool calls") && r.out.contains(&Span::trace_hex(0)[..8]), "{}", r.out);
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_query_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "fan.spans", &[traces(0..4000, 8)], false);
    let sql = "select count(a.span_id || b.span_id || c.span_id) from spans a join spans b on a.status = b.status \
               join spans c on b.status = c.status";
    let child = spanfile(&[path.to_str().unwrap(), sql]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let begun = std::time::Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let r = ran(child.wait_with_output().unwrap());
    assert_eq!(r.code, 130, "{}", r.err);
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "took {:?}", begun.elapsed());
}

#[test]
fn scores_come_once_and_say_what_is_wrong() {
    let f = Fixture::new();
    let path = f.path.to_str().unwrap();
    let trace = run(&[path, "-csv", "-noheader", "SELECT min(trace_id) FROM spans"]).out;
    let trace = trace.trim();
    let span =
        run(&[path, "-csv", "-noheader", &format!("SELECT max(span_id) FROM spans WHERE trace_id = '{trace}'")]).out;
    let span = span.trim();
    let csv = format!(
        "trace_id,span_id,name,value,label,explanation,source,time\n\
         {trace},,faithfulness,0.25,,\"two lines,\nquoted\",ragas,2026-01-02T03:04:05Z\n\
         {trace},{span},helpful,,yes,,anna,\n\
         {trace},,nothing,,,,,\n\
         00000000000000000000000000000001,,faithfulness,1,,,,\n"
    );
    let file = f.path.with_extension("csv");
    std::fs::write(&file, csv).unwrap();
    let import = || run(&["scores", "import", path, file.to_str().unwrap()]);
    let first = import();
    assert_eq!((first.out.as_str(), first.code), ("3 scores read, 3 new, 1 rejected\n", 3), "{}", first.err);
    assert!(first.err.contains("line 5") && first.err.contains("1 of the traces are not in the file"), "{}", first.err);
    let again = import();
    assert_eq!((again.out.as_str(), again.code), ("3 scores read, 0 new, 1 rejected\n", 3));
    let select =
        "SELECT span_id, target, name, value, label, explanation, source, time FROM scores ORDER BY name, value";
    let rows = run(&[path, "-jsonl", select]).out;
    let want = format!(
        "{{\"span_id\":null,\"target\":\"trace\",\"name\":\"faithfulness\",\"value\":0.25,\"label\":null,\
         \"explanation\":\"two lines,\\nquoted\",\"source\":\"ragas\",\"time\":\"2026-01-02T03:04:05.000000000Z\"}}\n\
         {{\"span_id\":null,\"target\":\"trace\",\"name\":\"faithfulness\",\"value\":1.0,\"label\":null,\
         \"explanation\":null,\"source\":null,\"time\":null}}\n\
         {{\"span_id\":\"{span}\",\"target\":\"span\",\"name\":\"helpful\",\"value\":null,\"label\":\"yes\",\
         \"explanation\":null,\"source\":\"anna\",\"time\":null}}\n"
    );
    assert_eq!(rows, want);
    // They survive sealing and compaction, and do not count as spans.
    let spans = "SELECT count(*) FROM spans";
    let before = run(&[path, "-csv", spans]).out;
    assert_eq!(run(&["compact", path]).code, 0);
    assert_eq!((run(&[path, "-jsonl", select]).out, run(&[path, "-csv", spans]).out), (want, before));
}
