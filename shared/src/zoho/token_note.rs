//! What the state holds of an account's token, for all processes that use it: the token itself, sealed, and how often one was
//! asked for.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::seal::Seal;
use super::token::Token;
use crate::failure::{Class, Failure, Reason};
use crate::state::State;

/// Zoho makes ten tokens in ten minutes for one refresh token, and then none for the rest of them.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// We ask for one less: somebody may try the same secrets by hand.
const ASKED_MAX: usize = 9;

/// Notes of secrets that nobody uses any more are thrown away after this.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);

/// Begins the names of all notes.
const PREFIX: &str = "zoho-token/";

/// See the module. Times are by the state's clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct TokenNote {
    /// Counts the tokens: a later one has a higher number.
    pub(super) number: u64,
    /// The access token and its API address, sealed.
    sealed: Option<String>,
    expires_at: Timestamp,
    renew_at: Timestamp,
    /// When the token was made because the one before was refused.
    pub(super) replaced_at: Option<Timestamp>,
    /// When tokens were asked for, in the last ten minutes.
    asked: Vec<Timestamp>,
    /// Why the last one was not had, and until when it is not asked for again.
    failed: Option<Failed>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Failed {
    until: Timestamp,
    class: Class,
    reason: Reason,
    what: String,
    advice: Option<String>,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Inside {
    access: String,
    api: String,
}

impl TokenNote {
    /// Name of the memo.
    pub(super) fn name(seal: &Seal) -> String {
        format!("{PREFIX}{}", seal.name())
    }

    /// What is noted under these secrets.
    ///
    /// # Errors
    /// The state's.
    pub(super) async fn read(state: &State, seal: &Seal) -> Result<Self, Failure> {
        let text = state.memo(&Self::name(seal)).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Keeps it. Whoever writes holds the lease.
    ///
    /// # Errors
    /// The state's.
    pub(super) async fn write(&self, state: &State, seal: &Seal) -> Result<(), Failure> {
        let text = serde_json::to_string(self).expect("a note has only text keys");
        state.set_memo(&Self::name(seal), Some(&text)).await
    }

    /// The token and its API address, if these secrets sealed it.
    pub(super) fn token(&self, seal: &Seal) -> Option<(Token, Url)> {
        let inside = seal.open(self.sealed.as_deref()?)?;
        let inside: Inside = serde_json::from_str(inside.expose_secret()).ok()?;
        let token = Token {
            access: SecretString::from(inside.access),
            expires_at: self.expires_at,
            renew_at: self.renew_at,
        };
        Some((token, Url::parse(&inside.api).ok()?))
    }

    /// A token was made.
    ///
    /// # Errors
    /// None that is known.
    pub(super) fn granted(&mut self, token: &Token, api: &Url, seal: &Seal) -> Result<(), Failure> {
        let inside = Inside { access: token.access.expose_secret().to_owned(), api: api.to_string() };
        let inside = SecretString::from(serde_json::to_string(&inside).expect("it has only text keys"));
        self.sealed = Some(seal.seal(inside.expose_secret())?);
        (self.expires_at, self.renew_at) = (token.expires_at, token.renew_at);
        self.number += 1;
        self.failed = None;
        Ok(())
    }

    /// The token was refused: nobody is to use it any more.
    pub(super) fn forget_token(&mut self) {
        self.sealed = None;
    }

    /// None was made, and none is asked for again until then.
    pub(super) fn failed(&mut self, failure: &Failure, until: Timestamp) {
        self.failed = Some(Failed {
            until,
            class: failure.class,
            reason: failure.reason,
            what: failure.what().to_owned(),
            advice: failure.advice().map(str::to_owned),
        });
    }

    /// Why none is asked for now, and until when.
    pub(super) fn held(&self, now: Timestamp) -> Option<(Failure, Timestamp)> {
        let failed = self.failed.as_ref()?;
        // A time further away is left of a clock that went back.
        if failed.until <= now || failed.until.duration_since(now) > WINDOW {
            return None;
        }
        let mut failure = Failure::new(failed.class, failed.reason, failed.what.as_str());
        if let Some(advice) = &failed.advice {
            failure = failure.advise(advice.as_str());
        }
        Some((failure, failed.until))
    }

    /// One is asked for now.
    ///
    /// # Errors
    /// `Throttled` where Zoho would block the refresh token.
    pub(super) fn ask(&mut self, now: Timestamp) -> Result<(), Failure> {
        self.asked.retain(|asked| now.duration_since(*asked).abs() < WINDOW);
        match self.asked.first() {
            Some(oldest) if self.asked.len() >= ASKED_MAX => {
                let left = WINDOW - now.duration_since(*oldest);
                let what = format!(
                    "{ASKED_MAX} access tokens of Zoho were asked for in ten minutes; at ten it makes no more"
                );
                Err(Failure::new(Class::Throttled, Reason::Throttled, what)
                    .after(Duration::try_from(left).unwrap_or_default())
                    .advise("look in the log for what makes each of them useless"))
            }
            _ => {
                self.asked.push(now);
                Ok(())
            }
        }
    }

    /// Throws notes of former secrets away.
    ///
    /// # Errors
    /// The state's.
    pub(super) async fn forget_old(state: &State, now: Timestamp) -> Result<(), Failure> {
        for (name, text) in state.memos(PREFIX).await? {
            let note: Self = serde_json::from_str(&text).unwrap_or_default();
            if now.duration_since(note.expires_at) > FORGOTTEN {
                state.swap_memo(&name, Some(&text), None).await?;
            }
        }
        Ok(())
    }
}
