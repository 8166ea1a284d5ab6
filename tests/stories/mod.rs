//! The story of every capture, from the file that it was ingested into: the run, then step by step who did what.
//!
//! Golden files, one per framework. The captures lie beside the repository, in `../shared`; of those that are not there
//! and not in `testdata` either nothing is checked. Run with `SPANFILE_BLESS=1` to write the golden files anew, and read
//! the difference before committing it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use spanfile::ingest::ingest;
use spanfile::{Importer, Options, ScanRequest, Store, Table};

use crate::store::captures::NoRejects;

mod counted;
mod order;

/// Longest value that is written out.
const SHOWN_CHARS: usize = 90;

/// Rows of one table, with the columns by name.
pub(crate) struct Rows(Vec<RecordBatch>);

impl Rows {
    pub(crate) fn of(store: &Store, table: Table) -> Self {
        Rows(store.snapshot().unwrap().scan(&ScanRequest::new(table)).unwrap().map(Result::unwrap).collect())
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = Row<'_>> {
        self.0.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| Row { batch, row }))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Row<'b> {
    batch: &'b RecordBatch,
    row: usize,
}

impl<'b> Row<'b> {
    /// The value as text; `None` when it is NULL.
    pub(crate) fn text(&self, column: &str) -> Option<String> {
        let array = self.batch.column_by_name(column).unwrap_or_else(|| panic!("no column {column}"));
        let options = FormatOptions::default();
        array
            .is_valid(self.row)
            .then(|| ArrayFormatter::try_new(array, &options).unwrap().value(self.row).to_string().replace('\n', "\\n"))
    }

    pub(crate) fn int(&self, column: &str) -> Option<i64> {
        let array = self.batch.column_by_name(column).unwrap().as_primitive::<Int64Type>();
        array.is_valid(self.row).then(|| array.value(self.row))
    }

    pub(crate) fn flag(&self, column: &str) -> Option<bool> {
        let array = self.batch.column_by_name(column).unwrap().as_boolean();
        array.is_valid(self.row).then(|| array.value(self.row))
    }

    pub(crate) fn start(&self) -> i64 {
        self.time("start_time").unwrap()
    }

    pub(crate) fn time(&self, column: &str) -> Option<i64> {
        let array = self.batch.column_by_name(column).unwrap().as_primitive::<TimestampNanosecondType>();
        array.is_valid(self.row).then(|| array.value(self.row))
    }
}

fn shown(value: Option<String>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let count = value.chars().count();
    if count <= SHOWN_CHARS {
        return value;
    }
    let begin: String = value.chars().take(SHOWN_CHARS).collect();
    format!("{begin}... ({count})")
}

/// Traces in order of their first start: trace ids are random.
fn order(store: &Store) -> BTreeMap<String, usize> {
    let runs = Rows::of(store, Table::Runs);
    let mut all: Vec<(i64, String)> = runs.each().map(|r| (r.start(), r.text("trace_id").unwrap())).collect();
    all.sort();
    all.into_iter().enumerate().map(|(i, (_, id))| (id, i + 1)).collect()
}

/// What happened, as text.
pub(crate) fn story(store: &Store) -> String {
    let order = order(store);
    let mut lines: BTreeMap<(usize, i64, usize), String> = BTreeMap::new();
    let mut add = |row: &Row<'_>, step: i64, line: String| {
        let trace = order[&row.text("trace_id").unwrap()];
        let n = lines.len();
        lines.insert((trace, step, n), line);
    };
    for run in Rows::of(store, Table::Runs).each() {
        let mut line = format!(
            "run {}: {}, {} spans, {} steps",
            run.text("root_name").unwrap_or_else(|| "without a root".to_owned()),
            run.text("outcome").unwrap(),
            run.int("spans").unwrap(),
            run.int("steps").unwrap()
        );
        for (column, word) in [
            ("llm_calls", "llm calls"),
            ("embedding_calls", "embeddings"),
            ("tool_calls", "tool calls"),
            ("retrievals", "retrievals"),
            ("handoffs", "handoffs"),
            ("errors", "errors"),
            ("retries", "retries"),
            ("orphans", "orphans"),
            ("cycles", "cycles"),
        ] {
            if let Some(n) = run.int(column).filter(|n| *n > 0) {
                write!(line, ", {n} {word}").unwrap();
            }
        }
        for column in ["input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens", "reported_cost_usd"] {
            if let Some(value) = run.text(column) {
                write!(line, "; {column} {value}").unwrap();
            }
        }
        for column in ["workflow_name", "session_id", "user_id", "agents", "models", "tools", "error_type"] {
            if let Some(value) = run.text(column) {
                write!(line, "\n    {column} {value}").unwrap();
            }
        }
        add(&run, 0, line);
    }
    for span in Rows::of(store, Table::Spans).each() {
        let Some(step) = span.int("step") else { continue };
        let kind = span.text("kind").unwrap();
        let mut line = format!("  {step} {kind}");
        if let Some(agent) = span.text("run_agent") {
            write!(line, " by {agent}").unwrap();
        }
        match kind.as_str() {
            "llm" | "embedding" => {
                let model = span.text("response_model").or(span.text("request_model"));
                let tokens = |c| span.int(c).map_or("-".to_owned(), |n| n.to_string());
                let (input, output) = (tokens("input_tokens"), tokens("output_tokens"));
                write!(line, ": {} {input}+{output}", model.unwrap_or("-".to_owned())).unwrap();
                if span.flag("usage_counted") == Some(false) {
                    line += " (not counted)";
                }
            }
            "handoff" => {
                let (from, to) = (span.text("handoff_source"), span.text("handoff_target"));
                write!(line, ": {} to {}", shown(from), shown(to)).unwrap();
            }
            "tool" => {
                let (tool, args) = (span.text("tool_name"), span.text("tool_args"));
                write!(line, ": {} {} -> {}", shown(tool), shown(args), shown(span.text("tool_result"))).unwrap();
            }
            _ => write!(line, ": {}", span.text("name").unwrap_or_default()).unwrap(),
        }
        if span.text("status").as_deref() == Some("error") {
            write!(line, " FAILED {}", shown(span.text("error_type"))).unwrap();
        }
        add(&span, step, line);
    }
    for call in Rows::of(store, Table::SyntheticCalls).each() {
        let step = call.int("step").unwrap();
        let line = format!(
            "  {step} tool asked for{}: {} {} -> {}",
            call.text("agent_name").map(|a| format!(" by {a}")).unwrap_or_default(),
            shown(call.text("tool_name")),
            shown(call.text("tool_args")),
            shown(call.text("tool_result"))
        );
        add(&call, step, line);
    }
    let mut out = String::new();
    lines.values().for_each(|l| writeln!(out, "{l}").unwrap());
    out
}

/// Captures of one framework by scenario: files that belong together, such as spans and their log records.
pub(crate) fn captures() -> BTreeMap<String, BTreeMap<String, Vec<PathBuf>>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out: BTreeMap<String, BTreeMap<String, Vec<PathBuf>>> = BTreeMap::new();
    let mut add = |framework: &str, file: &str, path: PathBuf| {
        let Some((scenario, format)) = file.split_once('.') else { return };
        if format.contains("jsonl") {
            out.entry(framework.to_owned()).or_default().entry(scenario.to_owned()).or_default().push(path);
        }
    };
    let full = root.join("../shared/data/captures");
    let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect::<Vec<_>>();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    if full.is_dir() {
        for folder in entries(&full).into_iter().filter(|p| p.is_dir()) {
            entries(&folder).into_iter().for_each(|file| add(&name(&folder), &name(&file), file));
        }
    } else {
        println!("the full set of captures is not here: testdata only");
        for file in entries(&root.join("testdata")).into_iter().filter(|p| p.is_file()) {
            if let Some((framework, rest)) = name(&file).split_once('.') {
                add(framework, rest, file.clone());
            }
        }
    }
    out
}

/// A file with these inputs, sealed.
pub(crate) fn file_with(folder: &Path, inputs: &[PathBuf]) -> Store {
    let store = Store::create(folder.join("a.spans"), Options::default()).unwrap();
    let mut importer = Importer::new(store.writer().unwrap(), NoRejects);
    for path in inputs {
        ingest(&path.display().to_string(), std::fs::File::open(path).unwrap(), &mut importer).unwrap();
    }
    importer.finish().unwrap();
    store
}

#[test]
fn every_capture_tells_its_story() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden/stories");
    let bless = std::env::var_os("SPANFILE_BLESS").is_some();
    for (framework, scenarios) in captures() {
        let path = folder.join(format!("{framework}.txt"));
        let mut got: BTreeMap<String, String> = BTreeMap::new();
        for (scenario, mut inputs) in scenarios {
            inputs.sort();
            let dir = tempfile::tempdir().unwrap();
            got.insert(scenario, story(&file_with(dir.path(), &inputs)));
        }
        if bless {
            let text: String = got.iter().map(|(scenario, story)| format!("# {scenario}\n{story}")).collect();
            std::fs::write(&path, text).unwrap();
        }
        let text = format!("\n{}", std::fs::read_to_string(&path).unwrap_or_default());
        let mut want: BTreeMap<&str, String> = BTreeMap::new();
        for section in text.split("\n# ").skip(1) {
            let (scenario, story) = section.split_once('\n').unwrap();
            want.insert(scenario, story.to_owned());
        }
        for (scenario, got) in &got {
            let want = want.get(scenario.as_str()).unwrap_or_else(|| panic!("{framework}: no story of {scenario}"));
            for (n, (got, want)) in got.lines().zip(want.lines()).enumerate() {
                assert_eq!(got, want, "{framework}, {scenario}, line {}", n + 1);
            }
            assert_eq!(got.lines().count(), want.lines().count(), "{framework}, {scenario}");
        }
    }
}
