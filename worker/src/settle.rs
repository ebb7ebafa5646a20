//! How record jobs are settled: recorded in the state first, then the delivery. A crash in between makes the job come
//! again, and it is found applied.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::crash::{self, Point};
use shared::failure::{Class, Failure, Reason};
use shared::job::{Attempt, Job, JobKind};
use shared::progress::Progress;
use shared::queue::{Delivery, IMAGES_WAITING, Queue, TIERS};
use shared::record::{Outcome, PipelineName, RecordKey, Version};
use shared::state::{Claimant, DeadLetter, OutstandingImage, Settled, State};
use shared::telemetry::Stage;

use crate::sink::Upserted;

/// How long the broker may take for the image jobs of a batch: what it does not take is published by the producer.
const PUBLISH: Duration = Duration::from_secs(2);

/// An image that was published is listed again after this, should its job be lost.
const IMAGE_HELD: SignedDuration = SignedDuration::from_mins(10);

/// A delivery with its job, unpacked.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) job: Job,
    pub(crate) delivery: Delivery,
    /// The record may be archived because it was gone: see [`shared::state::Claimed::Go`].
    pub(crate) was_gone: bool,
}

/// Settles the record jobs of one pipeline.
#[derive(Debug)]
pub(crate) struct Settler {
    pub(crate) pipeline: PipelineName,
    pub(crate) state: State,
    pub(crate) claimant: Claimant,
    pub(crate) progress: Arc<Progress>,
    /// Where image jobs go once their record stands; `None`: whoever runs this worker takes them from the state.
    pub(crate) images: Option<Queue>,
}

impl Settler {
    /// Jobs go back to the queue with their marks taken: no attempt is spent. `unsure`: the sink was asked, and gave no
    /// answer.
    pub(crate) async fn give_back(&self, works: Vec<Work>, unsure: bool) -> Result<(), Failure> {
        self.release(works.iter().map(|work| work.job.key.clone()).collect(), unsure).await?;
        for work in works {
            work.delivery.give_back().await?;
        }
        Ok(())
    }

    /// Another worker has these records in hand: a moment later it has not.
    pub(crate) async fn wait_for_holder(&self, works: Vec<Work>) -> Result<(), Failure> {
        for Work { job, delivery, .. } in works {
            delivery.retry(job, TIERS[0]).await?;
        }
        Ok(())
    }

    pub(crate) async fn retry(
        &self,
        work: Work,
        failure: &Failure,
        delay: Duration,
        spends: bool,
    ) -> Result<(), Failure> {
        let Work { mut job, delivery, .. } = work;
        let (record, attempt) = (job.key.clone(), job.attempt);
        tracing::warn!(
            pipeline = %self.pipeline, run = %job.run, %record, attempt, trace = job.trace_id(), delay_s = delay.as_secs(),
            reason = failure.reason.label(), "{failure:#}"
        );
        self.progress.meter().failed(JobKind::Record, failure, 1);
        job.failures.push(Attempt::of(failure));
        job.attempt += u32::from(spends);
        self.release(vec![record], is_unsure(failure)).await?;
        delivery.retry(job, delay).await
    }

    pub(crate) async fn bury(&self, work: Work, failure: &Failure) -> Result<(), Failure> {
        let Work { job, delivery, .. } = work;
        tracing::error!(
            pipeline = %self.pipeline, run = %job.run, record = %job.key, attempt = job.attempt,
            trace = job.trace_id(), reason = failure.reason.label(), "{failure:#}"
        );
        self.progress.meter().failed(JobKind::Record, failure, 1);
        // Before the letter: the mark may be on a newer version of the same values, and a call that was broken off may
        // still be carried out.
        self.release(vec![job.key.clone()], is_unsure(failure)).await?;
        self.state.bury(&[DeadLetter { job, failure: Attempt::of(failure), unmapped: false }]).await?;
        self.progress.add_settled(1);
        self.progress.meter().buried(JobKind::Record, 1);
        self.ack(delivery).await
    }

    async fn release(&self, keys: Vec<RecordKey>, unsure: bool) -> Result<(), Failure> {
        self.state.release(&self.pipeline, &keys, &self.claimant, unsure).await
    }

    pub(crate) async fn settle(&self, ended: Vec<(Work, Upserted)>) -> Result<(), Failure> {
        if ended.is_empty() {
            return Ok(());
        }
        let settled: Vec<Settled> = ended
            .iter()
            .map(|(Work { job, .. }, upserted)| Settled {
                run: job.run,
                place: job.place,
                key: job.key.clone(),
                version: job.version,
                checksum: job.checksum,
                worker: self.claimant.worker.clone(),
                outcome: upserted.outcome,
                sink_id: upserted.sink_id.clone(),
                image: job.image.clone(),
            })
            .collect();
        let _step = self.progress.meter().stage(Stage::Settle);
        let images = self.state.settle(&self.pipeline, &settled).await?;
        crash::point(Point::Recorded);
        self.publish_images(images).await?;
        crash::point(Point::ImagesPublished);
        self.progress.add_settled(settled.len() as u64);
        for one in &settled {
            self.progress.meter().settled(JobKind::Record, one.outcome, 1);
        }
        for (Work { job, delivery, .. }, upserted) in ended {
            tracing::debug!(
                pipeline = %self.pipeline, run = %job.run, record = %job.key, attempt = job.attempt,
                trace = job.trace_id(), outcome = upserted.outcome.label(), "settled"
            );
            self.ack(delivery).await?;
            crash::point(Point::Acked);
        }
        Ok(())
    }

    /// What is published at once, the changed ones first. A first load's backlog stays in the state but for a few, and all
    /// of it where the broker does not say how many wait.
    async fn urgent(&self, queue: &Queue, images: Vec<OutstandingImage>) -> Vec<OutstandingImage> {
        let (mut urgent, others): (Vec<_>, Vec<_>) = images.into_iter().partition(|image| image.is_change);
        if others.is_empty() {
            return urgent;
        }
        let depth = tokio::time::timeout(PUBLISH, queue.depth(&self.pipeline, JobKind::Image)).await;
        if let Ok(Ok(depth)) = depth
            && depth.ready + depth.in_flight <= IMAGES_WAITING
        {
            urgent.extend(others);
        }
        urgent
    }

    /// Before the record jobs are acked. An image that is published twice is claimed once; one that is not published
    /// at all is listed by the state until it is.
    async fn publish_images(&self, images: Vec<OutstandingImage>) -> Result<(), Failure> {
        let Some(queue) = self.images.as_ref().filter(|_| !images.is_empty()) else { return Ok(()) };
        let images = self.urgent(queue, images).await;
        if images.is_empty() {
            return Ok(());
        }
        let keys: Vec<(RecordKey, Version)> =
            images.iter().map(|image| (image.key.clone(), image.version)).collect();
        let published = tokio::time::timeout(PUBLISH, async {
            let mut receipts = Vec::with_capacity(images.len());
            for image in images {
                receipts.push(queue.publish(image.into_job(self.pipeline.clone())).await?);
            }
            for receipt in receipts {
                receipt.durable().await?;
            }
            Ok::<(), Failure>(())
        });
        if let Ok(Ok(())) = published.await {
            let until = self.state.now().await?.checked_add(IMAGE_HELD).unwrap_or(Timestamp::MAX);
            self.state.hold_images(&self.pipeline, &keys, until).await?;
            self.progress.meter().enqueued(JobKind::Image, keys.len() as u64);
        }
        Ok(())
    }

    async fn ack(&self, delivery: Delivery) -> Result<(), Failure> {
        if !delivery.ack().await? {
            let pipeline = &self.pipeline;
            tracing::warn!(%pipeline, "an acknowledgement came too late: the job will be delivered again");
        }
        Ok(())
    }
}

/// The sink was asked and gave no answer, or a proxy gave one in its place (502): what it was asked for may come about later.
pub(crate) fn is_unsure(failure: &Failure) -> bool {
    failure.class == Class::Transient
        && matches!(failure.reason, Reason::Timeout | Reason::Unreachable | Reason::ServerError)
}

/// How a job ends that was not written.
pub(crate) fn ended_as(outcome: Outcome) -> Upserted {
    Upserted { outcome, sink_id: None }
}
