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

/// Longest JSON object key that is looked at.
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

/// Largest window that a zstd stream may ask for, as a power of two.
pub const ZSTD_WINDOW_LOG: u32 = 27;
