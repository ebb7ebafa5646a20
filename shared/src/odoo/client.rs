//! The client: connecting, and one call with its login and its repetition.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::answer::{Answer, Envelope, Expected, Purpose, Refusal, not_odoo};
use super::call::{Call, Operation, Row};
use super::config::OdooConfig;
use super::dialect::{Dialect, Request};
use super::http::{CallCounts, Counted, Http};
use super::login::Login;
use super::place::Place;
use super::session::{Session, Ticket};
use super::version::ServerVersion;
use crate::failure::Failure;
use crate::http::repeat::repeated;
use crate::telemetry::CallMeter;

/// As logs name it.
const SYSTEM: &str = "Odoo";

/// A logged-in client of one Odoo database. Clones share the login and the counters.
#[derive(Clone)]
pub struct OdooClient {
    inner: Arc<Inner>,
    context: Arc<Row>,
}

struct Inner {
    http: Http,
    session: Session,
    version: ServerVersion,
    meter: CallMeter,
}

/// What came back from one try.
enum Reply {
    Result(Value),
    /// The session is not known (any more); nothing was done.
    Expired(Failure),
}

impl OdooClient {
    /// Asks for the version without following redirects, picks the dialect and logs in.
    ///
    /// # Errors
    /// A configuration failure for an address that is no Odoo or settings that do not fit, a credentials or database failure
    /// when Odoo refuses them, a transient one when it cannot be reached in three tries.
    pub async fn connect(config: OdooConfig) -> Result<Self, Failure> {
        Self::connect_metered(config, CallMeter::default()).await
    }

    /// The same; its calls are counted.
    ///
    /// # Errors
    /// As [`OdooClient::connect`].
    pub(crate) async fn connect_metered(config: OdooConfig, meter: CallMeter) -> Result<Self, Failure> {
        let began = Instant::now();
        let client = Self::sign_in(config, meter.clone()).await;
        meter.called(began, client.as_ref().err());
        client
    }

    async fn sign_in(config: OdooConfig, meter: CallMeter) -> Result<Self, Failure> {
        let place = Place::new(&config.url, &config.database, config.user.as_deref())?;
        let http = Http::new(&config)?;
        let version = repeated(SYSTEM, || find_version(&http, &place)).await?;
        let transport = config.transport_for(&version)?;
        let secret = config.secret.text().clone();
        let login = Login { place, secret, transport };
        let dialect = repeated(SYSTEM, || login.open(&http)).await?;
        let session = Session::new(login, dialect);
        Ok(Self {
            inner: Arc::new(Inner { http, session, version, meter }),
            context: Arc::new(config.context),
        })
    }

    /// The same login with more context: `lang`, `active_test`, `allowed_company_ids`.
    #[must_use]
    pub fn with_context(&self, more: Row) -> Self {
        let mut context = Row::clone(&self.context);
        context.extend(more);
        Self { inner: Arc::clone(&self.inner), context: Arc::new(context) }
    }

    /// The Odoo context that goes with each call.
    pub fn context(&self) -> &Row {
        &self.context
    }

    /// Version of the server.
    pub fn version(&self) -> &ServerVersion {
        &self.inner.version
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.inner.session.login().place
    }

    /// Names the database in our state: normalised address and database.
    pub fn identity(&self) -> String {
        self.place().identity()
    }

    /// The server's clock as of the newest answer, in whole seconds.
    pub fn server_clock(&self) -> Option<Timestamp> {
        self.inner.http.clock()
    }

    /// What this client and its clones have done so far.
    pub fn calls(&self) -> CallCounts {
        self.inner.http.counts()
    }

    /// Makes a call. One that changes nothing is tried up to three times within seconds while the failure is transient; one
    /// that changes something is sent once, since its outcome may be unknown. An expired session is renewed in either case:
    /// Odoo had done nothing then.
    pub(super) async fn call(
        &self,
        model: &str,
        operation: Operation<'_>,
        more: &Row,
    ) -> Result<Value, Failure> {
        let mut context = Row::clone(&self.context);
        context.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
        let call = Call { model, operation, context };
        if operation.is_read() { repeated(SYSTEM, || self.once(&call)).await } else { self.once(&call).await }
    }

    async fn once(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let ticket = self.inner.session.current().await;
        match self.send(&ticket, call).await? {
            Reply::Result(value) => return Ok(value),
            Reply::Expired(_) => {}
        }
        let ticket = self.inner.session.renew(&ticket, &self.inner.http).await?;
        match self.send(&ticket, call).await? {
            Reply::Result(value) => Ok(value),
            Reply::Expired(failure) => Err(failure),
        }
    }

    async fn send(&self, ticket: &Ticket, call: &Call<'_>) -> Result<Reply, Failure> {
        let began = Instant::now();
        let reply = self.ask(ticket, call).await;
        self.inner.meter.called(
            began,
            match &reply {
                Ok(Reply::Result(_)) => None,
                Ok(Reply::Expired(failure)) | Err(failure) => Some(failure),
            },
        );
        reply
    }

    async fn ask(&self, ticket: &Ticket, call: &Call<'_>) -> Result<Reply, Failure> {
        let request = ticket.dialect.build(call)?;
        let answer = self.inner.http.post(self.place(), request, Counted::Call).await?;
        let expected = self.expected(call, ticket.dialect.envelope());
        let value = match expected.read(&answer) {
            Ok(value) => value,
            Err(Refusal::Failed(failure)) => return Err(failure),
            Err(Refusal::Exception(mut exception)) => {
                exception.redact(self.inner.session.login().secret.expose_secret());
                let expired = exception.is_session_expired();
                let failure = exception.into_failure(&expected);
                return if expired { Ok(Reply::Expired(failure)) } else { Err(failure) };
            }
        };
        self.keep_session(ticket, answer).await;
        Ok(Reply::Result(value))
    }

    async fn keep_session(&self, ticket: &Ticket, answer: Answer) {
        if let (Dialect::Session { cookie }, Some(newer)) = (&*ticket.dialect, answer.session)
            && cookie.expose_secret() != newer
        {
            self.inner.session.adopt(ticket, newer).await;
        }
    }

    pub(super) fn expected<'a>(&'a self, call: &'a Call<'a>, envelope: Envelope) -> Expected<'a> {
        Expected { place: self.place(), purpose: Purpose::Call(call), envelope }
    }
}

impl fmt::Debug for OdooClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OdooClient")
            .field("identity", &self.identity())
            .field("version", &self.inner.version)
            .field("transport", &self.inner.session.login().transport)
            .finish_non_exhaustive()
    }
}

async fn find_version(http: &Http, place: &Place) -> Result<ServerVersion, Failure> {
    let answer = http.post(place, Request::version()?, Counted::Probe).await?;
    let expected = Expected { place, purpose: Purpose::Version, envelope: Envelope::JsonRpc };
    let info = expected.classify(&answer)?;
    ServerVersion::from_info(&info).ok_or_else(|| not_odoo(place))
}
