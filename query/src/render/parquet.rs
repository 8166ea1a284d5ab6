//! Results as Parquet files.

use std::fs::File;
use std::path::{Path, PathBuf};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use futures::TryStreamExt;

use crate::diagnose::execution;
use crate::error::{QueryError, Result};

/// A file beside its final name. Unless it gets that name it is removed: a query that fails or is stopped
/// leaves nothing behind.
struct Partial {
    partial: PathBuf,
    path: PathBuf,
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already after a rename; and an error here could not be told to anyone.
        let _ = std::fs::remove_file(&self.partial);
    }
}

struct Output {
    writer: ArrowWriter<File>,
    file: Partial,
}

impl Output {
    fn create(schema: SchemaRef, path: &Path) -> Result<Self> {
        // A link keeps its name: what it points to is written.
        let path = &path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if path.exists() && !path.is_file() {
            let reason = std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a regular file");
            return Err(QueryError::io(path, reason));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let partial = path.with_file_name(name);
        let out = File::create(&partial).map_err(|e| QueryError::io(path, e))?;
        let file = Partial { partial, path: path.to_path_buf() };
        let zstd = ZstdLevel::try_new(3).map_err(|e| failed(path, e))?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(zstd)).build();
        let writer = ArrowWriter::try_new(out, schema, Some(properties)).map_err(|e| failed(path, e))?;
        Ok(Output { writer, file })
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.writer.write(rows).map_err(|e| failed(&self.file.path, e))
    }

    fn finish(self) -> Result<()> {
        let path = &self.file.path;
        self.writer.close().map_err(|e| failed(path, e))?;
        std::fs::rename(&self.file.partial, path).map_err(|e| QueryError::io(path, e))
    }
}

fn failed(path: &Path, e: ParquetError) -> QueryError {
    match e {
        ParquetError::External(e) if e.is::<std::io::Error>() => match e.downcast::<std::io::Error>() {
            Ok(e) => QueryError::io(path, *e),
            Err(e) => execution(datafusion::error::DataFusionError::External(e)),
        },
        e => execution(e.into()),
    }
}

pub(super) async fn write(mut rows: SendableRecordBatchStream, path: &Path) -> Result<u64> {
    let mut out = Output::create(rows.schema(), path)?;
    let mut count = 0;
    while let Some(batch) = rows.try_next().await.map_err(execution)? {
        count += batch.num_rows() as u64;
        out.write(&batch)?;
    }
    out.finish().map(|()| count)
}

pub(super) fn write_batches(schema: &SchemaRef, batches: &[RecordBatch], path: &Path) -> Result<()> {
    let mut out = Output::create(schema.clone(), path)?;
    batches.iter().try_for_each(|b| out.write(b))?;
    out.finish()
}
