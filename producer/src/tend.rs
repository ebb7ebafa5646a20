//! One pipeline in the producer's hands: a run when one is due, and what keeps it sound in between.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::failure::{Class, Failure, Reason};
use shared::fleet::{Pause, PausedBy, Scope};
use shared::job::JobKind;
use tokio_util::sync::CancellationToken;

use crate::run::FleetRun;

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(1);

/// Waits after failed runs; the last one is repeated.
const RETRIES: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
];

/// Tends one pipeline until it is told to stop.
#[derive(Debug)]
pub(crate) struct Tending {
    pub(crate) runs: FleetRun,
    /// Runs that failed since the last one that did not.
    pub(crate) failed: usize,
    /// When the next run is due.
    pub(crate) due: Option<Timestamp>,
}

impl Tending {
    pub(crate) fn new(runs: FleetRun) -> Self {
        Self { runs, failed: 0, due: None }
    }

    /// Failures are told and tried again: whatever is sick, the next tick may find it well.
    pub(crate) async fn tend(mut self, stop: CancellationToken) {
        loop {
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = self.tick() => outcome,
            };
            if let Err(failure) = outcome {
                self.failed_so(&failure);
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    async fn tick(&mut self) -> Result<(), Failure> {
        let name = self.runs.pipeline.name.clone();
        let state = &self.runs.meeting.state;
        if Pause::of(state, &name, Scope::Pipeline).await?.is_some_and(|pause| pause.by == PausedBy::Hand) {
            return Ok(());
        }
        let has_lost_work = self.runs.keep().await?;
        let now = state.now().await?;
        let due = match self.due {
            Some(due) => due,
            None => self.due_by_history(now).await?,
        };
        self.due = Some(due);
        // Lost work is in no hurry while runs fail: the wait after a failure holds for it, too.
        if now < due && (!has_lost_work || self.failed > 0) {
            return Ok(());
        }
        self.run().await?;
        self.failed = 0;
        self.due = Some(now.checked_add(signed(self.runs.pipeline.every)).unwrap_or(Timestamp::MAX));
        Ok(())
    }

    /// A producer that was started again goes on with the rhythm of the one before; what is broken off is due at once.
    async fn due_by_history(&self, now: Timestamp) -> Result<Timestamp, Failure> {
        let name = &self.runs.pipeline.name;
        let state = &self.runs.meeting.state;
        let open = state.pipeline(name).await?.is_none_or(|known| known.open.is_some());
        let last = state.runs(Some(name), 1).await?.into_iter().next();
        let Some(last) = last.filter(|_| !open) else { return Ok(now) };
        Ok(last
            .started
            .checked_add(signed(self.runs.pipeline.every))
            .unwrap_or(now)
            .min(now + signed(self.runs.pipeline.every)))
    }

    /// One run, ended early where a person pauses the pipeline.
    async fn run(&self) -> Result<(), Failure> {
        let stop = self.runs.stop.child_token();
        let runs = FleetRun { stop: stop.clone(), ..self.runs.clone() };
        let running = runs.enumerate(false);
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

    fn failed_so(&mut self, failure: &Failure) {
        let name = &self.runs.pipeline.name;
        if failure.class == Class::Interrupted {
            tracing::info!(pipeline = %name, "{failure}");
            return;
        }
        let wait = RETRIES.get(self.failed).or(RETRIES.last()).copied().unwrap_or_default();
        // Somebody else's enumeration, or a file that nobody has opened, says nothing of this pipeline's systems.
        let waits = matches!(failure.reason, Reason::Locked | Reason::Missing);
        let wait = if waits { TICK } else { wait.max(failure.retry_after.unwrap_or_default()) };
        if waits {
            tracing::info!(pipeline = %name, "{failure:#}");
        } else {
            self.failed += 1;
            self.runs.progress.meter().failed(JobKind::Record, failure, 1);
            tracing::error!(pipeline = %name, wait_s = wait.as_secs(), reason = failure.reason.label(), "{failure:#}");
        }
        self.due = Timestamp::now().checked_add(signed(wait)).ok();
    }
}

fn signed(span: Duration) -> SignedDuration {
    SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX)
}
