//! State, systems and sink of a configuration, opened for looking: nothing is written to them.

use std::sync::Arc;

use shared::config::{Config, Pipeline, SinkConfig};
use shared::failure::Failure;
use shared::fleet::SinkNote;
use shared::state::State;
use shared::systems::Systems;
use worker::open::Viewed;

use crate::state::open_state;

/// The state of a configuration, for looking: where there is none yet, an empty one that ends with this command.
pub(crate) async fn state_for_looking(config: &Config) -> Result<State, Failure> {
    if config.fleet.is_some() || config.state.exists() {
        open_state(config).await
    } else {
        State::open_memory().await
    }
}

/// The remote systems, for looking. Looking at Zoho are calls, too: they are counted in the state where all processes count
/// theirs, and that, with the token, is all that is written there.
pub(crate) fn systems_for_looking(config: &Arc<Config>, state: &State) -> Systems {
    Systems::new(Arc::clone(config)).governed_by(state)
}

/// The sink of a pipeline, for looking.
///
/// # Errors
/// As [`worker::open::view`], and `Reason::Configuration` where a fleet writes the file on another machine.
pub(crate) async fn view_of(
    config: &Config,
    pipeline: &Pipeline,
    systems: &Systems,
    state: &State,
) -> Result<Viewed, Failure> {
    if let (Some(_), SinkConfig::Json(file)) = (&config.fleet, &pipeline.sink)
        && !file.path.exists()
        && SinkNote::of(state, &pipeline.name).await?.is_some()
    {
        let (path, name) = (file.path.display(), &pipeline.name);
        let what = format!("{path}, which a worker of this fleet writes for {name}, is not on this machine");
        return Err(Failure::configuration(what).advise("run this where that worker runs"));
    }
    worker::open::view(pipeline, systems).await
}
