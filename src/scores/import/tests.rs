use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn trace() -> TraceId {
    TRACE.parse().unwrap()
}

fn reasons(file: &ScoresFile) -> Vec<(u64, &str)> {
    file.rejects.iter().map(|r| (r.line, r.reason.as_str())).collect()
}

#[test]
fn csv_with_everything() {
    let text = format!(
        "\u{feff}trace_id,span_id,Name, value ,label,explanation,source,time\r\n\
         {TRACE},{SPAN},correct,0.75,yes,\"it says \"\"17\"\",\r\nwhich is right\",judge,2026-01-01T00:00:00.5Z\r\n\
         {TRACE},,helpful,,no,,,1767225600000000001\r\n"
    );
    let file = read_scores(text.as_bytes()).unwrap();
    assert_eq!(file.rejects, []);
    assert!(file.ignored.is_empty());
    assert_eq!(
        file.scores,
        [
            Score {
                trace_id: trace(),
                span_id: Some(SPAN.parse().unwrap()),
                name: "correct".into(),
                value: Some(0.75),
                label: Some("yes".into()),
                explanation: Some("it says \"17\",\r\nwhich is right".into()),
                source: Some("judge".into()),
                time_unix_nano: Some(1_767_225_600_500_000_000),
            },
            Score {
                trace_id: trace(),
                span_id: None,
                name: "helpful".into(),
                value: None,
                label: Some("no".into()),
                explanation: None,
                source: None,
                time_unix_nano: Some(1_767_225_600_000_000_001),
            },
        ]
    );
}

#[test]
fn json_lines_with_everything() {
    let text = format!(
        "{{\"trace_id\":\"{TRACE}\",\"span_id\":\"{SPAN}\",\"name\":\"a\",\"value\":3,\"time\":1700000000000000005,\"source\":null}}\r\n\
         \n\
         {{\"name\":\"b\",\"trace_id\":\"{TRACE}\",\"value\":\"0.5\",\"time\":\"1970-01-01T00:00:01+00:00\"}}"
    );
    let file = read_scores(text.as_bytes()).unwrap();
    assert_eq!(file.rejects, []);
    let short: Vec<_> =
        file.scores.iter().map(|s| (s.name.as_str(), s.value, s.time_unix_nano, s.span_id.is_some())).collect();
    assert_eq!(
        short,
        [("a", Some(3.0), Some(1_700_000_000_000_000_005), true), ("b", Some(0.5), Some(1_000_000_000), false)]
    );
}

#[test]
fn seconds_and_milliseconds_are_not_taken_for_nanoseconds() {
    for time in ["1700000000", "1700000000000"] {
        let text = format!("trace_id,name,value,time\n{TRACE},n,1,{time}\n");
        let file = read_scores(text.as_bytes()).unwrap();
        assert_eq!(file.scores, []);
        assert!(file.rejects[0].reason.contains("too small for nanoseconds"), "{}", file.rejects[0].reason);
    }
}

#[test]
fn csv_rejects_say_line_and_reason() {
    let text = format!(
        "trace_id,span_id,name,value,time,reviewer\n\
         ,{SPAN},n,1,,me\n\
         {TRACE},xyz,n,1,,me\n\
         {TRACE},,\"two\nlines\",NaN,,me\n\
         {TRACE},,n,good,,me\n\
         {TRACE},,n,,,me\n\
         {TRACE},,,1,,me\n\
         {TRACE},,n,1,2026-01-01T00:00:00,me\n\
         00000000000000000000000000000000,,n,1,,me\n\
         {TRACE},,n,1\n\
         {TRACE},,fine,1,,me\n\
         {TRACE},,n,1,,\"not closed\n\
         {TRACE},,n,1,,me\n"
    );
    let file = read_scores(text.as_bytes()).unwrap();
    assert_eq!(file.ignored, ["reviewer"]);
    assert_eq!(file.scores.len(), 1);
    assert_eq!(file.scores[0].name, "fine");
    assert_eq!(
        reasons(&file),
        [
            (2, "span_id without trace_id; a span is named by both"),
            (3, "span_id: expected 16 hex digits, found \"xyz\""),
            (4, "value is no finite number: NaN"),
            (6, "value is no finite number: good"),
            (7, "neither value nor label nor explanation"),
            (8, "no name"),
            (9, "time is neither RFC 3339 with an offset nor nanoseconds: 2026-01-01T00:00:00"),
            (10, "an id of zeros names nothing"),
            (11, "4 fields, the header has 6"),
            (13, "quotes do not pair up"),
        ]
    );
}

#[test]
fn json_rejects_say_line_and_reason() {
    let text = format!(
        "{{\"trace_id\":\"{TRACE}\",\"name\":\"n\",\"value\":1}}\n\
         {{\"trace_id\":\"{TRACE}\",\"name\":\"n\",\"value\":[1]}}\n\
         {{\"trace_id\":\"{TRACE}\",\"name\":\"n\",\"name\":\"m\",\"value\":1}}\n\
         {{\"trace_id\":\"{TRACE}\",\"name\":\"n\",\"value\":1,\"time\":1.5}}\n\
         [1]\n\
         {{\"trace_id\n\
         {{\"span_id\":\"{SPAN}\",\"name\":\"n\",\"value\":1,\"extra\":{{}}}}\n"
    );
    let file = read_scores(text.as_bytes()).unwrap();
    assert_eq!(file.scores.len(), 1);
    assert_eq!(file.ignored, ["extra"]);
    let got = reasons(&file);
    assert_eq!(got.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7]);
    assert_eq!(got[0].1, "value is neither text nor a number");
    assert_eq!(got[1].1, "name is there twice");
    assert_eq!(got[2].1, "time is neither RFC 3339 nor whole nanoseconds: 1.5");
    assert_eq!(got[3].1, "no JSON object: invalid type: sequence, expected an object, column 0");
    assert_eq!(got[4].1, "no JSON object: EOF while parsing a string, column 10");
    assert_eq!(got[5].1, "span_id without trace_id; a span is named by both");
}

#[test]
fn headers_that_are_of_no_use() {
    let error = |text: &str| read_scores(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error("name,value\n"), "no column trace_id; the header, line 1, has name, value");
    assert_eq!(error("\n\ntrace_id,value\n"), "no column name; the header, line 3, has trace_id, value");
    assert_eq!(error("trace_id,name,NAME\n"), "column name is in the header, line 1, twice");
    assert!(matches!(read_scores(b"\xff,name\n"), Err(ScoresError::Header { line: 1 })));
    assert_eq!(read_scores(b"").unwrap(), ScoresFile::default());
    assert_eq!(read_scores(b" \r\n").unwrap(), ScoresFile::default());
}

#[test]
fn text_that_is_not_utf_8_is_a_reject() {
    let mut text = format!("trace_id,name,label\n{TRACE},n,").into_bytes();
    text.extend_from_slice(b"\xff\n");
    let file = read_scores(&text).unwrap();
    assert_eq!(reasons(&file), [(2, "not UTF-8")]);
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    for end in ["\n", "\r\n"] {
        let rows = ["", "trace_id,name,value", "", "x,n,1", &format!("{TRACE},\"n{end}m\",1"), "", "", "y,n,1", ""];
        let file = read_scores(rows.join(end).as_bytes()).unwrap();
        assert_eq!(file.scores.len(), 1);
        assert_eq!(file.rejects.iter().map(|r| r.line).collect::<Vec<_>>(), [4, 9], "{end:?}");
    }
}

#[test]
fn a_long_malformed_value_is_shortened() {
    let text = format!("trace_id,name,value\n{TRACE},n,{}\n", "ä".repeat(1000));
    let file = read_scores(text.as_bytes()).unwrap();
    assert!(file.rejects[0].reason.chars().count() < 100);
}

proptest::proptest! {
    #[test]
    fn any_bytes_give_scores_or_rejects(bytes: Vec<u8>, json: bool) {
        let mut file = if json { b"{".to_vec() } else { b"trace_id,name,value\n".to_vec() };
        file.extend_from_slice(&bytes);
        let lines = file.iter().filter(|&&b| b == b'\n').count() as u64 + 1;
        if let Ok(read) = read_scores(&file) {
            assert!(read.rejects.iter().all(|r| (1..=lines).contains(&r.line)));
        }
    }
}
