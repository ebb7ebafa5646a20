//! The current token: made once for all processes that share a state, and in each of them once for all callers.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use secrecy::SecretString;
use tokio::sync::Mutex;

use super::clock::{Clock, jittered};
use super::config::ZohoSecret;
use super::http::Http;
use super::place::Place;
use super::seal::Seal;
use super::token::{Granted, Token, form, read_token};
use super::token_note::TokenNote;
use crate::failure::{Class, Failure};
use crate::fleet::{KeptLease, Lease};
use crate::state::State;

/// A token made because Zoho refused the one before is not replaced for the same reason within this time: the scope is
/// missing then, and asking again and again would use up the tokens that Zoho makes in ten minutes.
const PROVEN: SignedDuration = SignedDuration::from_mins(2);

/// A rejected secret is not shown again sooner than a person would.
const REJECTED: SignedDuration = SignedDuration::from_mins(1);

/// Nor by another process within this time.
const SHARED: SignedDuration = SignedDuration::from_secs(10);

/// A token that still works is used on for this long when a new one could not be had.
const MAKESHIFT: SignedDuration = SignedDuration::from_secs(30);

/// How long a process that died while it asked for a token keeps the others from asking.
const TERM: Duration = Duration::from_secs(5);

/// How often it is looked whether the process that asks has got one.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Session {
    place: Place,
    secret: ZohoSecret,
    seal: Seal,
    state: State,
    clock: Arc<Clock>,
    known: Mutex<Known>,
}

/// What this process knows; its lock is held while a token is made.
#[derive(Debug, Default)]
struct Known {
    token: Option<(Token, Url)>,
    /// That of the newest token, had or asked for in vain.
    number: u64,
    /// Why the last one was not had, and until when it is not asked for again.
    failed: Option<(Failure, Timestamp)>,
}

/// The token that a call is made with.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    pub(super) access: SecretString,
    pub(super) api: Url,
    number: u64,
}

/// What a new token is wanted for.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// The one that is there is due for renewal, or there is none.
    Renewal,
    /// Zoho refused the one of this number.
    Replacement(u64),
}

impl Session {
    /// The tokens of these secrets.
    ///
    /// # Errors
    /// None that is known.
    pub(super) fn new(
        place: Place,
        secret: ZohoSecret,
        state: State,
        clock: Arc<Clock>,
    ) -> Result<Self, Failure> {
        let seal = Seal::new(&secret, &place.accounts_host())?;
        Ok(Self { place, secret, seal, state, clock, known: Mutex::default() })
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// A token that is good for minutes to come. Whoever comes while one is being made waits for it, and shares its failure.
    pub(super) async fn current(&self, http: &Http) -> Result<Ticket, Failure> {
        let came = self.now().await?;
        let mut known = self.known.lock().await;
        let now = self.now().await?;
        if let Some(ticket) = known.ticket(|token| now < token.renew_at) {
            return Ok(ticket);
        }
        if let Some((failure, until)) = known.failed.clone()
            && came < until
        {
            return known.makeshift(now).ok_or_else(|| held(failure, now, until));
        }
        match self.renew(&mut known, Wanted::Renewal, http).await {
            Ok(true) => known.ticket(|_| true).ok_or_else(none_made),
            // Another process asks, or asked in vain.
            Ok(false) => known.makeshift(now).ok_or_else(none_made),
            Err(failure) => match known.makeshift(now) {
                Some(ticket) => {
                    tracing::warn!(%failure, "the Zoho access token could not be renewed early");
                    Ok(ticket)
                }
                None => Err(failure),
            },
        }
    }

    /// Another token than this one, which Zoho refused; `None` where it was made just now for the same reason, so that
    /// another would be refused as well.
    pub(super) async fn replace(&self, refused: &Ticket, http: &Http) -> Result<Option<Ticket>, Failure> {
        let mut known = self.known.lock().await;
        if known.number != refused.number {
            // Another caller met the same refusal: its outcome counts here too.
            return match (known.ticket(|_| true), &known.failed) {
                (Some(ticket), _) => Ok(Some(ticket)),
                (None, Some((failure, _))) => Err(failure.clone()),
                (None, None) => Ok(None),
            };
        }
        let wanted = Wanted::Replacement(refused.number);
        Ok(if self.renew(&mut known, wanted, http).await? { known.ticket(|_| true) } else { None })
    }

    /// Takes the token that another process made, or makes one. `false`: none is to be made now, and what is known is
    /// unchanged.
    async fn renew(&self, known: &mut Known, wanted: Wanted, http: &Http) -> Result<bool, Failure> {
        loop {
            if let Some(done) = self.look(known, wanted).await? {
                return Ok(done);
            }
            let name = TokenNote::name(&self.seal);
            match Lease::take(&self.state, &name, &crate::platform::host(), TERM).await? {
                Ok(lease) => return self.make(known, wanted, http, lease.keep()).await,
                // Nobody has to wait while the old one works.
                Err(_) if matches!(wanted, Wanted::Renewal) && known.works(self.now().await?) => {
                    return Ok(false);
                }
                Err(_) => tokio::time::sleep(jittered(LOOK)).await,
            }
        }
    }

    /// What the state says; `None`: that one has to be made.
    async fn look(&self, known: &mut Known, wanted: Wanted) -> Result<Option<bool>, Failure> {
        let note = TokenNote::read(&self.state, &self.seal).await?;
        let now = self.now().await?;
        let is_other = match wanted {
            Wanted::Renewal => true,
            Wanted::Replacement(refused) => note.number > refused,
        };
        if is_other
            && let Some((token, api)) = note.token(&self.seal)
            && now < token.renew_at
        {
            known.number = note.number;
            known.token = Some((token, api));
            known.failed = None;
            return Ok(Some(true));
        }
        if matches!(wanted, Wanted::Replacement(_))
            && note.replaced_at.is_some_and(|made| now.duration_since(made).abs() < PROVEN)
        {
            return Ok(Some(false));
        }
        match note.held(now) {
            Some((failure, until)) => {
                known.failed = Some((failure.clone(), until));
                Err(held(failure, now, until))
            }
            None => Ok(None),
        }
    }

    /// Makes one, unless another process did so before this one got the lease.
    async fn make(
        &self,
        known: &mut Known,
        wanted: Wanted,
        http: &Http,
        lease: KeptLease,
    ) -> Result<bool, Failure> {
        let made = match self.look(known, wanted).await {
            Ok(None) => self.ask(known, wanted, http).await.map(|()| true),
            Ok(Some(done)) => Ok(done),
            Err(failure) => Err(failure),
        };
        lease.give_up().await;
        made
    }

    async fn ask(&self, known: &mut Known, wanted: Wanted, http: &Http) -> Result<(), Failure> {
        let mut note = TokenNote::read(&self.state, &self.seal).await?;
        note.number = note.number.max(known.number);
        if matches!(wanted, Wanted::Replacement(_)) {
            known.token = None;
            note.forget_token();
        }
        // Before it is asked for: whoever dies over it has asked all the same.
        let asked = note.ask(self.now().await?);
        let result = match asked {
            Ok(()) => {
                note.write(&self.state, &self.seal).await?;
                let answer = http.ask_token(&self.place, form(&self.secret)).await;
                let now = self.now().await?;
                answer.and_then(|answer| read_token(&self.place.accounts_host(), &answer, now))
            }
            Err(failure) => Err(failure),
        };
        let now = self.now().await?;
        let result = match result {
            Ok(Granted { token, api_domain }) => {
                let api = self.place.api_for(api_domain.as_deref());
                note.granted(&token, &api, &self.seal)?;
                note.replaced_at = matches!(wanted, Wanted::Replacement(_)).then_some(now);
                known.token = Some((token, api));
                known.failed = None;
                TokenNote::forget_old(&self.state, now).await?;
                Ok(())
            }
            Err(failure) => {
                let hold = hold(&failure);
                let until = now.saturating_add(hold).unwrap_or(now);
                // Whoever starts the program again has corrected something, perhaps.
                let shared = if failure.class == Class::Systemic { hold.min(SHARED) } else { hold };
                note.failed(&failure, now.saturating_add(shared).unwrap_or(now));
                note.number += 1;
                known.failed = Some((failure.clone(), until));
                Err(failure)
            }
        };
        known.number = note.number;
        note.write(&self.state, &self.seal).await?;
        result
    }

    async fn now(&self) -> Result<Timestamp, Failure> {
        Ok(self.clock.read(&self.state).await?.now)
    }
}

impl Known {
    fn ticket(&self, fits: impl Fn(&Token) -> bool) -> Option<Ticket> {
        let (token, api) = self.token.as_ref().filter(|(token, _)| fits(token))?;
        Some(Ticket { access: token.access.clone(), api: api.clone(), number: self.number })
    }

    fn works(&self, now: Timestamp) -> bool {
        self.token.as_ref().is_some_and(|(token, _)| now < token.expires_at)
    }

    /// The token that is due for renewal and has not expired yet; it is not asked for another for a while.
    fn makeshift(&mut self, now: Timestamp) -> Option<Ticket> {
        let ticket = self.ticket(|token| now < token.expires_at)?;
        let until = now.saturating_add(MAKESHIFT).unwrap_or(now);
        if let Some((_, held)) = &mut self.failed {
            *held = (*held).max(until);
        }
        Some(ticket)
    }
}

fn none_made() -> Failure {
    Failure::interrupted("no Zoho access token was made")
}

fn held(failure: Failure, now: Timestamp, until: Timestamp) -> Failure {
    match failure.class {
        Class::Throttled => failure.after(left(now, until)),
        _ => failure,
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
