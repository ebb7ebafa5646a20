//! The queue of a one-machine run: bounded, in this process, gone with it.
//!
//! Each job holds a place of its (pipeline, kind) from the moment it is published until it is acked, wherever it waits
//! meanwhile. Nothing runs in the background: what waits for a retry is moved by whoever looks next.

mod consumer;
mod lane;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::{Delivery, Depth, Handle, Receipt};
use crate::failure::Failure;
use crate::job::{Job, JobKind};
use crate::record::PipelineName;
use lane::{Hold, Lane, Waiting};

pub(super) use consumer::{MemoryConsumer, MemoryHandle};

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

impl MemoryQueue {
    pub(super) fn new(capacity: usize) -> Self {
        Self { lanes: Arc::default(), capacity: capacity.clamp(1, Semaphore::MAX_PERMITS) }
    }

    pub(super) async fn publish(&self, job: Job) -> Result<Receipt, Failure> {
        let closed = || Failure::interrupted("the queue was closed before the job was published");
        let lane = self.lane(&job.pipeline, job.kind);
        let place = Arc::clone(&lane.places).acquire_owned().await.map_err(|_| closed())?;
        let (durable, receipt) = Receipt::pair();
        let mut jobs = lane.lock();
        if jobs.closed {
            return Err(closed());
        }
        jobs.ready.push_back(Waiting { job, redelivered: false, hold: Hold { durable, _place: place } });
        drop(jobs);
        lane.changed.notify_one();
        Ok(receipt)
    }

    pub(super) fn consume(&self, pipeline: &PipelineName, kind: JobKind, prefetch: usize) -> MemoryConsumer {
        MemoryConsumer::new(self.lane(pipeline, kind), prefetch)
    }

    pub(super) fn depth(&self, pipeline: &PipelineName, kind: JobKind) -> Depth {
        let lane = self.lane(pipeline, kind);
        let mut jobs = lane.lock();
        jobs.promote();
        Depth { ready: jobs.ready.len(), in_flight: jobs.in_flight.len(), delayed: jobs.delayed.len() }
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
            let lane = Arc::new(Lane::new(self.capacity));
            if closed {
                lane.close();
            }
            lane
        });
        Arc::clone(lane)
    }
}
