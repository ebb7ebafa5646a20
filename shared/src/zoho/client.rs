//! The client: one call with its token, its admission and its repetition.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use super::answer::{Answer, Expected};
use super::config::{ImageRoute, ZohoConfig};
use super::counts::CallCounts;
use super::http::Http;
use super::limiter::Limiter;
use super::place::{Place, host};
use super::quota::Limits;
use super::refusal::Refusal;
use super::request::Request;
use super::session::{Session, Ticket};
use crate::failure::{Class, Failure};
use crate::http::repeat::{SHORT, repeated};
use crate::telemetry::CallMeter;

/// As logs name it.
const SYSTEM: &str = "Zoho";

/// A client of one Zoho organisation. Clones share the token, the limits and the counters.
#[derive(Clone)]
pub struct ZohoClient {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    session: Session,
    limiter: Limiter,
    image_routes: Vec<ImageRoute>,
    meter: CallMeter,
}

impl ZohoClient {
    /// A client that has a token.
    ///
    /// # Errors
    /// A configuration failure for an address that is none; what the accounts server says when it makes no token in three
    /// tries.
    pub async fn connect(config: ZohoConfig) -> Result<Self, Failure> {
        Self::connect_metered(config, CallMeter::default()).await
    }

    /// The same; its calls are counted.
    ///
    /// # Errors
    /// As [`ZohoClient::connect`].
    pub async fn connect_metered(config: ZohoConfig, meter: CallMeter) -> Result<Self, Failure> {
        let place = Place::new(&config)?;
        let client = Self {
            inner: Arc::new(Inner {
                http: Http::new(&config)?,
                limiter: Limiter::new(config.calls_per_minute, config.concurrent_calls),
                session: Session::new(place, config.secret),
                image_routes: config.image_routes,
                meter,
            }),
        };
        repeated(SYSTEM, || client.ticket()).await?;
        Ok(client)
    }

    /// Where the organisation is.
    pub fn place(&self) -> &Place {
        self.inner.session.place()
    }

    /// Names the organisation in our state.
    pub fn identity(&self) -> String {
        self.place().identity()
    }

    /// Zoho's clock now, from the newest answer and the time since; `None` where no answer told one.
    pub fn server_clock(&self) -> Option<Timestamp> {
        self.inner.http.clock()
    }

    /// What this client and its clones have done so far.
    pub fn calls(&self) -> CallCounts {
        self.inner.http.counts()
    }

    /// What is known of the organisation's limits.
    pub fn limits(&self) -> Limits {
        self.inner.limiter.limits()
    }

    pub(super) fn image_routes(&self) -> &[ImageRoute] {
        &self.inner.image_routes
    }

    /// The JSON object that a call answers with. Every call is a read, so it is tried up to three times within seconds.
    pub(super) async fn json(&self, request: &Request) -> Result<Value, Failure> {
        self.call(request, |expected, answer| expected.classify(&answer)).await
    }

    /// What `judge` reads from the answer of a call.
    pub(super) async fn call<T>(
        &self,
        request: &Request,
        judge: impl Fn(&Expected<'_>, Answer) -> Result<T, Refusal>,
    ) -> Result<T, Failure> {
        repeated(SYSTEM, || self.once(request, &judge)).await
    }

    async fn ticket(&self) -> Result<Ticket, Failure> {
        self.inner.session.current(&self.inner.http).await
    }

    async fn once<T>(
        &self,
        request: &Request,
        judge: &impl Fn(&Expected<'_>, Answer) -> Result<T, Refusal>,
    ) -> Result<T, Failure> {
        let ticket = self.ticket().await?;
        let refusal = match self.send(&ticket, request, judge).await? {
            Ok(result) => return Ok(result),
            Err(refusal) if !refusal.may_be_the_token() => return Err(refusal.failure),
            Err(refusal) => refusal,
        };
        match self.inner.session.replace(&ticket, &self.inner.http).await? {
            None => Err(refusal.failure),
            Some(ticket) => {
                let result = self.send(&ticket, request, judge).await?;
                result.map_err(|refusal| refusal.failure)
            }
        }
    }

    async fn send<T>(
        &self,
        ticket: &Ticket,
        request: &Request,
        judge: &impl Fn(&Expected<'_>, Answer) -> Result<T, Refusal>,
    ) -> Result<Result<T, Refusal>, Failure> {
        let Inner { http, limiter, .. } = &*self.inner;
        let organization = self.place().organization();
        let url = request.url(&ticket.api, organization);
        let admission = limiter.admit().await?;
        let began = Instant::now();
        let answer = http.get(&url, &ticket.access, request.kind).await;
        drop(admission);
        let answer = answer.inspect_err(|failure| self.inner.meter.called(began, Some(failure)))?;
        let quota = answer.quota;
        if let Some(quota) = quota {
            limiter.learn(quota);
        }
        let expected = Expected { host: &host(&url), organization, request };
        let result = judge(&expected, answer);
        self.inner.meter.called(began, result.as_ref().err().map(|refusal| &refusal.failure));
        Ok(result.map_err(|mut refusal| {
            // The answer that refuses may not say until when; an earlier one did.
            if refusal.is_daily()
                && quota.is_none()
                && let Some(day) = limiter.limits().day
            {
                refusal.failure.retry_after = Some(day.resets_in(Timestamp::now()));
            }
            self.heed(&refusal);
            refusal
        }))
    }

    /// Stops calling while Zoho refuses calls for longer than a moment: every further call would be refused as well, and
    /// may lengthen the block.
    fn heed(&self, refusal: &Refusal) {
        let Failure { class: Class::Throttled, retry_after: Some(wait), .. } = refusal.failure else {
            return;
        };
        if wait > SHORT && !refusal.is_foreign {
            tracing::warn!(
                organization = self.place().organization(),
                code = refusal.code,
                wait_s = wait.as_secs(),
                "Zoho refuses calls for a while"
            );
            self.inner.limiter.block(wait, refusal.is_daily());
        }
    }
}

impl fmt::Debug for ZohoClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZohoClient").field("identity", &self.identity()).finish_non_exhaustive()
    }
}
