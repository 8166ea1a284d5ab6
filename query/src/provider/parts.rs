//! What is worked out once per sealed part and kept while the file is attached.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result};
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use datafusion::parquet::arrow::parquet_to_arrow_schema;
use spanfile::{Part, Table};

use super::rows::read_type;

/// How to read one part. Sealed parts never change, so neither does this.
#[derive(Debug, Default)]
pub(crate) struct PartReading {
    metadata: OnceLock<ArrowReaderMetadata>,
}

impl PartReading {
    /// Parquet metadata with the Arrow types that the part's columns are read as.
    pub(crate) fn arrow_metadata(&self, part: &Part) -> Result<ArrowReaderMetadata> {
        if let Some(m) = self.metadata.get() {
            return Ok(m.clone());
        }
        let metadata = part.metadata().map_err(|e| DataFusionError::External(Box::new(e)))?;
        let file = metadata.file_metadata();
        let stored = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
        let options = ArrowReaderOptions::new().with_schema(read_schema(&stored));
        let read = ArrowReaderMetadata::try_new(metadata, options)?;
        Ok(self.metadata.get_or_init(|| read).clone())
    }
}

fn read_schema(stored: &Schema) -> SchemaRef {
    let fields: Vec<Field> =
        stored.fields().iter().map(|f| f.as_ref().clone().with_data_type(read_type(f.data_type()))).collect();
    Arc::new(Schema::new(fields))
}

/// [`PartReading`]s of one file, by segment and table.
#[derive(Debug, Default)]
pub(crate) struct PartReadings(Mutex<HashMap<(u32, Table), Arc<PartReading>>>);

impl PartReadings {
    pub(crate) fn of(&self, segment: u32, table: Table) -> Arc<PartReading> {
        // The map is only ever added to: what a panicking holder left behind is still right.
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(map.entry((segment, table)).or_default())
    }
}
