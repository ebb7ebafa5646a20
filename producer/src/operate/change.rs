//! What an operator changes of a pipeline: always the state, never a process. Whoever it concerns reads it there.

use serde::{Deserialize, Serialize};
use shared::config::Pipeline;
use shared::failure::Failure;
use shared::fleet::{Pause, Scope};
use shared::state::State;

use crate::schedule::{Kind, Overrides, Schedule};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It stands still until a person resumes it.
    Pause {
        /// All of it, or its images.
        scope: Scope,
        /// Shown to whoever wonders.
        why: String,
    },
    /// It goes on, whatever paused it.
    Resume(Scope),
    /// Nothing is run by itself.
    Disable {
        /// Shown to whoever wonders.
        why: String,
    },
    /// Runs by itself again.
    Enable,
    /// Intervals over those of the configuration.
    Rhythm(Overrides),
    /// A run is due now.
    Run(Kind),
}

impl Change {
    /// Carries it out. It may be repeated: what is so already stays so.
    ///
    /// # Errors
    /// The state's.
    pub async fn apply(&self, state: &State, pipeline: &Pipeline) -> Result<(), Failure> {
        let schedule = Schedule::of(state, pipeline);
        match self {
            Self::Pause { scope, why } => Pause::by_hand(state, &pipeline.name, *scope, why).await,
            Self::Resume(scope) => Pause::end(state, &pipeline.name, *scope).await.map(|_| ()),
            Self::Disable { why } => schedule.disable(why).await,
            Self::Enable => schedule.enable().await,
            Self::Rhythm(overrides) => schedule.set(*overrides).await,
            Self::Run(kind) => schedule.ask(*kind).await,
        }
    }
}
