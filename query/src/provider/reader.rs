//! Parquet bytes and metadata of a segment's part, as DataFusion wants to read them.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::{Result, internal_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory};
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::{ParquetError, Result as ParquetResult};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use spanfile::Part;

fn external(e: spanfile::Error) -> ParquetError {
    ParquetError::External(Box::new(e))
}

/// Opens the [`Part`] that travels with a [`PartitionedFile`].
#[derive(Debug)]
pub(crate) struct PartReaderFactory;

impl ParquetFileReaderFactory for PartReaderFactory {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let Some(part) = file.extension::<Part>() else {
            return internal_err!("{} has no part", file.path());
        };
        let metrics = ParquetFileMetrics::new(partition, file.path().as_ref(), metrics);
        Ok(Box::new(PartReader { part: part.clone(), metrics }))
    }
}

struct PartReader {
    part: Part,
    metrics: ParquetFileMetrics,
}

impl PartReader {
    fn read(&mut self, range: Range<u64>) -> ParquetResult<Bytes> {
        self.metrics.bytes_scanned.add(usize::try_from(range.end - range.start).unwrap_or(usize::MAX));
        self.part.read(range).map_err(external)
    }
}

impl AsyncFileReader for PartReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        let bytes = self.read(range);
        async move { bytes }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        let bytes = ranges.into_iter().map(|r| self.read(r)).collect();
        async move { bytes }.boxed()
    }

    /// From the store's cache, page index included, so that nothing is read for it.
    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let metadata = self.part.metadata().map_err(external);
        async move { metadata }.boxed()
    }
}
