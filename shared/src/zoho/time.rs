//! Times as Zoho writes and reads them: `2026-10-09T13:20:00-0400`, the offset without a colon, whole seconds.

use jiff::Timestamp;
use jiff::fmt::strtime;

/// The instant that a text of Zoho's names; `None` for anything else. Offsets follow the organisation's daylight saving
/// time, so texts are never compared with each other.
pub fn parse(text: &str) -> Option<Timestamp> {
    strtime::parse("%Y-%m-%dT%H:%M:%S%z", text).and_then(|parsed| parsed.to_timestamp()).ok()
}

/// The text that a `last_modified_time` filter takes. `Z` and offsets with a colon are refused (seen live on Inventory,
/// October 2026).
pub fn format(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_one_instant() {
        let instant = parse("2026-10-09T17:20:00+0000").unwrap();
        assert_eq!(parse("2026-10-09T13:20:00-0400"), Some(instant));
        assert_eq!(parse("2026-10-09T22:50:00+0530"), Some(instant));
        assert_eq!(format(instant), "2026-10-09T17:20:00+0000");
        assert_eq!(parse(&format(instant)), Some(instant));
    }

    #[test]
    fn clock_put_back_does_not_turn_the_order_round() {
        let before = parse("2026-11-01T01:30:00-0400").unwrap();
        let after = parse("2026-11-01T01:10:00-0500").unwrap();
        assert!(before < after);
    }

    #[test]
    fn other_texts_are_no_time() {
        for text in ["", "2026-10-09", "2026-10-09T13:20:00", "yesterday", "2026-13-09T13:20:00-0400"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
