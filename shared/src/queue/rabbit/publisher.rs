//! Publishing: one task, one connection, one channel in confirm mode. Everybody hands it what is to be published and is
//! told when the broker has it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use lapin::Channel;
use lapin::options::ConfirmSelectOptions;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use super::broker::{Broker, Patience};
use super::confirms::{Confirms, Verdict};
use super::fault::{Fault, within};
use super::link::{CALL_MAX, Link};
use super::outgoing::{Outgoing, Parcel, Route};
use super::pulse::Pulse;
use super::topology::ready;
use crate::failure::Failure;
use crate::queue::Receipt;

/// Jobs of one route that are on their way at once, and what counts as one of them: a larger payload counts as several.
/// So a route holds 16 MiB at most.
const WINDOW: u32 = 256;
const WINDOW_BYTES: usize = 64 * 1024;

/// Confirmations of jobs behind the oldest are looked for so often: the oldest may wait for a slow queue.
const LOOK: Duration = Duration::from_millis(20);

/// A broker that answers, but confirms nothing for so long, has no majority of its nodes or is stuck.
const CONFIRM_MAX: Duration = Duration::from_mins(1);

/// How the connection is called.
pub(super) const ROLE: &str = "publishes";

/// Hands jobs to the task that publishes.
#[derive(Debug, Clone)]
pub(super) struct Publisher {
    broker: Arc<Broker>,
    parcels: UnboundedSender<Parcel>,
    windows: Arc<Mutex<HashMap<Route, Window>>>,
}

/// Bounds what is on its way by a route.
#[derive(Debug, Clone)]
struct Window {
    route: Arc<Route>,
    places: Arc<Semaphore>,
}

impl Publisher {
    /// With the task that does it, which ends when the queue is closed.
    pub(super) fn new(broker: &Arc<Broker>, link: Link) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (sender, parcels) = unbounded_channel();
        let publishing = Publishing { broker: Arc::clone(broker), parcels, outgoing: Outgoing::default() };
        let publisher = Self { broker: Arc::clone(broker), parcels: sender, windows: Arc::default() };
        (publisher, publishing.run(link))
    }

    /// Publishes an encoded job; waits for a place in the route's window, which a full queue and a broker that is
    /// blocked or away keep closed. What `is_awaited` is forgotten when the receipt is dropped.
    ///
    /// # Errors
    /// `Class::Interrupted` where the queue was closed.
    pub(super) async fn send(
        &self,
        route: Route,
        payload: Vec<u8>,
        is_awaited: bool,
    ) -> Result<Receipt, Failure> {
        let closed = || Failure::interrupted("the queue was closed before the job was published");
        let Window { route, places } = self.window(route);
        let weight = u32::try_from(payload.len() / WINDOW_BYTES).unwrap_or(WINDOW).clamp(1, WINDOW);
        let place = self.broker.closing.run_until_cancelled(places.acquire_many_owned(weight)).await;
        let place = place.and_then(Result::ok).ok_or_else(closed)?;
        let (stored, receipt) = Receipt::pair();
        let parcel = Parcel { route, payload: payload.into(), stored, is_awaited, _place: place };
        self.parcels.send(parcel).map_err(|_| closed())?;
        Ok(receipt)
    }

    fn window(&self, route: Route) -> Window {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = windows.get(&route) {
            return window.clone();
        }
        let places = Arc::new(Semaphore::new(WINDOW as usize));
        let window = Window { route: Arc::new(route.clone()), places };
        windows.insert(route, window.clone());
        window
    }
}

/// The task that publishes.
struct Publishing {
    broker: Arc<Broker>,
    parcels: UnboundedReceiver<Parcel>,
    outgoing: Outgoing,
}

/// Why a connection is not published on any more.
enum Over {
    Closed,
    Fault(Fault),
}

impl From<Fault> for Over {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Publishing {
    /// On this connection, which has everything declared, and on those that follow it.
    async fn run(mut self, first: Link) {
        let mut next = Some(first);
        let mut patience = Patience::default();
        loop {
            let began = Instant::now();
            let over = if let Some(link) = next.take() {
                self.publish_on(link).await
            } else {
                let closing = self.broker.closing.clone();
                let dialing = self.broker.dial(ROLE, &mut patience);
                let Some(link) = closing.run_until_cancelled(dialing).await else { return };
                self.publish_again_on(link).await
            };
            match over {
                Over::Closed => return,
                Over::Fault(fault) => self.broker.lost(ROLE, &fault),
            }
            patience.lasted(began.elapsed());
        }
    }

    async fn publish_again_on(&mut self, link: Link) -> Over {
        if let Err(fault) = self.broker.topology.declare(&link).await {
            return Over::Fault(fault);
        }
        self.broker.regained(ROLE);
        self.publish_on(link).await
    }

    async fn publish_on(&mut self, link: Link) -> Over {
        let channel = match confirming(&link).await {
            Ok(channel) => channel,
            Err(fault) => return Over::Fault(fault),
        };
        self.broker.health.publishing(Some(link.blocked()));
        let mut confirms = Confirms::new(channel.clone());
        let Err(over) = self.exchange(&link, &channel, &mut confirms).await;
        self.broker.health.publishing(None);
        // At least once: perhaps the broker has some of these.
        self.outgoing.put_back(confirms.into_parcels());
        if matches!(over, Over::Closed) {
            link.close().await;
        }
        over
    }

    /// Publishes until the connection fails or the queue is closed.
    async fn exchange(
        &mut self,
        link: &Link,
        channel: &Channel,
        confirms: &mut Confirms,
    ) -> Result<Infallible, Over> {
        let pulse = Pulse::new();
        let exchange = self.broker.topology.work_exchange();
        let mut blocked = link.blocked();
        let mut silent = pin!(pulse.watch(channel, &exchange, link.blocked()));
        let mut asking = pin!(None);
        let mut arrived = Vec::new();
        let mut looked = Instant::now();
        loop {
            let mut due = None;
            if !*blocked.borrow() {
                let now = Instant::now();
                self.outgoing.take(now).into_iter().for_each(|parcel| confirms.send(parcel));
                if asking.is_none() {
                    asking.set(self.outgoing.unknown(now).map(|route| ask(link, route)));
                }
                due = self.outgoing.due().filter(|_| asking.is_none());
            }
            let due = due.into_iter().chain((!confirms.is_empty()).then(|| looked + LOOK)).min();
            tokio::select! {
                biased;
                () = self.broker.closing.cancelled() => return Err(Over::Closed),
                fault = &mut silent => return Err(Over::Fault(fault)),
                () = poll_fn(|context| confirms.poll_oldest(context)) => {}
                answer = poll_fn(|context| poll_some(asking.as_mut(), context)) => {
                    asking.set(None);
                    self.answered(link, answer).await?;
                    continue;
                }
                count = self.parcels.recv_many(&mut arrived, WINDOW as usize) => {
                    if count == 0 {
                        return Err(Over::Closed);
                    }
                    arrived.drain(..).for_each(|parcel| self.outgoing.add(parcel));
                    continue;
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                // It is open again; or gone, and the rest will tell.
                Ok(()) = blocked.changed() => {}
            }
            looked = Instant::now();
            self.settle(link, confirms, &pulse, &blocked).await?;
        }
    }

    /// How many jobs are ready in a route's queue.
    async fn answered(&mut self, link: &Link, (route, ready): Asked) -> Result<(), Fault> {
        match ready {
            Ok(Some(ready)) => self.outgoing.looked(&route, ready.into(), Instant::now()),
            Ok(None) => {
                self.declare_again(link).await?;
                self.outgoing.looked(&route, 0, Instant::now());
            }
            Err(fault) if link.is_up() => {
                tracing::warn!(
                    queue = route.queue,
                    "the broker does not tell how full it is: {}",
                    fault.words()
                );
                self.outgoing.refused(&route, Instant::now());
            }
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    async fn declare_again(&self, link: &Link) -> Result<(), Fault> {
        tracing::warn!("a queue of ours or its binding is gone from RabbitMQ and is declared again");
        self.broker.topology.declare(link).await
    }

    /// Tells those whose jobs are stored, and puts back what was not.
    async fn settle(
        &mut self,
        link: &Link,
        confirms: &mut Confirms,
        pulse: &Pulse,
        blocked: &watch::Receiver<bool>,
    ) -> Result<(), Fault> {
        let now = Instant::now();
        let settled = confirms.settle();
        if !settled.is_empty() {
            pulse.heard();
        }
        let mut again = Vec::new();
        let mut is_unroutable = false;
        for (parcel, verdict) in settled {
            if verdict == Verdict::Stored {
                self.outgoing.stored(&parcel.route);
                // Nobody may be waiting for the receipt: that is no failure.
                parcel.stored.send(()).ok();
                continue;
            }
            is_unroutable |= verdict == Verdict::Unroutable;
            self.outgoing.refused(&parcel.route, now);
            again.push(parcel);
        }
        self.outgoing.put_back(again);
        if let Some(error) = confirms.failure() {
            return Err(Fault::Broken(error.clone()));
        }
        if is_unroutable {
            self.declare_again(link).await?;
        }
        match confirms.waiting_since() {
            Some(since) if since + CONFIRM_MAX < now && !*blocked.borrow() => {
                Err(Fault::Silent("store a job", CONFIRM_MAX))
            }
            _ => Ok(()),
        }
    }
}

/// A route, and how many jobs are ready in its queue, if there is one.
type Asked = (Arc<Route>, Result<Option<u32>, Fault>);

async fn ask(link: &Link, route: Arc<Route>) -> Asked {
    let ready = ready(link, &route.queue).await;
    (route, ready)
}

/// Polls what there is; pending for ever where there is nothing.
fn poll_some<F: Future>(future: Pin<&mut Option<F>>, context: &mut Context<'_>) -> Poll<F::Output> {
    future.as_pin_mut().map_or(Poll::Pending, |future| future.poll(context))
}

/// A channel that confirms what is published on it.
async fn confirming(link: &Link) -> Result<Channel, Fault> {
    let channel = link.channel().await?;
    within(CALL_MAX, "confirm what is published", channel.confirm_select(ConfirmSelectOptions::default()))
        .await?;
    Ok(channel)
}
