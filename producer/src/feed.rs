//! The feed of a fleet's image jobs: a first load's backlog is in the state, and their queue holds a few of it.

use jiff::{SignedDuration, Timestamp};
use shared::config::Pipeline;
use shared::failure::Failure;
use shared::fleet::{Meeting, Pause, Scope};
use shared::job::JobKind;
use shared::queue::IMAGES_WAITING;
use shared::record::{RecordKey, Version};
use shared::telemetry::Meter;

/// Images listed and published at once.
const IMAGES: usize = 200;

/// An image that was published is listed again after this, should its job be lost.
const IMAGE_HELD: SignedDuration = SignedDuration::from_mins(10);

/// Feeds the images of one pipeline.
#[derive(Debug)]
pub(crate) struct ImageFeed<'a> {
    pub(crate) meeting: &'a Meeting,
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) meter: &'a Meter,
}

impl ImageFeed<'_> {
    /// Publishes images whose time has come, and those that no worker could publish, until enough of them wait; the answer is
    /// how many.
    pub(crate) async fn publish(&self) -> Result<usize, Failure> {
        let Meeting { state, queue, .. } = self.meeting;
        let name = &self.pipeline.name;
        for scope in [Scope::Pipeline, Scope::Images] {
            if Pause::of(state, name, scope).await?.is_some() {
                return Ok(0);
            }
        }
        let mut published = 0;
        loop {
            // Those that take the place of another wait for nobody.
            let mut due = state.changed_images(name, None, IMAGES).await?;
            if due.is_empty() {
                let depth = queue.depth(name, JobKind::Image).await?;
                if depth.ready + depth.in_flight > IMAGES_WAITING {
                    return Ok(published);
                }
                due = state.outstanding_images(name, None, IMAGES).await?;
            }
            if due.is_empty() {
                return Ok(published);
            }
            let keys: Vec<(RecordKey, Version)> =
                due.iter().map(|image| (image.key.clone(), image.version)).collect();
            let mut receipts = Vec::with_capacity(due.len());
            for image in due {
                receipts.push(queue.publish(image.into_job(name.clone())).await?);
            }
            for receipt in receipts {
                receipt.durable().await?;
            }
            let until = state.now().await?.checked_add(IMAGE_HELD).unwrap_or(Timestamp::MAX);
            state.hold_images(name, &keys, until).await?;
            self.meter.enqueued(JobKind::Image, keys.len() as u64);
            published += keys.len();
        }
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
