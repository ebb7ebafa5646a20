//! Consumers: one connection for all of a process, one channel and one task for each.
//!
//! The task sees to it that deliveries come, whatever becomes of channel and connection; the consumer takes them from
//! an inbox. What the broker has sent ahead and nobody has taken is bounded by the prefetch.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::broker::{Broker, Patience};
use super::fault::{Fault, within};
use super::link::{CALL_MAX, Link, next};
use super::publisher::Publisher;
use super::pulse::{ANSWER_MAX, Pulse};
use super::session::{Arrived, Session};
use super::settings::Lane;
use super::topology::ready;
use crate::queue::Delivery;

/// How the connection is called.
pub(super) const ROLE: &str = "consumes";

/// A channel that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(10);

/// After so long without a delivery the broker is asked whether there are jobs.
const QUIET: Duration = Duration::from_secs(5);

/// Takes deliveries of one pipeline and kind.
#[derive(Debug)]
pub struct RabbitConsumer {
    inbox: Arc<Inbox>,
    closing: CancellationToken,
    _gone: DropGuard,
}

impl RabbitConsumer {
    /// With the task that fills it, which ends when the consumer is dropped or the queue closed.
    pub(super) fn new(
        line: &Arc<Line>,
        publisher: &Publisher,
        lane: Lane,
        prefetch: u16,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let inbox = Arc::new(Inbox::default());
        let closing = line.broker.closing.clone();
        let gone = closing.child_token();
        let attendant = Attendant {
            line: Arc::clone(line),
            publisher: publisher.clone(),
            lane,
            prefetch,
            inbox: Arc::clone(&inbox),
            gone: gone.clone(),
        };
        (Self { inbox, closing, _gone: gone.drop_guard() }, attendant.run())
    }

    pub(in crate::queue) async fn next(&mut self) -> Option<Delivery> {
        loop {
            if let Some(delivery) = self.try_next() {
                return Some(delivery);
            }
            tokio::select! {
                biased;
                () = self.closing.cancelled() => return None,
                () = self.inbox.arrived.notified() => {}
            }
        }
    }

    pub(in crate::queue) fn try_next(&mut self) -> Option<Delivery> {
        if self.closing.is_cancelled() {
            return None;
        }
        loop {
            let arrived = self.inbox.lock().pop_front()?;
            // What came by a channel that is gone comes again.
            if !arrived.is_stale() {
                return Some(arrived.decode());
            }
        }
    }
}

/// What has come and was not taken.
#[derive(Debug, Default)]
struct Inbox {
    deliveries: Mutex<VecDeque<Arrived>>,
    /// There is one who waits at most.
    arrived: Notify,
}

impl Inbox {
    fn put(&self, arrived: Arrived) {
        self.lock().push_back(arrived);
        self.arrived.notify_one();
    }

    fn clear(&self) {
        // Dropped outside of the lock: each gives itself back.
        drop(std::mem::take(&mut *self.lock()));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arrived>> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection that all consumers of a process share: opened when it is first needed, and anew when it is lost.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) broker: Arc<Broker>,
    current: AsyncMutex<Current>,
}

#[derive(Debug, Default)]
struct Current {
    link: Option<Arc<Link>>,
    since: Option<Instant>,
    patience: Patience,
}

impl Line {
    pub(super) fn new(broker: &Arc<Broker>) -> Arc<Self> {
        Arc::new(Self { broker: Arc::clone(broker), current: AsyncMutex::default() })
    }

    /// The connection, with everything declared; tries for ever.
    pub(super) async fn link(&self) -> Arc<Link> {
        let mut current = self.current.lock().await;
        if let Some(link) = current.link.as_ref().filter(|link| link.is_up()) {
            return Arc::clone(link);
        }
        current.link = None;
        if let Some(since) = current.since {
            current.patience.lasted(since.elapsed());
        }
        loop {
            let link = self.broker.dial(ROLE, &mut current.patience).await;
            match self.broker.topology.declare(&link).await {
                Ok(()) => {
                    let link = Arc::new(link);
                    current.link = Some(Arc::clone(&link));
                    self.broker.health.consuming(true);
                    if current.since.replace(Instant::now()).is_some() {
                        self.broker.regained(ROLE);
                    }
                    return link;
                }
                Err(fault) => self.broker.lost(ROLE, &fault),
            }
        }
    }

    /// Ends a connection that is of no use.
    fn end(&self, link: &Link, fault: &Fault) {
        // Several consumers notice it; one tells.
        if link.end() {
            self.broker.health.consuming(false);
            self.broker.lost(ROLE, fault);
        }
    }

    /// Once nobody consumes any more.
    pub(super) async fn close(&self) {
        if let Some(link) = self.current.lock().await.link.take() {
            link.close().await;
        }
    }
}

/// Sees to it that one consumer gets its deliveries.
struct Attendant {
    line: Arc<Line>,
    publisher: Publisher,
    lane: Lane,
    prefetch: u16,
    inbox: Arc<Inbox>,
    gone: CancellationToken,
}

impl Attendant {
    async fn run(self) {
        let gone = self.gone.clone();
        let mut patience = Patience::default();
        loop {
            let Some(link) = gone.run_until_cancelled(self.line.link()).await else { return };
            let mut began = None;
            let fault = match self.consume(&link, &mut began).await {
                Ok(()) => return,
                Err(fault) => fault,
            };
            self.inbox.clear();
            let lasted = began.map_or(Duration::ZERO, |began: Instant| began.elapsed());
            patience.lasted(lasted);
            let wait = patience.next();
            if !link.is_up() || lasted >= GOOD || !link.answers(ANSWER_MAX).await {
                self.line.end(&link, &fault);
            } else if patience.is_telling() {
                // The connection is good: the trouble is this queue's, and no other consumer suffers for it.
                let queue = self.line.broker.topology.work_queue(&self.lane);
                tracing::warn!(queue, "consuming is interrupted: {}", fault.words());
            }
            drop(link);
            if gone.run_until_cancelled(sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    /// Takes deliveries in until the consumer is dropped. They come since `began`.
    async fn consume(&self, link: &Link, began: &mut Option<Instant>) -> Result<(), Fault> {
        let broker = &self.line.broker;
        broker.topology.declare_lane(link, &self.lane).await?;
        let queue = broker.topology.work_queue(&self.lane);
        let channel = link.channel().await?;
        // Before the consumer: it holds for those that come after it.
        let qos = channel.basic_qos(self.prefetch, BasicQosOptions::default());
        within(CALL_MAX, "set the prefetch", qos).await?;
        let tag = broker.name.as_str();
        let consuming = channel.basic_consume(
            queue.as_str().into(),
            tag.into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let mut messages = within(CALL_MAX, "consume", consuming).await?;
        let (lane, gone) = (self.lane.clone(), self.gone.clone());
        let session = Session::new(channel.clone(), broker, &self.publisher, lane, queue.clone(), gone);
        let over = Over(&session);
        *began = Some(Instant::now());
        let pulse = Pulse::new();
        let exchange = broker.topology.work_exchange();
        let mut silent = pin!(pulse.watch(&channel, &exchange, link.blocked()));
        let mut starved = pin!(self.starve(link, &queue, &session));
        loop {
            tokio::select! {
                biased;
                () = self.gone.cancelled() => break,
                message = next(&mut messages) => match message {
                    Some(Ok(message)) => {
                        pulse.heard();
                        self.inbox.put(session.take_in(message));
                    }
                    Some(Err(error)) => return Err(Fault::Broken(error)),
                    None => return Err(Fault::Cancelled),
                },
                fault = &mut silent => return Err(fault),
                fault = &mut starved => return Err(fault),
            }
        }
        drop(over);
        self.inbox.clear();
        // What was answered before is written before it.
        within(CALL_MAX, "close a channel", channel.close(200, "OK".into())).await.ok();
        Ok(())
    }
}

impl Attendant {
    /// Returns when jobs are ready and there is room for them, but none comes. Of a lane with a single consumer only
    /// once that is us, which we know when something has come.
    async fn starve(&self, link: &Link, queue: &str, session: &Session) -> Fault {
        let mut is_suspect = false;
        loop {
            let before = session.taken_in();
            sleep(QUIET).await;
            let may_get_none = session.taken_in() != before
                || session.unsettled() >= usize::from(self.prefetch)
                || (self.lane.single && before == 0);
            // A queue that cannot be asked is left to those who ask whether the broker answers at all.
            let is_passed_over = !may_get_none && matches!(ready(link, queue).await, Ok(Some(1..)));
            if is_passed_over && is_suspect && session.taken_in() == before {
                return Fault::Starved;
            }
            is_suspect = is_passed_over;
        }
    }
}

/// Ends a session, however its consumer ends.
struct Over<'a>(&'a Session);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
