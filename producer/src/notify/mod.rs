//! Notifications: a person is told once of each cause, and once more when it is over. What was told is in the state:
//! restarts and other processes tell nothing twice. Told at least once: where a process dies between telling and noting
//! so, it is told again.

mod cause;
mod log;
mod webhook;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use shared::config::{Config, Notify, Pipeline, ZohoAccount};
use shared::failure::Failure;
use shared::record::PipelineName;
use shared::state::State;
use shared::utc::in_utc;
use tokio_util::sync::CancellationToken;

pub use cause::Cause;

/// How often it is looked whether there is something to tell.
const LOOK: Duration = Duration::from_secs(5);

/// Whoever tells does so within this; then another one may try.
const TELLING: SignedDuration = SignedDuration::from_mins(2);

/// What is told, as it is posted.
#[derive(Debug, Serialize)]
pub struct Message<'a> {
    /// Always "catalog-sync".
    pub program: &'static str,
    /// Of which pipeline.
    pub pipeline: &'a PipelineName,
    /// What it is about.
    pub cause: Cause,
    /// It is over.
    pub recovered: bool,
    /// In words.
    pub text: &'a str,
    /// Since when it was so.
    pub since: Timestamp,
    /// When this was told.
    pub at: Timestamp,
}

/// What was told of a cause that holds, or held until now: a memo of the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Told {
    since: Timestamp,
    text: String,
    /// Its begin arrived.
    begun: bool,
    /// A line of the log tells what is being told; the webhook may not have it yet.
    logged: bool,
    /// Somebody tells since then.
    telling: Option<Timestamp>,
}

/// Tells whoever the configuration names.
#[derive(Debug, Clone)]
pub struct Notifier {
    state: State,
    pipelines: Vec<Pipeline>,
    accounts: BTreeMap<String, ZohoAccount>,
    notify: Notify,
}

impl Notifier {
    /// Of all pipelines of a configuration.
    pub fn new(state: &State, config: &Config) -> Self {
        Self {
            state: state.clone(),
            pipelines: config.pipelines.clone(),
            accounts: config.zoho.clone(),
            notify: config.notify.clone(),
        }
    }

    /// Looks now and then, until told to stop.
    pub async fn watch(self, stop: CancellationToken) {
        while self.notify.is_on() && !stop.is_cancelled() {
            self.look().await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        stop.cancelled().await;
    }

    /// Tells what is to be told now. What fails is a line of the log, and is tried again by a later look.
    pub async fn look(&self) {
        if !self.notify.is_on() {
            return;
        }
        for pipeline in &self.pipelines {
            for cause in Cause::ALL {
                if let Err(failure) = self.look_at(pipeline, cause).await {
                    tracing::warn!(pipeline = %pipeline.name, cause = cause.label(), "nobody could be told: {failure:#}");
                }
            }
        }
    }

    async fn look_at(&self, pipeline: &Pipeline, cause: Cause) -> Result<(), Failure> {
        let holds = cause.holds(self, pipeline).await?;
        let name = format!("notified/{}/{}", pipeline.name, cause.label());
        let before = self.state.memo(&name).await?;
        let known: Option<Told> = before.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let now = self.state.now().await?;
        if known
            .as_ref()
            .and_then(|known| known.telling)
            .is_some_and(|since| now.duration_since(since).abs() < TELLING)
        {
            return Ok(());
        }
        let (mut told, recovered) = match (holds, known) {
            (None, None) => return Ok(()),
            (Some(_), Some(known)) if known.begun => return Ok(()),
            // It came and went, and nobody heard of it.
            (None, Some(known)) if !known.begun => {
                self.state.swap_memo(&name, before.as_deref(), None).await?;
                return Ok(());
            }
            (None, Some(known)) => (known, true),
            (Some(text), known) => {
                let (since, logged) = known.map_or((now, false), |known| (known.since, known.logged));
                (Told { since, text, begun: false, logged, telling: None }, false)
            }
        };
        told.telling = Some(now);
        let telling = write(&told);
        if !self.state.swap_memo(&name, before.as_deref(), Some(&telling)).await? {
            return Ok(());
        }
        let result = self.tell(pipeline, cause, &mut told, recovered, now).await;
        // Without the mark where it failed: the next look tries again, as soon as the mark would have run out.
        let after = match &result {
            Ok(()) if recovered => None,
            Ok(()) => Some(write(&Told { begun: true, logged: false, telling: None, ..told })),
            Err(_) => Some(write(&told)),
        };
        self.state.swap_memo(&name, Some(&telling), after.as_deref()).await?;
        result
    }

    async fn tell(
        &self,
        pipeline: &Pipeline,
        cause: Cause,
        told: &mut Told,
        recovered: bool,
        at: Timestamp,
    ) -> Result<(), Failure> {
        let Told { text, since, .. } = &*told;
        let message = Message {
            program: "catalog-sync",
            pipeline: &pipeline.name,
            cause,
            recovered,
            text,
            since: *since,
            at,
        };
        if let Some(file) = self.notify.log.as_ref().filter(|_| !told.logged) {
            let time = in_utc(at);
            let state = if recovered { "RECOVERED" } else { "BEGUN" };
            log::append(file, &format!("{time} {state} {} {}: {text}", pipeline.name, cause.label()))?;
        }
        let posted = match &self.notify.webhook {
            Some(webhook) => webhook::post(webhook, &message).await,
            None => Ok(()),
        };
        told.logged = true;
        posted
    }
}

fn write(told: &Told) -> String {
    serde_json::to_string(told).expect("a memo has only text keys")
}
