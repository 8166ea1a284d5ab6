//! What drifted, as rows of tables.

use arrow::array::RecordBatch;

use crate::batch::{Columns, RowWriter};
use crate::drift::{Bin, Direction, Drift, Point, Settings};
use crate::schema;

fn unit(unit: &'static str) -> Option<&'static str> {
    Some(unit).filter(|u| !u.is_empty())
}

/// Rows with the columns [`DRIFT`](schema::DRIFT).
pub fn drift_rows(found: &[Drift], settings: &Settings) -> RecordBatch {
    let mut columns = Columns::new(&schema::drift());
    for Drift { agent, stratum, metric, family, unit: of, row, change_time } in found {
        let mut w = RowWriter::new(&mut columns);
        w.text(agent.as_deref());
        w.text(stratum.as_deref());
        w.text(Some(metric));
        w.text(Some(row.verdict.as_str()));
        w.flag(row.worse);
        w.text(row.direction.map(Direction::as_str));
        w.double(row.base_median);
        w.double(row.cur_median);
        w.text(unit(of));
        w.double(row.ratio);
        w.double(row.ci_lo);
        w.double(row.ci_hi);
        w.int(*change_time);
        w.count(row.n_base as u64);
        w.count(row.n_cur as u64);
        w.double(row.p95_base);
        w.double(row.p95_cur);
        w.double(row.effect);
        w.text(Some(row.effect_name));
        w.double(row.magnitude(settings));
        for p in [row.p_level, row.p_shape, row.p_tail, row.p, row.p_adj, row.psi, row.psi_corrected, row.js, row.mde] {
            w.double(p);
        }
        w.text(Some(row.kind.as_str()));
        w.text(Some(family.as_str()));
        w.text(row.note.as_deref());
        w.end();
    }
    columns.finish()
}

/// Rows with the columns [`DRIFT_POINTS`](schema::DRIFT_POINTS).
pub fn point_rows(found: &[Point]) -> RecordBatch {
    let mut columns = Columns::new(&schema::drift_points());
    for point in found {
        let mut w = RowWriter::new(&mut columns);
        w.text(point.agent.as_deref());
        w.text(point.stratum.as_deref());
        w.text(Some(&point.metric));
        w.int(Some(point.change_time));
        w.double(Some(point.before));
        w.double(Some(point.after));
        w.text(unit(point.unit));
        w.count(point.n_before as u64);
        w.count(point.n_after as u64);
        w.end();
    }
    columns.finish()
}

/// Rows with the columns [`DRIFT_DETAIL`](schema::DRIFT_DETAIL).
pub fn detail_rows(found: &[Bin]) -> RecordBatch {
    let mut columns = Columns::new(&schema::drift_detail());
    for bin in found {
        let mut w = RowWriter::new(&mut columns);
        w.text(bin.agent.as_deref());
        w.text(bin.stratum.as_deref());
        w.text(Some(&bin.metric));
        w.count(bin.number as u64);
        w.text(bin.category.as_deref());
        w.double(bin.above);
        w.double(bin.up_to);
        w.text(unit(bin.unit));
        w.double(bin.base_share);
        w.double(bin.current_share);
        w.count(bin.base);
        w.count(bin.current);
        w.end();
    }
    columns.finish()
}
