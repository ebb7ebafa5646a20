//! What the code that does the work holds to count it: one per pipeline, one per remote system.

use std::time::Instant;

use super::Telemetry;
use crate::failure::{Class, Failure};
use crate::job::JobKind;
use crate::record::{Outcome, PipelineName};

/// A step of a record's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A page of the source.
    Read,
    /// Compared with what is wanted.
    Want,
    /// Given to the queue; waits while that is full or away.
    Publish,
    /// The cursor passes a page.
    Advance,
    /// Claimed in the state.
    Claim,
    /// Written to the sink.
    Upsert,
    /// Recorded and acknowledged.
    Settle,
    /// An image from the source.
    ImageFetch,
    /// An image into the sink.
    ImageWrite,
}

impl Stage {
    fn label(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Want => "want",
            Self::Publish => "publish",
            Self::Advance => "advance",
            Self::Claim => "claim",
            Self::Upsert => "upsert",
            Self::Settle => "settle",
            Self::ImageFetch => "image_fetch",
            Self::ImageWrite => "image_write",
        }
    }

    /// Whether it is ours to end: waiting for a queue is not.
    fn is_ours(self) -> bool {
        self != Self::Publish
    }
}

/// Counts for one pipeline. The default one counts for nobody.
#[derive(Debug, Clone, Default)]
pub struct Meter(Option<(Telemetry, PipelineName)>);

impl Meter {
    pub(super) fn new(telemetry: Telemetry, pipeline: PipelineName) -> Self {
        Self(Some((telemetry, pipeline)))
    }

    /// Jobs were given to the queue.
    pub fn enqueued(&self, kind: JobKind, jobs: u64) {
        self.with(|all, pipeline| {
            all.families().enqueued.with_label_values(&[pipeline, kind.label()]).inc_by(jobs);
        });
    }

    /// Jobs ended so.
    pub fn settled(&self, kind: JobKind, outcome: Outcome, jobs: u64) {
        self.with(|all, pipeline| {
            let labels = [pipeline, kind.label(), outcome.label()];
            all.families().settled.with_label_values(&labels).inc_by(jobs);
            all.vitals().progress();
        });
    }

    /// Jobs were given up.
    pub fn buried(&self, kind: JobKind, jobs: u64) {
        self.with(|all, pipeline| {
            all.families().settled.with_label_values(&[pipeline, kind.label(), "dead"]).inc_by(jobs);
            all.vitals().progress();
        });
    }

    /// Attempts failed, or something stopped the pipeline. Being told to stop is no failure.
    pub fn failed(&self, kind: JobKind, failure: &Failure, attempts: u64) {
        if failure.class == Class::Interrupted {
            return;
        }
        self.with(|all, pipeline| {
            let labels = [pipeline, kind.label(), failure.class.label(), failure.reason.label()];
            all.families().failures.with_label_values(&labels).inc_by(attempts);
        });
    }

    /// A batch is in hand until the answer is dropped.
    pub fn batch(&self, kind: JobKind, jobs: usize) -> InFlight {
        let jobs = i64::try_from(jobs).unwrap_or(i64::MAX);
        self.with(|all, pipeline| {
            let labels = [pipeline, kind.label()];
            #[expect(clippy::cast_precision_loss, reason = "a batch has hundreds of jobs")]
            all.families().batch.with_label_values(&labels).observe(jobs as f64);
            all.families().in_flight.with_label_values(&labels).add(jobs);
        });
        InFlight { meter: self.clone(), kind, jobs }
    }

    /// A step, from now until the answer is dropped.
    pub fn stage(&self, stage: Stage) -> Step {
        let number = self.0.as_ref().filter(|_| stage.is_ours()).map(|(all, _)| all.vitals().begin());
        Step { meter: self.clone(), stage, began: Instant::now(), number }
    }

    /// Bytes of an image came from the source.
    pub fn image_fetched(&self, bytes: usize) {
        self.image_bytes("fetched", bytes);
    }

    /// Bytes of an image went into the sink.
    pub fn image_written(&self, bytes: usize) {
        self.image_bytes("written", bytes);
    }

    fn image_bytes(&self, direction: &str, bytes: usize) {
        self.with(|all, pipeline| {
            all.families().image_bytes.with_label_values(&[pipeline, direction]).inc_by(bytes as u64);
        });
    }

    /// Records were found dirty.
    pub fn dirty(&self, records: usize) {
        self.with(|all, pipeline| {
            all.families().dirty.with_label_values(&[pipeline]).inc_by(records as u64);
        });
    }

    /// A part of this process, for this pipeline, works or does not: `/readyz` asks.
    pub fn works(&self, part: &str, works: bool) {
        self.with(|all, pipeline| all.vitals().part(format!("{pipeline}.{part}"), works));
    }

    fn with(&self, count: impl FnOnce(&Telemetry, &str)) {
        if let Some((telemetry, pipeline)) = &self.0 {
            count(telemetry, pipeline.as_str());
        }
    }
}

/// Jobs in hand.
#[derive(Debug)]
#[must_use = "dropped, the jobs are no longer in hand"]
pub struct InFlight {
    meter: Meter,
    kind: JobKind,
    jobs: i64,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.meter.with(|all, pipeline| {
            all.families().in_flight.with_label_values(&[pipeline, self.kind.label()]).sub(self.jobs);
        });
    }
}

/// A step under way.
#[derive(Debug)]
#[must_use = "dropped, the step is over"]
pub struct Step {
    meter: Meter,
    stage: Stage,
    began: Instant,
    number: Option<u64>,
}

impl Drop for Step {
    fn drop(&mut self) {
        self.meter.with(|all, pipeline| {
            let labels = [pipeline, self.stage.label()];
            all.families().stage.with_label_values(&labels).observe(self.began.elapsed().as_secs_f64());
            if let Some(number) = self.number {
                all.vitals().end(number);
            }
        });
    }
}

/// Counts the calls of one remote system. The default one counts for nobody.
#[derive(Debug, Clone, Default)]
pub struct CallMeter(Option<(Telemetry, &'static str, String)>);

impl CallMeter {
    pub(super) fn new(telemetry: Telemetry, system: &'static str, name: &str) -> Self {
        Self(Some((telemetry, system, name.to_owned())))
    }

    /// A call that began then has ended so.
    pub fn called(&self, began: Instant, failure: Option<&Failure>) {
        let Some((telemetry, system, name)) = &self.0 else { return };
        let result = failure.map_or("ok", |failure| failure.class.label());
        let families = telemetry.families();
        families.calls.with_label_values(&[system, name.as_str(), result]).inc();
        families
            .call_seconds
            .with_label_values(&[system, name.as_str()])
            .observe(began.elapsed().as_secs_f64());
        telemetry.vitals().progress();
    }
}
