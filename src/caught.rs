//! Panics inside libraries that meet damaged bytes, as values.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `f`; what a panic in it said is the error.
pub(crate) fn caught<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| {
        let said =
            panic.downcast_ref::<&str>().map(|s| (*s).to_string()).or_else(|| panic.downcast_ref::<String>().cloned());
        said.unwrap_or_default()
    })
}
