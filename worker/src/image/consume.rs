//! The image worker's loop: claim, bring, record, settle. One place decides what becomes of an image job.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use shared::crash::{self, Point};
use shared::failure::{Class, Failure, Reason};
use shared::fleet::Heart;
use shared::job::JobKind;
use shared::progress::Progress;
use shared::queue::{Consumer, Delivery, Queue};
use shared::record::{Outcome, PipelineName, WorkerId};
use shared::state::{Claimant, ClaimedImage, ImageClaim, State};
use shared::telemetry::Meter;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::bring::{Bringer, Brought};
use super::budget::Budget;
use super::cache::ImageCache;
use super::fetch::ImageSource;
use super::inspect::inspect;
use super::settings::ImageSettings;
use super::settle::{Settler, Work};
use super::sink::ImageSink;
use crate::breaker::Breaker;
use crate::retry;
use crate::unpack::unpack;

/// A job whose unreleased started marks reach this number is not tried again: that many workers died over it.
const MARKS_MAX: u32 = 3;

/// What is waited where a source asks us to wait and does not say for how long.
const WAIT: Duration = Duration::from_secs(30);

/// A longer wait is not kept here: the worker ends with the failure, and whoever runs it starts it again in time.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// How long Odoo may take to write an image whose call was broken off: as for records.
const LATE: Duration = Duration::from_secs(150);

/// Takes the image jobs of one pipeline.
#[derive(Debug)]
pub struct ImageWorker<S> {
    settler: Settler,
    queue: Queue,
    parallel: usize,
    bringer: Arc<Bringer<S>>,
    breaker: Breaker,
}

/// A task's work and how it ended.
type Ended = (Work, Result<Brought, Failure>);

/// What is under way, and why nothing more may be.
#[derive(Debug, Default)]
struct Line {
    running: JoinSet<Ended>,
    /// A worker died over this image, or over a neighbour of it: it waits until it is the only one, so that the next death
    /// is its own.
    suspect: Option<Work>,
    /// A suspect is running.
    is_alone: bool,
    /// The source asked us to wait until then.
    wait: Option<Instant>,
    /// The queue was closed, or we were told to stop.
    is_ending: bool,
    /// The system is sick.
    sick: Option<Failure>,
}

impl Line {
    /// Whether one more delivery may be taken.
    fn is_open(&self, parallel: usize) -> bool {
        let has_room = self.running.len() < parallel.max(1) && self.suspect.is_none() && !self.is_alone;
        has_room && self.wait.is_none() && !self.is_over()
    }

    /// Whether nothing new is begun.
    fn is_over(&self) -> bool {
        self.is_ending || self.sick.is_some()
    }
}

impl<S: ImageSink> ImageWorker<S> {
    /// A worker for the images of one pipeline. Without a cache, what was fetched and could not be written is fetched
    /// again.
    pub fn new(
        pipeline: PipelineName,
        state: State,
        queue: Queue,
        source: ImageSource,
        sink: S,
        cache: Option<Arc<ImageCache>>,
        settings: ImageSettings,
    ) -> Self {
        let bringer = Bringer {
            source,
            sink: tokio::sync::Mutex::new(sink),
            cache,
            limits: settings.limits,
            budget: Budget::new(settings.memory),
            pixels: Budget::new(settings.pixels),
            scaling: settings.scaling,
            inspect,
            unwritten: Mutex::default(),
            meter: Meter::default(),
        };
        let claimant = Claimant { worker: WorkerId::of_process(), late: LATE };
        Self {
            settler: Settler { pipeline, state, claimant, progress: Arc::default() },
            queue,
            parallel: settings.parallel,
            bringer: Arc::new(bringer),
            breaker: Breaker::default(),
        }
    }

    /// One of many: its claims hold while its heart beats.
    pub(crate) fn in_fleet(mut self, heart: &Heart, breaker: Breaker, progress: Arc<Progress>) -> Self {
        self.settler.claimant.worker = heart.worker();
        Self { breaker, ..self }.counted(progress)
    }

    /// The same; what it does is counted there.
    #[must_use]
    pub fn counted(mut self, progress: Arc<Progress>) -> Self {
        self.bringer = match Arc::try_unwrap(self.bringer) {
            Ok(bringer) => Arc::new(Bringer { meter: progress.meter().clone(), ..bringer }),
            Err(shared) => shared,
        };
        self.settler.progress = progress;
        self
    }

    /// Works until `drain` is cancelled (what is in hand is ended first, the rest stays in the queue), the queue is
    /// closed, or the source, the sink or the state is sick. Only the images of this pipeline stop then.
    ///
    /// # Errors
    /// The failure that stopped it: systemic, or throttled where the source wants us away for more than a minute
    /// (`retry_after`). Jobs that were not worked on to an end are back in the queue, or due later in the state.
    pub async fn run(mut self, drain: CancellationToken) -> Result<(), Failure> {
        let mut consumer = self.queue.consume(&self.settler.pipeline, JobKind::Image, self.parallel.max(1));
        let mut line = Line::default();
        loop {
            line.is_ending |= drain.is_cancelled();
            if line.running.is_empty() {
                line.is_alone = false;
                if line.is_over() {
                    if let Some(work) = line.suspect.take() {
                        self.settler.give_back(work).await?;
                    }
                    return line.sick.map_or(Ok(()), Err);
                }
                if line.wait.is_none()
                    && let Some(work) = line.suspect.take()
                {
                    line.is_alone = true;
                    self.begin(&mut line, work);
                }
            }
            self.step(&mut line, &mut consumer, &drain).await?;
        }
    }

    /// Waits for the next thing that happens and does what it asks for.
    async fn step(
        &mut self,
        line: &mut Line,
        consumer: &mut Consumer,
        drain: &CancellationToken,
    ) -> Result<(), Failure> {
        let is_open = line.is_open(self.parallel);
        let wait = line.wait;
        tokio::select! {
            biased;
            Some(ended) = line.running.join_next() => match ended {
                Ok((work, result)) => self.ended(line, work, result).await?,
                // Its delivery fell with it and comes again; its started mark stands.
                Err(error) => tracing::error!(pipeline = %self.settler.pipeline, "an image job crashed: {error}"),
            },
            () = drain.cancelled(), if !line.is_ending => line.is_ending = true,
            () = sleep_until(wait.unwrap_or_else(Instant::now)), if wait.is_some() => line.wait = None,
            next = consumer.next(), if is_open => match next {
                Some(delivery) => self.claim(line, delivery).await?,
                None => line.is_ending = true,
            },
            else => {}
        }
        Ok(())
    }

    fn begin(&self, line: &mut Line, work: Work) {
        let bringer = Arc::clone(&self.bringer);
        let in_flight = self.settler.progress.meter().batch(JobKind::Image, 1);
        line.running.spawn(async move {
            let _in_flight = in_flight;
            crash::point(Point::ImageClaimed);
            let result = bringer.bring(&work.job, work.applied).await;
            crash::point(Point::ImageWritten);
            (work, result)
        });
    }

    /// Claims one job and begins it, unless it is overtaken or too many workers died over it.
    async fn claim(&mut self, line: &mut Line, delivery: Delivery) -> Result<(), Failure> {
        let Some(mut work) = self.unpack(delivery).await? else {
            return Ok(());
        };
        let claim = ImageClaim {
            key: work.job.key.clone(),
            version: work.job.version,
            reference: work.reference.clone(),
        };
        match self
            .settler
            .state
            .claim_images(&self.settler.pipeline, &[claim], &self.settler.claimant)
            .await?
            .pop()
        {
            Some(ClaimedImage::Go { marks, .. }) if marks >= MARKS_MAX => {
                let failure = Failure::new(
                    Class::Poison,
                    Reason::Crashed,
                    format!("{MARKS_MAX} workers died over this image"),
                )
                .advise("look for memory limits in the logs of those workers, then run `catalog-sync dead redrive`");
                self.settler.bury(work, &failure).await
            }
            Some(ClaimedImage::Go { marks, applied }) => {
                work.applied = applied;
                if marks == 0 {
                    self.begin(line, work);
                } else {
                    line.suspect = Some(work);
                }
                Ok(())
            }
            Some(ClaimedImage::Superseded) => self.settler.settle(work, Outcome::Superseded, None).await,
            Some(ClaimedImage::Applied) => self.settler.settle(work, Outcome::Unchanged, None).await,
            Some(ClaimedImage::Held) => self.settler.wait_for_holder(work).await,
            // Never of a claim of one.
            Some(ClaimedImage::Suspect { .. }) | None => work.delivery.give_back().await,
        }
    }

    /// The job of a delivery.
    async fn unpack(&self, delivery: Delivery) -> Result<Option<Work>, Failure> {
        let Settler { state, pipeline, .. } = &self.settler;
        let Some((job, delivery)) = unpack(state, pipeline, JobKind::Image, delivery).await? else {
            return Ok(None);
        };
        let Some(reference) = job.image.clone() else {
            // None is decoded without one: the state lists its image until it is applied or dead.
            self.settler.ack(delivery).await?;
            return Ok(None);
        };
        Ok(Some(Work { job, reference, delivery, applied: None }))
    }

    async fn ended(
        &mut self,
        line: &mut Line,
        work: Work,
        result: Result<Brought, Failure>,
    ) -> Result<(), Failure> {
        let failure = match result {
            Ok(brought) => {
                self.breaker.succeeded(1);
                return self.settler.settle(work, brought.outcome, Some(&brought)).await;
            }
            Err(failure) => failure,
        };
        match failure.class {
            Class::Transient => match retry::delay_after(work.job.attempt) {
                Some(delay) => self.settler.retry(work, &failure, delay).await,
                None => self.settler.bury(work, &failure).await,
            },
            Class::Throttled => {
                let delay = failure.retry_after.unwrap_or(WAIT);
                self.settler.retry(work, &failure, delay).await?;
                if delay > WAIT_MAX {
                    line.sick.get_or_insert(failure);
                } else {
                    line.wait = line.wait.max(Some(Instant::now() + delay));
                }
                Ok(())
            }
            Class::Permanent => match self.breaker.failed(&failure) {
                Some(sick) => {
                    line.sick.get_or_insert(sick.advise(
                        "look at some of these images: if they are good, the source or the sink is not; what was given \
                         up so far is in `catalog-sync status`",
                    ));
                    self.settler.give_back(work).await
                }
                None => self.settler.bury(work, &failure).await,
            },
            Class::Poison => self.settler.bury(work, &failure).await,
            Class::Systemic | Class::Interrupted | Class::Newer => {
                line.sick.get_or_insert(failure);
                self.settler.give_back(work).await
            }
        }
    }
}

#[cfg(test)]
#[path = "consume_tests.rs"]
mod tests;
