//! `sync` where a fleet does the work: enumerates here, and follows the run until the workers have ended its last job.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use producer::run::{Enumerated, FleetRun};
use producer::start::Wish;
use producer::sweep::Swept;
use shared::config::{Config, Fleet, Pipeline, SinkConfig};
use shared::failure::{Class, Failure, Reason};
use shared::fleet::{Meeting, Pause, Scope, SinkNote};
use shared::progress::Progress;
use shared::record::RunId;
use shared::state::{RunKind, RunSummary};
use shared::systems::Systems;
use tokio_util::sync::CancellationToken;

use super::Asked;
use super::progress::watch;
use super::report::{ImagesReport, PipelineReport};
use crate::output::Output;

/// How often the run is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How often lost work is looked for and images are published, should no producer be running.
const KEEP: Duration = Duration::from_secs(5);

/// Syncs pipelines of a fleet, one after the other.
pub(super) struct FleetSync<'a> {
    meeting: Meeting,
    systems: Arc<Systems>,
    lost_after: Duration,
    output: &'a Output,
    stop: &'a CancellationToken,
}

impl<'a> FleetSync<'a> {
    pub(super) async fn open(
        config: &'a Arc<Config>,
        fleet: &Fleet,
        output: &'a Output,
        stop: &'a CancellationToken,
    ) -> Result<Self, Failure> {
        let meeting = Meeting::open(config, fleet, "sync").await?;
        let systems = Arc::new(Systems::new(Arc::clone(config)).governed_by(&meeting.state));
        Ok(Self { meeting, systems, lost_after: fleet.lost_after, output, stop })
    }

    pub(super) async fn run(&self, asked: &[Asked<'_>]) -> Result<Vec<PipelineReport>, Failure> {
        let mut reports = Vec::new();
        for Asked { pipeline, wish } in asked {
            let mut report = PipelineReport::new(pipeline.name.clone());
            let began = Instant::now();
            if let Err(failure) = self.sync(pipeline, wish, &mut report).await {
                report.failure = Some(failure);
            }
            report.took = began.elapsed();
            reports.push(report);
            if self.stop.is_cancelled() {
                break;
            }
        }
        self.meeting.queue.close();
        self.meeting.queue.closed().await;
        Ok(reports)
    }

    async fn sync(
        &self,
        pipeline: &Pipeline,
        wish: &Wish,
        report: &mut PipelineReport,
    ) -> Result<(), Failure> {
        let progress = Arc::new(self.systems.telemetry().progress(&pipeline.name));
        let runs = FleetRun {
            meeting: self.meeting.clone(),
            systems: Arc::clone(&self.systems),
            pipeline: pipeline.clone(),
            lost_after: self.lost_after,
            progress: Arc::clone(&progress),
            stop: self.stop.clone(),
        };
        let watcher = watch(pipeline.name.as_str(), &progress, *self.output);
        let result = async {
            let Enumerated { why, summary } = self.enumerate(&runs, wish).await?;
            self.output.line(format!(
                "{}: {why}; {} jobs are with the workers",
                pipeline.name, summary.ledger.enqueued
            ));
            report.why = why;
            self.follow(&runs, summary.id, &progress).await
        }
        .await;
        watcher.end().await;
        let summary = result?;
        report.kind = Some(summary.kind);
        report.add(summary.ledger, self.meeting.state.counts(&pipeline.name).await?.dead);
        report.sweep = Swept::by(&self.meeting.state, &pipeline.name, summary.id).await?;
        let overlap = SignedDuration::try_from(pipeline.source.overlap()).unwrap_or(SignedDuration::MAX);
        if summary.kind != RunKind::Chosen {
            report.next_start = summary.window.end.checked_sub(overlap).ok();
            report.records_total = self.total(pipeline, summary.window.end).await?;
        }
        if pipeline.takes_images() {
            let images = self.meeting.state.counts(&pipeline.name).await?.images;
            report.images = Some(ImagesReport {
                applied: images.applied,
                dead: images.dead,
                outstanding: images.outstanding,
                ..ImagesReport::default()
            });
        }
        Ok(())
    }

    /// Waits for the worker that has the file, where none has said so yet.
    async fn enumerate(&self, runs: &FleetRun, wish: &Wish) -> Result<Enumerated, Failure> {
        let mut told = false;
        loop {
            match runs.enumerate(wish.clone()).await {
                Err(failure) if failure.class == Class::Transient && failure.reason == Reason::Missing => {
                    if !told {
                        told = true;
                        self.output.line(format!("{}: waiting: {failure}", runs.pipeline.name));
                    }
                    self.wait(LOOK).await?;
                }
                enumerated => return enumerated,
            }
        }
    }

    /// Until the last job of the run has ended. What was lost on the way is enqueued again, which ends it too.
    async fn follow(&self, runs: &FleetRun, run: RunId, progress: &Progress) -> Result<RunSummary, Failure> {
        let mut told: Option<String> = None;
        let mut kept = Instant::now();
        loop {
            let Some(summary) = self.meeting.state.run(run).await? else {
                return Err(Failure::systemic(
                    Reason::Missing,
                    format!("run {run} is gone: the state was wiped"),
                )
                .advise("sync again"));
            };
            let over = summary.ledger.enqueued - summary.ledger.outstanding();
            progress.add_settled(over.saturating_sub(progress.settled()));
            if summary.ledger.outstanding() == 0 {
                return Ok(summary);
            }
            let why = Pause::of(&self.meeting.state, &runs.pipeline.name, Scope::Pipeline).await?;
            let why = why.map(|pause| pause.why);
            if let Some(why) = why.as_ref().filter(|why| told.as_ref() != Some(why)) {
                self.output.line(format!("{}: paused: {why}", runs.pipeline.name));
            }
            told = why.or(told);
            if kept.elapsed() > KEEP {
                kept = Instant::now();
                runs.feed_images().await?;
                if runs.keep().await? {
                    self.enumerate(runs, &Wish::default()).await?;
                }
            }
            self.wait(LOOK).await?;
        }
    }

    /// Records in the sink; of a file, once its writer has made them visible.
    async fn total(&self, pipeline: &Pipeline, end: Timestamp) -> Result<Option<u64>, Failure> {
        match &pipeline.sink {
            SinkConfig::Odoo(target) => {
                let client = self.systems.odoo(&target.server).await?;
                worker::open::odoo_sink(pipeline, target, client).await?.count().await.map(Some)
            }
            SinkConfig::Json(_) => loop {
                let note = SinkNote::of(&self.meeting.state, &pipeline.name).await?;
                if let Some(note) = note.filter(|note| note.recorded.is_some_and(|recorded| recorded >= end))
                {
                    return Ok(Some(note.records));
                }
                self.wait(LOOK).await?;
            },
        }
    }

    async fn wait(&self, time: Duration) -> Result<(), Failure> {
        tokio::select! {
            () = self.stop.cancelled() => {
                Err(Failure::interrupted("stopped following; the workers go on with what was enqueued"))
            }
            () = tokio::time::sleep(time) => Ok(()),
        }
    }
}
