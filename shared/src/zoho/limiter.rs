//! How many calls we make: so many in a minute, so many at once, and none while Zoho refuses them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::quota::{Limits, Quota};
use crate::failure::{Class, Failure, Reason};

/// The window that calls are counted in.
const MINUTE: Duration = Duration::from_mins(1);

/// One client's share of an organisation's calls.
#[derive(Debug)]
pub(super) struct Limiter {
    concurrent: Arc<Semaphore>,
    /// Locked while waiting, so that calls begin in the order in which they came.
    recent: Mutex<Recent>,
    limits: StdMutex<Limits>,
}

/// A call may be made; given back when dropped.
#[derive(Debug)]
pub(super) struct Admission {
    _permit: OwnedSemaphorePermit,
}

impl Limiter {
    /// Of both at least one: with none, nothing would ever be called.
    pub(super) fn new(calls_per_minute: usize, concurrent_calls: usize) -> Self {
        Self {
            concurrent: Arc::new(Semaphore::new(concurrent_calls.clamp(1, Semaphore::MAX_PERMITS))),
            recent: Mutex::new(Recent::new(calls_per_minute.max(1))),
            limits: StdMutex::default(),
        }
    }

    /// Waits until a call may be made.
    ///
    /// # Errors
    /// `Throttled` with the time that is left, at once, while Zoho refuses calls: its blocks last up to a day.
    pub(super) async fn admit(&self) -> Result<Admission, Failure> {
        self.open()?;
        let permit = Arc::clone(&self.concurrent)
            .acquire_owned()
            .await
            .map_err(|_| Failure::interrupted("stopped before the call"))?;
        let mut recent = self.recent.lock().await;
        while let Some(wait) = recent.enter(Instant::now()) {
            tokio::time::sleep(wait).await;
        }
        drop(recent);
        // Another call may have met the block while this one waited.
        self.open()?;
        Ok(Admission { _permit: permit })
    }

    /// What is known.
    pub(super) fn limits(&self) -> Limits {
        *self.locked()
    }

    /// Keeps what an answer told.
    pub(super) fn learn(&self, quota: Quota) {
        self.locked().day = Some(quota);
    }

    /// Refuses calls for a while; a longer block is never shortened.
    pub(super) fn block(&self, wait: Duration, daily: bool) {
        let Ok(until) = Timestamp::now().checked_add(wait) else {
            return;
        };
        let mut limits = self.locked();
        if limits.blocked_until.is_none_or(|known| known < until) {
            limits.blocked_until = Some(until);
            limits.daily = daily;
        }
    }

    fn open(&self) -> Result<(), Failure> {
        let now = Timestamp::now();
        let mut limits = self.locked();
        let Some(until) = limits.blocked_until else {
            return Ok(());
        };
        let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        if left.is_zero() {
            limits.blocked_until = None;
            limits.daily = false;
            return Ok(());
        }
        Err(blocked(until, limits.daily).after(left))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn blocked(until: Timestamp, daily: bool) -> Failure {
    let until = until.strftime("%Y-%m-%d %H:%M:%S UTC");
    let what = if daily {
        format!("the Zoho organisation has used up the calls of its day; they come back at {until}")
    } else {
        format!("Zoho refuses calls of this organisation until {until}")
    };
    Failure::new(Class::Throttled, Reason::Throttled, what)
}

/// When the newest calls were made.
#[derive(Debug)]
struct Recent {
    most: usize,
    calls: VecDeque<Instant>,
}

impl Recent {
    fn new(most: usize) -> Self {
        Self { most, calls: VecDeque::new() }
    }

    /// Counts a call that is made now; or says how long to wait before asking again.
    fn enter(&mut self, now: Instant) -> Option<Duration> {
        while self.calls.front().is_some_and(|call| now.duration_since(*call) >= MINUTE) {
            self.calls.pop_front();
        }
        match self.calls.front() {
            Some(oldest) if self.calls.len() >= self.most => {
                Some(MINUTE.saturating_sub(now.duration_since(*oldest)))
            }
            _ => {
                self.calls.push_back(now);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_slides_with_the_oldest_call() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut recent = Recent::new(2);
        assert_eq!(recent.enter(at(0)), None);
        assert_eq!(recent.enter(at(10)), None);
        assert_eq!(recent.enter(at(20)), Some(Duration::from_secs(40)));
        assert_eq!(recent.enter(at(60)), None);
        assert_eq!(recent.enter(at(61)), Some(Duration::from_secs(9)));
        assert_eq!(recent.enter(at(70)), None);
        assert!(recent.calls.len() <= 2);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_beyond_the_minute_wait_and_do_not_fail() {
        let limiter = Limiter::new(3, 5);
        let start = Instant::now();
        for _ in 0..7 {
            limiter.admit().await.unwrap();
        }
        assert_eq!(start.elapsed().as_secs(), 120);
    }

    #[tokio::test(start_paused = true)]
    async fn call_beyond_those_at_once_waits_for_one_to_end() {
        let limiter = Arc::new(Limiter::new(100, 1));
        let first = limiter.admit().await.unwrap();
        let second = tokio::spawn({
            let limiter = Arc::clone(&limiter);
            async move { limiter.admit().await.is_ok() }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        assert!(second.await.unwrap());
    }

    #[tokio::test]
    async fn block_fails_calls_at_once_and_is_never_shortened() {
        let limiter = Limiter::new(100, 5);
        limiter.block(Duration::from_hours(1), true);
        limiter.block(Duration::from_mins(1), false);
        let failure = limiter.admit().await.unwrap_err();
        assert_eq!(failure.class, Class::Throttled);
        assert!(failure.retry_after.unwrap() > Duration::from_mins(59));
        assert!(limiter.limits().daily);
        assert!(failure.to_string().contains("calls of its day"), "{failure}");
    }

    #[tokio::test]
    async fn block_that_is_over_is_forgotten() {
        let limiter = Limiter::new(100, 5);
        limiter.block(Duration::ZERO, true);
        limiter.admit().await.unwrap();
        assert_eq!(limiter.limits(), Limits::default());
    }
}
