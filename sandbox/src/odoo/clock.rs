//! The server's clock: real time, shifted or standing still.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::odoo::stamp::Stamp;

/// Marks a clock that runs; any other value of `frozen` is the time it shows.
const RUNNING: i64 = i64::MIN;

/// Shared by the `Date` header and every `write_date`.
#[derive(Debug)]
pub(crate) struct Clock {
    shift: AtomicI64,
    frozen: AtomicI64,
}

impl Clock {
    pub(crate) fn real() -> Self {
        Self { shift: AtomicI64::new(0), frozen: AtomicI64::new(RUNNING) }
    }

    /// The server's present.
    pub(crate) fn now(&self) -> Stamp {
        let frozen = self.frozen.load(Ordering::SeqCst);
        if frozen == RUNNING {
            Stamp(real_micros() + self.shift.load(Ordering::SeqCst))
        } else {
            Stamp(frozen)
        }
    }

    /// Moves the clock by so many microseconds, running or not.
    pub(crate) fn shift(&self, micros: i64) {
        if self.frozen.load(Ordering::SeqCst) == RUNNING {
            self.shift.fetch_add(micros, Ordering::SeqCst);
        } else {
            self.frozen.fetch_add(micros, Ordering::SeqCst);
        }
    }

    /// Lets the clock run on from this point in time.
    pub(crate) fn set(&self, now: Stamp) {
        self.shift.store(now.0 - real_micros(), Ordering::SeqCst);
        self.frozen.store(RUNNING, Ordering::SeqCst);
    }

    /// Stops the clock at this point in time.
    pub(crate) fn freeze(&self, now: Stamp) {
        self.frozen.store(now.0, Ordering::SeqCst);
    }

    /// Back to real time.
    pub(crate) fn reset(&self) {
        self.shift.store(0, Ordering::SeqCst);
        self.frozen.store(RUNNING, Ordering::SeqCst);
    }
}

fn real_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX / 4)
}
