//! The queue between producer and workers: one closed set of queues behind one contract, one conformance suite
//! (`conformance`) over each.
//!
//! Delivery is at least once. A job is gone from the queue only when its delivery was acked; a delivery that is dropped
//! without being settled comes again.

mod memory;

#[cfg(test)]
mod conformance;

use std::time::Duration;

use crate::failure::Failure;
use crate::job::{DecodeError, Job, JobKind};
use crate::record::PipelineName;

/// An opened queue. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub enum Queue {
    /// Bounded, in this process.
    Memory(memory::MemoryQueue),
}

#[expect(clippy::unused_async, reason = "the memory queue answers at once, a broker does not")]
impl Queue {
    /// A queue in this process that holds at most `capacity` jobs of each (pipeline, kind), in flight ones included.
    /// Jobs that wait for a retry hold their place.
    pub fn memory(capacity: usize) -> Self {
        Self::Memory(memory::MemoryQueue::new(capacity))
    }

    /// Publishes a job; waits while the queue is full. The receipt tells when the job is *durable*: the cursor may
    /// pass it then. In the memory queue that is when it was settled, since the queue dies with its process; in
    /// `RabbitMQ` when the broker has confirmed and routed it.
    ///
    /// # Errors
    /// `Class::Interrupted` where the queue was closed.
    pub async fn publish(&self, job: Job) -> Result<Receipt, Failure> {
        match self {
            Self::Memory(queue) => queue.publish(job).await,
        }
    }

    /// Takes deliveries of one pipeline and kind, at most `prefetch` unsettled at a time. Dropping the consumer gives
    /// its unsettled deliveries back.
    pub fn consume(&self, pipeline: &PipelineName, kind: JobKind, prefetch: usize) -> Consumer {
        match self {
            Self::Memory(queue) => Consumer::Memory(queue.consume(pipeline, kind, prefetch)),
        }
    }

    /// How many jobs wait, are in flight, or wait for a retry.
    pub async fn depth(&self, pipeline: &PipelineName, kind: JobKind) -> Result<Depth, Failure> {
        match self {
            Self::Memory(queue) => Ok(queue.depth(pipeline, kind)),
        }
    }

    /// Ends the queue for this process: publishers fail as interrupted, consumers end, receipts of what was not
    /// settled fail as interrupted.
    pub fn close(&self) {
        match self {
            Self::Memory(queue) => queue.close(),
        }
    }
}

/// Resolves when a published job is durable.
#[derive(Debug)]
pub struct Receipt(tokio::sync::oneshot::Receiver<()>);

impl Receipt {
    /// A receipt and its other end: sent when the job is durable, dropped when it never will be.
    fn pair() -> (tokio::sync::oneshot::Sender<()>, Self) {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        (sender, Self(receiver))
    }

    /// Waits until the job is durable.
    ///
    /// # Errors
    /// `Class::Interrupted` where the queue ended first.
    pub async fn durable(self) -> Result<(), Failure> {
        self.0.await.map_err(|_| Failure::interrupted("the queue was closed before the job was settled"))
    }
}

/// How full a queue is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting to be delivered.
    pub ready: usize,
    /// Delivered and not settled.
    pub in_flight: usize,
    /// Waiting for their retry tier to pass.
    pub delayed: usize,
}

/// Takes deliveries of one pipeline and kind.
#[derive(Debug)]
pub enum Consumer {
    /// Of the memory queue.
    Memory(memory::MemoryConsumer),
}

impl Consumer {
    /// The next delivery; waits for one. `None` when the queue was closed.
    pub async fn next(&mut self) -> Option<Delivery> {
        match self {
            Self::Memory(consumer) => consumer.next().await,
        }
    }

    /// A delivery that is there without waiting.
    pub fn try_next(&mut self) -> Option<Delivery> {
        match self {
            Self::Memory(consumer) => consumer.try_next(),
        }
    }
}

/// One receipt of a job by a consumer. It must be settled: dropped, it is given back.
#[derive(Debug)]
pub struct Delivery {
    /// The job, or why it cannot be read.
    pub job: Result<Job, DecodeError>,
    /// It was delivered before.
    pub redelivered: bool,
    handle: Handle,
}

#[derive(Debug)]
enum Handle {
    Memory(memory::MemoryHandle),
}

#[expect(clippy::unused_async, reason = "the memory queue answers at once, a broker does not")]
impl Delivery {
    /// The job is done, or dead and noted in the state. `false`: the acknowledgement came too late (the queue has
    /// given the job to somebody else), it will come again.
    pub async fn ack(self) -> Result<bool, Failure> {
        match self.handle {
            Handle::Memory(handle) => Ok(handle.ack()),
        }
    }

    /// Not worked on: back to the head of the queue, for anybody.
    pub async fn give_back(self) -> Result<(), Failure> {
        match self.handle {
            Handle::Memory(handle) => {
                handle.give_back();
                Ok(())
            }
        }
    }

    /// Again later: `next` (the same job with one more attempt) is delivered after `delay`, in place of this one.
    pub async fn retry(self, next: Job, delay: Duration) -> Result<(), Failure> {
        match self.handle {
            Handle::Memory(handle) => {
                handle.retry(next, delay);
                Ok(())
            }
        }
    }
}
