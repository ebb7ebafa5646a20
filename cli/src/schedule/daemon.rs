//! `schedule start`: one process that runs what is due on one machine, until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use producer::notify::Notifier;
use producer::page;
use producer::schedule::{Kind, Schedule};
use shared::config::{Config, Pipeline};
use shared::failure::{Failure, Reason};
use shared::fleet::{Pause, PausedBy, Scope};
use shared::state::Exclusive;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::output::Output;
use crate::sync::{Asked, Machine};

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(1);

/// Images that failed are looked at again this often, should no run ask for it earlier.
const IMAGES: Duration = Duration::from_mins(5);

pub(super) async fn run(config: &Arc<Config>, stop: &CancellationToken) -> Result<Exit, Failure> {
    if config.fleet.is_some() {
        return Err(Failure::configuration(
            "the configuration has a [fleet]: its producer keeps the schedule",
        )
        .advise("start `catalog-sync producer`"));
    }
    // What is told goes to the log, as of any service.
    let machine = Machine::open(config, "schedule", Output::new(true)).await?;
    let _alone = match machine.state.lock(Exclusive::Schedule).await {
        Err(failure) if failure.reason == Reason::Locked => {
            return Err(Failure::configuration(failure.what()).advise(failure.advice().unwrap_or_default()));
        }
        lock => lock?,
    };
    let _page = page::serve(config, &machine.state, None).await?;
    tracing::info!("the schedule runs: {} pipelines", config.pipelines.len());
    let more_images = Notify::new();
    let daemon = Daemon { machine, stop, more_images };
    let notifier = Notifier::new(&daemon.machine.state, config);
    tokio::join!(daemon.fields(), daemon.images(), notifier.watch(stop.clone()));
    Ok(Exit::Done)
}

struct Daemon<'a> {
    machine: Machine,
    stop: &'a CancellationToken,
    /// A run has ended: there may be images to bring.
    more_images: Notify,
}

impl Daemon<'_> {
    /// Pipeline after pipeline, whatever is due.
    async fn fields(&self) {
        while !self.stop.is_cancelled() {
            for pipeline in &self.machine.config.pipelines {
                if self.stop.is_cancelled() {
                    return;
                }
                if let Err(failure) = Box::pin(self.tick(pipeline)).await {
                    tracing::error!(pipeline = %pipeline.name, reason = failure.reason.label(), "{failure:#}");
                }
            }
            self.rest(TICK).await;
        }
    }

    /// Beside the fields: a backlog of days keeps no run waiting.
    async fn images(&self) {
        while !self.stop.is_cancelled() {
            let mut wait = IMAGES;
            let all: Vec<&Pipeline> = self.machine.config.pipelines.iter().collect();
            match Box::pin(self.machine.images(&all, self.stop)).await {
                Ok(reports) => {
                    for (pipeline, report) in reports {
                        // As soon as Zoho takes calls again.
                        wait = report.retry_after.map_or(wait, |told| wait.min(told));
                        if let Some(why) = report.stopped {
                            tracing::warn!(pipeline = %pipeline, waiting = report.outstanding, "images wait: {why}");
                        }
                    }
                }
                Err(failure) => tracing::error!("{failure:#}"),
            }
            tokio::select! {
                () = self.more_images.notified() => {}
                () = self.rest(wait) => {}
            }
        }
    }

    async fn tick(&self, pipeline: &Pipeline) -> Result<(), Failure> {
        let state = &self.machine.state;
        let paused = Pause::of(state, &pipeline.name, Scope::Pipeline).await?;
        if paused.is_some_and(|pause| pause.by == PausedBy::Hand) {
            return Ok(());
        }
        let schedule = Schedule::of(state, pipeline);
        let Some(next) = schedule.next().await? else { return Ok(()) };
        if next.at > state.now().await? {
            return Ok(());
        }
        schedule.begin(next.kind).await?;
        let failure = self.run(pipeline, next.kind).await.err();
        self.more_images.notify_one();
        if let Some(failure) = failure.as_ref().filter(|failure| failure.is_throttle()) {
            tracing::warn!(pipeline = %pipeline.name, "{failure:#}");
        } else if let Some(failure) = &failure {
            tracing::error!(pipeline = %pipeline.name, reason = failure.reason.label(), "{failure:#}");
        }
        let disable_after = Some(self.machine.config.disable_after);
        if schedule.ended(next.kind, failure.as_ref(), disable_after).await? {
            let name = &pipeline.name;
            tracing::error!(
                pipeline = %name,
                "the schedule disabled itself; `catalog-sync schedule enable {name}` lets it run again"
            );
        }
        Ok(())
    }

    async fn run(&self, pipeline: &Pipeline, kind: Kind) -> Result<(), Failure> {
        let asked = Asked { pipeline, wish: kind.wish() };
        for report in self.machine.fields(&[asked], self.stop).await? {
            if let Some(failure) = report.failure {
                return Err(failure);
            }
            let ledger = &report.ledger;
            tracing::info!(
                pipeline = %pipeline.name, read = ledger.seen, created = ledger.created, updated = ledger.updated,
                gone = ledger.gone, failed = ledger.dead + ledger.dead_at_source, "{} run: {}", kind.label(), report.why
            );
        }
        Ok(())
    }

    async fn rest(&self, time: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}
