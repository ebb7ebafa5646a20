//! A worker of a fleet: one process, as many lanes as its pipelines have.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use shared::config::{Config, Pipeline};
use shared::failure::Failure;
use shared::fleet::{Heart, Meeting};
use shared::job::JobKind;
use shared::record::WorkerId;
use shared::systems::Systems;
use shared::telemetry::Telemetry;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::lane::Lane;
use crate::spending::Spending;

/// A lane that crashed is started again after this.
const RESTART: Duration = Duration::from_secs(1);

/// How often it is counted what is in hand and what is done.
const COUNT: Duration = Duration::from_secs(1);

/// Works on pipelines (none named: all) until it is told to stop; then ends what is in hand within the grace period.
///
/// # Errors
/// Only at the start: the configuration has no fleet or no such pipeline, or one of the two services cannot be reached
/// or signed in to.
pub async fn run(config: Arc<Config>, pipelines: &[String], stop: CancellationToken) -> Result<(), Failure> {
    let fleet = config.fleet()?;
    let chosen: Vec<Pipeline> = config.choose(pipelines)?.into_iter().cloned().collect();
    let meeting = Meeting::open(&config, fleet, "worker").await?;
    let heart = Heart::start(&meeting.state, WorkerId::of_process()).await?;
    tracing::info!(worker = %heart.worker(), "working");
    let telemetry = Telemetry::new("worker");
    telemetry.watch_queue(&meeting.queue);
    let _serving = telemetry.serve_at(config.metrics.listen).await?;
    let systems =
        Arc::new(Systems::metered(Arc::clone(&config), telemetry.clone()).governed_by(&meeting.state));
    let image_folder = config.state.with_extension("images");
    let names = chosen.iter().map(|pipeline| pipeline.name.clone()).collect();
    let mut spending = Spending::new(&meeting.state, &telemetry, names);
    let mut lanes = JoinSet::new();
    for pipeline in chosen {
        for kind in kinds(&pipeline) {
            let lane = Lane {
                meeting: meeting.clone(),
                systems: Arc::clone(&systems),
                pipeline: pipeline.clone(),
                kind,
                heart: heart.clone(),
                progress: Arc::new(telemetry.progress(&pipeline.name)),
                image_folder: image_folder.clone(),
                drain: stop.clone(),
            };
            lanes.spawn(keep_working(lane));
        }
    }
    let worked = async { while lanes.join_next().await.is_some() {} };
    let graceless = async {
        stop.cancelled().await;
        tokio::time::sleep(fleet.grace).await;
    };
    let counted = async {
        loop {
            let (settled, in_flight) = (telemetry.settled(), telemetry.in_flight());
            heart.say(|presence| {
                if presence.settled != settled {
                    presence.last_settled = Some(Timestamp::now());
                }
                (presence.settled, presence.in_flight) = (settled, in_flight);
            });
            tokio::time::sleep(COUNT).await;
        }
    };
    tokio::select! {
        () = worked => {}
        () = counted => {}
        never = spending.keep_telling() => match never {},
        () = graceless => {
            tracing::warn!("the grace period is over: what is still in hand goes back to the queue");
        }
    }
    meeting.queue.close();
    meeting.queue.closed().await;
    spending.tell_or_log().await;
    // Where the state cannot be told, the last beat runs out by itself.
    if let Err(failure) = heart.stop(&meeting.state).await {
        tracing::debug!("{failure:#}");
    }
    Ok(())
}

fn kinds(pipeline: &Pipeline) -> Vec<JobKind> {
    if pipeline.takes_images() { vec![JobKind::Record, JobKind::Image] } else { vec![JobKind::Record] }
}

/// A panic ends its lane alone: the deliveries in hand come again, and their started marks tell which record it was.
async fn keep_working(lane: Lane) {
    while !lane.drain.is_cancelled() {
        let Err(error) = tokio::spawn(lane.clone().work()).await else { return };
        tracing::error!(pipeline = %lane.pipeline.name, kind = lane.kind.label(), "a lane crashed: {error}");
        tokio::select! {
            () = lane.drain.cancelled() => {}
            () = tokio::time::sleep(RESTART) => {}
        }
    }
}
