//! How an image job is settled: recorded in the state first, then the delivery.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use shared::checksum::Checksum;
use shared::failure::Failure;
use shared::job::{Attempt, Job, JobKind};
use shared::progress::Progress;
use shared::queue::{Delivery, TIERS};
use shared::record::{ImageReference, Outcome, PipelineName};
use shared::state::{Claimant, DeadLetter, SettledImage, State};
use shared::telemetry::Stage;

use super::bring::Brought;

/// A delivery with its job, unpacked.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) job: Job,
    pub(super) reference: ImageReference,
    pub(super) delivery: Delivery,
    /// sha256 of what the sink has, by what we remember.
    pub(super) applied: Option<Checksum>,
}

/// A job that came to a good end.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) work: Work,
    pub(super) outcome: Outcome,
    /// How it ended in the sink; `None`: it did not come so far.
    pub(super) brought: Option<Brought>,
}

/// Settles the image jobs of one pipeline.
#[derive(Debug)]
pub(super) struct Settler {
    pub(super) pipeline: PipelineName,
    pub(super) state: State,
    pub(super) claimant: Claimant,
    pub(super) progress: Arc<Progress>,
}

impl Settler {
    /// Attempts of images are kept in the state, which lists the image again when it is due.
    pub(super) async fn retry(&self, work: Work, failure: &Failure, delay: Duration) -> Result<(), Failure> {
        let Work { job, delivery, .. } = work;
        let (record, attempt) = (&job.key, job.attempt);
        tracing::warn!(
            pipeline = %self.pipeline, run = %job.run, %record, attempt, trace = job.trace_id(), delay_s = delay.as_secs(),
            reason = failure.reason.label(), "image: {failure:#}"
        );
        self.progress.meter().failed(JobKind::Image, failure, 1);
        let due = Timestamp::now().checked_add(delay).unwrap_or(Timestamp::MAX);
        self.state.retry_image(&self.pipeline, record, job.version, due, &Attempt::of(failure)).await?;
        self.ack(delivery).await
    }

    pub(super) async fn bury(&self, work: Work, failure: &Failure) -> Result<(), Failure> {
        let Work { job, delivery, .. } = work;
        tracing::error!(
            pipeline = %self.pipeline, run = %job.run, record = %job.key, attempt = job.attempt,
            trace = job.trace_id(), reason = failure.reason.label(), "image: {failure:#}"
        );
        self.progress.meter().failed(JobKind::Image, failure, 1);
        self.progress.meter().buried(JobKind::Image, 1);
        let failure = Attempt::of(failure);
        self.state.bury(&[DeadLetter { job, failure, unmapped: false }]).await?;
        self.progress.add_settled(1);
        self.ack(delivery).await
    }

    pub(super) async fn give_back(&self, work: Work) -> Result<(), Failure> {
        self.state.release_images(&self.pipeline, &[work.job.key], &self.claimant).await?;
        work.delivery.give_back().await
    }

    /// Another worker has this image in hand: a moment later it has not.
    pub(super) async fn wait_for_holder(&self, work: Work) -> Result<(), Failure> {
        let Work { job, delivery, .. } = work;
        delivery.retry(job, TIERS[0]).await
    }

    /// Recorded first, all at once, acked then: a crash in between makes the jobs come again, and they are found applied.
    pub(super) async fn settle(&self, ended: Vec<Done>) -> Result<(), Failure> {
        if ended.is_empty() {
            return Ok(());
        }
        let (mut settled, mut rest) = (Vec::with_capacity(ended.len()), Vec::with_capacity(ended.len()));
        for Done { work, outcome, brought } in ended {
            let Work { job, reference, delivery, .. } = work;
            rest.push((delivery, job.run, job.attempt, job.trace_id()));
            let hash = brought.and_then(|brought| brought.hash);
            let written = brought.and_then(|brought| brought.written);
            settled.push(SettledImage {
                key: job.key,
                version: job.version,
                reference,
                hash,
                written,
                outcome,
            });
        }
        let _step = self.progress.meter().stage(Stage::Settle);
        self.state.settle_images(&self.pipeline, &settled).await?;
        for (image, (delivery, run, attempt, trace)) in settled.iter().zip(rest) {
            let (record, outcome) = (&image.key, image.outcome.label());
            tracing::debug!(pipeline = %self.pipeline, %run, %record, attempt, trace, outcome, "image settled");
            self.progress.meter().settled(JobKind::Image, image.outcome, 1);
            self.progress.add_settled(1);
            self.ack(delivery).await?;
        }
        Ok(())
    }

    pub(super) async fn ack(&self, delivery: Delivery) -> Result<(), Failure> {
        if !delivery.ack().await? {
            let pipeline = &self.pipeline;
            tracing::warn!(%pipeline, "an acknowledgement came too late: the image job will be delivered again");
        }
        Ok(())
    }
}
