//! Consumers of the memory queue and what they hold of a delivery.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::lane::{InFlight, Lane, Waiting};
use super::{Delivery, Handle};
use crate::job::Job;

/// A delay that no process outlives; `Instant` cannot hold every `Duration`.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// Takes deliveries of one pipeline and kind.
#[derive(Debug)]
pub struct MemoryConsumer {
    lane: Arc<Lane>,
    number: u64,
    prefetch: Arc<Semaphore>,
}

impl MemoryConsumer {
    pub(super) fn new(lane: Arc<Lane>, prefetch: usize) -> Self {
        let number = lane.lock().next_number();
        let prefetch = Arc::new(Semaphore::new(prefetch.clamp(1, Semaphore::MAX_PERMITS)));
        Self { lane, number, prefetch }
    }

    pub(in crate::queue) async fn next(&mut self) -> Option<Delivery> {
        let mut slot = match Arc::clone(&self.prefetch).try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => self.free_slot().await?,
        };
        loop {
            // Listens before it looks: a notification to all reaches it from here on, one to a single consumer is kept.
            let lane = Arc::clone(&self.lane);
            let changed = lane.changed.notified();
            let due = match self.take(slot) {
                Ok(delivery) => return Some(delivery),
                Err(Nothing::Closed) => return None,
                Err(Nothing::Yet { slot: unused, due }) => {
                    slot = unused;
                    due
                }
            };
            match due {
                // Either way it looks again.
                Some(due) => tokio::time::timeout_at(due, changed).await.unwrap_or(()),
                None => changed.await,
            }
        }
    }

    pub(in crate::queue) fn try_next(&mut self) -> Option<Delivery> {
        let slot = Arc::clone(&self.prefetch).try_acquire_owned().ok()?;
        self.take(slot).ok()
    }

    /// Waits until one of the unsettled deliveries is settled; `None` where the queue is closed first.
    async fn free_slot(&self) -> Option<OwnedSemaphorePermit> {
        let slot = Arc::clone(&self.prefetch).acquire_owned();
        self.lane.closing.run_until_cancelled(slot).await?.ok()
    }

    fn take(&self, slot: OwnedSemaphorePermit) -> Result<Delivery, Nothing> {
        let mut jobs = self.lane.lock();
        if jobs.closed {
            return Err(Nothing::Closed);
        }
        jobs.promote();
        let Some(Waiting { job, redelivered, hold }) = jobs.ready.pop_front() else {
            let due = jobs.delayed.first_key_value().map(|((due, _), _)| *due);
            return Err(Nothing::Yet { slot, due });
        };
        let number = jobs.next_number();
        let copy = job.clone();
        jobs.in_flight.insert(number, InFlight { consumer: self.number, job, hold });
        drop(jobs);
        let handle = MemoryHandle { lane: Arc::clone(&self.lane), delivery: number, _slot: slot };
        Ok(Delivery { job: Ok(copy), redelivered, handle: Handle::Memory(handle) })
    }
}

impl Drop for MemoryConsumer {
    fn drop(&mut self) {
        let jobs = self.lane.lock();
        let mine: Vec<u64> = jobs
            .in_flight
            .iter()
            .filter(|(_, in_flight)| in_flight.consumer == self.number)
            .map(|(delivery, _)| *delivery)
            .collect();
        drop(jobs);
        // The newest first, so that the oldest ends at the head.
        mine.into_iter().rev().for_each(|delivery| self.lane.give_back(delivery));
    }
}

/// Why there is no delivery.
enum Nothing {
    /// None is ready; the first of those that wait for a retry is due then.
    Yet { slot: OwnedSemaphorePermit, due: Option<Instant> },
    /// There will be none any more.
    Closed,
}

/// One delivery's hold on its job. Dropped without being settled, it gives the job back.
#[derive(Debug)]
pub(in crate::queue) struct MemoryHandle {
    lane: Arc<Lane>,
    delivery: u64,
    _slot: OwnedSemaphorePermit,
}

impl MemoryHandle {
    pub(in crate::queue) fn ack(self) -> bool {
        let settled = self.lane.lock().in_flight.remove(&self.delivery);
        match settled {
            // Nobody may be waiting for the receipt: that is no failure.
            Some(InFlight { hold, .. }) => {
                hold.durable.send(()).ok();
                true
            }
            None => false,
        }
    }

    pub(in crate::queue) fn give_back(self) {
        drop(self);
    }

    pub(in crate::queue) fn retry(self, next: Job, delay: Duration) {
        self.delay(Some(next), delay);
    }

    pub(in crate::queue) fn postpone(self, delay: Duration) {
        self.delay(None, delay);
    }

    /// The receipt fails.
    pub(in crate::queue) fn refuse(self) {
        self.lane.lock().in_flight.remove(&self.delivery);
    }

    fn delay(self, next: Option<Job>, delay: Duration) {
        let mut jobs = self.lane.lock();
        let Some(InFlight { job, hold, .. }) = jobs.in_flight.remove(&self.delivery) else {
            return;
        };
        let number = jobs.next_number();
        let due = Instant::now() + delay.min(FOREVER);
        let job = next.unwrap_or(job);
        jobs.delayed.insert((due, number), Waiting { job, redelivered: false, hold });
        drop(jobs);
        // Everybody who waits has to set a timer: whoever has one may stop waiting before it fires.
        self.lane.changed.notify_waiters();
    }
}

impl Drop for MemoryHandle {
    fn drop(&mut self) {
        self.lane.give_back(self.delivery);
    }
}
