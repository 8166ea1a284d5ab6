//! What is known about rows without reading them.

use std::sync::Arc;

use datafusion::arrow::array::Array;
use datafusion::arrow::compute::kernels::aggregate::{max, min};
use datafusion::arrow::datatypes::{DataType, Int64Type, SchemaRef, TimestampNanosecondType};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics};
use datafusion::parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use spanfile::{Part, Segment, Table};

use super::lookup::to_usize;
use super::parts::PartReading;

/// Statistics of a segment's live rows. Times come from the segment list; with `columns`, these columns'
/// bounds are taken from the Parquet metadata, which a query over little else than them answers itself with.
pub(crate) fn of_segment(
    segment: &Segment,
    table: Table,
    schema: &SchemaRef,
    columns: &[usize],
    part: &Part,
    reading: &PartReading,
) -> Result<Statistics> {
    let live = segment.live_rows(table);
    let mut s = Statistics::new_unknown(schema);
    s.num_rows = Precision::Exact(to_usize(live)?);
    // Bounds that counted rows which are dead now hold for the others, but nobody needs to reach them.
    let whole = live == segment.rows(table);
    for &i in columns {
        if let Some(c) = from_metadata(schema, i, part, reading)? {
            s.column_statistics[i] = if whole { c } else { c.to_inexact() };
        }
    }
    if let (Table::Spans, Some((min_start, max_start, _))) = (table, segment.time_range()) {
        let bound = |ns: i64| {
            let v = ScalarValue::TimestampNanosecond(Some(ns), Some("UTC".into()));
            if whole { Precision::Exact(v) } else { Precision::Inexact(v) }
        };
        if let Ok(i) = schema.index_of("start_time") {
            s.column_statistics[i].min_value = bound(min_start);
            s.column_statistics[i].max_value = bound(max_start);
        }
    }
    Ok(s)
}

fn from_metadata(
    schema: &SchemaRef,
    column: usize,
    part: &Part,
    reading: &PartReading,
) -> Result<Option<ColumnStatistics>> {
    let field = schema.field(column);
    if !has_bounds(field.data_type()) {
        return Ok(None);
    }
    let read = reading.arrow_metadata(part)?;
    let groups = read.metadata().row_groups();
    let Ok(converter) = StatisticsConverter::try_new(field.name(), read.schema(), read.parquet_schema()) else {
        return Ok(None);
    };
    if converter.parquet_column_index().is_none() {
        return Ok(None);
    }
    let known = |p: Option<ScalarValue>| p.filter(|v| !v.is_null()).map_or(Precision::Absent, Precision::Exact);
    let mins = converter.row_group_mins(groups)?;
    let maxes = converter.row_group_maxes(groups)?;
    // A row group without bounds is either all NULL or says nothing; only the first may be passed over.
    let nulls = converter.row_group_null_counts(groups)?;
    for (i, g) in groups.iter().enumerate() {
        let all_null = !nulls.is_null(i) && i64::try_from(nulls.value(i)).is_ok_and(|n| n == g.num_rows());
        if (mins.is_null(i) || maxes.is_null(i)) && !all_null {
            return Ok(None);
        }
    }
    let null_count = if nulls.null_count() == 0 {
        to_usize(nulls.values().iter().sum()).map_or(Precision::Absent, Precision::Exact)
    } else {
        Precision::Absent
    };
    Ok(Some(ColumnStatistics {
        null_count,
        min_value: known(extreme(&mins, true)),
        max_value: known(extreme(&maxes, false)),
        ..ColumnStatistics::new_unknown()
    }))
}

/// Whether bounds of this type are worth working out: times and integers, which analysts ask extremes of.
fn has_bounds(t: &DataType) -> bool {
    matches!(t, DataType::Int64 | DataType::Timestamp(..))
}

fn extreme(values: &Arc<dyn Array>, least: bool) -> Option<ScalarValue> {
    use datafusion::arrow::array::AsArray;
    match values.data_type() {
        DataType::Int64 => {
            let v = values.as_primitive::<Int64Type>();
            Some(ScalarValue::Int64(if least { min(v) } else { max(v) }))
        }
        DataType::Timestamp(_, zone) => {
            let v = values.as_primitive_opt::<TimestampNanosecondType>()?;
            Some(ScalarValue::TimestampNanosecond(if least { min(v) } else { max(v) }, zone.clone()))
        }
        _ => None,
    }
}

/// Bounds of the columns of a batch, for those types that have them.
pub(crate) fn of_batches(
    batches: &[datafusion::arrow::array::RecordBatch],
    schema: &SchemaRef,
) -> Vec<ColumnStatistics> {
    schema
        .fields()
        .iter()
        .map(|f| {
            let unknown = ColumnStatistics::new_unknown();
            if !has_bounds(f.data_type()) {
                return unknown;
            }
            let mut all: Option<ColumnStatistics> = None;
            for b in batches {
                let Some(c) = b.column_by_name(f.name()) else { return unknown };
                let bound = |least| match extreme(c, least) {
                    Some(v) if !v.is_null() => Precision::Exact(v),
                    _ => Precision::Absent,
                };
                let one = ColumnStatistics {
                    null_count: Precision::Exact(c.null_count()),
                    min_value: bound(true),
                    max_value: bound(false),
                    ..ColumnStatistics::new_unknown()
                };
                all = Some(match all {
                    Some(a) => merge(&a, &one),
                    None => one,
                });
            }
            all.unwrap_or(unknown)
        })
        .collect()
}

fn merge(a: &ColumnStatistics, b: &ColumnStatistics) -> ColumnStatistics {
    ColumnStatistics {
        null_count: a.null_count.add(&b.null_count),
        min_value: a.min_value.min(&b.min_value),
        max_value: a.max_value.max(&b.max_value),
        ..ColumnStatistics::new_unknown()
    }
}

/// Statistics of no rows.
pub(crate) fn none(schema: &SchemaRef) -> Statistics {
    let mut none = Statistics::new_unknown(schema);
    none.num_rows = Precision::Exact(0);
    none
}

/// Adds a segment's statistics to those of the segments before it.
pub(crate) fn add(all: &mut Statistics, one: &Statistics, first: bool) {
    all.num_rows = all.num_rows.add(&one.num_rows);
    for (a, b) in all.column_statistics.iter_mut().zip(&one.column_statistics) {
        if first {
            *a = b.clone();
        } else if a.max_value != Precision::Absent || a.min_value != Precision::Absent {
            // Most columns are unknown in every segment.
            *a = merge(a, b);
        }
    }
}
