//! Access tokens and what Zoho says when it makes none.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::answer::Answer;
use super::config::ZohoSecret;
use crate::failure::{Class, Failure, Reason};

/// A token is renewed this long before it expires, so that no call ever carries one that expires on its way.
const EARLY: SignedDuration = SignedDuration::from_mins(5);

/// Zoho makes 10 tokens in 10 minutes for one refresh token and blocks it for the rest of them.
const THROTTLED: Duration = Duration::from_mins(10);

/// An access token.
#[derive(Clone)]
pub struct Token {
    /// What goes behind `Zoho-oauthtoken`.
    pub access: SecretString,
    /// When Zoho stops taking it.
    pub expires_at: Timestamp,
    /// When it is time for a new one.
    pub renew_at: Timestamp,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// A token as it was made.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The token.
    pub token: Token,
    /// The API address that goes with it, as Zoho says.
    pub api_domain: Option<String>,
}

/// The body that asks for a token. Zoho documents parameters in the address; the body works as well, and addresses land in
/// logs.
pub(super) fn form(secret: &ZohoSecret) -> SecretString {
    let pairs = [
        ("refresh_token", secret.refresh_token.expose_secret()),
        ("client_id", &secret.client_id),
        ("client_secret", secret.client_secret.expose_secret()),
        ("grant_type", "refresh_token"),
    ];
    let encoded: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    encoded.join("&").into()
}

fn encode(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'-' | b'.' | b'_' | b'*' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

/// The token in an answer of the accounts server at `host`.
///
/// # Errors
/// `Systemic/Credentials` that names the setting which is wrong, `Throttled` where too many tokens were asked for (an HTTP
/// 400 `Access Denied` that says nothing about who we are), a transient failure for what is no answer of Zoho. An error
/// comes with HTTP 200 as well as with others, so the body decides.
pub fn read_token(host: &str, answer: &Answer, now: Timestamp) -> Result<Granted, Failure> {
    let json = answer.json();
    let text = |key: &str| {
        let value = json.as_ref()?.get(key)?.as_str()?;
        (!value.is_empty()).then(|| value.to_owned())
    };
    if let Some(error) = text("error") {
        return Err(refused(host, &error));
    }
    match text("access_token") {
        Some(access) if (200..300).contains(&answer.status) => {
            let lifetime = lifetime(json.as_ref());
            let expires_at = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
            let early = EARLY.min(lifetime / 2);
            Ok(Granted {
                token: Token {
                    access: access.into(),
                    expires_at,
                    renew_at: expires_at.saturating_sub(early).unwrap_or(now),
                },
                api_domain: text("api_domain"),
            })
        }
        _ => Err(no_answer(host, answer)),
    }
}

/// How long a token lives: an hour as documented. Old servers told milliseconds in `expires_in` and seconds beside it.
fn lifetime(json: Option<&Value>) -> SignedDuration {
    let seconds = |key: &str| json?.get(key)?.as_i64();
    let told = seconds("expires_in_sec").or_else(|| seconds("expires_in"));
    SignedDuration::from_secs(told.unwrap_or(3600).clamp(1, 86_400))
}

fn refused(host: &str, error: &str) -> Failure {
    let rejected = |what: &str, advice: &str| {
        Failure::systemic(Reason::Credentials, format!("Zoho at {host} rejects {what}")).advise(advice)
    };
    match error.to_ascii_lowercase().replace(' ', "_").as_str() {
        "access_denied" => Failure::new(
            Class::Throttled,
            Reason::Throttled,
            format!("Zoho at {host} makes no more access tokens for now: too many were asked for"),
        )
        .after(THROTTLED)
        .advise("give each deployment a refresh token of its own"),
        "invalid_code" => rejected(
            "the refresh token",
            "make a new one in the API console; it was revoked, or made in another data centre than the one set",
        ),
        "invalid_client" => rejected(
            "the client id",
            "check it in the API console, and that the data centre is the one it was made in",
        ),
        "invalid_client_secret" => rejected("the client secret", "copy it again from the API console"),
        "server_error" | "general_error" | "temporarily_unavailable" => {
            Failure::transient(Reason::ServerError, format!("Zoho at {host} could not make an access token"))
        }
        _ => rejected(
            &format!("our request for an access token ({})", word(error)),
            "check client id, client secret and refresh token",
        ),
    }
}

/// Zoho's word for the error, cleaned so that it can never be an echo of what we sent: secrets have digits in them.
fn word(error: &str) -> String {
    error.chars().filter(|c| c.is_ascii_alphabetic() || matches!(c, '_' | ' ')).take(40).collect()
}

fn no_answer(host: &str, answer: &Answer) -> Failure {
    let status = answer.status;
    match status {
        429 => Failure::new(
            Class::Throttled,
            Reason::Throttled,
            format!("Zoho at {host} makes no access tokens for now"),
        )
        .after(answer.retry_after.unwrap_or(THROTTLED)),
        300..=399 | 404 | 405 => {
            Failure::configuration(format!("{host} does not make access tokens of Zoho (HTTP {status})"))
                .advise("check the data centre, and `accounts_url` where it is set")
        }
        500.. => Failure::transient(
            Reason::ServerError,
            format!("Zoho at {host} answered with HTTP {status} when asked for a token"),
        ),
        _ => Failure::transient(
            Reason::Protocol,
            format!("the answer of {host} holds no access token (HTTP {status})"),
        )
        .advise("check the data centre, and `accounts_url` where it is set"),
    }
}
