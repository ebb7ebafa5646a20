//! Opening what a pipeline reads, and learning what it writes: the sink itself is the worker's.

use shared::config::{Pipeline, SinkConfig, SourceConfig};
use shared::failure::Failure;
use shared::fleet::SinkNote;
use shared::state::State;
use shared::systems::Systems;

use crate::source::{OdooSource, Source, ZohoSource};

/// Opens the source of a pipeline, with the columns that its sink needs.
///
/// # Errors
/// Why the source, or an Odoo that is the sink, cannot be reached; a field that it lacks.
pub async fn source(
    pipeline: &Pipeline,
    systems: &Systems,
    state: &State,
    refresh: bool,
) -> Result<Source, Failure> {
    let source = match &pipeline.sink {
        SinkConfig::Odoo(target) => {
            let client = systems.odoo(&target.server).await?;
            target.completed(&pipeline.source, client.version().major)
        }
        SinkConfig::Json(_) => pipeline.source.clone(),
    };
    match source {
        SourceConfig::Odoo(entity) => {
            let client = systems.odoo(&entity.server).await?;
            Ok(Source::Odoo(OdooSource::open(&client, &entity, state, refresh).await?))
        }
        SourceConfig::Zoho(entity) => {
            let client = systems.zoho(&entity.server).await?;
            Ok(Source::Zoho(ZohoSource::new(&client, &entity)))
        }
    }
}

/// A sink as its producer knows it in a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSink {
    /// Names it in the state.
    pub identity: String,
    /// Why it needs a full run, in words.
    pub asks: Option<String>,
}

/// The sink of a pipeline, without opening it. A file is known once its writer has told of it: `None` before.
///
/// # Errors
/// Why an Odoo cannot be reached, and the state's.
pub(crate) async fn known_sink(
    pipeline: &Pipeline,
    systems: &Systems,
    state: &State,
) -> Result<Option<KnownSink>, Failure> {
    match &pipeline.sink {
        SinkConfig::Odoo(target) => {
            let client = systems.odoo(&target.server).await?;
            Ok(Some(KnownSink { identity: target.identity(&client), asks: None }))
        }
        SinkConfig::Json(_) => {
            let Some(note) = SinkNote::of(state, &pipeline.name).await? else { return Ok(None) };
            let asks = note.unmarked.then(|| "last_sync.json has no entry for it".to_owned());
            Ok(Some(KnownSink { identity: note.identity, asks }))
        }
    }
}
