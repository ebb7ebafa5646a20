//! Exchanges and queues: their names and arguments, in one place, since a queue that exists cannot be declared with
//! others.
//!
//! ```text
//! <prefix>.work (direct) --"<pipeline>.<kind>"--> <prefix>.<pipeline>.<kind>[.single]
//!                                                  | rejected, or given back too often
//!                                                  v
//!                                                 <prefix>.<pipeline>.<kind>.dead
//! <prefix>.retry.<seconds>s (fanout) --> <prefix>.retry.<seconds>s --after <seconds>, same key--> <prefix>.work
//! ```
//!
//! All queues are quorum queues, and dead-lettering is at least once: what a full or missing target does not take
//! waits where it was, and is offered again by the broker (every three minutes on 3.10).

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::fault::{Fault, within};
use super::link::{CALL_MAX, Link};
use super::outgoing::Route;
use super::settings::Lane;
use crate::job::JobKind;
use crate::queue::TIERS;
use crate::record::PipelineName;

/// How often a job may be given back before the broker takes it for poison: a backstop far above what draining
/// workers and lost connections do. Workers count who died over a job themselves.
const DELIVERIES_MAX: u64 = 1_000;

/// A work queue has room for as many jobs again as we put into it, and at least for so many, for those that come back
/// from a retry tier.
const RESERVE_MIN: u64 = 1_000;

/// Jobs that we put into one retry tier.
const TIER_JOBS_MAX: u64 = 500_000;

/// Jobs in one dead queue at most; further ones wait in their work queue.
const DEAD_JOBS_MAX: u64 = 100_000;

/// Names and arguments of everything that a deployment has on the broker.
#[derive(Debug)]
pub(super) struct Topology {
    prefix: String,
    /// Jobs that we put into a work queue.
    capacity: u64,
    lanes: Mutex<HashSet<Lane>>,
}

impl Topology {
    pub(super) fn new(prefix: String, capacity: u64, lanes: Vec<Lane>) -> Self {
        Self { prefix, capacity, lanes: Mutex::new(lanes.into_iter().collect()) }
    }

    /// The lane of a pipeline and kind. One that was not named in the settings belongs to the others from now on.
    pub(super) fn lane(&self, pipeline: &PipelineName, kind: JobKind) -> Lane {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lanes.iter().find(|lane| lane.pipeline == *pipeline && lane.kind == kind);
        known.cloned().unwrap_or_else(|| {
            let lane = Lane { pipeline: pipeline.clone(), kind, single: false };
            lanes.insert(lane.clone());
            lane
        })
    }

    /// The exchange that jobs are published to.
    pub(super) fn work_exchange(&self) -> String {
        format!("{}.work", self.prefix)
    }

    /// The way of a job of this lane to its work queue.
    pub(super) fn work_route(&self, lane: &Lane) -> Route {
        Route {
            exchange: self.work_exchange(),
            key: Self::key(lane),
            queue: self.work_queue(lane),
            capacity: self.capacity,
        }
    }

    /// The way of a job of this lane through the first retry tier that is not shorter than `delay`, or the longest.
    pub(super) fn tier_route(&self, lane: &Lane, delay: Duration) -> Route {
        let [.., longest] = TIERS;
        let tier = self.tier(TIERS.into_iter().find(|tier| *tier >= delay).unwrap_or(longest));
        Route { exchange: tier.clone(), key: Self::key(lane), queue: tier, capacity: TIER_JOBS_MAX }
    }

    fn key(lane: &Lane) -> String {
        format!("{}.{}", lane.pipeline.as_str(), lane.kind.label())
    }

    pub(super) fn work_queue(&self, lane: &Lane) -> String {
        self.work_queue_of(lane, lane.single)
    }

    fn work_queue_of(&self, lane: &Lane, single: bool) -> String {
        format!("{}.{}{}", self.prefix, Self::key(lane), if single { ".single" } else { "" })
    }

    pub(super) fn dead_queue(&self, lane: &Lane) -> String {
        format!("{}.{}.dead", self.prefix, Self::key(lane))
    }

    /// Exchange and queue of a retry tier.
    pub(super) fn tier(&self, delay: Duration) -> String {
        format!("{}.retry.{}s", self.prefix, delay.as_secs())
    }

    /// Declares everything. What is there already stays as it is.
    pub(super) async fn declare(&self, link: &Link) -> Result<(), Fault> {
        let work = self.work_exchange();
        let mut declaring = Declaring { link, channel: link.channel().await? };
        declaring.exchange(&work, ExchangeKind::Direct).await?;
        for delay in TIERS {
            let tier = self.tier(delay);
            let milliseconds = number(delay.as_secs().saturating_mul(1_000));
            let mut arguments = quorum(&work, 2 * TIER_JOBS_MAX);
            arguments.insert("x-message-ttl".into(), milliseconds);
            declaring.exchange(&tier, ExchangeKind::Fanout).await?;
            declaring.queue(&tier, arguments).await?;
            declaring.bind(&tier, &tier, "").await?;
        }
        let lanes: Vec<Lane> =
            self.lanes.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        for lane in &lanes {
            self.declare_into(&mut declaring, lane).await?;
        }
        Ok(())
    }

    /// Declares the queues of one lane; the exchange must be there.
    pub(super) async fn declare_lane(&self, link: &Link, lane: &Lane) -> Result<(), Fault> {
        let mut declaring = Declaring { link, channel: link.channel().await? };
        self.declare_into(&mut declaring, lane).await
    }

    async fn declare_into(&self, declaring: &mut Declaring<'_>, lane: &Lane) -> Result<(), Fault> {
        let (work, queue, dead) = (self.work_exchange(), self.work_queue(lane), self.dead_queue(lane));
        declaring.queue(&dead, dead_arguments()).await?;
        declaring.queue(&queue, self.work_arguments(lane)).await?;
        declaring.bind(&queue, &work, &Self::key(lane)).await?;
        // A lane that has become single, or is no longer: jobs must not go to both of its queues.
        declaring.unbind(&self.work_queue_of(lane, !lane.single), &work, &Self::key(lane)).await
    }

    fn work_arguments(&self, lane: &Lane) -> FieldTable {
        let limit = self.capacity.saturating_add(self.capacity.max(RESERVE_MIN));
        let mut arguments = quorum("", limit);
        let dead = AMQPValue::LongString(self.dead_queue(lane).into());
        arguments.insert("x-dead-letter-routing-key".into(), dead);
        if lane.single {
            arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        }
        arguments
    }
}

fn dead_arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    arguments.insert("x-max-length".into(), number(DEAD_JOBS_MAX));
    arguments.insert("x-delivery-limit".into(), number(DELIVERIES_MAX));
    arguments
}

/// A quorum queue that loses nothing when it passes jobs on to `exchange`, and refuses what is beyond `length`.
fn quorum(exchange: &str, length: u64) -> FieldTable {
    let mut arguments = FieldTable::default();
    for (name, value) in [
        ("x-queue-type", "quorum"),
        ("x-dead-letter-exchange", exchange),
        ("x-dead-letter-strategy", "at-least-once"),
        // At-least-once dead-lettering needs it.
        ("x-overflow", "reject-publish"),
    ] {
        arguments.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    arguments.insert("x-max-length".into(), number(length));
    arguments.insert("x-delivery-limit".into(), number(DELIVERIES_MAX));
    arguments
}

fn number(number: u64) -> AMQPValue {
    AMQPValue::LongLongInt(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A channel to declare on; the broker closes it with every refusal.
struct Declaring<'a> {
    link: &'a Link,
    channel: Channel,
}

impl Declaring<'_> {
    async fn exchange(&self, name: &str, kind: ExchangeKind) -> Result<(), Fault> {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let call = self.channel.exchange_declare(name.into(), kind, options, FieldTable::default());
        within(CALL_MAX, "declare an exchange", call).await
    }

    /// A queue whose length alone differs is used as it is: its operator may have changed the setting.
    async fn queue(&mut self, name: &str, arguments: FieldTable) -> Result<(), Fault> {
        let call = self.channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments);
        let Err(fault) = within(CALL_MAX, "declare a queue", call).await else { return Ok(()) };
        match fault.other_arguments() {
            Some(words) if words.contains("'x-max-length'") => {
                tracing::warn!("{words}: the queue keeps its length until it is deleted and declared anew");
                self.channel = self.link.channel().await?;
                Ok(())
            }
            _ => Err(fault),
        }
    }

    async fn bind(&self, queue: &str, exchange: &str, key: &str) -> Result<(), Fault> {
        let options = QueueBindOptions::default();
        let call = self.channel.queue_bind(
            queue.into(),
            exchange.into(),
            key.into(),
            options,
            FieldTable::default(),
        );
        within(CALL_MAX, "bind a queue", call).await
    }

    /// No binding, or no such queue, is as well.
    async fn unbind(&self, queue: &str, exchange: &str, key: &str) -> Result<(), Fault> {
        let call =
            self.channel.queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default());
        within(CALL_MAX, "unbind a queue", call).await
    }
}

/// How many jobs are ready in a queue; `None` where it does not exist.
pub(super) async fn ready(link: &Link, queue: &str) -> Result<Option<u32>, Fault> {
    let channel = link.channel().await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let call = channel.queue_declare(queue.into(), options, FieldTable::default());
    match within(CALL_MAX, "count jobs", call).await {
        Ok(queue) => Ok(Some(queue.message_count())),
        Err(fault) if fault.is_missing() => Ok(None),
        Err(fault) => Err(fault),
    }
}
