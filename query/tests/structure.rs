//! The tree functions against a walk along parents.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::{Fixture, Span, captured, captures, captures_named, error, file, rows, traces};
use spanfile_query::{Engine, EngineOptions};

/// Parents by trace and span; `None` at a root, also where the parent is not there or the link was cut.
type Parents = BTreeMap<String, BTreeMap<String, Option<String>>>;

fn parents(engine: &Engine) -> Parents {
    let mut out = Parents::new();
    let all = rows(engine, "select trace_id, span_id, coalesce(parent_span_id, ''), is_cycle from spans");
    for line in all.lines() {
        let [trace, span, parent, cycle] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let parent = (!parent.is_empty() && cycle == "false").then(|| parent.to_owned());
        out.entry(trace.to_owned()).or_default().insert(span.to_owned(), parent);
    }
    for spans in out.values_mut() {
        let there: BTreeSet<String> = spans.keys().cloned().collect();
        for parent in spans.values_mut() {
            parent.take_if(|p| !there.contains(p));
        }
    }
    out
}

/// The span and its ancestors, from the span up.
fn path(spans: &BTreeMap<String, Option<String>>, of: &str) -> Vec<String> {
    let mut out = vec![of.to_owned()];
    while let Some(Some(parent)) = spans.get(out.last().unwrap()) {
        out.push(parent.clone());
    }
    out
}

/// Compares all functions at some spans of each trace, with and without the trace id.
fn compare(engine: &Engine, spans_per_trace: usize) {
    for (trace, spans) in parents(engine) {
        let paths: BTreeMap<&String, Vec<String>> = spans.keys().map(|s| (s, path(&spans, s))).collect();
        for (n, span) in spans.keys().step_by(spans.len().div_ceil(spans_per_trace)).enumerate() {
            let mut expected = BTreeSet::new();
            let mut add = |which: &str, id: &String| expected.insert(format!("{which},{trace},{id}"));
            for (i, id) in paths[span].iter().enumerate() {
                add("path", id);
                if i > 0 {
                    add("ancestors", id);
                }
                if i == 1 {
                    add("parent", id);
                }
            }
            for (other, path) in &paths {
                match path.iter().position(|p| p == span) {
                    Some(1) => {
                        add("children", other);
                        add("descendants", other);
                    }
                    Some(n) if n > 1 => {
                        add("descendants", other);
                    }
                    _ => {}
                }
                add("trace", other);
            }
            let second = if n % 3 == 2 { String::new() } else { format!(", '{trace}'") };
            let functions = ["ancestors", "children", "descendants", "parent", "path"];
            let mut sql: Vec<String> = functions
                .iter()
                .map(|f| format!("select '{f}', trace_id, span_id from {f}('{span}'{second})"))
                .collect();
            sql.push(format!("select 'trace', trace_id, span_id from trace('{trace}')"));
            let found = rows(engine, &sql.join(" union all "));
            let lines: Vec<&str> = found.lines().collect();
            let found: BTreeSet<String> = lines.iter().map(|l| (*l).to_owned()).collect();
            assert_eq!(found.len(), lines.len(), "each row once");
            assert_eq!(found, expected, "{span} of {trace}");
        }
    }
}

#[test]
fn the_tree_of_every_capture() {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(dir.path(), "all.spans", &captures());
    compare(&Engine::open(path, EngineOptions::default()).unwrap(), 8);
}

#[test]
fn sealed_and_tail_are_one_tree() {
    let dir = tempfile::tempdir().unwrap();
    let early = [traces(1..3, 12), vec![Span { trace: 3, index: 3 }]].concat();
    let late = (4..9).map(|index| Span { trace: 3, index }).chain([Span { trace: 1, index: 12 }]).collect();
    let path = file(dir.path(), "late.spans", &[early, late], true);
    let engine = Engine::open(path, EngineOptions::default()).unwrap();
    assert_eq!(rows(&engine, "select value from meta where key = 'tail_spans'"), "19\n");
    compare(&engine, 13);
}

#[test]
fn rows_come_with_all_columns_and_roots_first() {
    let f = Fixture::new();
    let e = f.engine();
    let span = |index| Span { trace: 25, index }.span_hex();
    let trace = Span::trace_hex(25);
    let sql = format!("select span_id, depth, name from path('{}', '{trace}')", span(7));
    let expected = [(0, "run"), (1, "step 1"), (3, "step 0"), (7, "step 1")]
        .iter()
        .enumerate()
        .map(|(depth, (i, name))| format!("{},{depth},{name}\n", span(*i)));
    assert_eq!(rows(&e, &sql), expected.collect::<String>());
    let sql = format!("select count(*), max(depth), count(distinct kind) from descendants('{}')", span(1));
    assert_eq!(rows(&e, &sql), "3,3,2\n");
    let sql = format!("select span_id from descendants('{}', '{trace}') where kind = 'llm' limit 1", span(0));
    assert_eq!(rows(&e, &sql), format!("{}\n", span(1)));
    let sql = format!("select count(*) from (select 1 from DESCENDANTS('{}') as d)", span(1).to_uppercase());
    assert_eq!(rows(&e, &sql), "3\n");
    // With the trace named, nothing but its rows is read.
    let sql = format!("explain select span_id from descendants('{}', '{trace}')", span(1));
    assert!(rows(&e, &sql).contains("rows=8, segments=1, tail_rows=0"), "{}", rows(&e, &sql));
}

#[test]
fn ids_that_are_none() {
    let f = Fixture::new();
    let e = f.engine();
    let known = Span { trace: 1, index: 1 }.span_hex();
    for f in ["ancestors", "children", "descendants", "parent", "path"] {
        assert_eq!(rows(&e, &format!("select * from {f}(null)")), "");
        assert_eq!(rows(&e, &format!("select * from {f}('{known}', null)")), "");
        assert_eq!(rows(&e, &format!("select * from {f}('ffffffffffffffff')")), "");
        assert_eq!(rows(&e, &format!("select * from {f}('{known}', '{}')", Span::trace_hex(2))), "");
        let e = error(&e, &format!("select * from {f}('abc')"));
        assert_eq!(e, format!("{f}: abc is no span id, which has 16 hex digits"));
    }
    assert_eq!(rows(&e, "select * from trace(null)"), "");
    assert_eq!(error(&e, "select * from trace('no hex')"), "trace: no hex is no trace id, which has 32 hex digits");
    assert_eq!(error(&e, "select * from trace(7)"), "trace: 7 is no trace id, which has 32 hex digits");
    assert_eq!(error(&e, "select * from path()"), "expected path(span_id [, trace_id])");
    let every = "children takes ids as constants, in single quotes; for every row of a table, join spans on trace_id \
                 and the range from tree_left to tree_right";
    assert_eq!(error(&e, "select * from spans s, lateral children(s.span_id)"), every);
    assert_eq!(error(&e, "select * from spans s, children(s.span_id) c"), every);
    let e = error(&e, "select * from childen('ffffffffffffffff')");
    assert_eq!(e, "there is no table function childen; did you mean children?");
}

#[test]
fn the_range_joins_every_span_with_those_below() {
    let f = Fixture::new();
    let sql = "select s.index, count(d.span_id) from (select *, seq as index from spans where trace_id = '{}') s \
               left join spans d on d.trace_id = s.trace_id and d.tree_left > s.tree_left \
               and d.tree_left <= s.tree_right group by 1 order by 1"
        .replace("{}", &Span::trace_hex(25));
    assert_eq!(rows(&f.engine(), &sql), "0,7\n1,3\n2,2\n3,1\n4,0\n5,0\n6,0\n7,0\n");
    let plan = rows(&f.engine(), &format!("explain {sql}"));
    assert!(plan.contains("HashJoinExec") && !plan.contains("NestedLoop"), "{plan}");
}

#[test]
fn aliases_and_several_files() {
    let dir = tempfile::tempdir().unwrap();
    file(dir.path(), "a1.spans", &[traces(0..2, 8)], false);
    file(dir.path(), "a2.spans", &[traces(1..3, 4)], true);
    let loops = captured(dir.path(), "b.spans", &captures_named(&["langgraph-openinference.loop"]));
    let both = spanfile_query::expand(&dir.path().join("a*.spans").display().to_string()).unwrap();
    let engine = Engine::open_all(&both, EngineOptions::default()).unwrap();
    engine.attach(&[loops], "old").unwrap();
    let span = Span { trace: 1, index: 1 }.span_hex();
    // In the first file it has three spans below, in the second one.
    assert_eq!(rows(&engine, &format!("select count(*) from descendants('{span}')")), "4\n");
    assert_eq!(rows(&engine, &format!("select count(*) from main.children('{span}')")), "3\n");
    assert_eq!(rows(&engine, &format!("select count(*) from trace('{}')", Span::trace_hex(1))), "12\n");
    assert_eq!(rows(&engine, &format!("select count(*) from old.trace('{}')", Span::trace_hex(1))), "0\n");
    let root = rows(&engine, "select span_id from old.spans where depth = 0 order by start_time limit 1");
    let below =
        rows(&engine, "select tree_right - tree_left from old.spans where depth = 0 order by start_time limit 1");
    assert_eq!(rows(&engine, &format!("select count(*) from old.descendants('{}')", root.trim())), below);
    assert_eq!(rows(&engine, &format!("select count(*) from lateral old.descendants('{}')", root.trim())), below);
    assert_eq!(rows(&engine, &format!("select count(*) from descendants('{}')", root.trim())), "0\n");
    let e = error(&engine, &format!("select * from nowhere.descendants('{span}')"));
    assert!(e.starts_with("there is no table function nowhere.descendants"), "{e}");
}
