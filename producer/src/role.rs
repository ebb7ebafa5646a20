//! The producer of a fleet: one is active at a time, the others stand by.

use std::sync::Arc;
use std::time::Duration;

use shared::config::Config;
use shared::failure::Failure;
use shared::fleet::{KeptLease, Lease, Meeting, Presence};
use shared::systems::Systems;
use shared::telemetry::{Service, Telemetry};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::notify::Notifier;
use crate::page;
use crate::run::FleetRun;
use crate::tend::Tending;

/// How long the lease of a producer that died outlives it.
const TERM: Duration = Duration::from_secs(5);

/// How often a producer that stands by asks for the lease.
const ASK: Duration = Duration::from_secs(1);

/// How often what dead workers said is cleared away.
const SWEEP: Duration = Duration::from_mins(10);

/// Enumerates and keeps all pipelines while it holds the lease, until it is told to stop.
///
/// # Errors
/// Only at the start: the configuration has no fleet, or one of its services cannot be reached or signed in to.
pub async fn run(config: Arc<Config>, stop: CancellationToken) -> Result<(), Failure> {
    let fleet = config.fleet()?;
    let meeting = Meeting::open(&config, fleet, "producer").await?;
    let telemetry = Telemetry::new("producer");
    telemetry.watch_queue(&meeting.queue);
    let _serving = telemetry.serve_at(config.metrics.listen).await?;
    let _page = page::serve(&config, &meeting.state, Some(&meeting.queue)).await?;
    telemetry.part("producer", true);
    let systems =
        Arc::new(Systems::metered(Arc::clone(&config), telemetry.clone()).governed_by(&meeting.state));
    while let Some(lease) = stand_by(&meeting, &stop).await {
        tracing::info!(name = meeting.name, "this producer is the active one");
        let lost = lease.lost();
        let active = stop.child_token();
        let mut tended = JoinSet::new();
        for pipeline in &config.pipelines {
            let runs = FleetRun {
                meeting: meeting.clone(),
                systems: Arc::clone(&systems),
                pipeline: pipeline.clone(),
                lost_after: fleet.lost_after,
                progress: Arc::new(telemetry.progress(&pipeline.name)),
                stop: active.clone(),
            };
            tended.spawn(Tending { runs, disable_after: config.disable_after }.tend(active.clone()));
        }
        let notifier = Notifier::new(&meeting.state, &config);
        tended.spawn(notifier.watch(active.clone()));
        tended.spawn(sweep(meeting.clone(), active.clone()));
        let service = Service {
            state: meeting.state.clone(),
            queue: Some(meeting.queue.clone()),
            pipelines: config.pipelines.clone(),
            accounts: config.zoho.values().cloned().collect(),
        };
        tended.spawn(service.tell(telemetry.clone(), active.clone()));
        tokio::select! {
            () = stop.cancelled() => {}
            () = lost.cancelled() => tracing::warn!(name = meeting.name, "another producer takes over"),
            // None of them ends by itself, unless it panics: then a fresh start is the safest.
            Some(ended) = tended.join_next() => {
                if let Err(error) = ended { tracing::error!("a pipeline's producer crashed: {error}"); }
            }
        }
        active.cancel();
        while tended.join_next().await.is_some() {}
        lease.give_up().await;
    }
    meeting.queue.close();
    meeting.queue.closed().await;
    Ok(())
}

/// Waits for the lease; `None` when told to stop.
async fn stand_by(meeting: &Meeting, stop: &CancellationToken) -> Option<KeptLease> {
    let mut told = false;
    loop {
        let taken = tokio::select! {
            () = stop.cancelled() => return None,
            taken = Lease::take(&meeting.state, "producer", &meeting.name, TERM) => taken,
        };
        match taken {
            Ok(Ok(lease)) => return Some(lease.keep()),
            Ok(Err(holder)) if !told => {
                told = true;
                tracing::info!("standing by for '{}'", holder.holder);
            }
            Ok(Err(_)) => {}
            Err(failure) => tracing::warn!("{failure:#}"),
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(ASK) => {}
        }
    }
}

async fn sweep(meeting: Meeting, stop: CancellationToken) {
    loop {
        if let Err(failure) = Presence::forget_the_dead(&meeting.state).await {
            tracing::debug!("{failure:#}");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
    }
}
