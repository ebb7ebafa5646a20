//! What Zoho's error codes, and the statuses without one, mean for us.

use std::time::Duration;

use super::answer::{Answer, Expected};
use super::request::CallKind;
use crate::failure::{Class, Failure, Reason};

/// How long to wait where Zoho refuses calls of a minute without saying for how long.
const MINUTE: Duration = Duration::from_mins(1);

/// How long to wait where the calls of the day are used up and nothing says until when.
const HOUR: Duration = Duration::from_hours(1);

/// How long to wait where too many calls are under way.
const MOMENT: Duration = Duration::from_secs(2);

/// An answer that holds no result.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// What it means.
    pub failure: Failure,
    /// HTTP status.
    pub status: u16,
    /// Zoho's code, where it gave one.
    pub code: Option<u64>,
    /// It is not Zoho's, but that of a host which an image was redirected to.
    pub is_foreign: bool,
}

impl Refusal {
    /// The calls of the day are used up, in contrast to those of a minute.
    pub(crate) fn is_daily(&self) -> bool {
        self.code == Some(45)
    }

    /// A new token may help. Code 57 says both that a token has expired and that it lacks a scope.
    pub(crate) fn may_be_the_token(&self) -> bool {
        self.status == 401 && self.code != Some(6041) && !self.is_foreign
    }
}

pub(super) fn by_code(expected: &Expected<'_>, answer: &Answer, code: u64, message: &str) -> Refusal {
    let Expected { host, organization, .. } = expected;
    let what = expected.request.what();
    let failure = match code {
        43 | 44 => throttled(
            format!("Zoho at {host} refuses calls: too many in a minute (code {code})"),
            answer.retry_after.unwrap_or(MINUTE),
        ),
        45 => throttled(
            format!("the Zoho organisation {organization} has used up the calls of its day"),
            until_reset(answer),
        ),
        1070 => throttled(
            format!("Zoho at {host} has too many calls of this organisation under way"),
            answer.retry_after.unwrap_or(MOMENT),
        ),
        57 => {
            Failure::systemic(Reason::Rights, format!("Zoho at {host} does not let us read {what} (code 57)"))
                .advise(format!(
                    "make a new refresh token whose scopes contain {}, and check the rights of its user",
                    expected.request.scope
                ))
        }
        14 => token_refused(expected),
        6041 => Failure::configuration(format!(
            "the user of the Zoho token does not belong to organisation {organization}"
        ))
        .advise("check `organization_id`, and that the token was made by a user of that organisation"),
        2 | 4 if answer.status == 400 => {
            Failure::configuration(format!("Zoho at {host} refuses a parameter of {what}: {message}"))
                .advise("check `organization_id` and the pipeline's settings")
        }
        1000 => server_error(host, answer.status, message),
        _ if answer.status == 404 || matches!(code, 5 | 1002 | 2006) => missing(expected),
        _ => return by_status_with(expected, answer, Some(code), message),
    };
    Refusal { failure, status: answer.status, code: Some(code), is_foreign: answer.is_foreign }
}

/// What is left to say when the body is no JSON of Zoho.
pub(super) fn by_status(expected: &Expected<'_>, answer: &Answer) -> Refusal {
    by_status_with(expected, answer, None, "")
}

fn by_status_with(expected: &Expected<'_>, answer: &Answer, code: Option<u64>, message: &str) -> Refusal {
    let host = expected.host;
    let status = answer.status;
    let what = expected.request.what();
    let failure = match (status, answer.retry_after) {
        (429, wait) | (503, wait @ Some(_)) => {
            throttled(format!("Zoho at {host} asks us to slow down"), wait.unwrap_or(MINUTE))
        }
        (500.., _) => server_error(host, status, message),
        (408, _) => {
            Failure::transient(Reason::Timeout, format!("Zoho at {host} waited too long for our request"))
        }
        (401 | 403, _) if answer.is_foreign => Failure::transient(
            Reason::ServerError,
            format!("the host that Zoho at {host} redirects to refuses to show {what} (HTTP {status})"),
        ),
        (401, _) => token_refused(expected),
        (403, _) => {
            Failure::systemic(Reason::Rights, format!("Zoho at {host} refuses to show {what} (HTTP 403)"))
                .advise("check the rights of the token's user, and that no firewall refuses the request")
        }
        (404 | 410, _) => missing(expected),
        (200..=299, _) if code.is_none() => Failure::transient(
            Reason::Protocol,
            format!("the answer of Zoho at {host} is no JSON of its API, or was cut off"),
        )
        .advise("check that `api_url`, where it is set, is right, and that no proxy replaces answers"),
        _ => {
            let code = code.map_or(String::new(), |code| format!(", code {code}"));
            let what = format!("Zoho at {host} refuses {what} (HTTP {status}{code}): {message}");
            if expected.request.is_for_one() {
                Failure::permanent(Reason::BadRecord, what)
                    .advise("look at that record in Zoho, then run `catalog-sync dead redrive`")
            } else {
                Failure::systemic(Reason::Protocol, what)
                    .advise("check `organization_id` and the pipeline's settings; the sentence is Zoho's own")
            }
        }
    };
    Refusal { failure, status, code, is_foreign: answer.is_foreign }
}

/// A wait is always told, so that nobody up the line has to guess.
fn throttled(what: String, wait: Duration) -> Failure {
    Failure::new(Class::Throttled, Reason::Throttled, what).after(wait)
}

/// Zoho gives the calls of a day back at midnight of the organisation's time zone, and says in how many seconds that is.
fn until_reset(answer: &Answer) -> Duration {
    let reset = answer.quota.map(|quota| quota.resets_in(quota.told_at));
    reset.or(answer.retry_after).unwrap_or(HOUR)
}

fn token_refused(expected: &Expected<'_>) -> Failure {
    Failure::systemic(Reason::Credentials, format!("Zoho at {} refuses the access token", expected.host))
        .advise("check that the data centre is the one that the refresh token was made in")
}

fn missing(expected: &Expected<'_>) -> Failure {
    let what = expected.request.what();
    let host = expected.host;
    match expected.request.kind {
        CallKind::Image => {
            Failure::permanent(Reason::Missing, format!("Zoho at {host} has no image there ({what})"))
                .advise("upload it again in Zoho, or leave the record without")
        }
        _ if expected.request.is_for_one() => {
            Failure::permanent(Reason::Missing, format!("Zoho at {host} no longer has the record ({what})"))
                .advise("nothing is to be done where it was deleted on purpose")
        }
        _ => Failure::configuration(format!("Zoho at {host} has no {what}"))
            .advise("check that the organisation uses this product, and `api_url` where it is set"),
    }
}

fn server_error(host: &str, status: u16, message: &str) -> Failure {
    let mut what = format!("Zoho at {host} answered with HTTP {status}");
    if !message.is_empty() {
        what.push_str(": ");
        what.push_str(message);
    }
    Failure::transient(Reason::ServerError, what)
}
