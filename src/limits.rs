//! Every bound that keeps memory and work finite, in one place.

/// How much is asked of a reader at a time.
pub const READ_BYTES: usize = 1 << 20;

/// Likewise, until the input has proved to be longer than that.
pub const FIRST_READ_BYTES: usize = 64 << 10;

/// Longest document (a JSON line) or protobuf `ResourceSpans` that is decoded in one piece. Longer ones are walked
/// span by span, which is a little slower but needs only one span in memory.
pub const DOCUMENT_BYTES: usize = 8 << 20;

/// Longest single span, log record, resource or scope. A longer one is rejected.
pub const RECORD_BYTES: usize = 64 << 20;

/// Most attributes, array items, events and links that one record may have together; an empty one takes two bytes of
/// input and some fifty of memory. In JSON only records longer than `DOCUMENT_BYTES` are counted.
pub const RECORD_VALUES: usize = 1 << 20;

/// Longest JSON object key that is looked at, and how far the end of a number is looked for.
pub const JSON_KEY_BYTES: usize = 64 << 10;

/// How deep arrays and key-value lists may nest in one attribute value. In JSON each level takes up to four brackets,
/// and the JSON parser stops at 128.
pub const VALUE_DEPTH: usize = 28;

/// How deep a JSON document may nest where only its structure is followed.
pub const JSON_DEPTH: usize = 256;

/// Text that one span batch may hold; beyond it `push_span` asks for `finish`. Arrow's text columns count in 31 bits,
/// and escaping can make text six times longer than it came.
pub const BATCH_TEXT_BYTES: usize = 1 << 30;

/// Longest text, after escaping, that a single row may add.
pub const ROW_TEXT_BYTES: usize = (1 << 30) - 1;

/// Most keys that one object may have when dotted keys are assembled into JSON; more stay as attributes.
pub const ASSEMBLED_OBJECT_KEYS: usize = 1024;

/// Most dotted keys of one span that are assembled into JSON; more stay as attributes.
pub const ASSEMBLED_KEYS: usize = 1 << 17;

/// Longest JSON text of an attribute that is parsed to look for single fields, such as a model name.
pub const PARSED_ATTRIBUTE_BYTES: usize = 1 << 20;

/// Longest file of scores that is read; it is in memory at once.
pub const SCORES_FILE_BYTES: usize = 256 << 20;

/// Agents of session files that are open at once; beyond it all of them are closed, and begin anew when they go on.
pub const OPEN_AGENTS: usize = 4096;

/// Calls of one agent whose records may still come. They come one after the other, now and then with one between.
pub const OPEN_CALLS: usize = 8;

/// What open calls and tools without an answer may take together; beyond it the oldest tools are given up.
pub const OPEN_BYTES: usize = 64 << 20;

/// Records of side chains without an agent's id that are remembered, to tell which chain goes on.
pub const SIDECHAIN_RECORDS: usize = 1 << 20;

/// Records without a session that are held until a session comes.
pub const HELD_BYTES: usize = 1 << 20;

/// Spans of sessions that an import remembers, to tell copies and older versions; 60 bytes or so each.
pub const TRACKED_SPANS: usize = 1 << 20;

/// Largest window that a zstd stream may ask for, as a power of two.
pub const ZSTD_WINDOW_LOG: u32 = 27;

/// Format version that this crate writes, and the newest it reads.
pub const FORMAT_VERSION: u32 = 1;

/// Payload of a full chunk. With redb's page header, value end and 12-byte key (20 bytes together) and our 8-byte
/// checksum, a chunk fills 64 KiB pages exactly: one byte more would take a page twice as large.
pub const CHUNK_PAGE_BYTES: usize = 64 * 1024;
/// What redb adds to a value with a 12-byte key in a page of its own.
pub const CHUNK_OVERHEAD_BYTES: usize = 20;
/// Checksum that ends each chunk.
pub const CHUNK_CHECKSUM_BYTES: usize = 8;
/// Smallest page that the remainder of a part is cut into.
pub const CHUNK_MIN_PAGE_BYTES: usize = 4 * 1024;

/// Rows gathered at once when rows are put in order.
pub const GATHER_ROWS: usize = 8 * 1024;
/// Bytes gathered at once, so that text offsets stay far below 2 GiB.
pub const GATHER_BYTES: usize = 64 << 20;

/// Rows and bytes per batch of a sorted run: while runs are merged, one batch of each is in memory.
pub const RUN_ROWS: usize = 2 * 1024;
/// See [`RUN_ROWS`].
pub const RUN_BYTES: usize = 8 << 20;
/// Page that an encoded run should nearly fill.
pub const RUN_PAGE_BYTES: usize = 2 << 20;

/// Rows per row group: enough groups per segment for idle cores, few enough for small metadata.
pub const ROW_GROUP_ROWS: usize = 32 * 1024;
/// Rows per page of narrow columns.
pub const PAGE_ROWS: usize = 4 * 1024;
/// Bytes per page of wide text columns before compression; bounds what reading one trace decompresses.
pub const TEXT_PAGE_BYTES: usize = 1024 * 1024;
/// Rows that the Parquet encoder takes between two looks at the page size.
pub const WRITE_BATCH_ROWS: usize = 256;

/// Traces per block of a trace directory; the first trace of each block is kept in memory.
pub const DIRECTORY_BLOCK_TRACES: usize = 256;
/// Bits per trace in a directory's filter.
pub const FILTER_BITS_PER_TRACE: u64 = 10;
/// Hashes per trace in a directory's filter.
pub const FILTER_HASHES: u32 = 6;

/// Largest log entry that is decoded.
pub const LOG_ENTRY_BYTES: usize = 64 << 20;
/// Largest decoded tail batch that is accepted.
pub const TAIL_BATCH_BYTES: usize = 1 << 30;

/// How long a reader waits for another process that recovers the file after a crash.
pub const RECOVERY_WAIT_MS: u64 = 10_000;
/// Pause between two attempts to open a file that another process holds for a moment.
pub const RETRY_MS: u64 = 10;
/// How often verification starts again to walk through redb's pages while another process commits meanwhile.
pub const TREE_CHECKS: usize = 100;
/// How long opening for writing waits for a holder that does not seem to be a living writer, such as a reader that
/// recovers the file after a crash.
pub const WRITER_WAIT_MS: u64 = 2_000;

/// Longest text of a file's budgets: some thousands of them.
pub const BUDGETS_BYTES: usize = 256 << 10;

/// Longest text of a price book, and longest file of prices that is read.
pub const PRICE_BOOK_BYTES: usize = 16 << 20;
/// Most names, rules and prices in it together; a price of one byte takes some hundreds in memory.
pub const PRICE_BOOK_FIELDS: usize = 1 << 18;
/// Most rows of a file of prices.
pub const PRICE_FILE_ROWS: usize = 1 << 16;
/// Most rows, and most rules, of one model in a price book.
pub const PRICE_MODEL_ROWS: usize = 1 << 10;
/// Most price tiers of one row.
pub const PRICE_TIERS: usize = 16;
