//! The queue of a one-machine run: bounded, in this process, gone with it.
//!
//! Each job holds a place of its (pipeline, kind) from the moment it is published until it is acked, wherever it waits
//! meanwhile. Nothing runs in the background: what waits for a retry is moved by whoever looks next.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Delivery, Depth, Handle, Receipt};
use crate::failure::Failure;
use crate::job::{Job, JobKind};
use crate::record::PipelineName;

/// A delay that no process outlives; `Instant` cannot hold every `Duration`.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// Jobs of all pipelines and kinds. Clones share them.
#[derive(Debug, Clone)]
pub struct MemoryQueue {
    lanes: Arc<Mutex<Lanes>>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Lanes {
    by_name: HashMap<(PipelineName, JobKind), Arc<Lane>>,
    closed: bool,
}

/// The jobs of one pipeline and kind.
#[derive(Debug)]
struct Lane {
    /// Fair: publishers get places in the order in which they came.
    places: Arc<Semaphore>,
    jobs: Mutex<Jobs>,
    /// To consumers that wait for a job: one of them where a job became ready; all where a timer changed or the queue
    /// was closed.
    changed: Notify,
    /// To consumers whose prefetch is used up: they must not take a notification that is meant for the others.
    closing: CancellationToken,
}

#[derive(Debug, Default)]
struct Jobs {
    ready: VecDeque<Waiting>,
    /// By due time, then in order of arrival.
    delayed: BTreeMap<(Instant, u64), Waiting>,
    /// By delivery number.
    in_flight: BTreeMap<u64, InFlight>,
    /// Counts deliveries, delays and consumers.
    number: u64,
    closed: bool,
}

#[derive(Debug)]
struct Waiting {
    job: Job,
    redelivered: bool,
    hold: Hold,
}

#[derive(Debug)]
struct InFlight {
    consumer: u64,
    job: Job,
    hold: Hold,
}

/// What a job holds until it is settled. Dropped unsettled, its receipt fails.
#[derive(Debug)]
struct Hold {
    durable: oneshot::Sender<()>,
    _place: OwnedSemaphorePermit,
}

impl MemoryQueue {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            lanes: Arc::default(),
            capacity: capacity.clamp(1, Semaphore::MAX_PERMITS),
        }
    }

    pub(super) async fn publish(&self, job: Job) -> Result<Receipt, Failure> {
        let closed = || Failure::interrupted("the queue was closed before the job was published");
        let lane = self.lane(&job.pipeline, job.kind);
        let place = Arc::clone(&lane.places)
            .acquire_owned()
            .await
            .map_err(|_| closed())?;
        let (durable, receipt) = Receipt::pair();
        let mut jobs = lane.lock();
        if jobs.closed {
            return Err(closed());
        }
        jobs.ready.push_back(Waiting {
            job,
            redelivered: false,
            hold: Hold {
                durable,
                _place: place,
            },
        });
        drop(jobs);
        lane.changed.notify_one();
        Ok(receipt)
    }

    pub(super) fn consume(&self, pipeline: &PipelineName, kind: JobKind, prefetch: usize) -> MemoryConsumer {
        let lane = self.lane(pipeline, kind);
        let number = lane.lock().next_number();
        let prefetch = Arc::new(Semaphore::new(prefetch.clamp(1, Semaphore::MAX_PERMITS)));
        MemoryConsumer {
            lane,
            number,
            prefetch,
        }
    }

    pub(super) fn depth(&self, pipeline: &PipelineName, kind: JobKind) -> Depth {
        let lane = self.lane(pipeline, kind);
        let mut jobs = lane.lock();
        jobs.promote();
        Depth {
            ready: jobs.ready.len(),
            in_flight: jobs.in_flight.len(),
            delayed: jobs.delayed.len(),
        }
    }

    pub(super) fn close(&self) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.closed = true;
        lanes.by_name.values().for_each(|lane| lane.close());
    }

    fn lane(&self, pipeline: &PipelineName, kind: JobKind) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = lanes.closed;
        let lane = lanes.by_name.entry((pipeline.clone(), kind)).or_insert_with(|| {
            let lane = Lane {
                places: Arc::new(Semaphore::new(self.capacity)),
                jobs: Mutex::default(),
                changed: Notify::new(),
                closing: CancellationToken::new(),
            };
            if closed {
                lane.close();
            }
            Arc::new(lane)
        });
        Arc::clone(lane)
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
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
    fn give_back(&self, delivery: u64) {
        let mut jobs = self.lock();
        let Some(InFlight { job, hold, .. }) = jobs.in_flight.remove(&delivery) else {
            return;
        };
        jobs.ready.push_front(Waiting {
            job,
            redelivered: true,
            hold,
        });
        drop(jobs);
        self.changed.notify_one();
    }
}

impl Jobs {
    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Moves what has waited long enough to the end of the ready jobs.
    fn promote(&mut self) {
        let now = Instant::now();
        while let Some(first) = self.delayed.first_entry()
            && first.key().0 <= now
        {
            self.ready.push_back(first.remove());
        }
    }
}

/// Takes deliveries of one pipeline and kind.
#[derive(Debug)]
pub struct MemoryConsumer {
    lane: Arc<Lane>,
    number: u64,
    prefetch: Arc<Semaphore>,
}

impl MemoryConsumer {
    pub(super) async fn next(&mut self) -> Option<Delivery> {
        let mut slot = match Arc::clone(&self.prefetch).try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => self.free_slot().await?,
        };
        loop {
            // Listens before it looks, so that nothing that happens in between is missed.
            let lane = Arc::clone(&self.lane);
            let changed = lane.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
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

    pub(super) fn try_next(&mut self) -> Option<Delivery> {
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
        let Some(Waiting {
            job,
            redelivered,
            hold,
        }) = jobs.ready.pop_front()
        else {
            let due = jobs.delayed.first_key_value().map(|((due, _), _)| *due);
            return Err(Nothing::Yet { slot, due });
        };
        let number = jobs.next_number();
        let copy = job.clone();
        jobs.in_flight.insert(
            number,
            InFlight {
                consumer: self.number,
                job,
                hold,
            },
        );
        drop(jobs);
        let handle = MemoryHandle {
            lane: Arc::clone(&self.lane),
            delivery: number,
            _slot: slot,
        };
        Ok(Delivery {
            job: Ok(copy),
            redelivered,
            handle: Handle::Memory(handle),
        })
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
        mine.into_iter()
            .rev()
            .for_each(|delivery| self.lane.give_back(delivery));
    }
}

/// Why there is no delivery.
enum Nothing {
    /// None is ready; the first of those that wait for a retry is due then.
    Yet {
        slot: OwnedSemaphorePermit,
        due: Option<Instant>,
    },
    /// There will be none any more.
    Closed,
}

/// One delivery's hold on its job. Dropped without being settled, it gives the job back.
#[derive(Debug)]
pub(super) struct MemoryHandle {
    lane: Arc<Lane>,
    delivery: u64,
    _slot: OwnedSemaphorePermit,
}

impl MemoryHandle {
    pub(super) fn ack(self) -> bool {
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

    pub(super) fn give_back(self) {
        drop(self);
    }

    pub(super) fn retry(self, next: Job, delay: Duration) {
        let mut jobs = self.lane.lock();
        let Some(InFlight { hold, .. }) = jobs.in_flight.remove(&self.delivery) else {
            return;
        };
        let number = jobs.next_number();
        let due = Instant::now() + delay.min(FOREVER);
        jobs.delayed.insert(
            (due, number),
            Waiting {
                job: next,
                redelivered: false,
                hold,
            },
        );
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
