//! The whole service at a glance. Costs the same whatever the number of records.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use shared::config::{Config, Pipeline, Rhythm, SinkConfig, SourceConfig};
use shared::failure::Failure;
use shared::fleet::Presence;
use shared::record::Version;
use shared::state::{RunEnd, RunKind, RunSummary, State};

use super::quota::QuotaStatus;
use super::status::{self, PipelineStatus, Strays};
use crate::history;
use crate::schedule::{Kind, Next, Note, Schedule};

/// Any version is below this.
const NEWEST: Version = Version { epoch: i64::MAX as u64, sequence: i64::MAX as u64 };

/// Everything that an operator sees first.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// Of the process that looked.
    pub version: &'static str,
    /// When it was looked, by the state's clock.
    pub at: Timestamp,
    /// In the order of the configuration.
    pub pipelines: Vec<PipelineView>,
    /// Processes of a fleet that have said something in the last hour.
    pub workers: Vec<WorkerView>,
    /// Calls of Zoho accounts, and what they suffice for.
    pub zoho: Vec<QuotaStatus>,
    /// Messages that were no jobs.
    pub strays: Strays,
}

/// One pipeline at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct PipelineView {
    /// What `status` says.
    #[serde(flatten)]
    pub status: PipelineStatus,
    /// Where its records come from, in words.
    pub source: String,
    /// Where they go, in words.
    pub sink: String,
    /// It brings images, too.
    pub images: bool,
    /// For how long the oldest outstanding record has been waiting, in seconds.
    pub lag_s: u64,
    /// The newest run, where it is not over.
    pub running: Option<Running>,
    /// When it runs by itself.
    pub schedule: ScheduleView,
}

/// How far a run is.
#[derive(Debug, Clone, Serialize)]
pub struct Running {
    /// Records that need nothing more.
    pub finished: u64,
    /// Records that it will be about; `None` where nobody knows yet.
    pub expected: Option<u64>,
    /// Everything has been read; jobs are left.
    pub is_enumerated: bool,
    /// Seconds until its end, as it goes now; `None` where nobody can say.
    pub left_s: Option<u64>,
}

/// A pipeline's schedule.
#[derive(Debug, Clone, Serialize)]
pub struct ScheduleView {
    /// Runs over what changed, in seconds.
    pub every_s: u64,
    /// Runs that compare everything with what is wanted, in seconds; `None`: never.
    pub compare_every_s: Option<u64>,
    /// Runs that compare everything with the sink, in seconds; `None`: never.
    pub full_every_s: Option<u64>,
    /// Runs that look for what the source no longer has, in seconds; `None`: never.
    pub sweep_every_s: Option<u64>,
    /// When the next run is due; `None`: nothing runs by itself.
    pub next: Option<Timestamp>,
    /// What it reads.
    pub next_kind: Option<Kind>,
    /// What the state remembers.
    #[serde(flatten)]
    pub note: Note,
}

/// One worker process.
#[derive(Debug, Clone, Serialize)]
pub struct WorkerView {
    /// What it says of itself.
    #[serde(flatten)]
    pub says: Presence,
    /// Its heart beats.
    pub is_alive: bool,
}

impl Overview {
    /// Looks.
    ///
    /// # Errors
    /// The state's.
    pub async fn look(state: &State, config: &Config) -> Result<Self, Failure> {
        let at = state.now().await?;
        let mut pipelines = Vec::with_capacity(config.pipelines.len());
        for pipeline in &config.pipelines {
            pipelines.push(PipelineView::look(state, pipeline, at).await?);
        }
        let workers = Presence::all(state).await?.into_iter();
        let workers = workers.map(|says| WorkerView { is_alive: says.until > at, says }).collect();
        let zoho = QuotaStatus::all(state, config).await?;
        let strays = status::strays(state).await?;
        Ok(Self { version: env!("CARGO_PKG_VERSION"), at, pipelines, workers, zoho, strays })
    }
}

impl PipelineView {
    /// Looks at one pipeline; `at` is the state's clock.
    ///
    /// # Errors
    /// The state's.
    pub async fn look(state: &State, pipeline: &Pipeline, at: Timestamp) -> Result<Self, Failure> {
        let status = status::look(state, pipeline).await?;
        let oldest = state.outstanding(&pipeline.name, NEWEST, 1).await?.into_iter().next();
        let lag = oldest.map_or(Duration::ZERO, |oldest| {
            Duration::try_from(at.duration_since(oldest.since)).unwrap_or_default()
        });
        let running = match &status.last_run {
            Some(run) => Running::of(state, run, status.records.wanted).await?,
            None => None,
        };
        Ok(Self {
            source: source_words(&pipeline.source),
            sink: sink_words(&pipeline.sink),
            images: pipeline.takes_images(),
            lag_s: lag.as_secs(),
            running,
            schedule: ScheduleView::look(state, pipeline).await?,
            status,
        })
    }
}

impl Running {
    async fn of(state: &State, run: &RunSummary, known: u64) -> Result<Option<Self>, Failure> {
        let is_enumerated = run.ended.is_some();
        let left = run.ledger.outstanding();
        // A run that failed or was broken off is gone on with by the next one: nobody works on it.
        let is_over = run.settled.is_some() || (is_enumerated && left == 0);
        if is_over || run.end.as_ref().is_some_and(|end| *end != RunEnd::Complete) {
            return Ok(None);
        }
        let seen = run.ledger.seen;
        let told = history::expected(state, run).await?;
        let expected = match (is_enumerated, told, run.kind) {
            (true, ..) => Some(seen),
            (false, Some(told), _) => Some(told.max(seen)),
            // Everything that is known will be read, and perhaps more.
            (false, None, RunKind::Full | RunKind::Sweep) if known > seen => Some(known),
            _ => None,
        };
        Ok(Some(Self { finished: seen.saturating_sub(left), expected, is_enumerated, left_s: None }))
    }
}

impl ScheduleView {
    async fn look(state: &State, pipeline: &Pipeline) -> Result<Self, Failure> {
        let schedule = Schedule::of(state, pipeline);
        let (note, next) = (schedule.note().await?, schedule.next().await?);
        let rhythm = note.overrides.over(pipeline.rhythm);
        Ok(Self::new(note, rhythm, next))
    }

    /// What the state remembers, the intervals that hold, and what is due next.
    pub fn new(note: Note, rhythm: Rhythm, next: Option<Next>) -> Self {
        let seconds = |span: Option<Duration>| span.map(|span| span.as_secs());
        Self {
            every_s: rhythm.every.as_secs(),
            compare_every_s: seconds(rhythm.compare_every),
            full_every_s: seconds(rhythm.full_every),
            sweep_every_s: seconds(rhythm.sweep_every),
            next: next.map(|next| next.at),
            next_kind: next.map(|next| next.kind),
            note,
        }
    }
}

fn source_words(source: &SourceConfig) -> String {
    match source {
        SourceConfig::Odoo(entity) => format!("odoo.{}, {}", entity.server, entity.model),
        SourceConfig::Zoho(entity) => format!("zoho.{}, {}", entity.server, entity.kind.as_str()),
    }
}

fn sink_words(sink: &SinkConfig) -> String {
    match sink {
        SinkConfig::Json(file) => {
            file.path.file_name().unwrap_or(file.path.as_os_str()).to_string_lossy().into_owned()
        }
        SinkConfig::Odoo(target) => format!("odoo.{}, {}", target.server, target.model),
    }
}
