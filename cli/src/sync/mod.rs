//! `sync`: producer and worker in one process, pipeline after pipeline.

mod fleet;
mod images;
mod one;
mod open;
mod pipeline;
mod progress;
mod report;
pub(crate) mod summary;

use std::sync::Arc;

use producer::notify::Notifier;
use producer::schedule::Schedule;
use producer::start::Wish;
use shared::config::{Config, Pipeline, SinkConfig};
use shared::failure::{Failure, Reason};
use shared::fleet::{Pause, Scope};
use shared::record::PipelineName;
use shared::state::{Exclusive, State};
use shared::telemetry::{Service, Serving, Telemetry};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::exit::Exit;
use crate::output::Output;
use shared::systems::Systems;

pub(crate) use report::{ImagesReport, PipelineReport};

/// A pipeline and what is asked for.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) wish: Wish,
}

/// The named pipelines (none named: all).
pub(crate) fn asked<'a>(
    config: &'a Config,
    names: &[String],
    wish: &Wish,
) -> Result<Vec<Asked<'a>>, Failure> {
    let asked = |pipeline| Asked { pipeline, wish: wish.clone() };
    Ok(config.choose(names)?.into_iter().map(asked).collect())
}

/// Syncs pipelines. One that fails does not stop the others.
///
/// # Errors
/// Only what concerns all of them: a state that cannot be opened, another sync under way.
pub(crate) async fn run(
    config: &Arc<Config>,
    asked: &[Asked<'_>],
    output: &Output,
    stop: &CancellationToken,
) -> Result<Vec<PipelineReport>, Failure> {
    if let Some(fleet) = &config.fleet {
        return fleet::FleetSync::open(config, fleet, output, stop).await?.run(asked).await;
    }
    let machine = Machine::open(config, "sync", *output).await?;
    let mut reports = machine.fields(asked, stop).await?;
    let chosen: Vec<&Pipeline> = asked.iter().map(|asked| asked.pipeline).collect();
    for (report, pipeline) in reports.iter().zip(&chosen).filter(|(report, _)| report.paused.is_none()) {
        // A state that is sick has been told already.
        drop(Schedule::of(&machine.state, pipeline).saw(report.failure.as_ref()).await);
    }
    Notifier::new(&machine.state, config).look().await;
    // Fields first, of all pipelines, and without their lock: a backlog of images keeps neither them nor the next sync
    // waiting.
    let due: Vec<&Pipeline> = (reports.iter().zip(&chosen))
        .filter(|(report, _)| report.paused.is_none())
        .map(|(_, pipeline)| *pipeline)
        .collect();
    for (name, images) in machine.images(&due, stop).await? {
        let report = reports.iter_mut().find(|report| report.pipeline == name);
        if let Some(report) = report {
            report.images = Some(images);
        }
    }
    Notifier::new(&machine.state, config).look().await;
    Ok(reports)
}

/// One machine with its state and its connections: for one sync, or for a daemon.
pub(crate) struct Machine {
    pub(crate) config: Arc<Config>,
    pub(crate) state: State,
    systems: Systems,
    output: Output,
    _serving: Option<Serving>,
    _told: DropGuard,
}

impl Machine {
    /// Opens the state, and serves metrics where the configuration says.
    pub(crate) async fn open(config: &Arc<Config>, role: &str, output: Output) -> Result<Self, Failure> {
        let state = State::open_file(&config.state).await?;
        let telemetry = Telemetry::new(role);
        let serving = telemetry.serve_at(config.metrics.listen).await?;
        let told = CancellationToken::new();
        if config.metrics.listen.is_some() {
            let service = Service {
                state: state.clone(),
                queue: None,
                pipelines: config.pipelines.clone(),
                accounts: config.zoho.values().cloned().collect(),
            };
            tokio::spawn(service.tell(telemetry.clone(), told.clone()));
        }
        let systems = Systems::metered(Arc::clone(config), telemetry).governed_by(&state);
        Ok(Self {
            config: Arc::clone(config),
            state,
            systems,
            output,
            _serving: serving,
            _told: told.drop_guard(),
        })
    }

    /// Syncs the fields of these pipelines, under the lock of the enumeration.
    ///
    /// # Errors
    /// `Reason::Locked`: another process does.
    pub(crate) async fn fields(
        &self,
        asked: &[Asked<'_>],
        stop: &CancellationToken,
    ) -> Result<Vec<PipelineReport>, Failure> {
        let _lock = self.state.lock_enumeration().await?;
        let mut reports = Vec::with_capacity(asked.len());
        for Asked { pipeline, wish } in asked {
            let (state, systems, output) = (&self.state, &self.systems, &self.output);
            let sync = pipeline::Sync { state, systems, pipeline, wish, output, stop };
            reports.push(Box::pin(sync.run()).await);
            if stop.is_cancelled() {
                break;
            }
        }
        Ok(reports)
    }

    /// Brings the images of these pipelines, under a lock of their own: two processes would bring each twice. Where
    /// another process has it, that one brings them.
    pub(crate) async fn images(
        &self,
        pipelines: &[&Pipeline],
        stop: &CancellationToken,
    ) -> Result<Vec<(PipelineName, ImagesReport)>, Failure> {
        let mut due = Vec::new();
        for pipeline in pipelines {
            if let SinkConfig::Odoo(target) = &pipeline.sink
                && target.images
                && Pause::of(&self.state, &pipeline.name, Scope::Images).await?.is_none()
            {
                due.push((*pipeline, target));
            }
        }
        let mut reports = Vec::new();
        if due.is_empty() || stop.is_cancelled() {
            return Ok(reports);
        }
        let lock = match self.state.lock(Exclusive::Images).await {
            Ok(lock) => Ok(lock),
            Err(failure) if failure.reason == Reason::Locked => Err(failure),
            Err(failure) => return Err(failure),
        };
        for (pipeline, target) in due {
            let folder = self.config.state.with_extension("images");
            let (state, systems, output) = (&self.state, &self.systems, &self.output);
            let work = images::Images { state, systems, pipeline, target, folder, output, stop };
            let report = match &lock {
                Ok(_) => work.bring().await,
                Err(elsewhere) => work.elsewhere(elsewhere).await?,
            };
            reports.push((pipeline.name.clone(), report));
            if stop.is_cancelled() {
                break;
            }
        }
        Ok(reports)
    }
}

/// The exit code after these pipelines.
pub(crate) fn exit(reports: &[PipelineReport]) -> Exit {
    reports.iter().map(PipelineReport::exit).max().unwrap_or(Exit::Done)
}
