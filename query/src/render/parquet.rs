//! Results as Parquet files.

use std::fs::File;
use std::path::Path;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use futures::TryStreamExt;

use super::partial::PartialFile;
use crate::diagnose::execution;
use crate::error::{QueryError, Result};

struct Output {
    writer: ArrowWriter<File>,
    file: PartialFile,
}

impl Output {
    fn create(schema: SchemaRef, path: &Path) -> Result<Self> {
        let (file, out) = PartialFile::create(path)?;
        let zstd = ZstdLevel::try_new(3).map_err(|e| failed(path, e))?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(zstd)).build();
        let writer = ArrowWriter::try_new(out, schema, Some(properties)).map_err(|e| failed(path, e))?;
        Ok(Output { writer, file })
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.writer.write(rows).map_err(|e| failed(self.file.path(), e))
    }

    fn finish(self) -> Result<()> {
        self.writer.close().map_err(|e| failed(self.file.path(), e))?;
        self.file.finish()
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
