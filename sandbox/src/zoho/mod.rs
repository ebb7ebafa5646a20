//! A stand-in for Zoho: accounts server, Inventory v1 and Books v3 of one organisation, reading only.

mod accounts;
mod api;
pub(crate) mod change;
mod clock;
mod command;
mod contact;
mod contact_list;
pub(crate) mod control;
pub(crate) mod counters;
mod error;
pub(crate) mod fault;
mod http;
mod id;
mod item;
mod item_list;
mod item_row;
mod item_seed;
mod jpeg;
mod limit;
mod list;
mod noise;
mod params;
mod pattern;
pub(crate) mod picture;
pub(crate) mod route;
mod server;
pub(crate) mod settings;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod world;

use std::future::Future;
use std::io;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::zoho::clock::Clock;
use crate::zoho::control::ZohoControl;
use crate::zoho::server::Server;
use crate::zoho::settings::ZohoSettings;
use crate::zoho::world::{World, zone};

/// A running stand-in on the loopback interface. It stops when it is dropped.
#[derive(Debug)]
pub struct ZohoSandbox {
    server: Arc<Server>,
    serving: JoinHandle<()>,
}

impl ZohoSandbox {
    /// Starts to serve. Errors: the port is taken, or the time zone is unknown.
    pub async fn start(settings: ZohoSettings) -> io::Result<Self> {
        let clock = Arc::new(Clock::real(zone(&settings.time_zone)?));
        let listener = TcpListener::bind((settings.host, settings.port)).await?;
        let port = listener.local_addr()?.port();
        let server = Arc::new(Server::new(port, World::new(settings, clock)));
        let serving = tokio::spawn(http::serve(listener, Arc::clone(&server)));
        Ok(Self { server, serving })
    }

    /// Address of the accounts server; the token endpoint is `/oauth/v2/token` below it.
    pub fn accounts_url(&self) -> String {
        self.server.base()
    }

    /// Base address of Inventory, ending in `/inventory/v1`.
    pub fn inventory_url(&self) -> String {
        format!("{}/inventory/v1", self.server.base())
    }

    /// Base address of Books, ending in `/books/v3`.
    pub fn books_url(&self) -> String {
        format!("{}/books/v3", self.server.base())
    }

    /// Id of the only organisation.
    pub fn organization_id(&self) -> &'static str {
        api::ORGANIZATION_ID
    }

    /// Id of the only client.
    pub fn client_id(&self) -> &'static str {
        accounts::CLIENT_ID
    }

    /// Secret of the only client.
    pub fn client_secret(&self) -> &'static str {
        accounts::CLIENT_SECRET
    }

    /// The refresh token of that client.
    pub fn refresh_token(&self) -> &'static str {
        accounts::REFRESH_TOKEN
    }

    /// Addresses and credentials as JSON: `accounts_url`, `inventory_url`, `books_url`, `organization_id`,
    /// `client_id`, `client_secret`, `refresh_token`, `control_url` and `now`.
    pub fn describe(&self) -> Json {
        self.server.describe()
    }

    /// The control of this server.
    pub fn control(&self) -> ZohoControl {
        ZohoControl(Arc::clone(&self.server))
    }
}

impl Drop for ZohoSandbox {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    fn describe(&self) -> Json {
        let base = self.base();
        let now = {
            let world = self.world();
            world.clock.print(world.clock.now())
        };
        json!({
            "accounts_url": base, "inventory_url": format!("{base}/inventory/v1"),
            "books_url": format!("{base}/books/v3"), "organization_id": api::ORGANIZATION_ID,
            "client_id": accounts::CLIENT_ID, "client_secret": accounts::CLIENT_SECRET,
            "refresh_token": accounts::REFRESH_TOKEN, "control_url": format!("{base}{}", server::CONTROL),
            "now": now,
        })
    }
}

/// Serves until `stop` ends, for a binary: `announce` gets the addresses and credentials once the server listens.
///
/// Errors: those of [`ZohoSandbox::start`], and what `announce` gives.
pub async fn serve(
    settings: ZohoSettings,
    announce: impl FnOnce(&Json) -> io::Result<()>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let sandbox = ZohoSandbox::start(settings).await?;
    announce(&sandbox.describe())?;
    stop.await;
    Ok(())
}
