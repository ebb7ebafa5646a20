//! Proving who we are, in each dialect.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::answer::{Envelope, Expected, Purpose};
use super::call::{Call, Operation, Row};
use super::config::Transport;
use super::dialect::{Dialect, Request};
use super::http::{Counted, Http};
use super::place::Place;
use super::refusal;
use crate::failure::{Failure, Reason};

/// What a login needs.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) place: Place,
    pub(super) secret: SecretString,
    /// Never `Auto`: decided when the version was known.
    pub(super) transport: Transport,
}

impl Login {
    /// Logs in once. A rejected password is not tried again here or anywhere in the client: Odoo locks an address out after a
    /// few.
    pub(super) async fn open(&self, http: &Http) -> Result<Dialect, Failure> {
        let database = self.place.database().to_owned();
        let secret = self.secret.clone();
        match self.transport {
            Transport::Session | Transport::Auto => self.open_session(http).await,
            Transport::ExecuteKw => {
                let uid = self.find_user(http).await?;
                Ok(Dialect::ExecuteKw { database, uid, secret })
            }
            Transport::Json2 => {
                let dialect = Dialect::Json2 { database, key: secret };
                self.try_key(http, &dialect).await?;
                Ok(dialect)
            }
        }
    }

    fn user(&self) -> &str {
        self.place.user().unwrap_or_default()
    }

    fn expected(&self, envelope: Envelope) -> Expected<'_> {
        Expected { place: &self.place, purpose: Purpose::Login, envelope }
    }

    async fn open_session(&self, http: &Http) -> Result<Dialect, Failure> {
        let request = Request::session_login(self.place.database(), self.user(), &self.secret)?;
        let answer = http.post(&self.place, request, Counted::Authentication).await?;
        let expected = self.expected(Envelope::JsonRpc);
        let result = expected.classify(&answer)?;
        if result.get("uid").and_then(Value::as_i64).is_none() {
            // From Odoo's source: the password was right, and a second factor is asked for.
            let what =
                format!("Odoo at {} asks {} for a second factor", self.place.host(), self.place.whose());
            return Err(Failure::systemic(Reason::Credentials, what)
                .advise("make an API key for this user and set it instead of the password"));
        }
        match answer.session {
            Some(cookie) => Ok(Dialect::Session { cookie: cookie.into() }),
            None => Err(expected.shape("opens no session")),
        }
    }

    async fn find_user(&self, http: &Http) -> Result<i64, Failure> {
        let request = Request::service_login(self.place.database(), self.user(), &self.secret)?;
        let answer = http.post(&self.place, request, Counted::Authentication).await?;
        let expected = self.expected(Envelope::JsonRpc);
        match expected.classify(&answer)? {
            Value::Bool(false) | Value::Null => Err(refusal::rejected(&self.place)),
            uid => uid.as_i64().ok_or_else(|| expected.shape("names no user")),
        }
    }

    /// JSON-2 has no login; the cheapest call tells whether key and database are right. A user who may not see contacts has
    /// proven the key all the same.
    async fn try_key(&self, http: &Http, dialect: &Dialect) -> Result<(), Failure> {
        let domain = json!([["id", "=", 0]]);
        let call = Call {
            model: "res.partner",
            operation: Operation::SearchCount { domain: &domain },
            context: Row::new(),
        };
        let answer = http.post(&self.place, dialect.build(&call)?, Counted::Authentication).await?;
        match self.expected(dialect.envelope()).classify(&answer) {
            Err(failure) if failure.reason == Reason::Rights => Ok(()),
            result => result.map(drop),
        }
    }
}
