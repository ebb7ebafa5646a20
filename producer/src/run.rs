//! Runs of one pipeline in a fleet: enumerated and enqueued here, worked on elsewhere.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use shared::config::Pipeline;
use shared::failure::{Class, Failure, Reason};
use shared::fleet::{KeptLease, Lease, Meeting, SinkNote};
use shared::progress::Progress;
use shared::state::{Run, RunEnd, RunSummary};
use shared::systems::Systems;
use shared::utc::in_utc;
use tokio_util::sync::CancellationToken;

use crate::enumerate::Enumeration;
use crate::feed::ImageFeed;
use crate::history;
use crate::keep::Keeper;
use crate::lost::LostWork;
use crate::open::{KnownSink, known_sink, source};
use crate::start::{Started, Wish, start};
use crate::sweep::Sweeping;

/// How long an enumeration's lease outlives a producer that died.
const TERM: Duration = Duration::from_secs(5);

/// What runs of a pipeline work with.
#[derive(Debug, Clone)]
pub struct FleetRun {
    /// Where state and queue are.
    pub meeting: Meeting,
    /// The remote systems.
    pub systems: Arc<Systems>,
    /// Which pipeline.
    pub pipeline: Pipeline,
    /// Outstanding work older than this whose queue is empty is enqueued again.
    pub lost_after: Duration,
    /// Counts for whoever watches.
    pub progress: Arc<Progress>,
    /// Cancelled when the run is to stop.
    pub stop: CancellationToken,
}

/// A run whose enumeration is over.
#[derive(Debug)]
pub struct Enumerated {
    /// Why it was the kind of run that it was.
    pub why: String,
    /// How far it is.
    pub summary: RunSummary,
}

impl FleetRun {
    /// Enumerates what is due, and once more where that was the rest of a run that was broken off. When it returns,
    /// every job is with the broker; the workers may not have ended them.
    ///
    /// # Errors
    /// Why it stopped: noted in the run, which stays open. `Reason::Locked` where another process enumerates the
    /// pipeline, `Transient` where no worker has opened the pipeline's file yet.
    pub async fn enumerate(&self, wish: Wish) -> Result<Enumerated, Failure> {
        let lease = self.lease().await?;
        let stop = self.stop.child_token();
        let lost = lease.lost();
        let enumerated = tokio::select! {
            enumerated = self.enumerate_all(wish, &stop) => enumerated,
            () = lost.cancelled() => Err(Failure::interrupted("the lease of the enumeration was lost")),
        };
        lease.give_up().await;
        enumerated
    }

    /// Does what is due between runs. Whether there is work whose jobs are gone: then a run is due, which enqueues it
    /// again.
    ///
    /// # Errors
    /// The state's and the queue's.
    pub async fn keep(&self) -> Result<bool, Failure> {
        let meter = self.progress.meter();
        Keeper { meeting: &self.meeting, pipeline: &self.pipeline, lost_after: self.lost_after, meter }
            .keep()
            .await
    }

    /// Publishes images whose time has come, until enough of them wait for the workers. How many.
    ///
    /// # Errors
    /// The state's and the queue's.
    pub async fn feed_images(&self) -> Result<usize, Failure> {
        if !self.pipeline.takes_images() {
            return Ok(0);
        }
        let meter = self.progress.meter();
        ImageFeed { meeting: &self.meeting, pipeline: &self.pipeline, meter }.publish().await
    }

    async fn lease(&self) -> Result<KeptLease, Failure> {
        let name = format!("enumeration/{}", self.pipeline.name);
        match Lease::take(&self.meeting.state, &name, &self.meeting.name, TERM).await? {
            Ok(lease) => Ok(lease.keep()),
            Err(held) => Err(Failure::systemic(
                Reason::Locked,
                format!(
                    "{} is being enumerated by '{}' since {}",
                    self.pipeline.name,
                    held.holder,
                    in_utc(held.since)
                ),
            )
            .advise("wait until it ends or stop it; two at a time would enqueue everything twice")),
        }
    }

    async fn enumerate_all(&self, wish: Wish, stop: &CancellationToken) -> Result<Enumerated, Failure> {
        let state = &self.meeting.state;
        let source = source(&self.pipeline, &self.systems, state, wish.full).await?;
        let KnownSink { identity, asks } =
            known_sink(&self.pipeline, &self.systems, state).await?.ok_or_else(|| {
                let what = format!("no worker has opened the file of {} yet", self.pipeline.name);
                Failure::transient(Reason::Missing, what).advise("start a worker that can write it")
            })?;
        let mut wish = Wish { sink_asks: asks, ..wish };
        loop {
            let Started { run, why, resumed } =
                start(state, &self.pipeline, &source, &identity, &wish).await?;
            // A run over some records alone is no answer.
            if wish.sink_asks.is_some() && wish.only.is_none() {
                SinkNote::answered(state, &self.pipeline.name).await?;
            }
            tracing::info!(pipeline = %self.pipeline.name, run = %run.id, "{why}");
            let enumeration = Enumeration {
                state,
                queue: &self.meeting.queue,
                source: &source,
                images: self.pipeline.takes_images(),
                clears_images: self.pipeline.clears_images(),
                lost: LostWork::OlderThan(
                    SignedDuration::try_from(self.lost_after).unwrap_or(SignedDuration::MAX),
                ),
                only: wish.only.clone(),
                sweeping: Sweeping { rules: self.pipeline.sweep, allow_mass: wish.allow_mass_archive },
                progress: Arc::clone(&self.progress),
                stop: stop.clone(),
            };
            if run.window.start.is_none()
                && let Ok(records) = source.count().await
            {
                history::expect(state, &run, records).await?;
            }
            let telemetry = self.systems.telemetry();
            let before = telemetry.spent(&self.pipeline.name);
            let result = enumeration.run(&run).await;
            let spent = telemetry.spent(&self.pipeline.name).since(&before);
            let noted = history::add(state, &run, &spent, self.systems.config().keep_runs).await;
            let summary = self.end(&run, result.and(noted)).await?;
            if !resumed {
                return Ok(Enumerated { why, summary });
            }
            wish = Wish::default();
        }
    }

    /// Notes how the enumeration ended. Where it failed, that failure is the one to tell.
    async fn end(&self, run: &Run, result: Result<(), Failure>) -> Result<RunSummary, Failure> {
        let end = match &result {
            Ok(()) => RunEnd::Complete,
            // A remote system that asks for a long wait breaks a run off; the next one goes on with it.
            Err(failure) if failure.class == Class::Interrupted || failure.is_throttle() => {
                RunEnd::Interrupted
            }
            Err(failure) => RunEnd::Failed(format!("{failure:#}")),
        };
        let finished = self.meeting.state.finish_run(run, &end).await;
        result.and(finished)
    }
}
