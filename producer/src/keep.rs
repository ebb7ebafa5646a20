//! What keeps a pipeline of a fleet sound between its runs: the broker's dead queues are drained, and work whose jobs are
//! gone is found.

use std::time::Duration;

use jiff::SignedDuration;
use shared::config::Pipeline;
use shared::failure::{Class, Failure, Reason, STRANGER};
use shared::fleet::Meeting;
use shared::job::{Attempt, JobKind};
use shared::queue::{Delivery, Undecoded};
use shared::record::Version;
use shared::state::{DeadLetter, Stray};
use shared::telemetry::Meter;

use crate::lost::{LostWork, lost_since};

/// Messages taken from a dead queue at once.
const DEAD: usize = 100;

/// Any version is below this; SQLite's numbers have a sign.
const NEWEST: Version = Version { epoch: u64::MAX >> 1, sequence: 0 };

/// Keeps one pipeline.
#[derive(Debug)]
pub(crate) struct Keeper<'a> {
    pub(crate) meeting: &'a Meeting,
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) lost_after: Duration,
    pub(crate) meter: &'a Meter,
}

impl Keeper<'_> {
    /// Does what is due. Whether there is work whose jobs are gone: then a run is due, which enqueues it again.
    pub(crate) async fn keep(&self) -> Result<bool, Failure> {
        self.drain(JobKind::Record).await?;
        if self.pipeline.takes_images() {
            self.drain(JobKind::Image).await?;
        }
        self.has_lost_work().await
    }

    async fn has_lost_work(&self) -> Result<bool, Failure> {
        let Meeting { state, queue, .. } = self.meeting;
        let name = &self.pipeline.name;
        if let Some(due) = state.next_doubt(name).await?
            && due <= state.now().await?
        {
            return Ok(true);
        }
        let Some(oldest) = state.outstanding(name, NEWEST, 1).await?.into_iter().next() else {
            return Ok(false);
        };
        let lost =
            LostWork::OlderThan(SignedDuration::try_from(self.lost_after).unwrap_or(SignedDuration::MAX));
        Ok(lost_since(state, queue, name, lost).await?.is_some_and(|since| oldest.since <= since))
    }

    /// What the broker gave up (its limit of deliveries) becomes a dead letter like any other.
    async fn drain(&self, kind: JobKind) -> Result<(), Failure> {
        loop {
            let dead = self.meeting.queue.take_dead(&self.pipeline.name, kind, DEAD).await?;
            let count = dead.len();
            for delivery in dead {
                self.bury(delivery).await?;
            }
            if count < DEAD {
                return Ok(());
            }
        }
    }

    async fn bury(&self, mut delivery: Delivery) -> Result<(), Failure> {
        let failure = Failure::new(
            Class::Poison,
            Reason::Crashed,
            "the broker gave this job up after too many deliveries",
        )
        .advise("look for workers that die, then run `catalog-sync dead redrive --reason crashed`");
        match delivery.take_job() {
            Ok(job) => {
                tracing::error!(
                    pipeline = %job.pipeline, run = %job.run, record = %job.key, attempt = job.attempt,
                    trace = job.trace_id(), reason = failure.reason.label(), "{failure}"
                );
                self.meter.failed(job.kind, &failure, 1);
                self.meter.buried(job.kind, 1);
                let letter = DeadLetter { job, failure: Attempt::of(&failure), unmapped: false };
                self.meeting.state.bury(&[letter]).await?;
            }
            Err(undecoded) => {
                let Undecoded { error, payload, queue } = undecoded;
                let failure =
                    Failure::new(Class::Poison, Reason::Undecodable, error.to_string()).advise(STRANGER);
                let stray =
                    Stray::new(&queue, Some(self.pipeline.name.clone()), Attempt::of(&failure), &payload);
                tracing::error!(pipeline = %self.pipeline.name, queue = stray.queue, "{failure}");
                self.meeting.state.bury_stray(&stray).await?;
            }
        }
        delivery.ack().await?;
        Ok(())
    }
}
