//! Call limits of the organisation: per minute with a penalty of an hour, and per day.

use std::collections::VecDeque;

use crate::zoho::clock::Clock;
use crate::zoho::error::ApiError;

/// The window in which calls are counted, in milliseconds.
const WINDOW: i64 = 60_000;
/// Seconds for which the whole organisation is blocked; live answers said `Retry-After: 3600`.
const PENALTY: i64 = 3600;

/// Counts the calls of the whole organisation, whoever makes them and through whichever product.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) per_minute: u32,
    pub(crate) per_day: u32,
    /// Code of the answers during a block: 43 or 44.
    pub(crate) block_code: i64,
    /// Times of the calls in the window, in milliseconds.
    calls: VecDeque<i64>,
    blocked_until: Option<i64>,
    day: i64,
    used: u32,
}

/// What is left of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Seconds until midnight in the organisation's time zone.
    pub(crate) reset: i64,
}

impl Limits {
    pub(crate) fn new(per_minute: u32, per_day: u32) -> Self {
        let calls = VecDeque::new();
        Self { per_minute, per_day, block_code: 43, calls, blocked_until: None, day: i64::MIN, used: 0 }
    }

    /// Counts a call, or says why it is refused. A refused call costs nothing of the day.
    pub(crate) fn admit(&mut self, clock: &Clock) -> Result<(), ApiError> {
        let now = clock.now();
        match self.blocked_until {
            Some(end) if now < end => {
                return Err(ApiError::throttled(self.block_code, self.per_day, Some(end - now)));
            }
            Some(_) => self.lift_block(),
            None => {}
        }
        let millis = clock.now_millis();
        self.forget_before(millis - WINDOW, millis);
        if self.calls.len() >= usize::try_from(self.per_minute).unwrap_or(usize::MAX) {
            self.blocked_until = Some(now + PENALTY);
            return Err(ApiError::throttled(self.block_code, self.per_day, Some(PENALTY)));
        }
        self.turn_day(clock);
        if self.used >= self.per_day {
            return Err(ApiError::throttled(45, self.per_day, None));
        }
        self.used += 1;
        self.calls.push_back(millis);
        Ok(())
    }

    /// The day's quota as of now.
    pub(crate) fn quota(&mut self, clock: &Clock) -> Quota {
        let reset = self.turn_day(clock);
        Quota { limit: self.per_day, remaining: self.per_day.saturating_sub(self.used), reset }
    }

    /// Sets how many calls were made today.
    pub(crate) fn spend(&mut self, used: u32, clock: &Clock) {
        self.turn_day(clock);
        self.used = used;
    }

    /// Ends a penalty and forgets the last minute.
    pub(crate) fn lift_block(&mut self) {
        self.blocked_until = None;
        self.calls.clear();
    }

    /// Starts a penalty that nobody here earned, as other users of the organisation do.
    pub(crate) fn block(&mut self, clock: &Clock) {
        self.blocked_until = Some(clock.now() + PENALTY);
    }

    fn forget_before(&mut self, start: i64, now: i64) {
        // A clock that was set back leaves calls in the future, which nobody could wait for.
        if self.calls.back().is_some_and(|call| *call > now) {
            self.calls.clear();
        }
        while self.calls.front().is_some_and(|call| *call < start) {
            self.calls.pop_front();
        }
    }

    fn turn_day(&mut self, clock: &Clock) -> i64 {
        let (day, reset) = clock.day();
        if self.day != day {
            self.day = day;
            self.used = 0;
        }
        reset
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn clock() -> Clock {
        let clock = Clock::real(TimeZone::get("America/New_York").unwrap());
        // 23:00 in New York.
        clock.freeze("2026-06-02T03:00:00Z".parse().unwrap());
        clock
    }

    fn code(result: Result<(), ApiError>) -> i64 {
        result.map_or_else(|error| error.code, |()| 0)
    }

    #[test]
    fn one_call_too_many_in_any_60_seconds_blocks_for_an_hour() {
        let (clock, mut limits) = (clock(), Limits::new(3, 100));
        for _ in 0..3 {
            assert_eq!(code(limits.admit(&clock)), 0);
            clock.shift(25_000);
        }
        assert_eq!(code(limits.admit(&clock)), 0, "the first call left the window");
        let refused = limits.admit(&clock).unwrap_err();
        assert_eq!((refused.status, refused.code, refused.retry_after), (429, 43, Some(3600)));
        clock.shift(59 * 60_000);
        assert_eq!(limits.admit(&clock).unwrap_err().retry_after, Some(60));
        clock.shift(60_000);
        assert_eq!(code(limits.admit(&clock)), 0);
    }

    #[test]
    fn the_day_ends_at_midnight_of_the_organisation() {
        let (clock, mut limits) = (clock(), Limits::new(100, 2));
        assert_eq!(limits.quota(&clock), Quota { limit: 2, remaining: 2, reset: 3600 });
        assert_eq!(code(limits.admit(&clock)), 0);
        assert_eq!(code(limits.admit(&clock)), 0);
        assert_eq!(code(limits.admit(&clock)), 45);
        assert_eq!(limits.quota(&clock).remaining, 0);
        clock.shift(3_600_000);
        assert_eq!(code(limits.admit(&clock)), 0);
        assert_eq!(limits.quota(&clock), Quota { limit: 2, remaining: 1, reset: 86_400 });
    }

    #[test]
    fn a_clock_that_was_set_back_leaves_nobody_waiting_for_calls_in_the_future() {
        let (clock, mut limits) = (clock(), Limits::new(1, 100));
        assert_eq!(code(limits.admit(&clock)), 0);
        clock.shift(-86_400_000);
        assert_eq!(code(limits.admit(&clock)), 0);
    }
}
