//! What a process tells of itself: metrics with their own registry, and whether it lives and is ready. A value that is
//! passed on, never a global one: tests and processes with several roles keep theirs apart.

mod meter;
mod serve;
mod service;
mod spent;
mod table;
mod vitals;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use prometheus::{Encoder, Registry, TextEncoder};

use crate::progress::Progress;
use crate::queue::Queue;
use crate::record::PipelineName;
use crate::zoho::{Limits, ZohoClient};

pub use meter::{CallMeter, InFlight, Meter, Stage, Step};
pub use serve::{Serving, healthy};
pub use service::Service;
pub use spent::Spent;
pub use table::{METRICS, Metric, Teller, documentation};

use table::Families;
use vitals::Vitals;

/// The metrics and vitals of one process. Clones share them.
#[derive(Debug, Clone)]
pub struct Telemetry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    families: Families,
    vitals: Vitals,
    queue: Mutex<Option<Queue>>,
    zoho: Mutex<Vec<(String, ZohoClient)>>,
    /// What is said of the whole service changes as one; a scrape sees all of it or nothing.
    service: RwLock<()>,
}

impl Telemetry {
    /// Of a process in a role: "producer", "worker", "sync".
    pub fn new(role: &str) -> Self {
        let registry = Registry::new();
        let families = Families::register(&registry).expect("the table names each metric once");
        families.build.with_label_values(&[env!("CARGO_PKG_VERSION"), role]).set(1);
        families.started.with_label_values::<&str>(&[]).set(seconds(Timestamp::now()));
        families.active.with_label_values::<&str>(&[]).set(0);
        Self(Arc::new(Inner {
            registry,
            families,
            vitals: Vitals::default(),
            queue: Mutex::default(),
            zoho: Mutex::default(),
            service: RwLock::default(),
        }))
    }

    /// Counts for a pipeline.
    pub fn meter(&self, pipeline: &PipelineName) -> Meter {
        Meter::new(self.clone(), pipeline.clone())
    }

    /// Progress of a pipeline's run that is counted here, too.
    pub fn progress(&self, pipeline: &PipelineName) -> Progress {
        Progress::metered(self.meter(pipeline))
    }

    /// Counts for a remote system ("odoo", "zoho") of this name.
    pub fn calls(&self, system: &'static str, name: &str) -> CallMeter {
        CallMeter::new(self.clone(), system, name)
    }

    /// How this queue is doing is told from now on.
    pub fn watch_queue(&self, queue: &Queue) {
        *self.0.queue.lock().unwrap_or_else(PoisonError::into_inner) = Some(queue.clone());
    }

    /// What is known of this account's limits is told from now on.
    pub(crate) fn watch_zoho(&self, name: &str, client: &ZohoClient) {
        let mut watched = self.0.zoho.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|(known, _)| known != name);
        watched.push((name.to_owned(), client.clone()));
    }

    /// A part of this process works, or does not: it is ready while one does.
    pub fn part(&self, name: &str, works: bool) {
        self.0.vitals.part(name.to_owned(), works);
    }

    /// The text of `/metrics`.
    pub fn text(&self) -> String {
        self.look();
        let _whole = self.0.service.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = Vec::new();
        // Into memory, from families of ours: it has no way to fail.
        drop(TextEncoder::new().encode(&self.0.registry.gather(), &mut text));
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Why this process should be ended and started again, if so.
    pub fn stalled(&self) -> Option<String> {
        self.0.vitals.stalled()
    }

    /// Why this process does no work now, if so.
    pub(crate) fn unready(&self) -> Option<String> {
        let health = self.queue().map(|queue| queue.health());
        if health.is_some_and(|health| !health.connected) {
            return Some("no connection to the broker".to_owned());
        }
        self.0.vitals.idle()
    }

    fn queue(&self) -> Option<Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Brings up to date what is not counted as it happens.
    fn look(&self) {
        let families = self.families();
        let none: [&str; 0] = [];
        families.progressed.with_label_values(&none).set(seconds(self.0.vitals.progressed_at()));
        families.busy.with_label_values(&none).set(i64::try_from(self.0.vitals.steps()).unwrap_or(i64::MAX));
        families.ready.with_label_values(&none).set(i64::from(self.unready().is_none()));
        if let Some(health) = self.queue().map(|queue| queue.health()) {
            families.connected.with_label_values(&none).set(i64::from(health.connected));
            families.blocked.with_label_values(&none).set(i64::from(health.blocked));
            for (counter, total) in
                [(&families.reconnects, health.reconnects), (&families.stale_acks, health.stale_acks)]
            {
                let counter = counter.with_label_values(&none);
                counter.inc_by(total.saturating_sub(counter.get()));
            }
        }
        for (name, client) in self.0.zoho.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let Limits { day, blocked_until, .. } = client.limits();
            let account = [name.as_str()];
            families.quota_blocked.with_label_values(&account).set(blocked_until.map_or(0.0, seconds));
            if let Some(day) = day {
                let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
                families.quota_left.with_label_values(&account).set(gauge(day.remaining));
                let reserved = client.reserved().unwrap_or(0);
                families.quota_reserved.with_label_values(&account).set(gauge(reserved));
                families.quota_limit.with_label_values(&account).set(gauge(day.limit));
                families.quota_reset.with_label_values(&account).set(seconds(day.resets_at));
            }
        }
    }

    fn families(&self) -> &Families {
        &self.0.families
    }

    fn vitals(&self) -> &Vitals {
        &self.0.vitals
    }
}

/// Unix seconds.
fn seconds(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests;
