//! What there is to tell of a pipeline: it follows from the state alone, whatever process looks.

use serde::{Deserialize, Serialize};
use shared::config::{Pipeline, SourceConfig};
use shared::failure::{Failure, Reason};
use shared::fleet::{Pause, Scope};

use super::Notifier;
use crate::operate::quota::QuotaStatus;
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
    /// Zoho's calls of the day are used up, or do not suffice for the images that wait.
    Quota,
    /// There are more dead letters than allowed.
    DeadLetters,
    /// The last sweep found more gone than may be at once, and did nothing about it.
    MassArchive,
}

impl Cause {
    pub(super) const ALL: [Self; 7] = [
        Self::RunFailed,
        Self::ScheduleDisabled,
        Self::Paused,
        Self::ImagesPaused,
        Self::Quota,
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
            Self::Quota => "quota",
            Self::DeadLetters => "dead_letters",
            Self::MassArchive => "mass_archive",
        }
    }

    /// In words, where it holds now.
    pub(super) async fn holds(
        self,
        notifier: &Notifier,
        pipeline: &Pipeline,
    ) -> Result<Option<String>, Failure> {
        let (state, name) = (&notifier.state, &pipeline.name);
        // A wait that Zoho asked for is told by its calls, for fields and images as one.
        let paused = async |scope| {
            let pause = Pause::of(state, name, scope).await?;
            Ok(pause.filter(|pause| pause.reason != Some(Reason::Throttled)).map(|pause| pause.why))
        };
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
            Self::Quota => quota(notifier, pipeline).await,
            Self::DeadLetters => {
                let Some(above) = notifier.notify.dead_letters_above else { return Ok(None) };
                let counts = state.counts(name).await?;
                let dead = counts.dead + counts.images.dead;
                Ok((dead > above).then(|| format!("{dead} dead letters, more than {above}")))
            }
        }
    }
}

/// Holds as long as the calls of one day do not suffice, not anew each day.
async fn quota(notifier: &Notifier, pipeline: &Pipeline) -> Result<Option<String>, Failure> {
    let SourceConfig::Zoho(entity) = &pipeline.source else { return Ok(None) };
    let Some(account) = notifier.accounts.get(&entity.server) else { return Ok(None) };
    let Some(status) = QuotaStatus::of(&notifier.state, account, &notifier.pipelines).await? else {
        return Ok(None);
    };
    let forecast = &status.forecast;
    let never = forecast.days.is_none() && forecast.per_day == Some(0);
    let takes_days = pipeline.takes_images() && (never || forecast.days.is_some_and(|days| days > 1));
    Ok((status.is_spent || takes_days).then(|| format!("zoho.{}: {}", status.account, status.text)))
}
