//! Moments as text: a day in UTC, or a moment to the second and beyond.

use super::model::{DAY_NS, SECOND_NS};

/// Nanoseconds since the epoch of `2025-06-10` (its first moment, UTC) or `2025-06-10T12:30:00Z`.
///
/// # Errors
///
/// Text that is neither; why.
pub fn parse(text: &str) -> Result<i64, String> {
    let moment = if text.len() == 10 {
        crate::instant::parse(&format!("{text}T00:00:00Z"))
    } else {
        crate::instant::parse(text)
    };
    moment.ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        format!("{shown:?} is neither a day such as 2025-06-10 nor a moment such as 2025-06-10T12:00:00Z")
    })
}

/// A moment, in nanoseconds since the epoch, as [`parse`] reads it: a day where it begins one.
pub fn format(instant: i64) -> String {
    let (year, month, day) = civil(instant.div_euclid(DAY_NS));
    let rest = instant.rem_euclid(DAY_NS);
    let date = format!("{year:04}-{month:02}-{day:02}");
    if rest == 0 {
        return date;
    }
    let (seconds, nanos) = (rest / SECOND_NS, rest % SECOND_NS);
    let time = format!("{date}T{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    match nanos {
        0 => format!("{time}Z"),
        _ => format!("{time}.{nanos:09}Z"),
    }
}

/// Year, month and day of a number of days since the epoch, in the Gregorian calendar without end.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years that begin in March have their odd day last.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Hours of the day, as `00:30:00-16:30:00`.
pub(super) fn parse_window(text: &str) -> Result<(u32, u32), String> {
    let time = |text: &str| {
        let mut parts = text.split(':');
        let mut next = |below: u32| {
            let part = parts.next().filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_digit()))?;
            part.parse::<u32>().ok().filter(|&v| v < below)
        };
        let seconds = next(24)? * 3600 + next(60)? * 60 + next(60)?;
        parts.next().is_none().then_some(seconds)
    };
    text.split_once('-')
        .and_then(|(from, to)| Some((time(from)?, time(to)?)))
        .ok_or_else(|| format!("{text:?} is no span of hours such as 00:30:00-16:30:00"))
}

/// See [`parse_window`].
pub(super) fn format_window((from, to): (u32, u32)) -> String {
    let time = |s: u32| format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
    format!("{}-{}", time(from), time(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_go_both_ways() {
        for text in [
            "1970-01-01",
            "2024-02-29",
            "2025-06-10",
            "2000-12-31",
            "2026-11-20T12:30:05Z",
            "2025-06-10T00:00:00.000000001Z",
        ] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
        for bad in ["", "2025-06-31", "2025-6-1", "10.06.2025", "2025-06-10T12:00:00"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hours_go_both_ways() {
        assert_eq!(parse_window("00:30:00-16:30:00"), Ok((1800, 59400)));
        assert_eq!(format_window((1800, 59400)), "00:30:00-16:30:00");
        for bad in ["", "-", "24:00:00-01:00:00", "1:00:00-02:00:00", "01:00:00", "01:00-02:00", "01:00:00:00-02:00:00"]
        {
            assert!(parse_window(bad).is_err(), "{bad}");
        }
    }
}
