//! Files to query: traces of a known shape, sealed in several segments, with late spans and a tail.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray, new_null_array,
};
use spanfile::batch::SpanBatch;
use spanfile::ingest::{BoxError, Reject, ingest};
use spanfile::schema::{self, Class, Column};
use spanfile::{Importer, Options, Rejects, Store};
use spanfile_query::render::{Format, RenderOptions, render};
use spanfile_query::{Engine, EngineOptions, Result};

/// 2026-01-01T00:00:00Z
pub(crate) const T0: i64 = 1_767_225_600_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;

/// One span of the test data; everything else follows from these numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) trace: u32,
    pub(crate) index: u32,
}

impl Span {
    pub(crate) fn trace_hex(trace: u32) -> String {
        format!("{:08x}{}", trace.wrapping_mul(0x9e37_79b9), "0123456789abcdef01234567")
    }

    pub(crate) fn span_hex(self) -> String {
        format!("{:08x}{:08x}", self.trace, self.index)
    }

    fn start(self) -> i64 {
        T0 + i64::from(self.trace) * 60 * SECOND + i64::from(self.index) * SECOND
    }

    fn text(self, column: &str) -> Option<String> {
        Some(match (column, self.index) {
            ("name", 0) => "run".into(),
            ("name", i) => format!("step {}", i % 3),
            ("kind", i) => ["workflow", "llm", "tool", "llm"][i as usize % 4].into(),
            ("status", i) => if i == 3 { "error" } else { "ok" }.into(),
            ("service_name", _) => ["alpha", "beta"][self.trace as usize % 2].into(),
            ("input", i) if i % 4 == 1 => format!("question {} of trace {}; \"quoted\"", i, self.trace),
            ("attributes", i) => format!(
                r#"{{"app.tier":"{}","usage":{{"input":{i},"parts":[1,2]}},"flag":true}}"#,
                ["free", "pro"][self.trace as usize % 2]
            ),
            _ => return None,
        })
    }

    fn int(self, column: &str) -> Option<i64> {
        match column {
            "duration_ns" => Some(i64::from(self.index + 1) * 1_500_000),
            "input_tokens" if self.index % 2 == 1 => Some(i64::from(self.index) * 10),
            _ => None,
        }
    }
}

/// Spans `0..n` of each trace.
pub(crate) fn traces(traces: std::ops::Range<u32>, n: u32) -> Vec<Span> {
    traces.flat_map(|trace| (0..n).map(move |index| Span { trace, index })).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn column(c: &Column, spans: &[Span]) -> ArrayRef {
    let ids = |of: &dyn Fn(&Span) -> Option<Vec<u8>>, width| -> ArrayRef {
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(spans.iter().map(of), width).unwrap())
    };
    match (c.name, c.class) {
        ("trace_id", _) => ids(&|s| Some(bytes(&Span::trace_hex(s.trace))), 16),
        ("span_id", _) => ids(&|s| Some(bytes(&s.span_hex())), 8),
        ("parent_span_id", _) => {
            let parent = |s: &Span| (s.index > 0).then(|| Span { index: (s.index - 1) / 2, ..*s });
            ids(&|s| parent(s).map(|p| bytes(&p.span_hex())), 8)
        }
        (name, Class::Time) => {
            let at = |s: &Span| s.start() + if name == "end_time" { s.int("duration_ns").unwrap() } else { 0 };
            Arc::new(TimestampNanosecondArray::from_iter_values(spans.iter().map(at)).with_timezone("UTC"))
        }
        (name, Class::Int) => Arc::new(spans.iter().map(|s| s.int(name)).collect::<Int64Array>()),
        (name, Class::Label | Class::Key | Class::Text | Class::Json) => {
            Arc::new(spans.iter().map(|s| s.text(name)).collect::<StringArray>())
        }
        (_, class) => new_null_array(&class.data_type(), spans.len()),
    }
}

pub(crate) fn batch(spans: &[Span]) -> SpanBatch {
    let pipeline = schema::pipeline();
    let columns = pipeline.fields().iter().map(|f| match schema::find(schema::SPANS, f.name()) {
        Some((_, c)) => column(c, spans),
        None => new_null_array(f.data_type(), spans.len()),
    });
    let columns = columns.collect();
    SpanBatch {
        spans: RecordBatch::try_new(pipeline, columns).unwrap(),
        logs: RecordBatch::new_empty(schema::events()),
    }
}

/// A file with these batches: each is sealed into a segment of its own, but for the last when `tail`.
pub(crate) fn file(dir: &Path, name: &str, batches: &[Vec<Span>], tail: bool) -> PathBuf {
    let path = dir.join(name);
    let store = Store::create(&path, Options::default()).unwrap();
    let mut writer = store.writer().unwrap();
    for (i, spans) in batches.iter().enumerate() {
        writer.append(batch(spans)).unwrap();
        if tail && i + 1 == batches.len() {
            writer.commit().unwrap();
        } else {
            writer.seal_all().unwrap();
        }
    }
    path
}

/// Bundled captures, one format of each.
pub(crate) fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    let mut out: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    out.retain(|p| p.to_string_lossy().contains(".jsonl"));
    out.sort();
    assert!(out.len() > 10);
    out
}

/// Bundled captures whose names begin so.
pub(crate) fn captures_named(beginnings: &[&str]) -> Vec<PathBuf> {
    let named = |p: &PathBuf| {
        let name = p.file_name().unwrap().to_string_lossy().into_owned();
        beginnings.iter().any(|b| name.starts_with(b))
    };
    captures().into_iter().filter(named).collect()
}

struct NoRejects;

impl Rejects for NoRejects {
    fn reject(&mut self, reject: &Reject<'_>) -> std::result::Result<(), BoxError> {
        Err(format!("{}: {}: {}", reject.source, reject.position, reject.reason).into())
    }

    fn more(&mut self, _: &[u8]) -> std::result::Result<(), BoxError> {
        Ok(())
    }
}

/// A file with these captures, sealed.
pub(crate) fn captured(dir: &Path, name: &str, captures: &[PathBuf]) -> PathBuf {
    let path = dir.join(name);
    let store = Store::create(&path, Options::default()).unwrap();
    let mut importer = Importer::new(store.writer().unwrap(), NoRejects);
    for c in captures {
        ingest(&c.display().to_string(), std::fs::File::open(c).unwrap(), &mut importer).unwrap();
    }
    importer.finish().unwrap();
    path
}

/// 40 traces of 8 spans in two segments, late spans of one of them in a third, 2 traces in the tail:
/// 330 spans in all.
pub(crate) struct Fixture {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let late = vec![Span { trace: 3, index: 8 }, Span { trace: 3, index: 9 }];
        let batches = [traces(0..20, 8), traces(20..40, 8), late, traces(40..42, 4)];
        let path = file(dir.path(), "a.spans", &batches, true);
        Fixture { dir, path }
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::open(&self.path, EngineOptions { threads: Some(2), ..EngineOptions::default() }).unwrap()
    }
}

pub(crate) const SPANS: usize = 330;

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Rows of a query, as text in a format.
pub(crate) fn run_as(engine: &Engine, sql: &str, format: &Format) -> Result<String> {
    runtime().block_on(async {
        let query = engine.sql(sql).await?;
        let mut out = Vec::new();
        render(query.stream()?, format, &RenderOptions::default(), &mut out).await?;
        Ok(String::from_utf8(out).unwrap())
    })
}

/// Rows of a query as CSV without a header.
pub(crate) fn rows(engine: &Engine, sql: &str) -> String {
    let csv = run_as(engine, sql, &Format::Csv).unwrap_or_else(|e| panic!("{sql}: {e}"));
    csv.split_once('\n').unwrap().1.to_owned()
}

/// The error of a statement that must not work.
pub(crate) fn error(engine: &Engine, sql: &str) -> String {
    match run_as(engine, sql, &Format::Csv) {
        Ok(rows) => panic!("{sql} gave {rows}"),
        Err(e) => e.to_string(),
    }
}
