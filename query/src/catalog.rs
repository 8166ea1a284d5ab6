//! Attached files as schemas with tables: `main` is the file that was opened, an alias each further one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::TableType;
use spanfile::{Options, Snapshot, Store, Table};

use crate::error::{QueryError, Result};
use crate::provider::{FileView, PartReadings, StoredTable, store_error};

/// Tables that come from segments, and those about the file itself.
pub(crate) const TABLES: [&str; 9] =
    ["spans", "events", "links", "runs", "usage", "synthetic_calls", "scores", "segments", "meta"];

#[derive(Debug)]
struct AttachedFile {
    path: PathBuf,
    store: Store,
    readings: Arc<PartReadings>,
}

/// One or several files under one name.
#[derive(Debug)]
pub(crate) struct Database {
    files: Vec<AttachedFile>,
    /// What the statement that is being planned sees of the files.
    views: Mutex<Vec<FileView>>,
}

impl Database {
    pub(crate) fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let store = Store::open_read_only(path, Options::default()).map_err(|e| QueryError::store(path, e))?;
            files.push(AttachedFile { path: path.clone(), store, readings: Arc::default() });
        }
        let db = Database { files, views: Mutex::default() };
        db.refresh()?;
        Ok(db)
    }

    /// Takes new snapshots, so that the next statement sees what was committed since.
    pub(crate) fn refresh(&self) -> Result<()> {
        let mut views = Vec::with_capacity(self.files.len());
        for f in &self.files {
            let snapshot = f.store.snapshot().map_err(|e| QueryError::store(&f.path, e))?;
            views.push(FileView { path: f.path.clone(), snapshot, readings: Arc::clone(&f.readings) });
        }
        *self.views.lock().unwrap_or_else(PoisonError::into_inner) = views;
        Ok(())
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|f| f.path.as_path())
    }

    fn views(&self) -> Vec<FileView> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl SchemaProvider for Database {
    fn table_names(&self) -> Vec<String> {
        TABLES.iter().map(|t| (*t).to_owned()).collect()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let views = self.views();
        Ok(Some(match name {
            "segments" => in_memory(segments(&views)?)?,
            "meta" => in_memory(meta(&views)?)?,
            _ => match Table::ALL.into_iter().find(|t| t.name() == name) {
                Some(table) => Arc::new(StoredTable::new(table, views)),
                None => return Ok(None),
            },
        }))
    }

    async fn table_type(&self, name: &str) -> DfResult<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        TABLES.contains(&name)
    }
}

fn in_memory(rows: RecordBatch) -> DfResult<Arc<dyn TableProvider>> {
    Ok(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?))
}

fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn times(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<TimestampNanosecondArray>().with_timezone("UTC"))
}

/// One row per sealed segment.
fn segments(files: &[FileView]) -> DfResult<RecordBatch> {
    let mut rows = Vec::new();
    for f in files {
        for s in f.snapshot.segments().map_err(store_error)? {
            rows.push((f.path.display().to_string(), s));
        }
    }
    let ints = |of: fn(&spanfile::Segment) -> u64| -> ArrayRef {
        Arc::new(rows.iter().map(|(_, s)| int(of(s))).collect::<Int64Array>())
    };
    let bound = |of: fn((i64, i64, i64)) -> i64| times(rows.iter().map(|(_, s)| s.time_range().map(of)));
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("file", Arc::new(rows.iter().map(|(p, _)| Some(p)).collect::<StringArray>()) as ArrayRef, false),
        ("segment_id", ints(|s| u64::from(s.id())), false),
        ("sealed_at", times(rows.iter().map(|(_, s)| Some(s.sealed_at_unix_nano()))), false),
        ("bytes", ints(|s| s.bytes()), false),
        ("traces", ints(|s| s.traces()), false),
        ("spans", ints(|s| s.rows(Table::Spans)), false),
        ("live_spans", ints(|s| s.live_rows(Table::Spans)), false),
        ("events", ints(|s| s.rows(Table::Events)), false),
        ("links", ints(|s| s.rows(Table::Links)), false),
        ("min_start_time", bound(|t| t.0), true),
        ("max_start_time", bound(|t| t.1), true),
        ("max_end_time", bound(|t| t.2), true),
    ])?)
}

/// What the files say about themselves, one row per fact.
fn meta(files: &[FileView]) -> DfResult<RecordBatch> {
    let mut rows: Vec<(String, &str, String)> = Vec::new();
    for f in files {
        for (key, value) in facts(&f.snapshot)? {
            rows.push((f.path.display().to_string(), key, value));
        }
    }
    let text = |of: fn(&(String, &str, String)) -> String| -> ArrayRef {
        Arc::new(rows.iter().map(|r| Some(of(r))).collect::<StringArray>())
    };
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("file", text(|r| r.0.clone()), false),
        ("key", text(|r| r.1.to_owned()), false),
        ("value", text(|r| r.2.clone()), false),
    ])?)
}

fn facts(snapshot: &Snapshot) -> DfResult<Vec<(&'static str, String)>> {
    let info = snapshot.file_info();
    let tail = snapshot.tail().map_err(store_error)?;
    Ok(vec![
        ("format_version", info.format_version.to_string()),
        ("file_id", info.file_id.clone()),
        ("creator", info.creator.clone()),
        ("created_at_unix_nano", info.created_at_unix_nano.to_string()),
        ("snapshot", snapshot.version().to_string()),
        ("segments", snapshot.segments().map_err(store_error)?.len().to_string()),
        ("tail_spans", tail.rows(Table::Spans).to_string()),
    ])
}
