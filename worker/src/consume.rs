//! The worker's loop: gather, claim, upsert, record, settle. One place decides what becomes of a job.

use std::sync::Arc;
use std::time::Duration;

use shared::crash::{self, Point};
use shared::failure::{Class, Failure, Reason};
use shared::fleet::Heart;
use shared::job::JobKind;
use shared::progress::Progress;
use shared::queue::{Delivery, Queue};
use shared::record::{Outcome, PipelineName, WorkerId};
use shared::state::{Claim, Claimant, Claimed, State};
use shared::telemetry::Stage;
use tokio_util::sync::CancellationToken;

use crate::batch::{BatchLimits, Gathered, gather};
use crate::breaker::Breaker;
use crate::file_keeper::FileKeeper;
use crate::retry;
use crate::settle::{Settler, Work, ended_as, is_unsure};
use crate::sink::{Asked, Sink};
use crate::unpack::unpack;

/// A job whose unreleased started marks reach this number is not tried again: that many workers died over it, the last
/// two of them over nothing else.
const MARKS_MAX: u32 = 4;

/// Batches in a row that may fail as a whole before the sink counts as down and the pipeline stops.
const STALLED_MAX: usize = 3;

/// A system that asks for a longer wait is left alone: the pipeline stops, and the next run goes on.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// Without a delivery for so long, a file is brought up to date.
const IDLE: Duration = Duration::from_millis(500);

/// Takes the record jobs of one pipeline.
#[derive(Debug)]
pub struct Worker {
    settler: Settler,
    queue: Queue,
    sink: Sink,
    limits: BatchLimits,
    breaker: Breaker,
    /// Batches that failed as a whole since the last one that did not.
    stalled: usize,
    /// Says that this worker is alive, where others may take its work over.
    heart: Option<Heart>,
    /// What the one writer of a file does when there is nothing to write.
    keeper: Option<FileKeeper>,
}

impl Worker {
    /// A worker for one pipeline, with the usual batches, alone on its machine: nobody waits for its claims.
    pub fn new(
        pipeline: PipelineName,
        state: State,
        queue: Queue,
        sink: Sink,
        progress: Arc<Progress>,
    ) -> Self {
        let limits = BatchLimits { records: sink.batch_records(), ..BatchLimits::default() };
        let claimant = Claimant { worker: WorkerId::of_process(), late: sink.late() };
        let settler = Settler { pipeline, state, claimant, progress, images: None };
        Self {
            settler,
            queue,
            sink,
            limits,
            breaker: Breaker::default(),
            stalled: 0,
            heart: None,
            keeper: None,
        }
    }

    /// One of many: its claims hold while its heart beats, and it publishes the image jobs of its records.
    pub(crate) fn in_fleet(
        mut self,
        heart: Heart,
        keeper: Option<FileKeeper>,
        breaker: Breaker,
        images: bool,
    ) -> Self {
        self.settler.claimant.worker = heart.worker();
        self.settler.images = images.then(|| self.queue.clone());
        Self { heart: Some(heart), keeper, breaker, ..self }
    }

    /// Works until `drain` is cancelled (what is in hand is ended first, the rest stays in the queue), the queue is
    /// closed, or the sink or the state is sick. The sink is given back in either case, so that it can be flushed.
    ///
    /// # Errors
    /// The systemic failure of the sink that stopped it, or what the state or the queue reported; nothing of it was
    /// settled.
    pub async fn run(mut self, drain: CancellationToken) -> (Sink, Result<(), Failure>) {
        let result = self.work_until(&drain).await;
        (self.sink, result)
    }

    async fn work_until(&mut self, drain: &CancellationToken) -> Result<(), Failure> {
        self.keep_file(false).await?;
        let prefetch = self.limits.records * 2;
        let mut consumer = self.queue.consume(&self.settler.pipeline, JobKind::Record, prefetch);
        let idle = self.keeper.is_some().then_some(IDLE);
        loop {
            match gather(&mut consumer, self.limits, drain, idle).await {
                Gathered::Batch(batch) => {
                    self.work(batch).await?;
                    self.keep_file(true).await?;
                }
                Gathered::Idle => self.keep_file(false).await?,
                Gathered::End => return Ok(()),
            }
        }
    }

    async fn keep_file(&mut self, at_work: bool) -> Result<(), Failure> {
        if let (Some(keeper), Sink::Json(sink)) = (&mut self.keeper, &mut self.sink) {
            keeper.keep(sink, at_work).await?;
        }
        Ok(())
    }

    /// Claims a batch and works on it, then on those of its jobs that are suspects, in smaller ones.
    async fn work(&mut self, batch: Vec<Delivery>) -> Result<(), Failure> {
        let _in_flight = self.settler.progress.meter().batch(JobKind::Record, batch.len());
        let mut works = Vec::with_capacity(batch.len());
        for delivery in batch {
            let Settler { state, pipeline, .. } = &self.settler;
            let unpacked = unpack(state, pipeline, JobKind::Record, delivery).await?;
            works.extend(unpacked.map(|(job, delivery)| Work { job, delivery, was_gone: false }));
        }
        let mut batches = vec![works];
        while let Some(works) = batches.pop() {
            let mut suspects = Vec::new();
            let works = self.claim(works, &mut suspects).await?;
            self.upsert(works).await?;
            batches.extend(split(suspects));
        }
        Ok(())
    }

    /// The jobs that may go on. Those over which a worker died go into `suspects`; those over which too many died are
    /// buried; those that are overtaken are settled.
    async fn claim(&self, works: Vec<Work>, suspects: &mut Vec<Suspect>) -> Result<Vec<Work>, Failure> {
        if works.is_empty() {
            return Ok(works);
        }
        let claims: Vec<Claim> =
            works.iter().map(|work| Claim { key: work.job.key.clone(), version: work.job.version }).collect();
        let Settler { state, pipeline, claimant, .. } = &self.settler;
        let step = self.settler.progress.meter().stage(Stage::Claim);
        let answers = state.claim(pipeline, &claims, claimant).await?;
        drop(step);
        crash::point(Point::Claimed);
        let mut go = Vec::with_capacity(works.len());
        let (mut ended, mut held, mut poison) = (Vec::new(), Vec::new(), Vec::new());
        for (work, answer) in works.into_iter().zip(answers) {
            match answer {
                Claimed::Go { marks, .. } if marks >= MARKS_MAX => poison.push(work),
                Claimed::Go { was_gone, .. } => go.push(Work { was_gone, ..work }),
                Claimed::Suspect { at_most } => suspects.push(Suspect { at_most, work }),
                Claimed::Held => held.push(work),
                Claimed::Superseded => ended.push((work, ended_as(Outcome::Superseded))),
                Claimed::Applied => ended.push((work, ended_as(Outcome::Unchanged))),
            }
        }
        self.settler.settle(ended).await?;
        self.settler.wait_for_holder(held).await?;
        for work in poison {
            let failure = Failure::new(
                Class::Poison,
                Reason::Crashed,
                format!("{MARKS_MAX} workers died over this record"),
            )
            .advise("look for memory or disk limits in those logs, then run `catalog-sync dead redrive`");
            self.settler.bury(work, &failure).await?;
        }
        Ok(go)
    }

    /// Writes claimed jobs to the sink and decides what becomes of each.
    async fn upsert(&mut self, works: Vec<Work>) -> Result<(), Failure> {
        if works.is_empty() {
            return Ok(());
        }
        // One that slept too long must not write: others have taken over what it claimed.
        if self.heart.as_ref().is_some_and(|heart| !heart.is_heard()) {
            self.settler.give_back(works, false).await?;
            return Err(Failure::transient(Reason::Timeout, "the state has not heard this worker in time"));
        }
        let asked: Vec<Asked<'_>> =
            works.iter().map(|work| Asked { job: &work.job, was_gone: work.was_gone }).collect();
        let step = self.settler.progress.meter().stage(Stage::Upsert);
        let answers = self.sink.bring(&asked).await;
        drop(step);
        let answers = match answers {
            Ok(answers) => answers,
            Err(failure) => return self.batch_failed(works, failure).await,
        };
        crash::point(Point::Upserted);
        if let Some(keeper) = &mut self.keeper {
            keeper.wrote();
        }
        let mut ended = Vec::with_capacity(works.len());
        let mut failed = Vec::new();
        for (work, answer) in works.into_iter().zip(answers) {
            match answer {
                Ok(upserted) => ended.push((work, upserted)),
                Err(failure) => failed.push((work, failure)),
            }
        }
        if ended.is_empty() && failed.iter().all(|(_, failure)| failure.class == Class::Transient) {
            let Some((_, failure)) = failed.first() else { return Ok(()) };
            let failure = failure.clone();
            return self.batch_failed(failed.into_iter().map(|(work, _)| work).collect(), failure).await;
        }
        self.stalled = 0;
        self.breaker.succeeded(ended.len());
        self.settler.settle(ended).await?;
        self.each_failed(failed).await
    }

    /// What failed beside others that did not. The first failure that is the system's ends it for the rest, too.
    async fn each_failed(&mut self, failed: Vec<(Work, Failure)>) -> Result<(), Failure> {
        let mut failed = failed.into_iter();
        while let Some((work, failure)) = failed.next() {
            let sick = match failure.class {
                Class::Systemic | Class::Interrupted | Class::Newer => Some(failure.clone()),
                Class::Throttled if failure.retry_after > Some(WAIT_MAX) => Some(failure.clone()),
                _ => self.breaker.failed(&failure),
            };
            if let Some(sick) = sick {
                let rest = std::iter::once(work).chain(failed.map(|(work, _)| work)).collect();
                self.settler.give_back(rest, is_unsure(&failure)).await?;
                return Err(sick);
            }
            self.job_failed(work, failure).await?;
        }
        Ok(())
    }

    /// The whole batch failed. Where that passes, it is the sink's trouble and no record's: the batch goes back without
    /// an attempt spent, and after a while it is tried again. A sink that stays away stops the worker.
    async fn batch_failed(&mut self, works: Vec<Work>, failure: Failure) -> Result<(), Failure> {
        let unsure = is_unsure(&failure);
        match failure.class {
            Class::Transient if works.len() > 1 || sink_is_away(failure.reason) => {
                self.stalled += 1;
                self.settler.progress.meter().failed(JobKind::Record, &failure, works.len() as u64);
                let delay = retry::delay_after(u32::try_from(self.stalled).unwrap_or(u32::MAX));
                let jobs = works.len();
                self.settler.give_back(works, unsure).await?;
                let Some(delay) = delay.filter(|_| self.stalled < STALLED_MAX) else {
                    // Not the records': whoever runs this worker pauses the pipeline.
                    return Err(failure.of_system());
                };
                tracing::warn!(pipeline = %self.settler.pipeline, jobs, delay_s = delay.as_secs(), "{failure:#}");
                tokio::time::sleep(delay).await;
                Ok(())
            }
            Class::Throttled if failure.retry_after > Some(WAIT_MAX) => {
                self.settler.give_back(works, unsure).await?;
                Err(failure)
            }
            Class::Transient | Class::Throttled => {
                for work in works {
                    self.job_failed(work, failure.clone()).await?;
                }
                Ok(())
            }
            _ => {
                self.settler.give_back(works, unsure).await?;
                Err(failure)
            }
        }
    }

    async fn job_failed(&self, work: Work, failure: Failure) -> Result<(), Failure> {
        match failure.class {
            Class::Transient => match retry::delay_after(work.job.attempt) {
                Some(delay) => self.settler.retry(work, &failure, delay, true).await,
                None => self.settler.bury(work, &failure).await,
            },
            Class::Throttled => {
                let delay = failure.retry_after.unwrap_or(retry::SOON);
                self.settler.retry(work, &failure, delay, false).await
            }
            Class::Permanent | Class::Poison => self.settler.bury(work, &failure).await,
            Class::Systemic | Class::Interrupted | Class::Newer => {
                self.settler.give_back(vec![work], false).await?;
                Err(failure)
            }
        }
    }
}

/// A job over which a worker died, perhaps over a neighbour of it.
struct Suspect {
    /// It is to be claimed with so many at most.
    at_most: usize,
    work: Work,
}

/// Batches of suspects, as large as each of them may be in.
fn split(suspects: Vec<Suspect>) -> Vec<Vec<Work>> {
    let mut batches: Vec<(usize, Vec<Work>)> = Vec::new();
    for Suspect { at_most, work } in suspects {
        match batches.iter_mut().find(|(limit, works)| *limit == at_most && works.len() < at_most) {
            Some((_, works)) => works.push(work),
            None => batches.push((at_most, vec![work])),
        }
    }
    batches.into_iter().map(|(_, works)| works).collect()
}

/// Reasons that say nothing of the record that was in hand.
fn sink_is_away(reason: Reason) -> bool {
    matches!(reason, Reason::Unreachable | Reason::Timeout | Reason::ServerError)
}
