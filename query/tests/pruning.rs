//! Only what a query needs is read, and what is read is right.

use crate::data::{Fixture, SPANS, Span, file, rows, traces};
use spanfile_query::{Engine, EngineOptions};

/// The physical plan, one operator per line.
fn plan(engine: &Engine, sql: &str) -> String {
    rows(engine, &format!("explain {sql}"))
}

/// The plan with what it did.
fn analyzed(engine: &Engine, sql: &str) -> String {
    rows(engine, &format!("explain analyze {sql}"))
}

/// A metric of the scan, such as `output_rows`.
fn metric(analyzed: &str, name: &str) -> String {
    let scan = &analyzed[analyzed.find("DataSourceExec").unwrap()..];
    let value = scan.split(&format!("{name}=")).nth(1).unwrap_or_else(|| panic!("no {name} in {analyzed}"));
    value.split([',', ']']).next().unwrap().to_owned()
}

#[test]
fn counts_and_time_bounds_need_no_scan() {
    let f = Fixture::new();
    let e = f.engine();
    assert_eq!(rows(&e, "select count(*) from spans"), format!("{SPANS}\n"));
    assert!(!plan(&e, "select count(*) from spans").contains("DataSourceExec"));
    // A file without superseded rows knows its bounds too.
    let path = file(f.dir.path(), "whole.spans", &[traces(0..10, 4), traces(10..20, 4)], true);
    let e = Engine::open(path, EngineOptions::default()).unwrap();
    let sql = "select count(*), min(start_time), max(start_time), max(end_time) from spans";
    assert_eq!(
        rows(&e, sql),
        "80,2026-01-01T00:00:00.000000000Z,2026-01-01T00:19:03.000000000Z,2026-01-01T00:19:03.006000000Z\n"
    );
    assert!(!plan(&e, sql).contains("DataSourceExec"), "{}", plan(&e, sql));
}

#[test]
fn a_superseded_row_is_never_seen() {
    let f = Fixture::new();
    let e = f.engine();
    let trace = Span::trace_hex(3);
    let one = format!("select count(*), count(distinct span_id), max(name) from spans where trace_id = '{trace}'");
    assert_eq!(rows(&e, &one), "10,10,step 2\n");
    assert_eq!(
        rows(&e, "select count(*), count(distinct trace_id || span_id) from spans where kind is not null"),
        "330,330\n"
    );
    assert_eq!(rows(&e, "select sum(live_spans), sum(spans) from segments"), "322,330\n");
    assert_eq!(rows(&e, "select count(*) from (select * from spans limit 325)"), "325\n");
}

#[test]
fn a_trace_is_found_by_its_directory() {
    let f = Fixture::new();
    let e = f.engine();
    let id = Span::trace_hex;
    let sql = format!("select * from spans where trace_id = '{}' order by start_time, span_id", id(25));
    let p = plan(&e, &sql);
    assert!(p.contains("rows=8, segments=1, tail_rows=0"), "{p}");
    assert!(!p.contains("SortExec") && !p.contains("FilterExec"), "one trace comes in order: {p}");
    assert_eq!(metric(&analyzed(&e, &sql), "output_rows"), "8");

    let count = |filter: &str| rows(&e, &format!("select count(*) from spans where {filter}")).trim().to_owned();
    assert_eq!(count(&format!("'{}' = trace_id", id(25))), "8");
    assert_eq!(count(&format!("trace_id in ('{}', '{}', 'zz', '')", id(25), id(41))), "12");
    assert_eq!(count(&format!("trace_id = '{}' and kind = 'llm'", id(25))), "4");
    assert_eq!(count(&format!("kind = 'llm' and (trace_id = '{}' or trace_id = '{}')", id(25), id(26))), "8");
    assert_eq!(count(&format!("trace_id = '{}' and trace_id = '{}'", id(25), id(26))), "0");
    assert_eq!(count("trace_id = 'no hex at all'"), "0");
    assert_eq!(count("trace_id = null"), "0");
    assert_eq!(count(&format!("upper(trace_id) = '{}'", id(25).to_uppercase())), "8");
    assert_eq!(count(&format!("trace_id <> '{}'", id(25))), (SPANS - 8).to_string());
    assert_eq!(count(&format!("trace_id = '{}' or kind = 'workflow'", id(25))), (83 + 8 - 2).to_string());
    // Many traces, named through a join.
    assert_eq!(
        rows(
            &e,
            &format!("select count(*) from spans a join spans b using (trace_id) where a.trace_id = '{}'", id(25))
        ),
        "64\n"
    );
    assert_eq!(rows(&e, &sql.replace('*', "span_id")).lines().count(), 8);
}

#[test]
fn ids_in_capitals_are_the_same_ids() {
    let f = Fixture::new();
    let e = f.engine();
    let trace = Span::trace_hex(25).to_uppercase();
    let span = Span { trace: 25, index: 2 }.span_hex().replace('2', "A");
    assert_ne!(trace, Span::trace_hex(25));
    let count = |rest: &str| rows(&e, &format!("select count(*) from {rest}")).trim().to_owned();
    let lookup = format!("select * from spans where trace_id = '{trace}'");
    assert!(plan(&e, &lookup).contains("rows=8, segments=1"), "{}", plan(&e, &lookup));
    for (rest, expected) in [
        (format!("spans where '{trace}' = trace_id"), "8"),
        (format!("spans s where s.trace_id in ('{trace}', 'x')"), "8"),
        (format!("spans where trace_id <> '{trace}'"), "322"),
        (format!("spans where trace_id between '{trace}' and '{trace}'"), "8"),
        // However far away the column is from its table.
        (format!("(select trace_id as t from spans group by 1) g where t = '{trace}'"), "1"),
        (format!("(select trace_id t, row_number() over () n from spans) where t = '{trace}' and n > 0"), "8"),
        (format!("(select trace_id t from spans union all select trace_id from spans) where t = '{trace}'"), "16"),
        (format!("spans a join spans b using (trace_id) where b.trace_id = '{trace}'"), "64"),
        (format!("links where exists (select 1 from spans where trace_id = '{trace}')"), "0"),
        // Other text keeps its case.
        (format!("(select upper(trace_id) t from spans) where t = '{trace}'"), "8"),
        (format!("(select lower(trace_id) t from spans) where t = '{trace}'"), "0"),
        ("(values ('AB'), ('ab')) t(trace_id) where trace_id = 'AB'".to_owned(), "1"),
        (format!("spans where span_id = '{span}'"), "0"),
    ] {
        assert_eq!(count(&rest), expected, "{rest}");
    }
    assert_eq!(rows(&e, &format!("select sum(case when trace_id = '{trace}' then 1 else 0 end) from spans")), "8\n");
}

#[test]
fn span_ids_are_compared_as_bytes() {
    let f = Fixture::new();
    let e = f.engine();
    let id = Span { trace: 25, index: 2 }.span_hex();
    let count = |filter: &str| rows(&e, &format!("select count(*) from spans where {filter}")).trim().to_owned();
    assert_eq!(count(&format!("span_id = '{id}'")), "1");
    assert_eq!(count(&format!("'{id}' = span_id")), "1");
    assert_eq!(count(&format!("span_id in ('{id}', 'x')")), "1");
    assert_eq!(count("span_id = 'x'"), "0");
    assert_eq!(count("not (span_id = 'x')"), SPANS.to_string());
    assert_eq!(count(&format!("span_id < '{id}'")), (25 * 8 + 2 + 2).to_string());
    assert_eq!(count(&format!("parent_span_id = '{}'", Span { trace: 25, index: 0 }.span_hex())), "2");
    assert_eq!(count("parent_span_id is null"), "42");
    let a = analyzed(&e, &format!("select name, input from spans where span_id = '{id}'"));
    assert_eq!(metric(&a, "pushdown_rows_matched"), "1", "{a}");
}

#[test]
fn times_prune_segments_and_pages() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "long.spans", &[traces(0..1000, 8), traces(1000..2000, 8)], false);
    let e = Engine::open(path, EngineOptions { threads: Some(1), ..EngineOptions::default() }).unwrap();
    let sql =
        "select name from spans where start_time >= '2026-01-01T10:00:00Z' and start_time < '2026-01-01T10:05:00Z'";
    let a = analyzed(&e, sql);
    assert_eq!(rows(&e, &format!("select count(*) from ({sql})")), "40\n");
    assert!(metric(&a, "files_ranges_pruned_statistics").contains("→ 1 matched"), "{a}");
    assert!(metric(&a, "page_index_pages_pruned").contains("→ 1 matched"), "{a}");
    let read: f64 = rows(&e, "select sum(bytes) from segments").trim().parse().unwrap();
    let scanned = metric(&a, "bytes_scanned");
    let (n, unit) = scanned.split_once(' ').unwrap_or((&scanned, ""));
    let n: f64 = n.parse::<f64>().unwrap() * if unit.starts_with('K') { 1024.0 } else { 1.0 };
    assert!(n < read / 4.0, "{scanned} of {read}");
}

#[test]
fn columns_that_a_segment_lacks_are_null() {
    let f = Fixture::new();
    let e = f.engine();
    assert_eq!(
        rows(&e, "select count(*), count(tool_name), max(reported_cost_usd) from spans where tool_name is null"),
        format!("{SPANS},0,\n")
    );
    assert_eq!(rows(&e, "select count(*) from spans where tool_name = 'x' or reported_cost_usd > 1"), "0\n");
}

#[test]
fn joins_get_no_row_filters() {
    let f = Fixture::new();
    let e = f.engine();
    let p = plan(&e, "select count(*) from spans s join (values ('llm', 2)) p(k, x) on s.kind = p.k");
    assert!(!p.contains("DynamicFilter"), "{p}");
    assert!(p.contains("CooperativeExec"), "joins yield: {p}");
}

#[test]
fn several_files_as_one_and_side_by_side() {
    let f = Fixture::new();
    let b = file(f.dir.path(), "b.spans", &[traces(100..110, 3)], false);
    let e = f.engine();
    e.attach(std::slice::from_ref(&b), "b").unwrap();
    assert_eq!(rows(&e, "select count(*) from b.spans"), "30\n");
    assert_eq!(
        rows(&e, "select count(*) from main.spans union all select count(*) from b.spans order by 1"),
        "30\n330\n"
    );
    assert!(e.attach(std::slice::from_ref(&b), "b").is_err());
    assert!(e.attach(std::slice::from_ref(&b), "main").is_err());
    assert!(e.attach(std::slice::from_ref(&b), "No Name").is_err());
    let both = Engine::open_all(&[f.path.clone(), b], EngineOptions::default()).unwrap();
    assert_eq!(rows(&both, "select count(*), count(distinct trace_id) from spans"), "360,52\n");
    assert_eq!(rows(&both, &format!("select count(*) from spans where trace_id = '{}'", Span::trace_hex(105))), "3\n");
    assert_eq!(rows(&both, "select count(distinct file) from meta"), "2\n");
}

#[test]
fn each_statement_sees_the_newest_commit() {
    let f = Fixture::new();
    let e = f.engine();
    assert_eq!(rows(&e, "select count(*) from spans"), format!("{SPANS}\n"));
    let store = spanfile::Store::open(&f.path, spanfile::Options::default()).unwrap();
    let mut w = store.writer().unwrap();
    w.append(crate::data::batch(&traces(50..51, 5))).unwrap();
    w.commit().unwrap();
    assert_eq!(rows(&e, "select count(*) from spans"), format!("{}\n", SPANS + 5));
}

#[test]
fn a_memory_limit_spills_or_says_so() {
    let f = Fixture::new();
    let path = file(f.dir.path(), "big.spans", &[traces(0..4000, 8)], false);
    let limited = |spill| {
        let options = EngineOptions {
            memory_limit_bytes: 32 << 20,
            spill_dir: Some(f.dir.path().to_path_buf()),
            spill_limit_bytes: spill,
            threads: Some(1),
            ..EngineOptions::default()
        };
        Engine::open(&path, options).unwrap()
    };
    let sql = "select count(*) from (select a.*, row_number() over (order by a.input, a.attributes, b.span_id) n
               from spans a join spans b on a.trace_id = b.trace_id) where n > 0";
    assert_eq!(rows(&limited(1 << 30), sql), "256000\n");
    let e = crate::data::error(&limited(0), sql);
    assert!(e.to_lowercase().contains("memory") || e.to_lowercase().contains("resources"), "{e}");
}

#[test]
fn a_join_without_an_equality_never_loses_rows_for_lack_of_memory() {
    let f = Fixture::new();
    let path = file(f.dir.path(), "wide.spans", &[traces(0..600, 8)], false);
    let sql = "select count(*) from spans a, spans b, (select * from spans where input is not null limit 3) c
               where a.span_id < b.span_id and b.input <= c.input";
    let open = |memory_limit_bytes| {
        Engine::open(&path, EngineOptions { memory_limit_bytes, threads: Some(1), ..EngineOptions::default() }).unwrap()
    };
    let right = rows(&open(4 << 30), sql);
    assert_ne!(right, "0\n");
    let mut refused = 0;
    for mib in [1, 4, 16, 64, 256] {
        match crate::data::run_as(&open(mib << 20), sql, &spanfile_query::render::Format::Csv) {
            Ok(csv) => assert_eq!(csv.split_once('\n').unwrap().1, right, "{mib} MiB"),
            Err(e) => {
                assert!(e.to_string().to_lowercase().contains("resources exhausted"), "{e}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "some limit is too small for this");
}

#[test]
fn dropping_a_query_stops_a_fanning_join() {
    let f = Fixture::new();
    let path = file(f.dir.path(), "fan.spans", &[traces(0..4000, 8)], false);
    let e = Engine::open(path, EngineOptions { threads: Some(2), ..EngineOptions::default() }).unwrap();
    let rt = crate::data::runtime();
    rt.block_on(async {
        // A billion pairs of one key: hours of work, were it not for the timeout.
        let sql = "select count(a.span_id || b.span_id || c.span_id) from spans a join spans b on a.status = b.status \
                   join spans c on b.status = c.status";
        let query = e.sql(sql).await.unwrap();
        let work = query.collect();
        assert!(tokio::time::timeout(std::time::Duration::from_millis(500), work).await.is_err());
    });
    // The runtime waits for tasks that do not yield: with one of those, this test would not end.
    drop(rt);
}
