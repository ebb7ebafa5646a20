//! What a worker of a fleet spends is told to the state now and then, for the newest run of each pipeline: a job does not say which
//! calls it took, and those of one run are soon over.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use shared::failure::Failure;
use shared::fleet::add_spent;
use shared::record::PipelineName;
use shared::state::State;
use shared::telemetry::{Spent, Telemetry};

/// How often it is told.
const TELL: Duration = Duration::from_secs(5);

/// What was told.
#[derive(Debug)]
pub(crate) struct Spending {
    state: State,
    telemetry: Telemetry,
    told: BTreeMap<PipelineName, Told>,
}

/// Of one pipeline, up to the last time.
#[derive(Debug, Default)]
struct Told {
    spent: Spent,
    settled: u64,
}

impl Spending {
    pub(crate) fn new(state: &State, telemetry: &Telemetry, pipelines: Vec<PipelineName>) -> Self {
        let told = pipelines.into_iter().map(|pipeline| (pipeline, Told::default())).collect();
        Self { state: state.clone(), telemetry: telemetry.clone(), told }
    }

    /// Tells it every few seconds.
    pub(crate) async fn keep_telling(&mut self) -> Infallible {
        loop {
            tokio::time::sleep(TELL).await;
            self.tell_or_log().await;
        }
    }

    /// A figure is no reason to stop the work.
    pub(crate) async fn tell_or_log(&mut self) {
        if let Err(failure) = self.tell().await {
            tracing::debug!("{failure:#}");
        }
    }

    /// Tells what came since the last time. Calls are counted for the whole process: they are shared out by the jobs that each pipeline
    /// has settled meanwhile. Where the state is away, the next time tells it all.
    async fn tell(&mut self) -> Result<(), Failure> {
        let settled: BTreeMap<&PipelineName, u64> = self
            .told
            .iter()
            .map(|(name, told)| (name, self.telemetry.settled_of(name).saturating_sub(told.settled)))
            .collect();
        let all: u64 = settled.values().sum();
        let shares: Vec<(PipelineName, u64)> =
            settled.into_iter().map(|(name, settled)| (name.clone(), settled)).collect();
        for (name, jobs) in shares {
            let now = self.telemetry.spent(&name);
            let Some(told) = self.told.get_mut(&name) else { continue };
            let mut spent = now.since(&told.spent);
            if all == 0 {
                // Calls of a worker that has nothing to do wait for the jobs that they led to.
                spent.calls.clear();
            }
            for calls in spent.calls.values_mut() {
                *calls = (*calls * jobs).checked_div(all).unwrap_or(0);
            }
            spent.calls.retain(|_, calls| *calls > 0);
            if spent != Spent::default() {
                let Some(run) = self.state.runs(Some(&name), 1).await?.into_iter().next() else { continue };
                add_spent(&self.state, run.id, &spent).await?;
            }
            told.settled += jobs;
            let calls = if all == 0 { std::mem::take(&mut told.spent.calls) } else { now.calls };
            told.spent = Spent { calls, image_bytes: now.image_bytes, failures: now.failures };
        }
        Ok(())
    }
}
