//! The client: one call with its token, its admission and its repetition.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use super::answer::{Answer, Expected};
use super::budget::Told;
use super::class::CallClass;
use super::clock::Clock;
use super::config::{ImageRoute, ZohoConfig};
use super::counts::CallCounts;
use super::governor::Governor;
use super::http::Http;
use super::place::{Place, host};
use super::quota::Limits;
use super::refusal::Refusal;
use super::request::Request;
use super::session::{Session, Ticket};
use crate::failure::{Class, Failure};
use crate::http::repeat::{SHORT, repeated};
use crate::state::State;
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
    governor: Governor,
    image_routes: Vec<ImageRoute>,
    meter: CallMeter,
}

impl ZohoClient {
    /// A client that has a token and shares its limits with nobody.
    ///
    /// # Errors
    /// A configuration failure for an address that is none; what the accounts server says when it makes no token in three
    /// tries.
    pub async fn connect(config: ZohoConfig) -> Result<Self, Failure> {
        let state = State::open_memory().await?;
        Self::connect_governed(config, &state, CallMeter::default()).await
    }

    /// A client that has a token. All that are connected with one state keep the organisation's limits together and share
    /// the token. Its calls are counted.
    ///
    /// # Errors
    /// As [`ZohoClient::connect`], and the state's.
    pub(crate) async fn connect_governed(
        config: ZohoConfig,
        state: &State,
        meter: CallMeter,
    ) -> Result<Self, Failure> {
        Self::connect_by(config, state, meter, Clock::default()).await
    }

    /// The same, in a time of one's own.
    ///
    /// # Errors
    /// As [`ZohoClient::connect`].
    #[cfg(any(test, feature = "simulation"))]
    pub async fn connect_simulated(
        config: ZohoConfig,
        state: &State,
        time: Arc<super::SimulatedTime>,
    ) -> Result<Self, Failure> {
        Self::connect_by(config, state, CallMeter::default(), Clock::simulated(time)).await
    }

    async fn connect_by(
        config: ZohoConfig,
        state: &State,
        meter: CallMeter,
        clock: Clock,
    ) -> Result<Self, Failure> {
        let place = Place::new(&config)?;
        let clock = Arc::new(clock);
        let client = Self {
            inner: Arc::new(Inner {
                http: Http::new(&config)?,
                governor: Governor::new(state.clone(), &place.identity(), &config, Arc::clone(&clock)),
                session: Session::new(place, config.secret, state.clone(), clock)?,
                image_routes: config.image_routes,
                meter,
            }),
        };
        repeated(SYSTEM, || client.ticket()).await?;
        // A token that another process made tells no time.
        if client.server_clock().is_none() {
            client.inner.http.ask_time(client.place()).await;
        }
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
        self.inner.governor.limits()
    }

    /// Calls of the day that are left to others; `None`: no answer has told how many a day has.
    pub fn reserved(&self) -> Option<u64> {
        let percent = self.inner.governor.reserve_percent();
        self.limits().day.map(|day| CallClass::List.floor(day.limit, percent))
    }

    /// Whether calls of this class are made at present; nothing is called.
    ///
    /// # Errors
    /// `Throttled` with the time that is left: Zoho refuses calls, or what is left of the day is not for these. The state's.
    pub async fn allows(&self, class: CallClass) -> Result<(), Failure> {
        self.inner.governor.allows(class).await
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
        // Who has no token takes no place in the line.
        self.ticket().await?;
        let (ticket, answered) = self.send(request, judge).await?;
        let refusal = match answered {
            Ok(result) => return Ok(result),
            Err(refusal) if !refusal.may_be_the_token() => return Err(refusal.failure),
            Err(refusal) => refusal,
        };
        if self.inner.session.replace(&ticket, &self.inner.http).await?.is_none() {
            return Err(refusal.failure);
        }
        let (_, answered) = self.send(request, judge).await?;
        answered.map_err(|refusal| refusal.failure)
    }

    /// The answer, and the token that it was had with.
    async fn send<T>(
        &self,
        request: &Request,
        judge: &impl Fn(&Expected<'_>, Answer) -> Result<T, Refusal>,
    ) -> Result<(Ticket, Result<T, Refusal>), Failure> {
        let Inner { http, governor, meter, .. } = &*self.inner;
        let organization = self.place().organization();
        let admission = governor.admit(request.class).await?;
        // The wait for a place may be longer than a token lasts.
        let ticket = self.ticket().await?;
        let url = request.url(&ticket.api, organization);
        let began = Instant::now();
        let answer = governor.during(&admission, http.get(&url, &ticket.access, request.kind)).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                meter.called(began, Some(&failure));
                governor.end(admission, None, Told::Nothing).await;
                return Err(failure);
            }
        };
        let quota = answer.quota;
        let expected = Expected { host: &host(&url), organization, request };
        let result = judge(&expected, answer);
        meter.called(began, result.as_ref().err().map(|refusal| &refusal.failure));
        let told = result.as_ref().err().map_or(Told::Well, |refusal| told(refusal, quota.is_some()));
        governor.end(admission, quota, told).await;
        Ok((ticket, result.map_err(|refusal| self.heed(refusal))))
    }

    /// Every further call would be refused as well while Zoho refuses calls, and may lengthen the block: the governor makes
    /// none until then.
    fn heed(&self, mut refusal: Refusal) -> Refusal {
        if refusal.failure.class != Class::Throttled || refusal.is_foreign {
            return refusal;
        }
        // The answer that refuses may not say until when; an earlier one did.
        if refusal.is_daily()
            && let Some(left) = self.inner.governor.blocked_for()
        {
            refusal.failure.retry_after = Some(left);
        }
        if let Some(wait) = refusal.failure.retry_after.filter(|wait| *wait > SHORT) {
            tracing::warn!(
                organization = self.place().organization(),
                code = refusal.code,
                wait_s = wait.as_secs(),
                "Zoho refuses calls for a while"
            );
        }
        refusal
    }
}

/// What a refusal tells of limits.
fn told(refusal: &Refusal, has_quota: bool) -> Told {
    let Failure { class: Class::Throttled, retry_after, .. } = refusal.failure else {
        return Told::Nothing;
    };
    match refusal.code {
        _ if refusal.is_foreign => Told::Nothing,
        Some(45) => Told::Spent(retry_after.filter(|_| !has_quota)),
        Some(1070) => Told::Crowded,
        _ => Told::Minute(retry_after.unwrap_or_default()),
    }
}

impl fmt::Debug for ZohoClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZohoClient").field("identity", &self.identity()).finish_non_exhaustive()
    }
}
