//! A stand-in Odoo server, release 17, 18 or 19.
//!
//! It answers JSON-RPC, sessions and (19) JSON-2 with the quirks measured on real servers, from state of its own.

pub(crate) mod access;
pub(crate) mod attachment;
pub(crate) mod call;
pub(crate) mod clock;
pub(crate) mod compute;
pub(crate) mod control;
pub(crate) mod convert;
pub(crate) mod cost;
pub(crate) mod counters;
pub(crate) mod create;
pub(crate) mod database;
pub(crate) mod date;
pub(crate) mod describe;
pub(crate) mod domain;
pub(crate) mod edit;
pub(crate) mod error;
pub(crate) mod fault;
pub(crate) mod filter;
pub(crate) mod image;
pub(crate) mod import;
pub(crate) mod index;
pub(crate) mod install;
pub(crate) mod json2;
pub(crate) mod jsonrpc;
pub(crate) mod language;
pub(crate) mod load;
pub(crate) mod method;
pub(crate) mod naming;
pub(crate) mod page;
pub(crate) mod panel;
pub(crate) mod render;
pub(crate) mod schema;
pub(crate) mod search;
pub(crate) mod seed;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod settings;
pub(crate) mod stamp;
pub(crate) mod state;
pub(crate) mod table;
pub(crate) mod value;
pub(crate) mod write;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::http::serve;
use crate::odoo::access::User;
use crate::odoo::control::Control;
use crate::odoo::settings::OdooSettings;
use crate::odoo::state::State;

/// Credentials of a user of the stand-in server. They open nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user's id.
    pub uid: i64,
    /// The login.
    pub login: String,
    /// The password, for JSON-RPC and sessions.
    pub password: String,
    /// The API key, for JSON-RPC and JSON-2.
    pub api_key: String,
}

impl From<&User> for Account {
    fn from(user: &User) -> Self {
        Self {
            uid: user.uid,
            login: user.login.to_owned(),
            password: user.password.to_owned(),
            api_key: user.api_key.to_owned(),
        }
    }
}

/// A running stand-in server. Dropping it stops it and ends its connections.
#[derive(Debug)]
pub struct OdooSandbox {
    state: Arc<State>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl OdooSandbox {
    /// Starts a server. Fails when the port is taken.
    pub async fn start(settings: OdooSettings) -> std::io::Result<Self> {
        let listener = TcpListener::bind((settings.host, settings.port)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(settings));
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { state, address, server })
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The name of the only database.
    pub fn database(&self) -> &str {
        &self.state.name
    }

    /// The administrator's login.
    pub fn login(&self) -> &str {
        self.admin().login
    }

    /// The administrator's password.
    pub fn password(&self) -> &str {
        self.admin().password
    }

    /// The administrator's API key.
    pub fn api_key(&self) -> &str {
        self.admin().api_key
    }

    /// A plain internal user: may read products and contacts, may write nothing, and may not read external ids or
    /// system parameters.
    pub fn plain_user(&self) -> Account {
        let [_, plain] = &self.state.users;
        plain.into()
    }

    /// The controls.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.state))
    }

    fn admin(&self) -> &User {
        let [admin, _] = &self.state.users;
        admin
    }
}

impl Drop for OdooSandbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}
