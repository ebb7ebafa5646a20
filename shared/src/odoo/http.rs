//! One HTTP POST: its limits, its counters and its transport errors.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{
    CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE,
};
use reqwest::{Client, Response, redirect};

use super::answer::Answer;
use super::config::OdooConfig;
use super::dialect::Request;
use super::place::Place;
use crate::failure::{Failure, Reason};
use crate::http::USER_AGENT;
use crate::http::body::{BodyError, read_capped};
use crate::http::header::{http_date, retry_after, text};
use crate::http::peer::Peer;

/// Odoo closes every connection; a proxy in front may keep them. Ours are dropped before usual proxies drop theirs, so that
/// no call is written into a connection that is just being closed.
const IDLE: Duration = Duration::from_secs(4);

/// What a client has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallCounts {
    /// Logins.
    pub authentications: u64,
    /// Calls of model methods, repeated ones included.
    pub calls: u64,
    /// Bytes of bodies sent.
    pub bytes_sent: u64,
    /// Bytes of bodies received.
    pub bytes_received: u64,
}

#[derive(Debug, Default)]
struct Counters {
    authentications: AtomicU64,
    calls: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
}

/// What a request counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    Probe,
    Authentication,
    Call,
}

/// No answer has come yet.
const NO_CLOCK: i64 = i64::MIN;

#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    max_answer_bytes: u64,
    timeout: Duration,
    counters: Counters,
    /// `Date` of the newest answer, in Unix seconds.
    clock: AtomicI64,
}

impl Http {
    pub(super) fn new(config: &OdooConfig) -> Result<Self, Failure> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(config.connect_timeout)
            .timeout(config.timeout)
            .pool_idle_timeout(IDLE)
            .user_agent(USER_AGENT)
            .build()
            .map_err(|error| {
                Failure::configuration("the HTTP client cannot be set up")
                    .advise("check the trusted certificates of this machine; the log names the cause")
                    .because(error)
            })?;
        Ok(Self {
            client,
            max_answer_bytes: config.max_answer_bytes,
            timeout: config.timeout,
            counters: Counters::default(),
            clock: AtomicI64::new(NO_CLOCK),
        })
    }

    pub(super) fn counts(&self) -> CallCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CallCounts {
            authentications: read(&self.counters.authentications),
            calls: read(&self.counters.calls),
            bytes_sent: read(&self.counters.bytes_sent),
            bytes_received: read(&self.counters.bytes_received),
        }
    }

    pub(super) fn clock(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.clock.load(Ordering::Relaxed)).ok()
    }

    /// Sends and reads the whole answer, whatever its status.
    pub(super) async fn post(
        &self,
        place: &Place,
        request: Request,
        counted: Counted,
    ) -> Result<Answer, Failure> {
        match counted {
            Counted::Probe => {}
            Counted::Authentication => add(&self.counters.authentications, 1),
            Counted::Call => add(&self.counters.calls, 1),
        }
        add(&self.counters.bytes_sent, request.body.len() as u64);
        let headers = headers(&request)?;
        let response = self
            .client
            .post(place.url(&request.path))
            .headers(headers)
            .body(request.body)
            .send()
            .await
            .map_err(|error| self.transport(place, error))?;
        self.read(place, response).await
    }

    async fn read(&self, place: &Place, mut response: Response) -> Result<Answer, Failure> {
        let mut answer = Answer {
            status: response.status().as_u16(),
            content_type: text(response.headers(), &CONTENT_TYPE),
            location: text(response.headers(), &LOCATION),
            retry_after: text(response.headers(), &RETRY_AFTER).and_then(|value| retry_after(&value)),
            session: session(response.headers()),
            body: Vec::new(),
        };
        if let Some(date) = text(response.headers(), &DATE).and_then(|value| http_date(&value)) {
            self.clock.store(date.as_second(), Ordering::Relaxed);
        }
        let received = &self.counters.bytes_received;
        answer.body = read_capped(&mut response, self.max_answer_bytes, |bytes| add(received, bytes))
            .await
            .map_err(|error| match error {
            BodyError::TooLong => self.too_long(place),
            BodyError::Broken(error) => self.transport(place, error),
        })?;
        Ok(answer)
    }

    fn too_long(&self, place: &Place) -> Failure {
        let limit = self.max_answer_bytes >> 20;
        Failure::systemic(
            Reason::Protocol,
            format!("the answer of Odoo at {} is larger than {limit} MiB", place.host()),
        )
        .advise("ask for fewer records or fields at once")
    }

    fn transport(&self, place: &Place, error: reqwest::Error) -> Failure {
        let peer = Peer { system: "Odoo", host: &place.host(), setting: "url", timeout: self.timeout };
        peer.transport(error)
    }
}

fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

fn headers(request: &Request) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, text) in &request.headers {
        let pair = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(text));
        let (Ok(name), Ok(mut value)) = pair else {
            let what = format!("the value for the header {name} has characters that no header may have");
            return Err(Failure::configuration(what).advise(
                "check the API key and the database name for line breaks and letters outside ASCII",
            ));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The cookie `session_id`. Odoo may change it with any answer of a session.
fn session(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut sessions = cookies.filter_map(|cookie| cookie.trim_start().strip_prefix("session_id="));
    let value = sessions.next_back()?.split(';').next()?.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_session_cookie_counts() {
        let mut headers = HeaderMap::new();
        assert_eq!(session(&headers), None);
        for cookie in
            ["frontend_lang=en_US; Path=/", "session_id=; Path=/", "session_id=abc-_1; HttpOnly; Path=/"]
        {
            headers.append(SET_COOKIE, HeaderValue::from_static(cookie));
        }
        assert_eq!(session(&headers), Some("abc-_1".to_owned()));
    }

    #[test]
    fn secret_that_no_header_can_hold_is_told_without_its_text() {
        let headers_of = |key: &str| {
            let request = Request {
                path: "/json/2/res.partner/read".to_owned(),
                headers: vec![("Authorization", format!("Bearer {key}"))],
                body: Vec::new(),
            };
            headers(&request)
        };
        assert!(headers_of("k3y").unwrap()["authorization"].is_sensitive());
        let failure = headers_of("k3y\n").unwrap_err();
        assert!(failure.reason.is_configuration());
        assert!(!format!("{failure:#}").contains("k3y"), "{failure:#}");
    }
}
