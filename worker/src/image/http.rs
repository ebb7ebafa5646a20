//! Images from a plain web server: the address is made of a record's key and image reference.

use std::error::Error as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, RETRY_AFTER, TRANSFER_ENCODING};
use reqwest::{Client, Response, StatusCode, Url, Version};
use shared::failure::{Class, Failure, Reason};
use shared::record::{ImageReference, RecordKey};

use super::fetch::Fetched;
use super::flaw::Flaw;
use super::private::{PrivateAddress, Resolver, redirects};

const CONNECT: Duration = Duration::from_secs(10);

/// No byte for so long is a broken connection. The whole fetch is bounded by the worker.
const SILENCE: Duration = Duration::from_secs(20);

/// Connections that have been idle for longer are not used again; usual servers close theirs soon after.
const IDLE: Duration = Duration::from_secs(4);

/// A server that asks for more is asked again all the same.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

const LET_IN: &str =
    "let catalog-sync fetch images there without a login: no header is sent with its requests";

/// A web server with images.
#[derive(Debug)]
pub struct HttpImages {
    client: Client,
    template: String,
    host: String,
}

impl HttpImages {
    /// Images at the address `template`, in which `{key}` and `{reference}` stand for the record's. Redirects may lead to
    /// other hosts, but to private addresses only where the host is the template's own or in `allowed`.
    ///
    /// # Errors
    /// `Reason::Configuration` where the template is no `http` or `https` address with a fixed host.
    pub fn new(template: &str, allowed: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let wrong = |what: &str| {
            Failure::configuration(format!("the address of images {what}"))
                .advise("write it such as https://shop.example/images/{key}/{reference}")
        };
        let url = Url::parse(&filled(template, "key", "reference"))
            .map_err(|error| wrong("is no address").because(error))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
            return Err(wrong("begins with neither http:// nor https://"));
        }
        let other =
            Url::parse(&filled(template, "k", "r")).map_err(|error| wrong("is no address").because(error))?;
        if other.host_str() != Some(&host) {
            return Err(wrong("has a place in its host"));
        }
        let allowed: Vec<String> = allowed.into_iter().chain([host.clone()]).collect();
        let client = Client::builder()
            .redirect(redirects(allowed.clone()))
            .dns_resolver(Resolver::new(allowed))
            // A proxy would look names up by itself, past the check of their addresses.
            .no_proxy()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("catalog-sync/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                Failure::configuration("the HTTP client cannot be set up")
                    .advise("check the trusted certificates of this machine; the log names the cause")
                    .because(error)
            })?;
        Ok(Self { client, template: template.to_owned(), host })
    }

    pub(super) async fn fetch(
        &self,
        key: &RecordKey,
        reference: &ImageReference,
        limit: usize,
    ) -> Result<Fetched, Failure> {
        let url = filled(&self.template, key.as_str(), reference.as_str());
        let response = self.client.get(url).send().await.map_err(|error| self.broken(error))?;
        match response.status() {
            StatusCode::OK => self.read(response, limit).await,
            status => Err(self.refused(status, response.headers())),
        }
    }

    async fn read(&self, mut response: Response, limit: usize) -> Result<Fetched, Failure> {
        let too_many = || Failure::from(Flaw::TooManyBytes { limit });
        let told = response.content_length().map(usize::try_from);
        let told = match told {
            Some(Ok(told)) if told <= limit => Some(told),
            Some(_) => return Err(too_many()),
            None => None,
        };
        let framed = response.version() > Version::HTTP_11
            || response.headers().contains_key(CONTENT_LENGTH)
            || response.headers().contains_key(TRANSFER_ENCODING);
        // At once, so that the bytes are never there twice while the vector grows.
        let mut bytes = Vec::with_capacity(told.unwrap_or(limit));
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))? {
            if bytes.len() + chunk.len() > limit {
                return Err(too_many());
            }
            bytes.extend_from_slice(&chunk);
        }
        bytes.shrink_to_fit();
        Ok(Fetched { bytes, framed })
    }

    fn refused(&self, status: StatusCode, headers: &HeaderMap) -> Failure {
        let host = &self.host;
        let wait = headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?));
        let what = |what: &str| format!("{host} {what} (HTTP {})", status.as_u16());
        match (status.as_u16(), wait) {
            (404 | 410, _) => Failure::permanent(Reason::Missing, what("has no such image"))
                .advise("upload the picture again, or take it off the record"),
            (429, None) => Failure::new(Class::Throttled, Reason::Throttled, what("asks us to wait")),
            (429 | 503, Some(wait)) => {
                Failure::new(Class::Throttled, Reason::Throttled, what("asks us to wait")).after(wait)
            }
            (408, _) => Failure::transient(Reason::Timeout, what("waited in vain for our request")),
            (500..=599, _) => Failure::transient(Reason::ServerError, what("cannot answer just now")),
            (401, _) => {
                Failure::systemic(Reason::Credentials, what("does not let us see images")).advise(LET_IN)
            }
            (403, _) => Failure::systemic(Reason::Rights, what("does not let us see images")).advise(LET_IN),
            (status, _) => Failure::permanent(
                Reason::Protocol,
                format!("{host} answers with HTTP {status} instead of an image"),
            )
            .advise("open the address in a browser, and upload the picture again where it is not there"),
        }
    }

    /// The failure of a fetch that got no whole answer. The address is not repeated from the error: it may hold a key.
    fn broken(&self, error: reqwest::Error) -> Failure {
        let host = &self.host;
        let error = error.without_url();
        let mut cause = error.source();
        while let Some(inner) = cause {
            if let Some(PrivateAddress(to)) = inner.downcast_ref() {
                return Failure::permanent(
                    Reason::BadRecord,
                    format!("{host} sends us to {to} for an image, which is inside a private network"),
                )
                .advise("allow that host by name if images are really there");
            }
            cause = inner.source();
        }
        if error.is_timeout() {
            return Failure::transient(Reason::Timeout, format!("no image from {host} in time"))
                .because(error);
        }
        if error.is_redirect() {
            return Failure::permanent(Reason::Protocol, format!("{host} sends us around in circles"))
                .advise("correct the redirects of that host")
                .because(error);
        }
        Failure::transient(
            Reason::Unreachable,
            format!("the connection to {host} broke before the image was there"),
        )
        .because(error)
    }
}

/// The template with both texts in place, as parts of a path or a query.
fn filled(template: &str, key: &str, reference: &str) -> String {
    template.replace("{key}", &encoded(key)).replace("{reference}", &encoded(reference))
}

/// Everything but letters, digits and `-._~` in percent signs; a whole `.` or `..` too, which would be a folder.
fn encoded(text: &str) -> String {
    let only_dots = matches!(text, "." | "..");
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => char::from(byte).to_string(),
            b'.' if !only_dots => ".".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Seconds, or a date.
fn retry_after(text: &str) -> Option<Duration> {
    let seconds = if let Ok(seconds) = text.trim().parse() {
        seconds
    } else {
        let date = DateTimeParser::new().parse_timestamp(text).ok()?;
        u64::try_from(date.as_second() - Timestamp::now().as_second()).unwrap_or(0)
    };
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
