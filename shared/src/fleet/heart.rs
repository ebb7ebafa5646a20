//! Which worker processes are alive: each says so every second. Its claims hold while it is, and are taken over once
//! its last word has run out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::lease::signed;
use super::{read, write};
use crate::failure::Failure;
use crate::record::{PipelineName, WorkerId};
use crate::state::State;

/// How long a worker's last word holds.
const TERM: Duration = Duration::from_secs(5);

/// How often it says the next one.
const BEAT: Duration = Duration::from_secs(1);

/// Words of the dead are kept for a while, for whoever looks.
const KEPT: Duration = Duration::from_hours(1);

/// What a worker process says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Which worker.
    pub worker: WorkerId,
    /// Until when this holds.
    pub until: Timestamp,
    /// Since when it works.
    pub started: Timestamp,
    /// Its version of catalog-sync.
    pub version: String,
    /// Its pipelines, and whether it works on each now.
    pub lanes: Vec<(PipelineName, String, bool)>,
    /// Jobs that it has in hand.
    #[serde(default)]
    pub in_flight: u64,
    /// Jobs that it has settled.
    pub settled: u64,
    /// When it last settled one.
    pub last_settled: Option<Timestamp>,
}

impl Presence {
    /// All that have said something in the last hour, by name; the dead among them have `until` in the past.
    ///
    /// # Errors
    /// The state's.
    pub async fn all(state: &State) -> Result<Vec<Self>, Failure> {
        Ok(state.memos("worker/").await?.iter().filter_map(|(_, text)| read(text)).collect())
    }

    /// Forgets what has been silent for an hour.
    ///
    /// # Errors
    /// The state's.
    pub async fn forget_the_dead(state: &State) -> Result<(), Failure> {
        let now = state.now().await?;
        for (name, text) in state.memos("worker/").await? {
            let silent = read::<Self>(&text).is_none_or(|known| known.until + signed(KEPT) < now);
            if silent {
                state.swap_memo(&name, Some(&text), None).await?;
            }
        }
        Ok(())
    }
}

/// Beats for a worker process until it is dropped.
#[derive(Debug, Clone)]
pub struct Heart(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    says: Mutex<Presence>,
    sure_until: Mutex<Instant>,
    stop: CancellationToken,
    _stopped: DropGuard,
}

impl Heart {
    /// Says the first word and begins to beat.
    ///
    /// # Errors
    /// The state's.
    pub async fn start(state: &State, worker: WorkerId) -> Result<Self, Failure> {
        let started = state.now().await?;
        let says = Presence {
            worker,
            until: started,
            started,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            lanes: Vec::new(),
            in_flight: 0,
            settled: 0,
            last_settled: None,
        };
        let stop = CancellationToken::new();
        let inner = Arc::new(Inner {
            says: Mutex::new(says),
            sure_until: Mutex::new(Instant::now()),
            _stopped: stop.clone().drop_guard(),
            stop: stop.clone(),
        });
        inner.beat(state).await?;
        let (weak, state) = (Arc::downgrade(&inner), state.clone());
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(BEAT);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                let Some(inner) = weak.upgrade() else { return };
                // The state's own patience is longer than a beat: it is asked again in time either way.
                match tokio::time::timeout(TERM, inner.beat(&state)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(failure)) => tracing::warn!("the state does not hear this worker: {failure:#}"),
                    Err(_) => tracing::warn!("the state does not hear this worker: no answer"),
                }
            }
        });
        Ok(Self(inner))
    }

    /// Whether the state has heard this worker lately enough that nobody takes its claims over.
    pub fn is_heard(&self) -> bool {
        Instant::now() < *lock(&self.0.sure_until)
    }

    /// Changes what is said from the next beat on.
    pub fn say(&self, change: impl FnOnce(&mut Presence)) {
        change(&mut lock(&self.0.says));
    }

    /// Which worker this is.
    pub fn worker(&self) -> WorkerId {
        lock(&self.0.says).worker.clone()
    }

    /// The last word: its claims are free at once.
    ///
    /// # Errors
    /// The state's; then they are free when the last beat runs out.
    pub async fn stop(&self, state: &State) -> Result<(), Failure> {
        self.0.stop.cancel();
        state.set_memo(&name_of(&self.worker()), None).await
    }
}

impl Inner {
    async fn beat(&self, state: &State) -> Result<(), Failure> {
        let asked = Instant::now();
        let now = state.now().await?;
        let (name, text) = {
            let mut says = lock(&self.says);
            says.until = now + signed(TERM);
            (name_of(&says.worker), write(&*says))
        };
        state.set_memo(&name, Some(&text)).await?;
        *lock(&self.sure_until) = asked + TERM;
        Ok(())
    }
}

fn name_of(worker: &WorkerId) -> String {
    format!("worker/{worker}")
}

/// Nothing of ours panics while it holds one of these.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_worker_is_heard_until_it_stops() {
        let state = State::open_memory().await.unwrap();
        let heart = Heart::start(&state, "host-1".parse().unwrap()).await.unwrap();
        heart.say(|presence| presence.settled = 7);
        assert!(heart.is_heard());
        let begun = Instant::now();
        while Presence::all(&state).await.unwrap().first().is_none_or(|known| known.settled != 7) {
            assert!(begun.elapsed() < TERM * 4, "the next beat did not come");
            tokio::time::sleep(BEAT / 10).await;
        }
        let said = Presence::all(&state).await.unwrap().remove(0);
        assert!(said.until > state.now().await.unwrap());
        heart.stop(&state).await.unwrap();
        assert_eq!(Presence::all(&state).await.unwrap(), []);
    }

    #[tokio::test]
    async fn the_long_dead_are_forgotten_and_the_living_are_not() {
        let state = State::open_memory().await.unwrap();
        let _heart = Heart::start(&state, "alive".parse().unwrap()).await.unwrap();
        let mut said = Presence::all(&state).await.unwrap().remove(0);
        said.worker = "dead".parse().unwrap();
        said.until = state.now().await.unwrap() - signed(KEPT) - signed(BEAT);
        state.set_memo("worker/dead", Some(&write(&said))).await.unwrap();
        state.set_memo("worker/garbage", Some("?")).await.unwrap();
        Presence::forget_the_dead(&state).await.unwrap();
        let left: Vec<String> =
            state.memos("worker/").await.unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(left, ["worker/alive"]);
    }
}
