//! Recently read traces, kept decoded: whoever looks at a run looks at it again.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use arrow::array::RecordBatch;
use lru::LruCache;

use crate::segment::Table;

/// Segment, table and rows. Segments never change, so neither does what lies there.
type Key = (u32, Table, u64, u64);

/// A cache of decoded rows, bounded in bytes; the least recently used go first.
#[derive(Debug)]
pub(super) struct RecentTraces {
    max_bytes: usize,
    held: Mutex<(LruCache<Key, RecordBatch>, usize)>,
}

impl RecentTraces {
    pub(super) fn new(max_bytes: usize) -> Self {
        RecentTraces { max_bytes, held: Mutex::new((LruCache::unbounded(), 0)) }
    }

    pub(super) fn get(&self, segment: u32, table: Table, rows: &Range<u64>) -> Option<RecordBatch> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.0.get(&(segment, table, rows.start, rows.end)).cloned()
    }

    pub(super) fn put(&self, segment: u32, table: Table, rows: &Range<u64>, batch: &RecordBatch) {
        let bytes = batch.get_array_memory_size();
        if bytes > self.max_bytes / 4 {
            return;
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (cache, total) = &mut *held;
        *total += bytes;
        if let Some(old) = cache.put((segment, table, rows.start, rows.end), batch.clone()) {
            *total -= old.get_array_memory_size();
        }
        while *total > self.max_bytes {
            let Some((_, old)) = cache.pop_lru() else { break };
            *total -= old.get_array_memory_size();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;

    use super::*;

    #[test]
    fn the_least_recently_used_rows_go_first() {
        let batch = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![0; 100])) as _)]).unwrap();
        let bytes = batch.get_array_memory_size();
        let cache = RecentTraces::new(bytes * 4 + 1);
        for n in 0..4 {
            cache.put(n, Table::Spans, &(0..100), &batch);
        }
        assert!(cache.get(0, Table::Spans, &(0..100)).is_some());
        cache.put(4, Table::Spans, &(0..100), &batch);
        let there: Vec<bool> = (0..5).map(|n| cache.get(n, Table::Spans, &(0..100)).is_some()).collect();
        assert_eq!(there, [true, false, true, true, true]);
        assert!(cache.get(0, Table::Spans, &(0..99)).is_none());
    }
}
