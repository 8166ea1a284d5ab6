//! Functions that analysts know from elsewhere.

use crate::data::{Fixture, error, rows};

#[test]
fn aggregates() {
    let f = Fixture::new();
    let e = f.engine();
    assert_eq!(
        rows(
            &e,
            "select kind, arg_max(name, duration_ns), min_by(name, duration_ns), count_if(status = 'error'), mode(name)
                  from spans where trace_id is not null group by kind order by kind"
        ),
        "llm,step 0,step 1,42,step 1\ntool,step 0,step 2,0,step 2\nworkflow,step 2,run,0,run\n"
    );
    assert_eq!(
        rows(
            &e,
            "select arg_max(a, b), arg_min(a, b) from (values ('x', 1), (null, 9), ('y', null), ('z', 3)) t(a, b)"
        ),
        "z,x\n"
    );
    assert_eq!(
        rows(&e, "select arg_max(name, duration_ns), mode(name), count_if(true) from spans where false"),
        ",,0\n"
    );
    assert_eq!(rows(&e, "select mode(x) from (values (2), (1), (2), (1), (null), (null), (null)) t(x)"), "1\n");
    assert_eq!(
        rows(&e, "select arg_max(a, b) filter (where a <> 'z') from (values ('x', 1), ('z', 3)) t(a, b)"),
        "x\n"
    );
}

#[test]
fn times() {
    let f = Fixture::new();
    let e = f.engine();
    assert_eq!(
        rows(&e, "select time_bucket('10 minutes', start_time) b, count(*) from spans group by 1 order by 1 limit 2"),
        "2026-01-01T00:00:00.000000000Z,82\n2026-01-01T00:10:00.000000000Z,80\n"
    );
    assert_eq!(
        rows(&e, "select time_bucket(interval '7 days', max(start_time)) from spans"),
        "2025-12-29T00:00:00.000000000Z\n"
    );
    assert_eq!(
        rows(&e, "select epoch_ms(min(start_time)), epoch_ns(min(start_time)), epoch(min(start_time)) from spans"),
        "1767225600000,1767225600000000000,1767225600.0\n"
    );
    assert_eq!(
        rows(&e, "select strftime(min(start_time), '%Y/%m'), strftime('%d', min(start_time)) from spans"),
        "2026/01,01\n"
    );
    assert_eq!(
        rows(&e, "select time_bucket('1 hour', timestamp '2026-01-01 01:30:00')"),
        "2026-01-01T01:00:00.000000000\n"
    );
    assert!(error(&e, "select time_bucket(1, 2, 3, 4)").contains("time_bucket(width, time [, origin])"));
}

#[test]
fn text() {
    let f = Fixture::new();
    let e = f.engine();
    assert_eq!(
        rows(&e, "select regexp_extract('step 12', '[a-z]+ ([0-9]+)', 1), regexp_extract('step 12', '[0-9]+')"),
        "12,12\n"
    );
    assert_eq!(rows(&e, "select max(regexp_extract(name, 'step (.)', 1)) from spans"), "2\n");
    assert_eq!(rows(&e, "select regexp_extract('x', 'y') is null"), "true\n");
}
