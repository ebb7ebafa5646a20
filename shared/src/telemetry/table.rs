//! Every metric there is. One table makes the registry and `docs/metrics.md`: neither can know what the other does not.

use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
};

/// Who tells a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// Each process, about itself: sum over instances.
    Process,
    /// The active producer alone, about the whole service; gone once it is no longer the active one.
    Service,
}

/// One metric, as documentation shows it.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name, with base unit.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Who tells it.
    pub teller: Teller,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// Seconds of a step: from a state's answer to Odoo's longest call.
const SECONDS: [f64; 12] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0, 60.0, 150.0];

/// Jobs of a batch.
const JOBS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];

/// A kind of metric, as the table builds it.
trait Family: Sized {
    const KIND: &'static str;
    fn build(metric: &Metric) -> prometheus::Result<Self>;
}

macro_rules! family {
    ($vec:ty, $kind:literal) => {
        impl Family for $vec {
            const KIND: &'static str = $kind;
            fn build(metric: &Metric) -> prometheus::Result<Self> {
                Self::new(Opts::new(metric.name, metric.help), metric.labels)
            }
        }
    };
}

family!(IntCounterVec, "counter");
family!(CounterVec, "counter");
family!(IntGaugeVec, "gauge");
family!(GaugeVec, "gauge");

impl Family for HistogramVec {
    const KIND: &'static str = "histogram";
    fn build(metric: &Metric) -> prometheus::Result<Self> {
        let buckets = if metric.name.ends_with("_seconds") { &SECONDS[..] } else { &JOBS[..] };
        let options = HistogramOpts::new(metric.name, metric.help).buckets(buckets.to_vec());
        Self::new(options, metric.labels)
    }
}

macro_rules! metrics {
    ($($field:ident: $vec:ident, $teller:ident, $name:literal, [$($label:literal),*], $help:literal;)*) => {
        /// The metrics of one process.
        #[derive(Debug, Clone)]
        pub(super) struct Families { $(pub(super) $field: $vec,)* }

        /// All metrics, in the order of the documentation.
        pub const METRICS: &[Metric] = &[$(Metric {
            name: $name, kind: <$vec as Family>::KIND, teller: Teller::$teller, labels: &[$($label),*], help: $help,
        },)*];

        impl Families {
            /// Makes all of them and registers them.
            pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
                let mut table = METRICS.iter();
                let mut next = || table.next().expect("the table has a row for each field");
                let families = Self { $($field: <$vec as Family>::build(next())?,)* };
                $(registry.register(Box::new(families.$field.clone()))?;)*
                Ok(families)
            }

            /// Forgets what was said of the whole service.
            pub(super) fn reset_service(&self) {
                $(if Teller::$teller == Teller::Service { self.$field.reset(); })*
            }
        }
    };
}

metrics! {
    build: IntGaugeVec, Process, "catalog_build_info", ["version", "role"],
        "Always 1; which version runs in which role (producer, worker, sync).";
    started: GaugeVec, Process, "catalog_start_timestamp_seconds", [], "When the process started.";
    progressed: GaugeVec, Process, "catalog_progress_timestamp_seconds", [],
        "When the process last ended a step or a call, whatever came of it; its start where it has done nothing yet.";
    busy: IntGaugeVec, Process, "catalog_steps_under_way", [],
        "Steps under way that are the process's own to end. Above 0 without progress for ten minutes is a 503 of /livez.";
    ready: IntGaugeVec, Process, "catalog_ready", [], "1 where /readyz answers 200.";
    enqueued: IntCounterVec, Process, "catalog_jobs_enqueued_total", ["pipeline", "kind"],
        "Jobs given to the queue. kind: record, image.";
    settled: IntCounterVec, Process, "catalog_jobs_settled_total", ["pipeline", "kind", "outcome"],
        "Jobs that ended. outcome: created, updated, unchanged, gone, superseded, dead.";
    failures: IntCounterVec, Process, "catalog_failures_total", ["pipeline", "kind", "class", "reason"],
        "Attempts that failed, and failures that stopped a pipeline. class: transient, throttled, permanent, poison, systemic, newer; reason: the label in `status`.";
    in_flight: IntGaugeVec, Process, "catalog_jobs_in_flight", ["pipeline", "kind"],
        "Jobs that this process is working on.";
    batch: HistogramVec, Process, "catalog_batch_jobs", ["pipeline", "kind"], "Jobs of a batch.";
    stage: HistogramVec, Process, "catalog_stage_duration_seconds", ["pipeline", "stage"],
        "Time of a step. stage: read, want, publish, advance, claim, upsert, settle, image_fetch, image_write.";
    image_bytes: IntCounterVec, Process, "catalog_image_bytes_total", ["pipeline", "direction"],
        "Bytes of images. direction: fetched from the source, written to the sink (before base64).";
    dirty: IntCounterVec, Process, "catalog_dirty_records_total", ["pipeline"],
        "Records that a late write may have set back, found and enqueued again.";
    calls: IntCounterVec, Process, "catalog_calls_total", ["system", "name", "result"],
        "Calls of remote systems. system: odoo, zoho; name: of its table in the configuration; result: ok, or a class as in catalog_failures_total.";
    call_seconds: HistogramVec, Process, "catalog_call_duration_seconds", ["system", "name"],
        "Time of one call, waiting for Zoho's limits not included.";
    quota_left: IntGaugeVec, Process, "catalog_zoho_calls_left", ["account"],
        "Calls of the day that Zoho says are left; told by whoever calls it.";
    quota_limit: IntGaugeVec, Process, "catalog_zoho_calls_limit", ["account"], "Calls of a day, as Zoho says.";
    quota_reserved: IntGaugeVec, Process, "catalog_zoho_calls_reserved", ["account"],
        "Calls of a day that are left to others (`reserve_percent`): when no more are left than these, catalog-sync waits.";
    quota_reset: GaugeVec, Process, "catalog_zoho_reset_timestamp_seconds", ["account"],
        "When all calls of the day are there again.";
    quota_blocked: GaugeVec, Process, "catalog_zoho_blocked_until_timestamp_seconds", ["account"],
        "Until when Zoho refuses calls; 0 where it does not.";
    connected: IntGaugeVec, Process, "catalog_broker_connected", [], "1 while there is a connection to RabbitMQ.";
    blocked: IntGaugeVec, Process, "catalog_broker_blocked", [],
        "1 while RabbitMQ takes no jobs (its memory or disk alarm).";
    reconnects: IntCounterVec, Process, "catalog_broker_reconnects_total", [], "Connections that were built anew.";
    stale_acks: IntCounterVec, Process, "catalog_stale_acks_total", [],
        "Acknowledgements that came too late: their jobs came again.";
    active: IntGaugeVec, Process, "catalog_producer_active", [], "1 in the one producer that holds the lease.";
    records: IntGaugeVec, Service, "catalog_records", ["pipeline", "stage"],
        "Records in the state. stage: wanted (all that are known), applied, outstanding, dead.";
    images: IntGaugeVec, Service, "catalog_images", ["pipeline", "stage"], "The same of their images.";
    dead_letters: IntGaugeVec, Service, "catalog_dead_letters", ["pipeline"],
        "Records and images given up and not redriven.";
    strays: IntGaugeVec, Service, "catalog_strays", [], "Messages found in our queues that are no jobs of ours.";
    depth: IntGaugeVec, Service, "catalog_queue_ready_jobs", ["pipeline", "kind"], "Jobs that wait for a worker.";
    delayed: IntGaugeVec, Service, "catalog_queue_delayed_jobs", [], "Jobs of all pipelines that wait for their next attempt.";
    lag: GaugeVec, Service, "catalog_lag_seconds", ["pipeline"],
        "For how long the oldest outstanding record has been waiting; 0 where none is.";
    fresh: GaugeVec, Service, "catalog_fresh_timestamp_seconds", ["pipeline"],
        "What the source had at this time is in the sink, or is a dead letter. Missing until a run has settled.";
    fresh_target: GaugeVec, Service, "catalog_freshness_target_seconds", ["pipeline"],
        "How old that may be: three times the pipeline's `every`, an operator's where one is set.";
    paused: IntGaugeVec, Service, "catalog_paused", ["pipeline", "scope", "by"],
        "1 while it is paused. scope: pipeline, images; by: hand, system.";
    scheduled: IntGaugeVec, Service, "catalog_schedule_enabled", ["pipeline"],
        "0 while the pipeline's schedule is switched off.";
    run_records: IntGaugeVec, Service, "catalog_run_records", ["pipeline", "stage"],
        "The ledger of the newest run. stage: seen, unchanged_at_source, dead_at_source, enqueued, created, updated, unchanged, gone, superseded, dead, outstanding.";
    run_started: GaugeVec, Service, "catalog_run_started_timestamp_seconds", ["pipeline"],
        "When the newest run began.";
    images_left: IntGaugeVec, Service, "catalog_zoho_images_left", ["account"],
        "Images that wait for a call of this account.";
    days_left: IntGaugeVec, Service, "catalog_zoho_days_left", ["account"],
        "Days until all of them are there on this plan, today included; 0 where none waits. Missing where the plan has no calls for them, or no answer has told how many.";
    workers: IntGaugeVec, Service, "catalog_workers_alive", [], "Worker processes whose heart beats.";
}

/// `docs/metrics.md`.
pub fn documentation() -> String {
    let mut text = String::from(
        "# Metrics\n\nEvery process tells them on `/metrics` of its `[metrics] listen` address, beside `/livez` and \
         `/readyz`. This page is made from the table that the registry is built from \
         (`shared/src/telemetry/table.rs`); a test keeps it true.\n\nLabels are closed sets and names from the \
         configuration: no record, no address, no secret. Units are seconds, bytes and counts.\n",
    );
    for (teller, heading) in [
        (Teller::Process, "Of each process"),
        (Teller::Service, "Of the service: told by the active producer alone, and gone when it no longer is"),
    ] {
        text += &format!("\n## {heading}\n\n| metric | kind | labels | |\n|---|---|---|---|\n");
        for metric in METRICS.iter().filter(|metric| metric.teller == teller) {
            let labels = metric.labels.join(", ");
            text += &format!("| `{}` | {} | {labels} | {} |\n", metric.name, metric.kind, metric.help);
        }
    }
    text
}
