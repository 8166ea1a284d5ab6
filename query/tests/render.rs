//! Golden output of every format.

use crate::data::{Fixture, rows, run_as, runtime};
use spanfile_query::render::{Format, RenderOptions, render};

const SQL: &str = "select * from (values
    (1, 'plain', 1.5, timestamp '2026-01-01T00:00:00Z', [1, 2], true),
    (-20, 'a,\"b\"|c', null, null, null, false),
    (null, '', 'NaN'::double, null, [], null)) t(\"n\", \"text\", x, at, list, flag)";

fn golden(format: &Format, expected: &str) {
    let f = Fixture::new();
    let got = run_as(&f.engine(), SQL, format).unwrap();
    assert_eq!(got, expected, "{format:?}:\n{got}");
}

#[test]
fn table() {
    golden(
        &Format::Table,
        "\
+------+---------+------+-------------------------------+-------+-------+
| n    | text    | x    | at                            | list  | flag  |
+------+---------+------+-------------------------------+-------+-------+
|    1 | plain   |  1.5 | 2026-01-01T00:00:00.000000000 | [1,2] | true  |
|  -20 | a,\"b\"|c | NULL | NULL                          | NULL  | false |
| NULL |         |  NaN | NULL                          | []    | NULL  |
+------+---------+------+-------------------------------+-------+-------+
",
    );
}

#[test]
fn csv() {
    golden(
        &Format::Csv,
        "n,text,x,at,list,flag\n\
         1,plain,1.5,2026-01-01T00:00:00.000000000,\"[1,2]\",true\n\
         -20,\"a,\"\"b\"\"|c\",,,,false\n\
         ,\"\",NaN,,[],\n",
    );
}

#[test]
fn json() {
    golden(
        &Format::Json,
        r#"[{"n":1,"text":"plain","x":1.5,"at":"2026-01-01T00:00:00.000000000","list":[1,2],"flag":true},
{"n":-20,"text":"a,\"b\"|c","x":null,"at":null,"list":null,"flag":false},
{"n":null,"text":"","x":null,"at":null,"list":[],"flag":null}]
"#,
    );
    let f = Fixture::new();
    assert_eq!(run_as(&f.engine(), "select 1 a where false", &Format::Json).unwrap(), "[]\n");
    assert_eq!(run_as(&f.engine(), "select 1 a where false", &Format::Jsonl).unwrap(), "");
    assert_eq!(
        run_as(&f.engine(), "select 1 a union all select 2 order by a", &Format::Jsonl).unwrap(),
        "{\"a\":1}\n{\"a\":2}\n"
    );
}

#[test]
fn markdown_and_others() {
    golden(
        &Format::Markdown,
        "\
| n | text | x | at | list | flag |
|---|---|---|---|---|---|
| 1 | plain | 1.5 | 2026-01-01T00:00:00.000000000 | [1,2] | true |
| -20 | a,\"b\"\\|c | NULL | NULL | NULL | false |
| NULL |  | NaN | NULL | [] | NULL |
",
    );
    let f = Fixture::new();
    let e = f.engine();
    assert_eq!(run_as(&e, "select 'a\tb' x, null y", &Format::Tabs).unwrap(), "x\ty\na\\tb\t\\N\n");
    assert_eq!(run_as(&e, "select 1 x, 'a' long", &Format::Line).unwrap(), "   x = 1\nlong = a\n");
    assert_eq!(run_as(&e, "select 1 x", &Format::Box).unwrap(), "┌───┐\n│ x │\n├───┤\n│ 1 │\n└───┘\n");
}

#[test]
fn exact_values() {
    let f = Fixture::new();
    let e = f.engine();
    let json = |sql: &str| run_as(&e, sql, &Format::Jsonl).unwrap().trim().to_owned();
    assert_eq!(
        json("select '123456789012345.678901234567'::decimal(38,12) d"),
        r#"{"d":123456789012345.678901234567}"#
    );
    assert_eq!(
        json("select 9223372036854775807 i, -0.1 f, 1e300 g, 2.0::double h"),
        r#"{"i":9223372036854775807,"f":-0.1,"g":1e+300,"h":2.0}"#
    );
    assert_eq!(json("select min(start_time) t from spans"), r#"{"t":"2026-01-01T00:00:00.000000000Z"}"#);
    assert_eq!(json("select {'a': 1, 'b': [null, 'x']} s"), r#"{"s":{"a":1,"b":[null,"x"]}}"#);
    assert_eq!(json("select map {'k': 1} m"), r#"{"m":{"k":1}}"#);
    assert_eq!(json("select x'00ff' b, interval '1 day' i"), r#"{"b":"00ff","i":"1 days"}"#);
    let attributes = "from spans order by start_time limit 1";
    assert_eq!(
        json(&format!(
            "select attributes->'usage' u, attributes->'flag' f, attributes->'app.tier' t, attributes->'none' n {attributes}"
        )),
        r#"{"u":{"input":0,"parts":[1,2]},"f":true,"t":"free","n":null}"#
    );
}

#[test]
fn times_keep_their_reach() {
    let f = Fixture::new();
    let e = f.engine();
    let csv = |sql: &str| rows(&e, sql);
    assert_eq!(
        csv("select arrow_cast('2500-01-02T03:04:05', 'Timestamp(Second, None)')"),
        "2500-01-02T03:04:05.000000000\n"
    );
    assert_eq!(
        csv("select arrow_cast(-62135596800001, 'Timestamp(Millisecond, Some(\"UTC\"))')"),
        "0000-12-31T23:59:59.999000000Z\n"
    );
    assert_eq!(csv("select arrow_cast(9223372036854775807, 'Timestamp(Second, None)')"), "9223372036854775807\n");
}

#[test]
fn text_is_never_taken_for_null_or_obeyed() {
    let f = Fixture::new();
    let e = f.engine();
    let with = |sql: &str, format: &Format, options: RenderOptions| {
        runtime().block_on(async {
            let mut out = Vec::new();
            let query = e.sql(sql).await.unwrap();
            render(query.stream().unwrap(), format, &options, &mut out).await.unwrap();
            String::from_utf8(out).unwrap()
        })
    };
    let na = RenderOptions { null_text: Some("NA".into()), header: false, ..RenderOptions::default() };
    assert_eq!(with("select 'NA', null, '', 'N'", &Format::Csv, na), "\"NA\",NA,,N\n");
    let terminal = RenderOptions { terminal: true, ..RenderOptions::default() };
    for format in
        [Format::Csv, Format::Line, Format::Markdown, Format::Tabs, Format::Json, Format::Jsonl, Format::Table]
    {
        let text = with("select chr(27) || '[2J' x, 'a' || chr(155) y", &format, terminal.clone());
        assert!(!text.contains(['\u{1b}', '\u{9b}']), "{format:?}: {text:?}");
        assert!(text.contains("[2J"), "{format:?}: {text:?}");
    }
    // What a program reads stays what it was.
    let plain = with("select chr(27) x", &Format::Csv, RenderOptions::default());
    assert_eq!(plain, "x\n\u{1b}\n");
}

#[test]
fn parquet() {
    let f = Fixture::new();
    let e = f.engine();
    let out = f.dir.path().join("out.parquet");
    run_as(&e, "select trace_id, start_time, duration_ns from spans", &Format::Parquet(out.clone())).unwrap();
    let file = std::fs::File::open(&out).unwrap();
    let reader = datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 330);
    // A query that fails leaves nothing behind.
    let broken = f.dir.path().join("broken.parquet");
    assert!(run_as(&e, "select 1 / (duration_ns - 1500000) from spans", &Format::Parquet(broken)).is_err());
    let left: Vec<_> = std::fs::read_dir(f.dir.path()).unwrap().map(|d| d.unwrap().file_name()).collect();
    assert!(!left.iter().any(|n| n.to_string_lossy().contains("broken")), "{left:?}");
    assert_eq!(rows(&e, "select 1"), "1\n");
}
