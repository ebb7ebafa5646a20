//! What the processes of a fleet tell each other through the state, as small texts kept under names: who is alive
//! (`worker/<id>`), who alone may do something (`lease/<name>`), what is paused (`pause/<pipeline>/<scope>`), and which
//! sink a pipeline's worker has open (`sink/<pipeline>`). Times in them are by the store's clock.

mod heart;
mod lease;
mod open;
mod pause;
mod sink;
mod spent;

pub use heart::{Heart, Presence};
pub use lease::{KeptLease, Lease, LeaseHolder};
pub use open::{Meeting, knock_at_broker, open_state};
pub use pause::{Pause, PausedBy, Scope};
pub use sink::SinkNote;
pub use spent::{SPENT, add_spent, spent_of};

use serde::de::DeserializeOwned;

/// A memo's text as a value. One that cannot be read is as good as none: an older or newer version wrote it, and what
/// it says is about now, not for ever.
fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// A value as a memo's text.
fn write<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("a memo has only text keys")
}
