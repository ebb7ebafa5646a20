//! How pipelines are doing: what the last runs did, what is outstanding and what failed. Reads the state only.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::config::Pipeline;
use shared::failure::Failure;
use shared::fleet::{Pause, Scope};
use shared::job::{Attempt, JobKind};
use shared::record::RecordKey;
use shared::state::{Counts, DeadLetter, RunSummary, State, Stray};

use crate::sweep::Swept;

/// Dead letters shown of each pipeline.
const LETTERS_SHOWN: usize = 5;

/// Strays shown.
const STRAYS_SHOWN: usize = 5;

/// How one pipeline is doing.
#[derive(Debug, Clone, Serialize)]
pub struct PipelineStatus {
    /// Its name.
    pub pipeline: String,
    /// Its newest run.
    pub last_run: Option<RunSummary>,
    /// The next run reads what changed after this.
    pub next_start: Option<Timestamp>,
    /// What stands still of it.
    pub paused: Vec<Paused>,
    /// Its records by stage.
    pub records: Counts,
    /// The newest of its dead letters.
    pub dead_letters: Vec<Dead>,
    /// What its last sweep found; `None`: there was none.
    pub sweep: Option<Swept>,
}

/// What stands still, and why.
#[derive(Debug, Clone, Serialize)]
pub struct Paused {
    /// All of the pipeline, or its images.
    pub what: Scope,
    /// Why.
    #[serde(flatten)]
    pub pause: Pause,
}

/// A dead letter without its values.
#[derive(Debug, Clone, Serialize)]
pub struct Dead {
    /// A record, or the image of one.
    pub kind: JobKind,
    /// Which record.
    pub key: RecordKey,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was given up.
    pub failure: Attempt,
}

impl From<DeadLetter> for Dead {
    fn from(letter: DeadLetter) -> Self {
        Self {
            kind: letter.job.kind,
            key: letter.job.key,
            attempts: letter.job.attempt,
            failure: letter.failure,
        }
    }
}

/// Messages in our queues that were no jobs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Strays {
    /// How many there are.
    pub kept: u64,
    /// The newest ones, without their payloads.
    pub newest: Vec<StrayStatus>,
}

/// A stray without its payload.
#[derive(Debug, Clone, Serialize)]
pub struct StrayStatus {
    /// Where it was found.
    pub queue: String,
    /// Its size.
    pub bytes: u64,
    /// What is wrong with it.
    pub failure: Attempt,
}

/// Looks at one pipeline; costs the same whatever the number of its records.
///
/// # Errors
/// The state's.
pub async fn look(state: &State, pipeline: &Pipeline) -> Result<PipelineStatus, Failure> {
    let known = state.pipeline(&pipeline.name).await?;
    let overlap = SignedDuration::try_from(pipeline.source.overlap()).unwrap_or(SignedDuration::MAX);
    let letters = state.dead_letters(&pipeline.name, LETTERS_SHOWN).await?;
    let mut paused = Vec::new();
    for what in [Scope::Pipeline, Scope::Images] {
        paused.extend(Pause::of(state, &pipeline.name, what).await?.map(|pause| Paused { what, pause }));
    }
    Ok(PipelineStatus {
        paused,
        pipeline: pipeline.name.to_string(),
        last_run: state.runs(Some(&pipeline.name), 1).await?.into_iter().next(),
        next_start: known.and_then(|known| known.cursor).and_then(|cursor| cursor.checked_sub(overlap).ok()),
        records: state.counts(&pipeline.name).await?,
        dead_letters: letters.into_iter().map(Dead::from).collect(),
        sweep: Swept::of(state, &pipeline.name).await?,
    })
}

/// Looks at the strays.
///
/// # Errors
/// The state's.
pub async fn strays(state: &State) -> Result<Strays, Failure> {
    let newest = state.strays(STRAYS_SHOWN).await?;
    let shown = |stray: Stray| StrayStatus { queue: stray.queue, bytes: stray.bytes, failure: stray.failure };
    Ok(Strays { kept: state.stray_count().await?, newest: newest.into_iter().map(shown).collect() })
}
