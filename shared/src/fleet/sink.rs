//! What a pipeline's worker says of the file that it has open: a producer on another machine cannot look.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{read, write};
use crate::failure::Failure;
use crate::record::PipelineName;
use crate::state::State;

/// The sink of a pipeline, as its one writer has it open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkNote {
    /// Changes when the file was removed, replaced or edited by somebody else: then nothing that is remembered about its
    /// records holds any more.
    pub identity: String,
    /// Counts the replacements of the visible file.
    pub generation: u64,
    /// Records in it.
    pub records: u64,
    /// Up to when the pipeline is complete, by the marker of the last sync beside the file.
    pub recorded: Option<Timestamp>,
    /// Somebody removed that marker: who does so asks for a full run.
    pub unmarked: bool,
}

impl SinkNote {
    /// What the writer said last; `None` where none has had the file open yet.
    ///
    /// # Errors
    /// The state's.
    pub async fn of(state: &State, pipeline: &PipelineName) -> Result<Option<Self>, Failure> {
        Ok(state.memo(&name_of(pipeline)).await?.as_deref().and_then(read))
    }

    /// Says it.
    ///
    /// # Errors
    /// The state's.
    pub async fn say(&self, state: &State, pipeline: &PipelineName) -> Result<(), Failure> {
        state.set_memo(&name_of(pipeline), Some(&write(self))).await
    }

    /// The full run that a removed marker asks for has begun.
    ///
    /// # Errors
    /// The state's.
    pub async fn answered(state: &State, pipeline: &PipelineName) -> Result<(), Failure> {
        let name = name_of(pipeline);
        let Some(text) = state.memo(&name).await? else { return Ok(()) };
        let Some(note) = read::<Self>(&text).filter(|note| note.unmarked) else { return Ok(()) };
        let answered = Self { unmarked: false, ..note };
        // Where the writer has said something else meanwhile, that is newer.
        state.swap_memo(&name, Some(&text), Some(&write(&answered))).await.map(|_| ())
    }
}

fn name_of(pipeline: &PipelineName) -> String {
    format!("sink/{pipeline}")
}
