//! One pipeline in the producer's hands: a run when one is due, and what keeps it sound in between.

use std::time::Duration;

use shared::failure::{Class, Failure, Reason};
use shared::fleet::{Pause, PausedBy, Scope};
use shared::job::JobKind;
use tokio_util::sync::CancellationToken;

use crate::run::FleetRun;
use crate::schedule::{Kind, Schedule};

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(1);

/// The pause after image jobs were published, doubled while there are none to publish: workers that take all that wait for
/// them within one pause have nothing to do for the rest of it.
const FEED_MIN: Duration = Duration::from_millis(50);

/// Tends one pipeline until it is told to stop.
#[derive(Debug)]
pub(crate) struct Tending {
    pub(crate) runs: FleetRun,
    /// The schedule disables itself after so many failed runs in a row.
    pub(crate) disable_after: u32,
}

impl Tending {
    /// Failures are told and tried again: whatever is sick, the next tick may find it well.
    pub(crate) async fn tend(self, stop: CancellationToken) {
        // A long run is no reason for workers to wait for images.
        let tending = async { tokio::join!(self.run_when_due(), self.feed_images()) };
        stop.run_until_cancelled(Box::pin(tending)).await;
    }

    async fn run_when_due(&self) {
        loop {
            if let Err(failure) = self.tick().await {
                self.tell_sick(&failure);
            }
            tokio::time::sleep(TICK).await;
        }
    }

    async fn feed_images(&self) {
        let mut pause = FEED_MIN;
        loop {
            let fed = self.runs.feed_images().await;
            pause = if matches!(fed, Ok(1..)) { FEED_MIN } else { (pause * 2).min(TICK) };
            if let Err(failure) = fed {
                self.tell_sick(&failure);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn tick(&self) -> Result<(), Failure> {
        let name = &self.runs.pipeline.name;
        let state = &self.runs.meeting.state;
        if Pause::of(state, name, Scope::Pipeline).await?.is_some_and(|pause| pause.by == PausedBy::Hand) {
            return Ok(());
        }
        let has_lost_work = self.runs.keep().await?;
        let schedule = Schedule::of(state, &self.runs.pipeline);
        let Some(next) = schedule.next().await? else { return Ok(()) };
        // Lost work is in no hurry while runs fail: the wait after a failure holds for it, too.
        let is_due = next.at <= state.now().await?;
        if !is_due && (!has_lost_work || schedule.note().await?.retry.is_some()) {
            return Ok(());
        }
        let kind = if is_due { next.kind } else { Kind::Incremental };
        schedule.begin(kind).await?;
        let failure = self.run(kind).await.err();
        if let Some(failure) = &failure {
            self.tell(failure);
        }
        // Where the broker is away, no pipeline is to blame.
        let is_connected = self.runs.meeting.queue.health().connected;
        let disable_after = is_connected.then_some(self.disable_after);
        if schedule.ended(kind, failure.as_ref(), disable_after).await? {
            tracing::error!(pipeline = %name, "the schedule disabled itself; `catalog-sync schedule enable {name}` lets it run again");
        }
        Ok(())
    }

    /// One run, ended early where a person pauses the pipeline.
    async fn run(&self, kind: Kind) -> Result<(), Failure> {
        let stop = self.runs.stop.child_token();
        let runs = FleetRun { stop: stop.clone(), ..self.runs.clone() };
        let running = runs.enumerate(kind.wish());
        let mut running = std::pin::pin!(running);
        loop {
            tokio::select! {
                enumerated = &mut running => {
                    let enumerated = enumerated?;
                    tracing::info!(
                        pipeline = %self.runs.pipeline.name, run = %enumerated.summary.id,
                        seen = enumerated.summary.ledger.seen, enqueued = enumerated.summary.ledger.enqueued,
                        "enumerated: {}", enumerated.why
                    );
                    return Ok(());
                }
                () = tokio::time::sleep(TICK) => {
                    let paused = Pause::of(&self.runs.meeting.state, &self.runs.pipeline.name, Scope::Pipeline).await;
                    if paused.is_ok_and(|pause| pause.is_some_and(|pause| pause.by == PausedBy::Hand)) {
                        stop.cancel();
                    }
                }
            }
        }
    }

    /// Of the state or the queue.
    fn tell_sick(&self, failure: &Failure) {
        tracing::error!(pipeline = %self.runs.pipeline.name, reason = failure.reason.label(), "{failure:#}");
    }

    fn tell(&self, failure: &Failure) {
        let name = &self.runs.pipeline.name;
        if failure.class == Class::Interrupted || matches!(failure.reason, Reason::Locked | Reason::Missing) {
            tracing::info!(pipeline = %name, "{failure:#}");
        } else if failure.is_throttle() {
            self.runs.progress.meter().failed(JobKind::Record, failure, 1);
            tracing::warn!(pipeline = %name, wait_s = failure.retry_after.map(|wait| wait.as_secs()), "{failure:#}");
        } else {
            self.runs.progress.meter().failed(JobKind::Record, failure, 1);
            tracing::error!(pipeline = %name, reason = failure.reason.label(), "{failure:#}");
        }
    }
}
