//! What may be written.

use crate::data::{Fixture, error, rows, run_as};

#[test]
fn json_arrows_bind_tightly() {
    let f = Fixture::new();
    let e = f.engine();
    let count = |filter: &str| rows(&e, &format!("select count(*) from spans s where {filter}")).trim().to_owned();
    assert_eq!(count("attributes->>'app.tier' = 'pro'"), count("service_name = 'beta'"));
    assert_eq!(
        count("s.attributes->>'app.tier' = 'pro' and attributes->>'app.tier' <> 'free'"),
        count("service_name = 'beta'")
    );
    assert_eq!(count("attributes->'usage'->>'input' = '3'"), "42");
    assert_eq!(count("(attributes->'usage'->'input')::int + 1 = 4"), "42");
    assert_eq!(count("attributes->'usage'->'parts'->1 = 2"), "330");
    assert_eq!(count("attributes->>'app.tier' in ('pro', 'free')"), "330");
    assert_eq!(
        count("attributes->>'app.tier' like 'p%' or attributes->>'none' is not null"),
        count("service_name = 'beta'")
    );
    assert_eq!(count("json_contains(attributes, 'flag')"), "330");
}

#[test]
fn lambdas_still_work() {
    let f = Fixture::new();
    let e = f.engine();
    assert_eq!(rows(&e, "select array_transform([1, 2, 3], x -> x * 2)"), "\"[2,4,6]\"\n");
    assert_eq!(rows(&e, "select array_filter([1, 2, 3], (x) -> x > 1)"), "\"[2,3]\"\n");
}

#[test]
fn what_analysts_write() {
    let f = Fixture::new();
    let e = f.engine();
    assert_eq!(rows(&e, "select duration_ns / 1e6 from spans order by start_time limit 1"), "1.5\n");
    assert_eq!(rows(&e, "select kind, count(*) n from spans group by all order by n desc, kind limit 1"), "llm,165\n");
    assert_eq!(rows(&e, "from spans select count(*)"), "330\n");
    assert_eq!(rows(&e, "select count(*) filter (where status = 'error') from spans"), "42\n");
    assert_eq!(
        rows(
            &e,
            "select kind from spans qualify row_number() over (partition by kind order by start_time) = 1 order by 1"
        ),
        "llm\ntool\nworkflow\n"
    );
    assert_eq!(rows(&e, "select * exclude (a) from (values (1, 2)) t(a, b)"), "2\n");
    // NULL sorts last in either direction.
    assert_eq!(rows(&e, "select x from (values (1), (null), (2)) t(x) order by x desc"), "2\n1\n\n");
    assert_eq!(rows(&e, "select x from (values (1), (null), (2)) t(x) order by x"), "1\n2\n\n");
    assert_eq!(
        rows(&e, "select table_name from information_schema.tables where table_schema = 'main' order by 1"),
        "agent_runs\nagents\nbucket_costs\nbudget_status\nbudgets\ncolumns\ncost_audit\ncost_breakdown\ncost_by_agent\n\
         cost_by_agent_version\ncost_by_day\ncost_by_model\ncost_by_tool\ncost_by_workflow\ncost_per_run\n\
         cost_per_session\ncost_per_success\ncost_per_user\ndiagnostics\ndrift\ndrift_detail\ndrift_points\nerrors\nevents\nhandoffs\nlinks\nllm_calls\n\
         loop_spans\nloop_steps\nloop_summary\nloops\nmeta\nmodels\nnew_models\nnew_tools\npolling\nprices\nregressions\nretries\nrunaways\nruns\nscores\nsegments\nsessions\nspans\nsteps\nsynthetic_calls\ntables\ntool_calls\ntool_costs\ntools\nusage\nusage_costs\n"
    );
    assert!(rows(&e, "describe spans").starts_with("trace_id,Utf8View,YES\n"));
    assert_eq!(rows(&e, "select (select spans from runs where trace_id = '0')"), "\n");
    assert!(rows(&e, "show tables").contains("spanfile,main,spans"));
}

#[test]
fn errors_name_the_place_and_what_was_meant() {
    let f = Fixture::new();
    let e = f.engine();
    assert_eq!(error(&e, "select nme from spans"), "1:8: there is no column nme; did you mean name?");
    assert_eq!(error(&e, "select 1\nfrom spns"), "2:6: there is no table spns; did you mean spans?");
    assert!(error(&e, "select cout(*) from spans").starts_with("1:8: there is no function cout; did you mean count, "));
    assert!(error(&e, "select 1 frm spans x y").contains("syntax error"));
    assert!(error(&e, "select 1 +").contains("syntax error"));
    assert!(error(&e, "").contains("no statement"));
    assert!(error(&e, "select 1; select 2").contains("one statement"));
}

#[test]
fn columns_are_named_after_their_text() {
    let f = Fixture::new();
    let e = f.engine();
    let head = |sql: &str| {
        let csv = run_as(&e, sql, &spanfile_query::render::Format::Csv).unwrap_or_else(|e| panic!("{sql}: {e}"));
        csv.lines().next().unwrap().to_owned()
    };
    assert_eq!(head("select 1, 'x', null"), "1,'x',NULL");
    assert_eq!(
        head("select count(distinct s.kind), max(duration_ns) / 1e6 from spans s"),
        "\
        count(DISTINCT s.kind),max(duration_ns) / 1e6"
    );
    assert_eq!(head("select s.kind, status, count(*) n from spans s group by 1, 2"), "kind,status,n");
    assert_eq!(head("with t as (select count(*) from spans) select * from t"), "count(*)");
    assert_eq!(head("select 1 + 1 union all select 2"), "1 + 1");
    assert_eq!(head("select * from (select count(*) as n, 1 as one from spans)"), "n,one");
    assert_eq!(head("select *, 1 from (values (2)) t(a)"), "a,1");
    // Where the text of a column stands elsewhere too, it still means the same.
    for sql in [
        "select upper(kind), count(*) from spans group by upper(kind) having count(*) > 1 order by count(*) desc, upper(kind)",
        "select distinct upper(kind) from spans order by 1",
        "select kind, row_number() over (order by count(*)) from spans group by kind qualify row_number() over (order by count(*)) = 1",
        "select distinct on (kind) kind, duration_ns + 1 from spans order by kind, duration_ns + 1",
        "select unnest([1, 2])",
        "select upper(kind), count(*) from spans group by all order by 2, 1",
        "select time_bucket('1 hour', start_time), count(*) from spans group by 1 order by 1",
        "select sum(duration_ns) over (partition by kind order by start_time) from spans limit 1",
    ] {
        assert!(!head(sql).is_empty(), "{sql}");
    }
    let sum = format!("{}1", "1 + ".repeat(50));
    assert_eq!(head(&format!("select {sum}")), sum);
}

#[test]
fn columns_may_have_the_same_name() {
    let f = Fixture::new();
    let e = f.engine();
    let csv = |sql: &str| run_as(&e, sql, &spanfile_query::render::Format::Csv).unwrap();
    assert_eq!(csv("select count(*), count(*) from links"), "count(*),count(*):1\n0,0\n");
    assert_eq!(csv("select 1, 1, 1"), "1,1:1,1:2\n1,1,1\n");
    let casts = csv("select start_time::date::text, start_time from spans order by start_time limit 1");
    assert_eq!(casts.lines().nth(1), Some("2026-01-01,2026-01-01T00:00:00.000000000Z"), "{casts}");
    assert_eq!(csv("select *, name from spans limit 1").lines().next().unwrap().rsplit(',').next(), Some("name:1"));
    assert_eq!(csv("select count(*), (select count(*) from links) from spans").lines().nth(1), Some("330,0"));
}
