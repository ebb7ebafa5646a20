//! The jobs of one pipeline and kind: ready, in flight and waiting for a retry.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::job::Job;

/// The jobs of one pipeline and kind.
#[derive(Debug)]
pub(super) struct Lane {
    /// Fair: publishers get places in the order in which they came.
    pub(super) places: Arc<Semaphore>,
    jobs: Mutex<Jobs>,
    /// To consumers that wait for a job: one of them where a job became ready; all where a timer changed or the queue
    /// was closed.
    pub(super) changed: Notify,
    /// To consumers whose prefetch is used up: they must not take a notification that is meant for the others.
    pub(super) closing: CancellationToken,
}

#[derive(Debug, Default)]
pub(super) struct Jobs {
    pub(super) ready: VecDeque<Waiting>,
    /// By due time, then in order of arrival.
    pub(super) delayed: BTreeMap<(Instant, u64), Waiting>,
    /// By delivery number.
    pub(super) in_flight: BTreeMap<u64, InFlight>,
    /// Counts deliveries, delays and consumers.
    number: u64,
    pub(super) closed: bool,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) job: Job,
    pub(super) redelivered: bool,
    pub(super) hold: Hold,
}

#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) consumer: u64,
    pub(super) job: Job,
    pub(super) hold: Hold,
}

/// What a job holds until it is settled. Dropped unsettled, its receipt fails.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) durable: oneshot::Sender<()>,
    /// Free for the next publisher when it is dropped.
    pub(super) _place: OwnedSemaphorePermit,
}

impl Lane {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(capacity)),
            jobs: Mutex::default(),
            changed: Notify::new(),
            closing: CancellationToken::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn close(&self) {
        self.places.close();
        let mut jobs = self.lock();
        jobs.closed = true;
        jobs.ready.clear();
        jobs.delayed.clear();
        jobs.in_flight.clear();
        drop(jobs);
        self.closing.cancel();
        self.changed.notify_waiters();
    }

    /// Puts an unsettled delivery back to the head; nothing where it has been settled or given back before.
    pub(super) fn give_back(&self, delivery: u64) {
        let mut jobs = self.lock();
        let Some(InFlight { job, hold, .. }) = jobs.in_flight.remove(&delivery) else {
            return;
        };
        jobs.ready.push_front(Waiting { job, redelivered: true, hold });
        drop(jobs);
        self.changed.notify_one();
    }
}

impl Jobs {
    pub(super) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Moves what has waited long enough to the end of the ready jobs.
    pub(super) fn promote(&mut self) {
        let now = Instant::now();
        while let Some(first) = self.delayed.first_entry()
            && first.key().0 <= now
        {
            self.ready.push_back(first.remove());
        }
    }
}
