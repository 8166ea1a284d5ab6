//! Leaving out row groups and pages that cannot hold a matching row, by the statistics that Parquet keeps.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::kernels::cmp;
use arrow::compute::{and, or};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::ParquetMetaData;

use super::{Compare, Filter, datum};
use crate::error::Result;
use crate::segment::Table;
use crate::store::Part;

/// The part of `ranges` where rows may satisfy all filters.
pub(super) fn prune(part: &Part, ranges: Vec<Range<u64>>, filters: &[Filter]) -> Result<Vec<Range<u64>>> {
    if filters.is_empty() || ranges.is_empty() {
        return Ok(ranges);
    }
    let metadata = part.metadata()?;
    let mut out = ranges;
    for f in filters {
        // Statistics that cannot be used exclude nothing.
        if let Ok(Some(possible)) = possible(part.table(), &metadata, f) {
            out = intersect(&out, &possible);
        }
        if out.is_empty() {
            break;
        }
    }
    Ok(out)
}

type PruneError = Box<dyn std::error::Error>;

/// Rows where a filter may hold, or `None` when nothing is known.
fn possible(
    table: Table,
    metadata: &ParquetMetaData,
    filter: &Filter,
) -> std::result::Result<Option<Vec<Range<u64>>>, PruneError> {
    let file = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
    if crate::schema::operands(table.columns(), &filter.column).is_some() {
        return Ok(None);
    }
    if schema.index_of(&filter.column).is_err() {
        // A column that was left out is NULL in every row.
        return Ok((filter.compare != Compare::IsNull).then(Vec::new));
    }
    if filter.compare == Compare::IsNull {
        return Ok(None);
    }
    let converter = StatisticsConverter::try_new(&filter.column, &schema, file.schema_descr())?;
    let groups = metadata.row_groups();
    let keep_groups = may_hold(filter, &converter.row_group_mins(groups)?, &converter.row_group_maxes(groups)?)?;
    let pages = metadata.column_index().zip(metadata.offset_index()).zip(converter.parquet_column_index());
    let mut out: Vec<Range<u64>> = Vec::new();
    let mut first = 0u64;
    for (i, group) in groups.iter().enumerate() {
        let rows = group.num_rows() as u64;
        if keep(&keep_groups, i) {
            match &pages {
                Some(((column_index, offset_index), column)) => {
                    let mins = converter.data_page_mins(column_index, offset_index, [&i])?;
                    let maxes = converter.data_page_maxes(column_index, offset_index, [&i])?;
                    let keep_pages = may_hold(filter, &mins, &maxes)?;
                    let locations = offset_index[i][*column].page_locations();
                    for (p, page) in locations.iter().enumerate() {
                        if keep(&keep_pages, p) {
                            let start = first + page.first_row_index as u64;
                            let end =
                                locations.get(p + 1).map_or(first + rows, |next| first + next.first_row_index as u64);
                            out.push(start..end);
                        }
                    }
                }
                None => out.push(first..first + rows),
            }
        }
        first += rows;
    }
    Ok(Some(crate::segment::join_ranges(out)))
}

fn keep(mask: &BooleanArray, i: usize) -> bool {
    i >= mask.len() || mask.is_null(i) || mask.value(i)
}

/// Whether values between each minimum and maximum may compare so; NULL where that is not known.
fn may_hold(filter: &Filter, mins: &ArrayRef, maxes: &ArrayRef) -> std::result::Result<BooleanArray, ArrowError> {
    let v = datum(&filter.value);
    match filter.compare {
        Compare::Eq => and(&cmp::lt_eq(mins, v)?, &cmp::gt_eq(maxes, v)?),
        Compare::NotEq => or(&cmp::neq(mins, v)?, &cmp::neq(maxes, v)?),
        Compare::Lt => cmp::lt(mins, v),
        Compare::LtEq => cmp::lt_eq(mins, v),
        Compare::Gt => cmp::gt(maxes, v),
        Compare::GtEq => cmp::gt_eq(maxes, v),
        Compare::IsNull => Ok(BooleanArray::new_null(mins.len())),
    }
}

/// Rows in both; both are sorted and disjoint.
fn intersect(a: &[Range<u64>], b: &[Range<u64>]) -> Vec<Range<u64>> {
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < a.len() && j < b.len() {
        let r = a[i].start.max(b[j].start)..a[i].end.min(b[j].end);
        if r.start < r.end {
            out.push(r);
        }
        if a[i].end < b[j].end { i += 1 } else { j += 1 }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intersection_of_ranges() {
        assert_eq!(intersect(&[0..10, 20..30], &[5..25, 28..40]), vec![5..10, 20..25, 28..30]);
        assert_eq!(intersect(&[0..10, 12..14], &[]), []);
    }
}
