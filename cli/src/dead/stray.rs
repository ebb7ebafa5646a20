//! Strays: what was in a queue and is none of our jobs.

use serde::Serialize;
use serde_json::json;
use shared::failure::Failure;
use shared::job::Attempt;
use shared::state::{State, Stray};
use shared::utc::in_utc;

/// Hexadecimal digits of a stray's id that are shown.
const ID_SHOWN: usize = 12;

/// Strays that are looked through and listed: all that are kept.
pub(super) const STRAYS: usize = 10_000;

/// A stray without its payload.
#[derive(Serialize)]
pub(super) struct StrayLine {
    id: String,
    queue: String,
    bytes: u64,
    failure: Attempt,
}

impl StrayLine {
    pub(super) fn of(stray: &Stray) -> Self {
        Self {
            id: stray.id().to_string(),
            queue: stray.queue.clone(),
            bytes: stray.bytes,
            failure: stray.failure.clone(),
        }
    }

    /// In one line.
    pub(super) fn text(&self) -> String {
        let Self { id, queue, bytes, failure } = self;
        let id = id.get(..ID_SHOWN).unwrap_or(id);
        format!("stray {id} in {queue} of {bytes} bytes: {}", failure.message)
    }
}

/// The one stray whose id begins so.
pub(super) async fn of_id(state: &State, id: &str) -> Result<Stray, Failure> {
    let wanted = id.to_ascii_lowercase();
    let strays = state.strays(STRAYS).await?;
    let mut found = strays.into_iter().filter(|stray| stray.id().to_string().starts_with(&wanted));
    match (found.next(), found.next()) {
        (Some(stray), None) => Ok(stray),
        (None, _) => Err(Failure::configuration(format!("no stray has an id that begins with '{id}'"))
            .advise("`catalog-sync dead list` names them")),
        (Some(_), Some(_)) => {
            Err(Failure::configuration(format!("several strays have ids that begin with '{id}'"))
                .advise("give more of it; `catalog-sync dead list --json` shows all of it"))
        }
    }
}

pub(super) fn object(stray: &Stray) -> serde_json::Value {
    json!({ "stray": stray, "id": stray.id() })
}

pub(super) fn text(stray: &Stray) -> String {
    let cut = if (stray.payload.len() as u64) < stray.bytes { ", of which this is the begin" } else { "" };
    format!(
        "stray {}\n  found {} in {}\n  {}\n  {} bytes{cut}:\n{}\n",
        stray.id(),
        in_utc(stray.at),
        stray.queue,
        stray.failure.message,
        stray.bytes,
        stray.payload.escape_debug()
    )
}
