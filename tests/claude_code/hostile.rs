//! Lines that are damaged, cut, long, or not of the expected shape; files that grow.

use spanfile::ingest::RejectClass;
use spanfile::limits::OPEN_BYTES;

use super::{import, new_store, rows_of, testdata, totals};
use crate::ingest::gather::gather;

fn lines(name: &str) -> Vec<String> {
    std::fs::read_to_string(testdata(name)).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn damaged_lines_are_rejected_with_their_place_and_the_rest_is_kept() {
    let got = gather(&std::fs::read(testdata("damaged.jsonl")).unwrap());
    let rejected: Vec<(u64, &str)> =
        got.rejected.iter().map(|r| (r.position.line.unwrap(), r.reason.as_str())).collect();
    let want = [
        (2, "not JSON: EOF while parsing an object at line 1 column 33"),
        (3, "not an object, or it nests too deep"),
        (4, "a record without a type"),
        (5, "an assistant record without a message id"),
        (6, "a record without a timestamp"),
        (7, "a record without a sessionId"),
        (8, "the timestamp is no time after 1970"),
        (9, "a record without a message"),
        (12, "the line is not finished: the session was being written, or the file was cut"),
    ];
    assert_eq!(rejected, want);
    assert!(got.rejected.iter().all(|r| r.class == RejectClass::Malformed && !r.bytes.is_empty()));
    assert_eq!(got.names, ["chat claude-opus-4-6", "turn", "invoke_agent claude-code"]);
    let text = std::fs::read(testdata("damaged.jsonl")).unwrap();
    for reject in &got.rejected {
        assert!(text[reject.position.byte as usize..].starts_with(reject.bytes.trim_ascii_end()));
    }
}

#[test]
fn line_ends_do_not_matter() {
    let text = lines("orders.jsonl").join("\n");
    let want = gather(text.as_bytes());
    for variant in
        [text.replace('\n', "\r\n"), format!("\u{feff}{text}\n"), format!("\n\n{}\n", text.replace('\n', "\n \n"))]
    {
        let got = gather(variant.as_bytes());
        assert_eq!((got.rejected, got.batch.spans), (vec![], want.batch.spans.clone()));
    }
}

/// A session that is read while it is written, again and again, is in the end what it is when it is read once.
#[test]
fn a_growing_file_ends_as_if_it_was_read_once() {
    let all = lines("orders.jsonl");
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let once = new_store(dirs[0].path());
    import(&once, &[testdata("orders.jsonl")]);
    let spans = |store: &spanfile::Store| {
        let columns =
            ["span_id", "name", "duration_ns", "input", "output", "tool_result", "total_tokens", "attributes"];
        let row = |row: crate::stories::Row<'_>| (row.start(), columns.map(|column| row.text(column)));
        let mut spans: Vec<_> = rows_of(store).each().map(row).collect();
        spans.sort();
        spans
    };
    let want = spans(&once);
    for backwards in [false, true] {
        let store = new_store(dirs[1 + usize::from(backwards)].path());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.jsonl");
        let mut ends: Vec<usize> = (4..=all.len()).collect();
        if backwards {
            ends.reverse();
        }
        for end in ends {
            std::fs::write(&path, all[..end].join("\n") + "\n").unwrap();
            import(&store, std::slice::from_ref(&path));
        }
        assert_eq!(totals(&store), totals(&once));
        let mut got = spans(&store);
        // The call that started the subagent had no agent's id before its answer came.
        got.retain(|(_, span)| span[1].as_deref() != Some("execute_tool Task") || span[2].is_some());
        for (a, b) in got.iter().zip(&want) {
            assert_eq!(a, b);
        }
        assert_eq!(got.len(), want.len());
    }
}

#[test]
fn long_lines_are_taken() {
    let big = "x".repeat(10 << 20);
    let text = lines("orders.jsonl").join("\n").replace("on branch main", &big).replace("1\\tdef total", &big);
    let got = gather(text.as_bytes());
    assert_eq!(got.rejected, []);
    let want = gather(&std::fs::read(testdata("orders.jsonl")).unwrap());
    assert_eq!(got.names, want.names);
    let long =
        |row: usize| got.batch.spans.column_by_name("tool_result").unwrap().slice(row, 1).get_buffer_memory_size();
    assert!((0..got.names.len()).any(|row| long(row) > big.len()));
}

/// What waits for an answer takes no more memory than it may; nothing of it is lost.
#[test]
fn tools_without_an_answer_are_given_up_when_they_are_too_many() {
    let all = lines("orders.jsonl");
    let call = all.iter().find(|line| line.contains("\"id\":\"toolu_04\"")).unwrap();
    let answer = all.iter().find(|line| line.contains("\"tool_use_id\":\"toolu_04\"")).unwrap();
    let size = 8 << 20;
    let count = OPEN_BYTES / size + 4;
    let mut text = String::new();
    for i in 0..count {
        let one = call.replace("toolu_04", &format!("toolu_9{i}")).replace("msg_01D", &format!("msg_9{i}"));
        text += &one.replace("\"old_string\":\"prices[1:]\"", &format!("\"old_string\":\"{}\"", "y".repeat(size)));
        text.push('\n');
    }
    for i in 0..count {
        text += &answer.replace("toolu_04", &format!("toolu_9{i}"));
        text.push('\n');
    }
    let got = gather(text.as_bytes());
    assert_eq!(got.rejected, []);
    assert_eq!(got.names.iter().filter(|n| *n == "execute_tool Edit").count(), count);
    let logs = got.batch.logs.num_rows();
    assert!(logs >= 4 && logs < count, "{logs} answers came too late for their spans");
}

/// Texts that nobody answered are kept, however many there are, and take no more memory than they may.
#[test]
fn input_without_a_call_is_kept() {
    let prompt = lines("orders.jsonl").into_iter().find(|line| line.contains("isMeta\":true")).unwrap();
    let big = "z".repeat(8 << 20);
    let count = OPEN_BYTES / big.len() + 3;
    let text = (prompt.replace("Caveat", &big) + "\n").repeat(count);
    let got = gather(text.as_bytes());
    assert_eq!((got.rejected.len(), got.summary.logs), (0, 2));
    let bodies = got.batch.logs.column_by_name("body").unwrap();
    assert!(bodies.get_buffer_memory_size() > count * big.len());
}

#[test]
fn odd_values_stay_as_they_are() {
    let line = r#"{"type":"assistant","sessionId":"s","timestamp":"2026-03-02T13:00:01Z","uuid":"u","requestId":"r","big":123456789012345678901234567890,"half":"\ud800","deep":DEEP,"message":{"id":"m","model":"x","role":"assistant","content":"just text","usage":{"input_tokens":"many","output_tokens":-1,"cache_creation":{"ephemeral_1h_input_tokens":5}}}}"#;
    let got = gather(line.replace("DEEP", &("[".repeat(100) + &"]".repeat(100))).as_bytes());
    assert_eq!(got.rejected, []);
    let row = format!("{:?}", got.batch.spans.slice(0, 1).column_by_name("attributes").unwrap());
    let row = row.replace("\\\"", "\"").replace("\\\\", "\\");
    for kept in [
        r#""claude_code.big":"123456789012345678901234567890""#,
        r#""claude_code.half":"\"\\ud800\"""#,
        r#""claude_code.deep":"[[[["#,
        r#""gen_ai.usage.input_tokens":"many""#,
    ] {
        assert!(row.contains(kept), "{kept} in {row}");
    }
    let written = got.batch.spans.column_by_name("cache_write_tokens").unwrap();
    assert_eq!(arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(written).value(0), 5);
    let output = got.batch.spans.column_by_name("output").unwrap();
    let output = arrow::array::AsArray::as_string::<i32>(output).value(0);
    assert_eq!(output, r#"[{"role":"assistant","parts":[{"type":"text","content":"just text"}]}]"#);
    // Deeper than anything that can be read.
    let got = gather(line.replace("DEEP", &("[".repeat(1000) + &"]".repeat(1000))).as_bytes());
    assert_eq!(got.rejected.len(), 1);
    assert_eq!(got.names.len(), 0);
}

/// Records before the first session go to it; without any they are rejects that are nobody's fault.
#[test]
fn records_without_a_session() {
    let summary = r#"{"type":"summary","summary":"About totals","leafUuid":"l"}"#;
    let got = gather(summary.as_bytes());
    assert_eq!((got.summary.rejected, got.summary.uncorrelated), (0, 1));
    assert_eq!(got.rejected[0].bytes, summary.as_bytes());
    let got = gather(format!("{summary}\n{}", lines("sidechain.jsonl").join("\n")).as_bytes());
    assert_eq!((got.rejected.len(), got.summary.logs), (0, 1));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Bytes that flip, go missing or come twice: what is not understood is rejected, each line by itself.
    #[test]
    fn damage_is_never_a_panic(
        at in 0usize..15_000, length in 0usize..200, byte in proptest::prelude::any::<u8>(), repeat in 0usize..3,
    ) {
        let mut text = std::fs::read(testdata("orders.jsonl")).unwrap();
        let end = (at + length).min(text.len());
        let piece = text[at.min(end)..end].to_vec();
        text.splice(at.min(end)..end, std::iter::once(byte).chain(piece.repeat(repeat)));
        let got = gather(&text);
        let whole: usize = got.rejected.iter().map(|r| r.bytes.len()).sum();
        proptest::prop_assert!(whole <= text.len());
        proptest::prop_assert!(got.rejected.len() <= 3, "{:?}", got.rejected);
        proptest::prop_assert!(got.names.len() >= 10);
    }
}
