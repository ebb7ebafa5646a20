//! A lease: what one process at a time may do. Whoever holds it renews it; a dead holder's runs out.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{read, write};
use crate::failure::Failure;
use crate::state::State;

/// A lease is renewed this often within its term.
const RENEWALS: u32 = 4;

/// Who holds a lease, as it stands in the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseHolder {
    /// The process, in words: role, host and number.
    pub holder: String,
    /// Counts the holders: a later one has a higher number.
    pub token: u64,
    /// Since when.
    pub since: Timestamp,
    /// Until when, unless it is renewed.
    pub until: Timestamp,
}

/// A lease that was taken.
#[derive(Debug)]
pub struct Lease {
    state: State,
    name: String,
    term: Duration,
    note: LeaseHolder,
    /// Local time until which nobody else can have taken it.
    sure_until: Instant,
}

impl Lease {
    /// Takes the lease for a term, where nobody holds it.
    ///
    /// # Errors
    /// The state's. The inner error is whoever holds it.
    pub async fn take(
        state: &State,
        name: &str,
        holder: &str,
        term: Duration,
    ) -> Result<Result<Self, LeaseHolder>, Failure> {
        let name = format!("lease/{name}");
        loop {
            let asked = Instant::now();
            let now = state.now().await?;
            let before = state.memo(&name).await?;
            let known: Option<LeaseHolder> = before.as_deref().and_then(read);
            if let Some(known) = &known
                && known.until > now
            {
                return Ok(Err(known.clone()));
            }
            let token = known.map_or(1, |known| known.token.saturating_add(1));
            let note =
                LeaseHolder { holder: holder.to_owned(), token, since: now, until: now + signed(term) };
            if state.swap_memo(&name, before.as_deref(), Some(&write(&note))).await? {
                let state = state.clone();
                return Ok(Ok(Self { state, name, term, note, sure_until: asked + term }));
            }
        }
    }

    /// Counts the holders: a later one has a higher number.
    pub fn token(&self) -> u64 {
        self.note.token
    }

    /// Another term from now. `false`: it ran out, and somebody else took it or the state was wiped.
    pub async fn renew(&mut self) -> Result<bool, Failure> {
        let asked = Instant::now();
        let next = LeaseHolder { until: self.state.now().await? + signed(self.term), ..self.note.clone() };
        let renewed = self.state.swap_memo(&self.name, Some(&write(&self.note)), Some(&write(&next))).await?;
        if renewed {
            self.note = next;
            self.sure_until = asked + self.term;
        }
        Ok(renewed)
    }

    /// Lets the next one in at once.
    pub async fn give_up(self) -> Result<(), Failure> {
        self.state.swap_memo(&self.name, Some(&write(&self.note)), None).await.map(|_| ())
    }

    /// Renews it by itself, until it is dropped or given up.
    pub fn keep(self) -> KeptLease {
        let lost = CancellationToken::new();
        let stop = CancellationToken::new();
        let task = tokio::spawn(renewing(self, lost.clone(), stop.clone()));
        KeptLease { lost, stop: stop.drop_guard(), task }
    }
}

/// A lease that renews itself. Dropped, it is given up as soon as the state can be reached.
#[derive(Debug)]
pub struct KeptLease {
    lost: CancellationToken,
    stop: DropGuard,
    task: tokio::task::JoinHandle<()>,
}

impl KeptLease {
    /// Cancelled once somebody else may have the lease: before that happens, unless this process sleeps.
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Gives it up and waits until the state knows.
    pub async fn give_up(self) {
        drop(self.stop);
        drop(self.task.await);
    }
}

async fn renewing(mut lease: Lease, lost: CancellationToken, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(lease.term / RENEWALS);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let due = lease.sure_until;
        let renewed = tokio::select! {
            () = stop.cancelled() => break,
            renewed = tokio::time::timeout_at(due, lease.renew()) => renewed,
        };
        match renewed {
            Ok(Ok(true)) => continue,
            Ok(Err(failure)) if Instant::now() < due => {
                tracing::warn!(lease = lease.name, "a lease could not be renewed yet: {failure:#}");
                continue;
            }
            Ok(Ok(false) | Err(_)) | Err(_) => {}
        }
        tracing::warn!(lease = lease.name, "a lease was lost");
        lost.cancel();
        return;
    }
    if let Err(failure) = lease.give_up().await {
        tracing::debug!("a lease could not be given up, it runs out by itself: {failure:#}");
    }
}

/// Spans of leases are seconds.
pub(super) fn signed(span: Duration) -> SignedDuration {
    SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Duration = Duration::from_mins(1);

    async fn state() -> State {
        State::open_memory().await.unwrap()
    }

    #[tokio::test]
    async fn one_at_a_time_holds_it_and_the_other_learns_who() {
        let state = state().await;
        let first = Lease::take(&state, "producer", "a", TERM).await.unwrap().unwrap();
        let holder = Lease::take(&state, "producer", "b", TERM).await.unwrap().unwrap_err();
        assert_eq!((holder.holder.as_str(), holder.token), ("a", 1));
        assert!(Lease::take(&state, "other", "b", TERM).await.unwrap().is_ok(), "another lease");
        first.give_up().await.unwrap();
        assert!(Lease::take(&state, "producer", "b", TERM).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn one_that_ran_out_is_taken_over_and_cannot_be_renewed() {
        let state = state().await;
        let mut first = Lease::take(&state, "producer", "a", Duration::ZERO).await.unwrap().unwrap();
        let mut second = Lease::take(&state, "producer", "b", TERM).await.unwrap().unwrap();
        assert!(second.token() > first.token());
        assert!(!first.renew().await.unwrap());
        assert!(second.renew().await.unwrap());
        first.give_up().await.unwrap();
        assert!(second.renew().await.unwrap(), "giving up what was lost takes nothing from the next holder");
    }

    #[tokio::test]
    async fn a_kept_one_outlives_its_term_and_says_when_it_is_lost() {
        let state = state().await;
        let term = Duration::from_millis(400);
        let kept = Lease::take(&state, "producer", "a", term).await.unwrap().unwrap().keep();
        let begun = Instant::now();
        while begun.elapsed() < term * 3 {
            assert!(Lease::take(&state, "producer", "b", term).await.unwrap().is_err());
            tokio::time::sleep(term / 8).await;
        }
        state.set_memo("lease/producer", None).await.unwrap();
        tokio::time::timeout(TERM, kept.lost().cancelled()).await.unwrap();
    }

    #[tokio::test]
    async fn a_kept_one_that_is_dropped_lets_the_next_in_before_its_term() {
        let state = state().await;
        let kept = Lease::take(&state, "producer", "a", TERM).await.unwrap().unwrap().keep();
        kept.give_up().await;
        assert!(Lease::take(&state, "producer", "b", TERM).await.unwrap().is_ok());
    }
}
