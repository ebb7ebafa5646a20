//! What there is to tell of a pipeline: it follows from the state alone, whatever process looks.

use serde::{Deserialize, Serialize};
use shared::config::Pipeline;
use shared::failure::Failure;
use shared::fleet::{Pause, Scope};
use shared::state::State;

use crate::schedule::Schedule;
use crate::sweep::Swept;

/// A cause that a person is told of, once while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The last run failed.
    RunFailed,
    /// The schedule is disabled.
    ScheduleDisabled,
    /// The pipeline is paused.
    Paused,
    /// Its images are paused.
    ImagesPaused,
    /// There are more dead letters than allowed.
    DeadLetters,
    /// The last sweep found more gone than may be at once, and did nothing about it.
    MassArchive,
}

impl Cause {
    pub(super) const ALL: [Self; 6] = [
        Self::RunFailed,
        Self::ScheduleDisabled,
        Self::Paused,
        Self::ImagesPaused,
        Self::DeadLetters,
        Self::MassArchive,
    ];

    /// As text, the same as in JSON.
    pub fn label(self) -> &'static str {
        match self {
            Self::RunFailed => "run_failed",
            Self::ScheduleDisabled => "schedule_disabled",
            Self::Paused => "paused",
            Self::ImagesPaused => "images_paused",
            Self::DeadLetters => "dead_letters",
            Self::MassArchive => "mass_archive",
        }
    }

    /// In words, where it holds now.
    pub(super) async fn holds(
        self,
        state: &State,
        pipeline: &Pipeline,
        dead_letters_above: Option<u64>,
    ) -> Result<Option<String>, Failure> {
        let name = &pipeline.name;
        let paused = async |scope| Ok(Pause::of(state, name, scope).await?.map(|pause| pause.why));
        match self {
            Self::RunFailed => {
                Ok(Schedule::of(state, pipeline).note().await?.failure.map(|failed| failed.why))
            }
            Self::ScheduleDisabled => {
                Ok(Schedule::of(state, pipeline).note().await?.disabled.map(|disabled| disabled.why))
            }
            Self::Paused => paused(Scope::Pipeline).await,
            Self::ImagesPaused => paused(Scope::Images).await,
            Self::MassArchive => Ok(Swept::of(state, name).await?.and_then(|swept| swept.refused)),
            Self::DeadLetters => {
                let Some(above) = dead_letters_above else { return Ok(None) };
                let counts = state.counts(name).await?;
                let dead = counts.dead + counts.images.dead;
                Ok((dead > above).then(|| format!("{dead} dead letters, more than {above}")))
            }
        }
    }
}
