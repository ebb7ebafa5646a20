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
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::bring::Bringer;
use super::budget::Budget;
use super::cache::ImageCache;
use super::desk::Desk;
use super::fetch::ImageSource;
use super::inspect::inspect;
use super::line::{Ended, Line};
use super::settings::ImageSettings;
use super::settle::{Done, Settler, Work};
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
            sink: Desk::new(sink),
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
            if line.under_way() == 0 {
                line.is_alone = false;
                if line.is_over() {
                    while let Some(work) = line.suspects.pop_front() {
                        self.settler.give_back(work).await?;
                    }
                    return line.sick.map_or(Ok(()), Err);
                }
                if line.wait.is_none()
                    && let Some(work) = line.suspects.pop_front()
                {
                    self.claim(&mut line, vec![work]).await?;
                    // Whose job came to its end by its claim runs nothing that a step could wait for: the next one's turn.
                    continue;
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
        let room = line.room(self.parallel);
        let (wait, settle_at) = (line.wait, line.settle_at(self.parallel));
        tokio::select! {
            biased;
            () = sleep_until(settle_at.unwrap_or_else(Instant::now)), if settle_at.is_some() => {
                let ended = line.take_ended();
                self.all_ended(line, ended).await?;
            }
            Some(first) = line.running.join_next() => line.end(first),
            () = drain.cancelled(), if !line.is_ending => line.is_ending = true,
            () = sleep_until(wait.unwrap_or_else(Instant::now)), if wait.is_some() => line.wait = None,
            next = consumer.next(), if room > 0 => match next {
                Some(first) => {
                    let mut works = Vec::with_capacity(room);
                    for delivery in std::iter::once(first).chain(std::iter::from_fn(|| consumer.try_next())).take(room) {
                        works.extend(self.unpack(delivery).await?);
                    }
                    self.claim(line, works).await?;
                }
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

    /// Claims jobs, all at once, and begins those that are not overtaken and over which not too many workers died.
    async fn claim(&self, line: &mut Line, works: Vec<Work>) -> Result<(), Failure> {
        if works.is_empty() {
            return Ok(());
        }
        let claims: Vec<ImageClaim> = works.iter().map(claim_of).collect();
        let Settler { state, pipeline, claimant, .. } = &self.settler;
        let answers = state.claim_images(pipeline, &claims, line.under_way(), claimant).await?;
        let mut done = Vec::new();
        for (work, claimed) in works.into_iter().zip(answers) {
            done.extend(self.begin_claimed(line, work, claimed).await?);
        }
        self.settler.settle(done).await
    }

    /// What becomes of a job by its claim; the answer is one that has come to its end already.
    async fn begin_claimed(
        &self,
        line: &mut Line,
        mut work: Work,
        claimed: ClaimedImage,
    ) -> Result<Option<Done>, Failure> {
        let outcome = match claimed {
            ClaimedImage::Go { marks, .. } if marks >= MARKS_MAX => {
                let failure = Failure::new(
                    Class::Poison,
                    Reason::Crashed,
                    format!("{MARKS_MAX} workers died over this image"),
                )
                .advise("look for memory limits in the logs of those workers, then run `catalog-sync dead redrive`");
                return self.settler.bury(work, &failure).await.map(|()| None);
            }
            ClaimedImage::Go { marks, applied } => {
                work.applied = applied;
                line.is_alone = marks > 0;
                self.begin(line, work);
                return Ok(None);
            }
            ClaimedImage::Suspect => {
                line.suspects.push_back(work);
                return Ok(None);
            }
            ClaimedImage::Held => return self.settler.wait_for_holder(work).await.map(|()| None),
            ClaimedImage::Superseded => Outcome::Superseded,
            ClaimedImage::Applied => Outcome::Unchanged,
        };
        Ok(Some(Done { work, outcome, brought: None }))
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

    /// Settles what ended by now: what went well first, and all of it at once.
    async fn all_ended(
        &mut self,
        line: &mut Line,
        all: Vec<Result<Ended, JoinError>>,
    ) -> Result<(), Failure> {
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for ended in all {
            match ended {
                Ok((work, Ok(brought))) => {
                    done.push(Done { work, outcome: brought.outcome, brought: Some(brought) });
                }
                Ok((work, Err(failure))) => failed.push((work, failure)),
                // Its delivery fell with it and comes again; its started mark stands.
                Err(error) => {
                    tracing::error!(pipeline = %self.settler.pipeline, "an image job crashed: {error}");
                }
            }
        }
        if !done.is_empty() {
            self.breaker.succeeded(done.len());
        }
        self.settler.settle(done).await?;
        for (work, failure) in failed {
            self.failed(line, work, failure).await?;
        }
        Ok(())
    }

    async fn failed(&mut self, line: &mut Line, work: Work, failure: Failure) -> Result<(), Failure> {
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

fn claim_of(work: &Work) -> ImageClaim {
    let Work { job, reference, .. } = work;
    ImageClaim { key: job.key.clone(), version: job.version, reference: reference.clone() }
}

#[cfg(test)]
#[path = "consume_tests/mod.rs"]
mod tests;
