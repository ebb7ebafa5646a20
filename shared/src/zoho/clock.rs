//! The clock that all who call an organisation go by: the state's, carried on by a steady one between two looks at it. What
//! this machine believes the time is does not matter.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::failure::Failure;
use crate::state::State;

/// How long the state's clock is carried on before it is looked at again.
const LOOK: Duration = Duration::from_secs(10);

/// Clocks that are corrected in small steps are no reason for distrust.
const JUMP: SignedDuration = SignedDuration::from_secs(2);

/// The time, and whether it can be compared with what was told before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) now: Timestamp,
    /// More time went by than passed here: the clock was put forward, or this machine slept.
    pub(super) jumped: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Clock {
    anchor: Mutex<Option<Anchor>>,
    #[cfg(any(test, feature = "simulation"))]
    simulated: Option<std::sync::Arc<super::SimulatedTime>>,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    state: Timestamp,
    here: Timestamp,
    steady: Instant,
}

impl Anchor {
    /// The state's time now, unless too much happened since.
    fn carried_on(self) -> Option<Timestamp> {
        let passed = self.steady.elapsed();
        let shown = Timestamp::now().duration_since(self.here);
        let strange = (shown - signed(passed)).abs() > JUMP;
        (passed < LOOK && !strange).then(|| self.state.saturating_add(signed(passed)).unwrap_or(self.state))
    }
}

impl Clock {
    /// A clock of one's own, for tests that live through days.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn simulated(time: std::sync::Arc<super::SimulatedTime>) -> Self {
        Self { anchor: Mutex::default(), simulated: Some(time) }
    }

    /// The state's time now.
    ///
    /// # Errors
    /// The state's.
    pub(super) async fn read(&self, state: &State) -> Result<Reading, Failure> {
        #[cfg(any(test, feature = "simulation"))]
        if let Some(time) = &self.simulated {
            return Ok(Reading { now: time.now(), jumped: false });
        }
        let before = *self.locked();
        if let Some(now) = before.and_then(Anchor::carried_on) {
            return Ok(Reading { now, jumped: false });
        }
        let now = state.now().await?;
        let anchor = Anchor { state: now, here: Timestamp::now(), steady: Instant::now() };
        *self.locked() = Some(anchor);
        let jumped = before
            .is_some_and(|before| now.duration_since(before.state) - signed(before.steady.elapsed()) > JUMP);
        Ok(Reading { now, jumped })
    }

    /// The state's time now as far as it is known here.
    pub(super) fn carried_on(&self) -> Timestamp {
        #[cfg(any(test, feature = "simulation"))]
        if let Some(time) = &self.simulated {
            return time.now();
        }
        self.locked().map_or_else(Timestamp::now, |anchor| {
            anchor.state.saturating_add(signed(anchor.steady.elapsed())).unwrap_or(anchor.state)
        })
    }

    /// Lets time pass until a little after then. `for_seat`: for a call that ends by itself, where that comes earlier.
    pub(super) async fn wait_until(&self, then: Timestamp, for_seat: bool) {
        #[cfg(any(test, feature = "simulation"))]
        if let Some(simulated) = &self.simulated {
            return simulated.wait_until(then, for_seat).await;
        }
        let _ = for_seat;
        let time = Duration::try_from(then.duration_since(self.carried_on())).unwrap_or_default();
        tokio::time::sleep(jittered(time)).await;
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Anchor>> {
        self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Up to half a second more: what all of a fleet wait for comes at one moment, and not all of them are to ask for it at once.
pub(super) fn jittered(time: Duration) -> Duration {
    let part = RandomState::new().hash_one(0) % 256;
    time + (time.min(Duration::from_secs(1)) / 512) * u32::try_from(part).unwrap_or(0)
}

/// So much later; the end of time where there is no such time.
pub(super) fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn signed(span: Duration) -> SignedDuration {
    SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn time_goes_on_without_asking_the_state_and_is_asked_anew_after_a_jump() {
        let (state, clock) = (State::open_memory().await.unwrap(), Clock::default());
        let first = clock.read(&state).await.unwrap();
        assert!(!first.jumped);
        let hour = SignedDuration::from_hours(1);
        // The state's clock is another one than this machine's.
        let anchor = clock.locked().unwrap();
        *clock.locked() = Some(Anchor { state: first.now - hour, ..anchor });
        let carried = clock.read(&state).await.unwrap();
        assert!(carried.now < first.now && !carried.jumped, "the state is not asked again");
        // This machine's clock was moved: whether the state's was, only it can say.
        *clock.locked() = Some(Anchor { state: first.now - hour, here: anchor.here - hour, ..anchor });
        let asked = clock.read(&state).await.unwrap();
        assert!(asked.now >= first.now && asked.jumped);
    }
}
