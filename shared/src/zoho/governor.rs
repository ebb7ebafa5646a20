//! Who may call Zoho now: one budget of the organisation in the state, changed by compare-and-swap, so that all processes of a
//! fleet together keep Zoho's limits. On one machine it is the same over the file.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, Notify};

use super::budget::{Allowed, Budget, Ended, Told, Verdict, Why};
use super::class::CallClass;
use super::clock::{Clock, jittered};
use super::config::ZohoConfig;
use super::place::Place;
use super::quota::{Limits, Quota};
use crate::failure::{Class, Failure, Reason};
use crate::state::State;
use crate::utc::in_utc;

/// A seat is renewed this often while its call is under way: well before it runs out.
const RENEW: Duration = Duration::from_secs(2);

/// One process's part in the budget of an organisation. Its clients share it.
#[derive(Debug)]
pub(super) struct Governor {
    state: State,
    /// Name of the memo.
    name: String,
    allowed: Allowed,
    clock: Arc<Clock>,
    /// One change of this process at a time: it does not compete with itself.
    line: Mutex<()>,
    /// Changes that have not looked yet at what ended here.
    coming: AtomicUsize,
    known: StdMutex<Known>,
    /// A call of this process ended.
    freed: Notify,
}

/// What this process knows.
#[derive(Debug, Default)]
struct Known {
    /// As it was last read or written here.
    budget: Budget,
    /// Its text, as long as nobody but this process seems to write it.
    text: Option<String>,
    /// Calls that ended and of which the state does not know yet.
    ended: Vec<Ended>,
}

/// A change that will note what ended here. Dropped: it has, or never will.
struct Coming<'a>(&'a AtomicUsize);

impl<'a> Coming<'a> {
    fn new(coming: &'a AtomicUsize) -> Self {
        coming.fetch_add(1, Ordering::SeqCst);
        Self(coming)
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A call may be made. Dropped without [`Governor::end`], its call was broken off.
#[derive(Debug)]
pub(super) struct Admission<'a> {
    governor: &'a Governor,
    ended: Ended,
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        self.governor.locked().ended.push(self.ended);
        self.governor.freed.notify_one();
    }
}

impl Governor {
    /// Of the organisation that `identity` names.
    pub(super) fn new(state: State, identity: &str, config: &ZohoConfig, clock: Arc<Clock>) -> Self {
        let many = |number: usize| number.max(1) as u64;
        Self {
            state,
            name: memo_name(identity),
            allowed: Allowed {
                per_minute: many(config.calls_per_minute),
                at_once: many(config.concurrent_calls),
                reserve_percent: config.reserve_percent,
            },
            clock,
            line: Mutex::default(),
            coming: AtomicUsize::new(0),
            known: StdMutex::default(),
            freed: Notify::new(),
        }
    }

    /// Waits until a call may be made.
    ///
    /// # Errors
    /// `Throttled` with the time that is left, at once, while Zoho refuses calls, or what is left of the day is not for
    /// calls of this class: that lasts up to a day. The state's.
    pub(super) async fn admit(&self, class: CallClass) -> Result<Admission<'_>, Failure> {
        loop {
            match self.change(|budget, now| budget.admit(class, self.allowed, now)).await? {
                Verdict::Go(seat) => {
                    let ended = Ended { seat, quota: None, told: Told::Nothing };
                    return Ok(Admission { governor: self, ended });
                }
                Verdict::Refused { until, left, why } => return Err(refused(until, why).after(left)),
                Verdict::Wait { until, seat: false } => self.clock.wait_until(until, false).await,
                Verdict::Wait { until, seat: true } => tokio::select! {
                    () = self.freed.notified() => {}
                    () = self.clock.wait_until(until, true) => {}
                },
            }
        }
    }

    /// Whether calls of this class are made at present.
    ///
    /// # Errors
    /// As [`Governor::admit`] refuses them.
    pub(super) async fn allows(&self, class: CallClass) -> Result<(), Failure> {
        match self.change(|budget, now| budget.closed(class, self.allowed, now)).await? {
            Some(Verdict::Refused { until, left, why }) => Err(refused(until, why).after(left)),
            _ => Ok(()),
        }
    }

    /// Keeps the seat of a call while it is under way.
    pub(super) async fn during<T>(&self, admission: &Admission<'_>, call: impl Future<Output = T>) -> T {
        let renewing = async {
            loop {
                tokio::time::sleep(RENEW).await;
                let renewed = self.change(|budget, now| budget.renew(admission.ended.seat, now)).await;
                if let Err(failure) = renewed {
                    tracing::debug!("a call's place could not be renewed: {failure:#}");
                }
            }
        };
        tokio::select! {
            biased;
            result = call => result,
            () = renewing => unreachable!("it renews for ever"),
        }
    }

    /// The call of an admission ended, and told this. A state that is away is told by a later call; and where another change
    /// of this process is on its way, that one tells what went well: a busy process asks the state once for each call.
    pub(super) async fn end(&self, mut admission: Admission<'_>, quota: Option<Quota>, told: Told) {
        admission.ended = Ended { quota, told, ..admission.ended };
        drop(admission);
        if told == Told::Well && self.coming.load(Ordering::SeqCst) > 0 {
            return;
        }
        if let Err(failure) = self.change(|_, _| ()).await {
            tracing::debug!("the end of a call could not be noted yet: {failure:#}");
        }
    }

    /// What is known here.
    pub(super) fn limits(&self) -> Limits {
        let now = self.clock.carried_on();
        self.locked().budget.limits(now)
    }

    pub(super) fn reserve_percent(&self) -> u8 {
        self.allowed.reserve_percent
    }

    /// How long Zoho refuses calls, as far as is known here.
    pub(super) fn blocked_for(&self) -> Option<Duration> {
        let now = self.clock.carried_on();
        let until = self.locked().budget.limits(now).blocked_until?;
        Duration::try_from(until.duration_since(now)).ok()
    }

    /// Changes the budget, with what ended before; `change` may be called more than once.
    async fn change<T>(&self, mut change: impl FnMut(&mut Budget, Timestamp) -> T) -> Result<T, Failure> {
        let mut coming = Some(Coming::new(&self.coming));
        let _line = self.line.lock().await;
        loop {
            let reading = self.clock.read(&self.state).await?;
            // Where nobody else calls this organisation, the state has what was written last, and the swap proves it.
            let guessed = self.locked().text.take();
            let is_guess = guessed.is_some();
            let before = if is_guess { guessed } else { self.state.memo(&self.name).await? };
            // Before looking: what ends from now on is not noted by this change.
            drop(coming.take());
            let ended = self.locked().ended.clone();
            // A state that was wiped meanwhile is told again.
            let read: Option<Budget> = before.as_deref().and_then(|text| serde_json::from_str(text).ok());
            let mut budget = read.unwrap_or_else(|| self.locked().budget.clone());
            budget.settle(reading.now);
            let settled = budget.clone();
            if reading.jumped {
                budget.distrust_times(reading.now);
            }
            for ended in &ended {
                budget.end(*ended, reading.now);
            }
            let result = change(&mut budget, reading.now);
            let after = serde_json::to_string(&budget).expect("a budget has only text keys");
            // Whoever only waits writes nothing, and waits for nothing that is only guessed.
            let is_written = budget != settled;
            let is_true = if is_written {
                self.state.swap_memo(&self.name, before.as_deref(), Some(&after)).await?
            } else {
                !is_guess
            };
            if is_true {
                let mut known = self.locked();
                known.budget = budget;
                known.text = is_written.then_some(after);
                known.ended.drain(..ended.len());
                return Ok(result);
            }
            if !is_guess {
                tokio::time::sleep(jittered(Duration::from_millis(2))).await;
            }
        }
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the state knows of an organisation's limits; nothing where it was never called.
///
/// # Errors
/// The state's.
pub async fn known_limits(state: &State, place: &Place) -> Result<Limits, Failure> {
    let Some(text) = state.memo(&memo_name(&place.identity())).await? else { return Ok(Limits::default()) };
    let budget: Budget = serde_json::from_str(&text).unwrap_or_default();
    Ok(budget.limits(state.now().await?))
}

/// The memo of an organisation's budget.
fn memo_name(identity: &str) -> String {
    format!("zoho-budget/{identity}")
}

fn refused(until: Timestamp, why: Why) -> Failure {
    let until = in_utc(until);
    let what = match why {
        Why::Minute => format!("Zoho refuses calls of this organisation until {until}"),
        Why::Spent => {
            format!("the Zoho organisation has used up the calls of its day; they come back at {until}")
        }
        Why::Kept => {
            format!(
                "the calls of the Zoho organisation's day are used up but for its reserve; they come back at {until}"
            )
        }
    };
    Failure::new(Class::Throttled, Reason::Throttled, what)
}

#[cfg(test)]
#[path = "governor_tests.rs"]
mod tests;
