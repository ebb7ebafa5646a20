//! The queue of a fleet: `RabbitMQ`, through lapin without its own recovery.
//!
//! Publishing and consuming have a connection each, since the broker may stop taking jobs on one without the other.
//! Whatever goes wrong on a connection or channel, it is given up and built anew, topology included; what was not
//! confirmed is published again, what was not settled is delivered again. So everything here is at least once.

mod broker;
mod confirms;
mod consumer;
mod fault;
mod link;
mod outgoing;
mod publisher;
mod pulse;
mod session;
mod settings;
mod topology;

use std::sync::Arc;
use std::time::Duration;

use lapin::options::BasicGetOptions;
use tokio::time::timeout;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use super::{Delivery, Depth, QueueHealth, Receipt, TIERS};
use crate::failure::{Failure, Reason};
use crate::job::{Job, JobKind};
use crate::record::PipelineName;
use broker::Broker;
use consumer::Line;
use fault::{Fault, within};
use link::{CALL_MAX, Link};
use publisher::Publisher;
use session::Session;
use topology::ready;

pub(super) use consumer::RabbitConsumer;
pub(super) use session::RabbitHandle;
pub use settings::{Lane, RabbitSettings};

/// For the farewells of both connections.
const CLOSE_MAX: Duration = Duration::from_secs(15);

/// Jobs of all lanes. Clones share the connections.
#[derive(Debug, Clone)]
pub struct RabbitQueue(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    broker: Arc<Broker>,
    publisher: Publisher,
    line: Arc<Line>,
    /// Of the consumers.
    attending: TaskTracker,
    /// All others.
    tasks: TaskTracker,
    /// When the last clone is gone nobody can close the queue any more.
    _end: DropGuard,
}

impl RabbitQueue {
    pub(super) async fn open(settings: RabbitSettings) -> Result<Self, Failure> {
        let broker = Arc::new(Broker::new(settings)?);
        let link = broker.dial_first(publisher::ROLE).await?;
        let line = Line::new(&broker);
        let (attending, tasks) = (TaskTracker::new(), TaskTracker::new());
        let (publisher, publishing) = Publisher::new(&broker, link);
        tasks.spawn(publishing);
        tasks.spawn(close_behind(Arc::clone(&line), attending.clone()));
        tasks.close();
        let end = broker.closing.clone().drop_guard();
        Ok(Self(Arc::new(Parts { broker, publisher, line, attending, tasks, _end: end })))
    }

    pub(super) async fn publish(&self, job: Job) -> Result<Receipt, Failure> {
        let Parts { broker, publisher, .. } = &*self.0;
        let payload = job.encode();
        if payload.len() > broker.job_bytes_max {
            return Err(Failure::permanent(
                Reason::BadRecord,
                format!(
                    "the job of record {} has {} bytes, and a queue takes {} at most",
                    job.key,
                    payload.len(),
                    broker.job_bytes_max
                ),
            )
            .advise("leave the large field out of the mapping"));
        }
        let lane = broker.topology.lane(&job.pipeline, job.kind);
        publisher.send(broker.topology.work_route(&lane), payload, false).await
    }

    pub(super) fn consume(&self, pipeline: &PipelineName, kind: JobKind, prefetch: usize) -> RabbitConsumer {
        let Parts { broker, publisher, line, attending, .. } = &*self.0;
        let lane = broker.topology.lane(pipeline, kind);
        let prefetch = u16::try_from(prefetch).unwrap_or(u16::MAX).max(1);
        let (consumer, attendant) = RabbitConsumer::new(line, publisher, lane, prefetch);
        attending.spawn(attendant);
        consumer
    }

    pub(super) async fn depth(&self, pipeline: &PipelineName, kind: JobKind) -> Result<Depth, Failure> {
        let topology = &self.0.broker.topology;
        let queue = topology.work_queue(&topology.lane(pipeline, kind));
        let link = self.link().await?;
        let count = async |queue: &str| -> Result<usize, Failure> {
            let jobs = ready(&link, queue).await.map_err(|fault| self.failure(&fault))?;
            Ok(jobs.unwrap_or_default() as usize)
        };
        let mut depth = Depth { ready: count(&queue).await?, in_flight: 0, delayed: 0 };
        for tier in TIERS {
            depth.delayed += count(&topology.tier(tier)).await?;
        }
        Ok(depth)
    }

    pub(super) async fn take_dead(
        &self,
        pipeline: &PipelineName,
        kind: JobKind,
        limit: usize,
    ) -> Result<Vec<Delivery>, Failure> {
        let Parts { broker, publisher, .. } = &*self.0;
        let lane = broker.topology.lane(pipeline, kind);
        let queue = broker.topology.dead_queue(&lane);
        let link = self.link().await?;
        let channel = link.channel().await.map_err(|fault| self.failure(&fault))?;
        let session =
            Session::new(channel.clone(), broker, publisher, lane, queue.clone(), broker.closing.clone());
        let mut deliveries = Vec::new();
        while deliveries.len() < limit {
            let call = channel.basic_get(queue.as_str().into(), BasicGetOptions::default());
            match within(CALL_MAX, "get a dead job", call).await {
                Ok(Some(message)) => deliveries.push(session.take_in(message.delivery).decode()),
                Ok(None) => break,
                // Not declared yet: nothing has died.
                Err(fault) if fault.is_missing() && deliveries.is_empty() => break,
                Err(fault) => return Err(self.failure(&fault)),
            }
        }
        Ok(deliveries)
    }

    pub(super) fn health(&self) -> QueueHealth {
        self.0.broker.health.now()
    }

    pub(super) fn close(&self) {
        self.0.attending.close();
        self.0.broker.closing.cancel();
    }

    pub(super) async fn closed(&self) {
        if timeout(CLOSE_MAX, self.0.tasks.wait()).await.is_err() {
            tracing::warn!("connections to RabbitMQ at {} did not end in time", self.0.broker.place);
        }
    }

    /// The connection for questions.
    async fn link(&self) -> Result<Arc<Link>, Failure> {
        let Parts { broker, line, .. } = &*self.0;
        if broker.closing.is_cancelled() {
            return Err(Failure::interrupted("the queue was closed"));
        }
        timeout(CALL_MAX, line.link())
            .await
            .map_err(|_| Fault::Silent("connect", CALL_MAX).while_connected(&broker.place))
    }

    fn failure(&self, fault: &Fault) -> Failure {
        fault.while_connected(&self.0.broker.place)
    }
}

/// Closes the connection of the consumers behind the last of them.
async fn close_behind(line: Arc<Line>, attending: TaskTracker) {
    line.broker.closing.cancelled().await;
    attending.close();
    attending.wait().await;
    line.close().await;
}
