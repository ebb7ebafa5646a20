//! Times, spans and numbers in words.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::utc::in_utc;

/// A point in time.
#[derive(Debug, Clone)]
pub(in crate::page) struct When {
    /// For programs.
    pub(in crate::page) iso: String,
    /// For people who want to know exactly.
    pub(in crate::page) exact: String,
    /// "3 minutes ago".
    pub(in crate::page) words: String,
}

impl When {
    pub(in crate::page) fn of(time: Timestamp, now: Timestamp) -> Self {
        let apart = time.duration_since(now);
        let span = Duration::try_from(apart.abs()).unwrap_or_default();
        let words = match (apart > SignedDuration::ZERO, span.as_secs()) {
            (_, 0..2) => "now".to_owned(),
            (true, _) => format!("in {}", about(span)),
            (false, _) => format!("{} ago", about(span)),
        };
        Self { iso: time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), exact: in_utc(time), words }
    }
}

/// "45 s", "12 min", "3 h 20 min", "5 days": as exact as one asks.
pub(in crate::page) fn about(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} min"),
        3_600..86_400 if minutes % 60 == 0 => format!("{hours} h"),
        3_600..86_400 => format!("{hours} h {} min", minutes % 60),
        86_400..172_800 => "1 day".to_owned(),
        _ => format!("{days} days"),
    }
}

/// "15m", as it is written in the configuration.
pub(in crate::page) fn interval(seconds: u64) -> String {
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
        if seconds >= length && seconds.is_multiple_of(length) {
            return format!("{}{unit}", seconds / length);
        }
    }
    format!("{seconds}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_write_them() {
        let spans =
            [5, 60, 3_599, 3_600, 12_000, 86_400, 400_000].map(|span| about(Duration::from_secs(span)));
        assert_eq!(spans, ["5 s", "1 min", "59 min", "1 h", "3 h 20 min", "1 day", "4 days"]);
        assert_eq!([90, 900, 7_200, 604_800].map(interval), ["90s", "15m", "2h", "7d"]);
        let now: Timestamp = "2026-11-26T10:00:00Z".parse().unwrap();
        let words = |seconds| When::of(now + SignedDuration::from_secs(seconds), now).words;
        assert_eq!([words(-90), words(0), words(600)], ["1 min ago", "now", "in 10 min"]);
    }
}
