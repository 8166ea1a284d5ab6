//! What each view says of captures, and that it is the same as asking the spans.

use std::path::PathBuf;

use crate::data::{Fixture, Span, captured, captures, captures_named, error, file, rows, run_as, traces};
use spanfile_query::render::Format;
use spanfile_query::{Engine, EngineOptions};

fn all(dir: &tempfile::TempDir) -> Engine {
    let path = captured(dir.path(), "all.spans", &captures());
    Engine::open(path, EngineOptions::default()).unwrap()
}

/// The traces of some captures.
fn of(beginnings: &[&str]) -> (tempfile::TempDir, Engine) {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(dir.path(), "some.spans", &captures_named(beginnings));
    let engine = Engine::open(path, EngineOptions::default()).unwrap();
    (dir, engine)
}

/// Both statements give the same rows, and there are some.
fn same(engine: &Engine, one: &str, other: &str) {
    let rows_of = |sql: &str| {
        let mut lines: Vec<String> = rows(engine, sql).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let found = rows_of(one);
    assert!(!found.is_empty(), "{one}");
    assert_eq!(found, rows_of(other), "{one}");
}

#[test]
fn the_registry_of_agents_is_what_spans_say() {
    let dir = tempfile::tempdir().unwrap();
    let e = all(&dir);
    same(
        &e,
        "select agent_name, agent_version, runs, llm_calls, tool_calls, calls, errors, input_tokens, output_tokens, \
         total_tokens, reported_cost_usd, first_seen, last_seen from agents",
        "select agent, version, count(distinct trace_id), count_if(call and kind = 'llm'), \
         count_if(call and kind = 'tool'), count_if(call), count_if(call and failed), sum(input), sum(output), \
         sum(total), sum(cost), min(began), max(began) from ( \
             select trace_id, run_agent as agent, run_agent_version as version, kind, start_time as start, failed, \
                    is_duplicate_of is null and \
                    kind in ('llm', 'embedding', 'tool', 'retrieval', 'reranker', 'handoff') as call, \
                    coalesce(usage_counted, false) as used, coalesce(cost_counted, false) as costs, \
                    case when usage_counted then input_tokens end as input, \
                    case when usage_counted then output_tokens end as output, \
                    case when usage_counted then total_tokens end as total, \
                    case when cost_counted then reported_cost_usd end as cost \
             from spans \
             union all \
             select trace_id, agent_name, agent_version, 'tool', time, false, true, false, false, null, null, null, null \
             from synthetic_calls \
         ) join (select trace_id as id, min(start_time) as began from spans group by 1) on id = trace_id where agent is not null and (call or used or costs) group by agent, version",
    );
    same(
        &e,
        "select agent_name, agent_version, unnest(tools) from (select agent_name, agent_version, \
         json_get_array(tools) as tools from agents)",
        "select distinct agent_name, agent_version, '\"' || tool_name || '\"' from tool_calls \
         where agent_name is not null and tool_name is not null",
    );
}

#[test]
fn the_registry_of_tools_is_what_calls_say() {
    let dir = tempfile::tempdir().unwrap();
    let e = all(&dir);
    same(
        &e,
        "select tool_name, runs, calls, errors, duration_ns, first_seen, last_seen from tools",
        "select tool_name, count(distinct trace_id), count(*), count_if(failed), sum(duration_ns), min(began), \
         max(began) from tool_calls join (select trace_id as id, min(start_time) as began from spans group by 1) on id = trace_id where tool_name is not null group by tool_name",
    );
}

#[test]
fn the_registry_of_models_is_what_spans_say() {
    let dir = tempfile::tempdir().unwrap();
    let e = all(&dir);
    let call = "is_duplicate_of is null and kind in ('llm', 'embedding', 'tool', 'retrieval', 'reranker', 'handoff')";
    same(
        &e,
        "select provider, request_model, response_model, runs, calls, errors, duration_ns, input_tokens, \
         output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, total_tokens, reported_cost_usd, \
         first_seen, last_seen from models",
        &format!(
            "select provider, request_model, response_model, count(distinct trace_id), count_if({call}), \
             count_if({call} and failed), sum(duration_ns) filter (where {call}), \
             sum(input_tokens) filter (where usage_counted), sum(output_tokens) filter (where usage_counted), \
             sum(cache_read_tokens) filter (where usage_counted), \
             sum(cache_write_tokens) filter (where usage_counted), \
             sum(reasoning_tokens) filter (where usage_counted), sum(total_tokens) filter (where usage_counted), \
             sum(reported_cost_usd) filter (where cost_counted), min(began), max(began) from spans \
             join (select trace_id as id, min(start_time) as began from spans group by 1) on id = trace_id \
             where (request_model is not null or response_model is not null) \
             and ({call} or usage_counted or cost_counted) group by provider, request_model, response_model"
        ),
    );
}

#[test]
fn sessions_are_their_runs() {
    let dir = tempfile::tempdir().unwrap();
    let e = all(&dir);
    same(
        &e,
        "select session_id, runs, spans, start_time, end_time, duration_ns, completed_runs + failed_runs \
         + incomplete_runs from sessions",
        "select session, count(distinct trace_id), count(*), min(start_time), max(end_time), \
         epoch_ns(max(end_time)) - epoch_ns(min(start_time)), count(distinct trace_id) from spans \
         join (select trace_id as id, first_value(session_id order by parent_span_id is not null, seq) \
         filter (where session_id is not null) as session from spans group by 1) on id = trace_id \
         where session is not null group by session",
    );
}

#[test]
fn views_have_as_many_rows_as_runs_count() {
    let dir = tempfile::tempdir().unwrap();
    let e = all(&dir);
    for (column, view) in [
        ("llm_calls", "llm_calls"),
        ("tool_calls", "tool_calls"),
        ("handoffs", "handoffs"),
        ("errors", "errors"),
        ("steps", "steps"),
    ] {
        same(
            &e,
            &format!("select trace_id, {column} from runs where {column} > 0"),
            &format!("select trace_id, count(*) from {view} group by trace_id"),
        );
    }
    // Steps are numbered without a gap, and the first error is the run's.
    same(
        &e,
        "select trace_id, steps, steps, steps from runs where steps > 0",
        "select trace_id, count(*), count(distinct step), max(step) from steps group by trace_id",
    );
    same(
        &e,
        "select trace_id, error_span_id, error_type, error_message from runs where errors > 0",
        "select trace_id, span_id, error_type, error_message from errors \
         qualify row_number() over (partition by trace_id order by start_time, span_id) = 1",
    );
}

#[test]
fn captures_as_views_show_them() {
    let (_dir, e) = of(&["langgraph-openinference.", "openai_agents-openinference.handoff"]);
    assert_eq!(
        rows(
            &e,
            "select session_id, users, runs, completed_runs, failed_runs, steps, llm_calls, tool_calls, retrievals, \
             total_tokens, errors from sessions"
        ),
        "sess-77,\"[\"\"u-18\"\"]\",3,3,0,22,12,9,1,3882,0\n"
    );
    assert_eq!(
        rows(
            &e,
            "select agent_name, agent_version, models, tools, runs, llm_calls, tool_calls, calls, errors, \
             total_tokens from agents where agent_name <> 'order_agent' order by agent_name"
        ),
        "orders,0.3.1,\"[\"\"gpt-4o-mini-2024-07-18\"\"]\",,1,3,0,6,0,579\n\
         triage,0.3.1,\"[\"\"gpt-4o-mini-2024-07-18\"\"]\",,1,4,0,7,0,783\n"
    );
    assert_eq!(
        rows(&e, "select span_id, handoff_from, handoff_to, step, status, failed from handoffs order by step limit 3"),
        "5b430bd7a763ba3e,triage,orders,2,ok,false\n1439330b224ee02e,orders,triage,4,ok,false\n\
         782c99835f6853fa,triage,orders,6,ok,false\n"
    );
    assert_eq!(
        rows(
            &e,
            "select step, kind, agent_name, called, total_tokens, synthetic from steps \
             where trace_id = 'da3eadbf7301e4d6763a824028558db1' and step < 5 order by step"
        ),
        "1,llm,triage,gpt-4o-mini-2024-07-18,84,false\n2,handoff,triage,orders,,false\n\
         3,llm,orders,gpt-4o-mini-2024-07-18,120,false\n4,handoff,orders,triage,,false\n"
    );
    assert_eq!(
        rows(
            &e,
            "select step, request_model, input_tokens, output_tokens, finish_reasons, usage_counted, failed \
             from llm_calls where trace_id = '168655a22e36aabb5fe5b90648e2ff6a'"
        ),
        "2,gpt-4o-mini,52,35,\"[\"\"stop\"\"]\",true,false\n"
    );
    assert_eq!(
        rows(
            &e,
            "select step, kind, called from steps where trace_id = '168655a22e36aabb5fe5b90648e2ff6a' and step = 1"
        ),
        "1,retrieval,VectorStoreRetriever\n"
    );
}

#[test]
fn tools_and_models_of_captures() {
    let (_dir, e) = of(&["crewai-openinference.normal"]);
    assert_eq!(
        rows(
            &e,
            "select step, agent_name, tool_name, tool_args, status, synthetic from tool_calls order by step limit 2"
        ),
        "2,order agent,lookup_order,\"{\"\"order_id\"\": \"\"A-1042\"\"}\",ok,false\n\
         4,order agent,check_stock,\"{\"\"sku\"\": \"\"SKU-7\"\"}\",ok,false\n"
    );
    assert_eq!(
        rows(&e, "select request_model, response_model, kinds, agents, calls, input_tokens, total_tokens from models"),
        "gpt-4o-mini,gpt-4o-mini-2024-07-18,\"[\"\"llm\"\"]\",\"[\"\"order agent\"\"]\",4,947,1092\n"
    );
    let (_dir, e) = of(&["langfuse-openai.toolerror"]);
    assert_eq!(
        rows(&e, "select tool_name, agents, runs, calls, errors from tools order by tool_name"),
        "get_quote,\"[\"\"run\"\"]\",1,3,2\n"
    );
    assert_eq!(
        rows(&e, "select step, agent_name, kind, name, called, error_type, error_message from errors order by step"),
        "2,run,tool,get_quote,get_quote,,quote service timed out for SKU-7\n\
         4,run,tool,get_quote,get_quote,,quote service timed out for SKU-7\n"
    );
    // Tool calls that only the models' outputs tell of.
    let (_dir, e) = of(&["litellm-native.normal"]);
    assert_eq!(
        rows(&e, "select tool_name, span_id, synthetic, status, failed, end_time from tool_calls order by start_time"),
        "lookup_order,d9ec84fea5c417c8,true,,,\ncheck_stock,fdb879245ee11a4e,true,,,\n\
         get_weather,9ba4c731a4460d00,true,,,\n"
    );
}

#[test]
fn columns_and_tables_are_described() {
    let f = Fixture::new();
    let e = f.engine();
    assert_eq!(rows(&e, "select * from columns where comment = '' or origin = ''"), "");
    assert_eq!(rows(&e, "select * from tables where comment = ''"), "");
    same(
        &e,
        "select table_name, column_name, position, nullable from columns",
        "select table_name, column_name, ordinal_position + 1, is_nullable = 'YES' from information_schema.columns \
         where table_schema = 'main'",
    );
    same(
        &e,
        "select table_name, replace(upper(table_type), 'TABLE', 'BASE TABLE') from tables",
        "select table_name, table_type from information_schema.tables where table_schema = 'main'",
    );
    assert_eq!(
        rows(
            &e,
            "select data_type, nullable, unit, origin, comment from columns where column_name = 'duration_ns' \
                  and table_name in ('spans', 'sessions') order by table_name"
        ),
        "bigint,true,ns,view,\"end_time minus start_time, pauses between runs included.\"\n\
         bigint,true,ns,computed,end_time minus start_time.\n"
    );
    // Types are as CAST takes them.
    for t in rows(&e, "select distinct data_type from columns").lines() {
        assert_eq!(rows(&e, &format!("select cast(null as {}) is null", t.trim_matches('"'))), "true\n");
    }
    assert_eq!(rows(&e, "describe agents").lines().count(), 16);
    let wrong = error(&e, "select * from agent");
    assert!(wrong.contains("did you mean agents"), "{wrong}");
    assert!(
        error(&e, "select tool_nme from tool_calls").contains("did you mean tool_name"),
        "columns of views are known"
    );
}

#[test]
fn conditions_and_columns_go_through_views() {
    let f = Fixture::new();
    let e = f.engine();
    let plan = |sql: &str| rows(&e, &format!("explain {sql}"));
    let trace = Span::trace_hex(25);
    for view in ["llm_calls", "tool_calls", "steps", "errors", "handoffs"] {
        let p = plan(&format!("select * from {view} where trace_id = '{trace}'"));
        assert!(p.contains("rows=8, segments=1, tail_rows=0") && !p.contains("file_groups"), "{view}: {p}");
    }
    let p = plan("select agent_name, sum(total_tokens) from agents group by 1");
    assert!(p.contains("/usage]") && !p.contains("/spans]"), "{p}");
    assert!(p.contains("projection=[agent_name, agent_version, total_tokens]"), "{p}");
    let p = plan("select tool_name, agents from tools where tool_name = 'x'");
    assert!(p.contains("projection=[agent_name, kind, tool_name]") && p.contains("tool_name_min"), "{p}");
    let p = plan("select session_id, runs from sessions where session_id = 's'");
    assert!(p.contains("/runs]") && p.contains("session_id_min"), "{p}");
}

#[test]
fn views_see_what_the_statement_sees() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "a.spans", &[traces(0..2, 8)], false);
    let e = Engine::open(&path, EngineOptions::default()).unwrap();
    let calls = || -> (u32, u32) {
        let line = rows(&e, "select count(*), count(distinct trace_id) from llm_calls");
        let (calls, traces) = line.trim().split_once(',').unwrap();
        (calls.parse().unwrap(), traces.parse().unwrap())
    };
    let (before, 2) = calls() else { panic!("two traces") };
    assert!(before > 0);
    let store = spanfile::Store::open(&path, spanfile::Options::default()).unwrap();
    let mut writer = store.writer().unwrap();
    writer.append(crate::data::batch(&traces(2..3, 8))).unwrap();
    writer.commit().unwrap();
    assert_eq!(calls(), (before / 2 * 3, 3));
    same(&e, "select count(*) from steps s join runs r on r.trace_id = s.trace_id", "select sum(steps) from runs");
}

#[test]
fn views_of_aliases_and_of_several_files() {
    let dir = tempfile::tempdir().unwrap();
    let make = |name: &str, of: &[&str]| captured(dir.path(), name, &captures_named(of));
    let a = make("a1.spans", &["langgraph-openinference.loop"]);
    make("a2.spans", &["openai_agents-openinference.handoff"]);
    let old = make("b.spans", &["crewai-openinference.normal"]);
    let both: Vec<PathBuf> = spanfile_query::expand(&dir.path().join("a*.spans").display().to_string()).unwrap();
    let e = Engine::open_all(&both, EngineOptions::default()).unwrap();
    e.attach(&[old], "old").unwrap();
    e.attach(&[a], "one").unwrap();
    assert_eq!(rows(&e, "select agent_name from agents order by 1"), "order_agent\norders\ntriage\n");
    assert_eq!(rows(&e, "select agent_name from one.agents"), "order_agent\n");
    assert_eq!(rows(&e, "select agent_name from old.agents"), "order agent\n");
    assert_eq!(
        rows(&e, "select m.agent_name from agents m join one.agents o on m.agent_name = o.agent_name"),
        "order_agent\n"
    );
    assert_eq!(
        rows(
            &e,
            "select table_schema, count(*) from information_schema.tables where table_type = 'VIEW' \
                  and table_schema <> 'information_schema' group by 1 order by 1"
        ),
        "main,40\nold,40\none,40\n"
    );
    assert_eq!(rows(&e, "select count(*) from old.columns where table_name = 'errors'"), "13\n");
    let path = dir.path().join("b.spans");
    for taken in ["agents", "spans", "columns"] {
        assert!(e.attach(std::slice::from_ref(&path), taken).is_err(), "{taken} is a table");
    }
}

#[test]
fn a_trace_in_two_files_is_there_twice() {
    let dir = tempfile::tempdir().unwrap();
    let path = captured(dir.path(), "a.spans", &captures());
    let copy = dir.path().join("b.spans");
    std::fs::copy(&path, &copy).unwrap();
    let e = Engine::open_all(&[path, copy], EngineOptions::default()).unwrap();
    for view in ["llm_calls", "tool_calls", "handoffs", "errors", "steps"] {
        same(&e, &format!("select count(*) from {view}"), &format!("select sum({view}) from runs"));
    }
}

#[test]
fn names_are_json() {
    let f = Fixture::new();
    let e = f.engine();
    let of = |values: &str| rows(&e, &format!("select json_names(x) from (values {values}) as t(x)"));
    assert_eq!(of("('b'), ('a'), (null), ('b')"), "\"[\"\"a\"\",\"\"b\"\"]\"\n");
    assert_eq!(of("('q\"\\'), ('ü')"), "\"[\"\"q\\\"\"\\\\\"\",\"\"ü\"\"]\"\n");
    assert_eq!(of("(null), (null)"), "\n");
    assert_eq!(rows(&e, "select json_names(name) from spans where false"), "\n");
    assert_eq!(
        rows(
            &e,
            "select kind, json_names(name) filter (where status = 'ok') from spans where kind <> 'workflow' \
                  group by kind order by kind"
        ),
        "llm,\"[\"\"step 0\"\",\"\"step 1\"\",\"\"step 2\"\"]\"\ntool,\"[\"\"step 0\"\",\"\"step 2\"\"]\"\n"
    );
    let many = "select count(*), max(n) from (select trace_id, json_names(span_id) as names, count(*) as n from spans \
                group by trace_id) where json_length(names) = n";
    assert_eq!(rows(&e, many), "42,10\n");
}

#[test]
fn the_questions_of_the_readme_have_those_answers() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    // What `spanfile demo` writes.
    let (_dir, e) = of(&[
        "crewai-openinference.normal",
        "langfuse-openai.toolerror",
        "langgraph-openinference.loop",
        "langgraph-openinference.rag",
        "openai-otelv2.normal",
        "openai_agents-openinference.handoff",
    ]);
    let mut asked = 0;
    for block in readme.split("```sql\n").skip(1) {
        let (sql, rest) = block.split_once("\n```\n```\n").unwrap();
        let (answer, _) = rest.split_once("```").unwrap();
        assert_eq!(run_as(&e, sql.trim_end_matches(';'), &Format::Table).unwrap(), answer, "{sql}");
        asked += 1;
    }
    assert!(asked >= 5);
}
