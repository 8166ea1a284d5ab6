//! Priced roll-ups of segments, kept as long as there is room.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use datafusion::arrow::array::RecordBatch;
use spanfile::Table;
use spanfile::priced::Portion;

use super::CostTable;

/// Memory for what is kept of one file.
const BYTES: usize = 256 << 20;

/// What was priced, of which rows, at which prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    table: CostTable,
    /// Identity of the pricing, and of settings where they are not the defaults.
    computed_with: ([u8; 32], Option<[u8; 32]>),
    rows: Rows,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rows {
    /// A segment, and how many of its rows are live: superseded rows only ever become more.
    Segment(u32, [u64; 3]),
    /// The rows that were not sealed as of a commit.
    Tail(u64),
}

impl Key {
    pub(super) fn of(
        portion: &Portion,
        version: u64,
        table: CostTable,
        computed_with: ([u8; 32], Option<[u8; 32]>),
    ) -> Self {
        let rows = match portion {
            Portion::Sealed(s) => {
                Rows::Segment(s.id(), [Table::Spans, Table::Runs, Table::Usage].map(|t| s.live_rows(t)))
            }
            Portion::Tail(_) => Rows::Tail(version),
        };
        Key { table, computed_with, rows }
    }

    pub(super) fn with_table(&self, table: CostTable) -> Self {
        Key { table, ..self.clone() }
    }
}

/// What is kept of a file, least recently used first.
#[derive(Debug, Default)]
pub(crate) struct CostCache(Mutex<VecDeque<(Key, RecordBatch)>>);

impl CostCache {
    pub(super) fn get(&self, key: &Key) -> Option<RecordBatch> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(k, _)| k == key)?;
        let found = kept.remove(at)?;
        let batch = found.1.clone();
        kept.push_back(found);
        Some(batch)
    }

    pub(super) fn put(&self, key: Key, batch: RecordBatch) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(k, _)| {
            let outdated = matches!((&k.rows, &key.rows), (Rows::Tail(a), Rows::Tail(b)) if a < b);
            *k != key && !outdated
        });
        kept.push_back((key, batch));
        let mut bytes: usize = kept.iter().map(|(_, b)| b.get_array_memory_size()).sum();
        while bytes > BYTES {
            let Some((_, dropped)) = kept.pop_front() else { return };
            bytes -= dropped.get_array_memory_size();
        }
    }
}
