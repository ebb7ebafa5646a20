//! What is said of the whole service, by the one process that is the active producer: looked up every few seconds, so
//! that a scrape costs the same whatever the number of records.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Telemetry, seconds};
use crate::config::{Pipeline, SourceConfig, ZohoAccount};
use crate::failure::Failure;
use crate::fleet::{Pause, PausedBy, Presence, Scope};
use crate::job::JobKind;
use crate::queue::{Depth, Queue};
use crate::record::{PipelineName, Version};
use crate::state::{Counts, RunKind, RunSummary, State};
use crate::zoho::{Forecast, known_limits};

/// How often it is looked up.
const LOOK: Duration = Duration::from_secs(5);

/// How many runs back a settled one is looked for.
const RUNS: usize = 20;

/// Any version is below this.
const NEWEST: Version = Version { epoch: i64::MAX as u64, sequence: i64::MAX as u64 };

/// Where what is said comes from.
#[derive(Debug, Clone)]
pub struct Service {
    /// The state of the service.
    pub state: State,
    /// Its queue; `None` where that is a part of a run.
    pub queue: Option<Queue>,
    /// Its pipelines.
    pub pipelines: Vec<Pipeline>,
    /// The Zoho accounts that they read from.
    pub accounts: Vec<ZohoAccount>,
}

/// What is known of one pipeline.
struct Known {
    pipeline: PipelineName,
    target: Duration,
    counts: Counts,
    lag: Duration,
    fresh: Option<Timestamp>,
    newest: Option<RunSummary>,
    depths: Vec<(JobKind, Depth)>,
    scheduled: bool,
}

/// Missed so many times, a run is late.
const RUNS_MISSED: u32 = 3;

/// What is read of a schedule's memo (`producer/src/schedule/note.rs` writes it).
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Schedule {
    disabled: Option<serde::de::IgnoredAny>,
    overrides: Overrides,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Overrides {
    every: Option<Interval>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Interval {
    Never,
    Seconds(u64),
}

impl Schedule {
    /// How old what was read last may be: by what an operator set, else as configured.
    fn target(&self, configured: Duration) -> Duration {
        let every = match self.overrides.every {
            Some(Interval::Seconds(seconds)) => Duration::from_secs(seconds),
            Some(Interval::Never) | None => configured,
        };
        every.saturating_mul(RUNS_MISSED)
    }
}

impl Service {
    /// Tells of the service until `stop`, and takes everything back then.
    pub async fn tell(self, telemetry: Telemetry, stop: CancellationToken) {
        telemetry.families().active.with_label_values::<&str>(&[]).set(1);
        loop {
            let told = tokio::select! {
                () = stop.cancelled() => break,
                told = self.look(&telemetry) => told,
            };
            if let Err(failure) = told {
                // What is no longer known is not told: an alert for silence is right, one for old numbers is not.
                tracing::debug!("the service's metrics are not known: {failure:#}");
                telemetry.forget_service();
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        telemetry.families().active.with_label_values::<&str>(&[]).set(0);
        telemetry.forget_service();
    }

    /// Looks once, and tells.
    ///
    /// # Errors
    /// The state's and the queue's.
    pub async fn look(&self, telemetry: &Telemetry) -> Result<(), Failure> {
        let now = self.state.now().await?;
        let mut known = Vec::with_capacity(self.pipelines.len());
        for pipeline in &self.pipelines {
            known.push(self.known(pipeline, now).await?);
        }
        let pauses = Pause::all(&self.state).await?;
        let workers =
            Presence::all(&self.state).await?.iter().filter(|presence| presence.until > now).count();
        let strays = self.state.stray_count().await?;
        let mut forecasts = Vec::with_capacity(self.accounts.len());
        for account in &self.accounts {
            forecasts.push((account.name.as_str(), self.forecast(account, &known).await?));
        }
        telemetry.tell(&known, &forecasts, &pauses, workers, strays);
        Ok(())
    }

    /// What the account's calls suffice for.
    async fn forecast(&self, account: &ZohoAccount, known: &[Known]) -> Result<Forecast, Failure> {
        let limits = known_limits(&self.state, &account.place()?).await?;
        let reads = |pipeline: &Pipeline| matches!(&pipeline.source, SourceConfig::Zoho(entity) if entity.server == account.name);
        let images = self.pipelines.iter().zip(known).filter(|(pipeline, _)| reads(pipeline));
        let images = images.map(|(_, known)| known.counts.images.outstanding).sum();
        Ok(Forecast::of(images, &limits, account.reserve_percent(), account.calls_per_minute()))
    }

    /// By the schedule's memo. One that nobody has written, or that a newer version writes, is of an enabled schedule.
    async fn schedule(&self, pipeline: &PipelineName) -> Result<Schedule, Failure> {
        let memo = self.state.memo(&format!("schedule/{pipeline}")).await?;
        Ok(memo.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    async fn known(&self, pipeline: &Pipeline, now: Timestamp) -> Result<Known, Failure> {
        let name = &pipeline.name;
        let schedule = self.schedule(name).await?;
        let runs = self.state.runs(Some(name), RUNS).await?;
        let oldest = self.state.outstanding(name, NEWEST, 1).await?.into_iter().next();
        let mut depths = Vec::new();
        if let Some(queue) = &self.queue {
            depths.push((JobKind::Record, queue.depth(name, JobKind::Record).await?));
            if pipeline.takes_images() {
                depths.push((JobKind::Image, queue.depth(name, JobKind::Image).await?));
            }
        }
        Ok(Known {
            pipeline: name.clone(),
            target: schedule.target(pipeline.rhythm.every),
            counts: self.state.counts(name).await?,
            lag: oldest.map_or(Duration::ZERO, |oldest| {
                Duration::try_from(now.duration_since(oldest.since)).unwrap_or_default()
            }),
            fresh: runs.iter().filter(|run| is_over(run)).map(|run| run.window.end).max(),
            newest: runs.into_iter().next(),
            depths,
            scheduled: schedule.disabled.is_none(),
        })
    }
}

/// A run over some records alone says nothing of the others.
fn is_over(run: &RunSummary) -> bool {
    run.settled.is_some() && run.kind != RunKind::Chosen
}

impl Telemetry {
    fn forget_service(&self) {
        let _whole = self.0.service.write().unwrap_or_else(PoisonError::into_inner);
        self.families().reset_service();
    }

    fn tell(
        &self,
        known: &[Known],
        forecasts: &[(&str, Forecast)],
        pauses: &[(PipelineName, Scope, Pause)],
        workers: usize,
        strays: u64,
    ) {
        let _whole = self.0.service.write().unwrap_or_else(PoisonError::into_inner);
        let families = self.families();
        families.reset_service();
        let none: [&str; 0] = [];
        families.workers.with_label_values(&none).set(i64::try_from(workers).unwrap_or(i64::MAX));
        families.strays.with_label_values(&none).set(count(strays));
        for (account, forecast) in forecasts {
            families.images_left.with_label_values(&[*account]).set(count(forecast.images));
            if let Some(days) = forecast.days {
                families.days_left.with_label_values(&[*account]).set(count(days));
            }
        }
        for known in known {
            self.tell_pipeline(known);
            let name = known.pipeline.as_str();
            for scope in [Scope::Pipeline, Scope::Images] {
                for (by, label) in [(PausedBy::Hand, "hand"), (PausedBy::System, "system")] {
                    let paused = pauses.iter().any(|(pipeline, paused, pause)| {
                        *pipeline == known.pipeline && *paused == scope && pause.by == by
                    });
                    families.paused.with_label_values(&[name, scope.label(), label]).set(i64::from(paused));
                }
            }
        }
    }

    fn tell_pipeline(&self, known: &Known) {
        let families = self.families();
        let Known { counts, .. } = known;
        let name = known.pipeline.as_str();
        let stages = [
            ("wanted", counts.wanted, counts.images.wanted),
            ("applied", counts.applied, counts.images.applied),
            ("outstanding", counts.outstanding, counts.images.outstanding),
            ("dead", counts.dead, counts.images.dead),
        ];
        for (stage, records, images) in stages {
            families.records.with_label_values(&[name, stage]).set(count(records));
            families.images.with_label_values(&[name, stage]).set(count(images));
        }
        families.dead_letters.with_label_values(&[name]).set(count(counts.dead + counts.images.dead));
        families.lag.with_label_values(&[name]).set(known.lag.as_secs_f64());
        families.fresh_target.with_label_values(&[name]).set(known.target.as_secs_f64());
        families.scheduled.with_label_values(&[name]).set(i64::from(known.scheduled));
        if let Some(fresh) = known.fresh {
            families.fresh.with_label_values(&[name]).set(seconds(fresh));
        }
        for (kind, depth) in &known.depths {
            let ready = i64::try_from(depth.ready).unwrap_or(i64::MAX);
            families.depth.with_label_values(&[name, kind.label()]).set(ready);
            // The retry tiers are shared: every lane tells the same number.
            let delayed = i64::try_from(depth.delayed).unwrap_or(i64::MAX);
            families.delayed.with_label_values::<&str>(&[]).set(delayed);
        }
        if let Some(run) = &known.newest {
            families.run_started.with_label_values(&[name]).set(seconds(run.started));
            let ledger = &run.ledger;
            for (stage, records) in [
                ("seen", ledger.seen),
                ("unchanged_at_source", ledger.unchanged_at_source),
                ("dead_at_source", ledger.dead_at_source),
                ("enqueued", ledger.enqueued),
                ("created", ledger.created),
                ("updated", ledger.updated),
                ("unchanged", ledger.unchanged),
                ("gone", ledger.gone),
                ("superseded", ledger.superseded),
                ("dead", ledger.dead),
                ("outstanding", ledger.outstanding()),
            ] {
                families.run_records.with_label_values(&[name, stage]).set(count(records));
            }
        }
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
