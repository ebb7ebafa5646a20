//! A time of one's own, for tests that live through days in seconds.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// A time that goes on when somebody waits, and only then. Clones of its `Arc` are the same time.
pub struct SimulatedTime {
    now: Mutex<Timestamp>,
    moved: Box<dyn Fn(Timestamp) + Send + Sync>,
}

impl SimulatedTime {
    /// Begins then; `moved` is told of each new time before anybody sees it.
    pub fn new(now: Timestamp, moved: impl Fn(Timestamp) + Send + Sync + 'static) -> Self {
        moved(now);
        Self { now: Mutex::new(now), moved: Box::new(moved) }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on to then, unless it is later already.
    pub fn advance_to(&self, then: Timestamp) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if then > *now {
            (self.moved)(then);
            *now = then;
        }
    }

    /// Lets time pass until then; what ends by itself (a call under way) does so in no time.
    pub(super) async fn wait_until(&self, then: Timestamp, for_seat: bool) {
        if for_seat {
            tokio::time::sleep(Duration::from_millis(1)).await;
        } else {
            self.advance_to(then);
            tokio::task::yield_now().await;
        }
    }
}

impl fmt::Debug for SimulatedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimulatedTime").field(&self.now()).finish()
    }
}
