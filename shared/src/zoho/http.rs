//! The calls as they go over the wire: limits, redirects, counters, the server's clock.

use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, Url, redirect};
use secrecy::{ExposeSecret, SecretString};

use super::answer::Answer;
use super::config::ZohoConfig;
use super::counts::{CallCounts, Counters};
use super::place::{Place, host};
use super::quota::Quota;
use super::redirect::{Guard, MOST, PrivateAddress, is_same_origin};
use super::request::CallKind;
use crate::failure::{Failure, Reason};
use crate::http::USER_AGENT;
use crate::http::body::{BodyError, read_capped};
use crate::http::header::{http_date, retry_after, text};
use crate::http::peer::Peer;

/// Connections are dropped before usual servers drop theirs.
const IDLE: Duration = Duration::from_secs(15);

/// Nobody waits longer for a clock.
const TIME: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Http {
    /// For the configured hosts.
    client: Client,
    /// For the hosts that images are redirected to: sees no private address.
    abroad: Client,
    guard: Guard,
    timeout: Duration,
    image_timeout: Duration,
    max_answer_bytes: u64,
    max_image_bytes: u64,
    counters: Counters,
    /// The newest `Date`, and when it came.
    clock: Mutex<Option<(Timestamp, Instant)>>,
}

/// What one call may take.
struct Bounds {
    timeout: Duration,
    bytes: u64,
    is_image: bool,
}

impl Http {
    pub(super) fn new(config: &ZohoConfig) -> Result<Self, Failure> {
        let guard = Guard::new(&config.redirect_hosts, &config.private_hosts);
        let build = |builder: ClientBuilder| {
            builder
                .redirect(redirect::Policy::none())
                .connect_timeout(config.connect_timeout)
                .pool_idle_timeout(IDLE)
                .user_agent(USER_AGENT)
                .build()
                .map_err(|error| {
                    Failure::configuration("the HTTP client cannot be set up")
                        .advise("check the trusted certificates of this machine; the log names the cause")
                        .because(error)
                })
        };
        Ok(Self {
            client: build(Client::builder())?,
            // Through a proxy the proxy would do the looking up.
            abroad: build(Client::builder().no_proxy().dns_resolver(guard.resolver()))?,
            guard,
            timeout: config.timeout,
            image_timeout: config.image_timeout,
            max_answer_bytes: config.max_answer_bytes,
            max_image_bytes: config.max_image_bytes,
            counters: Counters::default(),
            clock: Mutex::default(),
        })
    }

    pub(super) fn counts(&self) -> CallCounts {
        self.counters.read()
    }

    /// Zoho's clock now: its newest `Date` and the time since.
    pub(super) fn clock(&self) -> Option<Timestamp> {
        let (date, came) = (*self.clock.lock().unwrap_or_else(PoisonError::into_inner))?;
        date.checked_add(came.elapsed()).ok()
    }

    /// Asks for an access token. A redirect is not followed: it would carry the secrets to wherever it points.
    pub(super) async fn ask_token(&self, place: &Place, form: SecretString) -> Result<Answer, Failure> {
        self.counters.count(CallKind::Token);
        let bounds = self.bounds(CallKind::Token);
        let url = place.token_url();
        let request = self
            .client
            .post(url.clone())
            .timeout(bounds.timeout)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.expose_secret().to_owned());
        let response = self.send(request, &url, &bounds).await?;
        self.see_clock(&response);
        self.read(response, &url, &bounds, false).await
    }

    /// Asks the accounts server for nothing but the time that each of its answers tells. What does not answer tells none.
    pub(super) async fn ask_time(&self, place: &Place) {
        let request = self.client.get(place.server_info_url()).timeout(TIME);
        match request.send().await {
            Ok(response) => self.see_clock(&response),
            Err(error) => tracing::debug!("Zoho's clock is not known yet: {error}"),
        }
    }

    /// Gets `url`, following redirects as the guard allows. The token goes to the host of `url` alone.
    pub(super) async fn get(
        &self,
        url: &Url,
        access: &SecretString,
        kind: CallKind,
    ) -> Result<Answer, Failure> {
        self.counters.count(kind);
        let bounds = self.bounds(kind);
        let deadline = Instant::now() + bounds.timeout;
        let mut here = url.clone();
        for _ in 0..=MOST {
            let left = deadline.saturating_duration_since(Instant::now());
            let is_foreign = !is_same_origin(url, &here);
            let request = if is_foreign {
                self.abroad.get(here.clone())
            } else {
                self.client.get(here.clone()).header(AUTHORIZATION, authorization(access)?)
            };
            let response = self.send(request.timeout(left), &here, &bounds).await?;
            if !is_foreign {
                self.see_clock(&response);
            }
            match moved(&response) {
                Some(location) if bounds.is_image => here = self.guard.next(url, &here, &location)?,
                Some(location) => {
                    here = Guard::none().next(url, &here, &location).map_err(|failure| {
                        failure.advise("check the data centre, and `api_url` where it is set")
                    })?;
                }
                None => return self.read(response, &here, &bounds, is_foreign).await,
            }
        }
        Err(Failure::permanent(Reason::Protocol, format!("{} redirects more than {MOST} times", host(url)))
            .advise("check that no proxy sends requests round in circles"))
    }

    async fn send(&self, request: RequestBuilder, url: &Url, bounds: &Bounds) -> Result<Response, Failure> {
        request.send().await.map_err(|error| transport(url, bounds, error))
    }

    async fn read(
        &self,
        mut response: Response,
        url: &Url,
        bounds: &Bounds,
        is_foreign: bool,
    ) -> Result<Answer, Failure> {
        let headers = response.headers();
        let mut answer = Answer {
            status: response.status().as_u16(),
            content_type: text(headers, &CONTENT_TYPE),
            retry_after: text(headers, &RETRY_AFTER).and_then(|value| retry_after(&value)),
            quota: Quota::from_headers(headers, Timestamp::now()).filter(|_| !is_foreign),
            is_foreign,
            body: Vec::new(),
        };
        answer.body = read_capped(&mut response, bounds.bytes, |bytes| self.counters.received(bytes))
            .await
            .map_err(|error| match error {
            BodyError::TooLong => too_long(url, bounds),
            BodyError::Broken(error) => transport(url, bounds, error),
        })?;
        Ok(answer)
    }

    fn bounds(&self, kind: CallKind) -> Bounds {
        match kind {
            CallKind::Image => {
                Bounds { timeout: self.image_timeout, bytes: self.max_image_bytes, is_image: true }
            }
            _ => Bounds { timeout: self.timeout, bytes: self.max_answer_bytes, is_image: false },
        }
    }

    fn see_clock(&self, response: &Response) {
        if let Some(date) = text(response.headers(), &DATE).and_then(|value| http_date(&value)) {
            *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
        }
    }
}

/// Zoho's own scheme: it refuses `Bearer`, although it calls its tokens so.
fn authorization(access: &SecretString) -> Result<HeaderValue, Failure> {
    let text = format!("Zoho-oauthtoken {}", access.expose_secret());
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        Failure::transient(Reason::Protocol, "Zoho made an access token that no header can hold")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn moved(response: &Response) -> Option<String> {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
        .then(|| text(response.headers(), &LOCATION))
        .flatten()
}

fn transport(url: &Url, bounds: &Bounds, error: reqwest::Error) -> Failure {
    let host = host(url);
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<PrivateAddress>() {
            return Failure::configuration(format!("{host} has a private address"))
                .advise(format!("add \"{host}\" to `private_hosts` if that is right"));
        }
        cause = error.source();
    }
    let peer = Peer { system: "Zoho", host: &host, setting: "data_center", timeout: bounds.timeout };
    peer.transport(error)
}

fn too_long(url: &Url, bounds: &Bounds) -> Failure {
    let (host, limit) = (host(url), bounds.bytes);
    if bounds.is_image {
        return Failure::permanent(
            Reason::BadRecord,
            format!("the image at {host} is larger than {limit} bytes"),
        )
        .advise("upload a smaller one, or raise `max_image_bytes`");
    }
    Failure::systemic(Reason::Protocol, format!("the answer of Zoho at {host} is larger than {limit} bytes"))
        .advise("ask for fewer records at once")
}
