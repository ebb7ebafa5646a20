//! One life of a channel on which deliveries come, and what is held of each delivery.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lapin::Channel;
use lapin::message::Delivery as Message;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::broker::Broker;
use super::publisher::Publisher;
use super::settings::Lane;
use crate::failure::{Failure, Reason};
use crate::job::{DecodeError, Job};
use crate::queue::{Delivery, Handle, Undecoded};

/// So long a copy for a retry tier may take to be stored: a broker that is blocked or away.
const RETRY_MAX: Duration = Duration::from_mins(1);

/// A job may grow by so much while it is tried: each attempt adds its failure in words.
const GROWTH_MAX: usize = 64 * 1024;

/// A channel with deliveries. When the last one who holds it is gone the channel closes, and what was not settled goes
/// back to its queue.
#[derive(Debug)]
pub(super) struct Session {
    channel: Channel,
    broker: Arc<Broker>,
    publisher: Publisher,
    lane: Lane,
    /// The queue that deliveries come from.
    queue: String,
    is_over: AtomicBool,
    /// Cancelled when the consumer is dropped, or the queue closed.
    gone: CancellationToken,
    unsettled: AtomicUsize,
    taken_in: AtomicU64,
}

impl Session {
    pub(super) fn new(
        channel: Channel,
        broker: &Arc<Broker>,
        publisher: &Publisher,
        lane: Lane,
        queue: String,
        gone: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            channel,
            broker: Arc::clone(broker),
            publisher: publisher.clone(),
            lane,
            queue,
            is_over: AtomicBool::new(false),
            gone,
            unsettled: AtomicUsize::new(0),
            taken_in: AtomicU64::new(0),
        })
    }

    /// From now on everything comes too late.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire) || self.gone.is_cancelled() || !self.channel.status().connected()
    }

    /// Deliveries that were taken in and are not settled.
    pub(super) fn unsettled(&self) -> usize {
        self.unsettled.load(Ordering::Acquire)
    }

    /// Deliveries so far.
    pub(super) fn taken_in(&self) -> u64 {
        self.taken_in.load(Ordering::Acquire)
    }

    /// A delivery has come.
    pub(super) fn take_in(self: &Arc<Self>, message: Message) -> Arrived {
        self.unsettled.fetch_add(1, Ordering::AcqRel);
        self.taken_in.fetch_add(1, Ordering::AcqRel);
        Arrived {
            redelivered: message.redelivered,
            handle: RabbitHandle {
                tag: message.delivery_tag,
                payload: message.data,
                session: Arc::clone(self),
                is_settled: false,
            },
        }
    }
}

/// A delivery that was not decoded yet.
#[derive(Debug)]
pub(super) struct Arrived {
    redelivered: bool,
    handle: RabbitHandle,
}

impl Arrived {
    /// Its channel is gone: it comes again.
    pub(super) fn is_stale(&self) -> bool {
        self.handle.session.is_over()
    }

    pub(super) fn decode(self) -> Delivery {
        let Self { redelivered, handle } = self;
        let payload = handle.payload.as_slice();
        let limit = handle.session.broker.job_bytes_max.saturating_add(GROWTH_MAX);
        let job = if payload.len() > limit {
            let words = format!("{} bytes, and a job has at most {limit}", payload.len());
            Err(DecodeError::Undecodable(words))
        } else {
            Job::decode(payload)
        };
        let job = job.map_err(|error| Undecoded {
            error,
            payload: payload.to_owned(),
            queue: handle.session.queue.clone(),
        });
        Delivery { job, redelivered, handle: Handle::Rabbit(handle) }
    }
}

/// One delivery's hold on its job. Dropped without being settled, it gives the job back.
#[derive(Debug)]
pub(in crate::queue) struct RabbitHandle {
    session: Arc<Session>,
    tag: u64,
    payload: Vec<u8>,
    is_settled: bool,
}

impl RabbitHandle {
    pub(in crate::queue) fn ack(mut self) -> bool {
        let in_time = self.settle(|channel, tag| channel.basic_ack(tag, BasicAckOptions::default()));
        if !in_time {
            self.session.broker.health.stale_ack();
        }
        in_time
    }

    pub(in crate::queue) fn give_back(mut self) {
        self.reject(true);
    }

    /// To the broker's dead queue.
    pub(in crate::queue) fn refuse(mut self) {
        self.reject(false);
    }

    pub(in crate::queue) async fn retry(self, mut next: Job, delay: Duration) -> Result<(), Failure> {
        let mut payload = next.encode();
        if payload.len() > self.session.broker.job_bytes_max.saturating_add(GROWTH_MAX) {
            next.failures.clear();
            payload = next.encode();
        }
        self.pass_on(payload, delay).await
    }

    pub(in crate::queue) async fn postpone(mut self, delay: Duration) -> Result<(), Failure> {
        let payload = std::mem::take(&mut self.payload);
        self.pass_on(payload, delay).await
    }

    /// A copy for a retry tier, stored before this one goes.
    async fn pass_on(self, payload: Vec<u8>, delay: Duration) -> Result<(), Failure> {
        let Session { broker, publisher, lane, .. } = &*self.session;
        if self.session.is_over() {
            // It comes again by itself.
            broker.health.stale_ack();
            return Ok(());
        }
        let route = broker.topology.tier_route(lane, delay);
        let stored = async { publisher.send(route, payload, true).await?.durable().await };
        let Ok(stored) = timeout(RETRY_MAX, stored).await else {
            let what = format!("RabbitMQ at {} takes no job for a retry", broker.place);
            return Err(Failure::transient(Reason::Unreachable, what)
                .advise("look for a memory or disk alarm of the broker; the job went back to its queue"));
        };
        stored?;
        self.ack();
        Ok(())
    }

    fn reject(&mut self, requeue: bool) {
        let options = BasicNackOptions { multiple: false, requeue };
        self.settle(|channel, tag| channel.basic_nack(tag, options));
    }

    fn settle<'a, F>(&'a mut self, call: impl FnOnce(&'a Channel, u64) -> F) -> bool
    where
        F: Future<Output = lapin::Result<()>> + 'a,
    {
        if std::mem::replace(&mut self.is_settled, true) {
            return false;
        }
        self.session.unsettled.fetch_sub(1, Ordering::AcqRel);
        !self.session.is_over() && is_written(call(&self.session.channel, self.tag))
    }
}

impl Drop for RabbitHandle {
    fn drop(&mut self) {
        if !self.is_settled {
            self.reject(true);
        }
    }
}

/// Writes an answer to the broker, if the channel still stands. It is handed to the connection's writer with the first
/// poll; nothing comes back for it.
fn is_written(call: impl Future<Output = lapin::Result<()>>) -> bool {
    let written = pin!(call).poll(&mut Context::from_waker(Waker::noop()));
    !matches!(written, Poll::Ready(Err(_)))
}
