//! The queue between producer and workers: one closed set of queues behind one contract, one conformance suite
//! (`conformance`) over each.
//!
//! Delivery is at least once. A job is gone from the queue only when its delivery was acked; a delivery that is dropped
//! without being settled comes again.

mod memory;
mod rabbit;

#[cfg(test)]
mod conformance;

use std::time::Duration;

use crate::failure::Failure;
use crate::job::{DecodeError, Job, JobKind};
use crate::record::PipelineName;

pub use rabbit::{Lane, RabbitSettings};

/// No more image jobs of a pipeline are published while so many wait, but for images that take the place of another: the
/// backlog of a first load is in the state, where a broker's reset does not reach it and what is urgent overtakes it.
pub const IMAGES_WAITING: usize = 200;

/// The retry tiers: the delay before the second, third, ... attempt. Their sum is how long a sink may be away before
/// a job is given up. There is one queue per tier on `RabbitMQ`, so they are few and fixed.
pub const TIERS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
];

/// An opened queue. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub enum Queue {
    /// Bounded, in this process.
    Memory(memory::MemoryQueue),
    /// On a broker, for a fleet.
    Rabbit(rabbit::RabbitQueue),
}

impl Queue {
    /// A queue in this process that holds at most `capacity` jobs of each (pipeline, kind), in flight ones included.
    /// Jobs that wait for a retry hold their place.
    pub fn memory(capacity: usize) -> Self {
        Self::Memory(memory::MemoryQueue::new(capacity))
    }

    /// A queue on `RabbitMQ`; declares everything that the lanes of the settings need. Once it is open, connections
    /// that are lost are built anew for as long as it takes. Close it and await [`closed`](Self::closed) at the end.
    ///
    /// # Errors
    /// After a few tries: `Class::Systemic` with `Reason::Credentials` where user name or password are rejected (at
    /// once), `Reason::Unreachable` where nobody answers, `Reason::Rights` or `Reason::Configuration` otherwise.
    pub async fn rabbit(settings: RabbitSettings) -> Result<Self, Failure> {
        rabbit::RabbitQueue::open(settings).await.map(Self::Rabbit)
    }

    /// Publishes a job; waits while the queue is full, and on `RabbitMQ` while the broker takes no jobs or is away. The
    /// receipt tells when the job is *durable*: the cursor may pass it then. In the memory queue that is when it was
    /// settled, since the queue dies with its process; in `RabbitMQ` when the broker has confirmed and routed it. (There
    /// some jobs are on their way at once, so a full queue shows first in receipts that do not resolve.)
    ///
    /// # Errors
    /// `Class::Interrupted` where the queue was closed; `Class::Permanent` where the job has more bytes than
    /// `job_bytes_max`.
    pub async fn publish(&self, job: Job) -> Result<Receipt, Failure> {
        match self {
            Self::Memory(queue) => queue.publish(job).await,
            Self::Rabbit(queue) => queue.publish(job).await,
        }
    }

    /// Takes deliveries of one pipeline and kind, at most `prefetch` unsettled at a time. Dropping the consumer gives
    /// its unsettled deliveries back. A consumer on `RabbitMQ` has up to `prefetch` sent ahead, whether it asks for
    /// them or not; where its connection is lost they go back, and it goes on with the next connection.
    pub fn consume(&self, pipeline: &PipelineName, kind: JobKind, prefetch: usize) -> Consumer {
        match self {
            Self::Memory(queue) => Consumer::Memory(queue.consume(pipeline, kind, prefetch)),
            Self::Rabbit(queue) => Consumer::Rabbit(queue.consume(pipeline, kind, prefetch)),
        }
    }

    /// How many jobs wait, are in flight, or wait for a retry. `RabbitMQ` tells only how many are ready: there
    /// `in_flight` is 0, and `delayed` counts all lanes, who share the retry tiers.
    ///
    /// # Errors
    /// `Class::Transient` where the broker does not answer.
    pub async fn depth(&self, pipeline: &PipelineName, kind: JobKind) -> Result<Depth, Failure> {
        match self {
            Self::Memory(queue) => Ok(queue.depth(pipeline, kind)),
            Self::Rabbit(queue) => queue.depth(pipeline, kind).await,
        }
    }

    /// Up to `limit` deliveries of what the broker itself has given up (refused, or given back too often). They are to
    /// be acked once the state has them; dropped, they stay dead. The memory queue gives nothing up.
    ///
    /// # Errors
    /// `Class::Transient` where the broker does not answer.
    pub async fn take_dead(
        &self,
        pipeline: &PipelineName,
        kind: JobKind,
        limit: usize,
    ) -> Result<Vec<Delivery>, Failure> {
        match self {
            Self::Memory(_) => Ok(Vec::new()),
            Self::Rabbit(queue) => queue.take_dead(pipeline, kind, limit).await,
        }
    }

    /// How the queue is doing.
    pub fn health(&self) -> QueueHealth {
        match self {
            Self::Memory(_) => QueueHealth { connected: true, ..QueueHealth::default() },
            Self::Rabbit(queue) => queue.health(),
        }
    }

    /// Ends the queue for this process: publishers fail as interrupted, consumers end, receipts of what is not durable
    /// fail as interrupted. What was acked before is acked; await [`closed`](Self::closed) to be sure of it.
    pub fn close(&self) {
        match self {
            Self::Memory(queue) => queue.close(),
            Self::Rabbit(queue) => queue.close(),
        }
    }

    /// After [`close`](Self::close): returns when everything has been written to the broker and the connections are
    /// ended; at the latest after 15 seconds.
    pub async fn closed(&self) {
        match self {
            Self::Memory(_) => {}
            Self::Rabbit(queue) => queue.closed().await,
        }
    }
}

/// How a queue is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueHealth {
    /// There is a connection to publish on, and one to consume on if there is a consumer.
    pub connected: bool,
    /// The broker takes no jobs for now (memory or disk alarm): publishing waits, consuming goes on.
    pub blocked: bool,
    /// How often a connection was built anew.
    pub reconnects: u64,
    /// Acknowledgements that came too late: their jobs came again.
    pub stale_acks: u64,
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
        self.0.await.map_err(|_| Failure::interrupted("the queue was closed before the job was durable"))
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
    /// Of a queue on `RabbitMQ`.
    Rabbit(rabbit::RabbitConsumer),
}

impl Consumer {
    /// The next delivery; waits for one. `None` when the queue was closed.
    pub async fn next(&mut self) -> Option<Delivery> {
        match self {
            Self::Memory(consumer) => consumer.next().await,
            Self::Rabbit(consumer) => consumer.next().await,
        }
    }

    /// A delivery that is there without waiting.
    pub fn try_next(&mut self) -> Option<Delivery> {
        match self {
            Self::Memory(consumer) => consumer.try_next(),
            Self::Rabbit(consumer) => consumer.try_next(),
        }
    }
}

/// One receipt of a job by a consumer. It must be settled: dropped, it is given back.
#[derive(Debug)]
pub struct Delivery {
    /// The job, or what came instead of one.
    pub job: Result<Job, Undecoded>,
    /// It was delivered before.
    pub redelivered: bool,
    handle: Handle,
}

/// A message that this version cannot read as a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecoded {
    /// Why.
    pub error: DecodeError,
    /// All of it.
    pub payload: Vec<u8>,
    /// The broker's queue that it came from.
    pub queue: String,
}

#[derive(Debug)]
enum Handle {
    Memory(memory::MemoryHandle),
    Rabbit(rabbit::RabbitHandle),
}

impl Delivery {
    /// Takes the job out; the delivery is still to be settled.
    pub fn take_job(&mut self) -> Result<Job, Undecoded> {
        let taken = DecodeError::Undecodable("the job was taken out".to_owned());
        let placeholder = Undecoded { error: taken, payload: Vec::new(), queue: String::new() };
        std::mem::replace(&mut self.job, Err(placeholder))
    }

    /// The job is done, or dead and noted in the state. `false`: the acknowledgement came too late (the queue has
    /// given the job to somebody else), it will come again.
    #[expect(clippy::unused_async, reason = "no queue makes it wait today; one may")]
    pub async fn ack(self) -> Result<bool, Failure> {
        match self.handle {
            Handle::Memory(handle) => Ok(handle.ack()),
            Handle::Rabbit(handle) => Ok(handle.ack()),
        }
    }

    /// Not worked on: back to the head of the queue, for anybody.
    #[expect(clippy::unused_async, reason = "no queue makes it wait today; one may")]
    pub async fn give_back(self) -> Result<(), Failure> {
        match self.handle {
            Handle::Memory(handle) => handle.give_back(),
            Handle::Rabbit(handle) => handle.give_back(),
        }
        Ok(())
    }

    /// Again later: `next` (the same job with one more attempt) is delivered after `delay`, in place of this one. On
    /// `RabbitMQ` after the first of [`TIERS`] that is not shorter, or the longest.
    ///
    /// # Errors
    /// `Class::Transient` where the broker takes no jobs for a minute, `Class::Interrupted` where the queue is closed:
    /// this delivery was given back.
    pub async fn retry(self, next: Job, delay: Duration) -> Result<(), Failure> {
        match self.handle {
            Handle::Memory(handle) => {
                handle.retry(next, delay);
                Ok(())
            }
            Handle::Rabbit(handle) => handle.retry(next, delay).await,
        }
    }

    /// Again later, as it is: for what a newer worker can read. The delay is as in [`retry`](Self::retry).
    ///
    /// # Errors
    /// As of [`retry`](Self::retry).
    pub async fn postpone(self, delay: Duration) -> Result<(), Failure> {
        match self.handle {
            Handle::Memory(handle) => {
                handle.postpone(delay);
                Ok(())
            }
            Handle::Rabbit(handle) => handle.postpone(delay).await,
        }
    }

    /// Never again: given up by the queue itself. On `RabbitMQ` it goes to the dead queue of its lane, from where
    /// [`Queue::take_dead`] takes it.
    pub fn refuse(self) {
        match self.handle {
            Handle::Memory(handle) => handle.refuse(),
            Handle::Rabbit(handle) => handle.refuse(),
        }
    }
}
