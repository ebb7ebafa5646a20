//! The images of a pipeline: what is outstanding in the state is fed into a bounded queue and brought to the sink. A
//! backlog of any length is in the state, never in memory.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::SignedDuration;
use shared::config::{OdooTarget, Pipeline, SourceConfig};
use shared::failure::{Class, Failure};
use shared::job::JobKind;
use shared::queue::Queue;
use shared::state::{ImageCounts, OutstandingImage, State};
use shared::zoho::CallClass;
use tokio_util::sync::CancellationToken;
use worker::image::{ImageCache, ImageSettings, ImageSource, ImageWorker};
use worker::sink::odoo::OdooImages;

use super::report::ImagesReport;
use crate::exit::Exit;
use crate::output::Output;
use shared::systems::Systems;

/// Images listed at once: for so many an image that changes meanwhile may have to wait.
const PAGE: usize = 100;

/// The newest letters among which one of an image is looked for.
const LETTERS: usize = 100;

/// An image that failed is waited for so long; one that is due later is the next sync's.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

/// What the cache may take of the disk.
const CACHE_BYTES: u64 = 1 << 30;

pub(super) struct Images<'a> {
    pub(super) state: &'a State,
    pub(super) systems: &'a Systems,
    pub(super) pipeline: &'a Pipeline,
    pub(super) target: &'a OdooTarget,
    pub(super) folder: PathBuf,
    pub(super) output: &'a Output,
    pub(super) stop: &'a CancellationToken,
}

impl Images<'_> {
    /// Brings what is due, and says what became of it. Nothing of it is the records' business.
    pub(super) async fn bring(&self) -> ImagesReport {
        match self.try_bring().await {
            Ok(report) => report,
            Err(failure) => ImagesReport {
                exit: Some(exit_after(&failure)),
                retry_after: failure.retry_after,
                stopped: Some(format!("{failure:#}")),
                ..ImagesReport::default()
            },
        }
    }

    /// Another process brings them.
    pub(super) async fn elsewhere(&self, held: &Failure) -> Result<ImagesReport, Failure> {
        let ImageCounts { applied, dead, outstanding, .. } = self.counts().await?;
        let stopped = (outstanding > 0).then(|| held.to_string());
        Ok(ImagesReport { applied, dead, outstanding, stopped, retry_after: None, exit: None })
    }

    async fn try_bring(&self) -> Result<ImagesReport, Failure> {
        let (before, letters) = (self.counts().await?, self.newest_letter().await?);
        let stopped = if before.outstanding == 0 { None } else { self.work(before.outstanding).await?.err() };
        let after = self.counts().await?;
        let given_up = after.dead > 0 && self.newest_letter().await? > letters;
        let exit = match &stopped {
            Some(failure) => exit_after(failure),
            None if given_up => Exit::RecordsFailed,
            None => Exit::Done,
        };
        Ok(ImagesReport {
            applied: after.applied,
            dead: after.dead,
            outstanding: after.outstanding,
            retry_after: stopped.as_ref().and_then(|failure| failure.retry_after),
            stopped: stopped.map(|failure| format!("{failure:#}")),
            exit: Some(exit),
        })
    }

    async fn counts(&self) -> Result<ImageCounts, Failure> {
        Ok(self.state.counts(&self.pipeline.name).await?.images)
    }

    /// Grows with every image that is given up, also where it was given up before.
    async fn newest_letter(&self) -> Result<u64, Failure> {
        let letters = self.state.letters(&self.pipeline.name, None, None, LETTERS).await?.into_iter();
        let of_images = letters.filter(|filed| filed.letter.job.kind == JobKind::Image);
        Ok(of_images.map(|filed| filed.number).max().unwrap_or(0))
    }

    /// The inner failure is what stopped the worker.
    async fn work(&self, outstanding: u64) -> Result<Result<(), Failure>, Failure> {
        let SourceConfig::Zoho(entity) = &self.pipeline.source else {
            return Ok(Ok(()));
        };
        let client = self.systems.zoho(&entity.server).await?;
        // No image is taken in hand for calls that are not made.
        if let Err(failure) = client.allows(CallClass::Changed).await {
            return Ok(Err(failure));
        }
        let source = ImageSource::Zoho(client);
        let sink = OdooImages::new(&self.systems.odoo(&self.target.server).await?, &self.target.model);
        let cache = Arc::new(ImageCache::open(&self.folder, CACHE_BYTES)?);
        self.output.line(format!("{}: {outstanding} images", self.pipeline.name));
        let queue = Queue::memory(PAGE);
        let worker = ImageWorker::new(
            self.pipeline.name.clone(),
            self.state.clone(),
            queue.clone(),
            source,
            sink,
            Some(cache),
            ImageSettings::of(self.target),
        )
        .counted(Arc::new(self.systems.telemetry().progress(&self.pipeline.name)));
        let drain = self.stop.child_token();
        let consume = async {
            let worked = worker.run(drain.clone()).await;
            queue.close();
            worked
        };
        let produce = async {
            let fed = self.feed(&queue).await;
            drain.cancel();
            fed
        };
        let (worked, fed) = tokio::join!(consume, produce);
        match (worked, fed) {
            (Err(failure), _) => Ok(Err(failure)),
            (Ok(()), Err(failure)) if failure.class == Class::Interrupted => Ok(Err(failure)),
            (Ok(()), fed) => fed.map(Ok),
        }
    }

    /// Sweeps through what is outstanding, and through what failed and is due again soon, until nothing is.
    async fn feed(&self, queue: &Queue) -> Result<(), Failure> {
        loop {
            self.sweep(queue).await?;
            let Some(due) = self.state.next_image_retry(&self.pipeline.name).await? else {
                return Ok(());
            };
            let wait = due.duration_since(jiff::Timestamp::now());
            if wait > PATIENCE {
                return Ok(());
            }
            tokio::select! {
                () = self.stop.cancelled() => return Err(Failure::interrupted("stopped before the end")),
                () = tokio::time::sleep(wait.unsigned_abs()) => {}
            }
        }
    }

    /// Enqueues what is due, once each, and waits until all of it has ended: a second job of one image would be taken for
    /// the work of a worker that died.
    /// Those that take the place of another go first, also such as come while a backlog is worked on.
    async fn sweep(&self, queue: &Queue) -> Result<(), Failure> {
        let (state, name) = (self.state, &self.pipeline.name);
        let (mut changed, mut any) = (None, None);
        loop {
            let mut page = state.changed_images(name, changed, PAGE).await?;
            if let Some(last) = page.last() {
                changed = Some(last.version);
            } else {
                page = state.outstanding_images(name, any, PAGE).await?;
                let Some(last) = page.last() else { return Ok(()) };
                any = Some(last.version);
            }
            self.enqueue(queue, page).await?;
        }
    }

    async fn enqueue(&self, queue: &Queue, page: Vec<OutstandingImage>) -> Result<(), Failure> {
        let mut receipts = Vec::with_capacity(page.len());
        for image in page {
            receipts.push(queue.publish(image.into_job(self.pipeline.name.clone())).await?);
        }
        for receipt in receipts {
            receipt.durable().await?;
        }
        Ok(())
    }
}

/// A source that asks for a long wait is no failure of this sync: its images go on with the next one.
fn exit_after(failure: &Failure) -> Exit {
    if failure.is_throttle() { Exit::Done } else { Exit::after(failure) }
}
