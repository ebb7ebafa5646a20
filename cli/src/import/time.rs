//! The old systems' times: without a zone, and so of nobody knows which clock.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// What a clock showed. An offset, where one was written, is dropped.
pub(super) fn time(text: &str) -> Option<DateTime> {
    let text = text.trim();
    if text.get(19..).is_some_and(|rest| rest.contains(char::is_alphabetic) && !rest.ends_with('Z')) {
        return None;
    }
    text.get(..19)?.parse().ok()
}

/// Whether an item that Zoho says was modified at `now` is as it was when the old system noted `then`: the same time by
/// Zoho's clock or in UTC, or an earlier one by both.
pub(super) fn is_unchanged(then: &str, now: &str) -> bool {
    let (Some(then), Some(shown)) = (time(then), time(now)) else { return false };
    let instant = shared::zoho::time::parse(now).or_else(|| now.parse::<Timestamp>().ok());
    let in_utc = instant.map(|instant| TimeZone::UTC.to_datetime(instant));
    shown == then || in_utc == Some(then) || (shown <= then && in_utc.is_some_and(|utc| utc <= then))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_time_by_either_clock_or_an_earlier_one_by_both_is_unchanged() {
        let now = "2025-05-23T17:30:00+0300";
        for then in
            ["2025-05-23T17:30:00", "2025-05-23 14:30:00", "2025-05-23T17:30:00+0300", "2025-05-24T00:00:00"]
        {
            assert!(is_unchanged(then, now), "{then}");
        }
        for then in ["2025-05-23T17:29:59", "2025-05-23T16:00:00", "yesterday", ""] {
            assert!(!is_unchanged(then, now), "{then}");
        }
        assert!(!is_unchanged("2025-05-23T17:30:00", "no time"));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in
            ["", "2025-05-23", "2025-05-23T25:00:00", "2025-05-23T17:30:00 or so", "é".repeat(12).as_str()]
        {
            assert_eq!(time(text), None, "{text}");
        }
        assert!(time("2025-05-23T17:30:00.123456").is_some());
        assert!(time("2025-05-23T17:30:00Z").is_some());
    }
}
