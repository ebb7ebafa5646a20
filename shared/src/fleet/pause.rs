//! Pauses: a pipeline, or only its images, stands still for the whole fleet, says why, and goes on by itself where a
//! system was sick, or when a person says so.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lease::signed;
use super::{read, write};
use crate::failure::{Failure, Reason};
use crate::record::PipelineName;
use crate::state::State;

/// Waits before a probe of a sick system; the last one is repeated.
const PROBES: [Duration; 7] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_mins(1),
    Duration::from_mins(2),
    Duration::from_mins(5),
];

/// Waits before a rejected password is sent again: not more often than a person would.
const SIGN_INS: [Duration; 3] = [Duration::from_mins(1), Duration::from_mins(10), Duration::from_hours(1)];

/// What stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Records and images.
    Pipeline,
    /// Images; fields go on.
    Images,
}

impl Scope {
    /// As text.
    pub fn label(self) -> &'static str {
        match self {
            Self::Pipeline => "pipeline",
            Self::Images => "images",
        }
    }
}

/// Whose doing a pause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// A person's: only a person ends it.
    Hand,
    /// A sick system's: it is probed, and the pause ends when that goes well.
    System,
}

/// Why something stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Whose doing it is.
    pub by: PausedBy,
    /// The label of a system's failure.
    pub reason: Option<Reason>,
    /// In words.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
    /// When one worker tries again.
    pub probe_at: Option<Timestamp>,
    /// How often that was tried.
    pub probes: u32,
}

impl Pause {
    /// What pauses this; `None`: it may work.
    ///
    /// # Errors
    /// The state's.
    pub async fn of(state: &State, pipeline: &PipelineName, scope: Scope) -> Result<Option<Self>, Failure> {
        Ok(state.memo(&name_of(pipeline, scope)).await?.as_deref().and_then(read))
    }

    /// All pauses.
    ///
    /// # Errors
    /// The state's.
    pub async fn all(state: &State) -> Result<Vec<(PipelineName, Scope, Self)>, Failure> {
        let found = state.memos("pause/").await?;
        Ok(found.iter().filter_map(|(name, text)| parse(name, text)).collect())
    }

    /// A person pauses it, whatever pauses it already.
    ///
    /// # Errors
    /// The state's.
    pub async fn by_hand(
        state: &State,
        pipeline: &PipelineName,
        scope: Scope,
        why: &str,
    ) -> Result<(), Failure> {
        let since = state.now().await?;
        let why = why.to_owned();
        let pause = Self { by: PausedBy::Hand, reason: None, why, since, probe_at: None, probes: 0 };
        state.set_memo(&name_of(pipeline, scope), Some(&write(&pause))).await
    }

    /// A sick system pauses it; a wait that the system asked for is kept. A person's pause stays as it is; the pause of
    /// an earlier failure keeps its begin and its number of probes.
    ///
    /// # Errors
    /// The state's.
    pub async fn by_system(
        state: &State,
        pipeline: &PipelineName,
        scope: Scope,
        failure: &Failure,
    ) -> Result<(), Failure> {
        let name = name_of(pipeline, scope);
        loop {
            let before = state.memo(&name).await?;
            let known: Option<Self> = before.as_deref().and_then(read);
            if known.as_ref().is_some_and(|known| known.by == PausedBy::Hand) {
                return Ok(());
            }
            let now = state.now().await?;
            let probes = known.as_ref().map_or(0, |known| known.probes);
            let wait = failure.retry_after.unwrap_or(Duration::ZERO).max(wait(Some(failure.reason), probes));
            let pause = Self {
                by: PausedBy::System,
                reason: Some(failure.reason),
                why: failure.to_string(),
                since: known.map_or(now, |known| known.since),
                probe_at: Some(now + signed(wait)),
                probes,
            };
            if state.swap_memo(&name, before.as_deref(), Some(&write(&pause))).await? {
                return Ok(());
            }
        }
    }

    /// Ends it, whoever began it; whether there was anything to end.
    ///
    /// # Errors
    /// The state's.
    pub async fn end(state: &State, pipeline: &PipelineName, scope: Scope) -> Result<bool, Failure> {
        let name = name_of(pipeline, scope);
        let was = state.memo(&name).await?.is_some();
        state.set_memo(&name, None).await?;
        Ok(was)
    }

    /// Ends what a sick system began, after a probe that went well.
    ///
    /// # Errors
    /// The state's.
    pub async fn end_by_system(state: &State, pipeline: &PipelineName, scope: Scope) -> Result<(), Failure> {
        let name = name_of(pipeline, scope);
        let Some(text) = state.memo(&name).await? else { return Ok(()) };
        if read::<Self>(&text).is_none_or(|pause| pause.by == PausedBy::System) {
            state.swap_memo(&name, Some(&text), None).await?;
        }
        Ok(())
    }

    /// Whether the caller is the one of the whole fleet who tries now: a probe is due, and nobody else has taken it. The
    /// next one is due after a longer wait.
    ///
    /// # Errors
    /// The state's.
    pub async fn take_probe(
        &self,
        state: &State,
        pipeline: &PipelineName,
        scope: Scope,
    ) -> Result<bool, Failure> {
        let Some(due) = self.probe_at else { return Ok(false) };
        let now = state.now().await?;
        if due > now {
            return Ok(false);
        }
        let probes = self.probes.saturating_add(1);
        let next = Self { probe_at: Some(now + signed(wait(self.reason, probes))), probes, ..self.clone() };
        state.swap_memo(&name_of(pipeline, scope), Some(&write(self)), Some(&write(&next))).await
    }
}

fn wait(reason: Option<Reason>, probes: u32) -> Duration {
    let waits: &[Duration] = if reason == Some(Reason::Credentials) { &SIGN_INS } else { &PROBES };
    let at = usize::try_from(probes).unwrap_or(usize::MAX).min(waits.len() - 1);
    waits.get(at).copied().unwrap_or_default()
}

fn name_of(pipeline: &PipelineName, scope: Scope) -> String {
    format!("pause/{pipeline}/{}", scope.label())
}

fn parse(name: &str, text: &str) -> Option<(PipelineName, Scope, Pause)> {
    let (pipeline, scope) = name.strip_prefix("pause/")?.split_once('/')?;
    let scope = [Scope::Pipeline, Scope::Images].into_iter().find(|known| known.label() == scope)?;
    Some((pipeline.parse().ok()?, scope, read(text)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn products() -> PipelineName {
        "products".parse().unwrap()
    }

    fn sick() -> Failure {
        Failure::systemic(Reason::Unreachable, "erp.example does not answer")
    }

    async fn pause(state: &State) -> Option<Pause> {
        Pause::of(state, &products(), Scope::Pipeline).await.unwrap()
    }

    #[tokio::test]
    async fn a_sick_system_is_probed_by_one_of_the_fleet_ever_more_seldom() {
        let state = State::open_memory().await.unwrap();
        Pause::by_system(&state, &products(), Scope::Pipeline, &sick()).await.unwrap();
        let mut waits = Vec::new();
        for probes in 0..9 {
            let mut known = pause(&state).await.unwrap();
            assert_eq!(known.probes, probes);
            assert!(!known.take_probe(&state, &products(), Scope::Pipeline).await.unwrap(), "not due yet");
            let wait = known.probe_at.unwrap().duration_since(state.now().await.unwrap());
            waits.push(wait.as_millis() / 1000);
            known.probe_at = Some(state.now().await.unwrap());
            state.set_memo("pause/products/pipeline", Some(&write(&known))).await.unwrap();
            assert!(known.take_probe(&state, &products(), Scope::Pipeline).await.unwrap());
            assert!(!known.take_probe(&state, &products(), Scope::Pipeline).await.unwrap(), "another has it");
        }
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
        assert!((290..=300).contains(waits.last().unwrap()), "{waits:?}");
        Pause::end_by_system(&state, &products(), Scope::Pipeline).await.unwrap();
        assert_eq!(pause(&state).await, None);
    }

    #[tokio::test]
    async fn a_rejected_password_is_not_sent_more_often_than_a_person_would() {
        let state = State::open_memory().await.unwrap();
        let failure = Failure::systemic(Reason::Credentials, "the password was rejected");
        Pause::by_system(&state, &products(), Scope::Pipeline, &failure).await.unwrap();
        let wait = pause(&state).await.unwrap().probe_at.unwrap().duration_since(state.now().await.unwrap());
        assert!(wait.as_secs() >= 50, "{wait}");
    }

    #[tokio::test]
    async fn a_wait_that_the_system_asked_for_is_kept() {
        let state = State::open_memory().await.unwrap();
        let failure = sick().after(Duration::from_hours(1));
        Pause::by_system(&state, &products(), Scope::Images, &failure).await.unwrap();
        let all = Pause::all(&state).await.unwrap();
        assert_eq!((all.len(), &all[0].0, all[0].1), (1, &products(), Scope::Images));
        assert!(all[0].2.probe_at.unwrap().duration_since(state.now().await.unwrap()).as_mins() >= 59);
        assert_eq!(pause(&state).await, None, "the fields go on");
    }

    #[tokio::test]
    async fn what_a_person_paused_only_a_person_resumes() {
        let state = State::open_memory().await.unwrap();
        Pause::by_hand(&state, &products(), Scope::Pipeline, "stock-taking").await.unwrap();
        Pause::by_system(&state, &products(), Scope::Pipeline, &sick()).await.unwrap();
        Pause::end_by_system(&state, &products(), Scope::Pipeline).await.unwrap();
        let known = pause(&state).await.unwrap();
        assert_eq!((known.by, known.why.as_str(), known.probe_at), (PausedBy::Hand, "stock-taking", None));
        assert!(!known.take_probe(&state, &products(), Scope::Pipeline).await.unwrap());
        assert!(Pause::end(&state, &products(), Scope::Pipeline).await.unwrap());
        assert!(!Pause::end(&state, &products(), Scope::Pipeline).await.unwrap());
    }
}
