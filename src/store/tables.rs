//! The redb tables of a `.spans` file. Their layout is described in FORMAT.md.

use redb::TableDefinition;

/// `name -> value`: what the file is, and its head.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// `sequence number -> log entry`.
pub(super) const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// Key of a chunk: segment, part, chunk number.
pub(super) type ChunkKey = (u32, u32, u32);
/// `(segment, part, chunk number) -> bytes and their checksum`.
pub(super) const CHUNKS: TableDefinition<'_, ChunkKey, &[u8]> = TableDefinition::new("chunks");
/// `sequence number -> committed batch`.
pub(super) const TAIL: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("tail");
/// `number -> piece of the price book and its checksum`.
pub(super) const PRICES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("prices");

/// Keys of `meta`.
pub(super) mod meta {
    /// Format version, u32 little-endian.
    pub(in crate::store) const FORMAT: &str = "format_version";
    /// What the file is: id, creator, time of creation.
    pub(in crate::store) const INFO: &str = "info";
    /// Log length and hash, tail range, counters; replaced by every commit.
    pub(in crate::store) const HEAD: &str = "head";
    /// Who has the file open for writing.
    pub(in crate::store) const WRITER: &str = "writer";
}
