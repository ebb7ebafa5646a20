//! Answers that say nothing of Odoo's own: redirects, error pages of a proxy, answers that are no JSON.

use super::answer::{Answer, Expected, Purpose, not_odoo};
use super::dialect::VERSION_PATH;
use super::place::Place;
use crate::failure::{Class, Failure, Reason};

/// What status and headers alone decide, whatever the body says.
pub(super) fn before_the_body(expected: &Expected<'_>, answer: &Answer) -> Option<Failure> {
    let host = expected.place.host();
    match answer.status {
        300..=399 => Some(redirect(expected, answer)),
        429 => Some(throttled(&host, answer)),
        503 if answer.retry_after.is_some() => Some(throttled(&host, answer)),
        413 => Some(too_large(expected)),
        _ => None,
    }
}

/// Redirects are never followed: they would turn a POST into a GET, and send a password to wherever they point.
fn redirect(expected: &Expected<'_>, answer: &Answer) -> Failure {
    let place = expected.place;
    let location = answer.location.as_deref();
    let target = location.and_then(|location| place.moved_to(location, VERSION_PATH));
    let advice = match (&target, expected.purpose) {
        (Some(target), Purpose::Version) => format!("set `url` to {target} if that is your Odoo"),
        _ => "set `url` to the address that a browser ends at".to_owned(),
    };
    let where_to = target.unwrap_or_else(|| "another address".to_owned());
    Failure::configuration(format!("{} sends us on to {where_to}", place.address())).advise(advice)
}

/// The user, the password or the key is wrong.
pub(super) fn rejected(place: &Place) -> Failure {
    let (host, who, database) = (place.host(), place.whose(), place.database());
    Failure::systemic(Reason::Credentials, format!("Odoo at {host} rejects {who} for database '{database}'"))
        .advise("check the login and the password or API key, and that the key has not expired")
}

/// Without a told time the caller chooses the wait.
fn throttled(host: &str, answer: &Answer) -> Failure {
    let failure =
        Failure::new(Class::Throttled, Reason::Throttled, format!("Odoo at {host} asks us to slow down"));
    match answer.retry_after {
        Some(wait) => failure.after(wait),
        None => failure,
    }
}

/// Odoo takes bodies up to 128 MiB (measured on 19), proxies in front of it far less.
pub(super) fn too_large(expected: &Expected<'_>) -> Failure {
    let host = expected.place.host();
    Failure::permanent(
        Reason::BadRecord,
        format!("the request is larger than Odoo at {host} or a proxy in front of it takes"),
    )
    .advise("raise the proxy's body limit (nginx: client_max_body_size), or send smaller batches or images")
}

/// What is left to say by the status when the body is no JSON of Odoo.
pub(super) fn by_status(expected: &Expected<'_>, answer: &Answer) -> Failure {
    let place = expected.place;
    let host = place.host();
    let status = answer.status;
    match status {
        200..=299 => expected.shape("is no JSON, or was cut off"),
        500.. => server_error(&host, status),
        408 => Failure::transient(Reason::Timeout, format!("Odoo at {host} waited too long for our request")),
        404 if says_no_database(&answer.body) => no_database(expected),
        401 | 407 => Failure::systemic(
            Reason::Credentials,
            format!("a proxy in front of Odoo at {host} asks for a login of its own (HTTP {status})"),
        )
        .advise("let catalog-sync through to Odoo without that login"),
        403 => {
            // A firewall may dislike the text of one record, so a write is that record's; when everything is refused, the
            // share of failing jobs pauses the pipeline.
            let class = if expected.purpose.is_read() { Class::Systemic } else { Class::Permanent };
            let what =
                format!("a proxy or firewall in front of Odoo at {host} refuses the request (HTTP 403)");
            Failure::new(class, Reason::Rights, what)
                .advise("allow catalog-sync's address and requests there")
        }
        _ if matches!(expected.purpose, Purpose::Version) => not_odoo(place),
        404 => Failure::configuration(format!("Odoo at {host} has no such page (HTTP 404)")).advise(
            "check `url` and `database`, and that no proxy blocks /jsonrpc, /json/2 and /web/dataset",
        ),
        _ => Failure::systemic(
            Reason::Protocol,
            format!("Odoo at {host} does not understand the request (HTTP {status})"),
        )
        .advise("check that no proxy changes requests, and that this version of Odoo is supported"),
    }
}

/// 504 and 524 are a proxy that waited in vain: Odoo may still be at work.
fn server_error(host: &str, status: u16) -> Failure {
    let reason = if matches!(status, 504 | 524) { Reason::Timeout } else { Reason::ServerError };
    Failure::transient(reason, format!("Odoo at {host} answered with HTTP {status}"))
        .advise("look into the log of Odoo and of the proxy in front of it")
}

/// JSON-2 names a wrong database with an HTML page only (measured on Odoo 19).
fn says_no_database(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).contains("No database is selected")
}

/// The database is not there, or the server's filter hides it.
pub(super) fn no_database(expected: &Expected<'_>) -> Failure {
    let place = expected.place;
    Failure::systemic(
        Reason::Database,
        format!("Odoo at {} has no database '{}'", place.host(), place.database()),
    )
    .advise("check `database`; upper and lower case differ")
}
