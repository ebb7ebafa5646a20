//! What publishing and consuming share: how to reach the broker, what is declared there, and how both are doing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use super::link::{Dialer, Link};
use super::settings::RabbitSettings;
use super::topology::Topology;
use crate::failure::{Class, Failure};
use crate::queue::QueueHealth;

/// Tries to reach the broker when the queue is opened: some seconds where nobody listens.
const OPENING_TRIES: u32 = 6;

/// What lasted so long was good: the next try comes at once.
const GOOD: Duration = Duration::from_secs(10);

/// A rejected password is not tried more often than a person would.
const REJECTED_WAIT: Duration = Duration::from_secs(30);

/// The waits between tries: with the jitter, up to twice as long.
const WAIT_MIN: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Shared by all parts of one queue.
#[derive(Debug)]
pub(super) struct Broker {
    dialer: Dialer,
    /// Host and port, for people.
    pub(super) place: String,
    pub(super) topology: Topology,
    /// Bytes of an encoded job.
    pub(super) job_bytes_max: usize,
    /// Who we are.
    pub(super) name: String,
    pub(super) health: Health,
    /// Cancelled when the queue is closed.
    pub(super) closing: CancellationToken,
}

impl Broker {
    pub(super) fn new(settings: RabbitSettings) -> Result<Self, Failure> {
        settings.check()?;
        let uri = settings.address()?;
        let dialer = Dialer::new(uri, settings.user, settings.password, settings.name.clone());
        Ok(Self {
            place: dialer.place(),
            dialer,
            topology: Topology::new(settings.prefix, settings.capacity, settings.lanes),
            job_bytes_max: settings.job_bytes_max,
            name: settings.name,
            health: Health::default(),
            closing: CancellationToken::new(),
        })
    }

    /// The first connection, with everything declared: a few tries while nobody answers.
    pub(super) async fn dial_first(&self, role: &str) -> Result<Link, Failure> {
        let mut patience = Patience::default();
        loop {
            let mut failure = match self.dialer.dial(role).await {
                Ok(link) => match self.topology.declare(&link).await {
                    Ok(()) => return Ok(link),
                    Err(fault) => fault.while_connected(&self.place),
                },
                Err(fault) => fault.while_connecting(&self.place),
            };
            if failure.class != Class::Transient || patience.tries + 1 >= OPENING_TRIES {
                failure.class = Class::Systemic;
                return Err(failure);
            }
            tracing::debug!(role, "{failure:#}");
            sleep(patience.next()).await;
        }
    }

    /// A later connection: tries for ever.
    pub(super) async fn dial(&self, role: &str, patience: &mut Patience) -> Link {
        loop {
            sleep(patience.next()).await;
            let fault = match self.dialer.dial(role).await {
                Ok(link) => return link,
                Err(fault) => fault,
            };
            if patience.is_telling() {
                let failure = fault.while_connecting(&self.place);
                tracing::warn!(role, tries = patience.tries, "{failure:#}");
            }
            if fault.is_rejected() {
                sleep(REJECTED_WAIT).await;
            }
        }
    }

    /// A connection was lost, or given up.
    pub(super) fn lost(&self, role: &str, fault: &Fault) {
        tracing::warn!(role, "the connection to RabbitMQ at {} is lost: {}", self.place, fault.words());
    }

    /// There is one again.
    pub(super) fn regained(&self, role: &str) {
        self.health.reconnects.fetch_add(1, Ordering::Relaxed);
        tracing::info!(role, "connected to RabbitMQ at {} again", self.place);
    }
}

/// How the connections are doing.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Of the connection that publishes while there is one: whether it is blocked.
    publishing: Mutex<Option<watch::Receiver<bool>>>,
    /// Consumers have lost their connection.
    is_consuming_broken: AtomicBool,
    reconnects: AtomicU64,
    stale_acks: AtomicU64,
}

impl Health {
    pub(super) fn publishing(&self, blocked: Option<watch::Receiver<bool>>) {
        *self.publishing.lock().unwrap_or_else(PoisonError::into_inner) = blocked;
    }

    pub(super) fn consuming(&self, is_up: bool) {
        self.is_consuming_broken.store(!is_up, Ordering::Relaxed);
    }

    /// An acknowledgement came too late.
    pub(super) fn stale_ack(&self) {
        self.stale_acks.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> QueueHealth {
        let publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        QueueHealth {
            connected: publishing.is_some() && !self.is_consuming_broken.load(Ordering::Relaxed),
            blocked: publishing.as_ref().is_some_and(|blocked| *blocked.borrow()),
            reconnects: self.reconnects.load(Ordering::Relaxed),
            stale_acks: self.stale_acks.load(Ordering::Relaxed),
        }
    }
}

/// Waits between tries of the same thing: short at first, then longer, never in step with others.
#[derive(Debug)]
pub(super) struct Patience {
    waits: ExponentialBackoff,
    /// Since the last success.
    tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        let waits = ExponentialBuilder::default().with_min_delay(WAIT_MIN).with_max_delay(WAIT_MAX);
        Self { waits: waits.without_max_times().with_jitter().build(), tries: 0 }
    }
}

impl Patience {
    pub(super) fn next(&mut self) -> Duration {
        self.tries = self.tries.saturating_add(1);
        self.waits.next().unwrap_or(WAIT_MAX)
    }

    /// What was tried held so long.
    pub(super) fn lasted(&mut self, time: Duration) {
        if time >= GOOD {
            *self = Self::default();
        }
    }

    /// Whether this failure is worth a line: the first, and then ever fewer.
    pub(super) fn is_telling(&self) -> bool {
        self.tries.is_power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_two_seconds_and_start_anew_after_something_that_held() {
        let mut patience = Patience::default();
        let waits: Vec<Duration> = (0..20).map(|_| patience.next()).collect();
        assert!(waits.iter().all(|wait| (WAIT_MIN..=WAIT_MAX * 2).contains(wait)), "{waits:?}");
        assert!(waits[0] <= WAIT_MIN * 2 && waits[19] >= WAIT_MAX, "{waits:?}");
        patience.lasted(Duration::from_secs(1));
        assert!(patience.next() >= WAIT_MAX);
        patience.lasted(GOOD);
        assert!(patience.next() <= WAIT_MIN * 2);
    }

    #[test]
    fn a_long_outage_is_told_in_few_lines() {
        let mut patience = Patience::default();
        let told = (0..2_000).filter(|_| {
            patience.next();
            patience.is_telling()
        });
        assert_eq!(told.count(), 11);
    }
}
