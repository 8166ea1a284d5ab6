use spanfile_query::FunctionInfo;

use super::*;

fn names() -> Names {
    let list = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let function = |name: &str, kind| FunctionInfo { name: name.into(), kind, syntax: format!("{name}(x, y)") };
    Names {
        databases: list("main old"),
        tables: list("spans runs llm_calls loops"),
        columns: [
            ("spans", "trace_id name kind duration_ns input input_tokens output_tokens"),
            ("runs", "trace_id outcome start_time"),
            ("llm_calls", "trace_id agent_name total_tokens"),
        ]
        .map(|(table, columns)| (table.to_owned(), list(columns)))
        .into(),
        functions: vec![
            function("count", FunctionKind::Aggregate),
            function("descendants", FunctionKind::Table),
            function("loops", FunctionKind::Table),
            function("coalesce", FunctionKind::Scalar),
        ],
        values: [("agent_name", list("planner o'brien")), ("kind", list("llm tool"))].into(),
        runs: list("ab12cd ab99ef 77aa00"),
    }
}

/// What a line becomes with each candidate; `|` is the cursor.
fn completed(line: &str) -> Vec<String> {
    let pos = line.find('|').unwrap();
    let text = line.replace('|', "");
    let (from, found) = complete(&text, pos, &names(), &FilenameCompleter::new());
    found.into_iter().map(|p| p.replacement).inspect(|_| assert!(from <= pos)).collect()
}

#[test]
fn tables_where_tables_stand() {
    assert_eq!(completed("select * from s|"), ["spans"]);
    assert_eq!(completed("select * from spans, r|"), ["runs"]);
    assert_eq!(completed("select * from spans join l|"), ["llm_calls", "loops"]);
    assert_eq!(completed("with mine as (select 1) select * from m|"), ["mine", "main."]);
    assert_eq!(completed("select * from desc|"), ["descendants("]);
    assert_eq!(completed("select 1; select * from ru|"), ["runs"]);
    assert_eq!(completed("select * from old.|"), ["spans", "runs", "llm_calls", "loops"]);
    assert_eq!(completed("describe sp|"), ["spans"]);
}

#[test]
fn columns_of_the_tables_in_scope() {
    assert_eq!(completed("select dur| from spans"), ["duration_ns"]);
    assert_eq!(completed("select out| from runs"), ["outcome", "outer "]);
    assert_eq!(completed("select s.in| from spans s"), ["input", "input_tokens"]);
    assert_eq!(
        completed("select s.in| from spans as s join runs r on s.trace_id = r.trace_id"),
        ["input", "input_tokens"]
    );
    assert_eq!(completed("select r.| from spans s, runs r"), ["trace_id", "outcome", "start_time"]);
    assert_eq!(completed("select * from (select * from runs) x where outc|"), ["outcome"]);
    assert_eq!(completed("select * from descendants('ab', 'cd') d join runs r on r.out|"), ["outcome"]);
    // Without a table, those of the usual ones; and a name may be begun in its middle.
    assert_eq!(completed("select duration|"), ["duration_ns"]);
    assert_eq!(completed("select * from spans where _tokens|"), ["input_tokens", "output_tokens"]);
    assert!(completed("select * from runs; select durati| from runs").is_empty());
}

#[test]
fn functions_and_keywords_as_they_are_typed() {
    assert_eq!(completed("select cou| from spans"), ["count("]);
    assert_eq!(completed("sel|"), ["select "]);
    assert_eq!(completed("SEL|"), ["SELECT "]);
    assert_eq!(completed("select 1 from runs wh|"), ["where ", "when "]);
    assert_eq!(completed("|")[0], "SELECT ");
}

#[test]
fn values_of_the_column_that_is_compared() {
    assert_eq!(completed("select * from llm_calls where agent_name = |"), ["'planner'", "'o''brien'"]);
    assert_eq!(completed("select * from llm_calls where agent_name = 'pl|"), ["planner'"]);
    assert_eq!(completed("select * from llm_calls where agent_name = 'pl|'"), ["planner"]);
    assert_eq!(completed("select * from spans s where s.kind in ('llm', 't|"), ["tool'"]);
    assert_eq!(completed("select * from spans where kind not like '|"), ["llm'", "tool'"]);
    assert_eq!(completed("select * from spans where trace_id = 'ab|"), ["ab12cd'", "ab99ef'"]);
    assert_eq!(completed("select * from trace('77|"), ["77aa00'"]);
    assert_eq!(completed("select * from children('0011', 'ab1|"), ["ab12cd'"]);
    assert!(completed("select 'pl|").is_empty());
}

#[test]
fn commands_and_their_arguments() {
    assert_eq!(completed(".tab|"), [".tables "]);
    assert_eq!(completed("\\d|"), ["\\dt ", "\\dv ", "\\d ", "\\df "]);
    assert_eq!(completed(".describe sp|"), ["spans "]);
    assert_eq!(completed(".describe old.sp|"), ["old.spans "]);
    assert_eq!(completed(".mode js|"), ["json ", "jsonl "]);
    assert_eq!(completed(".run sl|"), ["slowest "]);
    assert_eq!(completed(".run ab1|"), ["ab12cd "]);
    assert_eq!(completed(".run last --wat|"), ["--waterfall "]);
    assert_eq!(completed(".diff last 77|"), ["77aa00 "]);
    assert_eq!(completed(".cost ver|"), ["version "]);
    assert_eq!(completed(".cost --by ver|"), ["version "]);
    assert_eq!(completed(".runs --agent pl|"), ["planner "]);
    assert_eq!(completed(".close o|"), ["old "]);
    assert_eq!(completed(".explain select * from llm|"), ["llm_calls"]);
    assert!(completed(".quit x|").is_empty());
}

#[test]
fn calls_are_known_from_within() {
    let names = names();
    assert_eq!(call_at("select count(", &names), Some("count(x, y)"));
    assert_eq!(call_at("select coalesce(a, count(b), ", &names), Some("coalesce(x, y)"));
    assert_eq!(call_at("select count(b)", &names), None);
    assert_eq!(call_at("select (", &names), None);
}
