//! The organisation's clock: real time, shifted or standing still, and its time zone.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Marks a clock that runs; any other value of `frozen` is the time it shows.
const RUNNING: i64 = i64::MIN;
/// The one format of times: local time and numeric offset without a colon.
const FORMAT: &str = "%Y-%m-%dT%H:%M:%S%z";

/// Tokens, limits, the `Date` header and every edit go by it.
#[derive(Debug)]
pub(crate) struct Clock {
    shift: AtomicI64,
    frozen: AtomicI64,
    zone: TimeZone,
}

impl Clock {
    pub(crate) fn real(zone: TimeZone) -> Self {
        Self { shift: AtomicI64::new(0), frozen: AtomicI64::new(RUNNING), zone }
    }

    /// The present in whole seconds since 1970, the grain of all times in Zoho.
    pub(crate) fn now(&self) -> i64 {
        self.now_millis().div_euclid(1000)
    }

    /// The present in milliseconds since 1970.
    pub(crate) fn now_millis(&self) -> i64 {
        let frozen = self.frozen.load(Ordering::SeqCst);
        if frozen == RUNNING {
            Timestamp::now().as_millisecond() + self.shift.load(Ordering::SeqCst)
        } else {
            frozen
        }
    }

    /// Moves the clock by so many milliseconds, running or not.
    pub(crate) fn shift(&self, millis: i64) {
        let running = self.frozen.load(Ordering::SeqCst) == RUNNING;
        let hand = if running { &self.shift } else { &self.frozen };
        hand.fetch_add(millis, Ordering::SeqCst);
    }

    /// Lets the clock run on from this point in time.
    pub(crate) fn set(&self, now: Timestamp) {
        let shift = now.as_millisecond() - Timestamp::now().as_millisecond();
        self.shift.store(shift, Ordering::SeqCst);
        self.frozen.store(RUNNING, Ordering::SeqCst);
    }

    /// Stops the clock at this point in time.
    pub(crate) fn freeze(&self, now: Timestamp) {
        self.frozen.store(now.as_millisecond(), Ordering::SeqCst);
    }

    /// Back to real time.
    pub(crate) fn reset(&self) {
        self.shift.store(0, Ordering::SeqCst);
        self.frozen.store(RUNNING, Ordering::SeqCst);
    }

    /// A time as the API prints it, such as `2026-10-09T13:22:05-0400`; the offset follows daylight saving time.
    pub(crate) fn print(&self, seconds: i64) -> String {
        timestamp(seconds).to_zoned(self.zone.clone()).strftime(FORMAT).to_string()
    }

    /// The value of an HTTP `Date` header.
    pub(crate) fn http_date(&self) -> String {
        let utc = timestamp(self.now()).to_zoned(TimeZone::UTC);
        utc.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// The present day of the organisation as a number, and the seconds until its midnight.
    pub(crate) fn day(&self) -> (i64, i64) {
        let now = timestamp(self.now()).to_zoned(self.zone.clone());
        let start = now.start_of_day().map_or(0, |start| start.timestamp().as_second());
        let next = now.tomorrow().and_then(|next| next.start_of_day());
        let end = next.map_or(i64::MAX, |end| end.timestamp().as_second());
        (start, end - now.timestamp().as_second())
    }

    /// The name of the organisation's time zone.
    pub(crate) fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

/// Reads a filter's time in the only format the API takes: `2026-10-09T13:20:00-0400`. A `Z`, an offset with a
/// colon and a bare date were refused by live organisations.
pub(crate) fn parse_bound(text: &str) -> Option<i64> {
    let numeric = text.len() == 24 && text.get(19..20).is_some_and(|sign| sign == "+" || sign == "-");
    if !numeric {
        return None;
    }
    let parsed = jiff::fmt::strtime::parse(FORMAT, text).ok()?;
    parsed.to_timestamp().ok().map(Timestamp::as_second)
}

fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(now: &str) -> Clock {
        let clock = Clock::real(TimeZone::get("America/New_York").unwrap());
        clock.freeze(now.parse().unwrap());
        clock
    }

    #[test]
    fn printed_offset_follows_daylight_saving_time() {
        let clock = clock("2026-10-09T17:22:05Z");
        assert_eq!(clock.print(clock.now()), "2026-10-09T13:22:05-0400");
        clock.freeze("2026-12-09T17:22:05Z".parse().unwrap());
        assert_eq!(clock.print(clock.now()), "2026-12-09T12:22:05-0500");
    }

    #[test]
    fn a_day_of_the_organisation_has_23_to_25_hours() {
        for (now, hours) in
            [("2026-03-08T05:00:00Z", 23), ("2026-06-01T04:00:00Z", 24), ("2026-11-01T04:00:00Z", 25)]
        {
            assert_eq!(clock(now).day().1, hours * 3600, "{now}");
        }
    }

    #[test]
    fn bound_takes_a_numeric_offset_without_colon_only() {
        assert_eq!(parse_bound("1970-01-01T01:00:00+0100"), Some(0));
        assert_eq!(parse_bound("1969-12-31T19:00:00-0500"), Some(0));
        for refused in [
            "2026-10-09T13:20:00Z",
            "2026-10-09",
            "2026-10-09T13:20:00-04:00",
            "2026-10-09T13:20:00 0400",
            "2026-10-09T13:20:00",
            "2026-13-09T13:20:00-0400",
            "",
        ] {
            assert_eq!(parse_bound(refused), None, "{refused}");
        }
    }

    #[test]
    fn shift_moves_a_standing_clock_too() {
        let clock = clock("2026-10-09T17:22:05Z");
        let before = clock.now();
        clock.shift(-60_000);
        assert_eq!(clock.now(), before - 60);
    }
}
