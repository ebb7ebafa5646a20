//! The current token, renewed once for all callers that need a new one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use secrecy::SecretString;
use tokio::sync::Mutex;

use super::config::ZohoSecret;
use super::http::Http;
use super::place::Place;
use super::token::{Granted, Token, form, read_token};
use crate::failure::{Class, Failure};

/// A token made because Zoho refused the one before is not replaced for the same reason within this time: the scope is
/// missing then, and asking again and again would use up the tokens that Zoho makes in ten minutes.
const PROVEN: SignedDuration = SignedDuration::from_mins(2);

/// A rejected secret is not shown again sooner than a person would.
const REJECTED: SignedDuration = SignedDuration::from_mins(1);

/// A token that still works is used on for this long when a new one could not be had.
const MAKESHIFT: SignedDuration = SignedDuration::from_secs(30);

#[derive(Debug)]
pub(super) struct Session {
    place: Place,
    secret: ZohoSecret,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Token>,
    api: Option<Url>,
    /// Grows with every token that was asked for.
    asked: u64,
    /// Why the last one was not had, and until when it is not asked for again.
    failed: Option<(Failure, Timestamp)>,
    /// When the token was made because the one before was refused.
    replaced_at: Option<Timestamp>,
}

/// The token that a call is made with.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    pub(super) access: SecretString,
    pub(super) api: Url,
    asked: u64,
}

impl Session {
    pub(super) fn new(place: Place, secret: ZohoSecret) -> Self {
        Self { place, secret, state: Mutex::default() }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// A token that is good for minutes to come. Whoever comes while one is being made waits for it, and shares its failure.
    pub(super) async fn current(&self, http: &Http) -> Result<Ticket, Failure> {
        let came = Timestamp::now();
        let mut state = self.state.lock().await;
        let now = Timestamp::now();
        if let Some(ticket) = state.ticket(&self.place, |token| now < token.renew_at) {
            return Ok(ticket);
        }
        if let Some((failure, until)) = state.failed.clone()
            && came < until
        {
            return state.makeshift(&self.place, now).ok_or_else(|| match failure.class {
                Class::Throttled => failure.after(left(now, until)),
                _ => failure,
            });
        }
        match self.ask(&mut state, http).await {
            Ok(()) => state.replaced_at = None,
            Err(failure) => {
                return match state.makeshift(&self.place, now) {
                    Some(ticket) => {
                        tracing::warn!(%failure, "the Zoho access token could not be renewed early");
                        Ok(ticket)
                    }
                    None => Err(failure),
                };
            }
        }
        self.granted(&state)
    }

    /// Another token than this one, which Zoho refused; `None` where it was made just now for the same reason, so that
    /// another would be refused as well.
    pub(super) async fn replace(&self, refused: &Ticket, http: &Http) -> Result<Option<Ticket>, Failure> {
        let mut state = self.state.lock().await;
        if state.asked != refused.asked {
            // Another caller met the same refusal: its outcome counts here too.
            return match state.ticket(&self.place, |_| true) {
                Some(ticket) => Ok(Some(ticket)),
                None => match &state.failed {
                    Some((failure, _)) => Err(failure.clone()),
                    None => Ok(None),
                },
            };
        }
        let now = Timestamp::now();
        if state.replaced_at.is_some_and(|made| now.duration_since(made) < PROVEN) {
            return Ok(None);
        }
        state.token = None;
        self.ask(&mut state, http).await?;
        state.replaced_at = Some(Timestamp::now());
        self.granted(&state).map(Some)
    }

    async fn ask(&self, state: &mut State, http: &Http) -> Result<(), Failure> {
        state.asked += 1;
        let result = http
            .ask_token(&self.place, form(&self.secret))
            .await
            .and_then(|answer| read_token(&self.place.accounts_host(), &answer, Timestamp::now()));
        match result {
            Ok(Granted { token, api_domain }) => {
                state.api = Some(self.place.api_for(api_domain.as_deref()));
                state.token = Some(token);
                state.failed = None;
                Ok(())
            }
            Err(failure) => {
                let now = Timestamp::now();
                let until = now.saturating_add(hold(&failure)).unwrap_or(now);
                state.failed = Some((failure.clone(), until));
                Err(failure)
            }
        }
    }

    fn granted(&self, state: &State) -> Result<Ticket, Failure> {
        state
            .ticket(&self.place, |_| true)
            .ok_or_else(|| Failure::interrupted("no Zoho access token was made"))
    }
}

impl State {
    fn ticket(&self, place: &Place, fits: impl Fn(&Token) -> bool) -> Option<Ticket> {
        let token = self.token.as_ref().filter(|token| fits(token))?;
        Some(Ticket {
            access: token.access.clone(),
            api: self.api.clone().unwrap_or_else(|| place.api().clone()),
            asked: self.asked,
        })
    }

    /// The token that is due for renewal and has not expired yet; it is not asked for another for a while.
    fn makeshift(&mut self, place: &Place, now: Timestamp) -> Option<Ticket> {
        let ticket = self.ticket(place, |token| now < token.expires_at)?;
        let until = now.saturating_add(MAKESHIFT).unwrap_or(now);
        if let Some((_, held)) = &mut self.failed {
            *held = (*held).max(until);
        }
        Some(ticket)
    }
}

fn left(now: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

/// How long a failure stands in for asking again. A transient one only for those who waited for it: they came before now.
fn hold(failure: &Failure) -> SignedDuration {
    match failure.class {
        Class::Throttled => {
            let wait = failure.retry_after.unwrap_or(Duration::from_mins(1));
            SignedDuration::try_from(wait).unwrap_or(REJECTED)
        }
        Class::Systemic => REJECTED,
        _ => SignedDuration::ZERO,
    }
}

#[cfg(test)]
mod tests;
