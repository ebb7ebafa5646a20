//! What Zoho tells of the calls that are left.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName};

use crate::http::header::text;

/// The calls of a day, as an answer told them. The day ends at midnight in the organisation's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Calls of a day.
    pub limit: u64,
    /// Those that are left.
    pub remaining: u64,
    /// When they are all there again.
    pub resets_at: Timestamp,
    /// When this was told.
    pub told_at: Timestamp,
}

impl Quota {
    /// Reads `X-Rate-Limit-Limit`, `-Remaining` and `-Reset` (seconds); `None` where one is missing, as on
    /// `/organizations`.
    pub(crate) fn from_headers(headers: &HeaderMap, now: Timestamp) -> Option<Self> {
        let number = |name: &'static str| -> Option<u64> {
            text(headers, &HeaderName::from_static(name))?.trim().parse().ok()
        };
        let reset = number("x-rate-limit-reset")?;
        Some(Self {
            limit: number("x-rate-limit-limit")?,
            remaining: number("x-rate-limit-remaining")?,
            resets_at: now.checked_add(Duration::from_secs(reset)).ok()?,
            told_at: now,
        })
    }

    /// How long it is until all calls of a day are there again.
    pub(crate) fn resets_in(&self, now: Timestamp) -> Duration {
        Duration::try_from(self.resets_at.duration_since(now)).unwrap_or_default()
    }
}

/// What is known of the limits of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// The calls of the day, as the newest answer told them.
    pub day: Option<Quota>,
    /// Until when calls fail at once, because Zoho said that it refuses them.
    pub blocked_until: Option<Timestamp>,
    /// The block is for the calls of the day (code 45), not for those of a minute.
    pub daily: bool,
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn quota_of_an_answer_is_read() {
        let now = "2026-11-21T22:46:29Z".parse().unwrap();
        let all = headers(&[
            ("x-rate-limit-limit", "7500"),
            ("x-rate-limit-remaining", "6197"),
            ("x-rate-limit-reset", "18811"),
        ]);
        let quota = Quota::from_headers(&all, now).unwrap();
        assert_eq!((quota.limit, quota.remaining), (7500, 6197));
        assert_eq!(quota.resets_at.to_string(), "2026-11-22T04:00:00Z");
        assert_eq!(quota.resets_in(now), Duration::from_secs(18811));
        assert_eq!(quota.resets_in(quota.resets_at), Duration::ZERO);
    }

    #[test]
    fn what_is_no_quota_is_none() {
        let now = Timestamp::UNIX_EPOCH;
        for reset in ["", "soon", "-1", "18446744073709551615"] {
            let odd = headers(&[
                ("x-rate-limit-limit", "7500"),
                ("x-rate-limit-remaining", "1"),
                ("x-rate-limit-reset", reset),
            ]);
            assert_eq!(Quota::from_headers(&odd, now), None, "{reset}");
        }
        assert_eq!(Quota::from_headers(&HeaderMap::new(), now), None);
    }
}
