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

use shared::config::{Config, SinkConfig};
use shared::failure::Failure;
use shared::fleet::{Pause, Scope};
use shared::state::State;
use shared::telemetry::{Service, Telemetry};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::output::Output;
use shared::systems::Systems;

pub(crate) use report::PipelineReport;

/// Syncs the named pipelines (none named: all). One that fails does not stop the others.
///
/// # Errors
/// Only what concerns all of them: an unknown name, a state that cannot be opened, another sync under way.
pub(crate) async fn run(
    config: &Arc<Config>,
    names: &[String],
    full: bool,
    output: &Output,
    stop: &CancellationToken,
) -> Result<Vec<PipelineReport>, Failure> {
    let chosen = config.choose(names)?;
    if let Some(fleet) = &config.fleet {
        return fleet::FleetSync::open(config, fleet, output, stop).await?.run(names, full).await;
    }
    let state = State::open_file(&config.state).await?;
    let _lock = state.lock_enumeration().await?;
    let telemetry = Telemetry::new("sync");
    let _serving = telemetry.serve_at(config.metrics.listen).await?;
    let told = CancellationToken::new();
    if config.metrics.listen.is_some() {
        let service = Service { state: state.clone(), queue: None, pipelines: config.pipelines.clone() };
        tokio::spawn(service.tell(telemetry.clone(), told.clone()));
    }
    let _told = told.drop_guard();
    let systems = Systems::metered(Arc::clone(config), telemetry);
    let mut reports = Vec::with_capacity(chosen.len());
    for pipeline in chosen {
        let work = pipeline::Sync { state: &state, systems: &systems, pipeline, full, output, stop };
        let report = work.run().await;
        reports.push(report);
        if stop.is_cancelled() {
            break;
        }
    }
    // Fields first, of all pipelines: a backlog of images keeps none of them waiting.
    for (report, pipeline) in reports.iter_mut().zip(config.choose(names)?) {
        if let SinkConfig::Odoo(target) = &pipeline.sink
            && target.images
            && !stop.is_cancelled()
            && report.paused.is_none()
            && Pause::of(&state, &pipeline.name, Scope::Images).await?.is_none()
        {
            let folder = config.state.with_extension("images");
            let work =
                images::Images { state: &state, systems: &systems, pipeline, target, folder, output, stop };
            report.images = Some(work.bring().await);
        }
    }
    Ok(reports)
}

/// The exit code after these pipelines.
pub(crate) fn exit(reports: &[PipelineReport]) -> Exit {
    reports.iter().map(PipelineReport::exit).max().unwrap_or(Exit::Done)
}
