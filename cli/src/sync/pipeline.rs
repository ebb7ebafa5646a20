//! One pipeline's sync: opens source and sink, runs what is due, and once more where that was the rest of a broken run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use producer::history;
use producer::source::Source;
use producer::start::{Started, Wish, start};
use producer::sweep::{Sweeping, Swept};
use shared::config::Pipeline;
use shared::failure::{Failure, Reason};
use shared::fleet::{Pause, PausedBy, Scope};
use shared::record::PipelineName;
use shared::state::{RunEnd, RunKind, RunSummary, State};
use tokio_util::sync::CancellationToken;
use worker::open::Opened;
use worker::sink::Sink;
use worker::sink::json::last_sync::LastSync;

use super::one::OneRun;
use super::open::open;
use super::progress::watch;
use super::report::PipelineReport;
use crate::output::Output;
use shared::systems::Systems;

/// How often it is looked whether somebody paused the pipeline.
const LOOK: Duration = Duration::from_secs(1);

/// What a pipeline's sync works with.
pub(super) struct Sync<'a> {
    pub(super) state: &'a State,
    pub(super) systems: &'a Systems,
    pub(super) pipeline: &'a Pipeline,
    pub(super) wish: &'a Wish,
    pub(super) output: &'a Output,
    pub(super) stop: &'a CancellationToken,
}

impl Sync<'_> {
    pub(super) async fn run(&self) -> PipelineReport {
        let began = Instant::now();
        let mut report = PipelineReport::new(self.pipeline.name.clone());
        let synced = match paused_by_hand(self.state, &self.pipeline.name).await {
            Ok(None) => self.sync(&mut report).await,
            Ok(Some(why)) => {
                report.paused = Some(why);
                Ok(())
            }
            Err(failure) => Err(failure),
        };
        if let Err(failure) = synced {
            report.failure = Some(failure);
        }
        report.took = began.elapsed();
        report
    }

    async fn sync(&self, report: &mut PipelineReport) -> Result<(), Failure> {
        let (source, opened) = open(self.pipeline, self.systems, self.state, self.wish.full).await?;
        let Opened { mut sink, identity, marker, notice } = opened;
        if let Some(notice) = notice {
            self.output.line(notice);
        }
        let mut wish = Wish { sink_asks: self.marker_gone(marker.as_ref()).await?, ..self.wish.clone() };
        loop {
            let started = start(self.state, self.pipeline, &source, &identity, &wish).await?;
            self.output.line(format!("{}: {}", self.pipeline.name, announcement(&started)));
            let before = self.systems.telemetry().spent(&self.pipeline.name);
            let (given_back, result) = self.run_once(&started, &source, sink).await;
            sink = given_back;
            let flushed = sink.flush().await;
            let spent = self.systems.telemetry().spent(&self.pipeline.name).since(&before);
            let noted = history::add(self.state, &started.run, &spent, self.systems.config().keep_runs).await;
            let result = result.and(noted);
            report.bytes_written = sink.bytes_written();
            let result = result.and_then(|()| {
                report.records_total = flushed?;
                let end = started.run.window.end;
                let marker = marker.as_ref().filter(|_| started.run.kind != RunKind::Chosen);
                marker.map_or(Ok(()), |marker| marker.record(&self.pipeline.name, end))
            });
            self.finish(report, &started, result).await?;
            if !started.resumed {
                return Ok(());
            }
            wish = Wish::default();
        }
    }

    /// Deleting `last_sync.json` asks for a full run.
    async fn marker_gone(&self, marker: Option<&LastSync>) -> Result<Option<String>, Failure> {
        let Some(marker) = marker else { return Ok(None) };
        let known = self.state.pipeline(&self.pipeline.name).await?;
        let completed = known.is_some_and(|known| known.cursor.is_some());
        let gone = completed && marker.time_of(&self.pipeline.name)?.is_none();
        Ok(gone.then(|| "last_sync.json has no entry for it".to_owned()))
    }

    async fn run_once(&self, started: &Started, source: &Source, sink: Sink) -> (Sink, Result<(), Failure>) {
        let progress = Arc::new(self.systems.telemetry().progress(&self.pipeline.name));
        if let Some(only) = &self.wish.only {
            progress.expect((only.records.len() + only.gone.len()) as u64);
        } else if started.run.window.start.is_none()
            && let Ok(records) = source.count().await
        {
            progress.expect(records);
            // For whoever looks at the page: a state that is sick shows in the run itself.
            drop(history::expect(self.state, &started.run, records).await);
        }
        let watcher = watch(self.pipeline.name.as_str(), &progress, *self.output);
        let stop = self.stop.child_token();
        let run = OneRun {
            state: self.state,
            source,
            run: &started.run,
            images: self.pipeline.takes_images(),
            only: self.wish.only.clone(),
            sweeping: Sweeping { rules: self.pipeline.sweep, allow_mass: self.wish.allow_mass_archive },
            clears_images: self.pipeline.clears_images(),
            progress,
            stop: &stop,
        };
        let result = tokio::select! {
            biased;
            result = run.run(sink) => result,
            // Cancels `stop` and then waits for ever, while the run ends what is in hand.
            never = stop_when_paused(self.state, &self.pipeline.name, &stop) => match never {},
        };
        watcher.end().await;
        result
    }

    /// Closes the run in the state and adds its ledger to the report.
    async fn finish(
        &self,
        report: &mut PipelineReport,
        started: &Started,
        result: Result<(), Failure>,
    ) -> Result<(), Failure> {
        let end = match &result {
            Ok(()) => RunEnd::Complete,
            // A remote system that asks for a long wait breaks a run off; the next one goes on with it.
            Err(failure) if failure.reason == Reason::Stopped || failure.is_throttle() => RunEnd::Interrupted,
            Err(failure) => RunEnd::Failed(format!("{failure:#}")),
        };
        // A state that is sick itself cannot note that; the first failure is the one to tell.
        match self.state.finish_run(&started.run, &end).await {
            Ok(summary) => {
                // Where that cannot be told, none of them was brought since.
                let dead =
                    self.state.counts(&self.pipeline.name).await.map_or(u64::MAX, |counts| counts.dead);
                self.add(report, started, &summary, dead);
                report.sweep =
                    Swept::by(self.state, &self.pipeline.name, started.run.id).await?.or(report.sweep.take());
            }
            Err(failure) => return result.and(Err(failure)),
        }
        result
    }

    fn add(&self, report: &mut PipelineReport, started: &Started, summary: &RunSummary, dead: u64) {
        report.kind = Some(summary.kind);
        report.why.clone_from(&started.why);
        report.add(summary.ledger, dead);
        let overlap = SignedDuration::try_from(self.pipeline.source.overlap()).unwrap_or(SignedDuration::MAX);
        if summary.end == Some(RunEnd::Complete) && summary.kind != RunKind::Chosen {
            report.next_start = summary.window.end.checked_sub(overlap).ok();
        }
    }
}

fn announcement(started: &Started) -> String {
    match started.run.window.start {
        _ if started.run.kind == RunKind::Chosen => started.why.clone(),
        None if started.run.kind == RunKind::Sweep => format!("sweep ({})", started.why),
        None => format!("full run ({})", started.why),
        Some(_) => format!("incremental run ({})", started.why),
    }
}

/// Why a person let the pipeline stand still.
async fn paused_by_hand(state: &State, pipeline: &PipelineName) -> Result<Option<String>, Failure> {
    let pause = Pause::of(state, pipeline, Scope::Pipeline).await?;
    Ok(pause.filter(|pause| pause.by == PausedBy::Hand).map(|pause| pause.why))
}

/// A pause reaches a sync that is under way, too.
async fn stop_when_paused(
    state: &State,
    pipeline: &PipelineName,
    stop: &CancellationToken,
) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(LOOK).await;
        // The state's trouble shows in the run itself.
        if matches!(paused_by_hand(state, pipeline).await, Ok(Some(_))) {
            stop.cancel();
            return std::future::pending().await;
        }
    }
}
