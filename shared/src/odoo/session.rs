//! The current login, renewed once for all callers that find it expired.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::dialect::Dialect;
use super::http::Http;
use super::login::Login;
use crate::failure::Failure;

#[derive(Debug)]
pub(super) struct Session {
    login: Login,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    dialect: Arc<Dialect>,
    /// Grows with every login that was tried.
    logins: u64,
    /// Why the last one failed.
    failed: Option<Failure>,
}

/// The login that a call was made with.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    pub(super) dialect: Arc<Dialect>,
    logins: u64,
}

impl Session {
    pub(super) fn new(login: Login, dialect: Dialect) -> Self {
        let dialect = Arc::new(dialect);
        Self { login, state: Mutex::new(State { dialect, logins: 0, failed: None }) }
    }

    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    pub(super) async fn current(&self) -> Ticket {
        self.state.lock().await.ticket()
    }

    /// Logs in again, unless another caller did so since this ticket was taken: then its outcome counts here too, so that a
    /// password changed in Odoo is rejected once and not once per caller.
    pub(super) async fn renew(&self, expired: &Ticket, http: &Http) -> Result<Ticket, Failure> {
        let mut state = self.state.lock().await;
        if state.logins == expired.logins {
            // Counted only when it is over: whoever drops this future half-way leaves the login to the next caller.
            let opened = self.login.open(http).await;
            state.logins += 1;
            state.failed = None;
            match opened {
                Ok(dialect) => state.dialect = Arc::new(dialect),
                Err(failure) => state.failed = Some(failure),
            }
        }
        match &state.failed {
            Some(failure) => Err(failure.clone()),
            None => Ok(state.ticket()),
        }
    }

    /// Takes over a cookie that Odoo changed in an answer to this ticket; the old one is good for two more minutes (from the
    /// source of Odoo 18).
    pub(super) async fn adopt(&self, ticket: &Ticket, cookie: String) {
        let mut state = self.state.lock().await;
        if state.logins == ticket.logins {
            state.dialect = Arc::new(Dialect::Session { cookie: cookie.into() });
        }
    }
}

impl State {
    fn ticket(&self) -> Ticket {
        Ticket { dialect: Arc::clone(&self.dialect), logins: self.logins }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::ExposeSecret as _;
    use serde_json::json;
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

    use super::*;
    use crate::odoo::{OdooConfig, OdooSecret, Place, Transport};

    #[tokio::test]
    async fn login_dropped_half_way_is_made_by_the_next_caller() {
        let server = MockServer::start().await;
        let login = || Mock::given(matchers::path("/web/session/authenticate"));
        let opened = |cookie: &str| {
            ResponseTemplate::new(200)
                .set_body_json(json!({"jsonrpc": "2.0", "result": {"uid": 2}}))
                .insert_header("Set-Cookie", format!("session_id={cookie}"))
        };
        let never = opened("lost").set_delay(Duration::from_mins(1));
        login().respond_with(never).up_to_n_times(1).mount(&server).await;
        login().respond_with(opened("new")).mount(&server).await;

        let config = OdooConfig::new(server.uri(), "shop", OdooSecret::Password("pass".into()));
        let http = Http::new(&config).unwrap();
        let place = Place::new(&config.url, "shop", Some("admin")).unwrap();
        let login = Login { place, secret: "pass".into(), transport: Transport::Session };
        let session = Session::new(login, Dialect::Session { cookie: "old".into() });
        let expired = session.current().await;

        let login_is_on_its_way = async {
            while server.received_requests().await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = session.renew(&expired, &http) => panic!("this login does not end"),
            () = login_is_on_its_way => {}
        }
        let renewed = session.renew(&expired, &http).await.unwrap();
        let Dialect::Session { cookie } = &*renewed.dialect else { panic!("no session") };
        assert_eq!(cookie.expose_secret(), "new");
    }
}
