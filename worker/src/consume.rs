//! The worker's loop: gather, claim, upsert, record, settle. One place decides what becomes of a job.

use std::sync::Arc;
use std::time::Duration;

use shared::failure::{Class, Failure, Reason};
use shared::job::{Attempt, Job, JobKind};
use shared::progress::Progress;
use shared::queue::{Delivery, Queue};
use shared::record::{Outcome, PipelineName, RecordKey};
use shared::state::{Claim, Claimed, DeadLetter, Settled, State};
use tokio_util::sync::CancellationToken;

use crate::batch::{BatchLimits, gather};
use crate::breaker::Breaker;
use crate::retry;
use crate::sink::{Sink, Upserted};

/// A job whose unreleased started marks reach this number is not tried again: that many workers died over it.
const MARKS_MAX: u32 = 3;

/// Batches in a row that may fail as a whole before the sink counts as down and the pipeline stops.
const STALLED_MAX: usize = 3;

/// A system that asks for a longer wait is left alone: the pipeline stops, and the next run goes on.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// Takes the record jobs of one pipeline.
#[derive(Debug)]
pub struct Worker {
    /// Which pipeline.
    pub pipeline: PipelineName,
    /// Where what is applied is kept.
    pub state: State,
    /// Where jobs come from.
    pub queue: Queue,
    /// Where records go.
    pub sink: Sink,
    /// Bounds of a batch.
    pub limits: BatchLimits,
    /// Counts for whoever watches.
    pub progress: Arc<Progress>,
    breaker: Breaker,
    /// Batches that failed as a whole since the last one that did not.
    stalled: usize,
}

/// A delivery with its job, unpacked.
struct Work {
    job: Job,
    delivery: Delivery,
}

impl Worker {
    /// A worker for one pipeline, with the usual batches.
    pub fn new(
        pipeline: PipelineName,
        state: State,
        queue: Queue,
        sink: Sink,
        progress: Arc<Progress>,
    ) -> Self {
        let limits = BatchLimits { records: sink.batch_records(), ..BatchLimits::default() };
        let breaker = Breaker::default();
        Self { pipeline, state, queue, sink, limits, progress, breaker, stalled: 0 }
    }

    /// Works until `drain` is cancelled (what is in hand is ended first, the rest stays in the queue), the queue is
    /// closed, or the sink or the state is sick. The sink is given back in either case, so that it can be flushed.
    ///
    /// # Errors
    /// The systemic failure that stopped it; nothing of it was settled.
    pub async fn run(mut self, drain: CancellationToken) -> (Sink, Result<(), Failure>) {
        let prefetch = self.limits.records * 2;
        let mut consumer = self.queue.consume(&self.pipeline, JobKind::Record, prefetch);
        loop {
            let batch = gather(&mut consumer, self.limits, &drain).await;
            if batch.is_empty() {
                return (self.sink, Ok(()));
            }
            let mut works = Vec::with_capacity(batch.len());
            for mut delivery in batch {
                match std::mem::replace(&mut delivery.job, Err(shared::job::DecodeError::Newer(0))) {
                    Ok(job) => works.push(Work { job, delivery }),
                    Err(error) => tracing::error!(pipeline = %self.pipeline, "{error}"),
                }
            }
            if let Err(failure) = self.work(works).await {
                return (self.sink, Err(failure));
            }
        }
    }

    /// Claims a batch, works on it, and on the jobs that must be alone one by one.
    async fn work(&mut self, works: Vec<Work>) -> Result<(), Failure> {
        let mut alone = Vec::new();
        let together = self.claim(works, &mut alone).await?;
        self.upsert(together).await?;
        for work in alone {
            let one = self.claim(vec![work], &mut Vec::new()).await?;
            self.upsert(one).await?;
        }
        Ok(())
    }

    /// The jobs that may go on. Those over which a worker died go into `alone`; those over which too many died are
    /// buried; those that are overtaken are settled.
    async fn claim(&self, works: Vec<Work>, alone: &mut Vec<Work>) -> Result<Vec<Work>, Failure> {
        let claims: Vec<Claim> =
            works.iter().map(|work| Claim { key: work.job.key.clone(), version: work.job.version }).collect();
        let answers = self.state.claim(&self.pipeline, &claims).await?;
        let mut go = Vec::with_capacity(works.len());
        let mut ended = Vec::new();
        let mut poison = Vec::new();
        for (work, answer) in works.into_iter().zip(answers) {
            match answer {
                Claimed::Go { marks, .. } if marks >= MARKS_MAX => poison.push(work),
                Claimed::Go { .. } => go.push(work),
                Claimed::Alone => alone.push(work),
                Claimed::Superseded => ended.push((work, ended_as(Outcome::Superseded))),
                Claimed::Applied => ended.push((work, ended_as(Outcome::Unchanged))),
            }
        }
        self.settle(ended).await?;
        for work in poison {
            let failure = Failure::new(
                Class::Poison,
                Reason::Crashed,
                format!("{MARKS_MAX} workers died over this record"),
            )
            .advise("look for memory or disk limits in the logs of those workers, then redrive it");
            self.bury(work, &failure).await?;
        }
        Ok(go)
    }

    /// Writes claimed jobs to the sink and decides what becomes of each.
    async fn upsert(&mut self, works: Vec<Work>) -> Result<(), Failure> {
        if works.is_empty() {
            return Ok(());
        }
        let jobs: Vec<&Job> = works.iter().map(|work| &work.job).collect();
        let answers = match self.sink.upsert(&jobs).await {
            Ok(answers) => answers,
            Err(failure) => return self.batch_failed(works, failure).await,
        };
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
        self.settle(ended).await?;
        let mut failed = failed.into_iter();
        while let Some((work, failure)) = failed.next() {
            let sick = match failure.class {
                Class::Systemic | Class::Interrupted | Class::Newer => Some(failure.clone()),
                Class::Throttled if failure.retry_after > Some(WAIT_MAX) => Some(failure.clone()),
                _ => self.breaker.failed(&failure),
            };
            if let Some(sick) = sick {
                let rest = std::iter::once(work).chain(failed.map(|(work, _)| work)).collect();
                return self.give_back(rest, sick).await;
            }
            self.job_failed(work, failure).await?;
        }
        Ok(())
    }

    /// The whole batch failed. Where that passes, it is the sink's trouble and no record's: the batch goes back without
    /// an attempt spent, and after a while it is tried again. A sink that stays away stops the worker.
    async fn batch_failed(&mut self, works: Vec<Work>, failure: Failure) -> Result<(), Failure> {
        match failure.class {
            Class::Transient if works.len() > 1 || sink_is_away(failure.reason) => {
                self.stalled += 1;
                let Some(delay) = retry::TIERS.get(self.stalled - 1).filter(|_| self.stalled < STALLED_MAX)
                else {
                    return self.give_back(works, failure).await;
                };
                tracing::warn!(pipeline = %self.pipeline, jobs = works.len(), delay_s = delay.as_secs(), "{failure:#}");
                self.return_all(works).await?;
                tokio::time::sleep(*delay).await;
                Ok(())
            }
            Class::Transient => self.each_failed(works, &failure).await,
            Class::Throttled if failure.retry_after <= Some(WAIT_MAX) => {
                self.each_failed(works, &failure).await
            }
            _ => self.give_back(works, failure).await,
        }
    }

    async fn each_failed(&self, works: Vec<Work>, failure: &Failure) -> Result<(), Failure> {
        for work in works {
            self.job_failed(work, failure.clone()).await?;
        }
        Ok(())
    }

    /// Jobs go back to the queue with their marks taken, and the worker stops with the failure: no attempt is spent.
    async fn give_back(&self, works: Vec<Work>, failure: Failure) -> Result<(), Failure> {
        self.return_all(works).await?;
        Err(failure)
    }

    async fn return_all(&self, works: Vec<Work>) -> Result<(), Failure> {
        self.release(works.iter().map(|work| work.job.key.clone()).collect()).await?;
        for work in works {
            work.delivery.give_back().await?;
        }
        Ok(())
    }

    async fn job_failed(&self, work: Work, failure: Failure) -> Result<(), Failure> {
        match failure.class {
            Class::Transient => match retry::delay_after(work.job.attempt) {
                Some(delay) => self.retry(work, &failure, delay, true).await,
                None => self.bury(work, &failure).await,
            },
            Class::Throttled => {
                let delay = failure.retry_after.unwrap_or(retry::TIERS[0]);
                self.retry(work, &failure, delay, false).await
            }
            Class::Permanent | Class::Poison => self.bury(work, &failure).await,
            Class::Systemic | Class::Interrupted | Class::Newer => self.give_back(vec![work], failure).await,
        }
    }

    async fn retry(
        &self,
        work: Work,
        failure: &Failure,
        delay: std::time::Duration,
        spends: bool,
    ) -> Result<(), Failure> {
        let Work { mut job, delivery } = work;
        let (record, attempt) = (job.key.clone(), job.attempt);
        tracing::warn!(pipeline = %self.pipeline, %record, attempt, delay_s = delay.as_secs(), "{failure:#}");
        job.failures.push(Attempt::of(failure));
        job.attempt += u32::from(spends);
        self.release(vec![record]).await?;
        delivery.retry(job, delay).await
    }

    async fn bury(&self, work: Work, failure: &Failure) -> Result<(), Failure> {
        let Work { job, delivery } = work;
        tracing::error!(
            pipeline = %self.pipeline, record = %job.key, attempt = job.attempt, reason = failure.reason.label(),
            "{failure:#}"
        );
        self.state.bury(&[DeadLetter { job, failure: Attempt::of(failure) }]).await?;
        self.progress.add_settled(1);
        acked(&self.pipeline, delivery.ack().await?);
        Ok(())
    }

    async fn release(&self, keys: Vec<RecordKey>) -> Result<(), Failure> {
        self.state.release(&self.pipeline, &keys).await
    }

    /// Recorded first, acked then: a crash in between makes the job come again, and it is found applied.
    async fn settle(&self, ended: Vec<(Work, Upserted)>) -> Result<(), Failure> {
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
                outcome: upserted.outcome,
                sink_id: upserted.sink_id.clone(),
                image: job.image.clone(),
            })
            .collect();
        self.state.settle(&self.pipeline, &settled).await?;
        self.progress.add_settled(settled.len() as u64);
        for (work, _) in ended {
            acked(&self.pipeline, work.delivery.ack().await?);
        }
        Ok(())
    }
}

/// Reasons that say nothing of the record that was in hand.
fn sink_is_away(reason: Reason) -> bool {
    matches!(reason, Reason::Unreachable | Reason::Timeout | Reason::ServerError)
}

fn ended_as(outcome: Outcome) -> Upserted {
    Upserted { outcome, sink_id: None }
}

fn acked(pipeline: &PipelineName, in_time: bool) {
    if !in_time {
        tracing::warn!(%pipeline, "an acknowledgement came too late: the job will be delivered again");
    }
}
