//! Headers that tell texts and times.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{HeaderMap, HeaderName};

/// The text of a header; `None` where it is absent or no ASCII text.
pub(crate) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// A date as HTTP writes it.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

/// A server that asks for more is asked again all the same.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// The value of `Retry-After`, seconds or a date, as a time from now; no more than a day, whatever is asked for.
pub(crate) fn retry_after(text: &str) -> Option<Duration> {
    let seconds = if let Ok(seconds) = text.trim().parse() {
        seconds
    } else {
        let wait = http_date(text)?.as_second() - Timestamp::now().as_second();
        u64::try_from(wait).unwrap_or(0)
    };
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sat, 21 Nov 2020 22:39:23 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after("18446744073709551615"), Some(LONGEST_WAIT));
        assert_eq!(retry_after("soon"), None);
        assert_eq!(retry_after("-3"), None);
    }

    #[test]
    fn date_of_the_server_is_understood() {
        assert_eq!(
            http_date("Sat, 21 Nov 2026 22:39:23 GMT").map(|date| date.to_string()),
            Some("2026-11-21T22:39:23Z".to_owned())
        );
    }
}
