//! Attributes as typed JSON text: JSON that keeps what OTLP's types say.
//!
//! | OTLP value | text |
//! |---|---|
//! | string, bool, empty | JSON string, `true`/`false`, `null` |
//! | int | number without a point: `7` |
//! | double | number with a point or an exponent: `7.0`, `1e300`; `{"$double":"NaN"}`, `"Infinity"`, `"-Infinity"` |
//! | bytes | `{"$bytes":"<base64>"}` |
//! | array | array |
//! | key-value list | object, keys in their order, duplicates kept |
//! | key-value list with one key that begins with `$` | `{"$map":{...}}`, so that it is not mistaken for the forms above |
//!
//! The outermost object is a span's attributes themselves and is never wrapped.

mod read;
mod write;

pub use read::{read_attributes, read_value};
pub use write::{write_attributes, write_entry, write_string, write_value};

/// Why a text is not typed JSON.
#[derive(Debug, thiserror::Error)]
#[error("not typed JSON: {0}")]
pub struct TypedJsonError(#[from] serde_json::Error);

const DOUBLE: &str = "$double";
const BYTES: &str = "$bytes";
const MAP: &str = "$map";
