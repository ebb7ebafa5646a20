//! When runs of a pipeline are due: the configuration's rhythm, over it what an operator set in the state, and what became
//! of the runs before. The same on one machine and in a fleet; daemon, producer, command line and page share it.

mod note;
mod rhythm;

#[cfg(test)]
mod tests;

use shared::config::{Pipeline, Rhythm};
use shared::failure::{Class, DEFECT, Failure};
use shared::state::{RunKind, State};

pub use note::{Disabled, DisabledBy, Failed, Kind, Next, Note, Past};
pub use rhythm::{Interval, Overrides};

/// How many runs back one over all records is looked for.
const LOOK_BACK: usize = 20;

/// The schedule of one pipeline. Every change is one compare-and-set of its memo: processes may change it at once.
#[derive(Debug, Clone, Copy)]
pub struct Schedule<'a> {
    state: &'a State,
    pipeline: &'a Pipeline,
}

impl<'a> Schedule<'a> {
    /// Of this pipeline, in this state.
    pub fn of(state: &'a State, pipeline: &'a Pipeline) -> Self {
        Self { state, pipeline }
    }

    /// What the state remembers of it.
    ///
    /// # Errors
    /// The state's.
    pub async fn note(&self) -> Result<Note, Failure> {
        Ok(read(self.state.memo(&self.name()).await?.as_deref()))
    }

    /// The rhythm that holds.
    ///
    /// # Errors
    /// The state's.
    pub async fn rhythm(&self) -> Result<Rhythm, Failure> {
        Ok(self.note().await?.overrides.over(self.pipeline.rhythm))
    }

    /// The next run; `None` while nothing is run by itself.
    ///
    /// # Errors
    /// The state's.
    pub async fn next(&self) -> Result<Option<Next>, Failure> {
        let note = self.note().await?;
        let known = self.state.pipeline(&self.pipeline.name).await?;
        let runs = self.state.runs(Some(&self.pipeline.name), LOOK_BACK).await?;
        let open = known.as_ref().and_then(|known| known.open.as_ref());
        let past = Past {
            last_run: runs.iter().find(|run| run.kind != RunKind::Chosen).map(|run| run.started),
            last_full: known.as_ref().and_then(|known| known.last_full),
            broken_off: open.is_some() && note.retry.is_none(),
            sweep_broken_off: open.is_some_and(|open| open.kind == RunKind::Sweep) && note.retry.is_none(),
        };
        Ok(note.next(self.pipeline.rhythm, past, self.state.now().await?))
    }

    /// An operator sets intervals; what is `None` stays as it is.
    ///
    /// # Errors
    /// The state's.
    pub async fn set(&self, overrides: Overrides) -> Result<(), Failure> {
        self.change(|note| note.overrides = note.overrides.or_newer(overrides)).await
    }

    /// Nothing is run by itself until it is enabled.
    ///
    /// # Errors
    /// The state's.
    pub async fn disable(&self, why: &str) -> Result<(), Failure> {
        let disabled = Disabled { by: DisabledBy::Hand, why: why.to_owned(), since: self.state.now().await? };
        self.change(|note| note.disabled = Some(disabled.clone())).await
    }

    /// Runs by itself again, whoever disabled it.
    ///
    /// # Errors
    /// The state's.
    pub async fn enable(&self) -> Result<(), Failure> {
        self.change(Note::enable).await
    }

    /// Whoever keeps the schedule runs this at once, even where it is disabled: that is how one tries whether it is well.
    ///
    /// # Errors
    /// The state's.
    pub async fn ask(&self, kind: Kind) -> Result<(), Failure> {
        self.change(|note| note.asked = Some(kind)).await
    }

    /// A scheduled run begins.
    ///
    /// # Errors
    /// The state's.
    pub async fn begin(&self, kind: Kind) -> Result<(), Failure> {
        let now = self.state.now().await?;
        self.change(|note| note.begin(kind, now)).await
    }

    /// A scheduled run ended. Whether the schedule disabled itself now. `disable_after` is `None` where the failure is our
    /// own services' and not the pipeline's.
    ///
    /// # Errors
    /// The state's.
    pub async fn ended(
        &self,
        kind: Kind,
        failure: Option<&Failure>,
        disable_after: Option<u32>,
    ) -> Result<bool, Failure> {
        let now = self.state.now().await?;
        let mut disabled = false;
        self.change(|note| {
            disabled = match failure {
                None => {
                    note.succeed(now);
                    false
                }
                Some(failure) if failure.class == Class::Interrupted => false,
                Some(failure) => note.fail(kind, failure, self.pipeline.rhythm, disable_after, now),
            };
        })
        .await?;
        Ok(disabled)
    }

    /// A run that nobody scheduled ended so: remembered to be told, counted for nothing.
    ///
    /// # Errors
    /// The state's.
    pub async fn saw(&self, failure: Option<&Failure>) -> Result<(), Failure> {
        let now = self.state.now().await?;
        self.change(|note| note.saw(failure, now)).await
    }

    async fn change(&self, mut change: impl FnMut(&mut Note)) -> Result<(), Failure> {
        let name = self.name();
        loop {
            let before = self.state.memo(&name).await?;
            let mut note = read(before.as_deref());
            change(&mut note);
            let after = serde_json::to_string(&note).map_err(|error| {
                Failure::configuration("a schedule cannot be written").advise(DEFECT).because(error)
            })?;
            if before.as_deref() == Some(after.as_str())
                || self.state.swap_memo(&name, before.as_deref(), Some(&after)).await?
            {
                return Ok(());
            }
        }
    }

    fn name(&self) -> String {
        format!("schedule/{}", self.pipeline.name)
    }
}

/// A note of another version is read as far as it is understood.
fn read(text: Option<&str>) -> Note {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
