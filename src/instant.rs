//! Points in time as text.

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;

/// Nanoseconds since the epoch of an RFC 3339 time. Text without an offset is no point in time: `None`.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (_, time) = text.split_once(['T', 't', ' '])?;
    let has_offset = time.ends_with(['Z', 'z']) || time.contains('+') || time.contains('-');
    if !has_offset {
        return None;
    }
    string_to_timestamp_nanos(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_needed() {
        assert_eq!(parse("1970-01-01T00:00:01.5Z"), Some(1_500_000_000));
        assert_eq!(parse("1970-01-01T02:00:00.000000001+02:00"), Some(1));
        assert_eq!(parse("1970-01-01T00:00:01"), None);
        assert_eq!(parse("1970-01-01"), None);
        assert_eq!(parse("1970-13-01T00:00:00Z"), None);
        assert_eq!(parse(""), None);
    }
}
