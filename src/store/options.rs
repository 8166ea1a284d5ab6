//! Settings of a store, each with its unit in the name.

/// Settings of an open store. The defaults suit one process on a laptop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// redb's page cache, per handle.
    pub cache_bytes: usize,
    /// Rows kept in memory by bulk import before finished traces are sealed.
    pub import_buffer_bytes: usize,
    /// Committed spans that are not sealed yet; above it the quiet traces are sealed.
    pub tail_seal_spans: u64,
    /// The same in bytes of Arrow data.
    pub tail_seal_bytes: u64,
    /// A trace without new spans for this long is quiet.
    pub quiet_ms: u64,
    /// Recently read traces that are kept decoded.
    pub recent_traces_bytes: usize,
    /// Largest tail that a reader settles in memory.
    pub tail_memory_bytes: u64,
    /// Spans per segment when sealing, about: traces are never cut.
    pub segment_spans: u64,
    /// Spans per segment when compacting, about.
    pub compact_segment_spans: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            cache_bytes: 48 << 20,
            import_buffer_bytes: 256 << 20,
            tail_seal_spans: 64 * 1024,
            tail_seal_bytes: 256 << 20,
            quiet_ms: 60_000,
            recent_traces_bytes: 32 << 20,
            tail_memory_bytes: 1 << 30,
            segment_spans: 128 * 1024,
            compact_segment_spans: 256 * 1024,
        }
    }
}
