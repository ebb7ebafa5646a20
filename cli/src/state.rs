//! The state of a configuration, wherever it is.

use shared::config::Config;
use shared::failure::Failure;
use shared::state::State;

/// Opens it where there is one already: a look makes no file.
pub(crate) async fn known_state(config: &Config) -> Result<Option<State>, Failure> {
    if config.fleet.is_some() || config.state.exists() {
        open_state(config).await.map(Some)
    } else {
        Ok(None)
    }
}

/// Opens it: a file on one machine, Redis in a fleet.
pub(crate) async fn open_state(config: &Config) -> Result<State, Failure> {
    match &config.fleet {
        Some(fleet) => shared::fleet::open_state(fleet).await,
        None => State::open_file(&config.state).await,
    }
}
