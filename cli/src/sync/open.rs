//! Opening the two ends of a pipeline.

use producer::source::Source;
use shared::config::{Pipeline, SinkConfig};
use shared::failure::Failure;
use shared::state::State;
use shared::systems::Systems;
use worker::open::Opened;

/// Both ends of a pipeline, remote systems first, so that a wrong address leaves no trace.
pub(super) async fn open(
    pipeline: &Pipeline,
    systems: &Systems,
    state: &State,
    refresh: bool,
) -> Result<(Source, Opened), Failure> {
    if let SinkConfig::Odoo(target) = &pipeline.sink {
        systems.odoo(&target.server).await?;
    }
    let source = producer::open::source(pipeline, systems, state, refresh).await?;
    Ok((source, worker::open::sink(pipeline, systems).await?))
}
