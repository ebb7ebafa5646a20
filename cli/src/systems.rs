//! The remote systems of a configuration: connected once per command, whatever the number of pipelines.

use std::collections::BTreeMap;

use shared::config::Config;
use shared::failure::{Failure, Reason};
use shared::odoo::OdooClient;
use shared::zoho::ZohoClient;
use tokio::sync::Mutex;

/// Connections by name. A failure is remembered too: a rejected password is never sent twice by one command, since
/// Odoo locks an address out after a few.
#[derive(Debug)]
pub(crate) struct Systems<'a> {
    config: &'a Config,
    odoo: Mutex<BTreeMap<String, Result<OdooClient, Failure>>>,
    zoho: Mutex<BTreeMap<String, Result<ZohoClient, Failure>>>,
}

impl<'a> Systems<'a> {
    pub(crate) fn new(config: &'a Config) -> Self {
        Self { config, odoo: Mutex::default(), zoho: Mutex::default() }
    }

    /// The client of `[odoo.name]`.
    pub(crate) async fn odoo(&self, name: &str) -> Result<OdooClient, Failure> {
        let mut known = self.odoo.lock().await;
        if let Some(result) = known.get(name) {
            return result.clone();
        }
        let server = self.config.odoo.get(name).ok_or_else(|| {
            Failure::systemic(
                Reason::Configuration,
                format!("there is no [odoo.{name}] in the configuration"),
            )
        })?;
        let result = match server.connection() {
            Ok(connection) => OdooClient::connect(connection).await,
            Err(failure) => Err(failure),
        };
        known.insert(name.to_owned(), result.clone());
        result
    }

    /// The client of `[zoho.name]`.
    pub(crate) async fn zoho(&self, name: &str) -> Result<ZohoClient, Failure> {
        let mut known = self.zoho.lock().await;
        if let Some(result) = known.get(name) {
            return result.clone();
        }
        let account = self.config.zoho.get(name).ok_or_else(|| {
            Failure::systemic(
                Reason::Configuration,
                format!("there is no [zoho.{name}] in the configuration"),
            )
        })?;
        let result = match account.connection() {
            Ok(connection) => ZohoClient::connect(connection).await,
            Err(failure) => Err(failure),
        };
        known.insert(name.to_owned(), result.clone());
        result
    }
}
