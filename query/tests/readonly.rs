//! SQL reads the attached files, and does nothing else.

use crate::data::{Fixture, error, rows};

#[test]
fn nothing_is_written() {
    let f = Fixture::new();
    let e = f.engine();
    let before = std::fs::read(&f.path).unwrap();
    for sql in [
        "insert into spans select * from spans",
        "update spans set name = 'x'",
        "delete from spans",
        "drop table spans",
        "create table t as select 1",
        "create view v as select 1",
        "create schema s",
        "create function f() returns int return 1",
        "copy spans to '/tmp/x.parquet'",
        "copy (select 1) to 'x.csv' stored as csv",
        "set datafusion.execution.batch_size = 1",
        "reset datafusion.execution.batch_size",
        "explain insert into spans select * from spans",
        "explain analyze insert into spans select * from spans",
        "truncate table spans",
        "begin",
        "commit",
        "prepare p as select 1",
        "load 'x'",
        "install x",
        "attach 'x.spans' as x",
    ] {
        let e = error(&e, sql);
        assert!(e.contains("not allowed") || e.contains("syntax error"), "{sql}: {e}");
    }
    assert_eq!(std::fs::read(&f.path).unwrap(), before);
}

#[test]
fn no_other_file_is_reached() {
    let f = Fixture::new();
    let e = f.engine();
    let other = f.dir.path().join("x.csv");
    std::fs::write(&other, "a,b\n1,2\n").unwrap();
    let other = other.display();
    for sql in [
        format!("select * from '{other}'"),
        format!("select * from \"{other}\""),
        format!("create external table t stored as csv location '{other}'"),
        format!("select * from read_csv('{other}')"),
        format!("select * from read_parquet('{other}')"),
        "select * from 'https://example.org/x.csv'".into(),
        "select * from 'file:///etc/passwd'".into(),
    ] {
        error(&e, &sql);
    }
    assert_eq!(
        rows(
            &e,
            "select count(*) from information_schema.df_settings where name like '%url_table%' and value = 'true'"
        ),
        "0\n"
    );
}
